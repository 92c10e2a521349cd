"""The options of a loader, as the library takes them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from ctypes import POINTER, byref, c_void_p, cast
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _types
from ._native import Axis, Filter, LoaderOptions, LoaderSet, library
from .dataset import DataSet
from .errors import ArgumentError, FileError

_ORDERS = ("blocks", "global", "none")
_VARIANTS = ("balanced", "epoch", "independent")
_TAILS = ("drop", "pad", "short")
_CONTENT = {"row_ids": 1, "embeddings": 2, "augmentations": 4, "tokens": 8, "texts": 16, "images": 32}
_ONLY, _EXCEPT, _SPLIT = 0, 1, 2


@dataclass
class LoaderChoices:
    """The options of `Loader`, which says what they mean. Fields that are None are chosen by the library."""

    batch_size: int = 256
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    order: str = "blocks"
    variants: str = "balanced"
    tail: str = "drop"
    lanes: int | None = None
    block_rows: int | None = None
    window_blocks: int | None = None
    epoch_steps: int | None = None
    weights: Sequence[int] | None = None
    content: Sequence[str] = ("embeddings", "augmentations", "tokens")
    views: Any = None
    real: Any = None
    synthetic: Any = None
    tokenizer: str | None = None
    embedding_dtype: str | None = None
    join_embeddings: bool = True
    token_dtype: str = "i32"
    only: Sequence[bytes | str] | None = None
    exclude: Sequence[bytes | str] | None = None
    split: tuple[str, int, int, int] | None = None
    quarantine: Sequence[str | os.PathLike] | str | os.PathLike = ()
    max_lost_rows: int | None = None
    threads: int | None = None
    prefetch_bytes: int | None = None
    read_ahead_bytes: int | None = None
    mapped: bool = False
    checked: bool = True
    arrays: str = "numpy"

    def native(self) -> tuple[LoaderOptions, list[Any]]:
        """The struct, and what has to live as long as it."""
        options = LoaderOptions()
        library.drs_loader_options_init(byref(options), ctypes.sizeof(options))
        _types.integer("seed", self.seed, least=0)
        for name in ("join_embeddings", "mapped", "checked"):
            if getattr(self, name) not in (True, False):
                raise ArgumentError(f"{name} is {getattr(self, name)!r}: it has to be True or False")
        keeps: list[Any] = []
        for name, value in (
            ("seed", self.seed),
            ("batch_size", self.batch_size),
            ("lanes", self.lanes),
            ("block_rows", self.block_rows),
            ("window_blocks", self.window_blocks),
            ("epoch_steps", self.epoch_steps),
            ("rank", self.rank),
            ("world_size", self.world_size),
            ("maximum_lost_rows", self.max_lost_rows),
            ("thread_count", self.threads),
            ("prefetch_byte_count", self.prefetch_bytes),
            ("read_ahead_byte_count", self.read_ahead_bytes),
        ):
            if value is not None:
                setattr(options, name, _types.integer(name, value))
        for name in ("lanes", "window_blocks", "epoch_steps", "threads"):
            if getattr(self, name) == 0:
                raise ArgumentError(f"{name} of 0; None lets the library choose")
        _choice("arrays", self.arrays, ("numpy", "dlpack"))
        options.order = _choice("order", self.order, _ORDERS)
        options.variants = _choice("variants", self.variants, _VARIANTS)
        options.tail = _choice("tail", self.tail, _TAILS)
        options.content = self._content()
        options.embedding_element = _types.number_of(self.embedding_dtype, _types.FLOATS)
        options.joins_embeddings = int(self.join_embeddings)
        options.token_element = _types.number_of(self.token_dtype, ("i32", "i64", "u16"))
        options.tokenizer = None if self.tokenizer is None else _types.text("tokenizer", self.tokenizer)
        for name, count, given in (
            ("views", "view_count", self.views),
            ("real", "real_count", self.real),
            ("synthetic", "synthetic_count", self.synthetic),
        ):
            axes = _axes(name, given)
            keeps.append(axes)
            if len(axes):
                setattr(options, name, cast(axes, POINTER(Axis)))
                setattr(options, count, len(axes))
        return options, keeps

    def _content(self) -> int:
        names = _list("content", self.content)
        for name in names:
            if name not in _CONTENT:
                raise ArgumentError(f"content {name!r}: the parts are {', '.join(_CONTENT)}")
        return sum(_CONTENT[name] for name in set(names))

    def mixed_axes(self) -> list[str]:
        """The parts that are drawn from more than one axis."""
        given = (("view", self.views), ("real", self.real), ("synthetic", self.synthetic))
        return [name for name, axes in given if len(_axes(name, axes)) > 1]

    def sets(self, data_sets: list[DataSet], handles: list[int | None]) -> tuple[list[LoaderSet], list[Any]]:
        """The structs of the data sets, and what has to live as long as they."""
        if not data_sets:
            raise ArgumentError("a loader without a data set")
        weights = [1] * len(data_sets) if self.weights is None else _list("weights", self.weights)
        if len(weights) != len(data_sets):
            raise ArgumentError(f"{len(weights)} weights for {len(data_sets)} data sets")
        filters, keeps = self._filters()
        lists = self._quarantines(data_sets)
        sets = [
            LoaderSet(
                dataset=handle,
                weight=_types.integer("a weight", weight),
                filters=cast(filters, POINTER(Filter)),
                filter_count=len(filters),
                quarantine=lists.get(each.row_set_digest),
            )
            for each, handle, weight in zip(data_sets, handles, weights)
        ]
        return sets, [filters, keeps, lists]

    def _filters(self) -> tuple[Any, list[Any]]:
        filters: list[Filter] = []
        keeps: list[Any] = []
        for kind, ids in ((_ONLY, self.only), (_EXCEPT, self.exclude)):
            if ids is None:
                continue
            encoded = [_identifier(each) for each in (ids if isinstance(ids, np.ndarray) else _list("row ids", ids))]
            sizes = {len(each) for each in encoded}
            if len(sizes) > 1:
                raise ArgumentError(f"row ids of {', '.join(map(str, sorted(sizes)))} bytes in one list")
            data = ctypes.create_string_buffer(b"".join(encoded), max(1, sum(map(len, encoded))))
            keeps.append(data)
            filters.append(
                Filter(
                    kind=kind,
                    ids=cast(data, c_void_p),
                    id_count=len(encoded),
                    id_byte_count=sizes.pop() if sizes else 1,
                )
            )
        if self.split is not None:
            try:
                name, first, end, count = self.split
            except (TypeError, ValueError):
                raise ArgumentError(
                    f"split {self.split!r}: (name, from, to, count), as ('split', 0, 95, 100)"
                ) from None
            filters.append(
                Filter(
                    kind=_SPLIT,
                    split=_types.text("a split's name", name),
                    first=_types.integer("split", first),
                    end=_types.integer("split", end),
                    count=_types.integer("split", count),
                )
            )
        return (Filter * len(filters))(*filters), keeps

    def _quarantines(self, data_sets: list[DataSet]) -> dict[str, bytes]:
        """The lists by the digests of the row sets that they are of."""
        lists: dict[str, bytes] = {}
        for each in _list("quarantine", self.quarantine):
            text = each if isinstance(each, str) and "\n" in each else _text(each)
            head, _, lines = text.partition("\n")
            digest = head.split()[-1] if head.split() else ""
            if digest not in [known.row_set_digest for known in data_sets]:
                raise ArgumentError(f"a quarantine list of the row set {digest or '(none)'!r}, which no data set has")
            lists[digest] = lists.get(digest, _types.text("a quarantine list", head + "\n")) + (
                _types.text("a quarantine list", lines + "\n")
            )
        return lists


def _list(name: str, given: Any) -> list[Any]:
    """One or several things as a list."""
    if isinstance(given, (str, bytes, os.PathLike)):
        return [given]
    try:
        return list(given)
    except TypeError:
        raise ArgumentError(f"{name} is {given!r:.80}, not a list") from None


def _text(path: Any) -> str:
    """What a file of a quarantine list says."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{path!r:.80} is no quarantine list: {error}") from None
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: cannot read it: {error}", path=str(path)) from error


def _choice(name: str, value: str, choices: tuple[str, ...]) -> int:
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name} {value!r}: possible are {', '.join(choices)}")
    return choices.index(value)


def _axes(name: str, given: Any):
    axes = {} if given is None else given if isinstance(given, Mapping) else dict.fromkeys(_list(name, given), 1)
    return (Axis * len(axes))(
        *(Axis(_types.text(name, key), _types.integer(f"{name} {key}", weight)) for key, weight in axes.items())
    )


def _identifier(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{value!r:.80} is no row id: bytes, uint8, or hexadecimal digits") from None
