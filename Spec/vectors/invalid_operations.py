"""The invalid shards with operation tables (6.7)."""

from types import SimpleNamespace

from encode_operations import join_unit, numbers_of, patterns_table, shape
from encode_tokens import join_bits
from invalid_planes import unit0, with_bit
from invalid_set import READ, VERIFY, add, c1, constant, of, put
from valid_operations import KIND, every_kind, tabled
from wire import *  # noqa: F403

PAIRS = [u8(0) + f64(0.0), u8(6) + f64(0.25), u8(9) + f64(1.0)]
PATTERN = crop(10, 300, 350, 400) + shape(rand_augment((0, 0.0), (0, 0.0))) + flip(0)
NULL = null(2)                 # raw in every unit
TABLE = patterns_table(PAIRS, [PATTERN, shape(mixup(0.0, b"abcd"))])
CELLS = [crop(10 + r, 307 - r, 353, 400) + rand_augment((6, 0.25), (9, 1.0) if r % 2 else (0, 0.0)) + flip(r % 2) for r in range(3)] + [NULL]
CODED = [(0, numbers_of(c, PATTERN, PAIRS)) for c in CELLS[:3]] + [(2, [1])]


def shard_of(cells=CELLS, column=None, payload=TABLE, **cut):
    made = of(column or Column("a", 8, OPERATIONS), list(cells))
    made.layouts[1] = tabled(payload, **{"rows_per_unit": 4, **cut})
    made.auxiliaries = [Auxiliary(0, 1, payload, KIND)]
    return made


def plain_of(column=None, cells=CELLS):
    made = shard_of(cells, column)
    made.layouts[1].encode = None
    return made


# --- 6.3: pages -----------------------------------------------------------------------------------------------------

def pages():
    def page(name, code, tags, about, made=None, **values):
        add("operation-table-" + name, code, READ, tags, about, made or shard_of(), page_fields=c1(put(**values)))

    page("zstd", "corrupt", "ENC-3", "operation_table with codec zstd", codec=ZSTD)
    page("lz4", "corrupt", "ENC-3", "operation_table with codec lz4", codec=LZ4)
    page("codec-unknown", "unsupported", "ENC-3 CODEC-3", "operation_table with codec 3", codec=3)
    page("not-packed", "corrupt", "PAGE-6", "a page of operation_table that is not packed", flags=0)
    page("auxiliary-none", "corrupt", "ENC-3", "operation_table without an auxiliary page", auxiliary=0)
    page("auxiliary-missing", "corrupt", "AUX-1", "an auxiliary page that is not there", auxiliary=2)
    page("prologue-no-sizes", "corrupt", "PAGE-2", "a prologue without room for plain sizes", prologue_byte_count=8)
    page("says-token-ranks", "corrupt", "ENC-3", "a page of operation_table says token_ranks", encoding=4)
    page("says-6", "unsupported", "ENC-1", "a page says encoding 6", encoding=6)
    for kind in (1, 4):
        made = shard_of()
        made.auxiliaries[0].kind = kind
        page("auxiliary-kind-%d" % kind, "corrupt", "AUX-5 ENC-3", "an auxiliary page of kind %d, whose payload is an operation table" % kind, made)
    made = shard_of()
    made.auxiliaries[0].column = 0
    page("auxiliary-other-column", "corrupt", "AUX-5", "the table of another column", made)
    made = shard_of()
    made.rows_per_group, made.auxiliaries[0].group = 2, 1
    page("auxiliary-too-late", "corrupt", "AUX-5", "a page of the first group refers to a table of the second", made)
    for name, column in (("binary", Column("a", 0, BINARY)), ("u8", ragged("a", "u8")), ("u16", ragged("a", "u16"))):
        page("type-" + name, "corrupt", "ENC-3", "operation_table in a column of %s" % name, plain_of(column, [bytes(8)] * 4))


# --- 5.4 and 6.7: tables --------------------------------------------------------------------------------------------

def tables():
    def table(name, about, payload, code="corrupt", tags="OPS-1 ENC-5", stage=READ, made=None):
        made = made or shard_of()
        made.auxiliaries = [Auxiliary(0, 1, payload, KIND)]
        add("operation-table-" + name, code, stage, tags, about, made)

    def pattern(name, about, value, code="corrupt", tags="OPS-1 ENC-5"):
        table("pattern-" + name, about, patterns_table(PAIRS, [PATTERN, value]), code, tags)

    table("empty", "a table of no bytes", b"")
    table("3-bytes", "a table of 3 bytes", TABLE[:3])
    table("in-pairs", "a table that ends inside its pairs", TABLE[:20])
    table("no-patterns", "a table that ends behind its pairs", TABLE[:4 + 27])
    table("pattern-cut", "a table that ends inside its first pattern", TABLE[:50])
    table("pattern-missing", "a table without its last pattern", TABLE[:4 + 27 + 1 + len(PATTERN)])
    table("short", "a table without its last byte", TABLE[:-1])
    table("long", "a byte behind a table", TABLE + b"\x00")
    table("pattern-more", "a pattern more than pattern_count", TABLE + b"\x02" + flip(1))
    table("pattern-count-less", "pattern_count 1, and two patterns", u8(1) + TABLE[1:])
    table("pair-count-more", "a pair_count of one more", TABLE[:2] + u16(4) + TABLE[4:])
    table("pair-count-huge", "pair_count 65,535", TABLE[:2] + u16(65535) + TABLE[4:])
    table("patterns-16", "16 patterns", patterns_table(PAIRS, [flip(0)] * 16))
    table("patterns-255", "255 patterns", patterns_table([], [b""] * 255))
    table("pairs-1025", "1,025 pairs", patterns_table([bytes(9)] * 1025, [PATTERN]))
    table("reserved", "the reserved byte", TABLE[:1] + b"\x01" + TABLE[2:], "unsupported", "HEAD-4 ENC-5")
    names = ["crop", "rand-augment", "flip", "erase", "color-jitter", "mixup", "cutmix", "random-crop", "resize"]
    for name, item in zip(names, every_kind(0)):
        pattern(name + "-cut", "a pattern that ends inside of %s" % name, shape(item)[:-1])
        pattern(name + "-kind", "a pattern that ends behind the kind of %s" % name, item[:1])
    pattern("second-item", "a pattern whose second item ends too early", flip(0) + crop(1, 2, 3, 4)[:-2])
    for at, name in ((2, "operation"), (10, "magnitude")):
        value = bytearray(shape(rand_augment((0, 0.0), (0, 0.0))))
        value[at + 9] = 1
        pattern("pair-" + name, "a pattern with %s of a pair that is not 0" % name, bytes(value))
    for name, value in (("0", b"\x00"), ("10", u8(10) + bytes(8)), ("127", b"\x7f"), ("null-0", b"\x80"), ("null-10", b"\x8a"), ("null-127", b"\xff")):
        pattern("kind-" + name, "a pattern with item kind %s" % name, flip(0) + value, "unsupported", "OPS-1 TYPE-2")
    table("unused", "a table without its last byte, for a page whose units are all plain", TABLE[:-1], stage=VERIFY, made=plain_of())
    hurt = lambda b, c: with_bit(b, 64 + 5, 1)      # noqa: E731
    add("operation-table-damaged", "checksum", READ, "AUX-2 ENC-5", "a bit of both copies of a table", shard_of(), aux_block=hurt)


# --- 6.7: units -----------------------------------------------------------------------------------------------------

def unit_of(coded=CODED, values=NULL, code_bits=2):
    return join_unit(coded, values, code_bits)


def unit(name, tags, about, data, made=None, code="corrupt", **hooks):
    add("operation-unit-" + name, code, READ, tags, about, made or shard_of(), stored=c1(constant(data), unit=0), **hooks)


def size(change):
    def hook(v, c):
        v["sizes"][0] = change if change > 1000 else v["sizes"][0] + change
    return c1(hook)


def units():
    whole = unit_of()
    made = shard_of()
    widths_at, fields_at = 2, 2 + 7 + 1                    # a byte of width, a byte of codes, 7 fields and a byte count
    assert tabled(TABLE).encode(b"\x27\x27\x27\x01" + b"".join(CELLS), SimpleNamespace(rows=4, variants=1)) == whole
    assert sum(whole[widths_at:fields_at - 1]) * 3 + 1 == 34 and len(whole) == fields_at + 5 + 1
    for at, tags in ((1, "2"), (widths_at, "2"), (widths_at + 3, "2"), (fields_at - 1, "2"), (fields_at, "2"), (fields_at + 2, "2"), (fields_at + 4, "2"), (len(whole) - 1, "2")):
        unit("%d-bytes" % at, "OPS-%s" % tags, "a unit of %d of its %d bytes" % (at, len(whole)), whole[:at])
    unit("plus-1", "OPS-5", "a byte behind the last raw byte", whole + b"\x00")
    unit("plus-8", "OPS-5", "eight bytes behind the last raw byte", whole + b"\x82" * 8)
    unit("byte-before-raw", "OPS-5", "a byte of zeros before the raw bytes", whole[:-1] + b"\x00" + whole[-1:])
    for width in (5, 8, 255):
        unit("code-width-%d" % width, "OPS-2", "codes of %d bits" % width, u8(width) + whole[1:])
    unit("code-width-5-codes", "OPS-2", "codes of 5 bits, and all of these", unit_of(code_bits=5))
    unit("code-width-0", "ENC-4", "codes of 0 bits over those of 2", u8(0) + whole[1:])
    for code in (3, 15):
        unit("code-%d" % code, "OPS-3", "code %d, with a table of 2 patterns" % code, unit_of([*CODED[:3], (code, [1])], NULL, 4))
    empty = shard_of([b""] * 23 + [flip(1)], payload=patterns_table([], []), rows_per_unit=24)
    empty.rows_per_group = 24
    unit("code-1-no-patterns", "OPS-3", "code 1, with a table of no patterns", unit_of([(0, [0])] * 23 + [(1, [2])], flip(1), 1), empty)
    three = unit_of(CODED[:3], b"", 2)
    of_three = shard_of(CELLS[:3])
    unit("padding-codes", "OPS-5", "the first bit behind the last code", with_bit(three, 1, 6), of_three)
    unit("padding-codes-last", "OPS-5", "the last bit behind the last code", with_bit(three, 1, 7), of_three)
    unit("padding-fields", "OPS-5", "the first bit behind the last field", with_bit(whole, fields_at + 4, 2))
    unit("padding-fields-last", "OPS-5", "the last bit behind the last field", with_bit(whole, fields_at + 4, 7))
    add("operation-unit-empty", "corrupt", READ, "UNIT-4", "a unit of no bytes", made, stored=unit0(lambda v: b""))
    add("operation-unit-damaged", "checksum", READ, "VAL-3", "the checksum of an encoded unit", made, tables=c1(lambda v, c: v["checksums"].__setitem__(0, 5)))
    raw = unit_of([(2, [len(c)]) for c in CELLS], b"".join(CELLS))
    assert len(raw) > 4 + sum(map(len, CELLS))
    unit("larger", "UNIT-4", "an encoded unit of more bytes than its plain ones", raw)
    _widths()
    _pairs()
    _sizes(whole)


def _widths():
    """A field of each size, with one bit too many; the bits are there."""
    pattern = crop(0, 0, 0, 0) + flip(0) + shape(rand_augment((0, 0.0)))
    cells = [crop(r, 0, 0, 0) + flip(r % 2) + rand_augment((6, 0.25)) for r in range(4)]
    made = shard_of(cells, payload=patterns_table(PAIRS, [pattern]))
    for name, field, bits in (("i32", 0, 33), ("i32-255", 3, 255), ("u8", 4, 9), ("pair", 5, 11), ("pair-64", 5, 64)):
        widths = [2, 0, 0, 0, 1, 2]
        widths[field] = bits
        numbers = join_bits([(n, w) for c in cells for n, w in zip(numbers_of(c, pattern, PAIRS), widths)])
        data = u8(0) + bytes(widths) + numbers
        unit("width-" + name, "OPS-2", "%d bits of a field of %s" % (bits, name.split("-")[0]), data[:100], made)
    for bits in (31, 255):
        data = u8(2) + u8(0x80) + bytes([2, 2, 0, 0, 2, 2, 1, bits]) + bytes(60)
        unit("width-raw-%d" % bits, "OPS-2", "%d bits of the byte count of raw cells" % bits, data)
    nothing = unit_of([*CODED[:3], (2, [2**30 - 1])], NULL)
    unit("raw-2-30", "OPS-2", "a raw cell of 2^30 - 1 bytes, and one is there", nothing)
    unit("raw-2", "OPS-2", "a raw cell of 2 bytes, and one is there", unit_of([*CODED[:3], (2, [2])], NULL), tables=size(1))


def _pairs():
    few = patterns_table(PAIRS[:2], [PATTERN])
    for name, payload, number in (("2", few, 2), ("3", TABLE, 3), ("1023", TABLE, 1023), ("none", patterns_table([], [PATTERN]), 0)):
        numbers = list(CODED[0][1])
        numbers[4] = number
        data = join_unit([(0, numbers)] * 4, b"", 0)
        unit("pair-" + name, "OPS-4", "pair %d, with a table of %d pairs" % (number, int.from_bytes(payload[2:4], "little")), data,
             shard_of([CELLS[0]] * 4, payload=payload))


def _sizes(whole):
    for name, change in (("minus-1", -1), ("plus-1", 1)):
        unit("size-" + name, "OPS-6", "a plain size that is %+d" % change, whole, tables=size(change))
    unit("size-huge", "OPS-6", "a plain size of 1,024 times the unit", whole, tables=size(1024 * len(whole)))
    unit("size-raw-less", "OPS-6", "a raw cell of no bytes, where the plain size has one", unit_of([*CODED[:3], (2, [0])], b""))
    unit("cells-beyond-size", "UNIT-1", "a plain size below the number of cells", b"\x00\x00", shard_of([b""] * 3 + [flip(1)], payload=patterns_table([], [])),
         tables=size(-3))


# --- 6.2: what units decode to --------------------------------------------------------------------------------------

def values():
    """The numbers make values that are none."""
    numbers = list(CODED[0][1])
    numbers[6] = 2
    unit("flip-2", "TYPE-2", "a flip of 0 + 2", unit_of([(0, numbers)] + CODED[1:]))
    unit("raw-kind-10", "TYPE-2", "a raw cell with item kind 10", unit_of(values=b"\x0a"), code="unsupported")
    unit("raw-cut", "TYPE-2", "a raw cell that ends inside an item", unit_of(values=b"\x03"))
    base = patterns_table(PAIRS, [PATTERN[:-1] + b"\x02"])
    made = shard_of([c for c in CELLS[:3]], payload=base)
    unit("flip-base-2", "TYPE-2", "a flip of 2 + 0", join_unit([(0, [*n[:6], 0]) for _, n in CODED[:3]], b"", 0), made)
    unit("absent-raw", "PAGE-8", "a cell that is absent and raw, with a byte", unit_of(), shard_of([*CELLS[:3], ABSENT]), tables=size(1))
    unit("absent-pattern", "PAGE-8", "a cell that is absent and has a pattern", join_unit(CODED[:3] + [CODED[0]], b"", 0), shard_of([*CELLS[:3], ABSENT]), tables=size(39))
