"""The encoding archive (6.5): a model, trained in the plainest way, and the units that it makes. From the text alone."""

import math
import struct
from dataclasses import dataclass, field

from primitives import u8, u16, u32

ARCHIVE, KIND = 3, 3           # the encoding, and the kind of its auxiliary page
TOTAL, ESCAPE, ZERO = 2048, 0, 255
NO_SYMBOLS = (1, 2, 3, 64, 65, 66, 67)


@dataclass
class ArchiveModel:
    lanes: int
    means: list
    units: list
    first_scales: list
    later_scales: list
    contexts: list                     # of 32 contexts, the frequencies of 128 symbols
    reserved: bytes = bytes(3)
    element_count: int = None
    choose: object = None              # (row, variant, coded cells before it, values) to weight and class
    escapes: object = None             # (element, value) to whether it is an escape, though it need not be
    wrong: dict = field(default_factory=dict)          # for broken units, see where each is taken

    # --- the model

    def payload(self):
        count = len(self.means) if self.element_count is None else self.element_count
        return (u8(self.lanes) + self.reserved + u32(count) + struct.pack("<%dh" % len(self.means), *self.means)
                + struct.pack("<%db" % len(self.units), *self.units) + bytes(self.first_scales) + bytes(self.later_scales)
                + b"".join(frequency_bytes(c) for c in self.contexts))

    # --- units

    def encode(self, plain, where):
        return b"".join(self.parts(plain, where.rows, where.variants))

    def parts(self, plain, rows, variants):
        """Heads, states, raw bits, words."""
        heads, cells = self.plan(plain, rows, variants)
        if not cells:
            return heads, b"", b"", b""
        raw = b"".join(raw_bits([v for v, _, _ in cell], self.wrong.get("raw", 0)) for cell in cells)
        hidden = min((5 * len(self.means) + 7) // 8, 2 * self.lanes)
        at_start = raw[-hidden:].ljust(2 * self.lanes, b"\0")
        if "hidden" in self.wrong:
            at_start = self.wrong["hidden"](at_start)
        states = [self.wrong.get("start", 1) << 16 | n for n in struct.unpack("<%dH" % self.lanes, at_start)]
        words = []                     # the last first
        for cell in reversed(cells):
            for first in reversed(range(0, len(cell), 16)):
                self.put_group(list(enumerate(cell))[first:first + 16], states, words)
        return heads, struct.pack("<%dI" % self.lanes, *states), raw[:-hidden], b"".join(map(u16, reversed(words)))

    def put_group(self, group, states, words):
        """What the decoder does with up to 16 values, from its end to its beginning."""
        symbols = [(i, value, context, self.symbol(i, value, natural, context)) for i, (value, natural, context) in group]
        for _, value, _, symbol in reversed(symbols):
            if symbol == ESCAPE:
                words.append(self.wrong.get("word", value >> 5))
        for i, _, context, symbol in reversed(symbols):
            frequency, begin = self.contexts[context][symbol], sum(self.contexts[context][:symbol])
            x = states[i % self.lanes]
            if x >= frequency << 21:
                words.append(x & 0xFFFF)
                x >>= 16
            states[i % self.lanes] = x // frequency * TOTAL + x % frequency + begin

    def symbol(self, i, value, natural, context):
        needless = self.escapes and self.escapes(i, value)
        return natural if self.contexts[context][natural] and not needless else ESCAPE

    def plan(self, plain, rows, variants):
        """The heads; and for each coded cell (value, symbol that says it, context) of every element."""
        dims, heads, coded = len(self.means), b"", []
        for row in range(rows):
            sums, before = [0] * dims, 0
            for variant in range(variants):
                at = 2 * dims * (row * variants + variant)
                values = struct.unpack_from("<%dH" % dims, plain, at)
                weight, cell_class = self.head(row, variant, before, values)
                heads += u8(weight) + u8(cell_class)
                if cell_class == ZERO:
                    continue
                coded.append([self.look(i, v, sums[i], weight, cell_class, before) for i, v in enumerate(values)])
                sums = [s + self.difference(i, v) for i, (s, v) in enumerate(zip(sums, values))]
                before += 1
        return heads, coded

    def head(self, row, variant, before, values):
        if self.choose:
            chosen = self.choose(row, variant, before, values)
            if chosen:
                return chosen
        return (0, ZERO) if not any(values) else (min(before, 1) * 56, 32)

    def look(self, i, value, total, weight, cell_class, before):
        prediction, scale = self.means[i], self.first_scales[i]
        if before:
            pulled = total * (1024 * weight // before) & 0xFFFFFFFF
            pulled -= pulled >> 31 << 32
            prediction, scale = prediction + math.floor(pulled / 65536), self.later_scales[i]
        halves = max(0, scale + cell_class - 32)
        octaves = halves // 2
        q = 64 + math.floor(64 * abs(prediction) / 2 ** octaves)
        e = math.floor(math.log2(q))
        step = min(15, 4 * (e - 6) + math.floor(4 * q / 2 ** e) - 4)
        exponent = (value // 128 % 256 - octaves + self.units[i] - 116) % 256
        sign = value // 32768 ^ (prediction < 0)
        natural = 64 * sign + 4 * exponent + value // 32 % 4 if 1 <= exponent <= 15 else ESCAPE
        return value, natural, 16 * (halves % 2) + step

    def difference(self, i, value):
        number = struct.unpack("<f", u16(0) + u16(value))[0]
        if not math.isfinite(number) or abs(number * 2.0 ** self.units[i]) >= 2 ** 15:
            return 0
        return math.trunc(number * 2.0 ** self.units[i]) - self.means[i]


def raw_bits(values, more):
    """`more` stands behind the last value."""
    number = sum(value % 32 << 5 * i for i, value in enumerate(values)) | more << 5 * len(values)
    return number.to_bytes((5 * len(values) + 7) // 8, "little")


def frequency_bytes(frequencies):
    out, at = b"", 0
    while at < len(frequencies):
        zeros = 0
        while at + zeros < len(frequencies) and frequencies[at + zeros] == 0:
            zeros += 1
        if zeros:
            out += u8(0) + u8(zeros - 1)
            at += zeros
            continue
        f = frequencies[at]
        out += u8(f) if f < 128 else u8(128 + f // 256) + u8(f % 256)
        at += 1
    return out


# --- models ---------------------------------------------------------------------------------------------------------

def flat():
    """Every symbol that there may be, alike: 7 bits."""
    return [0 if s in NO_SYMBOLS else 128 if s == ESCAPE else 16 for s in range(128)]


def frequencies_of(counts):
    """Some for the escape and for what occurs, none for what does not."""
    wanted = [0 if s in NO_SYMBOLS else max(n, s == ESCAPE) for s, n in enumerate(counts)]
    made = [max(n > 0, n * 1900 // sum(wanted)) for n in wanted]
    made[ESCAPE] = max(1, made[ESCAPE])
    largest = max(range(128), key=lambda s: made[s])
    made[largest] += TOTAL - sum(made)
    if made[largest] == TOTAL:                         # the escape alone: something else must be there
        made[largest], made[4] = TOTAL - 1, 1
    return made


def train(rows, lanes=16, unit=13, **more):
    """A model for rows of cells, which are bytes; a number of a cell that is not there is skipped."""
    rows = [[c for c in row if not isinstance(c, int) and any(c)] for row in rows]
    dims = len(next(c for row in rows for c in row)) // 2
    model = ArchiveModel(lanes, [0] * dims, [unit] * dims, [0] * dims, [0] * dims, [flat()] * 32, **more)
    fixed = [[[model.difference(i, v) for i, v in enumerate(struct.unpack("<%dH" % dims, c))] for c in row] for row in rows]
    for i in range(dims):
        firsts = [row[0][i] for row in fixed if row]
        model.means[i] = sum(firsts) // len(firsts)
        model.first_scales[i] = scale_of([n - model.means[i] for n in firsts])
        model.later_scales[i] = scale_of([row[k][i] - row[0][i] for row in fixed for k in range(1, len(row))])
    counts = [[0] * 128 for _ in range(32)]
    for row in rows:
        _, coded = model.plan(b"".join(row), 1, len(row)) if row else (b"", [])
        for cell in coded:
            for _, natural, context in cell:
                counts[context][natural] += 1
    model.contexts = [frequencies_of(c) for c in counts]
    return model


def scale_of(numbers):
    size = sum(n * n for n in numbers) / max(1, len(numbers))
    return max(0, min(31, round(math.log2(size)))) if size >= 1 else 0
