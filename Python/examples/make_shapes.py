#!/usr/bin/env python3
"""Make a small reinforced data set in which there is something to learn: coloured shapes, and captions that name them.

    python make_shapes.py shapes/ --rows 256
    python train_student.py shapes/ --model tiny --steps 200 --batch-size 64 --learning-rate 3e-3

Two made-up teachers know colour and shape: an embedding is a fixed random projection of both, with a little noise for
each view and caption, normalised. Crops keep the shape in the picture. It needs Pillow and open_clip's tokenizer, no
download, and it shows how a shard of one's own is written.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import drshard
import numpy
from PIL import Image, ImageDraw

COLOURS = {
    "red": (220, 30, 30), "green": (30, 170, 50), "blue": (40, 60, 220), "yellow": (235, 215, 40),
    "purple": (150, 40, 180), "orange": (245, 140, 20), "white": (245, 245, 245), "black": (15, 15, 15),
}  # fmt: skip
SHAPES = ("disc", "square", "triangle", "cross")
REAL = "a {colour} {shape} on a grey background"
SYNTHETIC = ("{colour} {shape}", "a picture of a {shape} that is {colour}", "there is one {colour} {shape} here")
TEACHERS = (("colours-and-shapes-a", 100.0, 32), ("colours-and-shapes-b", 60.0, 32))
SIDE = 64


def kind_of(row: int) -> tuple[int, int]:
    """Colour and shape of a row: every pair comes once in 32 rows."""
    return row % len(COLOURS), row // len(COLOURS) % len(SHAPES)


def picture(row: int, seed: int = 0) -> tuple[bytes, tuple[int, int, int, int]]:
    """A row's image as PNG, and the box (left, top, right, bottom) of the shape in it."""
    draw = random.Random(f"picture {seed} {row}")
    colour, shape = kind_of(row)
    grey = draw.randint(90, 160)
    image = Image.new("RGB", (SIDE, SIDE), (grey, grey, grey))
    side = draw.randint(26, 38)
    left, top = draw.randint(2, SIDE - side - 2), draw.randint(2, SIDE - side - 2)
    box = (left, top, left + side, top + side)
    _paint(ImageDraw.Draw(image), box, list(COLOURS.values())[colour], SHAPES[shape])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue(), box


def _paint(canvas: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, ...], shape: str) -> None:
    left, top, right, bottom = box
    middle, third = (left + right) // 2, (right - left) // 3
    if shape == "disc":
        canvas.ellipse(box, fill=colour)
    elif shape == "square":
        canvas.rectangle(box, fill=colour)
    elif shape == "triangle":
        canvas.polygon([(middle, top), (right, bottom), (left, bottom)], fill=colour)
    else:
        canvas.rectangle((left + third, top, right - third, bottom), fill=colour)
        canvas.rectangle((left, top + third, right, bottom - third), fill=colour)


def captions(row: int) -> tuple[str, list[str]]:
    """The real caption and the synthetic ones."""
    colour, shape = kind_of(row)
    words = {"colour": list(COLOURS)[colour], "shape": SHAPES[shape]}
    return REAL.format(**words), [each.format(**words) for each in SYNTHETIC]


def crop_and_operations(row: int, view: int, box: tuple[int, int, int, int], seed: int = 0) -> tuple[Any, Any]:
    """A crop (top, left, height, width) with the shape in it, and two operations that leave colours what they are."""
    draw = random.Random(f"view {seed} {row} {view}")
    left, top = draw.randint(0, box[0]), draw.randint(0, box[1])
    right, bottom = draw.randint(box[2], SIDE), draw.randint(box[3], SIDE)
    second = draw.choice([(0, 0.0), (8, 0.27), (8, -0.27), (9, 0.27), (5, 9.0), (5, -9.0)])
    return (top, left, bottom - top, right - left), [(0, 0.0), second]


def embeddings(row: int, variants: int, part: str, seed: int = 0, noise: float = 0.2) -> numpy.ndarray:
    """What the teachers say to the variants of a part of a row, f32 [variants, 64]."""
    colour, shape = kind_of(row)
    attributes = numpy.zeros(len(COLOURS) + len(SHAPES))
    attributes[colour] = attributes[len(COLOURS) + shape] = 1
    made = []
    for number, (_, _, width) in enumerate(TEACHERS):
        projection = numpy.random.default_rng(number).normal(size=(len(attributes), width))
        own = numpy.random.default_rng([seed, row, number, *part.encode()]).normal(size=(variants, width))
        rows = attributes @ projection + noise * numpy.linalg.norm(attributes @ projection) / width**0.5 * own
        made.append(rows / numpy.linalg.norm(rows, axis=1, keepdims=True))
    return numpy.concatenate(made, axis=1).astype(numpy.float32)


def schema_of(views: int, element: str) -> Any:
    """The schema of the set: what axes there are, what columns, and what the teachers' numbers mean."""
    width = sum(each for _, _, each in TEACHERS)
    axes = [
        drshard.Axis("view", kind="views", count=views, exchangeable=True),
        drshard.Axis("real", kind="real captions", count=1),
        drshard.Axis("synthetic", kind="synthetic captions", count=len(SYNTHETIC), exchangeable=True),
    ]
    columns = [
        drshard.Column("uid", role="row_id", element="u8", dims=[16]),
        drshard.Column("image", role="image", type="binary"),
        drshard.Column("augmentation", role="augmentation", type="operations", axis="view"),
        drshard.Column("image_emb", role="image_embedding", element=element, dims=[width], axis="view"),
    ]
    for axis, name in (("real", "text"), ("synthetic", "syn_text")):
        tokens = "tokens" if axis == "real" else "syn_tokens"
        columns += [
            drshard.Column(name, role="text", type="utf8", axis=axis),
            drshard.Column(tokens, role="tokens", type="ragged", element="u16", axis=axis, tokenizer="clip"),
            drshard.Column(f"{name}_emb", role="text_embedding", element=element, dims=[width], axis=axis),
        ]
    return drshard.Schema(axes=axes, columns=columns, teachers=_teachers(), tokenizers=[_tokenizer()])


def _teachers() -> list[Any]:
    made, first = [], 0
    for name, scale, width in TEACHERS:
        slices = [drshard.Slice(column, first, width) for column in ("image_emb", "text_emb", "syn_text_emb")]
        made.append(drshard.Teacher(name, normalised=True, logit_scale=scale, slices=slices))
        first += width
    return made


def _tokenizer() -> Any:
    from open_clip.tokenizer import default_bpe

    digest = hashlib.sha256(Path(default_bpe()).read_bytes()).hexdigest()
    return drshard.Tokenizer(
        "clip", vocabulary_sha256=digest, vocabulary_size=49408, context_length=77, start=49406, end=49407
    )


@functools.cache
def _encoder() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def tokens_of(texts: Sequence[str]) -> list[numpy.ndarray]:
    """CLIP's token ids. The start and the end token are not stored."""
    return [numpy.array(_encoder().encode(text), dtype=numpy.uint16) for text in texts]


def row_of(row: int, views: int, seed: int = 0) -> dict[str, Any]:
    """All cells of a row, by column."""
    data, box = picture(row, seed)
    real, synthetic = captions(row)
    crops = [crop_and_operations(row, view, box, seed) for view in range(views)]
    return {
        "uid": numpy.frombuffer(hashlib.md5(f"{seed} {row}".encode()).digest(), dtype=numpy.uint8),
        "image": data,
        "augmentation": [drshard.Augmentation(crop=crop, operations=pairs) for crop, pairs in crops],
        "image_emb": embeddings(row, views, "image", seed),
        "text": [real],
        "tokens": tokens_of([real]),
        "text_emb": embeddings(row, 1, "real", seed),
        "syn_text": synthetic,
        "syn_tokens": tokens_of(synthetic),
        "syn_text_emb": embeddings(row, len(synthetic), "synthetic", seed),
    }


def make(folder: Path, rows: int = 256, views: int = 4, shards: int = 1, element: str = "f32", seed: int = 0) -> None:
    """Write the set into a folder, as `shards` files of about equally many rows."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = schema_of(views, element)
    for shard in range(shards):
        path = folder / f"{shard:08d}.drs"
        with drshard.ShardWriter(path, schema, shard_tag=shard + 1) as writer:
            for row in range(rows * shard // shards, rows * (shard + 1) // shards):
                writer.write(row_of(row, views, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folder", type=Path)
    made.add_argument("--rows", type=int, default=256)
    made.add_argument("--views", type=int, default=4, help="stored views of each image")
    made.add_argument("--shards", type=int, default=1)
    made.add_argument("--element", choices=["f32", "bf16", "f16"], default="f32", help="of the stored embeddings")
    made.add_argument("--seed", type=int, default=0, help="another seed makes other pictures of the same kinds")
    given = made.parse_args(arguments)
    make(given.folder, given.rows, given.views, given.shards, given.element, given.seed)
    print(f"{given.rows} rows in {given.shards} shards in {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
