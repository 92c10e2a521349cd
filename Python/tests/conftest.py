"""A small data set, written once for all tests, and where the command line is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import drshard
import numpy as np
import pytest

VIEWS, SYNTHETIC, DIMS = 4, 3, 24
ROWS_PER_SHARD, SHARDS = 70, 3
ROWS = ROWS_PER_SHARD * SHARDS


def schema(element: str = "bf16") -> drshard.Schema:
    """A schema with all that a batch can hold."""
    slices = [drshard.Slice(name, 0, DIMS // 2) for name in ("image_emb", "text_emb", "syn_text_emb")]
    return drshard.Schema(
        axes=[
            drshard.Axis("view", kind="views", count=VIEWS, exchangeable=True),
            drshard.Axis("real", kind="real captions", count=1, exchangeable=False),
            drshard.Axis("synthetic", kind="synthetic captions", count=SYNTHETIC, exchangeable=True, source="a test"),
        ],
        columns=[
            drshard.Column("uid", role="row_id", element="u8", dims=[16]),
            drshard.Column("size", role="image_size", element="u32", dims=[2]),
            drshard.Column("image", role="image", type="binary"),
            drshard.Column("augmentation", role="augmentation", type="operations", axis="view"),
            drshard.Column("image_emb", role="image_embedding", element=element, dims=[DIMS], axis="view"),
            drshard.Column("text", role="text", type="utf8", axis="real"),
            drshard.Column("tokens", role="tokens", type="ragged", element="u16", axis="real", tokenizer="clip"),
            drshard.Column("text_emb", role="text_embedding", element=element, dims=[DIMS], axis="real"),
            drshard.Column("syn_text", role="text", type="utf8", axis="synthetic"),
            drshard.Column("syn_tokens", role="tokens", type="ragged", element="u16", axis="synthetic", tokenizer="clip"),
            drshard.Column("syn_text_emb", role="text_embedding", element=element, dims=[DIMS], axis="synthetic"),
        ],
        teachers=[
            drshard.Teacher("first", slices=slices, normalised=True, logit_scale=100.0),
            drshard.Teacher("second", slices=[drshard.Slice(s.column, DIMS // 2, DIMS // 2) for s in slices]),
        ],
        tokenizers=[drshard.Tokenizer("clip", "00" * 32, 49408, 77, 49406, 49407)],
        operations=[drshard.Operation(0, "Identity", [0.0]), drshard.Operation(6, "Brightness", [-0.27, 0.27])],
        sources=[drshard.Source("tests", "CC0-1.0")],
    )  # fmt: skip


def rows(first: int, count: int, dtype=np.float32) -> dict:
    """Columns of some rows; a row is the same whichever others it is made with."""
    made = [np.random.default_rng(1000 + first + i) for i in range(count)]

    def floats(variants: int) -> np.ndarray:
        return np.stack([each.standard_normal((variants, DIMS)) for each in made]).astype(dtype)

    return {
        "uid": np.stack([np.frombuffer(np.uint64([first + i, 77]).tobytes(), np.uint8) for i in range(count)]),
        "size": np.stack([each.integers(64, 640, 2) for each in made]).astype(np.uint32),
        "image": [f"image {first + i} ".encode() * (1 + (first + i) % 5) for i in range(count)],
        "augmentation": [
            [
                drshard.Augmentation(crop=(i % 7, v, 20 + i, 30), operations=[(0, 0.0), (6, 0.27 if v % 2 else -0.27)])
                for v in range(VIEWS)
            ]
            for i in range(first, first + count)
        ],
        "image_emb": floats(VIEWS),
        "text": [[f"caption of row {first + i}, ü"] for i in range(count)],
        "tokens": [[each.integers(0, 49406, 5 + i % 3).astype(np.uint16)] for i, each in enumerate(made, first)],
        "text_emb": floats(1),
        "syn_text": [[f"synthetic {v} of {first + i}" for v in range(SYNTHETIC)] for i in range(count)],
        "syn_tokens": [[each.integers(0, 49406, 3 + v) for v in range(SYNTHETIC)] for each in made],
        "syn_text_emb": floats(SYNTHETIC),
    }


def write(path: Path, first: int, count: int, **options) -> None:
    with drshard.ShardWriter(path, schema(), shard_tag=first + 1, rows_per_group=32, **options) as writer:
        writer.write_batch(rows(first, count))


def arrays_of(loader: drshard.Loader) -> list[tuple[str, int, int, int]]:
    """Name, number of the element type, width and offset of every array of a batch."""
    with loader._handle as handle:
        return drshard.loader._arrays(handle)


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> Path:
    """A folder of three shards. No test may change it."""
    folder = tmp_path_factory.mktemp("shards")
    for number in range(SHARDS):
        write(folder / f"{number:08}.drs", number * ROWS_PER_SHARD, ROWS_PER_SHARD)
    return folder


@pytest.fixture
def own_shards(shards, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(shards, tmp_path / "own"))


@pytest.fixture(scope="session")
def cli():
    """Runs the command line; DRSHARD_CLI says where it is."""
    program = os.environ.get("DRSHARD_CLI")
    if program is None:
        if os.environ.get("DRSHARD_TRAINERS") == "required":
            pytest.fail("DRSHARD_CLI is not set", pytrace=False)
        pytest.skip("needs the drshard command line: set DRSHARD_CLI")

    def run(*arguments, fails: bool = False) -> str:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout

    return run


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(np.uint16)


def same(a: dict, b: dict) -> bool:
    """Whether two batches hold the same."""
    assert a.keys() == b.keys()
    return all(
        np.array_equal(np.ascontiguousarray(a[key]).view(np.uint8), np.ascontiguousarray(b[key]).view(np.uint8))
        if isinstance(a[key], np.ndarray)
        else list(a[key]) == list(b[key])
        if isinstance(a[key], drshard._batch.Values)
        else a[key] == b[key]
        for key in a
    )
