"""Section 9 of FORMAT.md: the schema."""
import math
import struct

from decoder_base import *


# ---------------------------------------------------------------- 9: schema

ROW_ID = 1                                                              # role
AXIS = Record("axis", (1, "name", "text", "!"), (2, "kind", "B", "!"), (3, "count", "H", "!"),
              (4, "exchangeable", "B", "!"), (5, "source", "text"), (6, "defining_column", "H"))
COLUMN = Record("column", (1, "name", "text", "!"), (2, "role", "B", "!"), (3, "type", "B", "!"), (4, "element", "B"),
                (5, "dims", "dims"), (6, "axis", "H"), (7, "tokenizer", "H"))
TEACHER = Record("teacher", (1, "name", "text", "!"), (2, "normalised", "B", "!"), (3, "logit_scale", "Q"),
                 (4, "slices", "HII", "*"), (5, "weights_sha256", "32s"))
CAPTIONER = Record("captioner", (1, "name", "text", "!"), (2, "axis", "H", "!"), (3, "settings", "text"))
TOKENIZER = Record("tokenizer", (1, "name", "text", "!"), (2, "vocabulary_sha256", "32s", "!"),
                   (3, "vocabulary_size", "I", "!"), (4, "context_length", "I", "!"), (5, "start", "I", "!"),
                   (6, "end", "I", "!"))
OPERATION = Record("operation", (1, "operation", "B", "!"), (2, "name", "text", "!"), (3, "magnitudes", "Q", "*"))
SOURCE = Record("source", (1, "name", "text", "!"), (2, "licence", "text", "!"), (3, "reference", "text"))
PROVENANCE = Record("provenance", (1, "key", "text", "!"), (2, "value", "text", "!"))
SIDE = Record("side", (1, "row_set_digest", "16s", "!"), (2, "row_count", "Q", "!"), (3, "axes", "H16s", "*"))
SCHEMA = Record("schema", (1, "axes", AXIS, "*"), (2, "columns", COLUMN, "*"), (3, "teachers", TEACHER, "*"),
                (4, "captioners", CAPTIONER, "*"), (5, "tokenizers", TOKENIZER, "*"), (6, "operations", OPERATION, "*"),
                (7, "sources", SOURCE, "*"), (8, "provenance", PROVENANCE, "*"), (9, "side", SIDE))


def read_schema(raw, position):
    schema = SCHEMA.read(raw, position, "schema")
    for name, maximum in (("axes", MAXIMUM_AXES), ("columns", MAXIMUM_COLUMNS)):
        records = getattr(schema, name)
        if len(records) > maximum:
            raise Limit("schema", position, f"R-LIMIT-1: {len(records)} {name}")
        if len({record.name for record in records}) != len(records):
            raise Corrupt("schema", position, f"R-SCHEMA-2: two {name} with one name")
    for record in schema.axes + schema.columns:
        check_name(record)
    for axis in schema.axes:
        check_axis(axis)
    for column in schema.columns:
        check_column(column, schema)
    for number, axis in enumerate(schema.axes):
        if axis.defining_column is not None:
            check_reference(axis.defining_column, schema.columns, axis, "column")
            if schema.columns[axis.defining_column].axis != number:
                raise Corrupt("schema", axis.position, "R-SCHEMA-5: the defining column has another axis")
    row_ids = [column for column in schema.columns if column.role == ROW_ID]
    if len(row_ids) != 1:
        raise Corrupt("schema", position, f"R-SCHEMA-1: {len(row_ids)} columns of role row_id")
    if (row_ids[0].type, row_ids[0].element, len(row_ids[0].dims or ()), row_ids[0].axis) != (TENSOR, 1, 1, None):
        raise Corrupt("schema", row_ids[0].position, "R-SCHEMA-1: the row ids are not a tensor of u8 with one dimension")
    check_meanings(schema)
    schema.row_id_column = schema.columns.index(row_ids[0])
    return schema


def check_name(record):
    """R-SCHEMA-2."""
    raw = record.name.encode("utf-8")
    if len(raw) > MAXIMUM_NAME:
        raise Limit("schema", record.position, f"R-LIMIT-1: a name of {len(raw)} bytes")
    if not raw or any(byte < 0x20 or byte == 0x7F for byte in raw):
        raise Corrupt("schema", record.position, "R-SCHEMA-2: a name that is empty or has control characters")


def check_reference(number, records, record, what):
    if number >= len(records):
        raise Corrupt("schema", record.position, f"R-SCHEMA-3: there is no {what} {number}")


def check_axis(axis):
    if axis.count == 0 or axis.exchangeable > 2:
        raise Corrupt("schema", axis.position, f"axis with count {axis.count}, exchangeable {axis.exchangeable}")
    if axis.count > MAXIMUM_VARIANTS:
        raise Limit("schema", axis.position, f"R-LIMIT-1: {axis.count} variants")


def check_column(column, schema):
    """9.2. Adds variant_count, element_size and, for a tensor, cell_byte_count."""
    at = column.position
    if column.type not in TYPE_NAMES:
        raise Unsupported("schema", at, f"type {column.type}")
    if (column.element is not None) != (column.type in (TENSOR, RAGGED)) or (column.dims is not None) != (column.type == TENSOR):
        raise Corrupt("schema", at, f"element or dims do not go with type {TYPE_NAMES[column.type]}")
    if column.element is not None and column.element not in ELEMENT_NAMES:
        raise Unsupported("schema", at, f"element {column.element}")
    column.element_size = ELEMENT_SIZES.get(column.element)
    if column.type == TENSOR:
        if len(column.dims) > MAXIMUM_DIMS:
            raise Limit("schema", at, f"R-LIMIT-1: {len(column.dims)} dims")
        if 0 in column.dims:
            raise Corrupt("schema", at, "a dimension of 0")
        column.cell_byte_count = column.element_size * math.prod(column.dims)
        if column.cell_byte_count > MAXIMUM_CELL:
            raise Limit("schema", at, f"R-LIMIT-1: cells of {column.cell_byte_count} bytes")
    column.variant_count = 1
    if column.axis is not None:
        check_reference(column.axis, schema.axes, column, "axis")
        column.variant_count = schema.axes[column.axis].count
    if column.tokenizer is not None:
        check_reference(column.tokenizer, schema.tokenizers, column, "tokenizer")


def check_meanings(schema):
    """9.3 and 9.5: teachers, captioners, operations, side."""
    for teacher in schema.teachers:
        if teacher.normalised > 2:
            raise Corrupt("schema", teacher.position, f"normalised is {teacher.normalised}")
        for column, first, count in teacher.slices:
            check_reference(column, schema.columns, teacher, "column")
            target = schema.columns[column]
            if target.type != TENSOR or count == 0 or first + count > math.prod(target.dims):
                raise Corrupt("schema", teacher.position, "R-SCHEMA-7: a slice that is empty or not within the cell of a tensor")
    for captioner in schema.captioners:
        check_reference(captioner.axis, schema.axes, captioner, "axis")
    last = -1
    for operation in schema.operations:
        if operation.operation <= last:
            raise Corrupt("schema", operation.position, "R-SCHEMA-8: operation numbers do not ascend")
        last = operation.operation
        values = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in operation.magnitudes]
        if any(map(math.isnan, values)) or any(not a < b for a, b in zip(values, values[1:])):
            raise Corrupt("schema", operation.position, "R-SCHEMA-9: magnitudes that are not each less than the next")
    if schema.side:
        for number, _ in schema.side.axes:
            check_reference(number, schema.axes, schema.side, "axis")
        for digest in (schema.side.row_set_digest, *(digest for _, digest in schema.side.axes)):
            check_digest(int.from_bytes(digest, "little"), "schema", schema.side.position)
