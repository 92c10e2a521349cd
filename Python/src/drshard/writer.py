"""Writing: rows in, a shard out."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping, Sequence, Set
from ctypes import byref, c_void_p
from typing import Any

import numpy as np

from . import _types, values
from ._native import Cells, ColumnStorage, Handle, WriterOptions, call, encoded_path, library
from .augment import Augmentation
from .dataset import ABSENT, LOST, PRESENT
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
        encoded = encoded_path(path)
        if not isinstance(schema, Schema):
            raise ArgumentError(f"the schema is {schema!r:.80}, not a drshard.Schema")
        self.path = os.fspath(path)
        self.schema = schema
        self._is_finished = False
        options = WriterOptions()
        library.drs_writer_options_init(byref(options), ctypes.sizeof(options))
        options.shard_tag = _types.integer("shard_tag", shard_tag, 0, 1 << 64)
        options.rows_per_group = _types.integer("rows_per_group", 0 if rows_per_group is None else rows_per_group)
        options.packs_behind = int(bool(packs_behind))
        for name, value in (
            ("group_byte_budget", group_bytes),
            ("image_byte_budget", image_bytes),
            ("compression_level", compression_level),
            ("page_byte_count", page_bytes),
        ):
            if value is not None:
                limit = 1 << 31 if name == "compression_level" else 1 << 63
                setattr(options, name, _types.integer(name, value, -limit, limit))
        if storage is not None and not isinstance(storage, Mapping):
            raise ArgumentError(f"storage is {storage!r:.80}, not a dict of columns and how they are stored")
        chosen = [
            (_types.text("a column to store", name), _types.text(f"the storage of column {name!r}", kind))
            for name, kind in (storage or {}).items()
        ]
        options.storage = (ColumnStorage * len(chosen))(*(ColumnStorage(*pair) for pair in chosen))
        options.storage_count = len(chosen)
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
        with self._handle as pointer:
            return library.drs_writer_row_count(pointer)

    @property
    def rows_per_group(self) -> int:
        """Rows of a row group: a writer that is killed loses the rows of the open one."""
        with self._handle as pointer:
            return library.drs_writer_rows_per_group(pointer)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._handle.is_closed and not self._is_finished:
            self.finish()
        self.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Writes a row: a value of every column; of a column with an axis an array [V, *dims], or a list of V values.

        None, or None in a list, is a cell that is absent. Raises as `write_batch` does; then the row is not written.
        """
        if not isinstance(row, Mapping):
            raise ArgumentError(f"a row is {row!r:.80}, not a dict of columns")
        self.write_batch({name: [value] for name, value in row.items()})

    def write_batch(self, columns: Mapping[str, Any], states: Mapping[str, Any] | None = None) -> None:
        """Writes N rows.

        Args:
            columns: of every column an array [N, V, *dims] (without V if it has no axis), or a list of N values (lists of
                V). Columns of bf16, f16 and f32 take each of them, and round to nearest, ties to even; bf16 also as uint16
                of its bits; columns of whole numbers any integers that fit. Tensors of torch are taken too, and bytes
                for cells of u8. None is a cell that is absent.
            states: by column integers [N, V] ([N] if it has no axis): `drshard.ABSENT` or `drshard.LOST` where a cell
                has no value, `drshard.PRESENT` elsewhere.

        Raises:
            ArgumentError: for columns that are missing or unknown, shapes and types that do not fit, arrays with masked
                elements: then nothing is written. For values that the format does not allow, and an id that the shard
                has already: rows before the one that is refused are written.
            FileError: if the file cannot be written; the writer stays failed.
        """
        with self._handle as pointer:
            cells, kept, count = self._batch(columns, {} if states is None else states)
            call(library.drs_writer_append, pointer, cells, len(cells), count)
            del kept

    def note(self, key: str, value: str) -> None:
        """Adds a fact about the shard, for people, to its footer. Raises ArgumentError for what is no text."""
        pair = _types.text("the key of a note", key), _types.text(f"the note {key!r}", value)
        with self._handle as pointer:
            call(library.drs_writer_note, pointer, *pair)

    def finish(self) -> None:
        """Writes the rest, and puts the file in its place. Raises FileError if that fails."""
        with self._handle as pointer:
            call(library.drs_writer_finish, pointer)
        self._is_finished = True

    def discard(self) -> None:
        """Gives the shard up, and removes what was written."""
        with self._handle as pointer:
            library.drs_writer_discard(pointer)
        self.close()

    def close(self) -> None:
        """Ends writing. What is not finished stays unfinished, and can be resumed."""
        self._handle.close()

    def _batch(self, columns: Mapping[str, Any], states: Mapping[str, Any]) -> tuple[Any, list, int]:
        """The structs of a batch's columns, what has to live as long as they, and how many rows there are."""
        for what, given in (("columns are", columns), ("states are", states)):
            if not isinstance(given, Mapping):
                raise ArgumentError(f"{what} {given!r:.80}, not a dict by the names of columns")
            for name in given:
                self.schema.column(name)
        missing = sorted(column.name for column in self.schema.columns if column.name not in columns)
        if missing:
            raise ArgumentError(f"columns are missing: {', '.join(missing)}")
        counts = {_row_count(column, columns[column.name]) for column in self.schema.columns}
        if len(counts) != 1:
            raise ArgumentError(f"columns of different numbers of rows: {', '.join(map(str, sorted(counts)))}")
        count = counts.pop()
        prepared = [
            self._cells(number, column, columns[column.name], states.get(column.name), count)
            for number, column in enumerate(self.schema.columns)
        ]
        return (Cells * len(prepared))(*(each for each, _ in prepared)), [kept for _, kept in prepared], count

    def _cells(self, number: int, column: Column, given: Any, states: Any, count: int) -> tuple[Cells, list]:
        """The struct of a column's cells, and what has to live as long as it."""
        variants = self.schema.variant_count(column)
        marks = _states(column, states, count, variants)
        if column.type == "tensor":
            return _tensor_cells(number, column, given, marks, count, variants)
        flat = (
            list(given) if column.axis is None else [each for row in given for each in _listed(column, row, variants)]
        )
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


# Single values; whatever has a length besides them holds several.
_SINGLE = (str, bytes, bytearray, memoryview, Augmentation, values.Locator)


def _row_count(column: Column, given: Any) -> int:
    """Rows of what was given for a column of a batch."""
    # A memoryview may be an array with any number of dimensions.
    is_one = isinstance(given, _SINGLE) and not (isinstance(given, memoryview) and column.type == "tensor")
    if is_one or isinstance(given, (Mapping, Set)) or not hasattr(given, "__iter__"):
        raise ArgumentError(f"column {column.name!r}: {given!r:.80} is no array or list of rows")
    try:
        return len(given)
    except TypeError:
        raise ArgumentError(f"column {column.name!r}: {given!r:.80} has no number of rows") from None


def _listed(column: Column, row: Any, variants: int) -> Sequence[Any]:
    """The values of a row of a column with an axis."""
    if row is None:
        return [None] * variants
    if isinstance(row, _SINGLE):
        if variants == 1:
            return [row]
        raise ArgumentError(f"column {column.name!r}: a single value where a row has {variants} variants")
    count = _row_count(column, row)
    if count != variants:
        raise ArgumentError(f"column {column.name!r}: {count} values where a row has {variants} variants")
    return row


def _states(column: Column, states: Any, count: int, variants: int) -> np.ndarray | None:
    """States of a column's cells: uint8 [count * variants], to be written to."""
    if states is None:
        return None
    name = f"the states of column {column.name!r}"
    marks = values.array(name, states)
    shape = (count,) if column.axis is None else (count, variants)
    if marks.shape != shape:
        raise ArgumentError(f"{name} are {list(marks.shape)}, not {list(shape)}")
    if marks.size == 0:
        return np.zeros(0, np.uint8)
    if marks.dtype.kind not in "iu" or marks.min() < PRESENT or marks.max() > LOST:
        raise ArgumentError(f"{name} are not {PRESENT}, {ABSENT} or {LOST}")
    return marks.astype(np.uint8).reshape(-1)


def _tensor_cells(
    number: int, column: Column, given: Any, marks: np.ndarray | None, count: int, variants: int
) -> tuple[Cells, list]:
    dims = column.dims or ()
    shape = (count, *dims) if column.axis is None else (count, variants, *dims)
    if isinstance(given, (list, tuple)) and not _is_plain(given):
        array, element, marks = _stacked(column, given, shape, marks, variants)
    elif count == 0:
        array, element = np.zeros(shape, _types.dtype(column.element or "u8")), _types.NUMBERS[column.element or "u8"]
    else:
        array = values.array(f"column {column.name!r}", given)
        array, element = _fitting(column, np.ascontiguousarray(_shaped(column, array, shape, variants)))
    row_bytes = array.nbytes // count if count else 0
    return Cells(
        column=number,
        element=element,
        data=array.ctypes.data,
        row_stride=row_bytes,
        variant_stride=row_bytes // variants,
        states=None if marks is None else marks.ctypes.data,
    ), [array, marks]


def _is_plain(given: Any) -> bool:
    """Whether lists hold numbers alone, all of which NumPy makes one array of at once."""
    if isinstance(given, (list, tuple)):
        return all(map(_is_plain, given))
    return isinstance(given, (int, float, np.number))


def _shaped(column: Column, array: np.ndarray, shape: tuple[int, ...], variants: int) -> np.ndarray:
    """An array of this shape; where the only variant may be left out, one without it, too."""
    dims = column.dims or ()
    if array.shape == shape:
        return array
    if column.axis is not None and variants == 1 and array.shape == shape[: len(shape) - len(dims) - 1] + dims:
        return array.reshape(shape)
    raise ArgumentError(f"column {column.name!r}: an array of {list(array.shape)}, not {list(shape)}")


def _stacked(
    column: Column, given: Sequence[Any], shape: tuple[int, ...], marks: np.ndarray | None, variants: int
) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Rows, each checked by itself, as one array, its element type's number, and the states of its cells."""
    parts: list[tuple[Any, np.ndarray]] = []
    absent: list[Any] = []
    for i, row in enumerate(given):
        if column.axis is not None and _has_parts(row) and len(row) == variants:
            for v, cell in enumerate(row):
                _place(column, (i, v), cell, shape[2:], parts, absent)
        else:
            _place(column, i, row, shape[1:], parts, absent)
    if absent:
        marks = np.zeros(shape[0] * variants, np.uint8) if marks is None else marks
        grid = marks.reshape(shape[0], variants)
        for place in absent:
            grid[place] = np.where(grid[place] == PRESENT, ABSENT, grid[place])
    fitted = [_fitting(column, part) for _, part in parts]
    elements = {element for _, element in fitted} or {_types.NUMBERS[column.element or "u8"]}
    # Floats of several types meet in f32, which holds each of them.
    element = elements.pop() if len(elements) == 1 else _types.NUMBERS["f32"]
    array = np.zeros(shape, _types.dtype(_types.NAMES[element]))
    for (place, _), (part, own) in zip(parts, fitted):
        array[place] = part if own == element else _widened(part, own)
    return array, element, marks


def _has_parts(row: Any) -> bool:
    """Whether a row is a list of cells, which may be of any kind."""
    return isinstance(row, (list, tuple)) and not _is_plain(row)


def _place(column: Column, place: Any, value: Any, shape: tuple[int, ...], parts: list, absent: list) -> None:
    """Adds a row's array, or a cell's, to the parts, or to those that are absent."""
    name = f"column {column.name!r}"
    if value is None:
        absent.append(place)
        return
    if isinstance(value, (bytes, bytearray)) and column.element in ("u8", None):
        made = np.frombuffer(value, np.uint8)
        if made.size == math.prod(shape):
            made = made.reshape(shape)
    elif _has_parts(value):
        # Such as arrays in lists of further dimensions: NumPy would drop masks, and knows no tensors.
        made = np.stack(_alike(name, [values.array(name, each) for each in value]))
    else:
        made = values.array(name, value)
    variants = shape[0] if isinstance(place, int) and column.axis is not None else 0
    parts.append((place, np.ascontiguousarray(_shaped(column, made, shape, variants)).reshape(shape)))


def _alike(name: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    if len({(each.shape, each.dtype) for each in arrays}) > 1:
        raise ArgumentError(f"{name}: a list of arrays of different shapes or types")
    return arrays


def _widened(array: np.ndarray, element: int) -> np.ndarray:
    """Floats as f32. Of bfloat16 by its bits, for without ml_dtypes they are numbers of uint16."""
    if element == _types.NUMBERS["bf16"]:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def _fitting(column: Column, array: np.ndarray) -> tuple[np.ndarray, int]:
    """The array as the library takes it for a column, and the number of its element type."""
    wanted = column.element or "u8"
    kind = _types.dtype(wanted)
    element = _types.element_of(array.dtype)
    if wanted == "bf16" and element == "u16":
        return array.view(kind), _types.NUMBERS[wanted]
    if element == wanted:
        return array, _types.NUMBERS[wanted]
    if wanted in _types.FLOATS and element in _types.FLOATS:
        return array, _types.NUMBERS[element]
    if array.dtype.kind in "iu" and wanted[0] in "iu":
        if values.fits(array, kind):
            return array.astype(kind), _types.NUMBERS[wanted]
        raise ArgumentError(f"column {column.name!r}: {array.dtype} numbers that do not fit {wanted}")
    raise ArgumentError(f"column {column.name!r} of {wanted} does not take {array.dtype}")
