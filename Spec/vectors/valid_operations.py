"""The valid shards with operation tables (6.7)."""

from encode_operations import encode_unit, patterns_table, shape, split_table, table
from encode_tokens import split_cells
from valid_set import noise, one, shard
from wire import *  # noqa: F403

ENCODING, KIND = 5, 5          # the encoding, and the kind of its auxiliary page
SPAN = 1                       # the feature bit of chunks of several variants
MAGNITUDES = [0.0, 0.1, 0.26999998092651367, 0.5, 1.0, 9.0, 30.0]
NAN, INFINITY = bytes.fromhex("010000000000f87f"), bytes.fromhex("000000000000f0ff")


def drawn(seed, operations=2):
    """A record as a data set has them: a crop and some operations."""
    raw = noise(seed, 4 + 2 * operations)
    pairs = [(raw[4 + 2 * i] % 5, MAGNITUDES[raw[5 + 2 * i] % 7]) for i in range(operations)]
    return crop(raw[0] % 64, raw[1], 224 + raw[2] % 32, 256 + raw[3]) + rand_augment(*pairs)


def records(seed, rows, variants=1, make=drawn):
    return [[make("%s %d %d" % (seed, r, v)) for v in range(variants)] for r in range(rows)]


def tabled(payload, auxiliary=1, raw=(), more_code_bits=0, more_bits=0, **cut):
    def encode(plain, where):
        return encode_unit(payload, split_cells(plain, where.rows * where.variants), raw, more_code_bits, more_bits)
    return Layout(encoding=ENCODING, auxiliary=auxiliary, encode=encode, **cut)


def columns_of(rows, parts, variants=1, **more):
    """A shard of columns with a table each: (name, cells, payload, how it is cut and coded)."""
    axes = []
    if variants > 1:
        axes, more["required"] = [Axis("view", 1, variants, 1)], SPAN
    columns = [Column(name, 8, OPERATIONS, axis=0 if axes else None) for name, *_ in parts]
    layouts = {i: tabled(payload, i, **{"span": variants, **cut}) for i, (_, _, payload, cut) in enumerate(parts, 1)}
    return shard(rows, columns, [cells for _, cells, _, _ in parts], axes, layouts=layouts,
                 auxiliaries=[Auxiliary(0, i, payload, KIND) for i, (_, _, payload, _) in enumerate(parts, 1)], **{"rows_per_group": 256, **more})


def part(name, cells, **cut):
    """A column whose table is chosen from its cells."""
    return name, cells, table(*(c for row in cells for c in row if not isinstance(c, int))), cut


# --- the shards -----------------------------------------------------------------------------------------------------

def data_set():
    cells = records("set", 12, 2)
    return columns_of(12, [part("all rows", cells, rows_per_unit=64), part("5 rows", cells, rows_per_unit=5)], 2)


ID = b"row id 7"


def every_kind(i):
    """The operands of item kind 1 to 9, in 12 records each."""
    box, sign = (i, -i - 1, 2**31 - 1 - i, -2**31 + i), i % 2
    return [crop(*box), rand_augment((i % 3, MAGNITUDES[i % 7]), (200, -1.5)), flip(sign), erase(*box), color_jitter([3, sign, 2, 1], [1.0 + i / 8, 0.5, 1.5, -0.1]),
            mixup(0.25 * i, ID[:-1] + bytes([48 + i % 10])), cutmix(0.125 * i, (i, 2, 30 + i, 40), ID), random_crop(i, -i), resize(224 + i)]


def kinds():
    parts = []
    for kind in range(9):
        cells = one([every_kind(i)[kind] for i in range(12)])
        parts.append(part(["crop", "rand_augment", "flip", "erase", "color_jitter", "mixup", "cutmix", "random_crop", "resize"][kind], cells, rows_per_unit=12))
    return columns_of(12, parts)


def together():
    """All kinds in one record, with null items between them."""
    def record(i):
        items = every_kind(i)
        return b"".join(item + null(1 + k) for k, item in enumerate(items[:7])) + items[7] + items[8]
    nulls = b"".join(null(k) for k in range(1, 10))
    return columns_of(6, [part("all kinds", one([record(i) for i in range(6)]), rows_per_unit=6), part("null items", one([nulls] * 6), rows_per_unit=3)])


def raw_cells():
    """Magnitudes and shapes that a table does not have, an empty record, records that are raw though a pattern fits."""
    cells = records("raw", 12)
    odd = [list(row) for row in cells]
    odd[1], odd[4], odd[5], odd[8] = [b""], [rand_augment((3, 0.123))], [crop(1, 2, 3, 4) + rand_augment((0, NAN), (1, INFINITY))], [b"".join(every_kind(3)) * 3]
    payload = table(*(row[0] for row in cells))
    empty = patterns_table([], [])
    return columns_of(12, [("some", odd, payload, dict(rows_per_unit=12)), ("by choice", cells, payload, dict(rows_per_unit=12, raw=[cells[2][0], cells[9][0]])),
                           ("empty records", one([b""] * 11 + [flip(1)]), empty, dict(rows_per_unit=12)),
                           ("all, no patterns", cells, empty, dict(rows_per_unit=4)), ("one empty pattern", one([b""] * 9 + [flip(1)] * 3), patterns_table([], [b""]), dict(rows_per_unit=12))])


def wraps():
    """Fields below their bases, and bases at the ends."""
    base = crop(2**31 - 1, -1, -2**31, 5) + flip(255) + mixup(-0.0, b"\xff\x00\x80")
    cells = one([crop(2**31 - 1 - i, i - 2, -2**31 + i, 5 - i) + flip(i % 2) + mixup(-0.0, bytes([255 - i, i, 128 + i])) for i in range(8)])
    return columns_of(8, [("a", cells, patterns_table([], [base]), dict(rows_per_unit=8))])


def many_patterns():
    """15 patterns, so that codes have 4 bits; as many as make the code of a raw cell 1, 2, 4 and 8; two that are the same."""
    def record(k):
        return b"".join(flip(i >> 1 & 1) for i in range(k)) + resize(100 + k)
    parts = []
    for count in (1, 2, 4, 8, 15):
        cells = one([record(r % (count + 1)) for r in range(32)])
        parts.append(("%d" % count, cells, patterns_table([], [shape(record(k)) for k in range(count)]), dict(rows_per_unit=32)))
    same = [crop(1, 1, 1, 1), crop(1, 1, 1, 1), crop(0, 0, 9, 9)]
    parts.append(("the same", one([crop(r, r + 1, r + 2, 300) for r in range(32)]), patterns_table([], same), dict(rows_per_unit=16)))
    return columns_of(32, parts)


def many_pairs():
    """1,024 pairs, of which the last ones are used; pairs that are the same."""
    pairs = [u8(i % 250) + f64(i / 16) for i in range(1024)]
    cells = one([rand_augment(*((i % 250, i / 16) for i in (1023 - r, r, 512))) for r in range(8)])
    few = [u8(1) + f64(0.5)] * 3 + [u8(2) + f64(NAN)]
    return columns_of(8, [("1,024", cells, patterns_table(pairs, [bytes(shape(cells[0][0]))]), dict(rows_per_unit=8)),
                          ("same", one([rand_augment((1, 0.5), (2, NAN))] * 8), patterns_table(few, [shape(rand_augment((1, 1.0), (2, 1.0)))]), dict(rows_per_unit=8))])


def long_records():
    """Patterns of 127, 128 and 255 bytes, and a raw record of 300."""
    def record(size, i):
        return mixup(0.5, bytes([i % 4] * (size - 10)))
    cells = one([record((127, 128, 255)[r % 3], r) for r in range(12)])
    long_ones = one([random_crop(r, r) * 33 + flip(1) + flip(0) if r == 5 else record(255, r) for r in range(12)])
    return columns_of(12, [part("patterns", cells, rows_per_unit=12), part("raw", long_ones, rows_per_unit=12)])


def widths():
    """Codes and fields with more bits than they need, none for fields that are the same, all 32 for others."""
    cells, wide = records("width", 8), one([crop(-1, 2**31 - 1, r << 24, 0) + flip(r % 2) for r in range(8)])
    most = patterns_table([], [crop(0, 0, 0, 0) + flip(0)])
    payload = table(*(row[0] for row in cells))
    return columns_of(8, [("more code bits", cells, payload, dict(rows_per_unit=8, more_code_bits=3)), ("more bits", cells, payload, dict(rows_per_unit=8, more_bits=2)),
                          ("32 bits", wide, most, dict(rows_per_unit=8)), ("no bits", one([cells[0][0]] * 8), table(cells[0][0]), dict(rows_per_unit=8))])


def missing():
    def cells(pattern):
        return one([{"-": ABSENT, "x": LOST, "e": b""}[p] if p != "v" else drawn("missing %d" % i) for i, p in enumerate(pattern)])
    parts = [part("mixed", cells("v-xve--v"), rows_per_unit=4), part("first", cells("-vvv-vvv"), rows_per_unit=8), part("units without", cells("----vvxx"), rows_per_unit=2)]
    empty_first = cells("v--v-vxv")
    pairs, patterns = split_table(table(*(c[0] for c in empty_first if not isinstance(c[0], int))))
    parts.append(("pattern of no bytes", empty_first, patterns_table(pairs, [b""] + patterns), dict(rows_per_unit=8)))
    return columns_of(8, parts + [("none", one([ABSENT, LOST] * 4), patterns_table([], []), dict(rows_per_unit=8))])


def units():
    """Units that would not shrink are plain beside others."""
    cells = [[drawn("units %d" % r) if r % 4 < 2 else flip(1) if r % 4 == 2 else resize(5)] for r in range(9)]
    payload = table(*(row[0] for row in cells[::4]))
    return columns_of(9, [("1", cells, payload, dict(rows_per_unit=1)), ("2", cells, payload, dict(rows_per_unit=2)),
                          ("plain", one([resize(r) for r in range(9)]), payload, dict(rows_per_unit=2))])


def pages():
    """Encoding, table, codec and units differ between the pages of a chunk."""
    cells = records("pages", 12)
    first, second = table(*(row[0] for row in cells)), table(*(row[0] for row in cells[2:6]))
    a, b = tabled(first).encode, tabled(second).encode
    layout = Layout([2, 1, 3, 2], [2, 1, 3, 1, 2], [NONE, ZSTD, NONE, LZ4, NONE], [1, 0, 2, 0, 1], encoding=[5, 0, 5, 0, 5], encode=[a, None, b, None, a])
    made = shard(12, [Column("a", 8, OPERATIONS)], [cells], rows_per_group=12, layouts={1: layout})
    made.auxiliaries = [Auxiliary(0, 1, first, KIND), Auxiliary(0, 1, second, KIND)]
    return made


def later_tables():
    """A group without a table, one with, one that uses the table of the one before it, and one with another."""
    cells = records("later", 8)
    first, second = table(*(row[0] for row in cells[2:6])), table(*(row[0] for row in cells[6:]))
    made = shard(8, [Column("a", 8, OPERATIONS)], [cells], rows_per_group=2)
    made.layouts = {(1, 1): tabled(first), (2, 1): tabled(first, rows_per_unit=2), (3, 1): tabled(second, auxiliary=2)}
    made.auxiliaries = [Auxiliary(1, 1, first, KIND), Auxiliary(3, 1, second, KIND)]
    return made


def operations(add):
    add("operations-data-set", "records of a crop and two operations, units of 5 and of more rows than there are", data_set(), "OPS-1", "OPS-2", "GROUP-2")
    add("operations-kinds", "a pattern of each item kind", kinds(), "OPS-1", "OPS-2", "TYPE-2")
    add("operations-together", "records of all item kinds, null or not", together(), "OPS-1", "OPS-2", "TYPE-2")
    add("operations-raw", "raw cells, by need and by choice, empty records, tables without patterns", raw_cells(), "OPS-2", "TYPE-1")
    add("operations-wraps", "fields below their bases", wraps(), "OPS-1", "OPS-2")
    add("operations-patterns", "1, 2, 4, 8 and 15 patterns, and such as are alike", many_patterns(), "OPS-1", "OPS-2")
    add("operations-pairs", "1,024 pairs, and such as are alike", many_pairs(), "OPS-1", "OPS-4")
    add("operations-long", "patterns of 127, 128 and 255 bytes, and a longer raw cell", long_records(), "OPS-1", "OPS-2")
    add("operations-widths", "codes and fields with more bits than they need, with none, and with all", widths(), "OPS-2")
    add("operations-missing", "absent and lost cells as raw cells and by a pattern of no bytes, units without a present cell", missing(), "OPS-2", "PAGE-8")
    add("operations-units", "units that would not shrink beside others, and a page of such units only", units(), "UNIT-2", "UNIT-3", "ENC-5")
    add("operations-pages", "encoding, table, codec and units differ between the pages of a chunk", pages(), "ENC-3", "AUX-5", "PAGE-2")
    add("operations-later-tables", "tables in the second and fourth row group; the third uses that of the second", later_tables(), "AUX-1", "AUX-3", "AUX-5")
