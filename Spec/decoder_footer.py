"""Sections 5.6 to 5.8 of FORMAT.md: groups, footer and tail."""
from types import SimpleNamespace

from decoder_base import *
from decoder_blocks import *


# ---------------------------------------------------------------- 5.6: group block

GROUP_PREFIX = Layout("group prefix", "group:I row_count:I first_row:Q position:Q chunk_count:I reserved:I")
CHUNK_ENTRY = Layout("chunk entry", "column:H first_variant:H variant_count:H flags:B reserved:B index_position:Q "
                     "index_byte_count:I index_crc32c:I stored_byte_count:Q plain_byte_count:Q")


def group_byte_count(chunk_count, column_count):
    return GROUP_PREFIX.byte_count + CHUNK_ENTRY.byte_count * chunk_count + 16 + 16 * column_count


def read_group_payload(shard, raw, position, number):
    """One group from the front of `raw`, checked against the schema and the file size."""
    structure, schema = f"row group {number}", shard.schema
    if len(raw) < GROUP_PREFIX.byte_count:
        raise Corrupt(structure, position, "R-FOOT-1: the payload ends inside a group")
    prefix = GROUP_PREFIX.read(raw, 0)
    byte_count = group_byte_count(prefix.chunk_count, len(schema.columns))
    if byte_count > len(raw):
        raise Corrupt(structure, position + 24, f"R-FOOT-1: the payload ends inside a group with {prefix.chunk_count} chunks")
    if prefix.reserved:
        raise Unsupported(structure, position + 28, "R-HEAD-4: a reserved byte is not 0")
    if prefix.group != number:
        raise Corrupt(structure, position, f"group is {prefix.group}")
    if not 1 <= prefix.row_count <= shard.header.rows_per_group:
        raise Corrupt(structure, position + 4, f"R-GROUP-3: {prefix.row_count} rows")
    check_position(shard, prefix.position, 64, structure, position + 16)
    chunks, column, variant = [], 0, 0
    for i in range(prefix.chunk_count):
        at = position + GROUP_PREFIX.byte_count + i * CHUNK_ENTRY.byte_count
        entry = CHUNK_ENTRY.read(raw, at - position)
        where = f"chunk entry {i} of row group {number}"
        if (entry.column, entry.first_variant) != (column, variant) or column >= len(schema.columns) or \
                not 1 <= entry.variant_count <= schema.columns[column].variant_count - variant:
            raise Corrupt(where, at, f"R-GROUP-1: column {entry.column}, {entry.variant_count} variants from {entry.first_variant}")
        if entry.variant_count > 1 and not shard.header.required_features & SPANNING:
            raise Corrupt(where, at, "R-GROUP-2: several variants without required feature 0")
        if entry.reserved:
            raise Unsupported(where, at + 7, "R-HEAD-4: a reserved byte is not 0")
        if entry.flags & ~1:
            raise Unsupported(where, at + 6, f"flags {entry.flags:#04x}")
        check_position(shard, entry.index_position, entry.index_byte_count, where, at + 8)
        if entry.stored_byte_count > entry.index_position:
            raise Corrupt(where, at + 24, "more stored bytes than stand before the index")
        variant += entry.variant_count
        if variant == schema.columns[column].variant_count:
            column, variant = column + 1, 0
        name = f"chunk (group {number}, column {entry.column}, variant {entry.first_variant})"
        chunks.append(SimpleNamespace(**entry._asdict(), name=name))
    if column != len(schema.columns):
        raise Corrupt(structure, position, f"R-GROUP-1: no chunk for column {column}, variant {variant}")
    at = byte_count - 16 - 16 * len(schema.columns)
    digests = [int.from_bytes(raw[i:i + 16], "little") for i in range(at, byte_count, 16)]
    for i, digest in enumerate(digests):
        check_digest(digest, structure, position + at + 16 * i)
    fields = prefix._asdict() | {"chunks": chunks, "row_set_digest": digests[0], "column_digests": digests[1:],
                                 "payload": raw[:byte_count], "payload_position": position}
    return SimpleNamespace(**fields)


def check_position(shard, position, byte_count, structure, at):
    """A block that something points to begins on a boundary, behind the file header and before the footer."""
    if position % 64 or position < 64 or byte_count < 64 or byte_count > shard.end - position:
        raise Corrupt(structure, at, f"R-FILE-1: no block can have {byte_count} bytes at {position}")


# ---------------------------------------------------------------- 5.7: footer

FOOTER_PREFIX = Layout("footer prefix", "row_count:Q group_count:I auxiliary_count:I schema_byte_count:I notes_byte_count:I")
AUXILIARY_ENTRY = Layout("auxiliary entry", "first_position:Q second_position:Q payload_byte_count:I checksum:I kind:H "
                         "column:H group:I")
NOTES = Record("notes", (1, "note", "note", "*"))


def read_footer_lengths(data, tail):
    """The footer's block header and checksum, and the parts of its payload, each with its position."""
    at = tail.footer_position
    header = read_block_header(data[at:at + 64], at, "footer", kind=FOOTER, shard_tag=tail.shard_tag)
    if block_byte_count(header) != tail.footer_byte_count or header.checksum != tail.footer_crc32c:
        raise Corrupt("footer", at, "its size or checksum is not what the tail says")
    if header.payload_byte_count > MAXIMUM_FOOTER:
        raise Limit("footer", at, f"R-LIMIT-1: a payload of {header.payload_byte_count} bytes")
    payload = read_block_payload(data, at, header, "footer")
    at += 64
    if len(payload) < FOOTER_PREFIX.byte_count:
        raise Corrupt("footer", at, f"R-FOOT-1: a payload of {len(payload)} bytes")
    prefix = FOOTER_PREFIX.read(payload, 0)
    schema_at = FOOTER_PREFIX.byte_count
    notes_at = schema_at + prefix.schema_byte_count
    auxiliaries_at = notes_at + prefix.notes_byte_count
    groups_at = auxiliaries_at + AUXILIARY_ENTRY.byte_count * prefix.auxiliary_count
    if groups_at > len(payload):
        raise Corrupt("footer", at, "R-FOOT-1: the payload ends inside its parts")
    for name, count in (("schema", prefix.schema_byte_count), ("notes", prefix.notes_byte_count)):
        if count > MAXIMUM_SCHEMA:
            raise Limit("footer", at + 16, f"R-LIMIT-1: {count} bytes of {name}")
    if prefix.row_count != tail.row_count:
        raise Corrupt("footer", at, f"{prefix.row_count} rows, and {tail.row_count} in the tail")
    return SimpleNamespace(prefix=prefix, position=at, payload=payload,
                           schema=payload[schema_at:notes_at], schema_position=at + schema_at,
                           notes=payload[notes_at:auxiliaries_at], notes_position=at + notes_at,
                           auxiliaries=payload[auxiliaries_at:groups_at], auxiliaries_position=at + auxiliaries_at,
                           groups=payload[groups_at:], groups_position=at + groups_at)


def check_footer_schema(data, header, footer):
    """R-FOOT-2, as far as schema_crc32c tells. Where both schemas are equal, the checksum is wrong, else a schema."""
    if (len(footer.schema), crc32c(footer.schema)) != (header.schema_byte_count, header.schema_crc32c):
        if data[64:64 + header.schema_byte_count] == footer.schema:
            raise Checksum("schema", 64, "schema_crc32c")
        raise Corrupt("footer", footer.schema_position, "R-FOOT-2: its schema is not the one behind the file header")


def read_auxiliary_entries(shard, raw, position, group_count):
    entries = []
    for offset in range(0, len(raw), AUXILIARY_ENTRY.byte_count):
        entry, at = AUXILIARY_ENTRY.read(raw, offset), position + offset
        structure = f"auxiliary entry {len(entries)}"
        for copy_position in (entry.first_position, entry.second_position):
            check_position(shard, copy_position, 64 + pad64(entry.payload_byte_count), structure, at)
        if entry.payload_byte_count > MAXIMUM_AUXILIARY:
            raise Limit(structure, at + 16, f"R-LIMIT-1: {entry.payload_byte_count} bytes")
        if entry.column >= len(shard.schema.columns) or entry.group >= group_count:
            raise Corrupt(structure, at + 26, f"R-AUX-3: column {entry.column}, row group {entry.group}")
        entries.append(entry)
    return entries


def read_groups(shard, raw, position, prefix):
    groups, offset, rows = [], 0, 0
    for number in range(prefix.group_count):
        group = read_group_payload(shard, raw[offset:], position + offset, number)
        at = position + offset
        if group.first_row != rows:
            raise Corrupt(f"row group {number}", at + 8, f"R-FOOT-3: first_row is {group.first_row}, not {rows}")
        if number < prefix.group_count - 1 and group.row_count != shard.header.rows_per_group:
            raise Corrupt(f"row group {number}", at + 4, f"R-GROUP-3: {group.row_count} rows, and not the last")
        groups.append(group)
        offset, rows = offset + len(group.payload), rows + group.row_count
    if offset != len(raw):
        raise Corrupt("footer", position + offset, "R-FOOT-1: bytes behind the last group")
    if prefix.row_count != rows:
        raise Corrupt("footer", position, f"R-FOOT-3: row_count is {prefix.row_count}, and the groups have {rows}")
    return groups


# ---------------------------------------------------------------- 5.8: tail

TAIL = Layout("tail", "footer_position:Q footer_byte_count:I footer_crc32c:I file_byte_count:Q shard_tag:Q row_count:Q "
              "major:H minor:H reserved:8s tail_crc32c:I magic:8s")


def read_tail(data):
    """R-TAIL-1 and R-TAIL-2, but for the comparison with the file header."""
    at = len(data) - 64
    tail = TAIL.read(data, at)
    if tail.magic != TAIL_MAGIC:
        if crc32c(data[at:at + 52]) == tail.tail_crc32c:
            raise Corrupt("tail", at + 56, "R-TAIL-1: the magic is damaged")
        raise Truncated("tail", at, "R-TAIL-1: there is no tail")
    check_crc(data[at:at + 52], tail.tail_crc32c, "tail", at + 52, "R-TAIL-2: tail_crc32c")
    check_major(tail.major, "tail", at + 40)
    if tail.file_byte_count != len(data):
        error = Truncated if len(data) < tail.file_byte_count else Corrupt
        raise error("tail", at + 16, f"R-TAIL-2: {len(data)} bytes, and the tail says {tail.file_byte_count}")
    if tail.footer_position + tail.footer_byte_count != at or tail.footer_byte_count < 64 or tail.footer_position < 64 \
            or tail.footer_position % 64:
        raise Corrupt("tail", at, "R-TAIL-2: the footer does not end where the tail begins")
    check_reserved(tail.reserved, "tail", at + 44)
    return tail


def check_tail_against_header(data, tail, header):
    if (tail.shard_tag, tail.major, tail.minor) != (header.shard_tag, header.major, header.minor):
        raise Corrupt("tail", len(data) - 64, "R-TAIL-2: tag or version are not the file header's")
