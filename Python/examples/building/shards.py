"""Writes samples, their views' embeddings and their captions into shards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import drshard
import numpy as np
import open_clip
import torch
from drshard.augment import Augmentation
from open_clip.tokenizer import SimpleTokenizer, default_bpe

from .captions import Captions
from .drawing import RATIO, Drawing
from .samples import BadSample, Inputs, RawSample, Sample, read
from .teachers import Look, Teacher


def make_schema(
    teachers: Sequence[Teacher], drawing: Drawing, captions: Captions | None, tokenizer: SimpleTokenizer, inputs: Inputs
) -> drshard.Schema:
    """The schema of all shards: columns as `drshard convert` names them, and what the numbers mean."""
    dims = sum(teacher.dims for teacher in teachers)
    axes = [
        drshard.Axis("view", kind="views", count=drawing.views, exchangeable=True, defining_column="augmentation"),
        drshard.Axis("real", kind="real captions", count=1, exchangeable=False, defining_column="text"),
    ]
    columns = [
        drshard.Column("uid", role="row_id", element="u8", dims=[16]),
        drshard.Column("sha256", role="image_hash", element="u8", dims=[32]),
        # Also where no sample has a URL: that would be known behind the last one alone.
        drshard.Column("url", role="url", type="utf8"),
        drshard.Column("original_size", role="image_size", element="u32", dims=[2]),
        drshard.Column("image", role="image", type="binary"),
        drshard.Column("augmentation", role="augmentation", type="operations", axis="view"),
        drshard.Column("image_emb", role="image_embedding", element="bf16", dims=[dims], axis="view"),
        *_text_columns("", "real", dims),
    ]
    captioners = []
    if captions is not None:
        axes.append(
            drshard.Axis(
                "synthetic",
                kind="synthetic captions",
                count=captions.count,
                exchangeable=True,
                source=captions.name,
                defining_column="syn_text",
            )
        )
        columns += _text_columns("syn_", "synthetic", dims)
        captioners.append(drshard.Captioner("synthetic", captions.name, captions.settings))
    return drshard.Schema(
        axes=axes,
        columns=columns,
        teachers=_teachers(teachers, [column.name for column in columns if column.name.endswith("_emb")]),
        captioners=captioners,
        tokenizers=[_tokenizer(tokenizer)],
        operations=[drshard.Operation(*entry) for entry in drawing.magnitudes()],
        provenance=[("build_shards", json.dumps(_facts(teachers, drawing, inputs)))],
    )


def _text_columns(prefix: str, axis: str, dims: int) -> list[drshard.Column]:
    return [
        drshard.Column(f"{prefix}text", role="text", type="utf8", axis=axis),
        drshard.Column(
            f"{prefix}tokens", role="tokens", type="ragged", element="u16", axis=axis, tokenizer=TOKENIZER_NAME
        ),
        drshard.Column(f"{prefix}text_emb", role="text_embedding", element="bf16", dims=[dims], axis=axis),
    ]


TOKENIZER_NAME = "CLIP byte-pair encoding"


def _teachers(teachers: Sequence[Teacher], columns: list[str]) -> list[drshard.Teacher]:
    described, first = [], 0
    for teacher in teachers:
        slices = [drshard.Slice(column, first, teacher.dims) for column in columns]
        described.append(drshard.Teacher(teacher.name, normalised=True, logit_scale=teacher.logit_scale, slices=slices))
        first += teacher.dims
    return described


def _tokenizer(tokenizer: SimpleTokenizer) -> drshard.Tokenizer:
    return drshard.Tokenizer(
        name=TOKENIZER_NAME,
        vocabulary_sha256=hashlib.sha256(Path(default_bpe()).read_bytes()).hexdigest(),
        vocabulary_size=tokenizer.vocab_size,
        context_length=tokenizer.context_length,
        start=tokenizer.sot_token_id,
        end=tokenizer.eot_token_id,
    )


def _facts(teachers: Sequence[Teacher], drawing: Drawing, inputs: Inputs) -> dict[str, Any]:
    """What all that is drawn and computed depends on: shards of other facts are not mixed with these."""
    return {
        "seed": drawing.seed, "scale": drawing.scale, "ratio": RATIO, "view_size": drawing.size,
        "operations": drawing.operations, "magnitude": drawing.magnitude, "bins": drawing.bins,
        "precision": sorted({teacher.precision for teacher in teachers}), "inputs": inputs.digest(),
        "open_clip": open_clip.__version__,
    }  # fmt: skip


@dataclass
class Counts:
    """What was done."""

    rows: int = 0
    shards: int = 0
    kept: int = 0
    """Shards that were there already."""
    resumed: int = 0
    """Rows of an unfinished shard that were there already."""
    duplicates: int = 0
    bad: list[str] = field(default_factory=list)


# The views of an image, as each kind of teacher wants them, and what the captioner sees of it.
_Seen = tuple[dict[Look, torch.Tensor], torch.Tensor | None]


@dataclass
class _Prepared:
    """A batch whose views are being made on other threads."""

    samples: list[Sample]
    records: list[list[Augmentation]]
    views: list[Future[_Seen]]


class Builder:
    """Makes the shards of a folder.

    Shard n is made of inputs n · rows to (n + 1) · rows, so a run that goes on knows where without having read what is
    before. Within a shard, batches begin at the same rows however often it was interrupted: what a model returns may
    depend on what else is in its batch.

    Args:
        rows: inputs of a shard; bad ones and duplicates make it shorter.
        batch_size: images that a teacher gets at once.
        workers: threads that decode images and make views.
        skips_bad: whether bad samples are left out. Otherwise the first one ends the run.
    """

    def __init__(
        self, output: Path, inputs: Inputs, drawing: Drawing, teachers: Sequence[Teacher], captions: Captions | None,
        *, rows: int, rows_per_group: int, batch_size: int, workers: int, skips_bad: bool,
    ) -> None:  # fmt: skip
        self._output, self._inputs, self._drawing = output, inputs, drawing
        self._teachers, self._captions, self._tokenizer = teachers, captions, SimpleTokenizer()
        self._rows, self._rows_per_group, self._skips_bad = rows, rows_per_group, skips_bad
        self._batch_rows = max(1, batch_size // drawing.views)
        self._workers, self._pool = workers, ThreadPoolExecutor(workers)
        self._uids: set[bytes] = set()
        self._progress = Progress()
        self.schema = make_schema(teachers, drawing, captions, self._tokenizer, inputs)
        self.counts = Counts()

    def run(self) -> Counts:
        """Makes all shards that are not there yet.

        Raises:
            SystemExit: a bad sample, or shards in the folder that were made in another way.
            drshard.Error: a shard cannot be written or read.
        """
        self._output.mkdir(parents=True, exist_ok=True)
        number, stream, position = 0, iter(()), -1
        with self._pool:
            while True:
                path = self._output / f"{number:08d}.drs"
                if path.exists():
                    self._keep(path)
                else:
                    if position != number * self._rows:
                        position = number * self._rows
                        stream = self._read(self._inputs.samples(position))
                    samples = list(islice(stream, 1))
                    if not samples:
                        break
                    self._make(path, number, _chain(samples, islice(stream, self._rows - 1)))
                    position += self._rows
                number += 1
        self._progress.close()
        return self.counts

    def _keep(self, path: Path) -> None:
        shard = drshard.open(str(path))
        if shard.schema != self.schema:
            raise SystemExit(
                f"{path}: was made of other inputs, by other models or with other options; choose another folder, or "
                "remove it"
            )
        for first in range(0, len(shard), 65_536):
            rows = range(first, min(first + 65_536, len(shard)))
            self._uids.update(uid.tobytes() for uid in shard.take(rows, columns=["uid"])["uid"])
        self.counts.kept += 1

    def _make(self, path: Path, number: int, samples: Iterable[Sample | BadSample]) -> None:
        writer = drshard.ShardWriter(
            str(path), self.schema, shard_tag=number + 1, rows_per_group=self._rows_per_group, resume=True
        )
        with writer:
            self.counts.resumed += writer.row_count
            for batch in self._prepared(self._usable(samples), writer.row_count):
                columns = self._columns(batch)
                self.counts.rows += len(columns["uid"])
                writer.write_batch(columns)
                self._progress.show(self.counts)
        self.counts.shards += 1

    def _read(self, raw: Iterator[RawSample]) -> Iterator[Sample | BadSample]:
        """Samples in order, some of which are read and decoded ahead."""
        ahead = deque(self._pool.submit(read, sample) for sample in islice(raw, 4 * self._workers))
        while ahead:
            ahead.extend(self._pool.submit(read, sample) for sample in islice(raw, 1))
            yield ahead.popleft().result()

    def _usable(self, samples: Iterable[Sample | BadSample]) -> Iterator[Sample]:
        for sample in samples:
            if isinstance(sample, BadSample):
                if not self._skips_bad:
                    raise SystemExit(f"{sample} (--on-error skip leaves such samples out)")
                self.counts.bad.append(str(sample))
            elif sample.uid in self._uids:
                self.counts.duplicates += 1
            else:
                self._uids.add(sample.uid)
                yield sample

    def _prepared(self, samples: Iterator[Sample], done: int) -> Iterator[tuple[_Prepared, int]]:
        """Batches behind row `done`, with the number of their rows that are written already; one is made ahead."""
        ahead, first = None, 0
        while batch := list(islice(samples, self._batch_rows)):
            if first + len(batch) > done:
                records = [self._drawing.draw(sample.uid, sample.size) for sample in batch]
                views = [self._pool.submit(self._views, *pair) for pair in zip(batch, records, strict=True)]
                if ahead is not None:
                    yield ahead
                ahead = _Prepared(batch, records, views), max(done - first, 0)
            first += len(batch)
        if ahead is not None:
            yield ahead

    def _views(self, sample: Sample, records: list[Augmentation]) -> _Seen:
        image = sample.decoded()
        views = {look: look.views(image, records) for look in {teacher.look for teacher in self._teachers}}
        return views, self._captions and self._captions.pixels(image)

    def _columns(self, prepared: tuple[_Prepared, int]) -> dict[str, Any]:
        """What a batch has in each column, without the rows that are written already."""
        batch, done = prepared
        samples, (views, pixels) = batch.samples, zip(*(future.result() for future in batch.views), strict=True)
        images = [teacher.of_images(torch.cat([view[teacher.look] for view in views])) for teacher in self._teachers]
        columns = {
            "uid": _bytes([sample.uid for sample in samples]),
            "sha256": _bytes([sample.sha256 for sample in samples]),
            "url": [sample.url for sample in samples],
            "original_size": np.array([sample.size for sample in samples], dtype=np.uint32),
            "image": [sample.image for sample in samples],
            "augmentation": batch.records,
            "image_emb": _bf16(images, len(samples)),
            **self._texts("", [[sample.text] for sample in samples]),
        }
        if self._captions is not None:
            columns.update(self._texts("syn_", self._captions.captions(samples, pixels)))
        return {name: values[done:] for name, values in columns.items()}

    def _texts(self, prefix: str, texts: list[list[str]]) -> dict[str, Any]:
        flat = [text for row in texts for text in row]
        tokens = [[np.array(self._tokenizer.encode(text), dtype=np.uint16) for text in row] for row in texts]
        embeddings = _bf16([teacher.of_texts(flat) for teacher in self._teachers], len(texts))
        return {f"{prefix}text": texts, f"{prefix}tokens": tokens, f"{prefix}text_emb": embeddings}


def _chain(*parts: Iterable) -> Iterator:
    for part in parts:
        yield from part


def _bytes(values: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(values), -1)


def _bf16(parts: list[torch.Tensor], rows: int) -> np.ndarray:
    """The embeddings of all teachers side by side, as bits of bfloat16: u16 [rows, variants, dims]."""
    joined = torch.cat(parts, dim=1).to(torch.bfloat16)
    return joined.view(torch.uint16).numpy().reshape(rows, -1, joined.shape[1])


class Progress:
    """A line on the terminal; nothing at all elsewhere."""

    def __init__(self) -> None:
        self._begin, self._shown = time.monotonic(), 0.0

    def show(self, counts: Counts) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown > 0.2:
            self._shown = now
            rate = counts.rows / max(now - self._begin, 1e-9)
            print(
                f"\r{counts.rows} rows, {counts.shards + counts.kept} shards, {rate:.1f} rows/s ",
                end="",
                file=sys.stderr,
            )

    def close(self) -> None:
        if self._shown:
            with contextlib.suppress(OSError):
                print("\r\x1b[K", end="", file=sys.stderr)
