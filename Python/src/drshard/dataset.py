"""Reading: any cell of any shard."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import byref, c_char_p, c_void_p
from typing import Any

import numpy as np

from . import _types, values
from ._native import Handle, call, encoded_path, library, taken_text
from .errors import ArgumentError
from .schema import Column, Schema

PRESENT, ABSENT, LOST = 0, 1, 2
"""States of cells."""

_MAPPED, _UNCHECKED = 1, 2


def open(path: str | os.PathLike, *, mapped: bool = False, checked: bool = True) -> DataSet:
    """Opens a shard, or all shards of a folder as one list of rows.

    Args:
        path: a ``.drs`` file, or a folder of them.
        mapped: map the files instead of reading them: only where nobody truncates them meanwhile, which ends the process.
        checked: compare the checksum of every value that is read.

    Raises:
        FileError: if there is none, or it cannot be read.
        TruncatedError, CorruptError, UnsupportedError: for a file that is no sound shard.
        SchemaError: if two shards do not belong together.
    """
    return DataSet(path, mapped=mapped, checked=checked)


class DataSet(Sequence):
    """The rows of a shard, or of all shards of a folder. Many threads may read at once; a forked child may go on.

    ``len(ds)`` is the number of rows; ``ds[5]`` a row as a dict of all columns; ``ds[2:9]`` what `take` gives.
    """

    def __init__(self, path: str | os.PathLike, *, mapped: bool = False, checked: bool = True) -> None:
        self.path = os.fspath(path)
        self._options = (mapped, checked)
        pointer = c_void_p()
        flags = (_MAPPED if mapped else 0) | (0 if checked else _UNCHECKED)
        call(library.drs_dataset_open, encoded_path(path), flags, byref(pointer))
        self._handle = Handle(pointer.value, library.drs_dataset_free, "data set")
        with self._handle as handle:
            self._row_count = library.drs_dataset_row_count(handle)
            described = json.loads(taken_text(library.drs_dataset_describe, handle) or "{}")
        self.schema = Schema.from_json(described["schema"])
        self.row_set_digest: str = described["rowSetDigest"]
        self.shards: list[dict[str, Any]] = described["shards"]

    def close(self) -> None:
        """Closes the files, once no loader uses them. Closing twice is fine."""
        self._handle.close()

    def __enter__(self) -> DataSet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self):
        mapped, checked = self._options
        return _reopened, (self.path, mapped, checked)

    def __repr__(self) -> str:
        return f"<drshard.DataSet {self.path!r}: {self._row_count} rows in {len(self.shards)} shards>"

    def __len__(self) -> int:
        return self._row_count

    def __getitem__(self, row):
        """A row as a dict of columns; of a slice, or an array of rows, what `take` gives."""
        if isinstance(row, slice):
            return self.take(range(*row.indices(self._row_count)))
        if not isinstance(row, (int, np.integer)):
            return self.take(row)
        if not -self._row_count <= row < self._row_count:
            raise IndexError(f"row {row} of {self._row_count}")
        taken = self.take([int(row) % self._row_count])
        return {name: value[0] for name, value in taken.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, self._row_count, 64):
            taken = self.take(range(start, min(start + 64, self._row_count)))
            for i in range(min(64, self._row_count - start)):
                yield {name: value[i] for name, value in taken.items()}

    # Cells

    def take(
        self,
        rows,
        columns: Iterable[str] | None = None,
        variants: Mapping[str, int | Iterable[int]] | int | None = None,
        *,
        dtype: str | None = None,
    ) -> dict[str, Any]:
        """Reads rows, in any order.

        Args:
            rows: numbers of rows, [N].
            columns: names, or one name; None: all.
            variants: by the names of axes: a number, or numbers; others: all. Without names they are for all axes.
            dtype: what embeddings (tensors of bf16, f16 or f32) become: bf16, f16 or f32; None: as stored.

        Returns:
            By column: of tensors an array [N, V, *dims], without V where the column has no axis or one variant was named
            by a number; of others a list of N values (lists of V), which are str, bytes, arrays, `Augmentation` or
            `Locator`. Cells that are not present are zeros, and None.

        Raises:
            ArgumentError: for rows, columns, axes or variants that are not there, and a dtype that is none of these.
            Error: of the kind of what is wrong with the file.
        """
        numbers = self._rows(rows)
        if dtype is not None:
            _types.number_of(dtype if isinstance(dtype, str) else repr(dtype), _types.FLOATS)
        return {name: self._column(name, numbers, variants, dtype) for name in self.column_names(columns)}

    def column_names(self, columns: Iterable[str] | None = None) -> list[str]:
        """Names of columns as `take` is given them: names, or one name; None: all.

        Raises:
            ArgumentError: for columns that are not there.
        """
        if columns is None:
            return [column.name for column in self.schema.columns]
        try:
            names = [columns] if isinstance(columns, str) else list(columns)
        except TypeError:
            raise ArgumentError(f"columns are {columns!r:.80}, not names") from None
        return [self.schema.column(name).name for name in names]

    def states(self, column: str, rows, variants=None) -> np.ndarray:
        """Whether cells are `PRESENT`, `ABSENT` or `LOST`: uint8 [N, V], or [N] as for `take`."""
        numbers = self._rows(rows)
        described = self.schema.column(column)
        chosen, is_single = self._variants(described, variants)
        read = self._read_values(described, *self._addresses(numbers, chosen))
        states = read.states.reshape(len(numbers), len(chosen))
        return states[:, 0] if is_single else states

    def tokens(self, column: str, rows, variant: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Token ids as models take them: start, tokens, end, zeros.

        Returns:
            ids: int32 [N, context length]; a text that is too long is cut, and ends with the end id.
            lengths: int32 [N], of the ids before the zeros.

        Raises:
            ArgumentError: for a column without a tokenizer, rows that are not there, or what is no number of a variant.
        """
        described = self.schema.column(column)
        known = {tokenizer.name: tokenizer for tokenizer in self.schema.tokenizers}
        if described.tokenizer not in known:
            raise ArgumentError(f"column {column!r} has no tokenizer")
        context = known[described.tokenizer].context_length
        own = _types.integer("variant", variant, 0, self.schema.variant_count(described))
        numbers, chosen = self._addresses(self._rows(rows), [own])
        ids = np.zeros((len(numbers), context), np.int32)
        lengths = np.zeros(len(numbers), np.int32)
        with self._handle as pointer:
            call(
                library.drs_dataset_read_tokens,
                pointer,
                self.schema.column_number(column),
                numbers.ctypes.data,
                chosen.ctypes.data,
                len(numbers),
                ids.ctypes.data,
                context,
                lengths.ctypes.data,
                None,
            )
        return ids, lengths

    def storage(self, column: str) -> str:
        """How a column is stored: plain, fast, balanced, archive, token_ranks, operation_table, zstd or lz4."""
        name = c_char_p()
        with self._handle as pointer:
            call(library.drs_dataset_storage, pointer, self.schema.column_number(column), byref(name))
            return (name.value or b"").decode()

    def _rows(self, rows) -> np.ndarray:
        if isinstance(rows, range):
            rows = np.arange(rows.start, rows.stop, rows.step)
        numbers = np.ascontiguousarray(values.array("rows", rows))
        if numbers.shape == (0,):
            return np.zeros(0, np.int64)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise ArgumentError(f"rows are numbers in one dimension, not {numbers.dtype} in {numbers.ndim}")
        if not values.fits(numbers, np.dtype(np.int64)):
            raise ArgumentError(f"row {numbers.max()} is not there: there are {self._row_count}")
        return numbers.astype(np.int64, copy=False)

    def _variants(self, column: Column, variants) -> tuple[list[int], bool]:
        """The variants of a column, and whether they are one that was named by a number."""
        if isinstance(variants, Mapping):
            for name in variants:
                self.schema.axis(name)
        if column.axis is None:
            return [0], True
        chosen = variants.get(column.axis) if isinstance(variants, Mapping) else variants
        count = self.schema.variant_count(column)
        if chosen is None:
            return list(range(count)), False
        name = f"a variant of axis {column.axis!r}"
        if hasattr(chosen, "__index__") and not getattr(chosen, "shape", ()):
            return [_types.integer(name, chosen, 0, count)], True
        if isinstance(chosen, (str, bytes, bytearray, Mapping)) or not hasattr(chosen, "__iter__"):
            raise ArgumentError(f"{name} is {chosen!r:.80}, not a whole number or a list of them")
        return [_types.integer(name, variant, 0, count) for variant in chosen], False

    @staticmethod
    def _addresses(rows: np.ndarray, variants: list[int]) -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(rows, len(variants)), np.tile(np.asarray(variants, np.int32), len(rows))

    def _column(self, name: str, rows: np.ndarray, variants, element: str | None):
        column = self.schema.column(name)
        chosen, is_single = self._variants(column, variants)
        numbers, picked = self._addresses(rows, chosen)
        if column.type == "tensor":
            cells = self._read_cells(column, numbers, picked, element)
            dims = column.dims or ()
            return cells.reshape((len(rows), *dims) if is_single else (len(rows), len(chosen), *dims))
        found = self._read_values(column, numbers, picked).decoded(column)
        if is_single:
            return found
        width = len(chosen)
        return [found[i * width : (i + 1) * width] for i in range(len(rows))]

    def _read_cells(self, column: Column, rows: np.ndarray, variants: np.ndarray, element: str | None) -> np.ndarray:
        is_float = column.element in _types.FLOATS
        wanted = element if element is not None and is_float else column.element
        number = _types.number_of(wanted, _types.FLOATS if is_float and element is not None else None)
        cells = np.empty((len(rows), *(column.dims or ())), _types.dtype(wanted or "u8"))
        with self._handle as pointer:
            call(
                library.drs_dataset_read_cells,
                pointer,
                self.schema.column_number(column.name),
                rows.ctypes.data,
                variants.ctypes.data,
                len(rows),
                number,
                cells.ctypes.data,
                cells.nbytes,
                0,
                None,
            )
        return cells

    def _read_values(self, column: Column, rows: np.ndarray, variants: np.ndarray) -> _Values:
        pointer = c_void_p()
        with self._handle as handle:
            call(
                library.drs_dataset_read_values,
                handle,
                self.schema.column_number(column.name),
                rows.ctypes.data,
                variants.ctypes.data,
                len(rows),
                byref(pointer),
            )
        return _Values(pointer, len(rows))

    # Other libraries

    def to_arrow(self, rows=None, columns: Iterable[str] | None = None, *, bf16: str = "f32"):
        """Rows as a `pyarrow.Table`, for looking at and for other tools.

        Tensors become fixed-size lists (of variants, if there are); texts strings; augmentations JSON as the published
        sets have it. Arrow has no bfloat16: ``bf16`` says f32 or f16, or u16 for the bits.
        """
        from ._arrow import table

        return table(self, range(len(self)) if rows is None else rows, columns, bf16)

    def to_pandas(self, rows=None, columns: Iterable[str] | None = None, *, bf16: str = "f32"):
        """The same as a `pandas.DataFrame`."""
        return self.to_arrow(rows, columns, bf16=bf16).to_pandas()


def _reopened(path: str, mapped: bool, checked: bool) -> DataSet:
    return DataSet(path, mapped=mapped, checked=checked)


class _Values:
    """Values of any length, copied out of the library's memory."""

    def __init__(self, pointer: c_void_p, count: int) -> None:
        handle = Handle(pointer.value, library.drs_values_free, "list of values")
        start, offsets, states = c_void_p(), c_void_p(), c_void_p()
        with handle as held:
            library.drs_values_get(held, byref(start), byref(offsets), byref(states))
            self.offsets = _copied(offsets, np.int64, count + 1)
            self.states = _copied(states, np.uint8, count)
            self.bytes = ctypes.string_at(start.value or 0, int(self.offsets[-1])) if self.offsets[-1] else b""
        handle.close()

    def decoded(self, column: Column) -> list[Any]:
        make = values.decoder(column)
        ends = self.offsets.tolist()
        return [
            make(self.bytes[ends[i] : ends[i + 1]]) if state == PRESENT else None
            for i, state in enumerate(self.states.tolist())
        ]


def _copied(pointer: c_void_p, kind, count: int) -> np.ndarray:
    data = ctypes.string_at(pointer.value or 0, count * np.dtype(kind).itemsize) if count else b""
    return np.frombuffer(data, kind)
