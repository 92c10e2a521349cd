"""drshard by its Python package: the loader's batches as NumPy arrays or as tensors, taken as a training loop takes them.

The package comes from PYTHONPATH, and its library from DRSHARD_LIBRARY; loaders.py sets both.
"""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from loader_base import Peer
from loader_data import Batch

NAMES = {
    "image": "image_emb",
    "text": "text_emb",
    "synthetic_text": "syn_text_emb",
    "tokens": "text",
    "synthetic_tokens": "syn_text",
}
RECORD_FORMAT = struct.Struct("<6i2f")


class Records:
    """Augmentation records as the arrays have them: made when they are compared, as peers have them as bytes."""

    dtype = np.uint8

    def __init__(self, augmentations: Any) -> None:
        self.augmentations = augmentations

    def array(self) -> np.ndarray:
        made = [
            RECORD_FORMAT.pack(*each.crop, each.operations[0][0], each.operations[1][0],
                               each.operations[0][1], each.operations[1][1])
            for each in self.augmentations
        ]  # fmt: skip
        return np.frombuffer(b"".join(made), np.uint8).reshape(len(made), RECORD_FORMAT.size)


class Drshard(Peer):
    packages = ["numpy"]
    workers = {1: 1, 2: 2}
    storage = "plain"

    def write(self, arrays: Batch, folder: Path) -> None:
        """Its shards are there: beside the folder of the peers."""

    def bytes_on_disk(self, folder: Path) -> int:
        return super().bytes_on_disk(self.shards(folder))

    def shards(self, folder: Path) -> Path:
        return folder.parent.parent / self.storage

    def threads(self, workers: int) -> str:
        return f"{workers} thread" + "s" * (workers > 1)

    @cache
    def loader(self, folder: Path, batch_size: int, workers: int) -> Any:
        import drshard

        return drshard.Loader(self.shards(folder), batch_size=batch_size, threads=workers, tail="short", mapped=True)

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        for batch in self.loader(folder, batch_size, workers).epoch(epoch):
            batch["image"] = batch["image_emb"]
            yield batch

    def comparable(self, batch: Batch) -> Batch:
        """A batch under the names and types of the arrays."""
        found = {name: np.asarray(batch[key]) for name, key in NAMES.items()}
        found = {name: array.view(np.uint16) if array.itemsize == 2 else array for name, array in found.items()}
        labels = {"rows": batch["row"], "views": batch["view"], "captions": batch["synthetic"] + 1}
        return found | {"augmentation": Records(batch["augmentation"]).array()} | labels


class Plain(Drshard):
    name = "drshard in Python, plain, checked, NumPy"


class Balanced(Drshard):
    name = "drshard in Python, balanced, checked, NumPy"
    storage = "balanced"
    compressed = True


class Torch(Plain):
    name = "drshard in Python, plain, checked, torch"
    packages = ["torch"]

    @cache
    def loader(self, folder: Path, batch_size: int, workers: int) -> Any:
        import drshard.torch

        return drshard.torch.PairedLoader(
            self.shards(folder), batch_size=batch_size, threads=workers, tail="short", mapped=True, token_dtype="i32",
            rank=0, world_size=1,
        )  # fmt: skip

    def comparable(self, batch: Batch) -> Batch:
        import torch

        arrays = {
            key: (value.view(torch.int16) if value.dtype == torch.bfloat16 else value).numpy()
            for key, value in batch.items()
            if isinstance(value, torch.Tensor)
        }
        return super().comparable(batch | arrays)
