"""The invalid shards: (name, about, tags, code, stage, bytes, compressed). Each is a valid shard with one thing changed.

Here: header, tail, footer, groups, indexes, pages, units. The schema is in invalid_schema.py.
"""

import struct

from valid_set import VIEW, one, rows_digest, shard
from wire import *  # noqa: F403

LIST = []
OPEN, READ, VERIFY = "open", "read", "verify"


def add(name, code, stage, tags, about, made, **hooks):
    LIST.append((name, about, ["R-" + t for t in tags.split()], code, stage, build(made, hooks), made.compressed()))


# --- shards to break ------------------------------------------------------------------------------------------------

def empty():
    return Shard(Schema([uid()]), [[]])


def plain(rows=2, **layout):
    """uid and a tensor of 5 bytes a cell."""
    return shard(rows, [tensor("t", "u8", (5,))], [one([bytes([r + 1] * 5) for r in range(rows)])], layouts={1: Layout(**layout)})


def words(values=(b"one", b"", b"three"), **layout):
    return shard(len(values), [Column("w", 6, UTF8)], [one(list(values))], layouts={1: Layout(**layout)})


def of(column, values, **layout):
    return shard(len(values), [column], [one(list(values))], layouts={1: Layout(**layout)})


def holes(kind="tensor", per_unit=2):
    values = [b"\x01" * 5, ABSENT, b"\x03" * 5]
    column = tensor("t", "u8", (5,)) if kind == "tensor" else Column("w", 6, UTF8)
    return of(column, values, rows_per_unit=per_unit)


def two_groups():
    made = plain(3)
    made.rows_per_group = 2
    return made


def axis_shard(span=1, required=0):
    cells = [[bytes([r, v]) for v in range(2)] for r in range(2)]
    return shard(2, [tensor("t", "u8", (2,), axis=0)], [cells], [VIEW], layouts={1: Layout(span=span)}, required=required)


SHRINKS = b"the same again, the same again, the same again, the same again, the same again"


def squeezed(codec, rows=1):
    return of(Column("b", 0, BINARY), [SHRINKS] * rows, codec=codec)


def squeezed_tensor(codec):
    return of(tensor("t", "u8", (len(SHRINKS),)), [SHRINKS], codec=codec)


def with_dictionary():
    made = squeezed(ZSTD)
    made.layouts[1].auxiliary = 1
    made.auxiliaries = [Auxiliary(0, 1, b"the same again, the same")]
    return made


def shared_dictionary():
    made = shard(1, [Column("a", 0, BINARY), Column("b", 0, BINARY)], [one([SHRINKS]), one([SHRINKS])],
                 layouts={1: Layout(codec=ZSTD, auxiliary=1), 2: Layout(codec=ZSTD, auxiliary=1)})
    made.auxiliaries = [Auxiliary(0, 1, b"the same again, the same")]
    return made


# --- ways to break them ---------------------------------------------------------------------------------------------

def put(**values):
    """Sets fields; a value that is a function is called with the old one."""
    def hook(fields, where):
        for name, v in values.items():
            fields[name] = v(fields.get(name, 0)) if callable(v) else v
    return hook


def more(n):
    return lambda old: (old + n) % 2**64


def only(hook, **wanted):
    def limited(value, where):
        if all(getattr(where, k) == w for k, w in wanted.items()):
            return hook(value, where)
    return limited


def c1(hook, **wanted):
    return only(hook, column=1, **wanted)


def flip(what, offset, nth=0, end=False):
    """One bit of the nth block of a kind, counted from its start or end; checksums stay as they were."""
    def hook(data, where):
        mark = [m for m in where.marks if m.what == what][nth]
        data[(mark.end if end else mark.start) + offset] ^= 1
    return hook


def swap(what, a, b):
    def hook(data, where):
        marks = [m for m in where.marks if m.what == what]
        x, y = marks[a], marks[b]
        assert x.end - x.start == y.end - y.start
        data[x.start:x.end], data[y.start:y.end] = data[y.start:y.end], data[x.start:x.end]
    return hook


def swap_positions(a, b):
    def hook(group, where):
        x, y = group["chunks"][a], group["chunks"][b]
        x["index_position"], y["index_position"] = y["index_position"], x["index_position"]
    return hook


def cut(what, end=True, offset=0):
    def hook(data, where):
        mark = [m for m in where.marks if m.what == what][-1]
        return data[:(mark.end if end else mark.start) + offset]
    return hook


def gap(what, data=bytes(64), **wanted):
    def hook(value, where):
        if where.what == what and all(getattr(where, k) == w for k, w in wanted.items()):
            return data
    return hook


def constant(value):
    return lambda old, where: value


def header_patch(**changes):
    return lambda block, where: patch_header(block, **changes)


# --- header, tail, whole file ---------------------------------------------------------------------------------------

def front():
    add("header-magic", "corrupt", OPEN, "HEAD-2", "the magic of the file header, with its checksum made again", empty(), header=put(magic=b"\x89DRS\n\x1a\n\n"))
    add("header-checksum", "checksum", OPEN, "HEAD-1", "the checksum of the file header", empty(), header=put(header_crc32c=5))
    add("header-damaged", "checksum", OPEN, "HEAD-1", "a bit of rows_per_group in the file header", empty(), file=flip("header", 40))
    add("header-checksum-before-major", "checksum", OPEN, "HEAD-1", "major 2 and a wrong checksum: the checksum comes first", empty(), header=put(major=2, header_crc32c=5))
    e = empty()
    e.major = 2
    add("header-major-2", "unsupported", OPEN, "HEAD-3", "major 2", e)
    e = empty()
    e.major = 0
    add("header-major-0", "unsupported", OPEN, "HEAD-3", "major 0", e)
    for bit in (1, 62, 63):
        add("header-required-feature-%d" % bit, "unsupported", OPEN, "VER-1", "required feature bit %d" % bit, empty(), header=put(required=1 << bit))
    add("header-reserved-first", "unsupported", OPEN, "HEAD-4", "the first reserved byte of the file header", empty(), header=put(reserved=b"\x01" + bytes(11)))
    add("header-reserved-last", "unsupported", OPEN, "HEAD-4", "the last reserved byte of the file header", empty(), header=put(reserved=bytes(11) + b"\x01"))
    add("header-rows-per-group-0", "corrupt", OPEN, "HEAD-5", "rows_per_group 0", empty(), header=put(rows_per_group=0))
    add("header-rows-per-group-limit", "limit", OPEN, "HEAD-5 LIMIT-1", "rows_per_group 2^24 + 1", empty(), header=put(rows_per_group=2**24 + 1))
    add("header-schema-limit", "limit", VERIFY, "LIMIT-1", "schema_byte_count 2^24 + 1 in the file header", empty(), header=put(schema_byte_count=2**24 + 1))
    add("header-schema-outside", "corrupt", VERIFY, "BLOCK-5", "schema_byte_count of the file header reaches behind the end of the file", empty(), header=put(schema_byte_count=2**20))
    add("header-schema-checksum", "checksum", VERIFY, "FOOT-2", "schema_crc32c", empty(), header=put(schema_crc32c=5))
    add("header-schema-damaged", "checksum", VERIFY, "FOOT-2", "a bit of the schema behind the file header", empty(), file=flip("schema", 12))
    add("header-schema-differs", "corrupt", VERIFY, "FOOT-2", "the schema behind the file header names the column otherwise than the footer", empty(), front_schema=lambda v, c: v.replace(b"uid", b"uie"))
    add("header-schema-plus-1", "corrupt", VERIFY, "FOOT-2", "schema_byte_count of the file header one more", empty(), front_schema=lambda v, c: v + b"\x00")
    add("header-schema-minus-1", "corrupt", VERIFY, "FOOT-2", "schema_byte_count of the file header one less", empty(), front_schema=lambda v, c: v[:-1])
    add("header-schema-padding", "corrupt", VERIFY, "FILE-2", "padding behind the schema", empty(), file=flip("schema", -1, end=True))
    add("header-tag", "corrupt", OPEN, "TAIL-2", "the shard tag of the file header alone", empty(), header=put(shard_tag=9))
    add("header-minor", "corrupt", OPEN, "TAIL-2", "the minor version of the file header alone", empty(), header=put(minor=3))
    for n in (0, 1, 8, 63, 64, 127):
        add("truncated-%d" % n, "truncated", OPEN, "FILE-3", "cut to %d bytes" % n, empty(), file=lambda d, c: d[:n])
    add("truncated-128", "truncated", OPEN, "TAIL-1", "cut to 128 bytes", empty(), file=lambda d, c: d[:128])
    for what in ("page", "index", "group", "footer"):
        add("truncated-after-" + what, "truncated", OPEN, "TAIL-1", "cut behind the last block of kind %s" % what, two_groups(), file=cut(what))
        add("truncated-in-" + what, "truncated", OPEN, "TAIL-1", "cut inside of the last block of kind %s" % what, two_groups(), file=cut(what, False, 70))
    for n in (1, 8, 12, 56, 63):
        add("truncated-tail-%d" % n, "truncated", OPEN, "TAIL-1", "without the last %d bytes" % n, empty(), file=lambda d, c: d[:-n])
    add("file-longer", "corrupt", OPEN, "TAIL-2", "a second tail behind the tail", empty(), file=lambda d, c: d + d[-64:])
    add("file-shorter", "truncated", OPEN, "TAIL-2", "64 bytes are missing in the middle", plain(), file=lambda d, c: d[:512] + d[576:])
    add("file-trailing-byte", "truncated", OPEN, "TAIL-1", "a byte behind the tail", empty(), file=lambda d, c: d + b"\n")
    add("file-trailing-zeros", "truncated", OPEN, "TAIL-1", "64 zero bytes behind the tail", empty(), file=lambda d, c: d + bytes(64))
    add("tail-magic", "corrupt", OPEN, "TAIL-1", "the magic of the tail, whose checksum is right", empty(), tail=put(magic=b"DRS-END "))
    add("tail-magic-and-checksum", "truncated", OPEN, "TAIL-1", "the magic and the checksum of the tail", empty(), tail=put(magic=b"DRS-END ", tail_crc32c=5))
    add("tail-checksum", "checksum", OPEN, "TAIL-2", "the checksum of the tail", empty(), tail=put(tail_crc32c=5))
    add("tail-damaged", "checksum", OPEN, "TAIL-2", "a bit of row_count in the tail", empty(), file=flip("tail", 32))
    add("tail-major", "unsupported", OPEN, "TAIL-2", "major 2 in the tail alone", empty(), tail=put(major=2))
    add("tail-minor", "corrupt", OPEN, "TAIL-2", "another minor version in the tail alone", empty(), tail=put(minor=1))
    add("tail-size-plus", "truncated", OPEN, "TAIL-2", "file_byte_count is 64 more", empty(), tail=put(file_byte_count=more(64)))
    add("tail-size-minus", "corrupt", OPEN, "TAIL-2", "file_byte_count is 64 less", empty(), tail=put(file_byte_count=more(-64)))
    for name, change in (("position-plus", dict(footer_position=more(64))), ("position-minus", dict(footer_position=more(-64))),
                         ("position-wraps", dict(footer_position=2**64 - 64)), ("size-plus", dict(footer_byte_count=more(64))),
                         ("size-minus", dict(footer_byte_count=more(-64))), ("size-0", dict(footer_byte_count=0)),
                         ("both", dict(footer_position=more(-64), footer_byte_count=more(64)))):
        add("tail-footer-" + name, "corrupt", OPEN, "TAIL-2", "footer_position or footer_byte_count of the tail: " + name, empty(), tail=put(**change))
    add("tail-footer-checksum", "corrupt", OPEN, "TAIL-2", "footer_crc32c of the tail is not the footer's checksum field", empty(), tail=put(footer_crc32c=5))
    add("tail-tag", "corrupt", OPEN, "TAIL-2", "the shard tag of the tail alone", empty(), tail=put(shard_tag=9))
    add("tail-rows", "corrupt", OPEN, "TAIL-2", "row_count of the tail alone", empty(), tail=put(row_count=1))
    add("tail-reserved", "unsupported", OPEN, "HEAD-4", "a reserved byte of the tail", empty(), tail=put(reserved=bytes(7) + b"\x01"))


# --- footer and groups ----------------------------------------------------------------------------------------------

def footer():
    ff = "footer_fields"
    add("footer-header-checksum", "checksum", OPEN, "BLOCK-3", "the checksum of the footer's block header", empty(), **{ff: put(header_crc32c=5)})
    add("footer-damaged", "checksum", OPEN, "VAL-1", "a bit of the footer's payload", empty(), file=flip("footer", 64 + 30))
    add("footer-magic", "corrupt", OPEN, "BLOCK-3", "the magic of the footer's block header", empty(), **{ff: put(magic=b"DRSb")})
    add("footer-kind", "corrupt", OPEN, "BLOCK-3", "the footer says that it is a group block", empty(), **{ff: put(kind=4)})
    add("footer-kind-unknown", "unsupported", OPEN, "BLOCK-4", "the footer is of kind 9", empty(), **{ff: put(kind=9)})
    add("footer-flag", "unsupported", OPEN, "BLOCK-4", "an unknown flag in the footer's block header", empty(), **{ff: put(flags=4)})
    add("footer-tag", "corrupt", OPEN, "BLOCK-3", "another shard tag in the footer's block header", empty(), **{ff: put(shard_tag=9)})
    add("footer-field-without-meaning", "corrupt", VERIFY, "BLOCK-2", "rows_per_unit in the footer's block header", empty(), **{ff: put(rows_per_unit=1)})
    add("footer-plus-64", "corrupt", OPEN, "TAIL-2", "payload_byte_count of the footer reaches over the tail", empty(), **{ff: put(payload_byte_count=more(64))})
    add("footer-minus-1", "corrupt", OPEN, "FOOT-1", "the footer's payload lacks its last byte", empty(), notes=constant(b""), footer=lambda f, c: f.update(schema=f["schema"][:-1], schema_byte_count=len(f["schema"])))
    add("footer-padding", "corrupt", VERIFY, "FILE-2", "padding behind the footer's payload", empty(), file=flip("footer", -1, end=True))
    add("footer-trailing", "corrupt", OPEN, "FOOT-1", "a byte more in the footer's payload", empty(), footer=put(trailing=b"\x00"))
    add("footer-rows", "corrupt", OPEN, "FOOT-3", "row_count of footer and tail is not that of the groups", plain(), footer=put(row_count=3), tail=put(row_count=3))
    for name, change in (("groups-plus-1", dict(group_count=2)), ("groups-minus-1", dict(group_count=0)), ("groups-huge", dict(group_count=2**32 - 1)),
                         ("auxiliaries-plus-1", dict(auxiliary_count=1)), ("auxiliaries-huge", dict(auxiliary_count=2**32 - 1)),
                         ("notes-plus-1", dict(notes_byte_count=1)), ("notes-huge", dict(notes_byte_count=2**24))):
        add("footer-" + name, "corrupt", OPEN, "FOOT-1", "a count of the footer: " + name, plain(), footer=put(**change))
    for name, n in (("plus", 1), ("minus", -1)):
        add("footer-schema-%s-1" % name, "corrupt", OPEN, "FOOT-1", "schema_byte_count of the footer, off by one", plain(), footer=lambda f, c: f.update(schema_byte_count=len(f["schema"]) + n))
    add("footer-schema-limit", "corrupt", OPEN, "FOOT-1", "schema_byte_count 2^24 + 1 in a footer that is smaller", empty(), footer=put(schema_byte_count=2**24 + 1))
    add("footer-notes-limit", "corrupt", OPEN, "FOOT-1", "notes_byte_count 2^24 + 1 in a footer that is smaller", empty(), footer=put(notes_byte_count=2**24 + 1))
    g = "group"
    add("group-number", "corrupt", OPEN, "VAL-1", "the number of a group, in block and footer", plain(), group=put(group=1))
    add("group-rows-plus-1", "corrupt", OPEN, "FOOT-3", "row_count of a group one more", plain(), group=put(row_count=3))
    add("group-rows-0", "corrupt", OPEN, "GROUP-3", "a group of no rows", plain(), group=put(row_count=0), footer=put(row_count=0), tail=put(row_count=0))
    add("group-first-row", "corrupt", OPEN, "FOOT-3", "first_row of the second group", two_groups(), group=only(put(first_row=1), group=1))
    add("group-short", "corrupt", OPEN, "GROUP-3", "the first of two groups has less than rows_per_group rows", two_groups(), group_rows=lambda v, c: 1 if c.group == 0 else None)
    add("group-long", "corrupt", OPEN, "GROUP-3", "a group has more than rows_per_group rows", two_groups(), group_rows=constant(3))
    add("group-position", "corrupt", VERIFY, "VAL-4", "position of a group is 64 more", plain(), group=put(position=more(64)))
    add("group-position-outside", "corrupt", OPEN, "BLOCK-5", "position of a group is behind the end of the file", plain(), group=put(position=1 << 40))
    for name, n in (("plus-1", 3), ("minus-1", 1), ("huge", 2**32 - 1)):
        add("group-chunks-" + name, "corrupt", OPEN, "FOOT-1", "chunk_count: " + name, plain(), group=put(chunk_count=n))
    add("group-reserved", "unsupported", OPEN, "HEAD-4", "the reserved field of a group", plain(), group=put(reserved=1))
    add("digest-rows", "corrupt", VERIFY, "VAL-4", "the row-set digest of a group", plain(), group=put(row_set_digest=more(1)))
    add("digest-column", "corrupt", VERIFY, "VAL-4", "a column digest of a group", plain(), group=lambda v, c: v["column_digests"].__setitem__(1, 12345))
    add("digest-rows-p", "corrupt", OPEN, "DIGEST-1", "a row-set digest of 2^127 - 1", plain(), group=put(row_set_digest=P))
    add("digest-column-p", "corrupt", OPEN, "DIGEST-1", "a column digest of 2^127 - 1", plain(), group=lambda v, c: v["column_digests"].__setitem__(1, P))
    add("digest-not-reduced", "corrupt", OPEN, "DIGEST-1", "a column digest plus 2^127 - 1", plain(), group=lambda v, c: v["column_digests"].__setitem__(1, v["column_digests"][1] + P))
    add("group-block-differs", "corrupt", VERIFY, "VAL-4", "the group block's payload is not the footer's, though its checksum is right", plain(),
        group_block=lambda b, c: patch_header(b[:64 + 8] + b"\x01" + b[64 + 9:], checksum=crc32c((b[:72] + b"\x01" + b[73:])[64:64 + int.from_bytes(b[52:56], "little")])))
    add("group-block-damaged", "checksum", VERIFY, "VAL-4", "a bit of a group block's payload", plain(), file=flip("group", 64 + 20))
    add("group-block-header-damaged", "checksum", VERIFY, "BLOCK-3", "a bit of a group block's header", plain(), file=flip("group", 36))
    add("group-block-missing", "corrupt", VERIFY, "VAL-4 FILE-1", "there is no group block", plain(), group_block=constant(b""))
    add("group-block-tag", "corrupt", VERIFY, "BLOCK-3", "another shard tag in a group block", plain(), group_fields=put(shard_tag=9))
    add("group-block-rows", "corrupt", VERIFY, "BLOCK-3", "another row_count in a group block's header", plain(), group_fields=put(row_count=1))
    add("group-block-number", "corrupt", VERIFY, "BLOCK-3", "another group in a group block's header", plain(), group_fields=put(group=1))
    add("group-block-field-without-meaning", "corrupt", VERIFY, "BLOCK-2", "first_row in a group block's header", plain(), group_fields=put(first_row=1))
    add("group-block-padding", "corrupt", VERIFY, "FILE-2", "padding of a group block", plain(), file=flip("group", -1, end=True))
    for what, stage, made, where in (("schema", VERIFY, plain(), {}), ("group", VERIFY, plain(), {}), ("footer", OPEN, plain(), {}),
                                     ("page", VERIFY, plain(), dict(column=0)), ("index", VERIFY, plain(), dict(column=0))):
        add("gap-after-" + what, "corrupt", stage, "FILE-1", "64 zero bytes behind a block of kind %s" % what, made, gap=gap(what, **where))
    add("gap-in-chunk", "corrupt", READ, "INDEX-1", "64 zero bytes between two pages of a chunk", plain(2, page_rows=1), gap=gap("page", column=1, page=0))
    stranger = block_header(dict(kind=AUX, shard_tag=1, column=1, encoding=1))
    add("block-unclaimed", "corrupt", VERIFY, "VAL-4", "a whole auxiliary page that the footer does not know", plain(), gap=gap("schema", stranger))
    c = "chunk"
    add("chunk-order", "corrupt", OPEN, "GROUP-1", "the chunk entries in another order", plain(), group=lambda v, w: v["chunks"].reverse())
    add("chunk-missing", "corrupt", OPEN, "GROUP-1", "no chunk for the last column", plain(), group=lambda v, w: v["chunks"].__delitem__(1))
    add("chunk-twice", "corrupt", OPEN, "GROUP-1", "a chunk twice", plain(), group=lambda v, w: v["chunks"].append(v["chunks"][1]))
    add("chunk-column", "corrupt", OPEN, "GROUP-1", "a chunk of a column that is not there", plain(), chunk=c1(put(column=2)))
    add("chunk-variant", "corrupt", OPEN, "GROUP-1", "a chunk of a variant that is not there", plain(), chunk=c1(put(first_variant=1)))
    add("chunk-variants-0", "corrupt", OPEN, "GROUP-1", "a chunk of no variants", axis_shard(), chunk=c1(put(variant_count=0), variant=1))
    add("chunk-variants-overlap", "corrupt", OPEN, "GROUP-1", "a chunk of two variants, of which the next is a chunk too", axis_shard(required=1), chunk=c1(put(variant_count=2), variant=0))
    add("chunk-variants-outside", "corrupt", OPEN, "GROUP-1", "a chunk reaches behind the last variant", axis_shard(required=1), chunk=c1(put(variant_count=2), variant=1))
    add("chunk-spanning-without-feature", "corrupt", OPEN, "GROUP-2", "a chunk of two variants without required feature 0", axis_shard(2))
    add("chunk-flag-unknown", "unsupported", OPEN, "CONF-1", "an unknown flag of a chunk entry", plain(), chunk=c1(put(flags=2)))
    add("chunk-flag-set", "corrupt", VERIFY, "VAL-4", "the entry says that cells are missing, and none is", plain(), chunk=c1(put(flags=1)))
    add("chunk-flag-clear", "corrupt", VERIFY, "VAL-4", "the entry says that no cell is missing, and one is", holes(), chunk=c1(put(flags=0)))
    add("chunk-reserved", "unsupported", OPEN, "HEAD-4", "the reserved byte of a chunk entry", plain(), chunk=c1(put(reserved=1)))
    add("chunk-index-outside", "corrupt", OPEN, "BLOCK-5", "index_position is behind the end of the file", plain(), chunk=c1(put(index_position=1 << 40)))
    add("chunk-index-wraps", "corrupt", OPEN, "BLOCK-5", "index_position plus index_byte_count wraps", plain(), chunk=c1(put(index_position=2**64 - 64)))
    add("chunk-index-shifted", "corrupt", READ, "VAL-2", "index_position is 64 more", plain(), chunk=c1(put(index_position=more(64))))
    for name, n in (("plus", 64), ("minus", -64)):
        add("chunk-index-size-" + name, "corrupt", READ, "VAL-2", "index_byte_count is 64 %s" % name, plain(), chunk=c1(put(index_byte_count=more(n))))
    add("chunk-index-checksum", "corrupt", READ, "VAL-2", "index_crc32c is not the index block's checksum field", plain(), chunk=c1(put(index_crc32c=5)))
    add("chunk-index-shared", "corrupt", READ, "BLOCK-3", "two chunk entries point to one index", axis_shard(),
        group=lambda v, w: v["chunks"][2].update({k: v["chunks"][1][k] for k in ("index_position", "index_crc32c")}))
    add("chunk-stored", "corrupt", VERIFY, "VAL-4", "stored_byte_count one more", plain(), chunk=c1(put(stored_byte_count=more(1))))
    add("chunk-plain", "corrupt", VERIFY, "VAL-4", "plain_byte_count one more", plain(), chunk=c1(put(plain_byte_count=more(1))))
    add("chunk-plain-huge", "corrupt", VERIFY, "UNIT-4 VAL-4", "plain_byte_count 2^63 of two chunks, whose sum is 0 in 64 bits", axis_shard(), chunk=c1(put(plain_byte_count=2**63)))
    add("chunk-plain-expansion", "corrupt", VERIFY, "UNIT-4 VAL-4", "plain_byte_count is more than 1,024 times stored_byte_count", words(), chunk=c1(put(plain_byte_count=lambda old: 1 << 30)))
    add("group-position-earlier", "corrupt", VERIFY, "VAL-4", "position of the second group is that of the first", two_groups(),
        group=only(put(position=192), group=1))
    add("index-blocks-swapped", "corrupt", VERIFY, "GROUP-4", "two chunk indexes in another order than their chunks, and found by their positions", axis_shard(),
        group=swap_positions(0, 1), file=swap("index", 0, 1))
    add("footer-payload-huge", "corrupt", OPEN, "LIMIT-1", "payload_byte_count 2^32 - 1 in the footer's block header, which the tail contradicts", plain(), footer_fields=put(payload_byte_count=2**32 - 1))
    add("index-payload-huge", "corrupt", READ, "LIMIT-1", "payload_byte_count 2^32 - 1 in an index's block header, which the chunk entry contradicts", plain(), index_fields=c1(put(payload_byte_count=2**32 - 1)))
    add("auxiliary-payload-huge", "corrupt", READ, "LIMIT-1", "payload_byte_count 2^32 - 1 in both copies of an auxiliary page, which the footer contradicts", with_dictionary(), aux_fields=put(payload_byte_count=2**32 - 1))
    add("page-auxiliary-column-in-use", "corrupt", READ, "AUX-5", "a page needs the dictionary of the column before it, which has used it", shared_dictionary())
    for name, change in (("ordinal", dict(ordinal=7)), ("rows-per-unit", dict(rows_per_unit=9)), ("first-row", dict(first_row=1))):
        add("page-header-copy-" + name, "corrupt", VERIFY, "INDEX-2", "%s of a page's header is another than in the chunk index" % name.replace("-", "_"), plain(),
            page_block=c1(header_patch(**change)))


# --- indexes --------------------------------------------------------------------------------------------------------

def index():
    f, two = "index_fields", plain(2, page_rows=1)
    add("index-header-checksum", "checksum", READ, "BLOCK-3", "the checksum of an index's block header", plain(), **{f: c1(put(header_crc32c=5))})
    add("index-damaged", "checksum", READ, "VAL-2", "a bit of an index's payload", plain(), file=flip("index", 64 + 20, 1))
    add("index-magic", "corrupt", READ, "BLOCK-3", "the magic of an index", plain(), **{f: c1(put(magic=b"DRSX"))})
    for name, value, code in (("kind", 1, "corrupt"), ("kind", 9, "unsupported"), ("flags", 4, "unsupported"), ("shard_tag", 9, "corrupt"),
                              ("group", 1, "corrupt"), ("column", 0, "corrupt"), ("first_variant", 1, "corrupt"),
                              ("variant_count", 2, "corrupt"), ("row_count", 3, "corrupt")):
        add("index-%s-%d" % (name.replace("_", "-"), value), code, READ, "BLOCK-3 INDEX-3" if code == "corrupt" else "BLOCK-4",
            "%s of an index's block header" % name, plain(), **{f: c1(put(**{name: value}))})
    add("index-field-without-meaning", "corrupt", VERIFY, "BLOCK-2", "rows_per_unit in an index's block header", plain(), **{f: c1(put(rows_per_unit=1))})
    add("index-padding", "corrupt", VERIFY, "FILE-2", "padding of an index", plain(), file=flip("index", -1, 1, end=True))
    add("index-minus-1", "corrupt", READ, "VAL-2", "an index payload that is no multiple of 72: one less", plain(), index_payload=c1(lambda v, c: v[:-1]))
    add("index-plus-1", "corrupt", READ, "VAL-2", "an index payload that is no multiple of 72: one more", plain(), index_payload=c1(lambda v, c: v + b"\x00"))
    add("index-no-pages", "corrupt", READ, "INDEX-1", "an index without entries", plain(), entries=c1(constant([])))
    add("index-page-missing", "corrupt", READ, "INDEX-1", "an index without the last page", two, entries=c1(lambda v, c: v[:-1]))
    add("index-page-twice", "corrupt", READ, "INDEX-1", "an index that has a page twice", two, entries=c1(lambda v, c: v + v[-1:]))
    add("index-pages-swapped", "corrupt", READ, "INDEX-1", "index entries in another order", two, entries=c1(lambda v, c: v[::-1]))
    add("index-position-shifted", "corrupt", READ, "INDEX-1", "the position of the second page is 64 more", two, entries=c1(lambda v, c: [v[0], (v[1][0] + 64, v[1][1])]))
    add("index-position-overlap", "corrupt", READ, "INDEX-1", "both pages at one position", two, entries=c1(lambda v, c: [v[0], (v[0][0], v[1][1])]))
    add("index-position-behind", "corrupt", READ, "VAL-2", "the page is said to stand behind the index", plain(), entries=c1(lambda v, c: [(v[0][0] + 1024, v[0][1])]))
    add("index-position-wraps", "corrupt", READ, "VAL-2", "position 2^64 - 64", plain(), entries=c1(lambda v, c: [(2**64 - 64, v[0][1])]))
    add("index-copy-checksum", "checksum", READ, "BLOCK-3", "a header copy whose own checksum is wrong", plain(), entries=c1(lambda v, c: [(v[0][0], v[0][1][:60] + b"\x01\x02\x03\x04")]))
    add("index-copy-tag", "corrupt", READ, "BLOCK-3", "a header copy with another shard tag", plain(), entries=c1(lambda v, c: [(v[0][0], patch_header(v[0][1], shard_tag=9))]))
    add("page-header-damaged", "checksum", VERIFY, "INDEX-2", "a bit of a page's header, though not of the index's copy", plain(), file=flip("page", 40, 1))
    add("page-header-differs", "corrupt", VERIFY, "INDEX-2", "a page's header says another first_row than the index's copy", plain(), page_block=c1(header_patch(first_row=1)))
    add("page-header-tag", "corrupt", VERIFY, "INDEX-2 BLOCK-3", "a page of another shard, otherwise equal", plain(), page_block=c1(header_patch(shard_tag=9)))
    same = of(tensor("t", "u8", (5,)), [b"same!", b"same!"], page_rows=1)
    add("pages-swapped-equal", "corrupt", VERIFY, "INDEX-2", "two pages are swapped that differ in their headers alone", same, file=swap("page", 1, 2))
    add("pages-swapped", "checksum", READ, "BLOCK-3 VAL-3", "two pages are swapped; by the index's copy of a header the prologue has a wrong checksum", two, file=swap("page", 1, 2))


# --- pages ----------------------------------------------------------------------------------------------------------

def page():
    f = "page_fields"

    def field(name, code, tags, about, made=None, stage=READ, **values):
        add("page-" + name, code, stage, tags, about, made or plain(), **{f: c1(put(**values))})

    field("kind", "corrupt", "BLOCK-3", "a page says that it is an index", kind=3)
    field("kind-unknown", "unsupported", "BLOCK-4", "a page of kind 9", kind=9)
    field("flag-2", "unsupported", "BLOCK-4", "flag bit 2 of a page", flags=4)
    field("flag-7", "unsupported", "BLOCK-4", "flag bit 7 of a page", flags=0x80)
    field("tag", "corrupt", "BLOCK-3", "another shard tag in a page and in its copy", shard_tag=9)
    field("group", "corrupt", "BLOCK-3", "another group in a page and in its copy", group=1)
    field("column", "corrupt", "BLOCK-3", "another column in a page and in its copy", column=0)
    field("variant", "corrupt", "BLOCK-3", "another first_variant in a page and in its copy", first_variant=1)
    field("variants", "corrupt", "BLOCK-3", "another variant_count in a page and in its copy", variant_count=2)
    field("ordinal", "corrupt", "BLOCK-3", "another ordinal in a page and in its copy", ordinal=1)
    field("first-row", "corrupt", "INDEX-1", "first_row 1 in the first page", first_row=1)
    field("rows-plus-1", "corrupt", "INDEX-1", "row_count of a page one more", row_count=3)
    field("rows-minus-1", "corrupt", "INDEX-1", "row_count of a page one less", row_count=1)
    field("rows-0", "corrupt", "PAGE-1", "row_count of a page 0", row_count=0)
    field("rows-per-unit-0", "corrupt", "PAGE-1", "rows_per_unit 0", rows_per_unit=0)
    field("rows-per-unit-2", "corrupt", "PAGE-2", "rows_per_unit that does not fit the prologue", rows_per_unit=2)
    field("field-without-meaning", "corrupt", "BLOCK-2", "copy 1 in a page", stage=VERIFY, copy=1)
    field("auxiliary-without-codec", "corrupt", "CODEC-4", "an auxiliary page for codec none", auxiliary=1)
    field("auxiliary-for-lz4", "corrupt", "CODEC-4", "an auxiliary page for codec lz4", squeezed(LZ4), auxiliary=1)
    field("auxiliary-missing", "corrupt", "AUX-1", "an auxiliary page that is not there", squeezed(ZSTD), auxiliary=1)
    field("not-packed-text", "corrupt", "PAGE-6", "a page of text without packed", words(), flags=0)
    add("page-encoding-last", "unsupported", READ, "ENC-1", "encoding 0x7FFF, the last that is not private", of(ragged("r", "u16", role=7), [b"\x01\x00"], encoding=0x7FFF))
    add("page-encoding-tensor", "unsupported", READ, "ENC-1", "a packed tensor page of encoding 6", of(tensor("t", "bf16", (3,)), [bytes(6)], encoding=6))
    add("page-encoding-unknown", "unsupported", READ, "ENC-1", "encoding 6", words(encoding=6))
    add("page-encoding-zstd", "unsupported", READ, "ENC-1", "encoding 6 and codec zstd", words(encoding=6, codec=ZSTD))
    add("page-encoding-private", "unsupported", READ, "ENC-1", "encoding 0x8000", words(encoding=0x8000))
    for n in (3, 0x80):
        add("page-codec-%d" % n, "unsupported", READ, "CODEC-3", "codec %d" % n, words(codec=n))
    odd = c1(lambda v, c: v + b"\x05")
    add("page-encoding-unknown-shape", "unsupported", READ, "ENC-1", "encoding 6, and a prologue that encoding 0 does not have", words(encoding=6), prologue=odd)
    add("page-codec-3-shape", "unsupported", READ, "CODEC-3 ENC-1", "codec 3, and a prologue that codec 0 does not have", words(codec=3), prologue=odd)
    field("encoding-unknown-not-packed", "unsupported", "ENC-1", "encoding 6, not packed, with an auxiliary page that is not there", encoding=6, auxiliary=9)
    field("payload-limit", "limit", "LIMIT-1", "payload_byte_count 2^31", payload_byte_count=2**31)
    field("prologue-limit", "limit", "LIMIT-1", "prologue_byte_count 2^28 + 1", prologue_byte_count=2**28 + 1)
    field("payload-not-padded", "corrupt", "PAGE-7", "payload_byte_count without the padding of the last unit", payload_byte_count=64 + 5)
    field("payload-minus-64", "corrupt", "PAGE-7", "payload_byte_count 64 less", payload_byte_count=64)
    add("page-prologue-minus-1", "corrupt", READ, "PAGE-2", "a prologue one byte too short", plain(), prologue=c1(lambda v, c: v[:-1]))
    add("page-prologue-plus-1", "corrupt", READ, "PAGE-2", "a prologue one byte too long", plain(), prologue=c1(lambda v, c: v + b"\x00"))
    add("page-payload-plus-64", "corrupt", READ, "PAGE-7", "64 zero bytes more in the payload", plain(), payload=c1(lambda v, c: v + bytes(64)))
    add("page-packed-raw", "corrupt", READ, "PAGE-6", "a raw page that is packed", plain(), packed=c1(constant(True)))
    add("page-not-packed-zstd", "corrupt", READ, "PAGE-6", "a page of a tensor with zstd without packed", squeezed_tensor(ZSTD), packed=c1(constant(False)))
    add("page-prologue-damaged", "checksum", READ, "VAL-3", "a bit of a page's prologue", plain(), file=flip("page", 64, 1))
    add("page-checksum", "checksum", READ, "VAL-3", "the checksum of the prologue, in header and copy", plain(), **{f: c1(put(checksum=5))})
    add("page-prologue-padding", "corrupt", VERIFY, "FILE-2", "padding behind a prologue", plain(), file=flip("page", 127, 1))
    add("page-unit-padding", "corrupt", VERIFY, "FILE-2 PAGE-7", "padding between two units of a raw page", plain(), file=flip("page", 128 + 5, 1))
    add("page-payload-padding", "corrupt", VERIFY, "FILE-2 PAGE-7", "padding behind the last unit of a raw page", plain(), file=flip("page", -1, 1, end=True))
    add("page-packed-padding", "corrupt", VERIFY, "FILE-2", "padding behind the payload of a packed page", words(), file=flip("page", -65, 1, end=True))
    add("page-slack", "corrupt", VERIFY, "FILE-2 BLOCK-1", "slack", words(), file=flip("page", -1, 1, end=True))
    t = "tables"
    add("page-unit-checksum", "checksum", READ, "VAL-3", "the checksum of a unit, in a prologue whose checksum is right", plain(), **{t: c1(lambda v, c: v["checksums"].__setitem__(1, 5))})
    add("page-unit-damaged", "checksum", READ, "VAL-3", "a bit of a cell", plain(), file=flip("page", 128 + 64, 1))
    add("page-unit-damaged-text", "checksum", READ, "VAL-3", "a bit of a text", words(), file=flip("page", 130, 1))
    for name, change in (("decrease", lambda v, c: v["ends"].__setitem__(0, v["ends"][1] + 1)), ("last-plus-1", lambda v, c: v["ends"].__setitem__(-1, v["ends"][-1] + 1)),
                         ("last-minus-1", lambda v, c: v["ends"].__setitem__(-1, v["ends"][-1] - 1)), ("outside", lambda v, c: v["ends"].__setitem__(0, 2**32 - 1))):
        add("page-ends-" + name, "corrupt", READ, "PAGE-3", "ends of units: " + name, words(), **{t: c1(change)})
    add("page-state-3", "corrupt", READ, "PAGE-4", "state 3", holes(), **{t: c1(lambda v, c: v.update(states=bytes([0b001100])))})
    add("page-state-behind", "corrupt", READ, "PAGE-4", "a bit set behind the last state", holes(), **{t: c1(lambda v, c: v.update(states=bytes([0b01000100])))})
    add("page-states-short", "corrupt", READ, "PAGE-2", "a page with missing cells whose prologue has no states", holes(), prologue=c1(lambda v, c: v[:-1]))
    add("page-missing-all-present", "corrupt", READ, "PAGE-5", "a page with states in which every cell is present", plain(), **{t: c1(lambda v, c: v.update(states=b"\x00"))})
    add("page-absent-slot", "corrupt", VERIFY, "PAGE-8", "the slot of an absent cell is not zero", holes(), plain=c1(lambda v, c: v[:5] + b"\x00\x01" + v[7:], unit=0))
    add("page-absent-text", "corrupt", READ, "PAGE-8", "an absent text that is not empty", holes("text"), plain=c1(lambda v, c: b"\x05\x02" + v[2:] + b"hi", unit=0))


# --- units ----------------------------------------------------------------------------------------------------------

def units():
    def unit(name, tags, about, data, code="corrupt", made=None):
        add("unit-" + name, code, READ, tags, about, made or words([b"one"]), plain=c1(constant(data)))

    unit("length-plus-1", "UNIT-1 VAL-3", "a length that reaches behind the unit", b"\x04one")
    unit("length-minus-1", "UNIT-1", "a byte behind the last cell of a unit", b"\x02one")
    unit("length-huge", "UNIT-1 VAL-3", "a length of 2^30", b"\x80\x80\x80\x80\x04one")
    unit("length-largest", "UNIT-1 VAL-3", "lengths whose sum wraps 32 bits", b"\x80\x80\x80\x80\x08\x82\x80\x80\x80\x08", made=words([b"one", b"two"], rows_per_unit=2))
    unit("trailing", "UNIT-1", "a byte more than the cells of a unit", b"\x03one\x00")
    unit("lengths-cut", "UNIT-1", "a unit that ends inside of a length", b"\x83")
    unit("lengths-missing", "UNIT-1", "a unit with one length for two cells", b"\x00", made=words([b"", b""], rows_per_unit=2))
    unit("varint-not-minimal", "NOTE-1", "a varint whose last byte is 0", b"\x83\x00one")
    unit("varint-long", "NOTE-1", "a varint of six bytes", b"\x83\x80\x80\x80\x80\x01one")
    unit("varint-large", "NOTE-1", "a varint of five bytes and a value of 2^32 + 3", b"\x83\x80\x80\x80\x10one")
    unit("empty", "UNIT-1 UNIT-4", "a unit of no bytes", b"")
    unit("element", "VAL-3", "a ragged cell that is no multiple of its element", b"\x03\x01\x02\x03", made=of(ragged("r", "u16"), [b"\x01\x00"]))
    unit("utf8", "NOTE-5", "text with a byte that UTF-8 does not have", b"\x03o\xffe")
    unit("utf8-cut", "NOTE-5", "text that ends inside of a character", b"\x03on\xc3")
    unit("utf8-overlong", "NOTE-5", "an overlong zero", b"\x03o\xc0\x80")
    unit("utf8-surrogate", "NOTE-5", "a surrogate", b"\x03\xed\xa0\x80")
    unit("utf8-too-large", "NOTE-5", "a character above U+10FFFF", b"\x04\xf4\x90\x80\x80")
    n = len(SHRINKS)
    t = "tables"
    for codec, name in ((ZSTD, "zstd"), (LZ4, "lz4")):
        size = len(compress(codec, varint(n) + SHRINKS))
        for what, value, tag in (("plus-1", n + 2, "CODEC-1"), ("minus-1", n, "CODEC-1"), ("small", size - 1, "UNIT-4"), ("0", 0, "UNIT-4"),
                                 ("huge", 2**32 - 1, "UNIT-4"), ("over-1024", 1024 * size + 1, "UNIT-4")):
            add("%s-size-%s" % (name, what), "corrupt", READ, tag, "plain size of a unit of codec %s: %s" % (name, what), squeezed(codec),
                **{t: c1(lambda v, c: v.update(sizes=[value]))})
        add(name + "-damaged", "checksum", READ, "VAL-3", "a bit of a compressed unit", squeezed(codec), file=flip("page", 64 + 64 + 14, 1))
        add(name + "-garbage", "corrupt", READ, "CODEC-1", "a unit that is not of codec " + name, squeezed(codec), stored=c1(constant(b"\xff" * 30)))
        add(name + "-cut", "corrupt", READ, "CODEC-1", "a compressed unit without its last byte", squeezed(codec), stored=c1(lambda v, c: v[:-1]))
        add(name + "-trailing", "corrupt", READ, "CODEC-1", "a byte behind a compressed unit", squeezed(codec), stored=c1(lambda v, c: v + b"\x00"))
        add(name + "-unit-trailing", "corrupt", READ, "UNIT-1", "a compressed unit with a byte more than its cells", squeezed(codec),
            plain=c1(lambda v, c: v + b"\x00"))
        add(name + "-tensor-long", "corrupt", READ, "UNIT-4", "a tensor unit with more stored than plain bytes", squeezed_tensor(codec), stored=c1(constant(SHRINKS + b"\x00")))
        add(name + "-tensor-short", "corrupt", READ, "CODEC-1", "a tensor unit that decompresses to less", squeezed_tensor(codec), stored=c1(constant(compress(codec, SHRINKS[:-1]))))
        add(name + "-tensor-more", "corrupt", READ, "CODEC-1", "a tensor unit that decompresses to more", squeezed_tensor(codec), stored=c1(constant(compress(codec, SHRINKS + b"!"))))
    zeros = of(tensor("t", "u8", (40000,)), [bytes(40000)], codec=ZSTD)
    add("zstd-expansion", "corrupt", READ, "UNIT-4", "a unit that is more than 1,024 times its stored bytes", zeros, stored=c1(constant(compress(ZSTD, bytes(40000)))))

    def frame(change):
        return c1(lambda v, c: change(bytes(v)))
    import zstandard
    bare = zstandard.ZstdCompressor(level=3, write_content_size=False)
    add("zstd-no-content-size", "corrupt", READ, "CODEC-2", "a zstd frame that does not declare its content size", squeezed(ZSTD), stored=c1(lambda v, c: bare.compress(c.plain)))
    for what, d in (("more", 1), ("less", -1)):
        add("zstd-content-size-" + what, "corrupt", READ, "CODEC-2", "a zstd frame that declares one byte %s than the unit has" % what, squeezed(ZSTD), stored=frame(lambda v: v[:5] + bytes([v[5] + d]) + v[6:]))
        add("zstd-both-sizes-" + what, "corrupt", READ, "CODEC-1", "frame and prologue declare one byte %s than the frame's content" % what, squeezed(ZSTD),
            stored=frame(lambda v: v[:5] + bytes([v[5] + d]) + v[6:]), tables=c1(lambda v, c: v.update(sizes=[v["sizes"][0] + d])))
    add("zstd-two-frames", "corrupt", READ, "CODEC-1", "two zstd frames", of(Column("b", 0, BINARY), [SHRINKS * 2], codec=ZSTD),
        stored=c1(lambda v, c: compress(ZSTD, c.plain[:len(SHRINKS)]) + compress(ZSTD, c.plain[len(SHRINKS):])))
    add("zstd-skippable-frame", "corrupt", READ, "CODEC-1", "a skippable frame before the frame", squeezed(ZSTD), stored=frame(lambda v: b"\x50\x2a\x4d\x18\x01\x00\x00\x00x" + v))
    add("zstd-skippable-behind", "corrupt", READ, "CODEC-1", "a skippable frame behind the frame", squeezed(ZSTD), stored=frame(lambda v: v + b"\x50\x2a\x4d\x18\x01\x00\x00\x00x"))
    add("zstd-frame-of-plain-size", "corrupt", READ, "UNIT-2", "a zstd frame in a unit whose stored and plain sizes are equal: it is taken as plain bytes", squeezed(ZSTD),
        tables=c1(lambda v, c: v.update(sizes=[v["ends"][0]])))


def auxiliary():
    d = with_dictionary
    ab = "aux_block"
    hurt = lambda b, c: b[:70] + bytes([b[70] ^ 1]) + b[71:]      # noqa: E731
    add("auxiliary-first-damaged", "checksum", VERIFY, "AUX-2", "the first copy of a dictionary; readers use the second", d(), **{ab: only(hurt, copy=0)})
    add("auxiliary-second-damaged", "checksum", VERIFY, "AUX-2", "the second copy of a dictionary", d(), **{ab: only(hurt, copy=1)})
    add("auxiliary-first-header-damaged", "checksum", VERIFY, "AUX-2", "the block header of the first copy", d(), file=flip("aux", 20))
    add("auxiliary-both-damaged", "checksum", READ, "AUX-2", "both copies of a dictionary", d(), **{ab: hurt})
    add("auxiliary-one-copy", "corrupt", VERIFY, "AUX-2", "there is no second copy", d(), **{ab: only(constant(b""), copy=1)})
    add("auxiliary-copy-number", "corrupt", VERIFY, "AUX-2", "both copies say that they are the first", d(), aux_fields=put(copy=0))
    add("auxiliary-copies-differ", "corrupt", VERIFY, "AUX-2", "the copies have different bytes, each with its checksum", d(),
        **{ab: only(lambda b, c: patch_header(b[:64] + b"T" + b[65:], checksum=crc32c(b"T" + b[65:64 + 24])), copy=1)})
    add("auxiliary-ordinal", "corrupt", READ, "BLOCK-3 AUX-3", "the number of an auxiliary page, in both copies", d(), aux_fields=put(ordinal=1))
    for kind in (0, 3, 9):
        add("auxiliary-kind-%d" % kind, "corrupt", READ, "AUX-5", "a page of encoding plain and codec zstd refers to an auxiliary page of kind %d" % kind, _kind(kind))
    add("auxiliary-padding", "corrupt", VERIFY, "FILE-2", "padding of an auxiliary page", d(), file=flip("aux", -1, end=True))
    entry = lambda **v: (lambda f, c: f["auxiliaries"][0].update(v))          # noqa: E731
    add("auxiliary-entry-column", "corrupt", READ, "BLOCK-3", "the column of an auxiliary entry is not that of its blocks", d(), footer=entry(column=0))
    add("auxiliary-entry-position", "corrupt", VERIFY, "VAL-4", "first_position of an auxiliary entry; readers use the second copy", d(),
        footer=lambda f, c: f["auxiliaries"][0].update(first_position=f["auxiliaries"][0]["first_position"] + 64))
    add("auxiliary-entry-limit", "corrupt", OPEN, "FOOT-1 BLOCK-5", "payload_byte_count 2^26 + 1 in an auxiliary entry of a file that is smaller", d(), footer=entry(payload_byte_count=2**26 + 1))
    for name, about, payload in (("empty", "a dictionary of no bytes", b""), ("malformed", "a dictionary that has but its magic", b"\x37\xa4\x30\xec" + bytes(range(60)))):
        made = d()
        made.auxiliaries = [Auxiliary(0, 1, payload, training=b"")]
        add("dictionary-" + name, "corrupt", READ, "CODEC-1", about, made)
    other = d()
    other.auxiliaries = [Auxiliary(0, 0, b"the same again, the same")]
    add("auxiliary-other-column", "corrupt", READ, "AUX-5", "a page refers to an auxiliary page of another column", other)
    late = squeezed(ZSTD, 2)
    late.rows_per_group, late.auxiliaries = 1, [Auxiliary(1, 1, b"the same again, the same")]
    late.layouts[1].auxiliary = 1
    add("auxiliary-too-late", "corrupt", READ, "AUX-5", "a page of the first group refers to an auxiliary page of the second", late)


def _kind(kind):
    made = with_dictionary()
    made.auxiliaries[0].kind = kind
    return made


def rows():
    """What the values of a whole shard must be."""
    missing = plain()
    missing.cells[0][1] = [ABSENT]
    add("row-id-absent", "corrupt", VERIFY, "SET-5", "an absent row id", missing)
    twice = plain()
    twice.cells[0][1] = twice.cells[0][0]
    add("row-id-twice", "corrupt", VERIFY, "SET-5", "a row id twice in a row group", twice)
    twice = two_groups()
    twice.cells[0][2] = twice.cells[0][0]
    add("row-id-twice-apart", "corrupt", VERIFY, "SET-5", "a row id in two row groups", twice)
    for name, d, n in (("digest", 1, 0), ("row-count", 0, 1)):
        made = plain()
        made.schema.side = Side(rows_digest(2) + d, 2 + n)
        add("side-" + name, "corrupt", VERIFY, "SIDE-2", "the %s of the side record is not that of the shard's rows" % name, made)
    vocabulary = [Tokenizer("K", bytes(32), 300, 77, 298, 299)]
    for name, column, value in (("ragged", ragged("k", "u16", role=7, tokenizer=0), struct.pack("<3H", 1, 300, 2)),
                                ("tensor", tensor("k", "u32", (2,), role=7, tokenizer=0), struct.pack("<2I", 299, 2**32 - 1)),
                                ("negative", ragged("k", "i32", role=7, tokenizer=0), struct.pack("<i", -1)),
                                ("other-role", ragged("k", "i64", tokenizer=0), struct.pack("<q", 2**32))):
        made = of(column, [value])
        made.schema.tokenizers = vocabulary
        add("token-" + name, "corrupt", VERIFY, "TYPE-5", "a token id outside of a vocabulary of 300: " + name, made)


def values():
    def op(name, code, about, value):
        add("operations-" + name, code, READ, "TYPE-2", about, of(Column("a", 8, OPERATIONS), [value]))

    op("kind-10", "unsupported", "item kind 10", u8(10) + bytes(8))
    op("kind-0", "unsupported", "item kind 0", b"\x00")
    op("kind-10-null", "unsupported", "a null item of kind 10", b"\x8a")
    op("crop-cut", "corrupt", "a crop of 15 bytes", crop(1, 2, 3, 4)[:-1])
    op("kind-alone", "corrupt", "a kind without its operands", flip_item() + b"\x09")
    op("count-cut", "corrupt", "rand_augment without its count", b"\x02")
    op("count-plus-1", "corrupt", "rand_augment with one pair less than its count", b"\x02\x02" + rand_augment((1, 0.5))[2:])
    op("mixup-id-cut", "corrupt", "mixup whose row id is too short", mixup(0.5, b"abcd")[:-1])
    op("cutmix-id-cut", "corrupt", "cutmix without its row id's size", cutmix(0.5, (1, 2, 3, 4), b"")[:-1])
    op("flip-2", "corrupt", "flip with applied 2", u8(3) + u8(2))

    def loc(name, code, about, value):
        add("locator-" + name, code, READ, "VAL-3", about, of(Column("i", 3, LOCATOR), [value]))

    loc("hash-kind-3", "unsupported", "hash kind 3", locator(1, 2, "a.tar", 3))
    loc("short", "corrupt", "a locator of 16 bytes", bytes(16))
    loc("empty", "corrupt", "a locator of no bytes", b"")
    loc("hash-cut", "corrupt", "a SHA-256 of 31 bytes and no container", locator(1, 2, "", 1, bytes(31)))
    loc("crc-cut", "corrupt", "a CRC-32C of 3 bytes and no container", locator(1, 2, "", 2, bytes(3)))
    loc("container", "corrupt", "a container that is no UTF-8", locator(1, 2, b"a\xff.tar"))


def flip_item():
    return u8(3) + u8(1)


def all_invalid():
    import invalid_archive
    import invalid_operations
    import invalid_planes
    import invalid_schema
    import invalid_tokens
    LIST.clear()
    for part in (front, footer, index, page, units, auxiliary, rows, values, invalid_schema.schema, invalid_schema.notes,
                 invalid_planes.empty_units, invalid_planes.pages, invalid_planes.tables, invalid_planes.units,
                 invalid_archive.pages, invalid_archive.models, invalid_archive.units,
                 invalid_tokens.pages, invalid_tokens.tables, invalid_tokens.units,
                 invalid_operations.pages, invalid_operations.tables, invalid_operations.units, invalid_operations.values):
        part()
    return list(LIST)
