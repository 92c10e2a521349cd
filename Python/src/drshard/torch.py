"""For PyTorch: batches of tensors over the loader's memory, ranks of a job, workers that decode images."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import IterableDataset

from . import _types
from ._batch import BatchMaker
from ._native import BatchInfo
from .errors import ArgumentError
from .loader import Loader, signature

# A plain loader may stand in a DataLoader too, which makes tensors of its arrays; of bfloat16 it cannot: choose another
# `embedding_dtype` there.
IterableDataset.register(Loader)

__all__ = ["PairedLoader", "TorchBatchMaker", "world"]

_DTYPES = {
    "u8": torch.uint8,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "u16": torch.uint16,
    "u32": torch.uint32,
    "u64": torch.uint64,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
}


def world() -> tuple[int, int]:
    """Rank and world size: of `torch.distributed` if it is initialised, else of RANK and WORLD_SIZE, else (0, 1).

    Raises:
        ArgumentError: if only one of the two variables is set, or one is no number.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    rank, size = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None and size is None:
        return 0, 1
    try:
        return int(rank or ""), int(size or "")
    except ValueError:
        raise ArgumentError(f"RANK is {rank!r} and WORLD_SIZE {size!r}: both have to be numbers") from None


class TorchBatchMaker(BatchMaker):
    """Makes dicts of tensors, bfloat16 as `torch.bfloat16`."""

    @staticmethod
    def dtype(number: int) -> torch.dtype:
        return _DTYPES[_types.NAMES[number]]

    def make(self, info: BatchInfo) -> dict[str, Any]:
        block = self.block(info)
        count = info.count
        batch: dict[str, Any] = {"epoch": info.epoch, "step": info.step}
        if count == 0:
            return self._empty(batch, block)
        tensor = torch.frombuffer
        for name, dtype, width, offset in self._arrays:
            batch[name] = tensor(block, dtype=dtype, count=count * width, offset=offset).view(count, width)
        for name, dtype, offset in self._flat:
            batch[name] = tensor(block, dtype=dtype, count=count, offset=offset)
        for name, dtype, offset in self._draws:
            batch[name] = tensor(block, dtype=dtype, count=2 * count - 1, offset=offset)[::2]
        return self._with_values(batch, block, count)

    def _empty(self, batch: dict[str, Any], block: Any) -> dict[str, Any]:
        """Of a rank to whom a short last batch leaves nothing; a tensor over no memory is none of torch's."""
        for name, dtype, width, _ in self._arrays:
            batch[name] = torch.empty((0, width), dtype=dtype)
        for name, dtype, _ in self._flat + self._draws:
            batch[name] = torch.empty(0, dtype=dtype)
        return self._with_values(batch, block, 0)


class PairedLoader(Loader, IterableDataset):
    """`drshard.Loader` with tensors: the same options and batches.

    Rank and world size are those of the job (`world`) unless they are given. ``token_dtype`` is "i64" unless it is given.
    Tensors lie in the loader's memory, without a copy, and may be written to; with a ``device`` they are copied there.

    It has the protocol of torchdata's `StatefulDataLoader`, and may stand in a `DataLoader` with ``batch_size=None`` and any
    number of workers, forked or spawned: each makes every so many batches, and they come in the order that they have without
    workers. Workers that are made anew for every epoch know nothing of the ones before: call `set_epoch` then, or keep them
    with ``persistent_workers=True``.

    Args:
        data, options: as for `drshard.Loader`.
        device: where tensors go; None: they stay where they are.
        pin_memory: copy them to pinned memory first, for copies to a GPU that do not block.
        image_transform: what makes a tensor of one view, called with the image's bytes and its `Augmentation` (None where
            there is none): see `drshard.views.ViewMaker`. ``image`` is then a tensor of all of them, [B, ...].
        image_threads: that call ``image_transform``; PIL works without the GIL. 0: the caller's alone.
    """

    def __init__(
        self,
        data,
        *,
        device: Any = None,
        pin_memory: bool = False,
        image_transform: Any = None,
        image_threads: int = 0,
        **options: Any,
    ) -> None:
        if "rank" not in options and "world_size" not in options:
            options["rank"], options["world_size"] = world()
        options.setdefault("token_dtype", "i64")
        if _types.integer("image_threads", image_threads) < 0:
            raise ArgumentError(f"image_threads is {image_threads}")
        self._device = None if device is None else torch.device(device)
        self._pins = pin_memory
        self._transform = image_transform
        self._image_threads = image_threads
        super().__init__(data, **options)

    _batch_maker = TorchBatchMaker

    def _make_maker(self, arrays, value_names, chosen) -> BatchMaker:
        if self._transform is not None and "image" not in value_names:
            raise ArgumentError('image_transform needs images: content with "images", of a data set that has them')
        return super()._make_maker(arrays, value_names, chosen)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"own": (self._device, self._pins, self._transform, self._image_threads)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._device, self._pins, self._transform, self._image_threads = state["own"]
        super().__setstate__(state)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        batches = super().__iter__()
        if self._transform is not None:
            batches = self._with_images(batches)
        if self._device is None and not self._pins:
            return batches
        return map(self._moved, batches)

    def _moved(self, batch: dict[str, Any]) -> dict[str, Any]:
        for key, value in batch.items():
            if isinstance(value, torch.Tensor):
                value = value.pin_memory() if self._pins else value
                batch[key] = value if self._device is None else value.to(self._device, non_blocking=self._pins)
        return batch

    def _with_images(self, batches: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        from concurrent.futures import ThreadPoolExecutor

        if self._image_threads == 0:
            for batch in batches:
                yield self._seen(batch, map)
            return
        with ThreadPoolExecutor(self._image_threads) as pool:
            for batch in batches:
                yield self._seen(batch, pool.map)

    def _seen(self, batch: dict[str, Any], each: Any) -> dict[str, Any]:
        images = batch["image"]
        augmentations = batch.get("augmentation", [None] * len(images))
        views = list(each(self._transform, images, augmentations))
        batch["image"] = torch.stack(views) if views else torch.empty(0)
        return batch


PairedLoader.__signature__ = signature(  # type: ignore[attr-defined]
    *(each for each in inspect.signature(PairedLoader.__init__).parameters.values() if each.kind == each.KEYWORD_ONLY)
)
