"""The invalid shards about the encoding archive (6.5)."""

import struct

from encode_archive import KIND, ZERO, frequency_bytes, train
from invalid_planes import unit0, with_bit
from invalid_set import READ, VERIFY, add, c1, constant, of, put
from valid_archive import SPAN, archived, gaps, images, views
from valid_set import shard
from wire import *  # noqa: F403

N = 67                         # values of a cell: 42 bytes of raw bits, whose last bit is behind the last value
LANES, HIDDEN = 16, 32
HEADS, STATES, RAW, WORDS = range(4)
NONSENSE = "ARCHIVE-5 ARCHIVE-6 ENC-4"             # what follows is decoded, and ends wrong in one way or another


def model(variants=1, cells=None, lanes=LANES, **more):
    return train(cells or images("invalid", 3, N, variants), lanes, **more)


def shard_of(made_model, cells=None, column=None, **layout):
    """Rows of one view."""
    made = of(column or tensor("e", "bf16", (N,)), [row[0] for row in images("invalid", 3, N)] if cells is None else cells)
    made.layouts[1] = archived(made_model, **layout)
    made.auxiliaries = [Auxiliary(0, 1, made_model.payload(), KIND)]
    return made


def shard_of_views(made_model, cells, **layout):
    made = shard(len(cells), [tensor("e", "bf16", (N,), axis=0)], [cells], [Axis("view", 1, len(cells[0]), 1)], rows_per_group=8, required=SPAN)
    made.layouts[1] = archived(made_model, span=len(cells[0]), **layout)
    made.auxiliaries = [Auxiliary(0, 1, made_model.payload(), KIND)]
    return made


# --- 6.3: pages -----------------------------------------------------------------------------------------------------

def pages():
    def page(name, code, tags, about, made=None, **values):
        add("archive-" + name, code, READ, tags, about, made or shard_of(model()), page_fields=c1(put(**values)))

    page("zstd", "corrupt", "ENC-3", "archive with codec zstd", codec=ZSTD)
    page("lz4", "corrupt", "ENC-3", "archive with codec lz4", codec=LZ4)
    page("codec-unknown", "unsupported", "ENC-3 CODEC-3", "archive with codec 3", codec=3)
    page("not-packed", "corrupt", "PAGE-6", "a page of archive that is not packed", flags=0)
    page("auxiliary-none", "corrupt", "ENC-3", "archive without an auxiliary page", auxiliary=0)
    page("auxiliary-missing", "corrupt", "AUX-1", "an auxiliary page that is not there", auxiliary=2)
    page("prologue-plain-sizes", "corrupt", "PAGE-2", "a prologue with room for plain sizes, which a tensor does not have", prologue_byte_count=36)
    page("says-fast", "corrupt", "AUX-5 ENC-3", "a page of archive says fast", encoding=1)
    page("says-token-ranks", "corrupt", "ENC-3", "a page of archive says token_ranks", encoding=4)
    for kind in (1, 2, 4):
        made = shard_of(model())
        made.auxiliaries[0].kind = kind
        page("auxiliary-kind-%d" % kind, "corrupt", "AUX-5 ENC-3", "an auxiliary page of kind %d, whose payload is a model" % kind, made)
    made = shard_of(model())
    made.auxiliaries[0].column = 0
    page("auxiliary-other-column", "corrupt", "AUX-5", "the model of another column", made)
    made = shard_of(model())
    made.rows_per_group, made.auxiliaries[0].group = 1, 1
    page("auxiliary-too-late", "corrupt", "AUX-5", "a page of the first group refers to a model of the second", made)
    made = shard_of(model())
    made.layouts[1] = Layout(codec=ZSTD, auxiliary=1)
    page("model-for-zstd", "corrupt", "AUX-5", "encoding plain and codec zstd with a model", made)
    for name, column in (("f16", tensor("e", "f16", (N,))), ("u16", tensor("e", "u16", (N,))), ("u8", tensor("e", "u8", (2 * N,)))):
        page("type-" + name, "corrupt", "ENC-3", "archive in a column of %s" % name, shard_of(model(), column=column))
    page("type-ragged", "corrupt", "ENC-3", "archive in a column of ragged bf16", plain_of(ragged("e", "bf16")))
    page("type-binary", "corrupt", "ENC-3", "archive in a column of binary cells", plain_of(Column("e", 0, BINARY)))


def plain_of(column):
    made = shard_of(model(), column=column)
    made.layouts[1].encode = None
    return made


# --- 5.4 and 6.5: models --------------------------------------------------------------------------------------------

def models():
    good = model()
    payload, contexts_at = good.payload(), 8 + 5 * N

    def table(name, about, data, code="corrupt", tags="ARCHIVE-1 ENC-5", stage=READ, made=None):
        made = made or shard_of(good)
        made.auxiliaries = [Auxiliary(0, 1, data, KIND)]
        add("archive-model-" + name, code, stage, tags, about, made)

    def changed(at, value):
        return payload[:at] + value + payload[at + len(value):]

    def context(number, frequencies):
        """The model with other bytes or numbers for a context."""
        parts = [frequency_bytes(c) for c in good.contexts]
        parts[number] = frequencies if isinstance(frequencies, bytes) else frequency_bytes(frequencies)
        return payload[:contexts_at] + b"".join(parts)

    table("empty", "a model of no bytes", b"")
    table("7-bytes", "a model of 7 bytes", payload[:7])
    table("no-scales", "a model that ends inside its scales", payload[:contexts_at - 1])
    table("no-frequencies", "a model without frequencies", payload[:contexts_at])
    table("31-contexts", "a model of 31 contexts", payload[:-len(frequency_bytes(good.contexts[31]))])
    table("short", "a model without its last byte", payload[:-1])
    table("half-number", "a model that ends inside a frequency of two bytes", context(31, b"\x84\x00\x84"))
    table("half-run", "a model that ends inside a run of zeros", context(31, b"\x84\x00\x00"))
    table("long", "a byte behind a model", payload + b"\x00")
    table("33-contexts", "a model of 33 contexts", payload + frequency_bytes(good.contexts[31]))
    for count in (0, 1, 8, 17, 48, 128, 255):
        table("lanes-%d" % count, "lane_count %d" % count, changed(0, u8(count)))
    for at in (1, 2, 3):
        table("reserved-%d" % at, "byte %d, which is reserved" % at, changed(at, u8(1)), "unsupported", "HEAD-4 ENC-5")
    for count in (0, 1, N - 1, N + 1, 2**24 + N, 2**32 - 1):
        table("elements-%d" % count, "element_count %d for cells of %d elements" % (count, N), changed(4, u32(count)))
    smaller = model(cells=images("less", 3, N - 1))
    table("of-fewer", "the model of a column of an element less", smaller.payload())
    for at, value in ((0, -101), (N - 1, 121), (30, -128), (31, 127)):
        table("unit-%d" % value, "unit %d of an element" % value, changed(8 + 2 * N + at, struct.pack("<b", value)))
    for name, at in (("first", 8 + 3 * N), ("later", 8 + 4 * N)):
        table("scale-%s-32" % name, "a scale of 32 in %s_scales" % name, changed(at, u8(32)))
        table("scale-%s-255" % name, "a scale of 255 in %s_scales" % name, changed(at + N - 1, u8(255)))
    _frequencies(good, table, context)
    plain_units = shard_of(good)
    plain_units.layouts[1].encode = None
    table("unused", "a model of 17 lanes, for a page whose units are all plain", changed(0, u8(17)), stage=VERIFY, made=plain_units)
    hurt = lambda b, c: with_bit(b, 64 + contexts_at + 2, 6)      # noqa: E731
    add("archive-model-damaged", "checksum", READ, "AUX-2 ENC-5", "a bit of both copies of a model", shard_of(good), aux_block=hurt)


def _frequencies(good, table, context):
    def sets(name, about, number, tags="ARCHIVE-2 ENC-5", **changes):
        """The frequencies 1,000 of the escape and of symbol 4, 48 of symbol 127, and changes of them."""
        frequencies = [0] * 128
        frequencies[0], frequencies[4], frequencies[127] = 1000, 1000, 48
        for symbol, value in changes.items():
            frequencies[int(symbol[1:])] = value
        table(name, about, context(number, frequencies), tags=tags)

    sets("sum-2047", "frequencies that sum to 2,047", 0, s4=999)
    sets("sum-2049", "frequencies that sum to 2,049, in the last context", 31, s4=1001)
    sets("sum-4096", "frequencies that sum to 4,096", 7, s4=3048)
    sets("sum-0", "no frequencies", 16, s0=0, s4=0, s127=0)
    sets("escape-2048", "an escape of frequency 2,048", 3, s0=2048, s4=0, s127=0)
    sets("symbol-2048", "a symbol of frequency 2,048", 3, s0=0, s4=2048, s127=0)
    sets("largest", "a frequency of 32,767", 9, s4=32767)
    sets("escape-0", "an escape of frequency 0", 20, s0=0, s4=2000)
    for symbol in (1, 2, 3, 64, 65, 66, 67):
        sets("symbol-%d" % symbol, "a frequency of symbol %d, which is none" % symbol, symbol % 32, **{"s4": 999, "s%d" % symbol: 1})
    table("run-past", "zeros past symbol 127", context(5, b"\x87\xff\x00\x02\x01\x00\x7b"), tags="ARCHIVE-1 ENC-5")
    table("run-past-256", "256 zeros", context(5, b"\x87\xff\x00\x02\x01\x00\xff"), tags="ARCHIVE-1 ENC-5")
    table("run-short", "a run of zeros that ends before symbol 127, so that the next context moves", context(5, b"\x87\xff\x00\x02\x01\x00\x79"))


# --- 6.5: units -----------------------------------------------------------------------------------------------------

CELLS = ["vvv", "vzv", "zvv", "vzz", "zzz", "v-v"]


def units():
    cells = gaps(CELLS, "units", N)
    good = model(3, [[c for c in row if c != ABSENT] for row in cells])
    plain = b"".join(bytes(2 * N) if isinstance(c, int) else c for row in cells for c in row)

    def unit(name, tags, about, change, stage=READ, made=None):
        """The unit of all rows, made by a function of the parts."""
        parts = list((made or good).parts(plain, 6, 3))
        change(parts)
        data = b"".join(parts)
        assert len(data) < len(plain)
        add("archive-unit-" + name, "corrupt", stage, tags, about, shard_of_views(good, cells, rows_per_unit=6), stored=c1(constant(data), unit=0))

    def replace(part, change):
        def hook(parts):
            parts[part] = change(parts[part])
        return hook

    def put_at(part, at, data):
        return replace(part, lambda v: v[:at] + data + v[at + len(data):])

    def nothing(parts):
        pass

    _lengths(unit, good, plain)
    _heads(unit, put_at)
    _states(unit, good, put_at, nothing)
    _escapes(cells, plain)
    holes = shard_of_views(good, [[views("a", N)[0], ABSENT, views("b", N)[0]]])
    add("archive-unit-absent-slot", "corrupt", VERIFY, "PAGE-8", "the slot of an absent cell is not zero in an encoded unit", holes,
        plain=c1(lambda v, c: v[:2 * N] + b"\x80\x3f" * N + v[4 * N:]))
    add("archive-unit-damaged", "checksum", READ, "VAL-3", "the checksum of an encoded unit", shard_of(good), tables=c1(lambda v, c: v["checksums"].__setitem__(1, 5)))
    add("archive-unit-empty-present", "corrupt", READ, "UNIT-4 UNIT-5", "a unit of no bytes under archive, and its cell is present", shard_of(good), stored=unit0(lambda v: b""))
    add("archive-unit-absent", "corrupt", VERIFY, "UNIT-5", "a unit of heads, and no cell is present", shard_of(good, [ABSENT, views("b", N)[0]]), stored=unit0(lambda v: b"\x00\xff"))
    noisy = b"".join(good.parts(bytes(range(2 * N)), 1, 1))
    assert len(noisy) > 2 * N
    add("archive-unit-larger", "corrupt", READ, "UNIT-4", "an encoded unit of more bytes than its plain ones", shard_of(good, [bytes(range(2 * N))]), stored=unit0(lambda v: noisy))
    add("archive-unit-other-rows", "corrupt", READ, "ARCHIVE-4 ENC-4", "the unit of 5 of 6 rows", shard_of_views(good, cells, rows_per_unit=6),
        stored=c1(constant(b"".join(good.parts(plain[:30 * N], 5, 3))), unit=0))


def _lengths(unit, good, plain):
    heads, states, raw, words = good.parts(plain, 6, 3)
    coded = sum(c != ZERO for c in heads[1::2])
    assert len(raw) == 42 * coded - HIDDEN and len(words) > 8

    def only(data):
        def hook(parts):
            parts[:] = [data]
        return hook

    whole = b"".join((heads, states, raw, words))
    for name, about, data in (
            ("3-bytes", "a unit of three bytes", whole[:3]), ("heads-minus-1", "a unit that ends inside the heads", heads[:-1]),
            ("heads", "a unit of heads alone, though cells are coded", heads),
            ("states-minus-1", "a unit that ends inside the states", heads + states[:-1]), ("states", "a unit that ends behind the states", heads + states),
            ("raw-minus-1", "a unit that ends inside the raw bits", heads + states + raw[:-1]), ("minus-1", "a unit without its last byte", whole[:-1]), ("plus-1", "a byte behind a unit", whole + b"\x00"),
            ("byte-before-words", "a byte of zeros before the words", heads + states + raw + b"\x00" + words)):
        unit(name, "ARCHIVE-3 ENC-4", about, only(data))
    for name, about, data in (("raw", "a unit without words", heads + states + raw), ("word-missing", "a unit without its last word", whole[:-2]), ("word-more", "a word of zeros behind a unit", whole + bytes(2)),
                              ("words-64-more", "64 words behind a unit", whole + bytes(128))):
        unit(name, "ARCHIVE-6 ENC-4", about, only(data))
    unit("word-first-missing", NONSENSE, "a unit without its first word", only(heads + states + raw + words[2:]))
    zeros = bytes([0, ZERO]) * 18
    unit("zeros-plus-1", "ARCHIVE-3 ENC-4", "heads that code no cell, and a byte", only(zeros + b"\x00"))
    unit("zeros-plus-states", "ARCHIVE-3 ENC-4", "heads that code no cell, and states", only(zeros + u32(1 << 16) * LANES))


def _heads(unit, put_at):
    """Cells are 3 a row: 0 to 2 coded, 3 coded, 4 zeros, 5 coded, 6 zeros, 7 the first coded of its row."""
    for value in (64, 128, 254):
        unit("class-%d" % value, "ARCHIVE-4 ENC-4", "class %d" % value, put_at(HEADS, 1, u8(value)))
    unit("class-last-64", "ARCHIVE-4 ENC-4", "class 64 of the last cell", put_at(HEADS, 2 * 17 + 1, u8(64)))
    unit("weight-first", "ARCHIVE-4 ENC-4", "a weight of the first cell", put_at(HEADS, 0, u8(1)))
    unit("weight-second-row", "ARCHIVE-4 ENC-4", "a weight of the first cell of the second row", put_at(HEADS, 6, u8(56)))
    unit("weight-behind-zeros", "ARCHIVE-4 ENC-4", "a weight of the first coded cell of a row, behind one of zeros", put_at(HEADS, 2 * 7, u8(255)))
    unit("weight-zeros", "ARCHIVE-4 ENC-4", "a weight of a cell of class 255", put_at(HEADS, 2 * 4, u8(56)))
    unit("weight-zeros-first", "ARCHIVE-4 ENC-4", "a weight of class 255, the first cell of its row", put_at(HEADS, 2 * 6, u8(1)))
    unit("class-uncoded", NONSENSE, "class 32 of a cell of zeros, for which there are no bits", put_at(HEADS, 2 * 10, bytes([0, 32])))
    unit("class-denied", NONSENSE, "class 255 of a coded cell", put_at(HEADS, 2 * 17, bytes([0, ZERO])))


def _states(unit, good, put_at, nothing):
    for lane, value in ((0, 0), (5, 1), (LANES - 1, 0xFFFF)):
        unit("state-%d" % value, "ARCHIVE-4 ENC-4", "a state of %d in lane %d" % (value, lane), put_at(STATES, 4 * lane, u32(value)))
    unit("state-other", NONSENSE, "a state that is another, so that what follows is nonsense", put_at(STATES, 8, u32(0xFEDCBA98)))
    for start in (2, 0xFFFF):
        unit("start-%d" % start, "ARCHIVE-6 ENC-4", "states that come back to an upper half of %d" % start, nothing, made=varied(good, start=start))
    unit("padding-raw", "ARCHIVE-3 ENC-4", "the bit behind the last value in the raw bits of each cell", nothing, made=varied(good, raw=1))
    unit("padding-raw-first", "ARCHIVE-3 ENC-4", "the bit behind the last value in the raw bits of the first cell",
         lambda parts: parts.__setitem__(RAW, with_bit(parts[RAW], 41, 7)))
    unit("padding-raw-hidden", "ARCHIVE-3 ENC-4", "the bit behind the last value in the last raw byte, which comes out of the states", nothing,
         made=varied(good, hidden=lambda raw: raw[:-1] + bytes([raw[-1] | 128])))
    _behind_hidden()


def _behind_hidden():
    """With 32 lanes the states have room for 64 bytes, and the raw bits of a cell are 42."""
    cells = gaps(["vvv", "vvv"], "hidden", N)
    good = model(3, cells, lanes=32)
    plain = b"".join(c for row in cells for c in row)
    for name, at in (("first", 42), ("last", 63)):
        def hurt(raw, at=at):
            return raw[:at] + b"\x01" + raw[at + 1:]
        data = b"".join(varied(good, hidden=hurt).parts(plain, 2, 3))
        assert len(data) < len(plain)
        add("archive-unit-behind-hidden-%s" % name, "corrupt", READ, "ARCHIVE-6 ENC-4", "the %s byte of the states behind the raw bits is 1" % name,
            shard_of_views(good, cells, rows_per_unit=2), stored=c1(constant(data), unit=0))


def _escapes(cells, plain):
    """An escape at element 9 of every cell."""
    rows = [[c for c in row if c != ABSENT] for row in cells]
    some = model(3, rows, escapes=lambda i, value: i == 9)
    for word in (2048, 0xFFFF):
        data = b"".join(varied(some, word=word).parts(plain, 6, 3))
        add("archive-unit-escape-%d" % word, "corrupt", READ, "ARCHIVE-5 ENC-4", "an escape of %d" % word,
            shard_of_views(some, cells, rows_per_unit=6), stored=c1(constant(data), unit=0))


def varied(model_of, **wrong):
    return type(model_of)(**{**model_of.__dict__, "wrong": wrong})
