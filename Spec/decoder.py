#!/usr/bin/env python3
"""A reader of drshard files, written from FORMAT.md and in its order.

    decoder.py dump FILE       the canonical dump (appendix B); open and read checks only
    decoder.py verify FILE     every rule about the bytes of a file, one finding a line
    decoder.py explain FILE    every byte of the file with its meaning (appendix A)
    decoder.py vectors DIR     the test vectors that DIR/index.json lists

It is meant to be read beside the text: each part names its section, and each check the rule that it
implements. It needs the standard library, and `zstandard` or `lz4` for pages with these codecs.

The parts: decoder_base.py (sections 2, 4, 8, 10, 11), decoder_blocks.py (5.1 to 5.5), decoder_footer.py (5.6 to
5.8), decoder_cells.py (6.1, 6.2, 7), decoder_encodings.py (6.3), decoder_planes.py (6.4), decoder_archive.py (6.5),
decoder_tokens.py (6.6), decoder_operations.py (6.7), decoder_schema.py (9), this
file (opening, reading, the dump), decoder_verify.py, decoder_explain.py.
"""
import hashlib
import struct
import sys
from types import SimpleNamespace

from decoder_base import *
from decoder_blocks import *
from decoder_cells import *
from decoder_footer import *
from decoder_schema import *


# ---------------------------------------------------------------- 10: validation

def new_shard(data, header, end):
    """`end` is where blocks end: the position of the footer, if it is known."""
    return SimpleNamespace(data=data, header=header, tag=header.shard_tag, end=end, dictionaries={}, tables={},
                           auxiliaries=[], groups=[], notes=[], row_count=0)


def open_shard(data):
    """R-VAL-1: size; file header; tail; footer's header and checksum; lengths in it; schema; groups."""
    data = memoryview(data)
    header = read_file_header(data)
    tail = read_tail(data)
    check_tail_against_header(data, tail, header)
    shard = new_shard(data, header, tail.footer_position)
    shard.footer = footer = read_footer_lengths(data, tail)
    check_footer_schema(data, header, footer)
    shard.schema = read_schema(footer.schema, footer.schema_position)
    shard.notes = NOTES.read(footer.notes, footer.notes_position, "notes").note
    shard.auxiliaries = read_auxiliary_entries(shard, footer.auxiliaries, footer.auxiliaries_position, footer.prefix.group_count)
    shard.groups = read_groups(shard, footer.groups, footer.groups_position, footer.prefix)
    shard.row_count = footer.prefix.row_count
    return shard


def read_chunk(shard, group, chunk):
    """R-VAL-2, R-VAL-3: all cells of a chunk, (state, slot), in row order and variant order within a row."""
    cells = []
    for page in read_index(shard, group, chunk):
        check_encoding_and_codec(page)
        prologue = read_prologue(shard, page)
        for unit in range(len(prologue.units)):
            cells += read_unit(shard, page, prologue, unit)
    return cells


# ---------------------------------------------------------------- appendix B: the canonical dump

def quoted(text):
    def escape(character):
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x20 or code == 0x7F or character in '"\\' else character
    return '"' + "".join(map(escape, text)) + '"'


def optional(value, form=str):
    return "-" if value is None else form(value)


def dump_value(state, value, column):
    if state != PRESENT:
        return "absent" if state == ABSENT else "lost"
    if column.role == ROW_ID:
        return f"id {value.hex()}"
    if column.type in (TENSOR, RAGGED) and column.element in INTEGER_CODES and len(value) <= 256 * column.element_size:
        count = len(value) // column.element_size
        return "int " + (",".join(map(str, struct.unpack(f"<{count}{INTEGER_CODES[column.element]}", value))) or "-")
    if column.type == UTF8:
        return "text " + quoted(read_text(value, "cell", 0))
    if column.type == OPERATIONS:
        return "ops " + (";".join(map(dump_item, read_operations(value, "cell", 0))) or "-")
    if column.type == LOCATOR:
        position, byte_count, hash_kind, digest, container = read_locator(value, "cell", 0)
        return f"locator {position} {byte_count} {hash_kind} {digest.hex() or '-'} {quoted(container)}"
    return f"sha256 {hashlib.sha256(value).hexdigest()}"


def dump_item(item):
    name, operands = item
    return f"{name}=null" if operands is None else ",".join([name, *map(dump_operand, operands)])


def dump_operand(operand):
    if isinstance(operand, Bits):
        return f"{operand:016x}"
    if isinstance(operand, bytes):
        return operand.hex()
    if isinstance(operand, tuple):
        return f"{operand[0]}:{operand[1]:016x}"
    return str(operand)


def dump_schema(schema):
    for i, axis in enumerate(schema.axes):
        yield (f"axis {i} {quoted(axis.name)} kind={axis.kind} count={axis.count} exchangeable={axis.exchangeable} "
               f"source={optional(axis.source, quoted)} defining_column={optional(axis.defining_column)}")
    for i, column in enumerate(schema.columns):
        dims = optional(column.dims, lambda dims: "x".join(map(str, dims)) or "()")
        yield (f"column {i} {quoted(column.name)} role={column.role} type={TYPE_NAMES[column.type]} "
               f"element={optional(column.element, ELEMENT_NAMES.get)} dims={dims} axis={optional(column.axis)} "
               f"tokenizer={optional(column.tokenizer)}")
    for i, teacher in enumerate(schema.teachers):
        yield (f"teacher {i} {quoted(teacher.name)} normalised={teacher.normalised} "
               f"logit_scale={optional(teacher.logit_scale, '{:016x}'.format)} "
               f"weights_sha256={optional(teacher.weights_sha256, bytes.hex)} "
               f"slices={','.join('%d:%d:%d' % s for s in teacher.slices)}")
    for i, captioner in enumerate(schema.captioners):
        yield f"captioner {i} {quoted(captioner.name)} axis={captioner.axis} settings={optional(captioner.settings, quoted)}"
    for i, tokenizer in enumerate(schema.tokenizers):
        yield (f"tokenizer {i} {quoted(tokenizer.name)} vocabulary_sha256={tokenizer.vocabulary_sha256.hex()} "
               f"vocabulary_size={tokenizer.vocabulary_size} context_length={tokenizer.context_length} "
               f"start={tokenizer.start} end={tokenizer.end}")
    for operation in schema.operations:
        yield (f"operation {operation.operation} {quoted(operation.name)} "
               f"magnitudes={','.join(map('{:016x}'.format, operation.magnitudes))}")
    for i, source in enumerate(schema.sources):
        yield f"source {i} {quoted(source.name)} licence={quoted(source.licence)} reference={optional(source.reference, quoted)}"
    for i, entry in enumerate(schema.provenance):
        yield f"provenance {i} {quoted(entry.key)} {quoted(entry.value)}"
    if schema.side:
        axes = ",".join(f"{number}:{digest[::-1].hex()}" for number, digest in schema.side.axes)
        yield f"side row_set_digest={schema.side.row_set_digest[::-1].hex()} row_count={schema.side.row_count} axes={axes}"


def shard_digests(shard):
    """8.2: the row-set digest and the column digests of the shard, joined from those of its groups."""
    rows, columns = 0, [0] * len(shard.schema.columns)
    for group in shard.groups:
        rows = join_digests(rows, group.row_set_digest, group.row_count)
        columns = [join_digests(a, b, group.row_count * column.variant_count)
                   for a, b, column in zip(columns, group.column_digests, shard.schema.columns)]
    return rows, columns


def dump(shard):
    """The lines of the canonical dump."""
    header = shard.header
    yield "drshard-dump 1"
    yield f"format {header.major} {header.minor}"
    yield f"tag {header.shard_tag:016x}"
    yield f"features {header.required_features:016x} {header.optional_features:016x}"
    yield f"rows {shard.row_count}"
    yield f"rows_per_group {header.rows_per_group}"
    yield from dump_schema(shard.schema)
    for key, value in shard.notes:
        yield f"note {quoted(key)} {quoted(value)}"
    rows, columns = shard_digests(shard)
    yield f"digest rows {rows:032x}"
    for i, digest in enumerate(columns):
        yield f"digest column {i} {digest:032x}"
    for group in shard.groups:
        chunks = [(chunk, read_chunk(shard, group, chunk)) for chunk in group.chunks]
        for row in range(group.row_count):
            for chunk, cells in chunks:
                column = shard.schema.columns[chunk.column]
                for i in range(chunk.variant_count):
                    value = dump_value(*cells[row * chunk.variant_count + i], column)
                    yield f"cell {group.first_row + row} {chunk.column} {chunk.first_variant + i} {value}"


def dump_bytes(shard):
    return "".join(line + "\n" for line in dump(shard)).encode("utf-8")


# ---------------------------------------------------------------- the commands

def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("dump", "verify", "explain", "vectors"):
        print(__doc__, file=sys.stderr)
        return 2
    command, path = arguments
    if command == "vectors":
        import decoder_verify
        return decoder_verify.run_vectors(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        print(f"I/O: {error}", file=sys.stderr)
        return 1
    if command == "verify":
        import decoder_verify
        findings = decoder_verify.verify(data)
        for finding in findings:
            print(f"{finding.code}\t{finding.structure}\t{finding.position}\t{finding.reason}")
        return 1 if findings else 0
    try:
        if command == "dump":
            output = dump_bytes(open_shard(data))
        else:
            import decoder_explain
            output = decoder_explain.explain(data).encode("utf-8")
    except ShardError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(output)
    return 0


if __name__ == "__main__":
    import decoder                                                      # one copy of the classes for all modules
    sys.exit(decoder.main(sys.argv[1:]))
