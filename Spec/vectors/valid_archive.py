"""The valid shards with the encoding archive (6.5)."""

import struct

from encode_archive import (ARCHIVE, ESCAPE, KIND, TOTAL, ArchiveModel, flat, frequencies_of, frequency_bytes,
                            train)
from valid_planes import fast, number
from valid_set import noise, one, shard
from wire import *  # noqa: F403

SPAN = 1                       # the feature bit of chunks of several variants


def bell(seed, count):
    """Numbers with mean 0 and variance 1, nearly normal."""
    raw = noise(seed, 6 * count)
    return [(sum(raw[6 * i:6 * i + 6]) - 765) / 181 for i in range(count)]


def bf16(x):
    return struct.pack("<f", x)[2:]


def cell_of(values):
    return struct.pack("<%dH" % len(values), *values)


def views(seed, dims, variants=1, apart=0.4):
    """Views of one image: what they have in common, and what they have not."""
    centre, common = bell("centre", dims), bell(seed, dims)
    return [b"".join(bf16(0.05 * (0.3 * a + b + apart * c)) for a, b, c in zip(centre, common, bell("%s %d" % (seed, v), dims)))
            for v in range(variants)]


def images(seed, rows, dims, variants=1, **more):
    return [views("%s %d" % (seed, r), dims, variants, **more) for r in range(rows)]


def archived(model, auxiliary=1, **cut):
    return Layout(encoding=ARCHIVE, auxiliary=auxiliary, encode=model.encode, **cut)


def models_of(models):
    """An auxiliary page for each column from 1 on."""
    return [Auxiliary(0, column, model.payload(), KIND) for column, model in enumerate(models, 1)]


def columns_of(rows, parts, variants=1, **more):
    """A shard of columns with a model each: (name, cells, model, how it is cut). Chunks span all variants."""
    axes, columns = [], []
    if variants > 1:
        axes, more["required"] = [Axis("view", 1, variants, 1)], SPAN
    for name, cells, model, _ in parts:
        columns.append(tensor(name, "bf16", (len(model.means),), axis=0 if axes else None))
    layouts = {i: archived(model, i, **{"span": variants, **cut}) for i, (_, _, model, cut) in enumerate(parts, 1)}
    return shard(rows, columns, [cells for _, cells, _, _ in parts], axes, layouts=layouts,
                 auxiliaries=models_of([model for _, _, model, _ in parts]), **{"rows_per_group": 256, **more})


def part(name, cells, cut=None, **more):
    """A column whose model is trained with its own cells."""
    return name, cells, train(cells, **more), dict(cut or {})


def even(dims, lanes=16, mean=0, unit=13, first=10, later=10, **more):
    """A model that favours nothing."""
    return ArchiveModel(lanes, [mean] * dims, [unit] * dims, [first] * dims, [later] * dims, [flat()] * 32, **more)


NARROW = [TOTAL - 3] + [0] * 28 + [1, 1] + [0] * 62 + [1] + [0] * 34            # escapes, and hardly anything else


# --- the shards -----------------------------------------------------------------------------------------------------

def one_view():
    cells = images("one", 7, 48)
    parts = [part("a row", images("alone", 7, 80), {}), part("rows", cells, dict(rows_per_unit=4)),
             part("all rows", cells, dict(rows_per_unit=64), lanes=32)]
    return columns_of(7, parts)


def several_views(count, rows):
    cells = images("views %d" % count, rows, 64, count)
    return columns_of(rows, [part("a row", cells, {}), part("rows", cells, dict(rows_per_unit=2), lanes=32)], count)


def rows_of_units():
    cells = images("rows", 10, 40, 3)
    return columns_of(10, [part("3 rows", cells, dict(rows_per_unit=3)), part("pages of 4", cells, dict(rows_per_unit=3, page_rows=4)),
                           part("more than there are", cells, dict(rows_per_unit=1000), lanes=32)], 3)


SMALL, LARGE = (15, 16, 17, 31, 32, 33), (63, 64, 65, 129, 300)


def dims():
    small = [part("%d" % d, images("d%d" % d, 10, d, 2), dict(rows_per_unit=16), lanes=(16, 32)[i % 2]) for i, d in enumerate(SMALL)]
    return small, [part("%d" % d, images("d%d" % d, 4, d, 2), dict(rows_per_unit=2), lanes=(16, 32, 64)[i % 3]) for i, d in enumerate(LARGE)]


def one_element():
    """Heads alone are as long as the cells: all units are plain. With more elements, units of mostly zeros are not."""
    def cells(d):
        return [[bytes(2 * d)] if r % 30 != 7 else views("few %d" % r, d) for r in range(90)]
    def part_of(d, rows_per_unit=64):
        model = even(d)
        model.contexts = [NARROW] * 32
        return "%d" % d, cells(d), model, dict(rows_per_unit=rows_per_unit)
    return columns_of(90, [part_of(1), ("1 of zeros", [[bytes(2)]] * 90, part_of(1)[2], dict(rows_per_unit=64)), part_of(2), part_of(3, 90)])


def lanes():
    """Cells with fewer elements than lanes, as many, and more; raw bits that are shorter than the states, and longer."""
    parts = []
    for count in (16, 32, 64):
        for d, rows in ((26, 12), (104, 6)):
            parts.append(part("%d lanes %d" % (count, d), images("l%d" % d, 12, d), dict(rows_per_unit=rows), lanes=count))
    return columns_of(12, parts)


def gaps(pattern, seed, dims):
    """A row for each word: v a cell, z one of zeros, - absent, x lost."""
    cells = images(seed, len(pattern), dims, len(pattern[0]))
    return [[{"v": c, "z": bytes(2 * dims), "-": ABSENT, "x": LOST}[p] for p, c in zip(word, row)] for word, row in zip(pattern, cells)]


def missing():
    rows = ["-vvvv", "vv-vv", "vvvv-", "v----", "----v", "--v--", "-----", "xvxvx"]
    return columns_of(8, [part("a row", gaps(rows, "gaps", 64), {}), part("rows", gaps(rows, "gaps", 64), dict(rows_per_unit=3)),
                          part("none", gaps(["-----", "vvvvv", "x-x-x", "-----"] * 2, "none", 64), dict(rows_per_unit=2))], 5)


def zero_cells():
    rows = ["zzz", "vzv", "zvv", "vvz", "-zv", "zx-", "zzz", "vvv"]
    cells = gaps(rows, "zeros", 64)
    minus = cell_of([0x8000] * 64)
    cells[7][1] = minus
    def coded(row, variant, before, values):           # zeros may be coded like other cells, those of absent cells too
        return (64 if before else 0, 5) if row in (0, 4) and not any(values) else None
    model, like_others = train(cells), train(cells, choose=coded)
    return columns_of(8, [("a row", cells, model, {}), ("rows", cells, model, dict(rows_per_unit=3)),
                          ("coded", cells, like_others, dict(rows_per_unit=8)),
                          ("all", gaps(["zzz"] * 8, "all", 64), model, dict(rows_per_unit=4))], 3)


def plain_units():
    cells = [[noise("n%d %d" % (r, v), 128) for v in range(2)] if r % 3 == 1 else views("r%d" % r, 64, 2) for r in range(7)]
    model = train(cells[::3])
    return columns_of(7, [("a row", cells, model, {}), ("rows", cells, model, dict(rows_per_unit=2)),
                          ("noise", [[noise("p%d %d" % (r, v), 128) for v in range(2)] for r in range(7)], model, {})], 2)


SPECIAL = [0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x807F, 0x0080, 0x8080, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7F81, 0xFF81,
           0x7FC0, 0xFFC0, 0x7FFF, 0xFFFF, 0x3F80, 0xBF80]


def special():
    """Each at all places of a group, in first cells and in later ones, among common values."""
    cells = images("special", 10, 64, 4)
    for r, row in enumerate(cells):
        for v in range(4):
            raw = bytearray(row[v])
            for j in range(8):
                at = 2 * ((7 * j + 3 * r + 11 * v) % 64)
                raw[at:at + 2] = u16(SPECIAL[(8 * (4 * r + v) + j) % len(SPECIAL)])
            row[v] = bytes(raw)
    alone = [[cell_of([SPECIAL[r]] * 64), bytes(128), cell_of([SPECIAL[r + 10]] * 64), bytes(128)] for r in range(10)]
    narrow = even(64)
    narrow.contexts = [NARROW] * 32
    return columns_of(10, [part("among others", cells, {}), ("alone", alone, narrow, dict(rows_per_unit=5))], 4)


def every_pattern():
    """Every one of the 65,536 values: a cell has one fraction, its first 256 elements have one sign, the others the other."""
    centre = [d % 256 for d in range(512)]
    def cell(fraction):
        raw = noise("far %d" % fraction, 512)
        exponents = list(range(256)) * 2
        for half in (0, 256):                          # two exponents far from their elements, which become escapes
            a, b = half + raw[half], half + raw[half + 1]
            exponents[a], exponents[b] = exponents[b], exponents[a]
        return b"".join(number(d // 256, e, fraction) for d, e in enumerate(exponents))
    cells = [[cell(2 * r), cell(2 * r + 1)] for r in range(64)]
    model = train(cells, unit=0)
    model.units = [max(-100, min(120, 123 - c)) for c in centre]       # a value of the element is about 16
    model.means, model.first_scales, model.later_scales = [0] * 512, [0] * 512, [0] * 512
    for i, c in enumerate(centre):                     # the exponent 8 where the unit cannot be so
        shift = c + model.units[i] - 124
        model.first_scales[i] = model.later_scales[i] = max(0, min(31, 2 * shift))
    count_symbols(model, cells)
    model.choose = lambda row, variant, before, values: (64 if before and row % 2 else 0, 32)
    return columns_of(64, [("every", cells, model, {})], 2)


def count_symbols(model, cells):
    counts = [[0] * 128 for _ in range(32)]
    for row in cells:
        for cell in model.plan(b"".join(row), 1, len(row))[1]:
            for _, natural, context in cell:
                counts[context][natural] += 1
    model.contexts = [frequencies_of(c) for c in counts]


def sayable(model, seed, rows, variants):
    """Rows of cells that the model has symbols for, with the classes that it will choose."""
    def cell(row, variant):
        cell_class, out = model.choose(row, variant, variant, ())[1], b""
        scales = model.later_scales if variant else model.first_scales
        raw = noise("%s %d %d" % (seed, row, variant), 3 * len(scales))
        for i, scale in enumerate(scales):
            octaves = max(0, scale + cell_class - 32) // 2
            exponent = 1 + raw[3 * i + 1] % 15 + octaves - model.units[i] + 116
            out += number(raw[3 * i] & 1, exponent % 256, raw[3 * i + 2] % 128)
        return out
    return [[cell(r, v) for v in range(variants)] for r in range(rows)]


def heads():
    ends = [0, 1, 64, 255]
    def extreme(row, variant, before, values):
        return (ends[(row + variant) % 4] if before else 0), (0, 63, 31, 32, 1, 62)[(row + 2 * variant) % 6]
    def each(row, variant, before, values):
        return (37 * variant % 256 if before else 0), (5 * row + variant) % 64
    some, all_classes = even(40, first=20, later=24, choose=extreme), even(40, unit=12, first=16, later=31, choose=each)
    return columns_of(13, [("ends", sayable(some, "ends", 13, 5), some, dict(rows_per_unit=13)),
                           ("each class", sayable(all_classes, "each", 13, 5), all_classes, dict(rows_per_unit=16))], 5)


def numbers_of_models():
    """Units, means and scales at their ends in all combinations, elements far from them, products that leave 32 bits."""
    rows, dims = 4, 64
    mixed = even(dims)
    mixed.units = [(-100, 120, 0, -99, 119, 13, 14, 1)[i % 8] for i in range(dims)]
    mixed.means = [(-32768, 32767, 0, 1, -1, 300, -32767)[i % 7] for i in range(dims)]
    mixed.first_scales, mixed.later_scales = [(0, 31, 5, 1)[i % 4] for i in range(dims)], [(31, 0, 30)[i % 3] for i in range(dims)]
    mixed.choose = lambda row, variant, before, values: (255 if before else 0, (32, 63, 0, 40)[variant % 4])
    far = even(dims, unit=0, first=4, later=4)         # octaves of 17: symbols for the exponents 134 to 148
    far.means = [-32768 if i % 2 else 32767 for i in range(dims)]
    far.choose = lambda row, variant, before, values: (255 if before else 0, 63)
    top = [[b"".join(number(i % 2 == 0, 141, 127 - v) for i in range(dims)) for v in range(8)] for _ in range(rows)]
    return columns_of(rows, [("mixed", sayable(mixed, "mixed", rows, 8), mixed, {}), ("sums", top, far, dict(rows_per_unit=2))], 8)


def frequencies():
    """Numbers of one and of two bytes, a symbol with all but one, every context another; and other bytes for the same."""
    cells = images("frequencies", 6, 64, 2)
    def steep(context):                                # sign and exponent of a symbol that has all but the escape's
        f = [0] * 128
        f[ESCAPE], f[4 + (7 * context) % 60 + (64 if context % 2 else 0)] = 1 + context, TOTAL - 1 - context
        return f
    rare, common, wide = train(cells), train(cells), Roundabout(train(cells))
    common.contexts = [steep(c) if c % 16 in (1, 14) else common.contexts[c] for c in range(32)]
    only_last = [0] * 128
    only_last[ESCAPE], only_last[127] = TOTAL - 1, 1
    rare.contexts = [only_last if c % 16 == 15 else rare.contexts[c] for c in range(32)]
    return columns_of(6, [("escape 2047", cells, rare, dict(rows_per_unit=6)), ("steep", cells, common, dict(rows_per_unit=6)),
                          ("other bytes", cells, wide, dict(rows_per_unit=2))], 2)


class Roundabout(ArchiveModel):
    """A model with frequencies in two bytes where one would do, zeros too, and zeros in several runs."""

    def __init__(self, model):
        super().__init__(**model.__dict__)

    def payload(self):
        prefix = len(super().payload()) - sum(len(frequency_bytes(c)) for c in self.contexts)
        out = super().payload()[:prefix]
        for context, frequencies in enumerate(self.contexts):
            for symbol, f in enumerate(frequencies):
                if f >= 128 or (context + symbol) % 3 == 0:
                    out += u8(128 + f // 256) + u8(f % 256)
                else:
                    out += u8(f) if f else b"\0\0"
        return out


def escapes():
    """No escape; escapes that need not be; cells of nothing but escapes, which other cells make up for."""
    cells = images("escapes", 6, 64, 4)
    none = even(64, first=14, later=14)
    near = [[b"".join(number(v & 1, 115 + i % 10, i) for i in range(64)) for v in range(4)] for _ in range(6)]
    assert all(natural for cell in none.plan(b"".join(near[0]), 1, 4)[1] for _, natural, _ in cell)
    some = train(cells, escapes=lambda i, value: i % 16 in (0, 15) or i == 33)
    hidden = gaps(["vzzz", "zzzv", "zvzz", "zzvz", "zzzz", "vzzz"], "all", 64)
    every = train(hidden, escapes=lambda i, value: True)
    every.contexts = [NARROW] * 32
    return columns_of(6, [("none", near, none, {}), ("needless", cells, some, dict(rows_per_unit=3)), ("all", hidden, every, {})], 4)


def pages():
    """Encoding, model, codec and units differ between the pages of a chunk."""
    cells = images("pages", 9, 64, 2) + [[bytes(128)] * 2]
    first, second, planes = train(cells), train(cells[4:9], lanes=32), fast()
    layout = Layout([2, 1, 3, 2], [1, 2, 2, 1, 3], [NONE, NONE, NONE, NONE, ZSTD], [1, 0, 2, 3, 0], span=2, encoding=[ARCHIVE, 0, ARCHIVE, 1, 0],
                    encode=[first.encode, None, second.encode, planes.encode, None])
    made = shard(10, [tensor("e", "bf16", (64,), axis=0)], [cells], [Axis("view", 1, 2, 1)], rows_per_group=10, layouts={1: layout}, required=SPAN)
    made.auxiliaries = [Auxiliary(0, 1, first.payload(), KIND), Auxiliary(0, 1, second.payload(), KIND), Auxiliary(0, 1, planes.payload(), 2)]
    return made


def later_models():
    """A group without a model, one with, one that uses the model of the one before it, and one with another."""
    cells = images("later", 8, 64, 2)
    first, second = train(cells[2:4]), train(cells[6:], lanes=32)
    made = shard(8, [tensor("e", "bf16", (64,), axis=0)], [cells], [Axis("view", 1, 2, 1)], rows_per_group=2, required=SPAN)
    made.layouts = {1: Layout(span=2)}
    made.layouts.update({(1, 1): archived(first, span=2), (2, 1): archived(first, span=2, rows_per_unit=2), (3, 1): archived(second, 2, span=2)})
    made.auxiliaries = [Auxiliary(1, 1, first.payload(), KIND), Auxiliary(3, 1, second.payload(), KIND)]
    return made


def spanning():
    """Chunks of three and two of five variants, and of one: what is before a cell is in its chunk."""
    cells = images("spanning", 4, 72, 5)
    return columns_of(4, [part("3 and 2", cells, dict(span=3)), part("each", cells, dict(rows_per_unit=4, span=1))], 5)


def scalars_and_shapes():
    cells = images("shape", 6, 130)
    model = train(cells)
    made = columns_of(6, [("e", cells, model, dict(rows_per_unit=2))])
    made.schema.columns[1] = tensor("e", "bf16", (2, 5, 13))
    return made


def archive(add):
    small, large = dims()
    add("archive-one-view", "cells without an axis, units of one and several rows", one_view(), "ARCHIVE-3", "ARCHIVE-5")
    add("archive-two-views", "chunks of two variants", several_views(2, 5), "ARCHIVE-3", "ARCHIVE-7", "GROUP-2")
    add("archive-five-views", "chunks of five variants", several_views(5, 4), "ARCHIVE-3", "ARCHIVE-7", "GROUP-2")
    add("archive-rows", "units of 3 rows, with fewer in the last, pages of 4 rows, a unit of more rows than there are", rows_of_units(), "ARCHIVE-3", "PAGE-9")
    add("archive-dims-small", "cells of 15, 16, 17, 31, 32 and 33 elements", columns_of(10, small, 2), "ARCHIVE-3", "ARCHIVE-5")
    add("archive-dims", "cells of 63, 64, 65, 129 and 300 elements", columns_of(4, large, 2), "ARCHIVE-3", "ARCHIVE-5")
    add("archive-shape", "cells of 2 x 5 x 13 elements", scalars_and_shapes(), "ARCHIVE-1", "ENC-3")
    add("archive-few-elements", "cells of 1 element, whose units are all plain, and of 2 and 3, nearly all zeros", one_element(), "ARCHIVE-3", "UNIT-2", "UNIT-3")
    add("archive-lanes", "16, 32 and 64 lanes, with fewer and more elements", lanes(), "ARCHIVE-3", "ARCHIVE-5", "ARCHIVE-6")
    add("archive-missing", "absent and lost cells: the first, in the middle, the last, all but one, all", missing(), "ARCHIVE-4", "PAGE-8", "UNIT-5")
    add("archive-zero-cells", "present cells of zeros: by class 255, coded like others, whole units; a cell of -0", zero_cells(), "ARCHIVE-3", "ARCHIVE-8", "TYPE-1")
    add("archive-plain-units", "units that would not shrink beside others, and a page of such units only", plain_units(), "UNIT-2", "UNIT-3", "ENC-5")
    add("archive-special", "NaNs, infinities, denormals, both zeros and the ends of the range", special(), "ARCHIVE-7", "TYPE-1")
    add("archive-every-pattern", "all 65,536 values", every_pattern(), "ARCHIVE-7", "TYPE-1")
    add("archive-heads", "weights and classes at their ends, and every class", heads(), "ARCHIVE-4", "ARCHIVE-7", "ARCHIVE-8")
    add("archive-numbers", "units, means and scales at their ends, exponents that wrap, products that leave 32 bits", numbers_of_models(), "ARCHIVE-1", "ARCHIVE-7")
    add("archive-frequencies", "an escape of 2,047, symbols of nearly all, frequencies in more bytes than they need", frequencies(), "ARCHIVE-1", "ARCHIVE-2")
    add("archive-escapes", "no escape, needless ones, cells of nothing else", escapes(), "ARCHIVE-5", "ARCHIVE-8")
    add("archive-pages", "encoding, model, codec and units differ between the pages of a chunk", pages(), "ENC-3", "AUX-5", "PAGE-6")
    add("archive-later-models", "models in the second and fourth row group; the third uses that of the second", later_models(), "AUX-1", "AUX-3", "AUX-5")
    add("archive-spanning", "chunks of three and two of five variants, and of one variant each", spanning(), "ARCHIVE-7", "GROUP-2")
