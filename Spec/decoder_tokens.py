"""Section 6.6 of FORMAT.md: token ranks."""
from decoder_base import *

KIND = 4
MOST_IDS = 16 + 256 + 4096
FIRST_RANKS = (0, 16, 272)                                              # of classes 0, 1 and 2
MOST_COUNT_BITS = 30


def parse_table(payload, column, structure, position):
    """R-TOKENS-1. The ids by rank."""
    if len(payload) < 4:
        raise Corrupt(structure, position, f"R-TOKENS-1: a table of {len(payload)} bytes")
    count, reserved = struct.unpack_from("<HH", payload)
    if reserved:
        raise Unsupported(structure, position + 2, "R-HEAD-4: a reserved byte is not 0")
    if count > MOST_IDS or len(payload) != 4 + 2 * count:
        raise Corrupt(structure, position, f"R-TOKENS-1: {len(payload)} bytes for {count} ids")
    return struct.unpack_from(f"<{count}H", payload, 4)


class BitString:
    """A number whose bits are taken from the least significant on."""

    def __init__(self, data, structure, position):
        self.number, self.left = int.from_bytes(data, "little"), 8 * len(data)
        self.structure, self.position = structure, position

    def take(self, bits):
        if bits > self.left:
            raise Corrupt(self.structure, self.position, "R-TOKENS-2: the unit ends inside a part")
        value = self.number & (1 << bits) - 1
        self.number >>= bits
        self.left -= bits
        return value

    def take_each(self, count, bits):
        """`count` numbers of `bits` bits."""
        part = self.take(count * bits)
        return [part >> i * bits & (1 << bits) - 1 for i in range(count)]


def decode_unit(table, stored, column, cell_count, plain_byte_count, structure, position):
    """R-TOKENS-2 to R-TOKENS-5. The plain bytes of the unit."""
    if not stored or stored[0] > MOST_COUNT_BITS:
        raise Corrupt(structure, position, "R-TOKENS-2: no width of the counts, or one above 30")
    if cell_count > plain_byte_count:                                   # a byte for every length
        raise Corrupt(structure, position, f"R-UNIT-1: {plain_byte_count} bytes cannot hold {cell_count} lengths")
    bits = BitString(stored[1:], structure, position)
    counts = bits.take_each(cell_count, stored[0])
    if sum(counts) > bits.left:                                         # before anything is made from the counts
        raise Corrupt(structure, position, f"R-TOKENS-2: {bits.left} bits cannot hold {sum(counts)} tokens")
    classes = read_classes(bits, sum(counts), 4 if column.element_size == 4 else 3)
    numbers = [0] * len(classes)
    for plane in range(4):
        having = [i for i, level in enumerate(classes) if level >= plane]
        for i, digit in zip(having, bits.take_each(len(having), 4)):
            numbers[i] += digit << 4 * plane
    having = [i for i, level in enumerate(classes) if level == 4]
    for i, half in zip(having, bits.take_each(len(having), 16)):
        numbers[i] += half << 16
    if bits.left >= 8 or bits.number:
        raise Corrupt(structure, position, "R-TOKENS-4: bytes or bits behind the last part")
    values = [token(table, level, number, structure, position) for level, number in zip(classes, numbers)]
    plain = b"".join(varint(count * column.element_size) for count in counts) + \
        b"".join(value.to_bytes(column.element_size, "little") for value in values)
    if len(plain) != plain_byte_count:
        raise Corrupt(structure, position, f"R-TOKENS-5: {len(plain)} plain bytes, not {plain_byte_count}")
    return plain


def read_classes(bits, token_count, highest):
    """A level has a bit for every token that the level before left open."""
    classes, still = [0] * token_count, list(range(token_count))
    for _ in range(highest):
        still = [i for i, bit in zip(still, bits.take_each(len(still), 1)) if bit]
        for i in still:
            classes[i] += 1
    return classes


def token(table, level, number, structure, position):
    if level > 2:
        return number
    rank = FIRST_RANKS[level] + number
    if rank >= len(table):
        raise Corrupt(structure, position, f"R-TOKENS-3: rank {rank}, the table has {len(table)}")
    return table[rank]


def varint(number):
    out = []
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + [number])
