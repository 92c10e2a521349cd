"""Operation tables for test vectors, made from section 6.7 of FORMAT.md alone.

A cell is its canonical value: the record as bytes.

    payload = table(cell, cell...)              # of an auxiliary page of kind 5
    stored = encode_unit(payload, [cell...])
"""

import collections

from encode_tokens import join_bits
from primitives import *  # noqa: F403

PAIR = 9
OPERANDS = {1: [4] * 4, 2: "pairs", 3: [1], 4: [4] * 4, 5: [1] * 4 + [4] * 8, 6: [4] * 2 + ["id"],
            7: [4] * 6 + ["id"], 8: [4] * 2, 9: [4]}


def fields_of(value):
    """(offset, byte count) of everything in a record that is no kind and no count."""
    fields, at = [], 0
    while at < len(value):
        kind, at = value[at], at + 1
        if kind & 128:
            continue
        operands = OPERANDS[kind]
        if operands == "pairs":
            operands, at = [PAIR] * value[at], at + 1
        for operand in operands:
            sizes = [operand]
            if operand == "id":
                sizes, at = [1] * value[at], at + 1
            for size in sizes:
                fields.append((at, size))
                at += size
    return fields


def shape(value):
    """The record with zeros for its fields: equal for records of one pattern."""
    out = bytearray(value)
    for at, size in fields_of(value):
        out[at:at + size] = bytes(size)
    return bytes(out)


def table(*cells):
    """Pairs that are at least one in 4,096, at most 1,024, and shapes that are at least one in 1,024 records, at most
    15, the most frequent first, then by their bytes; the base of a field is its least number, as i32 or u8."""
    pairs = collections.Counter(c[at:at + n] for c in cells for at, n in fields_of(c) if n == PAIR)
    shapes = collections.Counter(shape(c) for c in cells if len(c) < 256)
    patterns = []
    for s in frequent(shapes, 1024, 15):
        pattern = bytearray(s)
        for at, n in fields_of(s):
            if n != PAIR:
                numbers = [int.from_bytes(c[at:at + n], "little", signed=n == 4) for c in cells
                           if len(c) == len(s) and shape(c) == s]
                pattern[at:at + n] = min(numbers).to_bytes(n, "little", signed=n == 4)
        patterns.append(bytes(pattern))
    return patterns_table(frequent(pairs, 4096, 1024), patterns)


def frequent(counter, share, most):
    kept = [item for item in counter if counter[item] * share >= sum(counter.values())]
    return sorted(kept, key=lambda item: (-counter[item], item))[:most]


def patterns_table(pairs, patterns):
    """The payload with these pairs and patterns."""
    return u8(len(patterns)) + u8(0) + u16(len(pairs)) + b"".join(pairs) + b"".join(u8(len(p)) + p for p in patterns)


def split_table(payload):
    pair_count = int.from_bytes(payload[2:4], "little")
    at = 4 + PAIR * pair_count
    pairs, patterns = [payload[i:i + PAIR] for i in range(4, at, PAIR)], []
    for _ in range(payload[0]):
        patterns.append(payload[at + 1:at + 1 + payload[at]])
        at += 1 + payload[at]
    return pairs, patterns


def numbers_of(value, pattern, pairs):
    """The numbers of a record's fields under a pattern, or None."""
    if len(value) != len(pattern) or shape(value) != shape(pattern):
        return None
    numbers = []
    for at, n in fields_of(pattern):
        part = value[at:at + n]
        if n == PAIR and part not in pairs:
            return None
        numbers.append(pairs.index(part) if n == PAIR else
                       (int.from_bytes(part, "little") - int.from_bytes(pattern[at:at + n], "little")) % 256 ** n)
    return numbers


def encode_unit(payload, cells, raw=(), more_code_bits=0, more_bits=0):
    """The stored bytes of a unit. They may be more than the plain ones: then a writer stores these. Cells that are in
    `raw` are raw, even if a pattern fits; codes and fields may have more bits than they need."""
    pairs, patterns = split_table(payload)
    coded = []
    for cell in cells:
        found = [(code, n) for code, p in enumerate(patterns) if (n := numbers_of(cell, p, pairs)) is not None]
        coded.append(found[0] if found and cell not in raw else (len(patterns), [len(cell)]))
    values = b"".join(cell for cell, (code, _) in zip(cells, coded) if code == len(patterns))
    code_bits = max((code for code, _ in coded), default=0).bit_length() + more_code_bits
    return join_unit(coded, values, code_bits, more_bits)


def join_unit(coded, values, code_bits, more_bits=0):
    """A unit from the code and the numbers of each cell, and the raw values."""
    widths = {}
    for code, numbers in coded:
        widths[code] = [max(a, n.bit_length() + more_bits) for a, n in zip(widths.get(code, [0] * len(numbers)), numbers)]
    return u8(code_bits) + join_bits([(code, code_bits) for code, _ in coded]) + \
        b"".join(bytes(widths[code]) for code in sorted(widths)) + \
        join_bits([pair for code, numbers in coded for pair in zip(numbers, widths[code])]) + values
