"""The valid shards with exponent planes (6.4)."""

import struct

from encode_planes import BALANCED, FAST, KIND, ExponentTable
from valid_set import VIEW, noise, one, shard
from wire import *  # noqa: F403

# Exponents as they are in an embedding: a few make nearly all.
COMMON = [122] * 14 + [121] * 7 + [123] * 4 + [120] * 3 + [119, 118, 117, 124]
SPREAD = COMMON * 7 + list(range(100, 132))
NEAR = [0, -1, 1, -2, -3, -4, -5, 2, 3, -6, -7, -8, -9, -10, 4]        # offsets from 122
NAMES = {FAST: "fast", BALANCED: "balanced"}


def number(sign, exponent, fraction):
    return struct.pack("<H", sign << 15 | exponent << 7 | fraction)


def floats(seed, count, exponents=COMMON):
    raw = noise(seed, 3 * count)
    return b"".join(number(raw[3 * i] & 1, exponents[raw[3 * i + 1] % len(exponents)], raw[3 * i + 2] % 128)
                    for i in range(count))


def rows_of(seed, rows, count, exponents=COMMON):
    return one([floats("%s %d" % (seed, r), count, exponents) for r in range(rows)])


def fast(bases=(122,), **more):
    return ExponentTable(FAST, NEAR[:7], list(bases), **more)


def balanced(levels=6, bases=(122,), **more):
    return ExponentTable(BALANCED, NEAR[:3 + levels], list(bases), **more)


def encoded(table, auxiliary=1, **layout):
    return Layout(encoding=table.encoding, auxiliary=auxiliary, encode=table.encode, **layout)


def tables_of(tables):
    """An auxiliary page for each column from 1 on."""
    return [Auxiliary(0, column, table.payload(), KIND) for column, table in enumerate(tables, 1)]


def columns_of(rows, parts, rows_per_group=256, **more):
    """A shard of columns with a table each: (name, dims, cells, table, how it is cut)."""
    columns = [tensor(name, "bf16", dims) for name, dims, *_ in parts]
    layouts = {i: encoded(table, i, **cut) for i, (_, _, _, table, cut) in enumerate(parts, 1)}
    layouts[0] = Layout(rows_per_unit=256)
    return shard(rows, columns, [cells for _, _, cells, _, _ in parts], rows_per_group=rows_per_group, layouts=layouts,
                 auxiliaries=tables_of([table for _, _, _, table, _ in parts]), **more)


def both(rows, make, **more):
    """A column for each of the two encodings, from a function of table maker and name."""
    return columns_of(rows, [(name, *make(maker, name)) for maker, name in ((fast, "fast"), (balanced, "balanced"))], **more)


# --- the shards -----------------------------------------------------------------------------------------------------

def shuffled(seed):
    """0 to 255, most of them in their places or beside them, a few far away."""
    raw, out, i = noise(seed, 512), list(range(256)), 0
    while i < 250:
        width = 1 if raw[i] < 150 else 2 if raw[i] < 225 else 4
        out[i:i + width] = reversed(out[i:i + width])
        i += width
    for i in raw[300:304]:
        out[i], out[(i + 100) % 256] = out[(i + 100) % 256], out[i]
    return out


def every_pattern(encoding):
    """Each of 128 cells has one fraction, with both signs and every exponent: element d is about exponent d / 2."""
    cells = []
    for fraction in range(128):
        exponents = [shuffled("%d %d" % (fraction, sign)) for sign in range(2)]
        cells.append(b"".join(number(d % 2, exponents[d % 2][d // 2], fraction) for d in range(512)))
    assert len({cell[i:i + 2] for cell in cells for i in range(0, 1024, 2)}) == 65536
    table = ExponentTable(encoding, [0, 1, -1, 2, -2, 3, -3], [d // 2 for d in range(512)])
    return columns_of(128, [("every", (512,), one(cells), table, {})])


def dims():
    parts = [("%s %s" % (NAMES[table.encoding], shape), shape, rows_of(str(shape), 3, count, SPREAD), table, {})
             for shape, count in (((63,), 63), ((64,), 64), ((65,), 65), ((2, 5, 13), 130)) for table in (fast(), balanced())]
    return columns_of(3, parts)


def small_cells():
    parts = [("fast ()", (), rows_of("f", 130, 1), fast(), dict(rows_per_unit=128)),
             ("balanced ()", (), rows_of("b", 130, 1), balanced(), dict(rows_per_unit=65)),
             ("fast 1", (1,), rows_of("f1", 130, 1), fast(), dict(rows_per_unit=256)),
             ("balanced 3", (3,), rows_of("b3", 130, 3), balanced(bases=[122, 121, 123]), dict(rows_per_unit=64, page_rows=100))]
    return columns_of(130, parts)


def wide():
    one_base, each = rows_of("w", 2, 384, SPREAD), rows_of("e", 2, 1536, SPREAD)
    parts = []
    for make in (fast, balanced):
        name = NAMES[make().encoding]
        parts += [(name + " 384", (384,), one_base, make(), {}), (name + " 1536", (1536,), each, make(bases=[122] * 1536), {})]
    return columns_of(2, parts)


def bases():
    """The exponents of element d are about bases[d], in units of several cells, which do not begin with a whole word."""
    centre = [100 + 7 * d % 41 for d in range(25)]
    def cell(r):
        raw = noise("bases %d" % r, 75)
        return b"".join(number(raw[d] & 1, centre[d] - 122 + COMMON[raw[25 + d] % 32], raw[50 + d] % 128) for d in range(25))
    cells = one([cell(r) for r in range(7)])
    return both(7, lambda make, name: ((25,), cells, make(bases=centre), dict(rows_per_unit=3)))


def levels():
    parts = [("levels %d" % n, (150,), rows_of("l%d" % n, 2, 150, SPREAD), balanced(n), {}) for n in (0, 1, 2, 11, 12)]
    full = floats("x", 59, [122]) + b"".join(number(0, e, 5) for e in (120, 120, 119, 119, 118))    # 5 and 3 bits
    assert len(balanced(2).encode(full)) == 64 + 16 + 1 + 1
    parts.append(("all bits of one byte", (64,), one([full, floats("y", 64, [122])]), balanced(2), {}))
    return columns_of(2, parts)


def units():
    cells = [floats("u%d" % r, 40, SPREAD) if r % 3 != 1 else noise("n%d" % r, 80) for r in range(7)]
    parts = []
    for make in (fast, balanced):
        name = NAMES[make().encoding]
        parts += [(name + " 1", (40,), one(cells), make(), dict(rows_per_unit=1)), (name + " 3", (40,), one(cells), make(), dict(rows_per_unit=3)),
                  (name + " 64", (40,), one(cells), make(), dict(rows_per_unit=64))]
    parts.append(("plain", (40,), one([noise("p%d" % r, 80) for r in range(7)]), fast(), {}))
    return columns_of(7, parts)


def missing():
    def cells(pattern):
        return one([{"-": ABSENT, "x": LOST}.get(p) or floats("m%d" % i, 64) for i, p in enumerate(pattern)])
    parts = [("one", (64,), cells("v--vx-vv"), fast(), dict(rows_per_unit=1)),
             ("mixed", (64,), cells("v-x---vv"), fast(), dict(rows_per_unit=2)),
             ("mixed balanced", (64,), cells("-vvv-x--"), balanced(), dict(rows_per_unit=4)),
             ("zero is common", (64,), cells("-v-v-vx-"), balanced(1, [0]), dict(rows_per_unit=8)),
             ("none", (64,), cells("----x---"), balanced(), dict(rows_per_unit=2)),
             ("some pages", (64,), cells("vv----vv"), fast(), dict(rows_per_unit=1, page_rows=2))]
    return columns_of(8, parts)


def pages():
    """Encoding, table, codec and unit differ between the pages of a chunk."""
    f, near, far, zeros = fast(), balanced(), balanced(2, [121] * 64), bytes(128)
    cells = [floats("p%d" % r, 64) for r in range(9)] + [zeros]
    layout = Layout([2, 1, 3, 2], [1, 2, 1, 3], [NONE, NONE, NONE, NONE, ZSTD], [1, 0, 2, 3, 0], encoding=[FAST, 0, BALANCED, BALANCED, 0],
                    encode=[f.encode, None, near.encode, far.encode, None])
    made = shard(10, [tensor("e", "bf16", (64,))], [one(cells)], rows_per_group=10, layouts={1: layout})
    made.auxiliaries = [Auxiliary(0, 1, table.payload(), KIND) for table in (f, near, far)]
    return made


def later_tables():
    """A group without a table, one with, one that uses the table of the one before it, and one with another."""
    first, second = fast(), fast([121])
    made = shard(8, [tensor("e", "bf16", (64,))], [rows_of("g", 8, 64, SPREAD)], rows_per_group=2)
    made.layouts = {(1, 1): encoded(first), (2, 1): encoded(first), (3, 1): encoded(second, 2)}
    made.auxiliaries = [Auxiliary(1, 1, first.payload(), KIND), Auxiliary(3, 1, second.payload(), KIND)]
    return made


def spanning():
    axis = Axis("view", 1, 4, 1)
    cells = [[floats("s%d %d" % (r, v), 32) for v in range(4)] for r in range(5)]
    holes = [[cells[r][v] if (r * v) % 3 != 2 and r != 3 else ABSENT for v in range(4)] for r in range(5)]
    near, far = fast(), balanced(3, range(110, 142))
    made = shard(5, [tensor("fast", "bf16", (32,), axis=0), tensor("balanced", "bf16", (32,), axis=0)], [cells, holes], [axis],
                 layouts={1: encoded(near, 1, span=4, page_rows=3), 2: encoded(far, 2, span=3, rows_per_unit=2)}, required=1)
    made.auxiliaries = tables_of([near, far])
    return made


def ranks():
    """Tables and choices that a good writer does not make."""
    same = rows_of("r", 2, 96)
    twice = [0, 0, -1, -1, 1, 0, -2, -2, 0, -3]
    wraps = one([floats("w%d" % r, 96, [255, 254, 253, 0, 1, 2, 255, 0, 0]) for r in range(2)])
    def last(fitting, place):                  # the highest rank that fits; an exception if there is no other
        return fitting[-2] if len(fitting) > 1 else fitting[0]
    def some(fitting, place):                  # every seventh is an exception, whatever it is
        return fitting[-1] if place % 7 == 0 else fitting[0]
    parts = [("unused", (96,), one([floats("o%d" % r, 96, [122, 117]) for r in range(2)]), fast(), {}),
             ("one value", (96,), one([number(1, 122, 3) * 96, number(0, 119, 127) * 96]), balanced(), {}),
             ("twice", (96,), same, ExponentTable(FAST, twice[:7], [122]), {}),
             ("the last of two", (96,), same, ExponentTable(FAST, twice[:7], [122], choose=last), {}),
             ("the last of two, balanced", (96,), same, ExponentTable(BALANCED, twice, [122], choose=last), {}),
             ("needless exceptions", (96,), same, fast(choose=some), {}),
             ("needless exceptions, balanced", (96,), same, balanced(4, choose=some), {}),
             ("wraps up", (96,), wraps, ExponentTable(FAST, [0, 1, 2, 3, -1, -2, -3], [255]), {}),
             ("wraps down", (96,), wraps, ExponentTable(BALANCED, [0, -1, -2, 255, 1, 2], [1]), {})]
    return columns_of(2, parts)


def exceptions():
    """64 values of fast have 88 bytes without exceptions: 39 more than that are less than 128, and 40 more are not."""
    def cell(count):
        return b"".join(number(i % 2, 200 + i % 50 if i < count else 122, i) for i in range(64))
    parts = [("fast", (64,), one([cell(n) for n in (0, 1, 38, 39, 40, 64)]), fast(), {}),
             ("balanced, no level", (64,), one([cell(n) for n in (0, 1, 46, 47, 48, 64)]), balanced(0), {}),
             ("balanced, one level", (64,), one([cell(n) for n in (0, 1, 41, 42, 43, 64)]), balanced(1), {})]
    sizes = [len(table.encode(row[0])) for _, _, cells, table, _ in parts for row in cells]
    assert [n - 128 for n in sizes] == [-40, -39, -2, -1, 0, 24, -48, -47, -2, -1, 0, 16, -48, -46, -1, 0, 1, 24], sizes
    return columns_of(6, parts)


def planes(add):
    for encoding, name in NAMES.items():
        add(name + "-every-pattern", "all 65,536 values under " + name, every_pattern(encoding), "PLANES-1", "PLANES-2", "TYPE-1")
    add("planes-dims", "cells of 63, 64, 65 and 130 values under fast and balanced", dims(), "PLANES-2", "ENC-3")
    add("planes-small-cells", "cells of 1 and 3 values, units of many rows, the last one plain since it would not shrink", small_cells(), "PLANES-2", "UNIT-2", "UNIT-3")
    add("planes-wide", "cells of 384 values with one base, and of 1,536 values with a base each", wide(), "PLANES-1", "PLANES-2")
    add("planes-bases", "a base for each of 25 elements, units of 3 cells", bases(), "PLANES-1", "PLANES-2")
    add("balanced-levels", "0, 1, 2, 11 and 12 levels, and levels whose bits fill their byte", levels(), "PLANES-1", "PLANES-2")
    add("planes-units", "units of 1, 3 and more cells than there are, plain units beside encoded ones, and a page of plain units only", units(), "UNIT-2", "PLANES-2")
    add("planes-missing", "units with some cells that are not present, and units without a present cell, which have no bytes", missing(), "UNIT-5", "PAGE-8", "PLANES-2")
    add("planes-pages", "encoding, table, codec and units differ between the pages of a chunk", pages(), "ENC-3", "AUX-5", "PAGE-6")
    add("planes-later-tables", "tables in the second and fourth row group; the third uses that of the second", later_tables(), "AUX-1", "AUX-3", "AUX-5")
    add("planes-spanning", "chunks of several variants under fast and balanced, with missing cells", spanning(), "PLANES-2", "GROUP-2", "UNIT-5")
    add("planes-ranks", "unused ranks, ranks that say the same, ranks that are not the least, needless exceptions, exponents that wrap", ranks(), "PLANES-2", "PLANES-4")
    add("planes-exceptions", "no exception, as many as make a unit smaller, and one more, which makes it plain", exceptions(), "PLANES-2", "UNIT-2", "UNIT-3")
