"""The invalid shards whose fault is in the schema or the notes. All of them have no rows."""

from invalid_set import OPEN, add, empty
from valid_set import NAN, VIEW
from wire import *  # noqa: F403


def rich():
    """A schema with one of everything: 1 axis, 2 columns, teacher, captioner, tokenizer, 2 operations, ..."""
    schema = Schema(
        [uid(), tensor("e", "u8", (4,), axis=0), ragged("k", "u16", role=7, axis=0, tokenizer=0)], [Axis("view", 1, 2, 1, "s", 1)],
        [Teacher("T", 1, 1.0, [(1, 0, 4)], bytes(32))], [Captioner("C", 0, "s")], [Tokenizer("K", bytes(32), 9, 8, 7, 6)],
        [Operation(0, "a", [0.0, 1.0]), Operation(1, "b")], [Source("S", "l", "r")], [Provenance("k", "v")],
        Side(0, 0, [(0, 1)]))
    return Shard(schema, [[], [], []])


RECORDS = {"axis": 1, "column": 2, "teacher": 3, "captioner": 4, "tokenizer": 5, "operation": 6, "source": 7, "provenance": 8, "side": 9}


def edit(record, change, nth=0):
    """Changes the fields of the nth record of a kind: a function of the list of (tag, value)."""
    def hook(fields, where):
        found = [f for f in fields if f[0] == RECORDS[record]][nth]
        made = change(found[1])
        if made is not None:
            found[1] = made
    return hook


def field(tag, value):
    return lambda fields: [(t, value if t == tag else v) for t, v in fields]


def without(tag):
    return lambda fields: [(t, v) for t, v in fields if t != tag]


def plus(tag, value):
    return lambda fields: sorted(fields + [(tag, value)], key=lambda f: f[0])


def bad(name, code, tags, about, made, **hooks):
    add("schema-" + name, code, OPEN, tags, about, made, **hooks)


def with_columns(*columns, axes=(), **more):
    return Shard(Schema([uid()] + list(columns), list(axes), **more), [[] for _ in range(1 + len(columns))])


def schema():
    # the columns as a whole
    bad("no-columns", "corrupt", "SCHEMA-1", "no column", empty(), schema=lambda f, c: [])
    bad("no-row-id", "corrupt", "SCHEMA-1", "no column of role row_id", empty(), schema=edit("column", field(2, u8(0))))
    bad("two-row-ids", "corrupt", "SCHEMA-1", "two columns of role row_id", with_columns(tensor("b", "u8", (4,), role=1)))
    bad("row-id-axis", "corrupt", "SCHEMA-1", "a row id with an axis", Shard(Schema([uid(axis=0)], [VIEW]), [[]]))
    for name, column in (("i8", tensor("uid", "i8", (4,), role=1)), ("u16", tensor("uid", "u16", (4,), role=1)), ("ragged", ragged("uid", "u8", role=1)),
                         ("text", Column("uid", 1, UTF8)), ("two-dims", tensor("uid", "u8", (2, 2), role=1)), ("no-dims", tensor("uid", "u8", (), role=1))):
        bad("row-id-" + name, "corrupt", "SCHEMA-1", "a row id of another type: " + name, Shard(Schema([column]), [[]]))
    bad("column-name-twice", "corrupt", "SCHEMA-2", "two columns of one name", with_columns(Column("a", 0, UTF8), Column("a", 0, BINARY)))
    bad("axis-name-twice", "corrupt", "SCHEMA-2", "two axes of one name", with_columns(axes=[VIEW, VIEW]))
    for name, value, code in (("empty", "", "corrupt"), ("long", "n" * 256, "limit"), ("control", "a\nb", "corrupt"), ("zero", "a\0", "corrupt"),
                              ("delete", "a\x7f", "corrupt"), ("utf8", b"a\xff", "corrupt")):
        tags = {"long": "SCHEMA-2 LIMIT-1", "utf8": "NOTE-5"}.get(name, "SCHEMA-2")
        bad("column-name-" + name, code, tags, "the name of a column: " + name, with_columns(Column(value, 0, UTF8)))
        bad("axis-name-" + name, code, tags, "the name of an axis: " + name, with_columns(axes=[Axis(value)]))
    # references
    bad("column-axis", "corrupt", "SCHEMA-3", "a column of an axis that is not there", with_columns(Column("a", 0, UTF8, axis=1), axes=[VIEW]))
    bad("column-tokenizer", "corrupt", "SCHEMA-3", "a column of a tokenizer that is not there", with_columns(ragged("a", "u16", role=7, tokenizer=0)))
    bad("captioner-axis", "corrupt", "SCHEMA-3", "a captioner of an axis that is not there", rich(), schema=edit("captioner", field(2, u16(1))))
    bad("slice-column", "corrupt", "SCHEMA-3", "a teacher's slice of a column that is not there", rich(), schema=edit("teacher", field(4, struct.pack("<HII", 3, 0, 1))))
    for name, values in (("plus-1", (1, 1, 4)), ("outside", (1, 4, 1)), ("wraps", (1, 2**32 - 1, 2))):
        bad("slice-" + name, "corrupt", "SCHEMA-7", "a teacher's slice reaches out of its cell: " + name, rich(), schema=edit("teacher", field(4, struct.pack("<HII", *values))))
    for name, values in (("empty", (1, 0, 0)), ("ragged", (2, 0, 1))):
        bad("slice-" + name, "corrupt", "SCHEMA-7", "a teacher's slice that is empty, or of a column that is no tensor: " + name, rich(), schema=edit("teacher", field(4, struct.pack("<HII", *values))))
    bad("defining-column", "corrupt", "SCHEMA-3", "a defining column that is not there", rich(), schema=edit("axis", field(6, u16(3))))
    bad("defining-column-axis", "corrupt", "SCHEMA-5", "a defining column that does not have this axis", rich(), schema=edit("axis", field(6, u16(0))))
    bad("side-axis", "corrupt", "SCHEMA-3", "a side record with an axis that is not there", rich(), schema=edit("side", field(3, u16(1) + u128(1))))
    for name, number in (("p", P), ("largest", 2**128 - 1)):
        bad("side-digest-" + name, "corrupt", "DIGEST-1", "the row-set digest of a side record is 2^127 - 1 or more: " + name, rich(), schema=edit("side", field(1, u128(number))))
    bad("side-axis-digest-p", "corrupt", "DIGEST-1", "an axis digest of a side record is 2^127 - 1", rich(), schema=edit("side", field(3, u16(0) + u128(P))))
    # types
    for n in (0, 7, 255):
        bad("type-%d" % n, "unsupported", "CONF-1", "type %d" % n, with_columns(Column("a", 0, UTF8)), schema=edit("column", field(3, u8(n)), 1))
    for n in (0, 13):
        bad("element-%d" % n, "unsupported", "CONF-1", "element %d" % n, with_columns(ragged("a", "u8")), schema=edit("column", field(4, u8(n)), 1))
    bad("tensor-no-element", "corrupt", "NOTE-4", "a tensor without element", rich(), schema=edit("column", without(4), 1))
    bad("tensor-no-dims", "corrupt", "NOTE-4", "a tensor without dims", rich(), schema=edit("column", without(5), 1))
    bad("ragged-no-element", "corrupt", "NOTE-4", "a ragged column without element", rich(), schema=edit("column", without(4), 2))
    bad("ragged-dims", "corrupt", "NOTE-4", "a ragged column with dims", rich(), schema=edit("column", plus(5, u32(1)), 2))
    bad("text-element", "corrupt", "NOTE-4", "a text column with element", with_columns(Column("a", 0, UTF8, element=1)))
    bad("text-dims", "corrupt", "NOTE-4", "a text column with dims", with_columns(Column("a", 0, UTF8, dims=())))
    bad("dims-zero", "corrupt", "NOTE-4", "a dimension of 0", with_columns(tensor("a", "u8", (3, 0))))
    bad("dims-9", "limit", "LIMIT-1", "nine dimensions", with_columns(tensor("a", "u8", (1,) * 9)))
    bad("dims-5-bytes", "corrupt", "NOTE-4", "dims of five bytes", rich(), schema=edit("column", field(5, bytes([1, 0, 0, 0, 0])), 1))
    bad("cell-limit", "limit", "LIMIT-1", "a cell of 2^30 + 1 bytes", with_columns(tensor("a", "u8", (2**30 + 1,))))
    bad("cell-limit-element", "limit", "LIMIT-1", "a cell of 2^30 + 2 bytes by its element", with_columns(tensor("a", "u16", (2**29 + 1,))))
    bad("cell-limit-wraps", "limit", "LIMIT-1", "dims whose product is 0 in 64 bits", with_columns(tensor("a", "u8", (2**16,) * 4)))
    # axes
    bad("axis-count-0", "corrupt", "NOTE-4", "an axis of no variants", with_columns(axes=[Axis("a", 1, 0)]))
    bad("axis-count-limit", "limit", "LIMIT-1", "an axis of 4,097 variants", with_columns(axes=[Axis("a", 1, 4097)]))
    bad("axis-exchangeable", "corrupt", "NOTE-4", "exchangeable 3", with_columns(axes=[Axis("a", 1, 1, 3)]))
    bad("teacher-normalised", "corrupt", "NOTE-4", "normalised 3", rich(), schema=edit("teacher", field(2, u8(3))))
    bad("axes-limit", "limit", "LIMIT-1", "65 axes", with_columns(axes=[Axis("%d" % i) for i in range(65)]))
    bad("columns-limit", "limit", "LIMIT-1", "1,025 columns", with_columns(*[Column("%d" % i, 0, UTF8) for i in range(1024)]))
    # operations
    bad("operation-twice", "corrupt", "SCHEMA-8", "an operation number twice", rich(), schema=edit("operation", field(1, u8(0)), 1))
    bad("operation-order", "corrupt", "SCHEMA-8", "operation numbers that descend", rich(), schema=edit("operation", field(1, u8(5)), 0))
    bad("magnitudes-order", "corrupt", "SCHEMA-9", "magnitudes that descend", rich(), schema=edit("operation", lambda f: [f[0], f[1], f[3], f[2]]))
    bad("magnitudes-twice", "corrupt", "SCHEMA-9", "a magnitude twice", rich(), schema=edit("operation", lambda f: [f[0], f[1], f[2], f[2]]))
    for name, numbers in (("zeros", (-0.0, 0.0)), ("nan-alone", (NAN,)), ("nan-last", (0.0, NAN)), ("nan-first", (NAN, 0.0))):
        bad("magnitudes-" + name, "corrupt", "SCHEMA-9", "magnitudes that are not each less than the next: " + name, rich(),
            schema=edit("operation", lambda f: f[:2] + [(3, f64(x)) for x in numbers]))
    # records
    required = {"axis": (1, 2, 3, 4), "column": (1, 2, 3), "teacher": (1, 2), "captioner": (1, 2), "tokenizer": (1, 2, 3, 4, 5, 6), "operation": (1, 2),
                "source": (1, 2), "provenance": (1, 2), "side": (1, 2)}
    for name, tags in required.items():
        for tag in tags:
            bad("%s-without-%d" % (name, tag), "corrupt", "NOTE-4", "a record of %s without field %d" % (name, tag), rich(), schema=edit(name, without(tag)))
        bad(name + "-tag-unknown", "unsupported", "NOTE-3", "tag 0x7FFF in a record of " + name, rich(), schema=edit(name, plus(0x7FFF, b"")))
        bad(name + "-tag-order", "corrupt", "NOTE-2", "tags that decrease in a record of " + name, rich(), schema=edit(name, lambda f: [f[1], f[0]] + f[2:]))
        bad(name + "-tag-twice", "corrupt", "NOTE-2", "field 1 twice in a record of " + name, rich(), schema=edit(name, lambda f: [f[0]] + f))
    for name, tag, size in (("axis", 2, 2), ("axis", 3, 1), ("axis", 6, 4), ("column", 2, 0), ("column", 3, 2), ("column", 4, 2), ("column", 6, 1), ("teacher", 2, 2),
                            ("teacher", 3, 4), ("teacher", 4, 9), ("teacher", 4, 20), ("teacher", 5, 31), ("captioner", 2, 4), ("tokenizer", 2, 33),
                            ("tokenizer", 3, 2), ("tokenizer", 6, 8), ("operation", 1, 2), ("operation", 3, 4), ("side", 1, 8), ("side", 2, 4), ("side", 3, 17)):
        bad("%s-%d-size-%d" % (name, tag, size), "corrupt", "NOTE-4", "field %d of a record of %s has %d bytes" % (tag, name, size), rich(),
            schema=edit(name, field(tag, bytes(size)), 1 if name == "column" and tag > 3 else 0))
    for name, tag in (("axis", 5), ("teacher", 1), ("captioner", 3), ("tokenizer", 1), ("operation", 2), ("source", 2), ("provenance", 2)):
        bad("%s-%d-utf8" % (name, tag), "corrupt", "NOTE-5", "field %d of a record of %s is no UTF-8" % (tag, name), rich(), schema=edit(name, field(tag, b"\x80")))
    bad("tag-unknown", "unsupported", "NOTE-3", "tag 10 in the schema", empty(), schema=lambda f, c: f + [[10, b""]])
    bad("tag-0", "unsupported", "NOTE-3", "tag 0 in the schema", empty(), schema=lambda f, c: [[0, b""]] + f)
    bad("tag-order", "corrupt", "NOTE-2", "an axis behind the columns", with_columns(axes=[VIEW]), schema=lambda f, c: f[1:] + f[:1])
    bad("tag-unknown-order", "corrupt", "NOTE-2", "unknown optional tags that decrease", empty(), schema=lambda f, c: f + [[0x8001, b""], [0x8000, b""]])
    bad("side-twice", "corrupt", "NOTE-2", "two side records", rich(), schema=lambda f, c: f + f[-1:])
    for name, change in (("field-cut", lambda b, c: b + b"\x00\x80\x00"), ("value-plus-1", lambda b, c: b + b"\x00\x80\x01\x00\x00\x00"),
                         ("value-huge", lambda b, c: b + b"\x00\x80\xff\xff\xff\xff"), ("value-minus-1", lambda b, c: b + b"\x00\x80\x00\x00\x00\x00\x00")):
        bad(name, "corrupt", "NOTE-4", "a field that does not end with the schema: " + name, empty(), schema_bytes=change)
    bad("nested-value-plus-1", "corrupt", "NOTE-4", "a field that reaches out of the record of its column", empty(),
        schema=lambda f, c: [[2, record(f[0][1]) + b"\x00\x80\x01\x00\x00\x00"]])


def notes():
    def bad_note(name, code, tags, about, data):
        add("note-" + name, code, OPEN, tags, about, empty(), notes=lambda old, c: data)

    bad_note("tag-unknown", "unsupported", "NOTE-3", "tag 2 in the notes", record([(2, b"")]))
    bad_note("tag-order", "corrupt", "NOTE-2", "a note behind an unknown tag", record([(0x8000, b""), (1, note("k", "v"))]))
    bad_note("key-size", "corrupt", "NOTE-4", "a note whose key reaches out of it", record([(1, u16(3) + b"kv")]))
    bad_note("short", "corrupt", "NOTE-4", "a note of one byte", record([(1, b"\x00")]))
    bad_note("key-utf8", "corrupt", "NOTE-5", "a key that is no UTF-8", record([(1, note(b"\xff", b"v"))]))
    bad_note("value-utf8", "corrupt", "NOTE-5", "a value that is no UTF-8", record([(1, note(b"k", b"\xff"))]))
    bad_note("field-cut", "corrupt", "NOTE-4", "notes that end inside of a field", record([(1, note("k", "v"))]) + b"\x00\x80\x00")
