"""A small writer of the drshard format, made from FORMAT.md alone, with hooks for making broken files.

A shard is described in memory (Schema, Shard) and `build` turns it into bytes. Every step passes its value
through a named hook, so that a broken file is the description of a whole one and the one thing that differs.
"""

import struct
from dataclasses import dataclass, field
from types import SimpleNamespace

import lz4.block
import zstandard

from primitives import *  # noqa: F403

ABSENT, LOST = 1, 2            # states; a cell is one of these numbers, or its canonical bytes
NONE, ZSTD, LZ4 = 0, 1, 2      # codecs
PAGE, AUX, INDEX, GROUP, FOOTER = 1, 2, 3, 4, 5
TENSOR, RAGGED, UTF8, BINARY, OPERATIONS, LOCATOR = 1, 2, 3, 4, 5, 6
ELEMENTS = {"u8": 1, "i8": 2, "u16": 3, "i16": 4, "u32": 5, "i32": 6, "u64": 7, "i64": 8,
            "f16": 9, "bf16": 10, "f32": 11, "f64": 12}
ELEMENT_BYTES = [0, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8]
P = 2**127 - 1
R = 0x1B43782F0821A386F0BBC0AEB139E1F6

# --- schema ---------------------------------------------------------------------------------------------------------

@dataclass
class Axis:
    name: str
    kind: int = 1
    count: int = 1
    exchangeable: int = 1
    source: str = None
    defining_column: int = None
    extra: tuple = ()

    def fields(self):
        out = [(1, text(self.name)), (2, u8(self.kind)), (3, u16(self.count)), (4, u8(self.exchangeable))]
        if self.source is not None:
            out.append((5, text(self.source)))
        if self.defining_column is not None:
            out.append((6, u16(self.defining_column)))
        return out + list(self.extra)


@dataclass
class Column:
    name: str
    role: int
    type: int
    element: int = None
    dims: tuple = None
    axis: int = None
    tokenizer: int = None
    extra: tuple = ()

    def fields(self):
        out = [(1, text(self.name)), (2, u8(self.role)), (3, u8(self.type))]
        if self.element is not None:
            out.append((4, u8(self.element)))
        if self.dims is not None:
            out.append((5, b"".join(u32(d) for d in self.dims)))
        if self.axis is not None:
            out.append((6, u16(self.axis)))
        if self.tokenizer is not None:
            out.append((7, u16(self.tokenizer)))
        return out + list(self.extra)

    def element_count(self):
        n = 1
        for d in self.dims:
            n *= d
        return n

    def cell_bytes(self):
        return self.element_count() * ELEMENT_BYTES[self.element]


def tensor(name, element, dims, role=0, axis=None, **more):
    return Column(name, role, TENSOR, ELEMENTS[element], tuple(dims), axis, **more)


def ragged(name, element, role=0, axis=None, **more):
    return Column(name, role, RAGGED, ELEMENTS[element], None, axis, **more)


def uid(size=4, **more):
    return tensor("uid", "u8", (size,), role=1, **more)


@dataclass
class Teacher:
    name: str
    normalised: int = 1
    logit_scale: object = None
    slices: list = field(default_factory=list)
    weights_sha256: bytes = None
    extra: tuple = ()

    def fields(self):
        out = [(1, text(self.name)), (2, u8(self.normalised))]
        if self.logit_scale is not None:
            out.append((3, f64(self.logit_scale)))
        out += [(4, struct.pack("<HII", *s)) for s in self.slices]
        if self.weights_sha256 is not None:
            out.append((5, self.weights_sha256))
        return out + list(self.extra)


@dataclass
class Captioner:
    name: str
    axis: int
    settings: str = None
    extra: tuple = ()

    def fields(self):
        out = [(1, text(self.name)), (2, u16(self.axis))]
        if self.settings is not None:
            out.append((3, text(self.settings)))
        return out + list(self.extra)


@dataclass
class Tokenizer:
    name: str
    vocabulary_sha256: bytes
    vocabulary_size: int
    context_length: int
    start: int
    end: int
    extra: tuple = ()

    def fields(self):
        return [(1, text(self.name)), (2, self.vocabulary_sha256), (3, u32(self.vocabulary_size)),
                (4, u32(self.context_length)), (5, u32(self.start)), (6, u32(self.end))] + list(self.extra)


@dataclass
class Operation:
    operation: int
    name: str
    magnitudes: list = field(default_factory=list)
    extra: tuple = ()

    def fields(self):
        return ([(1, u8(self.operation)), (2, text(self.name))] + [(3, f64(m)) for m in self.magnitudes]
                + list(self.extra))


@dataclass
class Source:
    name: str
    licence: str
    reference: str = None
    extra: tuple = ()

    def fields(self):
        out = [(1, text(self.name)), (2, text(self.licence))]
        if self.reference is not None:
            out.append((3, text(self.reference)))
        return out + list(self.extra)


@dataclass
class Provenance:
    key: str
    value: str
    extra: tuple = ()

    def fields(self):
        return [(1, text(self.key)), (2, text(self.value))] + list(self.extra)


@dataclass
class Side:
    row_set_digest: int
    row_count: int
    axes: list = field(default_factory=list)       # (axis, digest)
    extra: tuple = ()

    def fields(self):
        return ([(1, u128(self.row_set_digest)), (2, u64(self.row_count))]
                + [(3, u16(a) + u128(d)) for a, d in self.axes] + list(self.extra))


@dataclass
class Schema:
    columns: list
    axes: list = field(default_factory=list)
    teachers: list = field(default_factory=list)
    captioners: list = field(default_factory=list)
    tokenizers: list = field(default_factory=list)
    operations: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    provenance: list = field(default_factory=list)
    side: Side = None
    extra: tuple = ()

    def fields(self):
        """[tag, list of fields or bytes], so that a hook can change a field of a field."""
        lists = [self.axes, self.columns, self.teachers, self.captioners, self.tokenizers, self.operations,
                 self.sources, self.provenance, [self.side] if self.side else []]
        out = [[tag, list(item.fields())] for tag, items in enumerate(lists, 1) for item in items]
        return out + [list(e) for e in self.extra]

    def variants(self, column):
        axis = self.columns[column].axis
        return 1 if axis is None else self.axes[axis].count


# --- shard ----------------------------------------------------------------------------------------------------------

@dataclass
class Layout:
    """How a column is cut. Numbers, or lists that are used in turn from the first page of a chunk on."""
    page_rows: object = 1 << 30
    rows_per_unit: object = 1
    codec: object = NONE
    auxiliary: object = 0
    span: int = 1              # variants of a chunk
    encoding: object = 0
    encode: object = None      # plain bytes of a unit, and where it is (.column .rows .variants), to encoded bytes, or
                               # None for plain ones; without it all units hold their plain bytes

    def at(self, name, page):
        value = getattr(self, name)
        return value[page % len(value)] if isinstance(value, list) else value


@dataclass
class Auxiliary:
    group: int
    column: int
    payload: bytes
    kind: int = 1
    training: bytes = None     # what units are compressed with, if that is not the payload


@dataclass
class Shard:
    schema: Schema
    cells: list                # [column][row][variant]: bytes, ABSENT or LOST
    row_ids: list = None       # for the row-set digest, if a repair has lost some of the cells
    tag: int = 1
    rows_per_group: int = 4
    layouts: dict = field(default_factory=dict)    # by column, or for one group by (group, column)
    auxiliaries: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    notes_extra: tuple = ()
    required: int = 0
    optional: int = 0
    major: int = 1
    minor: int = 0

    @property
    def row_count(self):
        return len(self.cells[0])

    def ids(self):
        """Those that the row-set digest counts."""
        column = next(i for i, c in enumerate(self.schema.columns) if c.role == 1)
        return self.row_ids or [row[0] for row in self.cells[column]]

    def compressed(self):
        return any(layout.codec not in (0, [0]) for layout in self.layouts.values())


def row_term(row_id):
    import hashlib
    return 1 + int.from_bytes(hashlib.sha256(row_id).digest()[:15], "little")


def cell_term(cell):
    if isinstance(cell, int):
        return 2**66 + cell * 2**64
    return 2**66 + len(cell) * 2**32 + crc32c(cell)


def digest(terms):
    d = 0
    for t in terms:
        d = (d * R + t) % P
    return d


# --- bytes ----------------------------------------------------------------------------------------------------------

HEADER_FIELDS = ["kind", "flags", "codec", "copy", "shard_tag", "group", "column", "encoding", "first_variant",
                 "variant_count", "ordinal", "first_row", "row_count", "rows_per_unit", "auxiliary",
                 "prologue_byte_count", "payload_byte_count", "checksum"]


def block_header(fields):
    values = [fields.get(name, 0) for name in HEADER_FIELDS]
    head = struct.pack("<4sBBBBQIHHHHIIIIIIII", fields.get("magic", b"DRSB"), *values)
    return head + u32(fields.get("header_crc32c", crc32c(head)))


def patch_header(header, **changes):
    """A block header (or the start of a block) with fields changed and its checksum made again."""
    fields = dict(zip(HEADER_FIELDS, struct.unpack("<BBBBQIHHHHIIIIIIII", header[4:60])))
    fields.update(changes)
    return block_header(fields) + header[64:]


def compress(codec, plain, dictionary=None):
    if codec == ZSTD:
        extra = {"dict_data": zstandard.ZstdCompressionDict(dictionary)} if dictionary else {}
        return zstandard.ZstdCompressor(level=3, write_content_size=True, write_checksum=False, **extra).compress(plain)
    if codec == LZ4:
        return lz4.block.compress(plain, store_size=False)
    return plain


def stored_form(plain, small):
    """R-UNIT-3."""
    return plain if small is None or len(small) >= len(plain) or len(plain) > 1024 * len(small) else small


def pack_states(states):
    out = bytearray((len(states) + 3) // 4)
    for i, s in enumerate(states):
        out[i // 4] |= s << (i % 4 * 2)
    return bytes(out)


GROUP_HEAD = ["group", "row_count", "first_row", "position", "chunk_count", "reserved"]
CHUNK = ["column", "first_variant", "variant_count", "flags", "reserved", "index_position", "index_byte_count",
         "index_crc32c", "stored_byte_count", "plain_byte_count"]
AUX_ENTRY = ["first_position", "second_position", "payload_byte_count", "checksum", "kind", "column", "group"]
FOOTER_HEAD = ["row_count", "group_count", "auxiliary_count", "schema_byte_count", "notes_byte_count"]


def group_payload(g):
    out = struct.pack("<IIQQII", *(g[n] for n in GROUP_HEAD))
    for c in g["chunks"]:
        out += struct.pack("<HHHBBQIIQQ", *(c[n] for n in CHUNK))
    return out + u128(g["row_set_digest"]) + b"".join(u128(d) for d in g["column_digests"])


def note(key, value):
    return u16(len(text(key))) + text(key) + text(value)


class _Builder:
    def __init__(self, shard, hooks):
        self.s, self.hooks, self.out, self.marks = shard, hooks, bytearray(), []
        self.dictionaries = {}

    def hook(self, name, value, **where):
        made = self.hooks[name](value, SimpleNamespace(**where)) if name in self.hooks else None
        return value if made is None else made

    def emit(self, data, what, **where):
        mark = SimpleNamespace(what=what, start=len(self.out), end=len(self.out) + len(data), **where)
        self.out += data
        self.marks.append(mark)
        self.out += self.hook("gap", b"", what=what, **where)
        return mark

    def block(self, fields, prologue, payload, packed=False):
        return block_header(fields) + padded(prologue) + padded(payload) + (bytes(64) if packed else b"")

    def build(self):
        s = self.s
        fields = self.hook("schema", s.schema.fields())
        schema = self.hook("schema_bytes", record([(t, v if isinstance(v, bytes) else record(v)) for t, v in fields]))
        front = self.hook("front_schema", schema)
        head = self.hook("header", dict(
            magic=b"\x89DRS\r\n\x1a\n", major=s.major, minor=s.minor, schema_byte_count=len(front), shard_tag=s.tag,
            required=s.required, optional=s.optional, rows_per_group=s.rows_per_group, schema_crc32c=crc32c(front),
            reserved=bytes(12)))
        raw = struct.pack("<8sHHIQQQII12s", *(head[n] for n in (
            "magic", "major", "minor", "schema_byte_count", "shard_tag", "required", "optional", "rows_per_group",
            "schema_crc32c", "reserved")))
        self.emit(raw + u32(head.get("header_crc32c", crc32c(raw))), "header")
        self.emit(padded(front), "schema")
        self.aux_entries, groups = [], []
        first = 0
        while first < s.row_count:
            count = min(self.hook("group_rows", s.rows_per_group, group=len(groups)), s.row_count - first)
            groups.append(self.group(len(groups), first, count))
            first += count
        notes = record([(1, note(k, v)) for k, v in s.notes] + list(s.notes_extra))
        foot = self.hook("footer", dict(row_count=s.row_count, schema=schema, notes=self.hook("notes", notes),
                                        auxiliaries=self.aux_entries, groups=groups, trailing=b""))
        foot.setdefault("group_count", len(foot["groups"]))
        foot.setdefault("auxiliary_count", len(foot["auxiliaries"]))
        foot.setdefault("schema_byte_count", len(foot["schema"]))
        foot.setdefault("notes_byte_count", len(foot["notes"]))
        payload = struct.pack("<QIIII", *(foot[n] for n in FOOTER_HEAD)) + foot["schema"] + foot["notes"]
        payload += b"".join(struct.pack("<QQIIHHI", *(a[n] for n in AUX_ENTRY)) for a in foot["auxiliaries"])
        payload += b"".join(foot["groups"]) + foot["trailing"]
        fields = self.hook("footer_fields", dict(kind=FOOTER, shard_tag=s.tag, payload_byte_count=len(payload),
                                                 checksum=crc32c(payload)))
        mark = self.emit(self.hook("footer_block", self.block(fields, b"", payload)), "footer")
        tail = self.hook("tail", dict(
            footer_position=mark.start, footer_byte_count=mark.end - mark.start, footer_crc32c=fields["checksum"],
            file_byte_count=len(self.out) + 64, shard_tag=s.tag, row_count=s.row_count, major=s.major, minor=s.minor,
            reserved=bytes(8), magic=b"DRS-END\n"))
        raw = struct.pack("<QIIQQQHH8s", *(tail[n] for n in (
            "footer_position", "footer_byte_count", "footer_crc32c", "file_byte_count", "shard_tag", "row_count",
            "major", "minor", "reserved")))
        self.emit(raw + u32(tail.get("tail_crc32c", crc32c(raw))) + tail["magic"], "tail")
        return bytes(self.hook("file", self.out, marks=self.marks))

    def group(self, number, first, count):
        s, start = self.s, len(self.out)
        for aux in s.auxiliaries:
            if aux.group == number:
                self.auxiliary(aux)
        chunks = []
        for column in range(len(s.schema.columns)):
            layout = s.layouts.get((number, column)) or s.layouts.get(column, Layout())
            variants = s.schema.variants(column)
            for v in range(0, variants, layout.span):
                chunks.append(self.chunk(number, column, v, min(layout.span, variants - v), layout, first, count))
        entries = [self.index(number, c, count) for c in chunks]
        rows = range(first, first + count)
        g = self.hook("group", dict(
            group=number, row_count=count, first_row=first, position=start, reserved=0, chunks=entries,
            row_set_digest=digest(row_term(i) for i in s.ids()[first:first + count] if not isinstance(i, int)),
            column_digests=[digest(cell_term(c) for r in rows for c in column[r]) for column in s.cells]), group=number)
        g.setdefault("chunk_count", len(g["chunks"]))
        payload = self.hook("group_payload", group_payload(g), group=number)
        fields = self.hook("group_fields", dict(kind=GROUP, shard_tag=s.tag, group=number, row_count=count,
                                                payload_byte_count=len(payload), checksum=crc32c(payload)), group=number)
        self.emit(self.hook("group_block", self.block(fields, b"", payload), group=number), "group", group=number)
        return payload

    def auxiliary(self, aux):
        number, where = len(self.aux_entries), []
        self.dictionaries[number + 1] = aux.payload if aux.training is None else aux.training
        for copy in (0, 1):
            fields = self.hook("aux_fields", dict(
                kind=AUX, copy=copy, shard_tag=self.s.tag, group=aux.group, column=aux.column, encoding=aux.kind,
                ordinal=number, payload_byte_count=len(aux.payload), checksum=crc32c(aux.payload)),
                number=number, copy=copy)
            data = self.hook("aux_block", self.block(fields, b"", aux.payload), number=number, copy=copy)
            where.append(self.emit(data, "aux", number=number, copy=copy).start)
        self.aux_entries.append(dict(first_position=where[0], second_position=where[1],
                                     payload_byte_count=len(aux.payload), checksum=crc32c(aux.payload),
                                     kind=aux.kind, column=aux.column, group=aux.group))

    def chunk(self, group, column, variant, variants, layout, first, count):
        s = self.s
        entries, stored, plain_bytes, some_missing = [], 0, 0, False
        row = 0
        while row < count:
            n = len(entries)
            rows = min(layout.at("page_rows", n), count - row)
            cells = [s.cells[column][first + row + r][variant:variant + variants] for r in range(rows)]
            at, header, size = self.page(group, column, variant, variants, layout, n, row, cells)
            entries.append((at, header))
            stored += size
            flat = [c for r in cells for c in r]
            plain_bytes += sum(len(c) for c in flat if not isinstance(c, int))
            some_missing |= any(isinstance(c, int) for c in flat)
            row += rows
        return dict(column=column, first_variant=variant, variant_count=variants, flags=int(some_missing),
                    entries=entries, stored=stored, plain=plain_bytes)

    def page(self, group, column, variant, variants, layout, number, first_row, cells):
        s = self.s
        where = dict(group=group, column=column, variant=variant, page=number)
        kind = s.schema.columns[column]
        per_unit, codec = layout.at("rows_per_unit", number), layout.at("codec", number)
        encoding, auxiliary = layout.at("encoding", number), layout.at("auxiliary", number)
        encode = layout.at("encode", number)
        encoded = codec != NONE or encoding != 0
        is_tensor = kind.type == TENSOR
        packed = self.hook("packed", not is_tensor or encoded, **where)
        dictionary = self.dictionaries.get(auxiliary)
        units, sizes = [], []
        for u, at in enumerate(range(0, len(cells), per_unit)):
            unit_cells = cells[at:at + per_unit]
            flat = [c for r in unit_cells for c in r]
            empty = packed and is_tensor and all(isinstance(c, int) for c in flat)     # R-UNIT-5: no plain bytes made
            if empty:
                plain = b""
            elif is_tensor:
                plain = b"".join(bytes(kind.cell_bytes()) if isinstance(c, int) else c for c in flat)
            else:
                values = [b"" if isinstance(c, int) else c for c in flat]
                plain = b"".join(varint(len(v)) for v in values) + b"".join(values)
            plain = self.hook("plain", plain, unit=u, **where)
            stored = b""
            if not empty:
                about = SimpleNamespace(column=kind, rows=len(unit_cells), variants=variants)
                stored = stored_form(plain, encode(plain, about) if encode else compress(codec, plain, dictionary))
            units.append(self.hook("stored", stored, unit=u, plain=plain, **where))
            sizes.append(len(plain))
        if packed:
            payload, ends = b"".join(units), []
            for unit in units:
                ends.append((ends[-1] if ends else 0) + len(unit))
        else:
            stride = pad64(per_unit * variants * kind.cell_bytes())
            payload, ends = padded(b"".join(u + bytes(stride - len(u)) for u in units[:-1]) + units[-1]), None
        payload = self.hook("payload", payload, **where)
        states = [c if isinstance(c, int) else 0 for r in cells for c in r]
        t = self.hook("tables", dict(
            checksums=[crc32c(u) for u in units], ends=ends if packed else None,
            sizes=sizes if packed and encoded and not is_tensor else None,
            states=pack_states(states) if any(states) else None), **where)
        prologue = b"".join(u32(n) for name in ("checksums", "ends", "sizes") for n in t[name] or [])
        prologue = self.hook("prologue", prologue + (t["states"] or b""), **where)
        fields = dict(
            kind=PAGE, flags=(1 if t["states"] is not None else 0) | (2 if packed else 0), codec=codec,
            encoding=encoding,
            shard_tag=s.tag, group=group, column=column, first_variant=variant, variant_count=variants,
            ordinal=number, first_row=first_row, row_count=len(cells), rows_per_unit=per_unit,
            auxiliary=auxiliary, prologue_byte_count=len(prologue), payload_byte_count=len(payload),
            checksum=crc32c(prologue))
        fields = self.hook("page_fields", fields, **where)
        data = self.block(fields, prologue, payload, packed)
        mark = self.emit(self.hook("page_block", data, **where), "page", **where)
        return mark.start, data[:64], len(data)

    def index(self, group, c, count):
        where = dict(group=group, column=c["column"], variant=c["first_variant"])
        entries = self.hook("entries", list(c["entries"]), **where)
        payload = self.hook("index_payload", b"".join(u64(at) + h for at, h in entries), **where)
        fields = self.hook("index_fields", dict(
            kind=INDEX, shard_tag=self.s.tag, group=group, column=c["column"], first_variant=c["first_variant"],
            variant_count=c["variant_count"], row_count=count, payload_byte_count=len(payload),
            checksum=crc32c(payload)), **where)
        mark = self.emit(self.hook("index_block", self.block(fields, b"", payload), **where), "index", **where)
        return self.hook("chunk", dict(
            column=c["column"], first_variant=c["first_variant"], variant_count=c["variant_count"], flags=c["flags"],
            reserved=0, index_position=mark.start, index_byte_count=mark.end - mark.start,
            index_crc32c=fields["checksum"], stored_byte_count=c["stored"], plain_byte_count=c["plain"]), **where)


def build(shard, hooks=None):
    return _Builder(shard, hooks or {}).build()


# --- values ---------------------------------------------------------------------------------------------------------

def i32s(*values):
    return struct.pack("<%di" % len(values), *values)


def crop(*box):
    return u8(1) + i32s(*box)


def rand_augment(*pairs):
    return u8(2) + u8(len(pairs)) + b"".join(u8(o) + f64(m) for o, m in pairs)


def flip(applied):
    return u8(3) + u8(applied)


def erase(*box):
    return u8(4) + i32s(*box)


def color_jitter(order, factors):
    return u8(5) + bytes(order) + b"".join(f64(x) for x in factors)


def mixup(weight, row_id):
    return u8(6) + f64(weight) + u8(len(row_id)) + row_id


def cutmix(weight, box, row_id):
    return u8(7) + f64(weight) + i32s(*box) + u8(len(row_id)) + row_id


def random_crop(top, left):
    return u8(8) + i32s(top, left)


def resize(size):
    return u8(9) + i32s(size)


def null(kind):
    return u8(kind | 0x80)


def locator(position, byte_count, container, hash_kind=0, hash_bytes=b""):
    return u64(position) + u64(byte_count) + u8(hash_kind) + hash_bytes + text(container)
