"""The invalid shards with token ranks (6.6)."""

import struct
from types import SimpleNamespace

from encode_tokens import ids_table, join_bits, parts
from invalid_planes import unit0, with_bit
from invalid_set import READ, VERIFY, add, c1, constant, of, put
from valid_set import one, shard
from valid_tokens import KIND, pack, ranked, u16s
from wire import *  # noqa: F403

IDS = [300 + 3 * i for i in range(20)]
TABLE = ids_table(IDS)
CELL = u16s(*IDS[:16], IDS[16], 5000, IDS[17], IDS[1])         # 17 of class 0, two of class 1 and one of class 3
CODED = [(0, i) for i in range(16)] + [(1, 0), (3, 5000), (1, 1), (0, 1)]


def shard_of(cells=(CELL, CELL), column=None, payload=TABLE, size=2, **cut):
    made = of(column or ragged("t", "u16"), list(cells))
    made.layouts[1] = ranked(payload, size, **{"rows_per_unit": 2, **cut})
    made.auxiliaries = [Auxiliary(0, 1, payload, KIND)]
    return made


def plain_of(column, cells=(CELL, CELL)):
    made = shard_of(cells, column)
    made.layouts[1].encode = None
    return made


# --- 6.3: pages -----------------------------------------------------------------------------------------------------

def pages():
    def page(name, code, tags, about, made=None, **values):
        add("tokens-" + name, code, READ, tags, about, made or shard_of(), page_fields=c1(put(**values)))

    page("zstd", "corrupt", "ENC-3", "token_ranks with codec zstd", codec=ZSTD)
    page("lz4", "corrupt", "ENC-3", "token_ranks with codec lz4", codec=LZ4)
    page("codec-unknown", "unsupported", "ENC-3 CODEC-3", "token_ranks with codec 3", codec=3)
    page("not-packed", "corrupt", "PAGE-6", "a page of token_ranks that is not packed", flags=0)
    page("auxiliary-none", "corrupt", "ENC-3", "token_ranks without an auxiliary page", auxiliary=0)
    page("auxiliary-missing", "corrupt", "AUX-1", "an auxiliary page that is not there", auxiliary=2)
    page("prologue-no-sizes", "corrupt", "PAGE-2", "a prologue without room for plain sizes", prologue_byte_count=8)
    page("says-archive", "corrupt", "ENC-3", "a page of token_ranks says archive", encoding=3)
    page("says-operation-table", "corrupt", "ENC-3", "a page of token_ranks says operation_table", encoding=5)
    for kind in (1, 2, 5):
        made = shard_of()
        made.auxiliaries[0].kind = kind
        page("auxiliary-kind-%d" % kind, "corrupt", "AUX-5 ENC-3", "an auxiliary page of kind %d, whose payload is a table of ids" % kind, made)
    made = shard_of()
    made.auxiliaries[0].column = 0
    page("auxiliary-other-column", "corrupt", "AUX-5", "the table of another column", made)
    made = shard_of()
    made.rows_per_group, made.auxiliaries[0].group = 1, 1
    page("auxiliary-too-late", "corrupt", "AUX-5", "a page of the first group refers to a table of the second", made)
    for name in ("u8", "i8", "i16", "u32", "i64", "bf16"):
        cell = CELL + bytes(-len(CELL) % 8)
        page("type-" + name, "corrupt", "ENC-3", "token_ranks in a column of ragged %s" % name, plain_of(ragged("t", name), [cell, cell]))
    page("type-tensor", "corrupt", "ENC-3", "token_ranks in a column of a tensor of u16", plain_of(tensor("t", "u16", (20,))))
    page("type-binary", "corrupt", "ENC-3", "token_ranks in a column of binary cells", plain_of(Column("t", 0, BINARY)))


# --- 5.4 and 6.6: tables --------------------------------------------------------------------------------------------

def tables():
    def table(name, about, payload, code="corrupt", tags="TOKENS-1 ENC-5", stage=READ, made=None):
        made = made or shard_of()
        made.auxiliaries = [Auxiliary(0, 1, payload, KIND)]
        add("tokens-table-" + name, code, stage, tags, about, made)

    table("empty", "a table of no bytes", b"")
    table("3-bytes", "a table of 3 bytes", TABLE[:3])
    table("short", "a table without its last byte", TABLE[:-1])
    table("id-missing", "a table with an id less than id_count", TABLE[:-2])
    table("long", "a byte behind a table", TABLE + b"\x00")
    table("id-more", "a table with an id more than id_count", TABLE + u16(9))
    table("count-huge", "id_count 65,535 and 20 ids", u16(65535) + TABLE[2:])
    table("4369", "4,369 ids", ids_table(range(4369)))
    for name, at in (("low", 2), ("high", 3)):
        table("reserved-" + name, "the reserved field, its %s byte" % name, TABLE[:at] + b"\x01" + TABLE[at + 1:], "unsupported", "HEAD-4 ENC-5")
    table("unused", "a table without its last byte, for a page whose units are all plain", TABLE[:-1], stage=VERIFY, made=plain_of(ragged("t", "u16")))
    table("of-no-ids", "a table of no ids, and tokens that have ranks", ids_table([]), tags="TOKENS-3")
    hurt = lambda b, c: with_bit(b, 64 + 20, 0)      # noqa: E731
    add("tokens-table-damaged", "checksum", READ, "AUX-2 ENC-5", "a bit of both copies of a table", shard_of(), aux_block=hurt)


# --- 6.6: units -----------------------------------------------------------------------------------------------------

def unit_of(counts, coded, size=2, width=None, more=()):
    """A unit from classes and numbers; `more` are bits behind the last part."""
    width = max(counts).bit_length() if width is None else width
    bits = [(count, width) for count in counts] + [bit for part in parts(coded, size) for bit in part] + list(more)
    return u8(width) + join_bits(bits)


def units():
    whole = unit_of([20, 20], CODED * 2)

    def unit(name, tags, about, data, made=None, **hooks):
        add("tokens-unit-" + name, "corrupt", READ, tags, about, made or shard_of(), stored=c1(constant(data), unit=0), **hooks)

    assert whole == shard_of().layouts[1].encode(b"\x28\x28" + CELL * 2, SimpleNamespace(rows=2, variants=1))
    assert (2 * 5 + sum(n for part in parts(CODED * 2, 2) for _, n in part)) % 8 == 2          # six bits of padding
    unit("one-byte", "TOKENS-2", "a unit of nothing but its width", whole[:1])
    unit("in-counts", "TOKENS-2", "a unit that ends inside the counts", whole[:2])
    for name, at in (("levels", 4), ("digits-0", 8), ("minus-2", len(whole) - 2), ("minus-1", len(whole) - 1)):
        unit(name, "TOKENS-2", "a unit of %d of its %d bytes" % (at, len(whole)), whole[:at])
    unit("plus-1", "TOKENS-4", "a byte of zeros behind a unit", whole + b"\x00")
    unit("plus-8", "TOKENS-4", "eight bytes behind a unit", whole + b"\x01" * 8)
    for bit in (2, 7):
        unit("padding-%d" % bit, "TOKENS-4", "bit %d of the last byte, which is behind the last part" % bit, with_bit(whole, len(whole) - 1, bit))
    for width in (31, 32, 64, 255):
        unit("width-%d" % width, "TOKENS-2", "counts of %d bits" % width, u8(width) + whole[1:])
    unit("width-4", "ENC-4", "a width of 4 over counts of 5 bits", u8(4) + whole[1:])
    _counts(unit)
    _ranks(unit)
    _missing()
    large = unit_of([20, 20], [(3, t) for t in struct.unpack("<40H", CELL * 2)])
    assert len(large) > 2 + 2 * len(CELL)
    unit("larger", "UNIT-4", "an encoded unit of more bytes than its plain ones", large)
    unit("of-i32", "ENC-4", "a unit with the levels of i32", unit_of([20, 20], CODED * 2, 4))
    cell = pack([70000, -1] + [300] * 18, 4)
    short = unit_of([20, 20], ([(4, 70000), (4, 2**32 - 1)] + [(0, 0)] * 18) * 2, 4)
    of_i32 = shard_of([cell, cell], ragged("t", "i32"), size=4)
    unit("upper-half-missing", "TOKENS-2", "a unit without its last upper half", short[:-2], of_i32)
    unit("upper-half-cut", "TOKENS-2", "a unit without the last byte of its last upper half", short[:-1], of_i32)
    unit("no-level-3", "ENC-4", "a unit of i32 without level 3", unit_of([20, 20], CODED * 2), of_i32)
    add("tokens-unit-empty", "corrupt", READ, "UNIT-4", "a unit of no bytes", shard_of(), stored=unit0(lambda v: b""))
    add("tokens-unit-damaged", "checksum", READ, "VAL-3", "the checksum of an encoded unit", shard_of(), tables=c1(lambda v, c: v["checksums"].__setitem__(0, 5)))
    schema = dict(tokenizers=[Tokenizer("small", bytes(32), 5000, 77, 1, 2)])
    made = shard(2, [ragged("t", "u16", role=7, tokenizer=0)], [one([CELL, CELL])], layouts={1: ranked(TABLE, rows_per_unit=2)}, schema=schema)
    made.auxiliaries = [Auxiliary(0, 1, TABLE, KIND)]
    add("tokens-outside", "corrupt", VERIFY, "TYPE-5", "token 5,000 of a vocabulary of 5,000", made)
    made = shard(2, [ragged("t", "i32", role=7, tokenizer=0)], [one([cell, cell])], layouts={1: ranked(TABLE, 4, rows_per_unit=2)},
                 schema=dict(tokenizers=[Tokenizer("large", bytes(32), 2**32 - 1, 77, 1, 2)]))
    made.auxiliaries = [Auxiliary(0, 1, TABLE, KIND)]
    add("tokens-negative", "corrupt", VERIFY, "TYPE-5", "token -1", made)


def _counts(unit):
    """Plain sizes that are not those of what the unit holds; counts that the unit has no tokens for."""
    whole = unit_of([20, 20], CODED * 2)
    for name, n in (("minus-1", -1), ("plus-1", 1), ("plus-2", 2)):
        unit("size-" + name, "TOKENS-5", "a plain size that is %+d" % n, whole, tables=c1(lambda v, c, n=n: v["sizes"].__setitem__(0, v["sizes"][0] + n)))
    unit("size-huge", "TOKENS-5", "a plain size of 1,024 times the unit", whole, tables=c1(lambda v, c: v["sizes"].__setitem__(0, 1024 * len(whole))))
    unit("token-more", "TOKENS-5", "a token more than the plain size says", unit_of([20, 21], CODED * 2 + [(0, 3)]))
    unit("token-less", "TOKENS-5", "a token less than the plain size says", unit_of([20, 19], (CODED * 2)[:-1]))
    unit("counts-plus-1", "ENC-4", "a count of one more, and no token for it", unit_of([20, 21], CODED * 2))
    unit("counts-2-30", "TOKENS-2", "counts of 2^30 - 1", unit_of([2**30 - 1, 2**30 - 1], CODED * 2, width=30))
    unit("no-tokens", "TOKENS-5", "counts of 0", unit_of([0, 0], [], width=5))
    unit("no-width", "TOKENS-5", "a width of 0, and nothing else", b"\x00", tables=c1(lambda v, c: v["sizes"].__setitem__(0, 100)))
    unit("cells-beyond-size", "UNIT-1", "a plain size below the number of cells", b"\x00", shard_of([CELL] * 4, rows_per_unit=4),
         tables=c1(lambda v, c: v["sizes"].__setitem__(0, 3)))


def _ranks(unit):
    few = ids_table(IDS[:3])
    for name, payload, coded in (("class-0", few, (0, 3)), ("class-0-last", few, (0, 15)), ("class-1", TABLE, (1, 4)), ("class-1-last", TABLE, (1, 255)),
                                 ("class-2", TABLE, (2, 0)), ("class-2-last", ids_table(range(4367)), (2, 4095))):
        made = shard_of([u16s(*[IDS[0]] * 20)] * 2, payload=payload)
        unit("rank-" + name, "TOKENS-3", "%d of class %d, with a table of %d ids" % (coded[1], coded[0], (len(payload) - 4) // 2),
             unit_of([20, 20], [(0, 0)] * 39 + [coded]), made)


def _missing():
    made = shard_of([CELL, ABSENT])
    add("tokens-unit-absent-count", "corrupt", READ, "PAGE-8", "a cell that is absent and has a token", made,
        stored=c1(constant(unit_of([20, 1], CODED + [(0, 0)])), unit=0), tables=c1(lambda v, c: v["sizes"].__setitem__(0, 44)))
