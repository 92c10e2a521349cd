"""Section 6.3 of FORMAT.md: the registry of encodings, and which module decodes which."""
import collections

import decoder_archive
import decoder_operations
import decoder_planes
import decoder_tokens
from decoder_base import *

ENCODING_NAMES = {0: "plain", 1: "fast", 2: "balanced", 3: "archive", 4: "token_ranks", 5: "operation_table"}


# ---------------------------------------------------------------- the types of an encoding

def is_bf16_tensor(column):
    return column.type == TENSOR and ELEMENT_NAMES[column.element] == "bf16"


def is_token_list(column):
    return column.type == RAGGED and ELEMENT_NAMES[column.element] in ("u16", "i32")


def is_operations(column):
    return column.type == OPERATIONS


# ---------------------------------------------------------------- those that this reader knows, but for plain

Encoding = collections.namedtuple("Encoding", "is_of_its_types module")
ENCODINGS = {
    1: Encoding(is_bf16_tensor, decoder_planes),
    2: Encoding(is_bf16_tensor, decoder_planes),
    3: Encoding(is_bf16_tensor, decoder_archive),
    4: Encoding(is_token_list, decoder_tokens),
    5: Encoding(is_operations, decoder_operations),
}


def check_encoded_page(header, column, structure, position):
    """R-ENC-3, of a page whose encoding and codec are known."""
    name = ENCODING_NAMES[header.encoding]
    if not ENCODINGS[header.encoding].is_of_its_types(column):
        element = f" of {ELEMENT_NAMES[column.element]}" if column.element else ""
        raise Corrupt(structure, position, f"R-ENC-3: {name} in a column of type {TYPE_NAMES[column.type]}{element}")
    if header.codec != 0:
        raise Corrupt(structure, position, f"R-ENC-3: {name} with codec {header.codec}")
    if header.auxiliary == 0:
        raise Corrupt(structure, position, f"R-ENC-3: {name} without an auxiliary page")


def parse_table(header, column, payload, structure, position):
    """R-ENC-5."""
    module = ENCODINGS[header.encoding].module
    if header.encoding <= 2:
        return module.parse_table(payload, column, header.encoding, structure, position)
    return module.parse_table(payload, column, structure, position)


def decode_unit(header, column, table, stored, row_count, plain_byte_count, structure, position):
    """R-ENC-4: the plain bytes of a unit of `row_count` rows."""
    module = ENCODINGS[header.encoding].module
    if header.encoding <= 2:
        return module.decode_unit(table, stored, plain_byte_count // 2, structure, position)
    if header.encoding == 3:
        return module.decode_unit(table, stored, column, row_count, header.variant_count, structure, position)
    cell_count = row_count * header.variant_count
    return module.decode_unit(table, stored, column, cell_count, plain_byte_count, structure, position)


def unit_parts(header, column, table, stored, row_count, plain_byte_count):
    """The names and byte counts of the parts of a unit that decodes; one part, if its encoding does not tell them apart."""
    if header.encoding <= 2:
        return decoder_planes.parts(table, stored, plain_byte_count // 2)
    if header.encoding == 3:
        return decoder_archive.parts(table, stored, column, row_count, header.variant_count)
    return [("all", len(stored))]
