"""Rows as a pyarrow table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import _types
from .augment import Augmentation
from .errors import ArgumentError, Error
from .schema import Column
from .values import Locator


def table(dataset, rows, columns: Iterable[str] | None, bf16: str):
    """A `pyarrow.Table` of rows of a `DataSet`: see `DataSet.to_arrow`."""
    try:
        import pyarrow
    except ImportError:
        raise ImportError("pyarrow is needed for this: pip install pyarrow") from None
    if bf16 not in ("f32", "f16", "u16"):
        raise ArgumentError(f"bf16 as {bf16!r}: f32, f16 and u16 are possible")
    taken = {}
    for name in dataset.column_names(columns):
        column = dataset.schema.column(name)
        element = bf16 if column.element == "bf16" and bf16 != "u16" else None
        cells = dataset.take(rows, [name], dtype=element)[name]
        taken[name] = _tensor(pyarrow, cells, column) if column.type == "tensor" else _list(pyarrow, cells, column)
    return pyarrow.table(taken)


def _tensor(pyarrow, cells: np.ndarray, column: Column):
    if cells.dtype == _types.bfloat16():
        cells = cells.view(np.uint16)
    array = pyarrow.array(cells.reshape(-1))
    # Dims from the innermost outwards; bytes of an id or a hash as binary would lose that they are numbers.
    for dim in reversed(cells.shape[1:]):
        array = pyarrow.FixedSizeListArray.from_arrays(array, dim)
    return array


def _list(pyarrow, cells: list[Any], column: Column):
    leaf = {
        "utf8": pyarrow.string(),
        "binary": pyarrow.binary(),
        "operations": pyarrow.string(),
        "locator": pyarrow.string(),
    }.get(column.type)
    if leaf is None:
        leaf = pyarrow.list_(pyarrow.from_numpy_dtype(_types.dtype(column.element or "u8")))
    kind = leaf if column.axis is None else pyarrow.list_(leaf)
    plain = [_plain(cell) if column.axis is None else [_plain(each) for each in cell] for cell in cells]
    return pyarrow.array(plain, kind)


def _plain(cell: Any) -> Any:
    if isinstance(cell, Augmentation):
        try:
            return json.dumps(cell.to_published())
        except Error:
            return repr(cell)
    if isinstance(cell, Locator):
        return f"{cell.container}:{cell.position}+{cell.byte_count}"
    return cell
