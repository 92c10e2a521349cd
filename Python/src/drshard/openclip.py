"""For open_clip's training loop with the patch of MobileCLIP: one line instead of the tars.

    data["train"] = drshard.openclip.paired_data("shards/", args, preprocess_train, epoch=start_epoch)

The loop takes a batch apart as ``image, text, image_emb, text_emb, syn_text, syn_text_emb``; so does this iterator yield it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch

from . import _types
from .errors import ArgumentError
from .torch import PairedLoader, world
from .views import ViewMaker

__all__ = ["PairedData", "TupleLoader", "paired_data"]


class TupleLoader:
    """Batches of a `PairedLoader` with images as the tuples that the patched loop takes apart.

    Yields ``(image, text, image_emb, text_emb, syn_text, syn_text_emb)``: float32 [B, 3, H, W], int64 [B, context],
    float32 [B, D] twice, int64 [B, context], float32 [B, D].

    Args:
        data: as for `drshard.Loader`.
        batch_size: rows of each rank.
        view_maker: what makes the student's images, such as a `ViewMaker` of their size, mean and std.
        workers: processes that decode images; 0: threads of this one.
        image_threads: that decode images where there are no workers.
        options: of `PairedLoader`; rank and world size, both or none, are those of the job if they are not given.

    Raises:
        ArgumentError: for options that cannot be, among them those that make the tuples other ones ("content",
            "embedding_dtype", "image_transform"), and for data without tokens.
        Error: as `drshard.Loader` does.
    """

    def __init__(
        self, data, batch_size: int, *, view_maker: ViewMaker, workers: int = 0, image_threads: int = 2, **options: Any
    ) -> None:
        fixed = sorted({"content", "embedding_dtype", "image_transform"} & options.keys())
        if fixed:
            raise ArgumentError(f"{', '.join(fixed)} cannot be chosen: the tuples need what they are; see PairedLoader")
        if ("rank" in options) != ("world_size" in options):
            raise ArgumentError("rank and world_size: both or none of them")
        if "rank" not in options:
            options["rank"], options["world_size"] = world()
        workers = _types.integer("workers", workers, 0, 1 << 31)
        image_threads = _types.integer("image_threads", image_threads, 0, 1 << 31)
        ranks = _types.integer("world_size", options["world_size"], 1, 1 << 31)
        self.loader = PairedLoader(
            data,
            batch_size=_types.integer("batch_size", batch_size, 1, 1 << 31) * ranks,
            image_transform=view_maker,
            image_threads=0 if workers else image_threads,
            embedding_dtype="f32",
            content=("embeddings", "augmentations", "tokens", "images"),
            **options,
        )
        for name in ("text", "syn_text"):
            if name not in self.loader.array_names:
                raise ArgumentError(f"the data set has no tokens for {name!r}: convert it with --tokenizer")
        self._batches: Any = self.loader
        if workers:
            # Workers are kept from epoch to epoch, and go on by themselves.
            self._batches = torch.utils.data.DataLoader(
                self.loader, batch_size=None, num_workers=workers, persistent_workers=True
            )
        self.num_batches, self.num_samples = self.loader.size(0)

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        for batch in self._batches:
            yield tuple(batch[key] for key in ("image", "text", "image_emb", "text_emb", "syn_text", "syn_text_emb"))

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch that the next ``for`` begins; workers that run already go on by themselves."""
        self.loader.set_epoch(epoch)


class PairedData:
    """What open_clip keeps in ``data["train"]``: a ``dataloader``, and `set_epoch`."""

    def __init__(self, dataloader: TupleLoader) -> None:
        self.dataloader = dataloader
        # Of all ranks together: the loop prints it.
        dataloader.num_samples = dataloader.num_batches * dataloader.loader.batch_size
        self.sampler = None

    def set_epoch(self, epoch: int) -> None:
        self.dataloader.set_epoch(epoch)


def paired_data(
    data, args: Any, preprocess: Any, epoch: int = 0, *, image_folder: str | os.PathLike | None = None, **options: Any
) -> PairedData:
    """Data for open_clip's training loop, from shards.

    Args:
        data: as for `drshard.Loader`.
        args: open_clip's: ``batch_size`` (of a rank), ``workers``, ``seed``, ``rank`` and ``world_size`` are used.
        preprocess: the transform of the student's images, of which size, mean and std are taken: the view itself is the
            stored one.
        epoch: where to begin.
        image_folder: as for `ViewMaker`.
        options: of `TupleLoader`, and of `drshard.torch.PairedLoader`.

    Raises:
        ArgumentError: as `TupleLoader` does, and for a transform that tells no size, mean and std.
    """
    options.setdefault("seed", int(getattr(args, "seed", 0)))
    options.setdefault("rank", int(getattr(args, "rank", 0)))
    options.setdefault("world_size", int(getattr(args, "world_size", 1)))
    loader = TupleLoader(
        data,
        int(args.batch_size),
        view_maker=ViewMaker.of(preprocess, image_folder=image_folder),
        workers=int(getattr(args, "workers", 0)),
        **options,
    )
    loader.set_epoch(epoch)
    return PairedData(loader)
