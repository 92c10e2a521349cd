"""Writing: rows in, a shard out."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from ctypes import byref, c_void_p
from typing import Any

import numpy as np

from . import _types, values
from ._native import Cells, ColumnStorage, Handle, WriterOptions, call, encoded_path, library
from .dataset import ABSENT, PRESENT
from .errors import ArgumentError
from .schema import Column, Schema


class ShardWriter:
    """Writes one shard, front to back. It belongs to one thread.

    As a context manager it finishes the shard at the end of the block; if the block raises, no shard appears, and what was
    written stays as ``NAME.part``, to be resumed. Equal rows and options make equal files.

    Args:
        path: of the shard; nothing may be there.
        schema: what it holds; all shards of a data set have the same.
        shard_tag: a number that all blocks of the shard carry; another one for every shard of a data set.
        storage: how columns are stored whose type does not say it well: plain, fast, balanced, archive, token_ranks,
            operation_table, zstd or lz4, by column.
        resume: go on with the unfinished file of a writer that was killed, if there is one: `row_count` then says with
            which row. Schema and options have to be the same.
        rows_per_group, group_bytes, image_bytes: how much is held in memory, and lost by a kill.
        compression_level: of zstd, 1 to 22.
        page_bytes: after which a page of values is closed.
        packs_behind: pack a full row group on another thread while the next one is filled; holds two in memory.

    Raises:
        ArgumentError, LimitError: for a schema or options that cannot be; then nothing is created.
        FileError: if the file cannot be made, or something is there.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        schema: Schema,
        *,
        shard_tag: int = 0,
        storage: Mapping[str, str] | None = None,
        resume: bool = False,
        rows_per_group: int | None = None,
        group_bytes: int | None = None,
        image_bytes: int | None = None,
        compression_level: int | None = None,
        page_bytes: int | None = None,
        packs_behind: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.schema = schema
        options = WriterOptions()
        library.drs_writer_options_init(byref(options), ctypes.sizeof(options))
        options.shard_tag = _types.integer("shard_tag", shard_tag, 0, 1 << 64)
        options.rows_per_group = _types.integer("rows_per_group", rows_per_group or 0)
        options.packs_behind = int(packs_behind)
        for name, value in (
            ("group_byte_budget", group_bytes),
            ("image_byte_budget", image_bytes),
            ("compression_level", compression_level),
            ("page_byte_count", page_bytes),
        ):
            if value is not None:
                limit = 1 << 31 if name == "compression_level" else 1 << 63
                setattr(options, name, _types.integer(name, value, -limit, limit))
        chosen = [(name.encode(), kind.encode()) for name, kind in (storage or {}).items()]
        options.storage = (ColumnStorage * len(chosen))(*(ColumnStorage(*pair) for pair in chosen))
        options.storage_count = len(chosen)
        encoded = encoded_path(path)
        resumes = resume and os.path.exists(encoded + b".part")
        pointer = c_void_p()
        call(
            library.drs_writer_resume if resumes else library.drs_writer_create,
            encoded,
            schema.to_json().encode(),
            byref(options),
            byref(pointer),
        )
        self._handle = Handle(pointer.value, library.drs_writer_free, "writer")

    @property
    def row_count(self) -> int:
        """Rows that are finished, those that were there when it resumed among them."""
        return library.drs_writer_row_count(self._handle.get())

    @property
    def rows_per_group(self) -> int:
        """Rows of a row group: a writer that is killed loses the rows of the open one."""
        return library.drs_writer_rows_per_group(self._handle.get())

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._handle.pointer is not None:
            self.finish()
        self.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Writes a row: a value of every column; of a column with an axis an array [V, *dims], or a list of V values.

        None, or None in a list, is a cell that is absent. Raises as `write_batch` does; then the row is not written.
        """
        self.write_batch(
            {
                name: [value] if not _is_tensor(self.schema, name) or value is None else _types.as_numpy(value)[None]
                for name, value in row.items()
            }
        )

    def write_batch(self, columns: Mapping[str, Any], states: Mapping[str, Any] | None = None) -> None:
        """Writes N rows.

        Args:
            columns: of every column an array [N, V, *dims] (without V if it has no axis), or a list of N values (lists of
                V). Columns of bf16, f16 and f32 take each of them, and round to nearest, ties to even; bf16 also as uint16
                of its bits. Tensors of torch are taken too. None is a cell that is absent.
            states: by column uint8 [N, V]: `drshard.ABSENT` or `drshard.LOST` where a cell has no value.

        Raises:
            ArgumentError: for columns that are missing or unknown, shapes and types that do not fit, an id that the
                shard has already. Rows before the one that is refused are written.
            FileError: if the file cannot be written; the writer stays failed.
        """
        handle = self._handle.get()
        known = {column.name for column in self.schema.columns}
        for name in columns:
            if name not in known:
                raise ArgumentError(f"there is no column {name!r}; there are {', '.join(sorted(known))}")
        missing = sorted(known - set(columns))
        if missing:
            raise ArgumentError(f"columns are missing: {', '.join(missing)}")
        counts = {len(columns[column.name]) for column in self.schema.columns}
        if len(counts) != 1:
            raise ArgumentError(f"columns of different numbers of rows: {', '.join(map(str, sorted(counts)))}")
        count = counts.pop()
        prepared = [
            self._cells(number, column, columns[column.name], (states or {}).get(column.name), count)
            for number, column in enumerate(self.schema.columns)
        ]
        cells = (Cells * len(prepared))(*(each for each, _ in prepared))
        call(library.drs_writer_append, handle, cells, len(prepared), count)

    def note(self, key: str, value: str) -> None:
        """Adds a fact about the shard, for people, to its footer."""
        call(library.drs_writer_note, self._handle.get(), key.encode(), value.encode())

    def finish(self) -> None:
        """Writes the rest, and puts the file in its place. Raises FileError if that fails."""
        call(library.drs_writer_finish, self._handle.get())

    def discard(self) -> None:
        """Gives the shard up, and removes what was written."""
        library.drs_writer_discard(self._handle.get())
        self.close()

    def close(self) -> None:
        """Ends writing. What is not finished stays unfinished, and can be resumed."""
        self._handle.close()

    def _cells(self, number: int, column: Column, given: Any, states: Any, count: int) -> tuple[Cells, list]:
        """The struct of a column's cells, and what has to live as long as it."""
        variants = self.schema.variant_count(column)
        if column.type == "tensor":
            return _tensor_cells(number, column, given, _states(column, states, count, variants), count, variants)
        flat = (
            list(given) if column.axis is None else [each for row in given for each in _listed(column, row, variants)]
        )
        marks = _states(column, states, count, variants)
        encoded = []
        for i, value in enumerate(flat):
            if value is None and (marks is None or marks[i] == PRESENT):
                marks = np.zeros(len(flat), np.uint8) if marks is None else marks
                marks[i] = ABSENT
            encoded.append(b"" if value is None else values.encoded(column, value))
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(each) for each in encoded], out=offsets[1:])
        data = b"".join(encoded)
        return Cells(
            column=number,
            data=ctypes.cast(ctypes.c_char_p(data), c_void_p),
            offsets=offsets.ctypes.data,
            states=None if marks is None else marks.ctypes.data,
        ), [data, offsets, marks]


def _is_tensor(schema: Schema, name: str) -> bool:
    return schema.column(name).type == "tensor"


def _listed(column: Column, row: Any, variants: int) -> Sequence[Any]:
    if row is None:
        return [None] * variants
    if isinstance(row, (str, bytes)) or len(row) != variants:
        if isinstance(row, (str, bytes)) and variants == 1:
            return [row]
        found = "a single value" if isinstance(row, (str, bytes)) else f"{len(row)} values"
        raise ArgumentError(f"column {column.name!r}: {found} where a row has {variants} variants")
    return row


def _states(column: Column, states: Any, count: int, variants: int) -> np.ndarray | None:
    if states is None:
        return None
    marks = np.array(states, np.uint8).reshape(-1)
    if marks.size != count * variants:
        raise ArgumentError(f"column {column.name!r}: {marks.size} states for {count * variants} cells")
    return marks


def _tensor_cells(
    number: int, column: Column, given: Any, marks: np.ndarray | None, count: int, variants: int
) -> tuple[Cells, list]:
    dims = column.dims or ()
    shape = (count, *dims) if column.axis is None else (count, variants, *dims)
    if isinstance(given, list) and any(each is None for each in given):
        given, marks = _filled(column, given, shape, marks, variants)
    array = _types.as_numpy(given)
    if array.shape != shape:
        if column.axis is not None and variants == 1 and array.shape == (count, *dims):
            array = array.reshape(shape)
        else:
            raise ArgumentError(f"column {column.name!r}: an array of {list(array.shape)}, not {list(shape)}")
    array, element = _fitting(column, np.ascontiguousarray(array))
    row_bytes = array.nbytes // count if count else 0
    return Cells(
        column=number,
        element=element,
        data=array.ctypes.data,
        row_stride=row_bytes,
        variant_stride=row_bytes // variants,
        states=None if marks is None else marks.ctypes.data,
    ), [array, marks]


def _filled(column: Column, given: list, shape: tuple[int, ...], marks: np.ndarray | None, variants: int):
    """Rows, some of which are None, as an array, and the states of its cells."""
    present = [_types.as_numpy(each) for each in given if each is not None]
    kind = present[0].dtype if present else _types.dtype(column.element or "u8")
    array = np.zeros(shape, kind)
    marks = np.zeros(shape[0] * variants, np.uint8) if marks is None else marks
    for i, each in enumerate(given):
        if each is None:
            part = marks[i * variants : (i + 1) * variants]
            part[part == PRESENT] = ABSENT
        else:
            array[i] = _types.as_numpy(each).reshape(shape[1:])
    return array, marks


def _fitting(column: Column, array: np.ndarray) -> tuple[np.ndarray, int]:
    """The array as the library takes it for a column, and the number of its element type."""
    wanted = column.element or "u8"
    element = _types.element_of(array.dtype)
    if element == wanted or (wanted == "bf16" and element == "u16"):
        return array, _types.NUMBERS[wanted]
    if wanted in _types.FLOATS and element in _types.FLOATS:
        return array, _types.NUMBERS[element]
    kind = _types.dtype(wanted)
    if array.dtype.kind in "iu" and kind.kind in "iu":
        converted = array.astype(kind)
        if np.array_equal(converted, array):
            return converted, _types.NUMBERS[wanted]
        raise ArgumentError(f"column {column.name!r}: {array.dtype} numbers that do not fit {wanted}")
    raise ArgumentError(f"column {column.name!r} of {wanted} does not take {array.dtype}")
