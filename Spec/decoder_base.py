"""Sections 2, 4, 8, 10 and 11 of FORMAT.md: errors, notation, type numbers, checksums, digests, limits."""
import collections
import hashlib
import struct
from types import SimpleNamespace

try:
    import google_crc32c
except ImportError:
    google_crc32c = None


# ---------------------------------------------------------------- 2 and 11: conformance and errors

class ShardError(Exception):
    """What is wrong (class of 11), in which structure, and at which position of the file [R-ERR-1]."""
    code = None

    def __init__(self, structure, position, reason):
        super().__init__(f"{self.code}: {structure} at {position}: {reason}")
        self.structure, self.position, self.reason = structure, position, reason


class Truncated(ShardError):
    code = "truncated"


class Corrupt(ShardError):
    code = "corrupt"


class Checksum(Corrupt):
    code = "checksum"


class Unsupported(ShardError):
    code = "unsupported"


class Limit(ShardError):
    code = "limit"


# ---------------------------------------------------------------- 4: notation

def pad64(n):
    return (n + 63) // 64 * 64


def ceil_div(a, b):
    return -(-a // b)


class Layout:
    """A table of the text: fields of fixed size, one behind the other, little-endian."""

    def __init__(self, name, fields):
        pairs = [f.split(":") for f in fields.split()]
        self.name, self.names, self.codes = name, [p[0] for p in pairs], [p[1] for p in pairs]
        self.struct = struct.Struct("<" + "".join(self.codes))
        self.byte_count = self.struct.size
        self.record = collections.namedtuple(name.title().replace(" ", ""), self.names)

    def read(self, data, position):
        return self.record._make(self.struct.unpack_from(data, position))


def read_varint(data, offset, structure, position):
    """R-NOTE-1. Returns the number and the offset behind it."""
    value = 0
    for i in range(5):
        if offset + i >= len(data):
            raise Corrupt(structure, position, "R-UNIT-1: the unit ends inside a varint")
        byte = data[offset + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            if byte == 0 and i > 0:
                raise Corrupt(structure, position, "R-NOTE-1: the last byte of a varint is 0")
            if value >= 1 << 32:
                raise Corrupt(structure, position, "R-NOTE-1: a varint of 2^32 or more")
            return value, offset + i + 1
    raise Corrupt(structure, position, "R-NOTE-1: a varint of more than 5 bytes")


def read_text(raw, structure, position):
    """R-NOTE-5."""
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Corrupt(structure, position, "R-NOTE-5: text that is not UTF-8") from None


FIELD_PREFIX = Layout("field", "tag:H byte_count:I")


def split_record(data, position, structure):
    """A record's fields in order: (tag, position of the field, position of the value, value)."""
    offset, last_tag = 0, -1
    while offset < len(data):
        at = position + offset
        if len(data) - offset < FIELD_PREFIX.byte_count:
            raise Corrupt(structure, at, "the record ends inside a field")
        tag, byte_count = FIELD_PREFIX.read(data, offset)
        offset += FIELD_PREFIX.byte_count
        if byte_count > len(data) - offset:
            raise Corrupt(structure, at, f"the value of tag {tag} does not end with the record")
        if tag < last_tag:
            raise Corrupt(structure, at, f"R-NOTE-2: tag {tag} after tag {last_tag}")
        yield tag, at, position + offset, data[offset:offset + byte_count]
        offset, last_tag = offset + byte_count, tag


class Record:
    """A table of tags. A field is `tag name type`, with `!` behind it if required and `*` if repeated.
    A type is a Record, `text`, `dims`, or a struct code (a struct of several values is a tuple)."""

    def __init__(self, name, *fields):
        self.name, self.fields = name, {}
        for tag, field, kind, *mark in fields:
            self.fields[tag] = (field, kind, "!" in mark, "*" in mark)

    def read(self, data, position, structure):
        values = {field: [] if repeated else None for field, _, _, repeated in self.fields.values()}
        seen = set()
        for tag, at, value_at, raw in split_record(data, position, structure):
            if tag not in self.fields:
                if tag < 0x8000:
                    raise Unsupported(structure, at, f"R-NOTE-3: {self.name} field with tag {tag}")
                continue
            field, kind, _, repeated = self.fields[tag]
            if tag in seen and not repeated:
                raise Corrupt(structure, at, f"R-NOTE-2: tag {tag} of {self.name} occurs again")
            seen.add(tag)
            value = self.read_value(field, kind, raw, value_at, structure)
            if repeated:
                values[field].append(value)
            else:
                values[field] = value
        for tag, (field, _, required, _) in self.fields.items():
            if required and tag not in seen:
                raise Corrupt(structure, position, f"R-NOTE-4: {self.name} without {field}")
        return SimpleNamespace(**values, position=position)

    def read_value(self, field, kind, raw, position, structure):
        if isinstance(kind, Record):
            return kind.read(raw, position, structure)
        if kind == "text":
            return read_text(raw, structure, position)
        if kind == "note":                                              # key_byte_count u16 ‖ key ‖ value
            if len(raw) < 2 or len(raw) - 2 < int.from_bytes(raw[:2], "little"):
                raise Corrupt(structure, position, "R-NOTE-4: a note that ends inside its key")
            split = 2 + int.from_bytes(raw[:2], "little")
            return (read_text(raw[2:split], structure, position), read_text(raw[split:], structure, position))
        if kind == "dims":
            kind = f"{len(raw) // 4}I"
        layout = struct.Struct("<" + kind)
        if len(raw) != layout.size:
            raise Corrupt(structure, position, f"R-NOTE-4: {field} of {self.name} has {len(raw)} bytes")
        values = layout.unpack(raw)
        return values[0] if len(values) == 1 and not kind.endswith("I") or kind == "I" else values


# ---------------------------------------------------------------- 5.3 and 6.2: the numbers of states, types and elements

PRESENT, ABSENT, LOST = 0, 1, 2
TENSOR, RAGGED, UTF8, BINARY, OPERATIONS, LOCATOR = 1, 2, 3, 4, 5, 6
TYPE_NAMES = {1: "tensor", 2: "ragged", 3: "utf8", 4: "binary", 5: "operations", 6: "locator"}
ELEMENT_NAMES = dict(enumerate("u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64".split(), 1))
ELEMENT_SIZES = dict(enumerate((1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8), 1))
INTEGER_CODES = dict(enumerate("BbHhIiQq", 1))


# ---------------------------------------------------------------- 8.1: CRC-32C

def crc_tables():
    """Table k: what a byte does to the remainder, with k bytes of zeros behind it."""
    first = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        first.append(value)
    tables = [first]
    for _ in range(3):
        tables.append([first[value & 255] ^ value >> 8 for value in tables[-1]])
    return tables


CRC_TABLES = crc_tables()


def crc32c(data):
    if google_crc32c:
        return google_crc32c.value(bytes(data))
    crc, whole = 0xFFFFFFFF, len(data) & ~3
    t0, t1, t2, t3 = CRC_TABLES
    for (word,) in struct.iter_unpack("<I", data[:whole]):              # four bytes a step
        word ^= crc
        crc = t3[word & 255] ^ t2[word >> 8 & 255] ^ t1[word >> 16 & 255] ^ t0[word >> 24]
    for byte in data[whole:]:
        crc = crc >> 8 ^ t0[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def check_crc(stored, expected, structure, position, reason):
    if crc32c(stored) != expected:
        raise Checksum(structure, position, reason)


# ---------------------------------------------------------------- 8.2: digests of sequences

P = 2 ** 127 - 1
R = 0x1b43782f0821a386f0bbc0aeb139e1f6


def sequence_digest(terms):
    digest = 0
    for term in terms:
        digest = (digest * R + term) % P
    return digest


def join_digests(first, second, second_count):
    """D(A ‖ B) from D(A), D(B) and |B|."""
    return (first * pow(R, second_count, P) + second) % P


def check_digest(digest, structure, position):
    """R-DIGEST-1."""
    if digest >= P:
        raise Corrupt(structure, position, "R-DIGEST-1: a digest of 2^127 - 1 or more")


def row_term(row_id):
    return 1 + int.from_bytes(hashlib.sha256(row_id).digest()[:15], "little")


def cell_term(state, value):
    if state != PRESENT:
        return 2 ** 66 + state * 2 ** 64
    return 2 ** 66 + len(value) * 2 ** 32 + crc32c(value)


# ---------------------------------------------------------------- 10: limits

EXPANSION_LIMIT = 1024
MAXIMUM_COLUMNS = 1_024
MAXIMUM_AXES = 64
MAXIMUM_VARIANTS = 4_096
MAXIMUM_DIMS = 8
MAXIMUM_NAME = 255
MAXIMUM_SCHEMA = 16_777_216
MAXIMUM_FOOTER = 1_073_741_824
MAXIMUM_CELL = 1_073_741_824
MAXIMUM_PAYLOAD = 2_147_483_584
MAXIMUM_UNIT = 2_147_483_584
MAXIMUM_PROLOGUE = 268_435_456
MAXIMUM_ROWS_PER_GROUP = 16_777_216
MAXIMUM_AUXILIARY = 67_108_864
