"""Section 6.4 of FORMAT.md: exponent planes, which are the encodings fast and balanced."""
from decoder_base import *

KIND = 2                                                                # 5.4: of the auxiliary page
PLANE_COUNTS = {1: 3, 2: 2}                                             # by encoding: fast, balanced
MAXIMUM_LEVELS = {1: 0, 2: 12}
TABLE = Layout("exponent table", "plane_count:B level_count:B reserved:H base_count:I offsets:16s")


def parse_table(payload, column, encoding, structure, position):
    """R-PLANES-1: the payload has exactly these bytes and values."""
    if len(payload) < TABLE.byte_count:
        raise Corrupt(structure, position, f"R-PLANES-1: a table of {len(payload)} bytes")
    fields = TABLE.read(payload, 0)
    if fields.plane_count != PLANE_COUNTS[encoding]:
        raise Corrupt(structure, position, f"R-PLANES-1: plane_count is {fields.plane_count} for encoding {encoding}")
    if fields.level_count > MAXIMUM_LEVELS[encoding]:
        raise Corrupt(structure, position + 1, f"R-PLANES-1: level_count is {fields.level_count} for encoding {encoding}")
    if fields.reserved:
        raise Unsupported(structure, position + 2, "R-HEAD-4: a reserved byte is not 0")
    if fields.base_count not in (1, column.cell_byte_count // column.element_size):
        raise Corrupt(structure, position + 4, f"R-PLANES-1: base_count is {fields.base_count}")
    if len(payload) != TABLE.byte_count + fields.base_count:
        raise Corrupt(structure, position, f"R-PLANES-1: {len(payload)} bytes with {fields.base_count} bases")
    top = 2 ** fields.plane_count - 1                                   # Q
    exception = top + fields.level_count                                # R
    if any(fields.offsets[exception:]):
        raise Corrupt(structure, position + 8 + exception, f"R-PLANES-1: an offset behind the {exception} ranks")
    return SimpleNamespace(plane_count=fields.plane_count, level_count=fields.level_count, top=top, exception=exception,
                           offsets=fields.offsets, bases=bytes(payload[TABLE.byte_count:]))


def decode_unit(table, stored, n, structure, position):
    """R-PLANES-2: the plain bytes of the n values of a unit."""
    ranks, exceptions_at = read_ranks(table, stored, n, structure, position)
    exceptional = [i for i, rank in enumerate(ranks) if rank == table.exception]
    if len(stored) - exceptions_at != len(exceptional):                 # R-ENC-4, R-PLANES-3
        raise Corrupt(structure, position, f"R-PLANES-3: {len(exceptional)} exceptions, and {len(stored) - exceptions_at} bytes for them")
    exponents = [table.bases[i % len(table.bases)] + table.offsets[rank] & 255 if rank < table.exception else None
                 for i, rank in enumerate(ranks)]
    for i, exponent in zip(exceptional, stored[exceptions_at:]):
        exponents[i] = exponent
    return struct.pack(f"<{n}H", *((f & 1) << 15 | e << 7 | f >> 1 for f, e in zip(stored[:n], exponents)))


def read_ranks(table, stored, n, structure, position):
    """The rank of every value, and where the exceptions begin."""
    levels_at = n + plane_byte_count(n) * table.plane_count
    if levels_at > len(stored):
        raise Corrupt(structure, position, f"R-ENC-4: {len(stored)} bytes, and fractions and planes have {levels_at}")
    ranks = [0] * n
    for k in range(table.plane_count):                                  # bit i of u64 words is bit i of their bytes
        at = n + k * plane_byte_count(n)
        for i in range(n):
            ranks[i] |= bit(stored, at, i) << k
        if any(bit(stored, at, i) for i in range(n, 8 * plane_byte_count(n))):
            raise Corrupt(structure, position, f"R-ENC-4: a bit is set behind the last value of plane {k}")
    taken, highest = 0, [i for i, rank in enumerate(ranks) if rank == table.top]
    for level in range(table.level_count):                              # `highest`: the values with r ≥ Q + level
        if taken + len(highest) > 8 * (len(stored) - levels_at):
            raise Corrupt(structure, position, f"R-PLANES-3: level {level} has more bits than the unit")
        higher = [i for place, i in enumerate(highest, taken) if bit(stored, levels_at, place)]
        for i in higher:
            ranks[i] += 1
        taken, highest = taken + len(highest), higher
    if any(bit(stored, levels_at, place) for place in range(taken, 8 * ceil_div(taken, 8))):
        raise Corrupt(structure, position, "R-ENC-4: a bit is set behind the last level")
    return ranks, levels_at + ceil_div(taken, 8)


def plane_byte_count(n):
    return 8 * ceil_div(n, 64)


def bit(stored, at, number):
    return stored[at + number // 8] >> number % 8 & 1


def parts(table, stored, n):
    """The names and byte counts of the parts of a unit that decodes."""
    _, exceptions_at = read_ranks(table, stored, n, "unit", 0)
    levels_at = n + plane_byte_count(n) * table.plane_count
    return [("fractions", n), *((f"plane {k}", plane_byte_count(n)) for k in range(table.plane_count)),
            ("levels", exceptions_at - levels_at), ("exceptions", len(stored) - exceptions_at)]
