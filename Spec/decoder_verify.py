"""The verifier of FORMAT.md (sections 2 and 10: R-CONF-4, R-VAL-4), and the runner of the test vectors (appendix B)."""
import hashlib
import json
import os

from decoder import *


class Findings(list):
    """Errors in the order in which they were found, each once."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def add(self, error):
        key = (error.code, error.position, error.reason)
        if key not in self.seen:
            self.seen.add(key)
            self.append(error)

    def attempt(self, function, *arguments, **named):
        """What the function returns, or None and a finding."""
        try:
            return function(*arguments, **named)
        except ShardError as error:
            self.add(error)
            return None


def verify(data):
    """All findings about the bytes of a file."""
    data, findings = memoryview(data), Findings()
    shard = findings.attempt(open_shard, data)
    complete = shard is not None
    header = shard.header if complete else findings.attempt(read_file_header, data)
    if header is None:
        walk_without_header(data, findings)
        return findings
    start = 64 + pad64(header.schema_byte_count)
    end = shard.end if complete else end_of_blocks(data)
    schema = findings.attempt(check_first_schema, data, header)
    if complete and data[64:64 + header.schema_byte_count] != shard.footer.schema:
        findings.add(Corrupt("schema", 64, "R-FOOT-2: it is not the same as in the footer"))
    if complete:
        blocks = walk(data, start, len(data) - 64, header.shard_tag, findings)
    else:
        blocks = walk(data, start, end, header.shard_tag, findings)
        if schema is None:
            return findings
        shard = rebuild_shard(data, header, schema, blocks, end, findings)
    chunk_pages, row_ids = {}, set()
    for group in shard.groups:
        for chunk in group.chunks:
            chunk_pages[chunk.name] = find_pages(shard, group, chunk, blocks, findings)
    check_order(shard, blocks, chunk_pages, complete, findings)
    for number in range(len(shard.auxiliaries)):
        check_auxiliary(shard, number, findings)
    for group in shard.groups:
        check_group_block(shard, group, blocks, findings)
        check_cells(shard, group, chunk_pages, row_ids, findings)
    if complete and schema_has_other_rows(shard):
        findings.add(Corrupt("schema", 64, "R-SIDE-2: the side record names other rows than the shard's"))
    return findings


def schema_has_other_rows(shard):
    """R-SIDE-2."""
    side = shard.schema.side
    return side and (int.from_bytes(side.row_set_digest, "little"), side.row_count) != (shard_digests(shard)[0], shard.row_count)


def walk_without_header(data, findings):
    """11: the tail has the tag as well, and the footer the size of the schema."""
    tail = findings.attempt(read_tail, data) if len(data) >= 128 else None
    footer = findings.attempt(read_footer_lengths, data, tail) if tail else None
    if footer:
        walk(data, 64 + pad64(footer.prefix.schema_byte_count), len(data) - 64, tail.shard_tag, findings)


def end_of_blocks(data):
    """Where a walk ends in a file that did not open: at its tail, if it has one."""
    return len(data) - 64 if data[-8:] == TAIL_MAGIC else len(data)


def check_first_schema(data, header):
    """The schema behind the file header: its checksum, padding and fields."""
    raw = data[64:64 + header.schema_byte_count]
    check_crc(raw, header.schema_crc32c, "schema", 64, "schema_crc32c")
    check_zero(data, 64 + len(raw), 64 + pad64(len(raw)), "padding of the schema")
    return read_schema(raw, 64)


def check_zero(data, begin, end, structure):
    """R-FILE-2."""
    for position in range(begin, end):
        if data[position]:
            raise Corrupt(structure, position, "R-FILE-2: padding that is not zero")


# ---------------------------------------------------------------- the walk (5, 11)

def is_block(data, position, tag):
    """R-REC-1: a block header that has its magic, checksum and tag."""
    raw = data[position:position + 64]
    if len(raw) < 64 or raw[0:4] != BLOCK_MAGIC:
        return False
    header = BLOCK_HEADER.read(raw, 0)
    return header.shard_tag == tag and crc32c(raw[0:60]) == header.header_crc32c


def walk(data, start, end, tag, findings):
    """R-FILE-1: the headers of all blocks by their positions; what a block shows about itself is checked."""
    blocks, position, area = {}, start, data[:end]
    while position < end:
        if end - position < 64:
            findings.add(past_end(data, "block", position, "there is no room for a block header"))
            break
        findings.attempt(read_block_header, area[position:position + 64], position, "block", shard_tag=tag)
        if is_block(area, position, tag):
            header = BLOCK_HEADER.read(area, position)
            if block_byte_count(header) <= end - position:
                blocks[position] = header
                check_block(area, position, header, findings)
                position += block_byte_count(header)
                continue
            findings.add(past_end(data, "block", position, "it does not end before the end"))
        position += 64
        while position < end and not is_block(area, position, tag):     # R-REC-1: go on behind the damage
            position += 64
    return blocks


def check_block(data, position, header, findings):
    """Checksum and padding of a block, R-BLOCK-1 and R-FILE-2."""
    name = KIND_NAMES.get(header.kind, "block")
    prologue_at = position + 64
    payload_at = prologue_at + pad64(header.prologue_byte_count)
    covered = data[prologue_at:prologue_at + header.prologue_byte_count] if header.kind == PAGE \
        else data[payload_at:payload_at + header.payload_byte_count]
    what = "prologue" if header.kind == PAGE else "payload"
    findings.attempt(check_crc, covered, header.checksum, f"{name} ({what})", prologue_at, f"the checksum of the {what}")
    findings.attempt(check_zero, data, prologue_at + header.prologue_byte_count, payload_at, f"{name} (padding)")
    findings.attempt(check_zero, data, payload_at + header.payload_byte_count, position + block_byte_count(header),
                     f"{name} (padding or slack)")


# ---------------------------------------------------------------- what the walk must have met (R-VAL-4)

def rebuild_shard(data, header, schema, blocks, end, findings):
    """11: without a footer, row groups and auxiliary pages from the blocks of the walk."""
    shard = new_shard(data, header, end)
    shard.schema = schema
    copies = {0: {}, 1: {}}
    for position, block in blocks.items():
        if block.kind == AUXILIARY and block.copy in copies:
            copies[block.copy].setdefault(block.ordinal, (position, block))
    while len(shard.auxiliaries) in copies[0] and len(shard.auxiliaries) in copies[1]:
        (first, block), (second, _) = (copies[i][len(shard.auxiliaries)] for i in (0, 1))
        if block.column >= len(schema.columns):
            break
        shard.auxiliaries.append(AUXILIARY_ENTRY.record(first, second, block.payload_byte_count, block.checksum,
                                                        block.encoding, block.column, block.group))
    for position, block in blocks.items():
        if block.kind == GROUP:
            payload = data[position + 64:position + 64 + block.payload_byte_count]
            if crc32c(payload) != block.checksum:
                continue                                                # found by the walk
            group = findings.attempt(read_group_payload, shard, payload, position + 64, block.group)
            if group is not None:
                group.first_row = shard.row_count
                shard.groups.append(group)
                shard.row_count += group.row_count
    return shard


def find_pages(shard, group, chunk, blocks, findings):
    """The pages of a chunk from its index, or if that is damaged from the page headers in the file."""
    pages = findings.attempt(read_index, shard, group, chunk)
    if pages is not None:
        return pages
    entries = [(position, shard.data[position:position + 64], position) for position, block in blocks.items()
               if (block.kind, block.group, block.column, block.first_variant) ==
               (PAGE, group.group, chunk.column, chunk.first_variant)]
    try:
        return check_pages(shard, group, chunk, entries, f"pages of {chunk.name}", 0) if entries else None
    except ShardError:
        return None                                                     # the finding about the index stands for it


def check_order(shard, blocks, chunk_pages, complete, findings):
    """R-FILE-1, R-GROUP-4, R-AUX-2, R-AUX-4: each block where it is expected, and none unclaimed."""
    cursor, claimed = 64 + pad64(shard.header.schema_byte_count), set()

    def expect(name, position, byte_count, rule):
        nonlocal cursor
        if position != cursor:
            findings.add(Corrupt(name, position, f"{rule}: it does not begin at {cursor}, where the one before it ends"))
        cursor = position + byte_count
        claimed.add(position)

    for group in shard.groups:
        if not complete:                                                # the group before it may not be known
            cursor = group.position
        if group.position != cursor:
            findings.add(Corrupt(f"row group {group.group}", group.payload_position + 16,
                                 f"R-GROUP-4: position is {group.position}, and the group begins at {cursor}"))
        for number, entry in enumerate(shard.auxiliaries):
            if entry.group == group.group:
                byte_count = 64 + pad64(entry.payload_byte_count)
                expect(f"auxiliary page {number}", entry.first_position, byte_count, "R-AUX-3")
                expect(f"auxiliary page {number}", entry.second_position, byte_count, "R-AUX-2")
        for chunk in group.chunks:
            pages = chunk_pages[chunk.name]
            if pages is None:
                claimed |= {position for position in blocks if 0 <= position - cursor < chunk.stored_byte_count}
                cursor += chunk.stored_byte_count
            for page in pages or ():
                expect(page.name, page.position, block_byte_count(page.header), "R-GROUP-4")
                findings.attempt(check_page_header_copy, shard, page)
        for chunk in group.chunks:
            expect(f"index of {chunk.name}", chunk.index_position, chunk.index_byte_count, "R-GROUP-4")
        group.block_position = cursor
        expect(f"group block {group.group}", cursor, 64 + pad64(len(group.payload)), "R-GROUP-4")
    if complete:
        expect("footer", shard.end, 0, "R-FILE-1")
    for position, block in blocks.items():
        if complete and position not in claimed:
            findings.add(Corrupt(KIND_NAMES.get(block.kind, "block"), position, "R-VAL-4: nothing refers to this block"))


def check_page_header_copy(shard, page):
    """R-INDEX-2."""
    raw = shard.data[page.position:page.position + 64]
    if raw != page.raw:
        read_block_header(raw, page.position, f"header of {page.name}", kind=PAGE, shard_tag=shard.tag)
        raise Corrupt(f"header of {page.name}", page.position, "R-INDEX-2: it is not the copy in the index")


def check_auxiliary(shard, number, findings):
    """R-AUX-2: both copies; their fields are all in the entry, so copies that agree with it are equal.
    The kind does not matter until a page refers to it: R-AUX-5."""
    entry = shard.auxiliaries[number]
    if entry.kind == ZSTD_DICTIONARY and entry.payload_byte_count == 0:
        findings.add(Corrupt(f"auxiliary page {number}", entry.first_position, "7.1: an empty dictionary"))
    for copy, position in enumerate((entry.first_position, entry.second_position)):
        findings.attempt(read_auxiliary_copy, shard, number, copy, position)
    if number and shard.auxiliaries[number - 1].first_position > entry.first_position:
        findings.add(Corrupt(f"auxiliary page {number}", entry.first_position, "R-AUX-3: not numbered in the order of the file"))


def check_group_block(shard, group, blocks, findings):
    """R-VAL-4: the group block has the payload that the footer repeats."""
    at, structure = group.block_position, f"group block {group.group}"
    header = findings.attempt(read_block_header, shard.data[at:at + 64], at, structure, kind=GROUP, shard_tag=shard.tag,
                              group=group.group, row_count=group.row_count)
    if header is None:
        return
    payload = findings.attempt(read_block_payload, shard.data, at, header, structure)
    if payload is not None and payload != group.payload:
        findings.add(Corrupt(structure, at + 64, "R-VAL-4: it is not as in the footer"))


# ---------------------------------------------------------------- cells and digests (8.2)

def check_cells(shard, group, chunk_pages, row_ids, findings):
    """Decodes all cells of a group, and recomputes its digests. `row_ids` are those of the groups before it."""
    columns = [[] for _ in shard.schema.columns]                        # by column, by chunk: (terms, variants)
    for chunk in group.chunks:
        columns[chunk.column].append(check_chunk(shard, group, chunk, chunk_pages[chunk.name], row_ids, findings))
    at = group.payload_position + len(group.payload) - 16 * len(columns)
    for number, chunks in enumerate(columns):
        if None in chunks:
            continue
        terms = (term for row in range(group.row_count) for terms, variants in chunks
                 for term in terms[row * variants:(row + 1) * variants])
        if sequence_digest(terms) != group.column_digests[number]:
            findings.add(Corrupt(f"row group {group.group}", at + 16 * number, f"8.2: the digest of column {number} is another"))


def check_chunk(shard, group, chunk, pages, row_ids, findings):
    """The terms of the column digest, and the number of variants; None if a cell cannot be read."""
    if pages is None:
        return None
    column = shard.schema.columns[chunk.column]
    terms, row_terms, plain_byte_count, whole, present = [], [], 0, True, True
    for page in pages:
        for cells in check_page(shard, page, findings):
            if cells is None:
                whole = False
                continue
            for state, slot in cells:
                terms.append(cell_term(state, slot))
                present = present and state == PRESENT
                if state == PRESENT:
                    plain_byte_count += len(slot)
                if chunk.column == shard.schema.row_id_column:
                    check_row_id(state, slot, row_ids, page, findings)
                    if state == PRESENT:
                        row_terms.append(row_term(slot))
    if not whole:
        return None
    if plain_byte_count != chunk.plain_byte_count:
        findings.add(Corrupt(chunk.name, chunk.index_position, f"plain_byte_count is {chunk.plain_byte_count}, not {plain_byte_count}"))
    if chunk.column == shard.schema.row_id_column and present and sequence_digest(row_terms) != group.row_set_digest:
        at = group.payload_position + len(group.payload) - 16 * len(shard.schema.columns) - 16
        findings.add(Corrupt(f"row group {group.group}", at, "8.2: the row-set digest is another"))
    return terms, chunk.variant_count


def check_row_id(state, row_id, row_ids, page, findings):
    """R-SET-5: present, but for what a repair has lost, and unique in the shard."""
    if state == ABSENT:
        findings.add(Corrupt(page.name, page.position, "R-SET-5: a row id is absent"))
    elif state == PRESENT:
        if bytes(row_id) in row_ids:
            findings.add(Corrupt(page.name, page.position, f"R-SET-5: row id {row_id.hex()} occurs twice"))
        row_ids.add(bytes(row_id))


def check_page(shard, page, findings):
    """The cells of each unit, or None where it cannot be read."""
    prologue = None
    try:
        check_encoding_and_codec(page)
        prologue = read_prologue(shard, page)
        if page.header.encoding:                                        # R-ENC-5, even if every unit is plain
            findings.attempt(encoding_table, shard, page)
    except ShardError as error:
        findings.add(error)
    if prologue is None:
        yield None
        return
    payload_at = page.position + 64 + pad64(page.header.prologue_byte_count)
    for number, (begin, stored_count, _, _) in enumerate(prologue.units):
        if not page.header.flags & PACKED:                              # R-PAGE-7: between units
            following = prologue.units[number + 1][0] if number + 1 < len(prologue.units) else page.header.payload_byte_count
            findings.attempt(check_zero, shard.data, payload_at + begin + stored_count, payload_at + following,
                             f"padding behind unit {number} of {page.name}")
        cells = findings.attempt(read_unit, shard, page, prologue, number)
        for state, slot in cells or ():
            if state != PRESENT and any(slot):
                findings.add(Corrupt(f"unit {number} of {page.name}", payload_at + begin, "R-PAGE-8: a slot that is not zero"))
            elif state == PRESENT and page.column.tokenizer is not None:
                check_tokens(shard, page, slot, f"unit {number} of {page.name}", payload_at + begin, findings)
        yield cells


def check_tokens(shard, page, value, structure, position, findings):
    """R-TYPE-5."""
    size, column = shard.schema.tokenizers[page.column.tokenizer].vocabulary_size, page.column
    if column.element in INTEGER_CODES:
        code = INTEGER_CODES[column.element]
        for token in struct.unpack(f"<{len(value) // column.element_size}{code}", value):
            if not 0 <= token < size:
                findings.add(Corrupt(structure, position, f"R-TYPE-5: token {token} of a vocabulary of {size}"))


# ---------------------------------------------------------------- appendix B: the test vectors

def run_vectors(folder):
    """Every file is listed, every listed file is there, and each does what index.json says."""
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
        entries = json.load(file)
    if isinstance(entries, dict):                                       # lists under names
        entries = [entry for value in entries.values() if isinstance(value, list) for entry in value]
    listed = [entry["file"] for entry in entries]
    found = {f"{kind}/{name}" for kind in ("valid", "invalid") if os.path.isdir(os.path.join(folder, kind))
             for name in os.listdir(os.path.join(folder, kind))}
    problems = [f"{name}: not listed" for name in sorted(found - set(listed))]
    problems += [f"{name}: listed twice" for name in sorted({name for name in listed if listed.count(name) > 1})]
    passed = 0
    for entry in entries:
        try:
            with open(os.path.join(folder, entry["file"]), "rb") as file:
                data = file.read()
        except OSError as error:
            problems.append(f"{entry['file']}: {error.strerror}")
            continue
        problem = check_invalid(data, entry) if "code" in entry else check_valid(data, entry)
        if problem:
            problems.append(f"{entry['file']}: {problem}")
        else:
            passed += 1
    for problem in problems:
        print(problem)
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems or not passed else 0


def check_valid(data, entry):
    """None, or what is wrong: the dump, the counts, and the verifier must find nothing."""
    try:
        shard = open_shard(data)
        digest = hashlib.sha256(dump_bytes(shard)).hexdigest()
    except ShardError as error:
        return str(error)
    if shard.row_count != entry["rows"] or entry["columns"] not in \
            (len(shard.schema.columns), [column.name for column in shard.schema.columns]):
        return f"{shard.row_count} rows, {len(shard.schema.columns)} columns"
    if digest != entry["dump_sha256"]:
        return f"the dump has SHA-256 {digest}"
    return next((f"the verifier finds {finding}" for finding in verify(data)), None)


STAGES = ("open", "read", "verify")


def check_invalid(data, entry):
    """None, or what is wrong: rejected with this code at this stage or an earlier one, and by the verifier too."""
    stage, error = "open", None
    try:
        shard = open_shard(data)
        stage = "read"
        for _ in dump(shard):
            pass
        stage = "verify"
    except ShardError as caught:
        error = caught
    codes = [finding.code for finding in verify(data)]
    if error is None and not codes:
        return "accepted"
    if STAGES.index(stage) > STAGES.index(entry["stage"]):
        return f"rejected at {stage}, and not before: {error or codes}"
    if error is not None and error.code != entry["code"]:
        return f"not {entry['code']}: {error}"
    if entry["code"] not in codes:
        return f"the verifier does not find {entry['code']}, but {codes}"
    return None
