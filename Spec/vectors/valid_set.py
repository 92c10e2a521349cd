"""The valid shards: (name, about, tags, Shard)."""

import hashlib
import struct

import zstandard

from wire import *  # noqa: F403
from wire import ELEMENT_BYTES, ELEMENTS


def noise(seed, count):
    out = b""
    block = 0
    while len(out) < count:
        out += hashlib.sha256(b"%s %d" % (seed.encode(), block)).digest()
        block += 1
    return out[:count]


def ids(count, size=4):
    """abcd, abce, ... as in the example of Appendix B."""
    return [[(int.from_bytes(b"abcd"[:size].ljust(size, b"-"), "big") + i).to_bytes(size, "big")] for i in range(count)]


def rows_digest(count):
    return digest(row_term(row[0]) for row in ids(count))


def one(values):
    return [[v] for v in values]


def shard(rows, columns, cells, axes=(), rows_per_group=4, layouts=None, schema=None, **more):
    """A shard of `uid` and these columns; cells is [column][row][variant]."""
    made = Schema([uid()] + list(columns), list(axes), **(schema or {}))
    return Shard(made, [ids(rows)] + cells, rows_per_group=rows_per_group, layouts=layouts or {}, **more)


VIEW = Axis("view", 1, 2, 1)
WORDS = ["a photo of a dog", "", "two cats, \"asleep\"", "C:\\path\\x", "line\nbreak\ttab\x00nul\x1f\x7f",
         "Gr\u00fc\u00dfe \u2603 \U0001f436\U0001f3fd\u200d\U0001f33e", "\u0080\u009f\u2028\ufeff", "x" * 130]


def two_columns():
    vectors = [[bytes([10 * r + v, r, v]) for v in range(2)] for r in range(3)]
    return shard(3, [tensor("pixel", "u8", (3,), axis=0)], [vectors], [VIEW], 2, tag=0xAA)


def elements():
    for name, number in ELEMENTS.items():
        size = ELEMENT_BYTES[number]
        yield name, number, size, {"u": b"\xff" * size, "i": b"\x00" * (size - 1) + b"\x80"}.get(
            name[0], b"\x01" + b"\xff" * (size - 1))


def tensor_elements():
    columns, cells = [], []
    for name, number, size, edge in elements():
        columns.append(tensor(name, name, (3,)))
        cells.append(one([noise(name + str(r), 2 * size) + edge for r in range(2)]))
    return shard(2, columns, cells)


def tensor_scalars():
    columns, cells = [], []
    for name, number, size, edge in elements():
        columns.append(tensor(name, name, ()))
        cells.append(one([bytes(size), edge]))
    return shard(2, columns, cells)


def ragged_elements():
    columns, cells = [], []
    for name, number, size, edge in elements():
        columns.append(ragged(name, name))
        cells.append(one([b"", edge, noise(name, 4 * size)]))
    return shard(3, columns, cells, layouts={i: Layout(rows_per_unit=2) for i in range(1, 13)})


def ragged_long():
    sizes = [0, 127, 128, 129, 255, 256, 257, 300]
    return shard(8, [ragged("small", "u8"), ragged("wide", "i32")],
                 [one([noise("s%d" % n, n) for n in sizes]), one([noise("w%d" % n, 4 * (n % 100)) for n in sizes])],
                 rows_per_group=8, layouts={1: Layout(rows_per_unit=4), 2: Layout(rows_per_unit=8)})


def grid(rows, per_unit, page_rows=1 << 30, codec=0):
    words = [b"%d" % (r * r) * (r % 4) for r in range(rows)]
    raw = [struct.pack("<H", r * 257 & 0xFFFF) for r in range(rows)]
    layout = Layout(page_rows, per_unit, codec)
    return shard(rows, [tensor("number", "u16", ()), Column("word", 6, UTF8)], [one(raw), one(words)],
                 rows_per_group=512, layouts={0: Layout(1 << 30, 256), 1: layout, 2: layout})


STRIDE_SIZES = [*range(1, 10), 15, 16, 17, 31, 32, 33, 47, 48, 49, 55, 56, 57, 61, 62, 63, 64, 65]


def strides():
    columns = [tensor("c%d" % n, "u8", (n,)) for n in STRIDE_SIZES]
    return shard(3, columns, [one([noise("%d %d" % (n, r), n) for r in range(3)]) for n in STRIDE_SIZES],
                 layouts={i: Layout(rows_per_unit=1 + i % 3) for i in range(1, len(columns) + 1)})


def bf16_patterns():
    bits = [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x7F7F, 0x7F80, 0xFF80, 0x7FC0, 0xFFC0, 0x7F81, 0x7FFF, 0x3F80, 0xBF80]
    cell = struct.pack("<14H", *bits)
    return shard(2, [tensor("e", "bf16", (14,), role=4), ragged("f", "bf16"), tensor("g", "bf16", (14,))],
                 [one([cell, cell[::-1]]), one([cell, b""]), one([cell, cell])], layouts={3: Layout(rows_per_unit=2, codec=ZSTD)})


def float_patterns():
    f32 = struct.pack("<8I", 0, 0x80000000, 1, 0x7F800000, 0xFF800000, 0x7FC00001, 0x7F800001, 0xFFFFFFFF)
    f64_bits = struct.pack("<6Q", 0, 1 << 63, 1, 0x7FF0000000000000, 0x7FF8000000000001, 0x7FF0000000000001)
    f16 = struct.pack("<6H", 0, 0x8000, 1, 0x7C00, 0x7E01, 0x7C01)
    return shard(1, [tensor("a", "f32", (8,)), tensor("b", "f64", (6,)), tensor("c", "f16", (6,))],
                 [one([f32]), one([f64_bits]), one([f16])])


def missing(element_size=3):
    def cells(pattern, make):
        return one([{"-": ABSENT, "x": LOST}.get(p) or make(i) for i, p in enumerate(pattern)])
    raw = lambda i: noise("raw%d" % i, 3)                       # noqa: E731
    word = lambda i: b"word %d" % i                             # noqa: E731
    patterns = ["vvvvv", "-----", "v-x-v", "xxxxx", "vvvv-"]
    columns = [tensor("t" + p.replace("x", "L"), "u8", (3,)) for p in patterns] + \
              [Column("w" + p.replace("x", "L"), 6, UTF8) for p in patterns] + \
              [tensor("z", "u8", (3,)), ragged("r", "i64"), Column("empty", 0, BINARY)]
    data = [cells(p, raw) for p in patterns] + [cells(p, word) for p in patterns]
    data += [cells("v-x-v", raw), cells("-v-xv", lambda i: noise("r%d" % i, 16)), cells("v-vx-", lambda i: b"")]
    layouts = {i: Layout(rows_per_unit=2) for i in (2, 3, 7, 8)}
    layouts.update({11: Layout(rows_per_unit=4, codec=ZSTD), 12: Layout(rows_per_unit=2, codec=LZ4), 13: Layout(rows_per_unit=5)})
    return shard(5, columns, data, rows_per_group=8, layouts=layouts)


def missing_units():
    """Packed units of a tensor without a present cell, beside others; of cells of up to 64 MiB."""
    patterns = ["v--vxx-v", "--------", "x-x-vvvv"]
    columns = [tensor("%s%d" % (name, n), "u8", (80,)) for n in range(3) for name in ("zstd", "lz4")]
    data = [one([{"-": ABSENT, "x": LOST}.get(p) or bytes([i]) * 80 for i, p in enumerate(patterns[n // 2])]) for n in range(6)]
    columns.append(tensor("large", "f32", (2**24,)))
    data.append(one([ABSENT, LOST] * 4))
    layouts = {i: Layout(rows_per_unit=(1, 2, 3)[i % 3], codec=(LZ4, ZSTD)[i % 2]) for i in range(1, 8)}
    return shard(8, columns, data, rows_per_group=8, layouts=layouts)


def missing_pages():
    cells = [[bytes([r, v, 9]) if (r, v) not in ((1, 0), (2, 1), (5, 1)) else ABSENT for v in range(2)] for r in range(6)]
    return shard(6, [tensor("t", "u8", (3,), axis=0)], [cells], [VIEW], layouts={1: Layout(page_rows=2)})


def groups(rows):
    return shard(rows, [Column("word", 6, UTF8)], [one([b"row %d" % r for r in range(rows)])], rows_per_group=3,
                 layouts={1: Layout(page_rows=2, rows_per_unit=2)})


ITEMS = [crop(14, 347, 370, 427), crop(-1, -(2**31), 2**31 - 1, 0), rand_augment((0, 0.0), (6, 0.26999998092651367)),
         rand_augment(), flip(0), flip(1), erase(1, 2, 3, 4), color_jitter((3, 1, 0, 2), (1.0, 0.5, -0.0, 0.1)),
         mixup(0.25, b"abce"), cutmix(0.75, (1, 2, 3, 4), b"abcf"), random_crop(-4, 4), resize(224)]
NAN = struct.pack("<Q", 0x7FF8000000000001)


def operations():
    every = b"".join(ITEMS)
    nulls = b"".join(null(k) for k in range(1, 10))
    odd = rand_augment((6, NAN), (6, -0.0), (255, 1e300), (0, float("inf")))
    cells = [[crop(14, 347, 370, 427) + rand_augment((0, 0.0), (6, 0.26999998092651367)), b""], [every, nulls],
             [odd, null(2) + flip(1)], [ABSENT, LOST]]
    return shard(4, [Column("augmentation", 8, OPERATIONS, axis=0)], [cells], [VIEW], layouts={1: Layout(rows_per_unit=2)},
                 schema=dict(operations=[Operation(0, "Identity", [0.0]), Operation(6, "Rotate", [-0.5, 0.0, 0.5]),
                                         Operation(7, "Empty")]))


def locators():
    cells = [locator(0, 0, ""), locator(512, 2**40, "a/b \"c\".tar", 1, noise("h", 32)),
             locator(2**64 - 1, 2**64 - 1, "\u00e9.tar", 2, b"\x01\x02\x03\x04"), ABSENT]
    return shard(4, [Column("image", 3, LOCATOR)], [one(cells)], layouts={1: Layout(rows_per_unit=3)})


def codec(kind):
    words = [b"the same words again, the same words again, %d" % r for r in range(6)] + [b"", noise("n", 20).hex().encode()]
    numbers = [struct.pack("<16H", *range(r, r + 16)) + bytes(64) for r in range(8)]
    return shard(8, [tensor("t", "u16", (48,)), Column("w", 6, UTF8), Column("b", 0, BINARY), ragged("r", "u16")],
                 [one(numbers), one(words), one([bytes(20 * r) for r in range(8)]), one([bytes(4 * r) for r in range(8)])],
                 rows_per_group=8, layouts={1: Layout(codec=kind), 2: Layout(rows_per_unit=3, codec=kind),
                                            3: Layout(page_rows=3, rows_per_unit=2, codec=kind), 4: Layout(rows_per_unit=8, codec=kind)})


def plain_in_packed():
    """Units that do not shrink stand beside units that do, in pages of every codec."""
    values = [noise("v%d" % r, 96) if r % 2 else bytes(96) for r in range(4)]
    return shard(4, [tensor("z", "u8", (96,)), tensor("l", "u8", (96,)), Column("zw", 0, BINARY), Column("lw", 0, BINARY)],
                 [one(values)] * 4, layouts={1: Layout(codec=ZSTD), 2: Layout(codec=LZ4), 3: Layout(codec=ZSTD),
                                             4: Layout(codec=LZ4)})


def codec_by_page():
    cells = one([bytes([r]) * 80 for r in range(6)])
    return shard(6, [tensor("t", "u8", (80,)), Column("b", 0, BINARY)], [cells, cells], rows_per_group=8,
                 layouts={1: Layout([1, 2, 3], [1, 2], [ZSTD, NONE, LZ4]), 2: Layout([3, 1, 2], [3, 1], [NONE, LZ4, ZSTD])})


def expansion():
    """zstd makes 19 bytes of each: 19,456 zeros are exactly 1,024 times as many, 19,457 must be stored plain."""
    assert len(compress(ZSTD, bytes(19456))) == len(compress(ZSTD, bytes(19457))) == 19
    return shard(1, [tensor("most", "u8", (19456,)), tensor("more", "u8", (19457,))], [one([bytes(19456)]), one([bytes(19457)])],
                 layouts={1: Layout(codec=ZSTD), 2: Layout(codec=ZSTD)})


def dictionary_words():
    return [b"a watercolour painting of a %s in the %s, soft light" % (a, b) for a in (b"dog", b"cat", b"hen", b"fox")
            for b in (b"rain", b"snow")]


def dictionary_raw():
    words = dictionary_words()
    return shard(6, [Column("w", 6, UTF8), tensor("t", "u8", (50,))],
                 [one(words[:6]), one([words[7][:50]] * 2 + [noise("d", 50)] + [words[0][:50]] * 3)],
                 layouts={1: Layout(codec=ZSTD, auxiliary=1), 2: Layout(rows_per_unit=2, codec=ZSTD, auxiliary=2)},
                 auxiliaries=[Auxiliary(0, 1, words[6] + words[1]), Auxiliary(0, 2, b"".join(words[:4])), ])


def dictionary_trained():
    samples = [b"sample %d of a watercolour painting of a dog in the %d, soft light, oil on canvas %d" % (i, i % 7, i % 11)
               for i in range(200)]
    trained = zstandard.train_dictionary(400, samples).as_bytes()
    return shard(6, [Column("w", 6, UTF8)], [one(samples[50:56])], rows_per_group=3,
                 layouts={1: Layout(rows_per_unit=2, codec=ZSTD, auxiliary=2)},
                 auxiliaries=[Auxiliary(0, 1, b"not used by any page"), Auxiliary(0, 1, trained), Auxiliary(1, 1, b"nor this one")])


def spanning():
    axes = [Axis("view", 1, 4, 1)]
    raw = [[noise("sp%d.%d" % (r, v), 5) for v in range(4)] for r in range(5)]
    words = [[b"caption %d of row %d" % (v, r) if r != 2 or v != 1 else ABSENT for v in range(4)] for r in range(5)]
    holes = [[raw[r][v] if (r + v) % 3 else (LOST if r == v else ABSENT) for v in range(4)] for r in range(5)]
    return shard(5, [tensor("t", "u8", (5,), axis=0), Column("w", 6, UTF8, axis=0), tensor("h", "u8", (5,), axis=0),
                     tensor("z", "u8", (5,), axis=0), Column("single", 6, UTF8, axis=0)],
                 [raw, words, holes, raw, words], axes, required=1,
                 layouts={1: Layout(2, 1, span=4), 2: Layout(3, 2, ZSTD, span=3), 3: Layout(4, 2, span=4),
                          4: Layout(4, 4, LZ4, span=2), 5: Layout(2, 2)})


def unknown_tags():
    x, y = ((0x8000, b"later"),), ((0x8001, b""), (0xFFFF, b"\xff\x00"))
    schema = Schema(
        [Column("uid", 1, TENSOR, 1, (4,), extra=x), Column("word", 7, RAGGED, 3, axis=0, tokenizer=0, extra=y)],
        [Axis("caption", 3, 2, 1, "somebody", 1, extra=x + y)], [Teacher("T", 1, 100.0, [(0, 1, 2)], noise("w", 32), extra=x)],
        [Captioner("C", 0, "s", extra=y)], [Tokenizer("K", noise("k", 32), 49408, 77, 49406, 49407, extra=x)],
        [Operation(3, "Cut", [1.0], extra=y)], [Source("S", "free", "here", extra=x)], [Provenance("k", "v", extra=y)],
        Side(rows_digest(2), 2, [(0, 7)], extra=x), extra=((0x8000, b"\x01"), (0x9000, b"any")))
    cells = [ids(2), [[b"\x01\x00\x02\x00", b""], [ABSENT, b"\xff\xc0"]]]
    return Shard(schema, cells, notes=[("k", "v")], notes_extra=((0x8000, b"\xff"), (0x8005, b"")))


def unknown_tags_repeated():
    """Each of them twice, in every record; the values may be equal or not."""
    x = ((0x8000, b"later"), (0x8000, b""), (0xFFFF, b"x"), (0xFFFF, b"x"))
    schema = Schema(
        [Column("uid", 1, TENSOR, 1, (4,), extra=x)], [Axis("view", 1, 2, 1, extra=x)], [Teacher("T", extra=x)],
        [Captioner("C", 0, extra=x)], [Tokenizer("K", noise("k", 32), 3, 77, 1, 2, extra=x)],
        [Operation(3, "Cut", [1.0], extra=x)], [Source("S", "free", extra=x)], [Provenance("k", "v", extra=x)],
        Side(rows_digest(1), 1, [(0, 7)], extra=x), extra=x)
    return Shard(schema, [ids(1)], notes=[("k", "v")], notes_extra=x)


def tokens():
    """The smallest and the largest token of a vocabulary."""
    edge = struct.pack("<3H", 0, 49407, 1)
    schema = dict(tokenizers=[Tokenizer("clip", noise("v", 32), 49408, 77, 49406, 49407)])
    return shard(2, [ragged("a", "u16", role=7, tokenizer=0), tensor("b", "i32", (2,), role=7, tokenizer=0), ragged("c", "u64", tokenizer=0)],
                 [one([edge, b""]), one([struct.pack("<2i", 0, 49407), bytes(8)]), one([struct.pack("<Q", 49407), b""])], schema=schema)


def other_names():
    """R-SCHEMA-2 is about names of columns and axes."""
    odd = ["", "n" * 300, "a\nb", "a\x7f"]
    return shard(1, [], [], [VIEW], schema=dict(
        teachers=[Teacher(n) for n in odd], captioners=[Captioner(n, 0) for n in odd],
        tokenizers=[Tokenizer(n, bytes(32), 1, 1, 0, 0) for n in odd],
        operations=[Operation(i, n) for i, n in enumerate(odd)], sources=[Source(n, n) for n in odd]))


def row_ids_lost():
    made = shard(5, [Column("word", 6, UTF8)], [one([b"row %d" % r for r in range(5)])], rows_per_group=2)
    made.row_ids = [row[0] for row in made.cells[0]]
    made.cells[0][1], made.cells[0][4] = [LOST], [LOST]
    return made


def side_shard():
    made = shard(3, [tensor("other", "u8", (2,), axis=0)], [[[bytes([r, v]) for v in range(2)] for r in range(3)]], [VIEW], 2)
    made.schema.side = Side(rows_digest(3), 3, [(0, 12345)])
    return made


def full_metadata(**more):
    names = [[noise("id%d" % r, 16)] for r in range(2)]
    schema = Schema(
        [uid(16), tensor("image_emb", "bf16", (4,), role=4, axis=0), Column("text", 6, UTF8, axis=1),
         ragged("tokens", "u16", role=7, axis=2, tokenizer=1), Column("url", 2, UTF8), tensor("size", "u16", (2,), role=10)],
        [Axis("view", 1, 2, 1, "RandAugment, seed 1", 1), Axis("real", 2, 1, 0, ""), Axis("synthetic \"x\"\u00e9", 3, 2, 2, None, 3)],
        [Teacher("ViT-L-14 openai", 1, 100.0, [(1, 0, 2)], noise("w0", 32)), Teacher("ViT-L-14 \"b\"", 2, None, [(1, 2, 2), (1, 0, 4)]),
         Teacher("none", 0, -0.0)],
        [Captioner("coca \\ 1", 2, "beam=4\n"), Captioner("plain", 1)],
        [Tokenizer("clip", noise("v0", 32), 49408, 77, 49406, 49407), Tokenizer("other", noise("v1", 32), 2**32 - 1, 0, 0, 1)],
        [Operation(0, "Identity"), Operation(6, "Rotate", [-30.0, 0.26999998092651367, 30.0]), Operation(255, "Last", [0.0])],
        [Source("DataComp", "CC-BY-4.0", "https://example.org/a?b=\"c\""), Source("own", "")],
        [Provenance("tool", "vectors"), Provenance("tool", ""), Provenance("", "empty key")],
        Side(digest(row_term(row[0]) for row in names), 2, [(0, 1), (2, P - 1)]))
    cells = [names,
             [[noise("e%d%d" % (r, v), 8) for v in range(2)] for r in range(2)],
             one([b"a dog", b"a \xe2\x98\x83"]), [[noise("t%d%d" % (r, v), 2 * r + 2) for v in range(2)] for r in range(2)],
             one([b"https://example.org/1.jpg", ABSENT]), one([struct.pack("<2H", 640, 480), struct.pack("<2H", 1, 65535)])]
    return Shard(schema, cells, tag=2**64 - 1, notes=[("host", "none"), ("host", ""), ("quote\"d", "a\\b\nc")], **more)


def mini():
    """A data set like DataCompDR: three rows of one shard, in two row groups."""
    schema = Schema(
        [uid(16), Column("url", 2, UTF8), tensor("sha256", "u8", (32,), role=9), tensor("original_size", "u32", (2,), role=10),
         Column("augmentation", 8, OPERATIONS, axis=0), tensor("image_emb", "bf16", (8,), role=4, axis=0),
         Column("text", 6, UTF8, axis=1), ragged("tokens", "u16", role=7, axis=1, tokenizer=0),
         tensor("text_emb", "bf16", (8,), role=5, axis=1), Column("syn_text", 6, UTF8, axis=2),
         ragged("syn_tokens", "u16", role=7, axis=2, tokenizer=0), tensor("syn_text_emb", "bf16", (8,), role=5, axis=2)],
        [Axis("view", 1, 2, 1, "RandomResizedCrop and RandAugment", 4), Axis("real", 2, 1, 0, "alt text", 6),
         Axis("synthetic", 3, 3, 1, "coca_ViT-L-14", 9)],
        [Teacher("ViT-L-14 datacomp_xl_s13b_b90k", 1, 100.0, [(5, 0, 4), (8, 0, 4), (11, 0, 4)]),
         Teacher("ViT-L-14 openai", 1, 100.0, [(5, 4, 4), (8, 4, 4), (11, 4, 4)])],
        [Captioner("coca_ViT-L-14 mscoco_finetuned", 2, "beam search")],
        [Tokenizer("clip bpe 16e6", noise("vocabulary", 32), 49408, 77, 49406, 49407)],
        [Operation(0, "Identity", [0.0]), Operation(6, "Rotate", [0.26999998092651367]), Operation(9, "Solarize", [28.0, 56.0])],
        [Source("DataComp-small", "CC-BY-4.0", "https://www.datacomp.ai")], [Provenance("made", "by hand")])
    def tokens(r, v, n):
        return b"".join(struct.pack("<H", 320 + (r * 977 + v * 131 + i * 37) % 40000) for i in range(n))
    def emb(kind, r, v):
        return b"".join(struct.pack("<f", (b - 127.5) / 300)[2:] for b in noise("%s%d.%d" % (kind, r, v), 8))
    rows = range(3)
    augmentation = [[crop(14 + r, 347, 370 - v, 427) + rand_augment((0, 0.0), (6, 0.26999998092651367)) for v in range(2)] for r in rows]
    cells = [one([noise("uid%d" % r, 16) for r in rows]),
             one([b"https://example.org/images/%d.jpg" % r for r in rows]),
             one([noise("sha%d" % r, 32) for r in rows]),
             one([struct.pack("<2I", 640 + r, 480) for r in rows]), augmentation,
             [[emb("i", r, v) for v in range(2)] for r in rows],
             one([b"DSC_0001.JPG", b"Red fox in the snow \xf0\x9f\xa6\x8a", b""]),
             [[tokens(r, 0, n)] for r, n in enumerate((5, 7, 0))], [[emb("t", r, 0)] for r in rows],
             [[b"a photo of a fox standing in the snow, number %d" % v for v in range(3)] for r in rows],
             [[tokens(r, v + 1, 9 + v) for v in range(3)] for r in rows],
             [[emb("s", r, v) for v in range(3)] for r in rows]]
    layouts = {0: Layout(rows_per_unit=2), 1: Layout(rows_per_unit=2, codec=ZSTD), 4: Layout(rows_per_unit=2, codec=ZSTD),
               6: Layout(rows_per_unit=2), 9: Layout(rows_per_unit=2, codec=LZ4), 10: Layout(rows_per_unit=2)}
    return Shard(schema, cells, tag=0x1234, rows_per_group=2, layouts=layouts, notes=[("shard", "00000000")])


def limits():
    schema = Schema(
        [uid(1), tensor("n" * 255, "f64", (1, 2, 1, 1, 1, 1, 1, 1), axis=0), tensor("largest cell", "u8", (2**30,)),
         Column("m" * 254 + "n", 0, UTF8, axis=1)], [Axis("a" * 255, 0, 4096, 0), Axis("b", 0, 1, 2)])
    return Shard(schema, [[], [], [], []], rows_per_group=2**24, tag=0, notes=[("", "")])


def all_valid():
    import valid_archive
    import valid_operations
    import valid_planes
    import valid_tokens
    e = []

    def add(name, about, made, *tags):
        e.append((name, about, ["R-" + t for t in tags], made))

    add("empty", "the smallest shard: one column, no rows", Shard(Schema([uid()]), [[]], tag=1), "FILE-1", "FILE-3", "SCHEMA-1")
    add("two-columns", "two columns, three rows in two row groups, an axis of two variants", two_columns(), "GROUP-1", "GROUP-3", "FOOT-3")
    add("one-row", "one row, one column", shard(1, [], []), "PAGE-1", "PAGE-7")
    add("tensor-elements", "a tensor of every element type, one dimension", tensor_elements(), "TYPE-1")
    add("tensor-scalars", "a tensor of every element type, no dimension", tensor_scalars(), "TYPE-1")
    add("tensor-shapes", "tensors of three dimensions; 256 and 257 elements",
        shard(2, [tensor("a", "i16", (2, 3, 4)), tensor("b", "u8", (1, 1, 1)), tensor("c", "u8", (16, 16)), tensor("d", "u8", (257,)),
                  tensor("e", "f32", (2, 2, 2))],
              [one([noise("a%d" % r, 48) for r in range(2)]), one([b"\x00", b"\xff"]), one([noise("c%d" % r, 256) for r in range(2)]),
               one([noise("d%d" % r, 257) for r in range(2)]), one([noise("e%d" % r, 32) for r in range(2)])]), "TYPE-1", "PAGE-7")
    add("ragged-elements", "ragged cells of every element type, empty cells", ragged_elements(), "UNIT-1", "NOTE-1")
    add("ragged-long", "ragged cells of 0 to 300 elements, lengths of one and two varint bytes", ragged_long(), "UNIT-1", "NOTE-1")
    add("utf8", "quotes, control characters, emoji, empty text, U+0080, U+FEFF",
        shard(8, [Column("w", 6, UTF8), Column("wz", 6, UTF8)], [one([text(w) for w in WORDS])] * 2, rows_per_group=8,
              layouts={1: Layout(rows_per_unit=3), 2: Layout(rows_per_unit=3, codec=ZSTD)}), "NOTE-5", "UNIT-1")
    add("binary", "binary cells that are no UTF-8, and an empty one",
        shard(4, [Column("image", 3, BINARY)], [one([b"\xff\xd8\xff\xe0", b"", b"\x00", bytes(range(256))])]), "UNIT-1")
    add("operations", "every kind of item, null items, empty value, numbers and magnitudes outside the table, NaN and -0", operations(), "TYPE-2", "TYPE-3")
    add("locator", "every hash kind, largest numbers, empty container", locators())
    add("codec-zstd", "zstd for tensors and ragged types", codec(ZSTD), "CODEC-1", "CODEC-2", "PAGE-6")
    add("codec-lz4", "lz4 for tensors and ragged types", codec(LZ4), "CODEC-1", "PAGE-6")
    add("codec-plain-units", "units that hold their plain bytes, beside compressed ones", plain_in_packed(), "UNIT-2", "UNIT-3")
    add("codec-by-page", "codec and unit size differ between pages of a chunk", codec_by_page(), "PAGE-1", "PAGE-6")
    add("codec-expansion", "a unit that is exactly 1,024 times its stored bytes, and one that must be stored plain since it would be more", expansion(), "UNIT-3", "UNIT-4")
    for n in (1, 2, 7):
        add("units-%d" % n, "units of %d rows, the last one short" % n, grid(10, n), "PAGE-1", "PAGE-7")
    add("units-larger-than-page", "rows_per_unit above the page's rows", grid(3, 256), "PAGE-1", "PAGE-7")
    add("units-and-pages", "pages of 4 rows, units of 3, zstd", grid(10, 3, 4, ZSTD), "PAGE-1", "INDEX-1")
    add("pages-of-one-row", "every row a page", grid(5, 1, 1), "INDEX-1")
    for n in (255, 256, 257):
        add("rows-%d" % n, "%d rows, units of 256" % n, grid(n, 256), "PAGE-1", "PAGE-7")
    add("cell-sizes", "tensor cells of 1 to 65 bytes, units of 1, 2 and 3 rows", strides(), "PAGE-7")
    add("bf16-patterns", "bf16 NaN, infinity, denormal and -0", bf16_patterns(), "TYPE-1")
    add("float-patterns", "f16, f32 and f64 NaN, infinity, denormal and -0", float_patterns(), "TYPE-1")
    add("missing", "none, all and some cells absent or lost, for tensors, text and packed pages", missing(), "PAGE-5", "PAGE-8")
    add("missing-units", "units of packed tensors without a present cell are stored as no bytes, under zstd and lz4; one of 128 MiB", missing_units(), "UNIT-5")
    add("missing-in-some-pages", "pages with and without states in one chunk", missing_pages(), "PAGE-5", "PAGE-8")
    add("rows-per-group-1", "every row a group",
        shard(3, [Column("word", 6, UTF8)], [one([b"a", b"", b"c"])], rows_per_group=1), "GROUP-3", "HEAD-5")
    for n, name in ((5, "minus-1"), (6, "exact"), (7, "plus-1")):
        add("group-boundary-" + name, "%d rows in groups of 3" % n, groups(n), "GROUP-3", "FOOT-3")
    add("dictionary-raw", "zstd dictionaries of any content, used by two columns over two groups", dictionary_raw(), "AUX-1", "AUX-2", "AUX-3")
    add("dictionary-trained", "a trained zstd dictionary; auxiliary pages that nothing uses, one of them in the second group",
        dictionary_trained(), "AUX-1", "AUX-3", "AUX-4")
    add("auxiliary-kind-unused", "auxiliary pages which nothing refers to: of the kinds 2 to 5, though they hold no tables, and of an unknown kind",
        shard(1, [Column("word", 6, UTF8)], [one([b"word"])],
              auxiliaries=[*(Auxiliary(0, 1, b"no table"[:kind], kind) for kind in range(2, 6)), Auxiliary(0, 1, b"\x00", 900)]), "AUX-5", "ENC-5")
    add("spanning", "chunks of several variants, raw, zstd and lz4, with missing cells", spanning(), "GROUP-1", "GROUP-2", "PAGE-1")
    add("unknown-tags", "unknown optional tags in every record", unknown_tags(), "NOTE-3")
    add("optional-feature", "unknown optional feature bits", shard(1, [], [], optional=1 << 63 | 2), "VER-1")
    add("minor-7", "a later minor version", shard(1, [], [], minor=7), "HEAD-3")
    add("unknown-role", "unknown role numbers", shard(1, [tensor("a", "u8", (2,), role=99), Column("b", 255, UTF8)],
                                                     [one([b"\x01\x02"]), one([b"b"])]))
    add("unknown-axis-kind", "an unknown axis kind", shard(1, [tensor("a", "u8", (1,), axis=0)], [[[b"\x05"]]], [Axis("later", 200, 1, 2)]))
    add("axis-without-columns", "an axis that no column has", shard(1, [], [], [VIEW]))
    add("row-id-last", "the row id is not the first column",
        Shard(Schema([tensor("a", "u8", (1,)), tensor("uid", "u8", (32,), role=1)]), [one([b"\x05"]), one([noise("id", 32)])]), "SCHEMA-1")
    add("full-metadata", "every metadata record, notes and side record", full_metadata(), "SCHEMA-3", "SCHEMA-7", "SCHEMA-8", "SIDE-2")
    add("unknown-tags-repeated", "unknown optional tags that occur twice, in every record", unknown_tags_repeated(), "NOTE-2", "NOTE-3")
    add("other-names", "names of teachers, captioners, tokenizers, operations and sources: empty, 300 bytes, control characters", other_names(), "SCHEMA-2")
    add("tokens", "the smallest and the largest token of a vocabulary", tokens(), "TYPE-5")
    add("row-ids-lost", "row ids that a repair has lost, in two of three groups; the row-set digest is that of all", row_ids_lost(), "SET-5", "REC-2")
    add("side-shard", "a side shard of three rows in two groups, with a shared axis", side_shard(), "SIDE-2")
    add("spanning-feature-unused", "required feature 0, and no chunk of several variants", shard(1, [], [], required=1), "GROUP-2")
    add("limits", "names of 255 bytes, 8 dims, 4,096 variants, the largest cell and row group; no rows", limits(), "LIMIT-1")
    add("datacompdr-mini", "three rows of a reinforced data set", mini(), "AUX-3")
    valid_planes.planes(add)
    valid_archive.archive(add)
    valid_tokens.tokens(add)
    valid_operations.operations(add)
    return e
