"""Batches as dicts of arrays over the library's memory, without a copy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import byref, c_void_p
from typing import Any

import numpy as np

from . import _types
from ._native import BatchInfo, Value, call, capsule, library
from .augment import Augmentation
from .values import Locator


class Values(Sequence):
    """Values of any length, one a sample, made when they are asked for; None where a cell is not present."""

    def __init__(self, block: Any, part: int, count: int, make: Callable[[bytes], Any]) -> None:
        self._block = block
        self._part = part
        self._count = count
        self._make = make
        self._table: Any = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._value(i) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        return self._value(index % self._count)

    def __iter__(self):
        return (self._value(i) for i in range(self._count))

    def __repr__(self) -> str:
        return f"<{self._count} values>"

    def _value(self, index: int) -> Any:
        if self._table is None:
            table = c_void_p()
            call(library.drs_batch_values, self._block.handle, self._part, byref(table))
            self._table = ctypes.cast(table, ctypes.POINTER(Value))
        entry = self._table[index]
        if entry.bytes is None:
            return None
        return self._make(ctypes.string_at(entry.bytes, entry.byte_count))

    def __reduce__(self):
        return list, (list(self),)


def _text(record: bytes) -> str:
    return record.decode("utf-8")


class BatchMaker:
    """Makes dicts of the batches of one loader. Its arrays lie where they lie in every batch."""

    def __init__(
        self,
        arrays: list[tuple[str, int, int, int]],
        value_names: list[str],
        *,
        locates: bool,
        pads: bool,
        mixed_axes: Sequence[str] = (),
    ) -> None:
        self._arrays = [
            (name, self.dtype(number), width, offset)
            for name, number, width, offset in arrays
            if self._is_matrix(name, width)
        ]
        self._flat = [
            (name, self.dtype(number), offset)
            for name, number, width, offset in arrays
            if width == 1
            and not self._is_matrix(name, width)
            and name != "named_row"
            and (pads or name != "repetition")
        ]
        # Pairs of axis and variant.
        self._draws = [
            (name + suffix, self.dtype(number), offset + place)
            for name, number, _, offset in arrays
            if name in ("view", "real", "synthetic")
            for suffix, place in (("", 4), ("_axis", 0))
            if not suffix or name in mixed_axes
        ]
        kinds = {
            "image": Locator.from_bytes if locates else bytes,
            "augmentation": Augmentation.from_bytes,
            "caption": _text,
            "syn_caption": _text,
        }
        self._values = [(name, part, kinds[name]) for part, name in enumerate(value_names)]
        self._blocks: dict[int, Any] = {}

    @staticmethod
    def _is_matrix(name: str, width: int) -> bool:
        stem = name.partition("/")[0]
        return stem.endswith("_emb") or name in ("text", "syn_text", "row_id")

    @staticmethod
    def dtype(number: int) -> Any:
        return _types.dtype(_types.NAMES[number])

    def block(self, info: BatchInfo) -> Any:
        """The memory of a batch as a buffer; with its last user the batch is freed."""
        kind: Any = self._blocks.get(info.byte_count)
        if kind is None:
            kind = type("Block", (ctypes.c_ubyte * info.byte_count,), {})
            self._blocks[info.byte_count] = kind
        block = kind.from_address(info.data)
        block.handle = batch = info.batch
        block.capsule = capsule(batch, b"drs_batch")
        # From here on it belongs to the block.
        info.batch = None
        return block

    def make(self, info: BatchInfo) -> dict[str, Any]:
        block = self.block(info)
        count = info.count
        batch: dict[str, Any] = {"epoch": info.epoch, "step": info.step}
        array = np.ndarray
        for name, dtype, width, offset in self._arrays:
            batch[name] = array((count, width), dtype, block, offset)
        for name, dtype, offset in self._flat:
            batch[name] = array((count,), dtype, block, offset)
        for name, dtype, offset in self._draws:
            batch[name] = array((count,), dtype, block, offset, (8,))
        return self._with_values(batch, block, count)

    def _with_values(self, batch: dict[str, Any], block: Any, count: int) -> dict[str, Any]:
        for name, part, make in self._values:
            batch[name] = Values(block, part, count, make)
        return batch
