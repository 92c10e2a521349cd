"""The valid shards with token ranks (6.6)."""

import struct

from encode_tokens import classify, encode_unit, ids_table, split_cells, table
from valid_set import noise, one, shard
from wire import *  # noqa: F403

ENCODING, KIND = 4, 4          # the encoding, and the kind of its auxiliary page
SPAN = 1                       # the feature bit of chunks of several variants


def u16s(*numbers):
    return struct.pack("<%dH" % len(numbers), *numbers)


def likely(seed, count, most=49408):
    """Tokens, of which a few are frequent."""
    raw = noise(seed, 4 * count)
    out = []
    for at in range(0, 4 * count, 4):
        kind, a, b = raw[at], raw[at + 1], raw[at + 2] << 8 | raw[at + 3]
        out.append(a % 12 + 260 if kind < 140 else a + 300 if kind < 210 else b % 4000 if kind < 235 else b % most)
    return out


def caption(seed, count, size=2):
    return pack(likely(seed, count), size)


def pack(numbers, size):
    return struct.pack("<%d%s" % (len(numbers), "H" if size == 2 else "i"), *numbers)


def ranked(payload, size=2, auxiliary=1, choose=classify, more_width=0, **cut):
    def encode(plain, where):
        return encode_unit(payload, split_cells(plain, where.rows * where.variants), size, choose, more_width)
    return Layout(encoding=ENCODING, auxiliary=auxiliary, encode=encode, **cut)


def columns_of(rows, parts, variants=1, **more):
    """A shard of columns with a table each: (name, size, cells, payload, how it is cut and coded)."""
    axes, columns = [], []
    if variants > 1:
        axes, more["required"] = [Axis("caption", 2, variants, 0)], SPAN
    for name, size, *_ in parts:
        columns.append(ragged(name, {2: "u16", 4: "i32"}[size], axis=0 if axes else None))
    layouts = {i: ranked(payload, size, i, **{"span": variants, **cut}) for i, (_, size, _, payload, cut) in enumerate(parts, 1)}
    return shard(rows, columns, [cells for _, _, cells, _, _ in parts], axes, layouts=layouts,
                 auxiliaries=[Auxiliary(0, i, part[3], KIND) for i, part in enumerate(parts, 1)], **{"rows_per_group": 256, **more})


def part(name, size, cells, **cut):
    """A column whose table lists what occurs in it."""
    return name, size, cells, table(*(c for row in cells for c in row if not isinstance(c, int)), size=size, least=2), cut


def both(rows, make, variants=1, **more):
    """A column of u16 and one of i32, from a function of the bytes of a token."""
    parts = [part(name, size, make(size), rows_per_unit=4, **more) for name, size in (("u16", 2), ("i32", 4))]
    return columns_of(rows, parts, variants)


# --- the shards -----------------------------------------------------------------------------------------------------

def captions():
    def cells(size):
        return [[caption("c%d %d" % (r, v), 3 + (5 * r + v) % 15, size) for v in range(3)] for r in range(10)]
    return columns_of(10, [part("u16", 2, cells(2), rows_per_unit=64), part("i32", 4, cells(4), rows_per_unit=3)], 3)


LENGTHS = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256]


def lengths():
    """Values of 127, 128 bytes and more need longer varints; the width of the counts goes from 0 to 9 bits."""
    def cells(size):
        return one([caption("l%d" % n, n, size) for n in LENGTHS])
    return columns_of(16, [part("each", 2, cells(2), rows_per_unit=1), part("all", 2, cells(2), rows_per_unit=16), part("i32", 4, cells(4), rows_per_unit=4)])


def long_value():
    return columns_of(2, [part("u16", 2, one([caption("long", 9000), caption("short", 3)]), rows_per_unit=2)])


def empty():
    def cells(size):
        return one([b""] * 9 + [caption("e", 4, size)] + [b""] * 8)
    return both(18, cells)


def edges():
    """Ids at the ends of the classes, the largest of each digit, and negative ones."""
    ids = [(7 * rank + 13) % 65521 for rank in range(4368)]
    near = [ids[r] for r in (0, 15, 16, 271, 272, 287, 4367)]
    low = [0, 1, 15, 16, 255, 256, 4095, 4096, 65534, 65535]
    high = [65536, 65537, 2**31 - 1, -2**31, -1, -2, -65536, -65537, 0x12345678]
    fill = ids[:16] * 8
    payload = ids_table(ids)
    parts = [("u16", 2, one([pack(near + low + fill, 2), pack(low[::-1] + ids[:40], 2)]), payload, dict(rows_per_unit=2)),
             ("i32", 4, one([pack(near + low + high + fill, 4), pack(high[::-1] + ids[:40], 4)]), payload, dict(rows_per_unit=2))]
    return columns_of(2, parts)


def tables():
    """Tables of no id, one, and at the ends of the classes; with an id twice."""
    parts = []
    for count in (0, 1, 16, 17, 272, 273):
        ids = [(11 * i + 5) % 600 for i in range(count)]
        cells = one([pack(ids[-40:] + [65000, 3], 4) + bytes(4 * 60 if not ids else 0), pack(([0] + ids)[:5] * 3, 4)])
        parts.append(("%d" % count, 4, cells, ids_table(ids), dict(rows_per_unit=2)))
    twice = [300, 301, 300, 300, 302] + [300] * 20
    parts.append(("twice", 2, one([u16s(300, 301, 302) * 9, u16s(302)]), ids_table(twice), dict(rows_per_unit=2)))
    return columns_of(2, parts)


def spread():
    """Tokens from the whole of u16, in the table and not in it."""
    ids = [(4099 * i + 1) % 65536 for i in range(300)]
    cells = one([u16s(*range(13 * r, 65536, 211), *ids[75 * r:75 * r + 75], *(ids[:16] * 25)) for r in range(4)])
    return columns_of(4, [("u16", 2, cells, ids_table(ids), dict(rows_per_unit=2))])


def choices():
    """Classes that are not the least, later ids where an earlier one is the same, counts in more bits than they need."""
    def highest(token, ranks):
        return (4, token) if token % 3 == 0 else (3, token) if token < 65536 and token % 3 == 1 else classify(token, ranks)
    def third(token, ranks):
        return (3, token) if token % 5 == 0 else classify(token, ranks)
    def last(token, ranks):
        return (2, 400 - 272 + token) if token < 16 else classify(token, ranks)
    cells = one([pack([3 * (i % 5) + i % 3 for i in range(60)] + [70000, 65535], 4) for _ in range(3)])
    again = ids_table(list(range(16)) * 40)                     # ranks 0 to 15, and 400 to 415 among others
    low = one([u16s(*(i % 16 for i in range(70)), 17) for _ in range(3)])
    return columns_of(3, [("class 3 and 4", 4, cells, ids_table(range(16)), dict(rows_per_unit=3, choose=highest)),
                          ("class 3", 2, low, ids_table(range(16)), dict(rows_per_unit=3, choose=third)),
                          ("class 2", 2, low, again, dict(rows_per_unit=3, choose=last)),
                          ("20 bits more", 2, low, ids_table(range(16)), dict(rows_per_unit=2, more_width=20)),
                          ("width 30", 2, one([u16s(5) * 40, b"", u16s(6)]), ids_table([5]), dict(rows_per_unit=3, more_width=24))])


def missing():
    def cells(pattern):
        return one([caption("m%d" % i, 6 + i) if p == "v" else {"-": ABSENT, "x": LOST, "e": b""}[p] for i, p in enumerate(pattern)])
    return columns_of(8, [part("mixed", 2, cells("v-xve--v"), rows_per_unit=4), part("first", 2, cells("-vvv-vvv"), rows_per_unit=8),
                          part("units without", 2, cells("----vvxx"), rows_per_unit=2), part("none", 2, one([ABSENT, LOST] * 4), rows_per_unit=8)])


def units():
    """Units that would not shrink are plain beside others."""
    def cells(size):
        return one([pack([65535 - 977 * i % 60000 for i in range(9)], size) if r % 4 > 1 else caption("u%d" % r, 12, size) for r in range(11)])
    parts = [part(name, size, cells(size), rows_per_unit=n) for name, size, n in (("1", 2, 1), ("2", 2, 2), ("3 of i32", 4, 3))]
    unlisted = one([u16s(*(40000 + 97 * r + i for i in range(8))) for r in range(11)])
    return columns_of(11, parts + [("plain", 2, unlisted, ids_table([]), dict(rows_per_unit=2))])


def pages():
    """Encoding, table, codec and units differ between the pages of a chunk."""
    cells = one([caption("p%d" % r, 20) for r in range(12)])
    first, second = table(*(c[0] for c in cells), least=2), ids_table(range(260, 272))
    a, b = ranked(first).encode, ranked(second).encode
    layout = Layout([2, 1, 3, 2], [2, 1, 2, 1, 3], [NONE, ZSTD, NONE, NONE], [1, 0, 2, 0, 1], encoding=[4, 0, 4, 0, 4], encode=[a, None, b, None, a])
    layout.codec = [NONE, ZSTD, NONE, LZ4, NONE]
    made = shard(12, [ragged("t", "u16")], [cells], rows_per_group=12, layouts={1: layout})
    made.auxiliaries = [Auxiliary(0, 1, first, KIND), Auxiliary(0, 1, second, KIND)]
    return made


def later_tables():
    """A group without a table, one with, one that uses the table of the one before it, and one with another."""
    cells = one([caption("g%d" % r, 16) for r in range(8)])
    first, second = ids_table(range(260, 272)), table(*(c[0] for c in cells), least=2)
    made = shard(8, [ragged("t", "u16")], [cells], rows_per_group=2)
    made.layouts = {(1, 1): ranked(first), (2, 1): ranked(first, rows_per_unit=2), (3, 1): ranked(second, auxiliary=2)}
    made.auxiliaries = [Auxiliary(1, 1, first, KIND), Auxiliary(3, 1, second, KIND)]
    return made


def vocabulary():
    """The smallest and the largest token of a vocabulary, in columns that name it."""
    schema = dict(tokenizers=[Tokenizer("clip", noise("v", 32), 49408, 77, 49406, 49407)])
    numbers = [0, 49407, 1, 320] * 12
    made = shard(2, [ragged("a", "u16", role=7, tokenizer=0), ragged("b", "i32", role=7, tokenizer=0)],
                 [one([pack(numbers, 2), b""]), one([pack(numbers, 4), b""])], schema=schema)
    payload = ids_table([0, 1, 49407])
    made.layouts = {1: ranked(payload, rows_per_unit=2), 2: ranked(payload, 4, 2, rows_per_unit=2)}
    made.auxiliaries = [Auxiliary(0, 1, payload, KIND), Auxiliary(0, 2, payload, KIND)]
    return made


def tokens(add):
    add("tokens-captions", "captions of three variants as u16 and i32, units of 3 and of more rows than there are", captions(), "TOKENS-2", "GROUP-2")
    add("tokens-lengths", "values of 0 to 256 tokens, alone and in one unit", lengths(), "TOKENS-2", "TOKENS-4")
    add("tokens-long", "a value of 9,000 tokens", long_value(), "TOKENS-2")
    add("tokens-empty", "empty values, and units of nothing else", empty(), "TOKENS-2", "TOKENS-4")
    add("tokens-edges", "ids at the ends of the classes, numbers at the ends of the digits, negative tokens", edges(), "TOKENS-1", "TOKENS-2")
    add("tokens-tables", "tables of 0, 1, 16, 17, 272 and 273 ids, and with ids that occur again", tables(), "TOKENS-1", "TOKENS-3")
    add("tokens-spread", "tokens from the whole of u16", spread(), "TOKENS-2")
    add("tokens-choices", "classes and ranks that are not the least, counts of up to 30 bits", choices(), "TOKENS-2", "TOKENS-6")
    add("tokens-missing", "absent and lost cells among others, and units without a present cell", missing(), "TOKENS-2", "PAGE-8")
    add("tokens-units", "units that would not shrink beside others, and a page of such units only", units(), "UNIT-2", "UNIT-3", "ENC-5")
    add("tokens-pages", "encoding, table, codec and units differ between the pages of a chunk", pages(), "ENC-3", "AUX-5", "PAGE-2")
    add("tokens-later-tables", "tables in the second and fourth row group; the third uses that of the second", later_tables(), "AUX-1", "AUX-3", "AUX-5")
    add("tokens-vocabulary", "the smallest and the largest token of a vocabulary", vocabulary(), "TYPE-5", "ENC-3")
