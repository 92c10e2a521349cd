"""Section 6.7 of FORMAT.md: operation table."""
from decoder_base import *

KIND = 5
MOST_PATTERNS, MOST_PAIRS, MOST_CODE_BITS, MOST_COUNT_BITS = 15, 1024, 4, 30
PAIR_BYTES = 9
MOST_FIELD_BITS = {1: 8, 4: 32, PAIR_BYTES: 10}
# Operands of the item kinds (6.2): b a byte, i four bytes, d eight, r pairs and n a row id behind their count.
OPERANDS = {1: "iiii", 2: "r", 3: "b", 4: "iiii", 5: "bbbbdddd", 6: "dn", 7: "diiiin", 8: "ii", 9: "i"}


def parse_table(payload, column, structure, position):
    """R-OPS-1. The pairs, and the patterns with their fields: (bytes, [(offset, byte count)])."""
    def corrupt(reason):
        return Corrupt(structure, position, f"R-OPS-1: {reason}")
    if len(payload) < 4:
        raise corrupt(f"a table of {len(payload)} bytes")
    pattern_count, reserved, pair_count = struct.unpack_from("<BBH", payload)
    if reserved:
        raise Unsupported(structure, position + 1, "R-HEAD-4: a reserved byte is not 0")
    if pattern_count > MOST_PATTERNS or pair_count > MOST_PAIRS:
        raise corrupt(f"{pattern_count} patterns, {pair_count} pairs")
    at = 4 + PAIR_BYTES * pair_count
    if at > len(payload):
        raise corrupt("the table ends inside its pairs")
    pairs = [bytes(payload[i:i + PAIR_BYTES]) for i in range(4, at, PAIR_BYTES)]
    patterns = []
    for _ in range(pattern_count):
        if at == len(payload) or payload[at] > len(payload) - at - 1:
            raise corrupt("the table ends inside its patterns")
        pattern = bytes(payload[at + 1:at + 1 + payload[at]])
        at += 1 + len(pattern)
        fields = find_fields(pattern, structure, position)
        if any(any(pattern[offset:offset + size]) for offset, size in fields if size == PAIR_BYTES):
            raise corrupt("a pair in a pattern is not zero")
        patterns.append((pattern, fields))
    if at != len(payload):
        raise corrupt(f"{len(payload) - at} bytes behind the last pattern")
    return pairs, patterns


def find_fields(pattern, structure, position):
    """The fields of a pattern: (offset, byte count)."""
    fields, at = [], 0
    while at < len(pattern):
        kind = pattern[at]
        at += 1
        if kind & 127 not in OPERANDS:
            raise Unsupported(structure, position, f"R-OPS-1: item kind {kind & 127} in a pattern")
        for operand in OPERANDS.get(kind, ""):                          # a null item has none
            size, count = {"b": (1, 1), "i": (4, 1), "d": (4, 2), "r": (PAIR_BYTES, None), "n": (1, None)}[operand]
            if count is None:
                if at == len(pattern):
                    raise Corrupt(structure, position, "R-OPS-1: a pattern ends inside an item")
                count = pattern[at]
                at += 1
            if size * count > len(pattern) - at:
                raise Corrupt(structure, position, "R-OPS-1: a pattern ends inside an item")
            fields += [(at + i * size, size) for i in range(count)]
            at += size * count
    return fields


def decode_unit(table, stored, column, cell_count, plain_byte_count, structure, position):
    """R-OPS-2 to R-OPS-6. The plain bytes of the unit."""
    pairs, patterns = table

    def corrupt(rule, reason):
        return Corrupt(structure, position, f"{rule}: {reason}")
    if cell_count > plain_byte_count:                                   # a byte for every length
        raise corrupt("R-UNIT-1", f"{plain_byte_count} bytes cannot hold {cell_count} lengths")
    at = 0

    def take(byte_count):
        nonlocal at
        if byte_count > len(stored) - at:
            raise corrupt("R-OPS-2", "the unit ends inside a part")
        at += byte_count
        return bytes(stored[at - byte_count:at])

    def take_bits(bit_count):
        """The bits as a number; those behind them in the last byte are 0."""
        number = int.from_bytes(take(ceil_div(bit_count, 8)), "little")
        if number >> bit_count:
            raise corrupt("R-OPS-5", "a bit is set where padding is")
        return number

    code_bits = take(1)[0]
    if code_bits > MOST_CODE_BITS:
        raise corrupt("R-OPS-2", f"codes of {code_bits} bits")
    number = take_bits(cell_count * code_bits)
    codes = [number >> i * code_bits & (1 << code_bits) - 1 for i in range(cell_count)]
    if codes and max(codes) > len(patterns):
        raise corrupt("R-OPS-3", f"code {max(codes)}, the table has {len(patterns)} patterns")
    widths = {}
    for code in sorted(set(codes)):
        most = [MOST_FIELD_BITS[size] for _, size in patterns[code][1]] if code < len(patterns) else [MOST_COUNT_BITS]
        widths[code] = list(take(len(most)))
        if any(width > limit for width, limit in zip(widths[code], most)):
            raise corrupt("R-OPS-2", f"a field of too many bits: {widths[code]}")
    number = take_bits(sum(sum(widths[code]) for code in codes))
    values = []
    for code in codes:
        numbers = []
        for width in widths[code]:
            numbers.append(number & (1 << width) - 1)
            number >>= width
        values.append(numbers[0] if code == len(patterns) else
                      fill(patterns[code], numbers, pairs, structure, position))
    values = [take(value) if isinstance(value, int) else value for value in values]
    if at != len(stored):
        raise corrupt("R-OPS-5", f"{len(stored) - at} bytes behind the last part")
    plain = b"".join(varint(len(value)) for value in values) + b"".join(values)
    if len(plain) != plain_byte_count:
        raise corrupt("R-OPS-6", f"{len(plain)} plain bytes, not {plain_byte_count}")
    return plain


def fill(pattern, numbers, pairs, structure, position):
    """The value of a cell: its pattern, with the numbers of the fields."""
    value = bytearray(pattern[0])
    for (offset, size), number in zip(pattern[1], numbers):
        if size == PAIR_BYTES:
            if number >= len(pairs):
                raise Corrupt(structure, position, f"R-OPS-4: pair {number}, the table has {len(pairs)}")
            value[offset:offset + size] = pairs[number]
        else:
            base = int.from_bytes(value[offset:offset + size], "little")
            value[offset:offset + size] = ((base + number) % 256 ** size).to_bytes(size, "little")
    return bytes(value)


def varint(number):
    out = []
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + [number])
