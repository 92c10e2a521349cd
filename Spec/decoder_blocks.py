"""Sections 5.1 to 5.5 of FORMAT.md: the file header, blocks, pages, auxiliary pages and indexes."""
import struct
from types import SimpleNamespace

from decoder_base import *
from decoder_encodings import ENCODINGS, check_encoded_page


# ---------------------------------------------------------------- 5.1: file header

MAJOR = 1
SPANNING = 1 << 0
KNOWN_REQUIRED_FEATURES = SPANNING                                      # 14.2: nobody knows the draft bit
FILE_MAGIC = bytes.fromhex("89445253 0D0A1A0A")
TAIL_MAGIC = bytes.fromhex("4452532D 454E440A")                         # 5.8
FILE_HEADER = Layout("file header", "magic:8s major:H minor:H schema_byte_count:I shard_tag:Q required_features:Q "
                     "optional_features:Q rows_per_group:I schema_crc32c:I reserved:12s header_crc32c:I")


def check_major(major, structure, position):
    if major != MAJOR:
        raise Unsupported(structure, position, f"R-HEAD-3: format version {major}")


def check_reserved(raw, structure, position):
    if any(raw):
        raise Unsupported(structure, position, "R-HEAD-4: a reserved byte is not 0")


def past_end(data, structure, position, reason):
    """R-BLOCK-5: the error for what does not fit in the file: truncated, or corrupt if the tail is there."""
    return (Corrupt if data[-8:] == TAIL_MAGIC else Truncated)(structure, position, "R-BLOCK-5: " + reason)


def read_file_header(data):
    """R-HEAD-1: magic, header_crc32c, major, required_features, in this order; then the rest."""
    if len(data) < 128:
        raise Truncated("file", 0, f"R-FILE-3: {len(data)} bytes")
    header = FILE_HEADER.read(data, 0)
    if header.magic != FILE_MAGIC:
        raise Corrupt("file header", 0, "R-HEAD-2: not a shard")
    check_crc(data[0:60], header.header_crc32c, "file header", 60, "header_crc32c")
    check_major(header.major, "file header", 8)
    unknown = header.required_features & ~KNOWN_REQUIRED_FEATURES
    if unknown:
        bits = ", ".join(str(bit) for bit in range(64) if unknown >> bit & 1)
        raise Unsupported("file header", 24, f"R-VER-1: required feature {bits}")
    check_reserved(header.reserved, "file header", 48)
    if header.rows_per_group == 0:
        raise Corrupt("file header", 40, "R-HEAD-5: rows_per_group is 0")
    if header.rows_per_group > MAXIMUM_ROWS_PER_GROUP:
        raise Limit("file header", 40, f"R-LIMIT-1: rows_per_group is {header.rows_per_group}")
    if header.schema_byte_count > MAXIMUM_SCHEMA:
        raise Limit("file header", 12, f"R-LIMIT-1: a schema of {header.schema_byte_count} bytes")
    if 64 + pad64(header.schema_byte_count) > len(data):
        raise past_end(data, "schema", 64, "the file ends before the schema does")
    return header


# ---------------------------------------------------------------- 5.2: block header

BLOCK_MAGIC = bytes.fromhex("44525342")
PAGE, AUXILIARY, INDEX, GROUP, FOOTER = 1, 2, 3, 4, 5
KIND_NAMES = {PAGE: "page", AUXILIARY: "auxiliary page", INDEX: "chunk index", GROUP: "group block", FOOTER: "footer"}
MISSING, PACKED = 1, 2
BLOCK_HEADER = Layout("block header", "magic:4s kind:B flags:B codec:B copy:B shard_tag:Q group:I column:H encoding:H "
                      "first_variant:H variant_count:H ordinal:I first_row:I row_count:I rows_per_unit:I auxiliary:I "
                      "prologue_byte_count:I payload_byte_count:I checksum:I header_crc32c:I")
ALWAYS = {"magic", "kind", "shard_tag", "payload_byte_count", "checksum", "header_crc32c"}
MEANINGFUL = {                                                          # R-BLOCK-2: what has a meaning in which kind
    PAGE: set(BLOCK_HEADER.names) - {"copy"},
    AUXILIARY: ALWAYS | {"copy", "group", "column", "encoding", "ordinal"},
    INDEX: ALWAYS | {"group", "column", "first_variant", "variant_count", "row_count"},
    GROUP: ALWAYS | {"group", "row_count"},
    FOOTER: ALWAYS,
}


def block_byte_count(header):
    """R-BLOCK-1."""
    slack = 64 if header.flags & PACKED else 0
    return 64 + pad64(header.prologue_byte_count) + pad64(header.payload_byte_count) + slack


def read_block_header(raw, position, structure, **identity):
    """R-BLOCK-3: magic, header_crc32c, then what the reader looked for; R-BLOCK-2; R-BLOCK-4."""
    if len(raw) < 64:
        raise Corrupt(structure, position, "R-BLOCK-5: there is no room for a block header")
    header = BLOCK_HEADER.read(raw, 0)
    if header.magic != BLOCK_MAGIC:
        raise Corrupt(structure, position, "R-BLOCK-3: no block header here")
    check_crc(raw[0:60], header.header_crc32c, structure, position + 60, "R-BLOCK-3: header_crc32c")
    if header.kind not in KIND_NAMES:
        raise Unsupported(structure, position + 4, f"R-BLOCK-4: block kind {header.kind}")
    for name, expected in identity.items():
        if getattr(header, name) != expected:
            raise Corrupt(structure, position, f"R-BLOCK-3: {name} is {getattr(header, name)}, not {expected}")
    if header.flags & ~(MISSING | PACKED):
        raise Unsupported(structure, position + 5, f"R-BLOCK-4: flags {header.flags:#04x}")
    for name in BLOCK_HEADER.names:
        if name not in MEANINGFUL[header.kind] and getattr(header, name) != 0:
            raise Corrupt(structure, position, f"R-BLOCK-2: {name} is {getattr(header, name)} in a {KIND_NAMES[header.kind]}")
    if header.kind == AUXILIARY and header.copy > 1:
        raise Corrupt(structure, position + 7, f"copy is {header.copy}")
    for name, maximum in (("prologue_byte_count", MAXIMUM_PROLOGUE), ("payload_byte_count", maximum_payload(header.kind))):
        if getattr(header, name) > maximum:
            raise Limit(structure, position, f"R-LIMIT-1: {name} is {getattr(header, name)}")
    return header


def maximum_payload(kind):
    return {PAGE: MAXIMUM_PAYLOAD, AUXILIARY: MAXIMUM_AUXILIARY}.get(kind, 0xFFFFFFFF)  # a footer must first fit: R-FOOT-1


def read_block_payload(data, position, header, structure):
    """The payload of a block that is not a page, after its checksum."""
    if block_byte_count(header) > len(data) - position:
        raise Corrupt(structure, position, "R-BLOCK-5: the file ends before the block does")
    payload = data[position + 64:position + 64 + header.payload_byte_count]
    check_crc(payload, header.checksum, structure, position + 64, "the checksum of the payload")
    return payload


# ---------------------------------------------------------------- 5.3: page

def unit_count(header):
    """R-PAGE-1."""
    return ceil_div(header.row_count, header.rows_per_unit)


def unit_rows(header, unit):
    """R-PAGE-1: how many rows unit number `unit` holds."""
    return min(header.rows_per_unit, header.row_count - unit * header.rows_per_unit)


def has_plain_sizes(header, column):
    return bool(header.flags & PACKED and (header.encoding, header.codec) != (0, 0) and column.type != TENSOR)


def prologue_tables(header, column):
    """The tables of the prologue: (name, byte count)."""
    units = unit_count(header)
    yield "checksums", 4 * units
    if header.flags & PACKED:
        yield "ends", 4 * units
    if has_plain_sizes(header, column):
        yield "plain sizes", 4 * units
    if header.flags & MISSING:
        yield "states", ceil_div(header.row_count * header.variant_count, 4)


def unit_stride(header, column):
    return pad64(header.rows_per_unit * header.variant_count * column.cell_byte_count)


# 6.3 and 7: what this reader knows.
CODEC_NAMES = {0: "none", 1: "zstd", 2: "lz4"}
ZSTD_DICTIONARY = 1


def is_known(header):
    """Whether this reader knows the page's encoding and codec."""
    return (header.encoding == 0 or header.encoding in ENCODINGS) and header.codec in CODEC_NAMES


def auxiliary_use(header):
    """The kind of auxiliary page that a page has a use for, or None."""
    if header.encoding:
        return ENCODINGS[header.encoding].module.KIND
    return ZSTD_DICTIONARY if CODEC_NAMES[header.codec] == "zstd" else None


def check_page_header(shard, page, structure, position):
    """The rules that the page header alone can break. R-ENC-1, R-CODEC-3: of a page of an unknown encoding
    or codec nothing more is asked, until somebody wants its cells."""
    header, column = page.header, page.column
    if header.row_count == 0 or header.rows_per_unit == 0:
        raise Corrupt(structure, position, "R-PAGE-1: row_count or rows_per_unit is 0")
    if not is_known(header):
        return
    if header.encoding:
        check_encoded_page(header, column, structure, position)
    raw = column.type == TENSOR and header.encoding == 0 and header.codec == 0
    if raw == bool(header.flags & PACKED):
        raise Corrupt(structure, position, f"R-PAGE-6: this page is {'' if raw else 'not '}packed")
    prologue_byte_count = sum(byte_count for _, byte_count in prologue_tables(header, column))
    if header.prologue_byte_count != prologue_byte_count:
        raise Corrupt(structure, position, f"R-PAGE-2: a prologue of {header.prologue_byte_count} bytes, "
                      f"where its tables have {prologue_byte_count}")
    if raw:
        last = unit_count(header) - 1
        cells = unit_rows(header, last) * header.variant_count
        end = last * unit_stride(header, column) + cells * column.cell_byte_count
        if header.payload_byte_count != pad64(end):
            raise Corrupt(structure, position, f"R-PAGE-7: a payload of {header.payload_byte_count} bytes, not {pad64(end)}")
    if header.auxiliary:
        check_reference_to_auxiliary(shard, header, structure, position)


def check_reference_to_auxiliary(shard, header, structure, position):
    """R-CODEC-4, R-AUX-5: the footer has an auxiliary page of this number, and the page a use for it."""
    use = auxiliary_use(header)
    if use is None:
        raise Corrupt(structure, position, "R-CODEC-4: an auxiliary page for a codec that has none")
    if header.auxiliary > len(shard.auxiliaries):
        raise Corrupt(structure, position, f"there is no auxiliary page {header.auxiliary - 1}")
    auxiliary = shard.auxiliaries[header.auxiliary - 1]
    if auxiliary.group > header.group:
        raise Corrupt(structure, position, "R-AUX-5: an auxiliary page of a later row group")
    if auxiliary.kind != use:
        raise Corrupt(structure, position, f"R-AUX-5: an auxiliary page of kind {auxiliary.kind}, not {use}")
    if auxiliary.column != header.column:
        raise Corrupt(structure, position, "R-AUX-5: an auxiliary page of another column")


def read_prologue(shard, page):
    """The tables, and from them for each unit (begin, stored byte count, plain byte count, checksum)."""
    header, column = page.header, page.column
    at = page.position + 64
    structure = f"prologue of {page.name}"
    raw = shard.data[at:at + header.prologue_byte_count]
    check_crc(raw, header.checksum, structure, at, "the checksum of the prologue")
    tables, offset = {}, 0
    for name, byte_count in prologue_tables(header, column):
        table = raw[offset:offset + byte_count]
        tables[name] = bytes(table) if name == "states" else struct.unpack(f"<{byte_count // 4}I", table)
        offset += byte_count
    count = unit_count(header)
    plain = [unit_rows(header, u) * header.variant_count * column.cell_byte_count for u in range(count)] \
        if column.type == TENSOR else tables.get("plain sizes")
    if header.flags & PACKED:
        ends = tables["ends"]
        begins = (0,) + ends[:-1]
        if any(begin > end for begin, end in zip(begins, ends)):
            raise Corrupt(structure, at, "R-PAGE-3: ends decrease")
        if ends[-1] != header.payload_byte_count:
            raise Corrupt(structure, at, "R-PAGE-3: the last end is not payload_byte_count")
        stored = [end - begin for begin, end in zip(begins, ends)]
        plain = plain or stored                                         # 6.1: a ragged type with codec none
    else:
        begins, stored = [u * unit_stride(header, column) for u in range(count)], plain
    states = tables.get("states")
    if states is not None:
        check_states(states, header.row_count * header.variant_count, structure, at)
    for u in range(count):
        check_unit_sizes(page, u, stored[u], plain[u], unit_states(header, states, u), structure, at)
    return SimpleNamespace(units=list(zip(begins, stored, plain, tables["checksums"])), states=states)


def unit_states(header, states, unit):
    """The states of the cells of a unit."""
    first = unit * header.rows_per_unit * header.variant_count
    cells = range(first, first + unit_rows(header, unit) * header.variant_count)
    return [states[i // 4] >> 2 * (i % 4) & 3 if states else PRESENT for i in cells]


def check_unit_sizes(page, unit, stored, plain, states, structure, position):
    """R-UNIT-4, R-UNIT-5."""
    if page.header.flags & PACKED and page.column.type == TENSOR and PRESENT not in states:
        if stored:
            raise Corrupt(structure, position, f"R-UNIT-5: unit {unit} has {stored} bytes, and no cell is present")
    elif plain > EXPANSION_LIMIT * stored or plain < stored:
        raise Corrupt(structure, position, f"R-UNIT-4: unit {unit} has {stored} stored and {plain} plain bytes")
    if plain > MAXIMUM_UNIT:
        raise Limit(structure, position, f"R-LIMIT-1: unit {unit} has {plain} plain bytes")


def check_states(states, cells, structure, position):
    """R-PAGE-4, R-PAGE-5."""
    if cells % 4 and states[-1] >> 2 * (cells % 4):
        raise Corrupt(structure, position, "R-PAGE-4: a bit is set behind the last state")
    if any(byte & byte >> 1 & 0x55 for byte in states):
        raise Corrupt(structure, position, "R-PAGE-4: a state of 3")
    if not any(states):
        raise Corrupt(structure, position, "R-PAGE-5: missing, and all cells are present")


# ---------------------------------------------------------------- 5.4: auxiliary page

def read_auxiliary(shard, number):
    """R-AUX-2: the payload of the first copy, or of the second if the first is damaged."""
    entry = shard.auxiliaries[number]
    try:
        return read_auxiliary_copy(shard, number, 0, entry.first_position)[1]
    except ShardError as first:
        try:
            return read_auxiliary_copy(shard, number, 1, entry.second_position)[1]
        except ShardError:
            raise first from None


def read_auxiliary_copy(shard, number, copy, position):
    entry, structure = shard.auxiliaries[number], f"auxiliary page {number}, copy {copy}"
    header = read_block_header(shard.data[position:position + 64], position, structure, kind=AUXILIARY,
                               shard_tag=shard.tag, group=entry.group, column=entry.column, ordinal=number, copy=copy,
                               encoding=entry.kind, payload_byte_count=entry.payload_byte_count, checksum=entry.checksum)
    return header, read_block_payload(shard.data, position, header, structure)


# ---------------------------------------------------------------- 5.5: chunk index

INDEX_ENTRY_BYTE_COUNT = 72


def read_index(shard, group, chunk):
    """The pages of a chunk, from its index. R-VAL-2, R-INDEX-1, R-INDEX-3."""
    at, structure = chunk.index_position, f"index of {chunk.name}"
    header = read_block_header(shard.data[at:at + 64], at, structure, kind=INDEX, shard_tag=shard.tag, group=group.group,
                               column=chunk.column, first_variant=chunk.first_variant,
                               variant_count=chunk.variant_count, row_count=group.row_count)
    if block_byte_count(header) != chunk.index_byte_count or header.checksum != chunk.index_crc32c:
        raise Corrupt(structure, at, "its size or checksum is not what the chunk entry says")
    payload = read_block_payload(shard.data, at, header, structure)
    if len(payload) % INDEX_ENTRY_BYTE_COUNT:
        raise Corrupt(structure, at, f"a payload of {len(payload)} bytes is not a list of entries")
    entries = []
    for offset in range(0, len(payload), INDEX_ENTRY_BYTE_COUNT):
        position = int.from_bytes(payload[offset:offset + 8], "little")
        entries.append((position, payload[offset + 8:offset + 72], at + 64 + offset + 8))
    return check_pages(shard, group, chunk, entries, structure, at)


def check_pages(shard, group, chunk, entries, structure, at):
    """R-INDEX-1, and the rules of 5.3 about headers. An entry is (position, header bytes, where these were read)."""
    pages, next_position, next_row = [], None, 0
    for ordinal, (position, raw, raw_at) in enumerate(entries):
        name = f"page {ordinal} of {chunk.name}"
        where = f"header of {name}"
        header = read_block_header(raw, raw_at, where, kind=PAGE, shard_tag=shard.tag, group=group.group,
                                   column=chunk.column, first_variant=chunk.first_variant,
                                   variant_count=chunk.variant_count, ordinal=ordinal, first_row=next_row)
        page = SimpleNamespace(position=position, header=header, column=shard.schema.columns[chunk.column], name=name, raw=raw)
        if header.row_count > group.row_count - next_row:
            raise Corrupt(where, raw_at, "R-INDEX-1: more rows than the row group has")
        check_page_header(shard, page, where, raw_at)
        if position % 64 or position < group.position or next_position not in (None, position):
            raise Corrupt(structure, raw_at - 8, f"R-INDEX-1: page {ordinal} at {position} is not where the one before it ends")
        if block_byte_count(header) > chunk.index_position - position:
            raise Corrupt(structure, raw_at - 8, f"R-VAL-2: page {ordinal} does not end before the index")
        next_position, next_row = position + block_byte_count(header), next_row + header.row_count
        pages.append(page)
    if next_row != group.row_count:
        raise Corrupt(structure, at, f"R-INDEX-1: the pages have {next_row} rows of {group.row_count}")
    if next_position - pages[0].position != chunk.stored_byte_count:
        raise Corrupt(structure, at, "the pages do not have stored_byte_count bytes together")
    if bool(chunk.flags & 1) != any(page.header.flags & MISSING for page in pages):
        raise Corrupt(structure, at, "bit 0 of the chunk's flags and the pages that are missing differ")
    return pages
