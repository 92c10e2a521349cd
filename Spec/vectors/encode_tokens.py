"""Token ranks for test vectors, made from section 6.6 of FORMAT.md alone.

A cell is its canonical value: the tokens as bytes. `size`, the bytes of a token, is 2 or 4.

    payload = table(cell, cell..., size=2)      # of an auxiliary page of kind 4
    stored = encode_unit(payload, [cell...], size=2)
"""

import collections

from primitives import *  # noqa: F403


def tokens(cell, size):
    return [int.from_bytes(cell[i:i + size], "little") for i in range(0, len(cell), size)]


def table(*cells, size=2, least=4):
    """The ids below 65,536 that occur `least` times or more, the most frequent first, then the lesser."""
    counts = collections.Counter(t for cell in cells for t in tokens(cell, size) if t < 65536)
    ids = sorted((t for t in counts if counts[t] >= least), key=lambda t: (-counts[t], t))
    return ids_table(ids[:4368])


def ids_table(ids):
    """The payload with these ids."""
    return u16(len(ids)) + u16(0) + b"".join(u16(i) for i in ids)


def classify(token, ranks):
    """Class and number."""
    if token in ranks:
        rank = ranks[token]
        return (0, rank) if rank < 16 else (1, rank - 16) if rank < 272 else (2, rank - 272)
    return (3 if token < 65536 else 4), token


def join_bits(parts):
    """(value, bits)..., the first in the least significant bits, as bytes."""
    string = "".join(format(value, "0%db" % bits)[::-1] for value, bits in parts if bits)
    return int((string + "0")[::-1], 2).to_bytes((len(string) + 7) // 8, "little")


def encode_unit(payload, cells, size=2, choose=classify, more_width=0):
    """The stored bytes of a unit. They may be more than the plain ones: then a writer stores these."""
    ids = [int.from_bytes(payload[i:i + 2], "little") for i in range(4, len(payload), 2)]
    ranks = {token: rank for rank, token in reversed(list(enumerate(ids)))}
    counts = [len(cell) // size for cell in cells]
    width = max(counts, default=0).bit_length() + more_width
    coded = [choose(t, ranks) for cell in cells for t in tokens(cell, size)]
    return u8(width) + join_bits([(count, width) for count in counts] + [bit for part in parts(coded, size) for bit in part])


def parts(coded, size):
    """Levels, digits and upper halves of classes and numbers."""
    for level in range(4 if size == 4 else 3):
        yield [(int(c > level), 1) for c, _ in coded if c >= level]
    for plane in range(4):
        yield [(number >> 4 * plane & 15, 4) for c, number in coded if c >= plane]
    yield [(number >> 16, 16) for c, number in coded if c == 4]


def split_cells(plain, count):
    """The cells of the plain bytes of a unit (6.1)."""
    sizes, at = [], 0
    for _ in range(count):
        size, shift = 0, 0
        while plain[at] >= 128:
            size, shift, at = size | (plain[at] & 127) << shift, shift + 7, at + 1
        sizes.append(size | plain[at] << shift)
        at += 1
    cells = []
    for size in sizes:
        cells.append(plain[at:at + size])
        at += size
    return cells
