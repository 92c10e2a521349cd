"""Section 6.5 of FORMAT.md: the encoding archive."""
import struct
from types import SimpleNamespace

from decoder_base import Corrupt, Unsupported, ceil_div

KIND = 3
CONTEXTS, SYMBOLS, ESCAPE, ZERO_CELL = 32, 128, 0, 255


# ---------------------------------------------------------------- the model

def parse_table(payload, column, structure="archive model", position=0):
    """R-ARCHIVE-1 and 2: the payload of an auxiliary page of kind 3, for the units of `column`."""
    payload, dims = bytes(payload), column.cell_byte_count // 2
    if len(payload) < 8 + 5 * dims:
        raise Corrupt(structure, position, f"R-ARCHIVE-1: {len(payload)} bytes for {dims} elements")
    lane_count, reserved, element_count = struct.unpack_from("<B3sI", payload)
    if any(reserved):
        raise Unsupported(structure, position + 1, "R-HEAD-4: reserved bytes of a model")
    if lane_count not in (16, 32, 64):
        raise Corrupt(structure, position, f"R-ARCHIVE-1: {lane_count} lanes")
    if element_count != dims:
        raise Corrupt(structure, position + 4, f"R-ARCHIVE-1: {element_count} elements, and the column has {dims}")
    means, units, first_scales, later_scales = (
        struct.unpack_from(f"<{dims}{code}", payload, 8 + at * dims) for code, at in zip("hbBB", (0, 2, 3, 4)))
    if any(not -100 <= unit <= 120 for unit in units):
        raise Corrupt(structure, position, "R-ARCHIVE-1: a unit outside [-100, 120]")
    if any(scale > 31 for scale in first_scales + later_scales):
        raise Corrupt(structure, position, "R-ARCHIVE-1: a scale above 31")
    offset, contexts = 8 + 5 * dims, []
    for number in range(CONTEXTS):
        frequencies, offset = read_frequencies(payload, offset, structure, position)
        check_frequencies(frequencies, number, structure, position)
        contexts.append(make_slots(frequencies))
    if offset != len(payload):
        raise Corrupt(structure, position, f"R-ARCHIVE-1: {len(payload) - offset} bytes behind the frequencies")
    return SimpleNamespace(lane_count=lane_count, dims=dims, means=means, units=units, first_scales=first_scales,
                           later_scales=later_scales, contexts=contexts)


def read_frequencies(payload, offset, structure, position):
    """The frequencies of a context, and the offset behind them."""
    frequencies = []
    while len(frequencies) < SYMBOLS:
        a = payload[offset:offset + 2]
        if len(a) < (1 if a and 1 <= a[0] <= 127 else 2):
            raise Corrupt(structure, position + offset, "R-ARCHIVE-1: the model ends inside its frequencies")
        if a[0] == 0:
            frequencies += [0] * (a[1] + 1)
            offset += 2
        elif a[0] < 128:
            frequencies.append(a[0])
            offset += 1
        else:
            frequencies.append(256 * (a[0] - 128) + a[1])
            offset += 2
    if len(frequencies) > SYMBOLS:
        raise Corrupt(structure, position + offset, "R-ARCHIVE-1: zeros past symbol 127")
    return frequencies, offset


def check_frequencies(frequencies, context, structure, position):
    """R-ARCHIVE-2."""
    def corrupt(reason):
        raise Corrupt(structure, position, f"R-ARCHIVE-2: context {context}: {reason}")

    if sum(frequencies) != 2048:
        corrupt(f"frequencies that sum to {sum(frequencies)}")
    if max(frequencies) >= 2048 or frequencies[ESCAPE] == 0:
        corrupt(f"a frequency of {max(frequencies)}, and of the escape {frequencies[ESCAPE]}")
    if any(frequencies[symbol] for symbol in (1, 2, 3, 64, 65, 66, 67)):
        corrupt("a symbol with exponent 0")


def make_slots(frequencies):
    """For every number below 2,048: symbol, frequency and begin."""
    slots = []
    for symbol, frequency in enumerate(frequencies):
        slots += [(symbol, frequency, len(slots))] * frequency
    return slots


# ---------------------------------------------------------------- units

def parts(table, stored, column, row_count, variant_count):
    """The names and byte counts of the parts of a unit that decodes."""
    cells = row_count * variant_count
    coded = sum(cell_class != ZERO_CELL for cell_class in stored[1:2 * cells:2])
    if not coded:
        return [("heads", len(stored))]
    raw_byte_count = ceil_div(5 * table.dims, 8)
    raw = coded * raw_byte_count - min(raw_byte_count, 2 * table.lane_count)
    words = len(stored) - 2 * cells - 4 * table.lane_count - raw
    return [("heads", 2 * cells), ("states", 4 * table.lane_count), ("raw bits", raw), ("words", words)]


def decode_unit(table, stored, column, row_count, variant_count, structure="archive unit", position=0):
    """The plain bytes of a unit that is not stored plain."""
    unit = Unit(table, bytes(stored), row_count, variant_count, structure, position)
    return unit.decode()


class Unit:
    def __init__(self, table, stored, row_count, variant_count, structure, position):
        self.table, self.stored = table, stored
        self.row_count, self.variant_count = row_count, variant_count
        self.structure, self.position = structure, position
        self.offset = 0                                                 # of the next word

    def corrupt(self, reason):
        raise Corrupt(self.structure, self.position, reason)

    def decode(self):
        """R-ARCHIVE-3: the parts."""
        table, cells = self.table, self.row_count * self.variant_count
        if len(self.stored) < 2 * cells:
            self.corrupt(f"R-ARCHIVE-3: {len(self.stored)} bytes for the heads of {cells} cells")
        heads = [tuple(self.stored[2 * i:2 * i + 2]) for i in range(cells)]
        self.check_heads(heads)
        coded = [i for i, (_, cell_class) in enumerate(heads) if cell_class != ZERO_CELL]
        if not coded:
            if len(self.stored) != 2 * cells:
                self.corrupt("R-ARCHIVE-3: bytes behind the heads, and no coded cell")
            return bytes(2 * cells * table.dims)
        raw_byte_count = ceil_div(5 * table.dims, 8)                    # B of the text
        hidden_byte_count = min(raw_byte_count, 2 * table.lane_count)   # H of the text
        states_at = 2 * cells
        raw_at = states_at + 4 * table.lane_count
        self.offset = raw_at + len(coded) * raw_byte_count - hidden_byte_count
        if len(self.stored) < self.offset or (len(self.stored) - self.offset) % 2:
            self.corrupt(f"R-ARCHIVE-3: {len(self.stored)} bytes, and the words begin at {self.offset}")
        self.states = list(struct.unpack_from(f"<{table.lane_count}I", self.stored, states_at))
        if min(self.states) < 1 << 16:
            self.corrupt("R-ARCHIVE-4: a state below 2^16")
        raw_end = self.offset
        uppers = self.decode_rows(heads)
        raw = self.stored[raw_at:raw_end] + self.hidden_bytes(hidden_byte_count)
        cells_of_values = [[0] * table.dims for _ in range(cells)]
        for number, cell in enumerate(coded):
            lowers = self.read_raw(raw[number * raw_byte_count:(number + 1) * raw_byte_count])
            cells_of_values[cell] = [upper << 5 | lower for upper, lower in zip(uppers[cell], lowers)]
        return b"".join(struct.pack(f"<{table.dims}H", *values) for values in cells_of_values)

    def check_heads(self, heads):
        """R-ARCHIVE-4."""
        for row in range(self.row_count):
            is_first = True
            for weight, cell_class in heads[row * self.variant_count:(row + 1) * self.variant_count]:
                if cell_class > 63 and cell_class != ZERO_CELL:
                    self.corrupt(f"R-ARCHIVE-4: class {cell_class}")
                if weight and (is_first or cell_class == ZERO_CELL):
                    self.corrupt(f"R-ARCHIVE-4: weight {weight} of a cell that has none")
                is_first = is_first and cell_class == ZERO_CELL

    def read_raw(self, raw):
        """The lower 5 bits of a cell's values."""
        number = int.from_bytes(raw, "little")
        if number >> 5 * self.table.dims:
            self.corrupt("R-ARCHIVE-3: a bit behind the raw bits of a cell")
        return [number >> 5 * i & 31 for i in range(self.table.dims)]

    def next_word(self):
        if self.offset == len(self.stored):
            self.corrupt("R-ARCHIVE-6: a word more than there are")
        self.offset += 2
        return struct.unpack_from("<H", self.stored, self.offset - 2)[0]

    def hidden_bytes(self, byte_count):
        """R-ARCHIVE-6, when all cells are decoded."""
        if self.offset != len(self.stored):
            self.corrupt(f"R-ARCHIVE-6: {len(self.stored) - self.offset} bytes of words are left")
        if any(state >> 16 != 1 for state in self.states):
            self.corrupt("R-ARCHIVE-6: a state that is not back where coding began")
        hidden = struct.pack(f"<{len(self.states)}H", *(state & 0xFFFF for state in self.states))
        if any(hidden[byte_count:]):
            self.corrupt("R-ARCHIVE-6: bytes in the states behind the raw bits")
        return hidden[:byte_count]

    def decode_rows(self, heads):
        """The upper 11 bits of the values of the coded cells, None for the others."""
        uppers, table = [], self.table
        # The raw bits of the last coded cell are complete when all are decoded. Only later cells would need them.
        raw_byte_count = ceil_div(5 * table.dims, 8)
        raw_at = 2 * len(heads) + 4 * table.lane_count
        for row in range(self.row_count):
            sums, count = [0] * table.dims, 0
            for weight, cell_class in heads[row * self.variant_count:(row + 1) * self.variant_count]:
                if cell_class == ZERO_CELL:
                    uppers.append(None)
                    continue
                forecasts = [self.forecast(i, sums[i], weight, cell_class, count) for i in range(table.dims)]
                uppers.append(self.decode_cell(forecasts))
                raw = int.from_bytes(self.stored[raw_at:raw_at + raw_byte_count], "little")
                for i, upper in enumerate(uppers[-1]):
                    sums[i] += difference(upper << 5 | raw >> 5 * i & 31, table.units[i], table.means[i])
                raw_at += raw_byte_count
                count += 1
        return uppers

    def forecast(self, i, total, weight, cell_class, count):
        """R-ARCHIVE-7: context, whether the prediction is negative, and what exponent 0 would stand for."""
        table = self.table
        prediction = table.means[i]
        if count:
            product = total * (1024 * weight // count) % 2 ** 32
            prediction += (product - 2 ** 32 if product >= 2 ** 31 else product) >> 16
        scale = (table.later_scales if count else table.first_scales)[i]
        halves = max(0, scale + cell_class - 32)
        octaves = halves // 2
        q = 64 + (64 * abs(prediction) >> octaves)
        e = q.bit_length() - 1
        context = 16 * (halves % 2) + min(15, 4 * (e - 6) + (4 * q >> e) - 4)
        return context, prediction < 0, octaves - table.units[i] + 116

    def decode_cell(self, forecasts):
        """R-ARCHIVE-5: the upper 11 bits of the values."""
        uppers = []
        for first in range(0, len(forecasts), 16):
            group = forecasts[first:first + 16]
            symbols = [self.next_symbol((first + i) % self.table.lane_count, context)
                       for i, (context, _, _) in enumerate(group)]
            for symbol, (_, is_negative, base) in zip(symbols, group):
                if symbol == ESCAPE:
                    upper = self.next_word()
                    if upper >= 2048:
                        self.corrupt(f"R-ARCHIVE-5: an escape of {upper}")
                else:
                    sign, exponent, fraction = symbol >> 6, symbol >> 2 & 15, symbol & 3
                    upper = (sign ^ is_negative) << 10 | (exponent + base) % 256 << 2 | fraction
                uppers.append(upper)
        return uppers

    def next_symbol(self, lane, context):
        x = self.states[lane]
        symbol, frequency, begin = self.table.contexts[context][x % 2048]
        x = frequency * (x // 2048) + x % 2048 - begin
        if x < 1 << 16:
            x = x << 16 | self.next_word()
        self.states[lane] = x
        return symbol


def difference(value, unit, mean):
    """R-ARCHIVE-7. Exact: a value is a whole number times a power of two."""
    sign, exponent, fraction = value >> 15, value >> 7 & 255, value & 127
    if exponent == 255:
        return 0
    significand = fraction + (128 if exponent else 0)
    shift = max(exponent, 1) - 134 + unit
    fixed = significand << shift if shift >= 0 else significand >> -shift
    if fixed >= 1 << 15:
        return 0
    return (-fixed if sign else fixed) - mean
