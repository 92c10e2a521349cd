"""The invalid shards about exponent planes (6.4), and about units without a present cell."""

from encode_planes import BALANCED, FAST, KIND, ExponentTable
from invalid_set import READ, SHRINKS, VERIFY, add, c1, constant, of, only, put
from valid_planes import balanced, encoded, fast, floats, number
from valid_set import one, shard
from wire import *  # noqa: F403

N = 70                         # values of a cell: two words a plane, 58 bits of the second behind the last value


def cell(seed):
    """Two exceptions, and under `balanced` a bit in each level."""
    return floats(seed, N - 5) + b"".join(number(1, e, 9) for e in (119, 118, 117, 60, 61))


def shard_of(table, cells=None, column=None, **layout):
    made = of(column or tensor("e", "bf16", (N,)), cells or [cell("a"), cell("b")])
    made.layouts[1] = encoded(table, **layout)
    made.auxiliaries = [Auxiliary(0, 1, table.payload(), KIND)]
    return made


def unit0(change):
    return c1(lambda v, c: change(bytes(v)), unit=0)


def with_bit(data, byte, bit):
    return data[:byte] + bytes([data[byte] | 1 << bit]) + data[byte + 1:]


# --- 6.1: units without a present cell ------------------------------------------------------------------------------

def empty_units():
    def zstd(values=(ABSENT, SHRINKS)):
        return of(tensor("t", "u8", (len(SHRINKS),)), list(values), codec=ZSTD)

    holes = shard_of(fast(), [ABSENT, cell("b")])
    add("unit-empty-present", "corrupt", READ, "UNIT-4 UNIT-5", "a unit of no bytes in a packed page of a tensor, and its cell is present", zstd(), stored=c1(constant(b"")))
    add("unit-empty-present-lz4", "corrupt", READ, "UNIT-4 UNIT-5", "a unit of no bytes in a page without states", of(tensor("t", "u8", (len(SHRINKS),)), [SHRINKS], codec=LZ4), stored=c1(constant(b"")))
    add("unit-empty-present-planes", "corrupt", READ, "UNIT-4 UNIT-5", "a unit of no bytes under fast, and its cell is present", shard_of(fast()), stored=unit0(lambda v: b""))
    add("unit-empty-one-present", "corrupt", READ, "UNIT-4 UNIT-5", "a unit of no bytes, one of whose two cells is present", shard_of(fast(), [ABSENT, cell("b")], rows_per_unit=2), stored=unit0(lambda v: b""))
    add("unit-absent-zeros", "corrupt", VERIFY, "UNIT-5", "a unit of zeros in a packed page of a tensor, and no cell is present", zstd(), stored=unit0(lambda v: bytes(len(SHRINKS))))
    add("unit-absent-compressed", "corrupt", VERIFY, "UNIT-5", "a unit of compressed zeros, and no cell is present", zstd(), stored=unit0(lambda v: compress(ZSTD, bytes(len(SHRINKS)))))
    add("unit-absent-one-byte", "corrupt", VERIFY, "UNIT-5", "a unit of one byte, and its cell is lost", zstd((LOST, SHRINKS)), stored=unit0(lambda v: b"\x00"))
    add("unit-absent-planes", "corrupt", VERIFY, "UNIT-5", "a unit of encoded zeros, and no cell is present", holes, stored=unit0(lambda v: fast((0,)).encode(bytes(2 * N))))
    add("unit-absent-checksum", "checksum", VERIFY, "UNIT-5", "the checksum of a unit of no bytes", zstd(), tables=c1(lambda v, c: v["checksums"].__setitem__(0, 5)))
    add("unit-absent-limit", "limit", READ, "UNIT-5 LIMIT-1", "a unit of no bytes, whose plain bytes would be 2^31", of(tensor("t", "u8", (2**30,)), [ABSENT, ABSENT], codec=ZSTD, rows_per_unit=2))


# --- 6.3: pages -----------------------------------------------------------------------------------------------------

def pages():
    def page(name, code, tags, about, made=None, **values):
        add("planes-" + name, code, READ, tags, about, made or shard_of(fast()), page_fields=c1(put(**values)))

    page("zstd", "corrupt", "ENC-3", "fast with codec zstd", codec=ZSTD)
    page("lz4", "corrupt", "ENC-3", "balanced with codec lz4", shard_of(balanced()), codec=LZ4)
    page("codec-unknown", "unsupported", "ENC-3 CODEC-3", "fast with codec 3", codec=3)
    page("not-packed", "corrupt", "PAGE-6", "a page of fast that is not packed", flags=0)
    page("auxiliary-none", "corrupt", "ENC-3", "fast without an auxiliary page", auxiliary=0)
    page("auxiliary-none-balanced", "corrupt", "ENC-3", "balanced without an auxiliary page", shard_of(balanced()), auxiliary=0)
    page("auxiliary-missing", "corrupt", "AUX-1", "an auxiliary page that is not there", auxiliary=2)
    page("prologue-plain-sizes", "corrupt", "PAGE-2", "a prologue with room for plain sizes, which a tensor does not have", prologue_byte_count=24)
    for kind in (1, 3):
        made = shard_of(fast())
        made.auxiliaries[0].kind = kind
        page("auxiliary-kind-%d" % kind, "corrupt", "AUX-5 ENC-3", "an auxiliary page of kind %d, whose payload is an exponent table" % kind, made)
    made = shard_of(fast())
    made.auxiliaries[0].column = 0
    page("auxiliary-other-column", "corrupt", "AUX-5", "the table of another column", made)
    made = shard_of(fast())
    made.rows_per_group, made.auxiliaries[0].group = 1, 1
    page("auxiliary-too-late", "corrupt", "AUX-5", "a page of the first group refers to a table of the second", made)
    made = shard_of(fast())
    made.layouts[1] = Layout(codec=ZSTD, auxiliary=1)
    page("table-for-zstd", "corrupt", "AUX-5", "encoding plain and codec zstd with an exponent table", made)
    for name, column in (("f16", tensor("e", "f16", (N,))), ("u16", tensor("e", "u16", (N,))), ("f32", tensor("e", "f32", (N // 2,)))):
        page("type-" + name, "corrupt", "ENC-3", "fast in a column of %s" % name, shard_of(fast(), column=column))
    page("type-ragged", "corrupt", "ENC-3", "balanced in a column of ragged bf16", shard_of(balanced(), column=ragged("e", "bf16")))
    page("type-binary", "corrupt", "ENC-3", "fast in a column of binary cells", shard_of(fast(), column=Column("e", 0, BINARY)))
    page("encoding-swapped", "corrupt", "PLANES-1", "a page of fast says balanced", encoding=BALANCED)


# --- 5.4 and 6.4: tables --------------------------------------------------------------------------------------------

def tables():
    def table(name, about, payload, code="corrupt", tags="PLANES-1 ENC-5", stage=READ, made=None):
        made = made or shard_of(fast())
        made.auxiliaries = [Auxiliary(0, 1, payload, KIND)]
        add("planes-table-" + name, code, stage, tags, about, made)

    def changed(of_table, at, value):
        payload = of_table.payload()
        return payload[:at] + value + payload[at + len(value):]

    good, other = fast().payload(), balanced().payload()
    many, too_many = fast([122] * N), fast([122] * (N + 1)).payload()
    table("empty", "a table of no bytes", b"")
    table("23-bytes", "a table of 23 bytes", good[:23])
    table("no-base", "a table without its base", good[:24])
    table("long", "a byte behind a table", good + b"\x00")
    table("base-missing", "a table with a base less than base_count", many.payload()[:-1], made=shard_of(many))
    table("base-more", "a table with a base more than base_count", too_many[:4] + u32(N) + too_many[8:], made=shard_of(many))
    table("planes-2", "plane_count 2 for fast", changed(fast(), 0, b"\x02"))
    table("planes-4", "plane_count 4 for fast", changed(fast(), 0, b"\x04"))
    table("planes-0", "plane_count 0 for fast", changed(fast(), 0, b"\x00"))
    table("planes-3-balanced", "plane_count 3 for balanced", changed(balanced(), 0, b"\x03"), made=shard_of(balanced()))
    table("of-balanced", "the table of balanced for fast", other)
    table("of-fast", "the table of fast for balanced", good, made=shard_of(balanced()))
    table("levels-1-fast", "level_count 1 for fast", changed(fast(), 1, b"\x01"))
    table("levels-13", "level_count 13", changed(balanced(12), 1, b"\x0d"), made=shard_of(balanced(12)))
    table("levels-255", "level_count 255", changed(balanced(12), 1, b"\xff"), made=shard_of(balanced(12)))
    for name, value in (("low", b"\x01\x00"), ("high", b"\x00\x80")):
        table("reserved-" + name, "the reserved field, its %s byte" % name, changed(fast(), 2, value), "unsupported", "HEAD-4 ENC-5")
    for count in (0, 2, N - 1, N + 1):
        table("bases-%d" % count, "base_count %d for cells of %d elements, and as many bases" % (count, N), fast([122] * count).payload())
    table("bases-huge", "base_count 2^32 - 1", changed(fast(), 4, u32(2**32 - 1)))
    for at in (7, 15):
        table("offset-%d" % at, "offset %d, behind the ranks of fast" % at, changed(fast(), 8 + at, b"\x01"))
    table("offset-9-balanced", "offset 9, behind the ranks of six levels", changed(balanced(), 8 + 9, b"\xff"), made=shard_of(balanced()))
    table("offset-15-balanced", "offset 15, behind the ranks of twelve levels", changed(balanced(12), 8 + 15, b"\xff"), made=shard_of(balanced(12)))
    plain_units = shard_of(fast())
    plain_units.layouts[1].encode = None
    table("unused", "a table whose plane_count is wrong, for a page whose units are all plain", changed(fast(), 0, b"\x02"), stage=VERIFY, made=plain_units)
    hurt = lambda b, c: with_bit(b, 64 + 20, 0)      # noqa: E731
    add("planes-table-damaged", "checksum", READ, "AUX-2 ENC-5", "a bit of both copies of a table", shard_of(fast()), aux_block=hurt)
    add("planes-table-first-damaged", "checksum", VERIFY, "AUX-2", "a bit of the first copy of a table; readers use the second", shard_of(fast()), aux_block=only(hurt, copy=0))


# --- 6.4: units -----------------------------------------------------------------------------------------------------

def units():
    for name, table in (("fast", fast()), ("balanced", balanced(7))):
        _units_of_both(name, table)
    _exceptions()
    _levels()
    twice = ExponentTable(FAST, [0] * 7, [0])
    full = b"".join(number(0, 200 if i < 22 else 0, i) for i in range(N))
    assert len(twice.encode(full)) == 2 * N
    add("planes-unit-of-plain-size", "corrupt", VERIFY, "UNIT-2", "an encoded unit of as many bytes as its plain ones: it is taken as plain bytes, which are others",
        shard_of(twice, [full]), stored=unit0(lambda v: twice.encode(full)))
    full = b"".join(number(0, 200 if i < 23 else 0, i) for i in range(N))
    add("planes-unit-larger", "corrupt", READ, "UNIT-4", "an encoded unit of a byte more than its plain ones", shard_of(twice, [full]), stored=unit0(lambda v: twice.encode(full)))
    holes = shard_of(fast(), [ABSENT, cell("b")], rows_per_unit=2)
    add("planes-absent-slot", "corrupt", VERIFY, "PAGE-8", "the slot of an absent cell is not zero in an encoded unit", holes,
        plain=c1(lambda v, c: number(0, 122, 1) + v[2:], unit=0))
    add("planes-unit-damaged", "checksum", READ, "VAL-3", "the checksum of an encoded unit", shard_of(fast()), tables=c1(lambda v, c: v["checksums"].__setitem__(1, 5)))


def _units_of_both(name, table):
    """`cell` ends with exceptions, so that what is cut or added stands where exceptions are."""
    planes = 3 if name == "fast" else 2

    def unit(what, about, change, tags="ENC-4"):
        add("%s-unit-%s" % (name, what), "corrupt", READ, tags, about, shard_of(table), stored=unit0(change))

    unit("minus-1", "a unit without its last byte, which is an exception", lambda v: v[:-1], "PLANES-3 ENC-4")
    unit("plus-1", "a byte behind the last exception", lambda v: v + b"\x00")
    unit("one-byte", "a unit of one byte", lambda v: v[:1])
    unit("two-bytes", "a unit of two bytes", lambda v: v[:2])
    unit("fractions", "a unit of nothing but fractions", lambda v: v[:N])
    unit("fractions-minus-1", "a unit that ends inside of its fractions", lambda v: v[:N - 1])
    unit("planes-minus-1", "a unit without the last byte of its last plane", lambda v: v[:N + 16 * planes - 1])
    unit("planes-minus-8", "a unit without the last word of its last plane", lambda v: v[:N + 16 * planes - 8])
    for k in range(planes):
        unit("padding-first-%d" % k, "the first bit behind the last value of plane %d" % k, lambda v: with_bit(v, N + 16 * k + N // 8, N % 8))
        unit("padding-last-%d" % k, "the last bit of plane %d" % k, lambda v: with_bit(v, N + 16 * k + 15, 7))


def _exceptions():
    """Where the planes say more or fewer exceptions than there are bytes."""
    alone = [floats("no exception", N, [122, 121])]

    def change(bit):
        def hook(v):
            for k in range(3):                  # value 5 of fast: all planes, or none
                byte = v[N + 16 * k] & ~(1 << 5) | bit << 5
                v = v[:N + 16 * k] + bytes([byte]) + v[N + 16 * k + 1:]
            return v
        return unit0(hook)

    assert len(fast().encode(alone[0])) == N + 48
    add("planes-exception-missing", "corrupt", READ, "PLANES-3", "a value is an exception, and there is no byte for it", shard_of(fast(), alone), stored=change(1))
    add("planes-exception-unused", "corrupt", READ, "ENC-4", "an exception more than values that are one", shard_of(fast(), alone), stored=unit0(lambda v: v + b"\x7a"))
    exceptional = [floats("x", 5, [122, 121]) + number(0, 60, 1) + floats("y", N - 6, [122, 121])]
    add("planes-exception-denied", "corrupt", READ, "ENC-4", "a value that was an exception has rank 0, and the byte is still there", shard_of(fast(), exceptional), stored=change(0))


def _levels():
    """With 20 values of a rank of 3 or more in balanced, level 0 has 20 bits, level 1 has 10 and level 2 has 7."""
    low = [120] * 10 + [119] * 3 + [118] * 5 + [117] * 2
    value = floats("levels", N - 20, [122, 121, 123]) + b"".join(number(0, e, i) for i, e in enumerate(low))
    table = balanced(3)                         # ranks 3 to 5 are 120, 119, 118; 117 is an exception
    fractions, planes, levels, rest = table.parts(value)
    assert (len(fractions), len(planes), len(levels), len(rest)) == (N, 32, 5, 2)    # 37 bits, 3 of padding
    front = fractions + planes

    def unit(name, tags, about, data):
        add("balanced-levels-" + name, "corrupt", READ, tags, about, shard_of(table, [value]), stored=c1(constant(data), unit=0))

    unit("missing", "PLANES-3", "no byte of levels, where level 0 has 20 bits", front)
    unit("in-0", "PLANES-3", "a unit that ends inside of level 0", front + levels[:2])
    unit("in-1", "PLANES-3", "a unit that ends inside of level 1", front + levels[:3])
    unit("in-2", "PLANES-3", "a unit that ends inside of level 2", front + levels[:4])
    unit("no-exceptions", "PLANES-3", "a unit that ends behind its levels, and has exceptions", front + levels)
    unit("all-set", "PLANES-3", "every bit of every level is set, so that level 2 reaches behind the unit", front + b"\xff" * 5 + rest)
    for name, bit in (("first", 5), ("last", 7)):
        unit("padding-" + name, "ENC-4", "the %s bit behind the levels" % name, front + with_bit(levels, 4, bit) + rest)
    unit("byte-more", "ENC-4", "a byte of zeros behind the levels", front + levels + b"\x00" + rest)
