"""Appendix A of FORMAT.md: every byte of a shard, with its position, field and meaning.

Bytes that were listed before, or whose like was, are counted and not shown again: of each table the first one is listed
in full, and of block headers the first one field by field, the first one of each other kind in rows of 16 bytes."""
import textwrap

import decoder_archive
import decoder_encodings
import decoder_planes
import decoder_verify
from decoder import *

POSITION_WIDTH, BYTES_WIDTH, WIDTH = 6, 37, 128
MEANING_WIDTH = WIDTH - POSITION_WIDTH - BYTES_WIDTH - 4


class Listing:
    """Lines of `position  bytes  meaning`; each field begins where the one before it ended."""

    def __init__(self, data):
        self.data, self.position, self.lines, self.shown = data, 0, [], set()

    def title(self, text):
        self.lines += [""] if self.lines else []
        self.lines.append(text)

    def note(self, text):
        """A line about bytes that were listed already."""
        self.add(self.position, [], text)

    def counted(self, byte_count, meaning):
        """Bytes that are not shown."""
        begin = f"{self.position:>{POSITION_WIDTH}}  {byte_count} bytes  "
        self.lines += textwrap.wrap(meaning, WIDTH, initial_indent=begin, subsequent_indent=" " * (len(begin) + 2))
        self.position += byte_count

    def field(self, byte_count, meaning, *splits):
        """The next bytes; a number is one group of digits, a longer field is in groups of 4 bytes, or of `splits`."""
        begin = self.position
        raw = bytes(self.data[begin:begin + byte_count])
        sizes = list(splits) if splits else [byte_count] if byte_count <= 8 else []
        groups, offset = [], 0
        while offset < byte_count:
            size = sizes.pop(0) if sizes else 4
            while size > 0:                                             # nothing wider than 16 bytes
                groups.append(raw[offset:offset + min(size, 16)].hex().upper())
                offset, size = offset + min(size, 16), size - 16
        if byte_count > 16 and not any(raw):
            groups = [f"00 × {byte_count}"]
        if byte_count:
            self.add(begin, groups, meaning)
        self.position += byte_count

    def add(self, position, groups, meaning):
        rows = [""]
        for group in groups:
            if rows[-1] and len(rows[-1]) + 1 + len(group) > BYTES_WIDTH:
                rows.append("")
            rows[-1] += (" " if rows[-1] else "") + group
        texts = textwrap.wrap(meaning, MEANING_WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [""]
        for i in range(max(len(rows), len(texts))):
            at = position if i == 0 and groups else ""
            row, text = rows[i] if i < len(rows) else "", texts[i] if i < len(texts) else ""
            self.lines.append(f"{at:>{POSITION_WIDTH}}  {row:<{BYTES_WIDTH}}  {text}".rstrip())

    def zeros(self, count, what):
        """Zeros on a line of their own."""
        self.add(self.position, [f"00 × {count}" if count > 1 else "00"], what)
        self.position += count

    def padding(self, end, what="padding"):
        """Zeros behind a field, in the last line about it."""
        count = end - self.position
        if count and not any(self.data[self.position:end]):
            self.lines[-1] += f"; {what} 00 × {count}"
            self.position = end
        else:
            self.field(count, f"{what} that is not zero")

    def layout(self, layout, meanings, hidden=(), known=(), label=""):
        """The fields of a table; `hidden` ones (0, without a meaning here) are joined. The second table of a name has
        one line, without `known` fields and those that are 0."""
        values, skipped = layout.read(self.data, self.position), 0
        if layout.name in self.shown:
            fields = [f"{name}={field_value(name, value)}" for name, value in zip(layout.names, values)
                      if value and name not in {*hidden, *known} and not isinstance(value, bytes)]
            self.counted(layout.byte_count, f"{label}: {', '.join(fields)}")
            return values
        self.shown.add(layout.name)
        if label:
            self.note(label + ":")
        for name, code in zip(layout.names, layout.codes):
            size = struct.calcsize("<" + code)
            if name in hidden:
                skipped += size
                continue
            if skipped:
                self.zeros(skipped, "no meaning in this kind")
                skipped = 0
            value = getattr(values, name)
            text = meanings.get(name) or ("" if isinstance(value, bytes) else f"= {field_value(name, value)}")
            self.field(size, f"{name} {text}".strip())
        return values

    def rows_of_16(self, layout, hidden):
        values = layout.read(self.data, self.position)
        sizes, names = [], []
        for name, code in zip(layout.names, layout.codes):
            sizes.append(struct.calcsize("<" + code))
            if name not in hidden:
                value = getattr(values, name)
                names.append(name if isinstance(value, bytes) else f"{name}={field_value(name, value)}")
            if sum(sizes) == 16 or name == layout.names[-1]:
                self.field(sum(sizes), ", ".join(names) or "no meaning in this kind", *sizes)
                sizes, names = [], []


def field_value(name, value):
    if name == "shard_tag":
        return f"{value:#x}"
    return f"0x{value:08X}" if "crc" in name or name == "checksum" else str(value)


def explain(data):
    """The listing of a shard in which the verifier finds nothing; else its first finding."""
    for finding in decoder_verify.verify(data):
        raise finding
    data = memoryview(data)
    shard = open_shard(data)
    listing = Listing(data)
    listing.title("File header (5.1)")
    header = listing.layout(FILE_HEADER, {})
    listing.title("Schema (9.1)")
    explain_record(listing, SCHEMA, data[64:64 + header.schema_byte_count])
    listing.padding(64 + pad64(header.schema_byte_count))
    pages = {page.position: page for group in shard.groups for chunk in group.chunks
             for page in read_index(shard, group, chunk)}
    while listing.position < len(data) - 64:
        explain_block(listing, shard, pages)
    listing.title("Tail (5.8)")
    listing.layout(TAIL, {})
    return "\n".join(listing.lines) + "\n"


def explain_record(listing, record, raw, indent=""):
    """Tag, byte count and value of each field."""
    numbers = {}
    base = listing.position
    for tag, at, value_at, value in split_record(raw, base, record.name):
        field, kind, _, repeated = record.fields.get(tag, ("skipped", None, False, False))
        number = ""
        if repeated:
            number = f" {numbers.setdefault(tag, 0)}"
            numbers[tag] += 1
        if isinstance(kind, Record):
            listing.field(6, f"{indent}{kind.name}{number if repeated else ''}: a record of {len(value)} bytes", 2, 4)
            explain_record(listing, kind, value, indent + "· ")
            continue
        meaning = "" if kind is None else record_value(record, field, kind, value)
        listing.field(6 + len(value), f"{indent}{field}{number} {meaning}".rstrip(), 2, 4, *([len(value)] if len(value) <= 8 else []))


def record_value(record, field, kind, raw):
    value = record.read_value(field, kind, raw, 0, record.name)
    if isinstance(value, str):
        return "= " + quoted(value)
    if field == "type":
        return f"= {value} ({TYPE_NAMES[value]})"
    if field == "element":
        return f"= {value} ({ELEMENT_NAMES[value]})"
    if field == "dims":
        return "= " + ("x".join(map(str, value)) or "()")
    if kind == "note":
        return f"{quoted(value[0])} = {quoted(value[1])}"
    if isinstance(value, tuple):
        return "= " + ", ".join(v[::-1].hex() if isinstance(v, bytes) else str(v) for v in value)
    if field in ("logit_scale", "magnitudes"):
        return f"= {struct.unpack('<d', raw)[0]!r}"
    return "= " + (value.hex() if isinstance(value, bytes) else str(value))


def explain_block(listing, shard, pages):
    position = listing.position
    header = read_block_header(listing.data[position:position + 64], position, "block", shard_tag=shard.tag)
    listing.title(block_title(header, pages.get(position), shard))
    hidden = set(BLOCK_HEADER.names) - MEANINGFUL[header.kind]
    flags = " + ".join(name for bit, name in ((MISSING, "missing"), (PACKED, "packed")) if header.flags & bit)
    known = {"kind", "shard_tag", "group", "column", "first_variant", "variant_count", "ordinal", "first_row"}
    if BLOCK_HEADER.name in listing.shown and header.kind not in listing.shown:
        listing.rows_of_16(BLOCK_HEADER, hidden)
    else:
        listing.layout(BLOCK_HEADER, {
            "kind": f"= {header.kind} ({KIND_NAMES[header.kind]})", "flags": f"= {header.flags}" + (f" ({flags})" if flags else ""),
            "codec": f"= {header.codec} ({CODEC_NAMES.get(header.codec, 'unknown')})",
            "encoding": f"= {header.encoding} ({ENCODING_NAMES.get(header.encoding, 'unknown')})" if header.kind == PAGE else None,
        }, hidden, known, "block header")
    end = position + block_byte_count(header)
    if header.kind == PAGE:
        explain_page(listing, shard, pages[position])
    elif header.kind == INDEX:
        for number in range(header.payload_byte_count // INDEX_ENTRY_BYTE_COUNT):
            at = int.from_bytes(listing.data[listing.position:listing.position + 8], "little")
            listing.field(8, f"entry {number}: position = {at}")
            listing.counted(64, f"entry {number}: the same bytes as at {at}")
    elif header.kind == GROUP:
        explain_group(listing, shard)
    elif header.kind == FOOTER:
        explain_footer(listing, shard)
    elif header.encoding == decoder_planes.KIND:
        explain_exponent_table(listing, header)
    elif header.encoding == decoder_archive.KIND:
        explain_archive_model(listing, header)
    else:
        listing.field(header.payload_byte_count, "payload")
    payload_end = end - (64 if header.flags & PACKED else 0)
    listing.padding(payload_end)
    listing.padding(end, "slack")
    listing.shown.add(header.kind)


def explain_exponent_table(listing, header):
    """6.4; a payload that is too short for one can stand in an auxiliary page that nothing refers to."""
    table = decoder_planes.TABLE
    if header.payload_byte_count >= table.byte_count:
        listing.layout(table, {}, label="exponent table")
        listing.field(header.payload_byte_count - table.byte_count, "bases")
    else:
        listing.field(header.payload_byte_count, "payload")


def explain_archive_model(listing, header):
    """6.5; as above, it need not be one if nothing refers to it."""
    dims = int.from_bytes(listing.data[listing.position + 4:listing.position + 8], "little")
    if header.payload_byte_count < 8 + 5 * dims or header.payload_byte_count < 8:
        listing.field(header.payload_byte_count, "payload")
        return
    listing.field(1, f"lane_count = {listing.data[listing.position]}")
    listing.field(3, "reserved")
    listing.field(4, f"element_count = {dims}")
    for name, size in (("means", 2), ("units", 1), ("first_scales", 1), ("later_scales", 1)):
        listing.field(size * dims, name)
    listing.field(header.payload_byte_count - 8 - 5 * dims, "frequencies")


def block_title(header, page, shard):
    if page:
        rows = f"rows {header.first_row} to {header.first_row + header.row_count - 1}"
        return f"Page {header.ordinal} of group {header.group}, column {header.column}, {variants(header)}: {rows} (5.3)"
    if header.kind == INDEX:
        return f"Chunk index of group {header.group}, column {header.column}, {variants(header)} (5.5)"
    if header.kind == AUXILIARY:
        return f"Auxiliary page {header.ordinal}, copy {header.copy} (5.4)"
    return f"Group block {header.group} (5.6)" if header.kind == GROUP else "Footer (5.7)"


def variants(header):
    last = header.first_variant + header.variant_count - 1
    return f"variant {last}" if header.variant_count == 1 else f"variants {header.first_variant} to {last}"


def explain_page(listing, shard, page):
    """The prologue's tables and the units; the cells of a unit that is compressed have no bytes of their own."""
    header, column, prologue = page.header, page.column, read_prologue(shard, page)
    for name, byte_count in prologue_tables(header, column):
        if name == "states":
            cells = header.row_count * header.variant_count
            states = [prologue.states[i // 4] >> 2 * (i % 4) & 3 for i in range(cells)]
            listing.field(byte_count, "states = " + ", ".join(map(str, states)))
            continue
        for unit in range(byte_count // 4):
            value = int.from_bytes(listing.data[listing.position:listing.position + 4], "little")
            text = f"0x{value:08X}" if name == "checksums" else str(value)
            singular = {"checksums": "checksum", "ends": "end", "plain sizes": "plain size"}[name]
            listing.field(4, f"{singular} of unit {unit} = {text}")
    listing.padding(page.position + 64 + pad64(header.prologue_byte_count))
    payload_at = listing.position
    for unit, (begin, stored_count, plain_count, _) in enumerate(prologue.units):
        listing.padding(payload_at + begin, "padding")
        cells = read_unit(shard, page, prologue, unit)
        compressed = stored_count != plain_count
        if compressed:
            explain_unit(listing, shard, page, unit, stored_count, plain_count)
        elif column.type != TENSOR:
            lengths = plain_count - sum(len(slot) for _, slot in cells)
            listing.field(lengths, f"unit {unit}: lengths " + ", ".join(str(len(slot)) for _, slot in cells))
        for i, (state, slot) in enumerate(cells):
            row, variant = divmod(i, header.variant_count)
            row += header.first_row + unit * header.rows_per_unit
            text = f"unit {unit}: row {row}, variant {header.first_variant + variant}: {dump_value(state, slot, column)}"
            if compressed or not len(slot):
                listing.note(text)
            else:
                listing.field(len(slot), text, *([column.element_size] * (len(slot) // column.element_size) if
                                                 column.element_size and column.element_size > 1 else ()))


def explain_unit(listing, shard, page, number, stored_count, plain_count):
    """A unit that is not stored plain, before its cells."""
    header, name = page.header, f"unit {number}"
    what = ENCODING_NAMES[header.encoding] if header.encoding else CODEC_NAMES[header.codec]
    text = f"{name}: {stored_count} bytes of {what}, {plain_count} plain bytes"
    if not stored_count:
        listing.note(f"{name}: no bytes, since no cell is present:")
        return
    if not header.encoding:
        listing.field(stored_count, text + ":")
        return
    listing.note(text + ":")
    stored = listing.data[listing.position:listing.position + stored_count]
    table, rows = encoding_table(shard, page), unit_rows(header, number)
    for part, byte_count in decoder_encodings.unit_parts(header, page.column, table, stored, rows, plain_count):
        listing.field(byte_count, f"{name}: {part}")


def explain_group(listing, shard):
    prefix = listing.layout(GROUP_PREFIX, {}, label="group")
    for number in range(prefix.chunk_count):
        listing.layout(CHUNK_ENTRY, {}, label=f"chunk entry {number}")
    explain_digests(listing, shard)


def explain_digests(listing, shard):
    def digest():
        return f"{int.from_bytes(listing.data[listing.position:listing.position + 16], 'little'):032x}"
    listing.field(16, f"row_set_digest = {digest()}")
    for number in range(len(shard.schema.columns)):
        listing.field(16, f"digest of column {number} = {digest()}")


def explain_footer(listing, shard):
    footer = shard.footer
    listing.layout(FOOTER_PREFIX, {})
    listing.counted(len(footer.schema), "schema: the same bytes as at 64")
    explain_record(listing, NOTES, footer.notes)
    for number in range(len(shard.auxiliaries)):
        listing.layout(AUXILIARY_ENTRY, {}, label=f"auxiliary entry {number}")
    for group in shard.groups:
        listing.counted(len(group.payload), f"group {group.group}: the same bytes as the payload of its group block")
