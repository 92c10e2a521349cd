"""Sections 6 and 7 of FORMAT.md: units, canonical values, encodings and codecs."""
import struct

import decoder_encodings
from decoder_base import *
from decoder_blocks import CODEC_NAMES, read_auxiliary, unit_rows, unit_states
from decoder_encodings import ENCODING_NAMES, ENCODINGS


# ---------------------------------------------------------------- 6.1: plain bytes and units

def read_unit(shard, page, prologue, unit):
    """The cells of a unit in row and variant order: (state, slot); the slot of a present cell is its value."""
    header, column = page.header, page.column
    begin, stored_count, plain_count, checksum = prologue.units[unit]
    at = page.position + 64 + pad64(header.prologue_byte_count) + begin
    structure = f"unit {unit} of {page.name}"
    stored = shard.data[at:at + stored_count]
    check_crc(stored, checksum, structure, at, "the checksum of the unit")
    states = unit_states(header, prologue.states, unit)
    if not stored_count and column.type == TENSOR:                      # R-UNIT-5: zeros, which nobody asks for
        return [(state, b"") for state in states]
    if stored_count == plain_count:                                     # R-UNIT-2
        plain = stored
    elif header.encoding:
        plain = decoder_encodings.decode_unit(header, column, encoding_table(shard, page), stored, unit_rows(header, unit),
                                              plain_count, structure, at)
    else:
        plain = decompress(shard, page, stored, plain_count, structure, at)
    slots = split_tensor(plain, column) if column.type == TENSOR else split_ragged(plain, len(states), structure, at)
    cells = []
    for i, (state, slot) in enumerate(zip(states, slots)):
        if state == PRESENT:
            check_value(slot, column, structure, at)
        elif len(slot) and column.type != TENSOR:
            raise Corrupt(structure, at, f"R-PAGE-8: cell {i} is not present and not empty")
        cells.append((state, slot))
    return cells


def split_tensor(plain, column):
    size = column.cell_byte_count
    return [plain[i:i + size] for i in range(0, len(plain), size)]


def split_ragged(plain, count, structure, position):
    """R-UNIT-1: the lengths, then the values, and no byte more."""
    if count > len(plain):
        raise Corrupt(structure, position, f"R-UNIT-1: {len(plain)} bytes cannot hold {count} lengths")
    lengths, offset = [], 0
    for _ in range(count):
        length, offset = read_varint(plain, offset, structure, position)
        lengths.append(length)
    if offset + sum(lengths) != len(plain):
        raise Corrupt(structure, position, f"R-UNIT-1: {len(plain)} plain bytes, and the lengths need {offset + sum(lengths)}")
    slots = []
    for length in lengths:
        if length > MAXIMUM_CELL:
            raise Limit(structure, position, f"R-LIMIT-1: a cell of {length} bytes")
        slots.append(plain[offset:offset + length])
        offset += length
    return slots


# ---------------------------------------------------------------- 6.2: types and canonical values

# Operands: i an i32, B a u8, f a flag, d an f64, n a row id behind its byte count, r the pairs of rand_augment.
ITEMS = {1: ("crop", "iiii"), 2: ("rand_augment", "r"), 3: ("flip", "f"), 4: ("erase", "iiii"),
         5: ("color_jitter", "BBBBdddd"), 6: ("mixup", "dn"), 7: ("cutmix", "diiiin"), 8: ("random_crop", "ii"),
         9: ("resize", "i")}
HASH_BYTE_COUNTS = {0: 0, 1: 32, 2: 4}


class Bits(int):
    """The 64 bits of an f64 [R-TYPE-1]."""


def check_value(value, column, structure, position):
    """Whether these bytes are a canonical value of the column's type."""
    if column.type == RAGGED and len(value) % column.element_size:
        raise Corrupt(structure, position, f"{len(value)} bytes are not whole elements")
    elif column.type == UTF8:
        read_text(value, structure, position)
    elif column.type == OPERATIONS:
        read_operations(value, structure, position)
    elif column.type == LOCATOR:
        read_locator(value, structure, position)


def read_operations(value, structure, position):
    """R-TYPE-2. The items: (name, operands), with None for the operands of a null item."""
    offset, items = 0, []

    def take(byte_count):
        nonlocal offset
        if byte_count > len(value) - offset:
            raise Corrupt(structure, position, "R-TYPE-2: an item does not end with the value")
        offset += byte_count
        return bytes(value[offset - byte_count:offset])

    def number(byte_count, signed=False):
        return int.from_bytes(take(byte_count), "little", signed=signed)

    while offset < len(value):
        kind = number(1)
        if kind & 0x7F not in ITEMS:
            raise Unsupported(structure, position, f"R-TYPE-2: item kind {kind & 0x7F}")
        name, codes = ITEMS[kind & 0x7F]
        if kind & 0x80:
            items.append((name, None))
            continue
        operands = []
        for code in codes:
            if code == "i":
                operands.append(number(4, signed=True))
            elif code == "d":
                operands.append(Bits(number(8)))
            elif code == "n":
                operands.append(take(number(1)))
            elif code == "r":
                operands += [(number(1), Bits(number(8))) for _ in range(number(1))]
            else:
                operands.append(number(1))
            if code == "f" and operands[-1] > 1:
                raise Corrupt(structure, position, f"flip is {operands[-1]}")
        items.append((name, operands))
    return items


def read_locator(value, structure, position):
    if len(value) < 17:
        raise Corrupt(structure, position, f"a locator of {len(value)} bytes")
    target, byte_count, hash_kind = struct.unpack_from("<QQB", value)
    if hash_kind not in HASH_BYTE_COUNTS:
        raise Unsupported(structure, position, f"hash kind {hash_kind} of a locator")
    end = 17 + HASH_BYTE_COUNTS[hash_kind]
    if len(value) < end:
        raise Corrupt(structure, position, "a locator that ends inside its hash")
    return target, byte_count, hash_kind, bytes(value[17:end]), read_text(value[end:], structure, position)


# ---------------------------------------------------------------- 6.3 and 7: encodings and codecs

ZSTD_MAGIC = bytes.fromhex("28B52FFD")


def check_encoding_and_codec(page):
    """R-ENC-1, R-CODEC-3: when the page is asked for."""
    header = page.header
    if header.encoding != 0 and header.encoding not in ENCODINGS:
        name = ENCODING_NAMES.get(header.encoding, "unknown")
        raise Unsupported(page.name, page.position + 22, f"R-ENC-1: encoding {header.encoding} ({name})")
    if header.codec not in CODEC_NAMES:
        raise Unsupported(page.name, page.position + 6, f"R-CODEC-3: codec {header.codec}")


def encoding_table(shard, page):
    """R-ENC-5: what the page's auxiliary page holds; for one column, so a table is parsed once an encoding."""
    number = page.header.auxiliary - 1
    key = number, page.header.encoding
    if key not in shard.tables:
        payload, position = bytes(read_auxiliary(shard, number)), shard.auxiliaries[number].first_position + 64
        shard.tables[key] = decoder_encodings.parse_table(page.header, page.column, payload, f"auxiliary page {number}", position)
    return shard.tables[key]


def decompress(shard, page, stored, plain_count, structure, position):
    """R-CODEC-1."""
    if page.header.codec == 0:                                          # 6.1: such a unit cannot be smaller
        raise Corrupt(structure, position, "R-UNIT-2: codec none, and not the plain byte count")
    try:
        plain = decompress_zstd(shard, page, bytes(stored), plain_count, structure, position) if page.header.codec == 1 \
            else decompress_lz4(bytes(stored), plain_count, structure, position)
    except ImportError as missing:
        raise Unsupported(structure, position, f"codec {CODEC_NAMES[page.header.codec]}: {missing}") from None
    if len(plain) != plain_count:
        raise Corrupt(structure, position, f"R-CODEC-1: {len(plain)} bytes, not {plain_count}")
    return plain


def decompress_zstd(shard, page, stored, plain_count, structure, position):
    """R-CODEC-2: one frame, whose header declares the size that is expected."""
    import zstandard
    try:
        if stored[:4] != ZSTD_MAGIC:
            raise Corrupt(structure, position, "R-CODEC-1: not a zstd frame")
        declared = zstandard.get_frame_parameters(stored).content_size  # 2^64 - 1 where it is not declared
        if declared != plain_count:
            raise Corrupt(structure, position, f"R-CODEC-2: the frame declares {declared} bytes, not {plain_count}")
        decompressor = zstandard.ZstdDecompressor(dict_data=zstd_dictionary(shard, page, structure, position))
        return decompressor.decompress(stored, max_output_size=plain_count, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(structure, position, f"zstd: {error}") from None


def zstd_dictionary(shard, page, structure, position):
    """7.1: the dictionary that the page names, or None."""
    import zstandard
    if not page.header.auxiliary:
        return None
    number = page.header.auxiliary - 1
    if number not in shard.dictionaries:
        content = bytes(read_auxiliary(shard, number))
        if not content:
            raise Corrupt(structure, position, f"7.1: auxiliary page {number} is an empty dictionary")
        shard.dictionaries[number] = zstandard.ZstdCompressionDict(content)
    return shard.dictionaries[number]


def decompress_lz4(stored, plain_count, structure, position):
    import lz4.block
    try:
        return lz4.block.decompress(stored, uncompressed_size=plain_count)
    except (lz4.block.LZ4BlockError, OverflowError, ValueError) as error:
        raise Corrupt(structure, position, f"lz4: {error}") from None
