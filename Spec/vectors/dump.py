"""The canonical dump (Appendix B) of a shard in memory. It never looks at the bytes of a file."""

import hashlib
import struct

from wire import (BINARY, ELEMENT_BYTES, ELEMENTS, LOCATOR, LOST, OPERATIONS, RAGGED, TENSOR, UTF8, cell_term, digest,
                  f64, row_term, text)

TYPES = {TENSOR: "tensor", RAGGED: "ragged", UTF8: "utf8", BINARY: "binary", OPERATIONS: "operations",
         LOCATOR: "locator"}
ELEMENT_NAMES = {number: name for name, number in ELEMENTS.items()}
ITEMS = {1: "crop", 2: "rand_augment", 3: "flip", 4: "erase", 5: "color_jitter", 6: "mixup", 7: "cutmix",
         8: "random_crop", 9: "resize"}
FORMS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}


def quoted(value):
    out = bytearray(b'"')
    for b in text(value):
        if b < 0x20 or b == 0x7F or b in b'"\\':
            out += b"\\x%02x" % b
        else:
            out.append(b)
    return (out + b'"').decode("utf-8")


def optional(value, form=str):
    return "-" if value is None else form(value)


def bits(value):
    return "%016x" % struct.unpack("<Q", f64(value))[0]


def number(value):
    return "%032x" % value


def operations(value):
    items, at = [], 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, value, at)
        at += struct.calcsize("<" + form)
        return list(values)

    def double():
        return "%016x" % take("Q")[0]

    def row_id():
        nonlocal at
        n = take("B")[0]
        at += n
        return value[at - n:at].hex()

    while at < len(value):
        kind = take("B")[0]
        name = ITEMS[kind & 127]
        if kind & 128:
            items.append(name + "=null")
            continue
        if kind == 2:
            operands = ["%d:%s" % (take("B")[0], double()) for _ in range(take("B")[0])]
        elif kind == 5:
            operands = take("4B") + [double() for _ in range(4)]
        elif kind == 6:
            operands = [double(), row_id()]
        elif kind == 7:
            operands = [double()] + take("4i") + [row_id()]
        else:
            operands = take({1: "4i", 3: "B", 4: "4i", 8: "2i", 9: "i"}[kind])
        items.append(",".join([name] + [str(o) for o in operands]))
    return "ops " + (";".join(items) or "-")


def value(column, cell):
    if isinstance(cell, int):
        return "lost" if cell == LOST else "absent"
    if column.role == 1:
        return "id " + cell.hex()
    if column.type in (TENSOR, RAGGED) and column.element <= 8:
        count = len(cell) // ELEMENT_BYTES[column.element]
        if count <= 256:
            numbers = struct.unpack("<%d%s" % (count, FORMS[ELEMENT_NAMES[column.element]]), cell)
            return "int " + (",".join(str(n) for n in numbers) or "-")
    if column.type == UTF8:
        return "text " + quoted(cell)
    if column.type == OPERATIONS:
        return operations(cell)
    if column.type == LOCATOR:
        position, byte_count, kind = struct.unpack_from("<QQB", cell)
        size = {0: 0, 1: 32, 2: 4}[kind]
        return "locator %d %d %d %s %s" % (position, byte_count, kind, cell[17:17 + size].hex() or "-",
                                          quoted(cell[17 + size:]))
    return "sha256 " + hashlib.sha256(cell).hexdigest()


def dimensions(dims):
    return "x".join(str(d) for d in dims) or "()"


def dump(s):
    m = s.schema
    lines = ["drshard-dump 1", "format %d %d" % (s.major, s.minor), "tag %016x" % s.tag,
             "features %016x %016x" % (s.required, s.optional), "rows %d" % s.row_count,
             "rows_per_group %d" % s.rows_per_group]
    for i, a in enumerate(m.axes):
        lines.append("axis %d %s kind=%d count=%d exchangeable=%d source=%s defining_column=%s" % (
            i, quoted(a.name), a.kind, a.count, a.exchangeable, optional(a.source, quoted),
            optional(a.defining_column)))
    for i, c in enumerate(m.columns):
        lines.append("column %d %s role=%d type=%s element=%s dims=%s axis=%s tokenizer=%s" % (
            i, quoted(c.name), c.role, TYPES[c.type], optional(c.element, ELEMENT_NAMES.get),
            optional(c.dims, dimensions), optional(c.axis), optional(c.tokenizer)))
    for i, t in enumerate(m.teachers):
        lines.append("teacher %d %s normalised=%d logit_scale=%s weights_sha256=%s slices=%s" % (
            i, quoted(t.name), t.normalised, optional(t.logit_scale, bits), optional(t.weights_sha256, bytes.hex),
            ",".join("%d:%d:%d" % tuple(x) for x in t.slices)))
    for i, c in enumerate(m.captioners):
        lines.append("captioner %d %s axis=%d settings=%s" % (i, quoted(c.name), c.axis, optional(c.settings, quoted)))
    for i, t in enumerate(m.tokenizers):
        lines.append("tokenizer %d %s vocabulary_sha256=%s vocabulary_size=%d context_length=%d start=%d end=%d" % (
            i, quoted(t.name), t.vocabulary_sha256.hex(), t.vocabulary_size, t.context_length, t.start, t.end))
    for o in m.operations:
        lines.append("operation %d %s magnitudes=%s" % (o.operation, quoted(o.name),
                                                        ",".join(bits(x) for x in o.magnitudes)))
    for i, x in enumerate(m.sources):
        lines.append("source %d %s licence=%s reference=%s" % (i, quoted(x.name), quoted(x.licence),
                                                               optional(x.reference, quoted)))
    for i, x in enumerate(m.provenance):
        lines.append("provenance %d %s %s" % (i, quoted(x.key), quoted(x.value)))
    if m.side:
        lines.append("side row_set_digest=%s row_count=%d axes=%s" % (
            number(m.side.row_set_digest), m.side.row_count,
            ",".join("%d:%s" % (a, number(d)) for a, d in m.side.axes)))
    for key, text_value in s.notes:
        lines.append("note %s %s" % (quoted(key), quoted(text_value)))
    lines.append("digest rows " + number(digest(row_term(row_id) for row_id in s.ids())))
    for i, column in enumerate(s.cells):
        lines.append("digest column %d %s" % (i, number(digest(cell_term(c) for row in column for c in row))))
    for row in range(s.row_count):
        for i, column in enumerate(m.columns):
            for variant, cell in enumerate(s.cells[i][row]):
                lines.append("cell %d %d %d %s" % (row, i, variant, value(column, cell)))
    return "".join(line + "\n" for line in lines)
