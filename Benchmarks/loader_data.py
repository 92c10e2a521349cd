"""What all loaders get and deliver: the arrays of a set, the order of an epoch, and the check of what came out.

A set is a folder with `arrays/NAME.npy`: image u16 [N, 10, 1536], text u16 [N, 6, 1536] (variant 0 is the real
caption), tokens u16 [N, 6, 77] padded with 0, augmentation u8 [N, 10, 32], uid u8 [N, 16]. u16 are the bits of bf16.

A batch is a dict of contiguous arrays: COLUMNS below, and beside them what it says it holds: `rows` or `uid`, `views`
and `captions` (1 to 5, the synthetic one), which are checked and not timed apart.

    python3 loader_data.py FOLDER ROWS      # random arrays
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VIEWS, TEXTS, DIMS, CONTEXT, RECORD = 10, 6, 1536, 77, 32
SHAPES = {
    "image": ("u2", (VIEWS, DIMS)),
    "text": ("u2", (TEXTS, DIMS)),
    "tokens": ("u2", (TEXTS, CONTEXT)),
    "augmentation": ("u1", (VIEWS, RECORD)),
    "uid": ("u1", (16,)),
}
# Name in a batch: array, type delivered, values of a row.
COLUMNS = {
    "image": ("image", np.uint16, DIMS),
    "text": ("text", np.uint16, DIMS),
    "synthetic_text": ("text", np.uint16, DIMS),
    "tokens": ("tokens", np.int32, CONTEXT),
    "synthetic_tokens": ("tokens", np.int32, CONTEXT),
    "augmentation": ("augmentation", np.uint8, RECORD),
}
# The order that drshard takes unless told otherwise: blocks of 256 rows, shuffled inside windows of 8 batches.
BLOCK_ROWS, WINDOW_BATCHES = 256, 8
SEED = 7

Batch = dict[str, np.ndarray]


class Wrong(Exception):
    """A batch does not hold what it says, or an epoch not every row."""


def load(folder: str | Path) -> Batch:
    """The arrays of a set, mapped."""
    arrays = {name: np.load(Path(folder) / "arrays" / f"{name}.npy", mmap_mode="r") for name in SHAPES}
    for name, (kind, shape) in SHAPES.items():
        expected = (len(arrays["uid"]), *shape)
        if arrays[name].dtype != np.dtype(kind) or arrays[name].shape != expected:
            raise Wrong(f"{name}.npy is {arrays[name].dtype} {arrays[name].shape}, and not {kind} {expected}")
    return arrays


def make(folder: str | Path, rows: int, seed: int = SEED) -> None:
    """Random arrays of that form; written in pieces, under their names when they are complete."""
    target = Path(folder) / "arrays"
    target.mkdir(parents=True, exist_ok=True)
    for name, (kind, shape) in SHAPES.items():
        part = target / f"{name}.part"
        array = np.lib.format.open_memmap(part, mode="w+", dtype=np.dtype(kind), shape=(rows, *shape))
        random = np.random.default_rng([seed, list(SHAPES).index(name)])
        for start in range(0, rows, 512):
            count = min(512, rows - start)
            array[start : start + count] = MAKERS[name](random, count)
        array.flush()
        part.rename(target / f"{name}.npy")


def bf16(values: np.ndarray) -> np.ndarray:
    """The bits of the nearest bf16, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def make_embeddings(random: np.random.Generator, count: int, variants: int) -> np.ndarray:
    """Unit vectors of two teachers; the variants of a row are one vector and noise."""
    shape = (count, variants, 2, DIMS // 2)
    values = random.standard_normal((count, 1, *shape[2:]), np.float32)
    values = values + 0.5 * random.standard_normal(shape, np.float32)
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    return bf16(values.reshape(count, variants, DIMS))


def make_tokens(random: np.random.Generator, count: int) -> np.ndarray:
    """Zipf's words between start and end, about a dozen a caption."""
    lengths = np.clip(random.poisson(10, (count, TEXTS)), 2, CONTEXT - 2)[..., None]
    words = 256 + random.zipf(1.3, (count, TEXTS, CONTEXT)) % 49000
    places = np.arange(CONTEXT)
    return np.select([places == 0, places <= lengths, places == lengths + 1], [49406, words, 49407], 0)


def make_augmentations(random: np.random.Generator, count: int) -> np.ndarray:
    """Crops of pictures, two operations, and their magnitudes, which are constants of the operation and a sign."""
    crops = random.integers(0, 512, (count, VIEWS, 4)).astype("<i4")
    operations = random.integers(0, 14, (count, VIEWS, 2)).astype("<i4")
    magnitudes = (operations * 0.03 * random.choice([-1, 1], operations.shape)).astype("<f4")
    parts = [part.view(np.uint8) for part in (crops, operations, magnitudes)]
    return np.concatenate(parts, axis=-1)


MAKERS = {
    "image": lambda random, count: make_embeddings(random, count, VIEWS),
    "text": lambda random, count: make_embeddings(random, count, TEXTS),
    "tokens": make_tokens,
    "augmentation": make_augmentations,
    "uid": lambda random, count: random.integers(0, 256, (count, 16)),
}


def empty_batch(rows: int) -> Batch:
    batch = {name: np.empty((rows, width), kind) for name, (_, kind, width) in COLUMNS.items()}
    return batch | {name: np.empty(rows, np.int64) for name in ("rows", "views", "captions")}


@dataclass
class Block:
    """Rows that follow each other, with one view and one synthetic caption, and their places in the window."""

    rows: range
    view: int
    caption: int
    places: np.ndarray


def windows(row_count: int, batch_size: int, epoch: int) -> Iterator[list[Block]]:
    """The epoch in random blocks, whose rows are shuffled among the blocks of a window."""
    random = np.random.default_rng([SEED, epoch])
    starts = random.permutation(-(-row_count // BLOCK_ROWS)) * BLOCK_ROWS
    size = -(-WINDOW_BATCHES * batch_size // BLOCK_ROWS)
    for first in range(0, len(starts), size):
        rows = [range(s, min(s + BLOCK_ROWS, row_count)) for s in starts[first : first + size].tolist()]
        ends = np.cumsum([len(r) for r in rows])
        places = np.split(random.permutation(ends[-1]), ends[:-1])
        views = random.integers(0, VIEWS, len(rows)).tolist()
        captions = random.integers(1, TEXTS, len(rows)).tolist()
        yield [Block(*block) for block in zip(rows, views, captions, places)]


@dataclass
class Draw:
    """A batch of random rows, each with a view and a synthetic caption of its own."""

    rows: np.ndarray
    views: np.ndarray
    captions: np.ndarray


def draws(row_count: int, batch_size: int, epoch: int) -> Iterator[Draw]:
    """The epoch in one random order of all rows."""
    random = np.random.default_rng([SEED, epoch])
    order = random.permutation(row_count)
    for start in range(0, row_count, batch_size):
        rows = order[start : start + batch_size]
        yield Draw(rows, random.integers(0, VIEWS, len(rows)), random.integers(1, TEXTS, len(rows)))


class Checker:
    """Compares batches with the arrays; an epoch must hold every row."""

    def __init__(self, arrays: Batch) -> None:
        self.arrays = arrays
        self.row_of = {uid.tobytes(): row for row, uid in enumerate(arrays["uid"])}
        self.seen = np.zeros(len(arrays["uid"]), np.int64)
        self.in_order = self.steps = 0

    def check(self, batch: Batch, batch_size: int) -> None:
        rows = batch.get("rows")
        if rows is None:
            rows = np.array([self.row_of[bytes(uid)] for uid in batch["uid"]])
        if len(rows) > batch_size:
            raise Wrong(f"a batch of {len(rows)} samples")
        variants = {"image": batch["views"], "augmentation": batch["views"], "text": 0, "tokens": 0}
        for name, (source, kind, width) in COLUMNS.items():
            values, variant = batch[name], variants.get(name, batch["captions"])
            if values.dtype != kind or values.shape != (len(rows), width) or not values.flags.c_contiguous:
                raise Wrong(f"{name} is {values.dtype} {values.shape}")
            if not np.array_equal(values, self.arrays[source][rows, variant]):
                raise Wrong(f"{name} differs from the arrays")
        if batch["captions"].min() < 1:
            raise Wrong("a real caption where the synthetic one should be")
        np.add.at(self.seen, rows, 1)
        self.in_order += np.count_nonzero(np.diff(rows) == 1)
        self.steps += len(rows) - 1

    def finish(self) -> None:
        missing, extra = np.count_nonzero(self.seen == 0), np.count_nonzero(self.seen > 1)
        if missing or extra:
            raise Wrong(f"of {len(self.seen)} rows {missing} are missing, and {extra} came more than once")
        if self.in_order > 0.1 * self.steps:
            raise Wrong("rows are not shuffled")


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]))
