"""libdrshard through ctypes: its functions and structs, as drshard.h declares them."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path

from .errors import BY_CODE, ArgumentError, ClosedError, Error


class ErrorInfo(Structure):
    _fields_ = [
        ("code", c_int32),
        ("message", c_char_p),
        ("reason", c_char_p),
        ("path", c_char_p),
        ("column", c_char_p),
        ("row_group", c_int64),
        ("variant", c_int64),
        ("page", c_int64),
        ("row", c_int64),
        ("position", c_int64),
    ]


class ColumnStorage(Structure):
    _fields_ = [("column", c_char_p), ("storage", c_char_p)]


class WriterOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("shard_tag", c_uint64),
        ("rows_per_group", c_int64),
        ("group_byte_budget", c_int64),
        ("image_byte_budget", c_int64),
        ("compression_level", c_int32),
        ("page_byte_count", c_int64),
        ("packs_behind", c_int32),
        ("storage", POINTER(ColumnStorage)),
        ("storage_count", c_size_t),
    ]


class Cells(Structure):
    _fields_ = [
        ("column", c_int32),
        ("element", c_int32),
        ("data", c_void_p),
        ("row_stride", c_int64),
        ("variant_stride", c_int64),
        ("offsets", c_void_p),
        ("states", c_void_p),
    ]


class Filter(Structure):
    _fields_ = [
        ("kind", c_int32),
        ("ids", c_void_p),
        ("id_count", c_size_t),
        ("id_byte_count", c_size_t),
        ("split", c_char_p),
        ("first", c_int64),
        ("end", c_int64),
        ("count", c_int64),
    ]


class LoaderSet(Structure):
    _fields_ = [
        ("dataset", c_void_p),
        ("weight", c_int64),
        ("filters", POINTER(Filter)),
        ("filter_count", c_size_t),
        ("quarantine", c_char_p),
    ]


class Axis(Structure):
    _fields_ = [("name", c_char_p), ("weight", c_int64)]


class LoaderOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("seed", c_uint64),
        ("batch_size", c_int64),
        ("lanes", c_int64),
        ("block_rows", c_int64),
        ("window_blocks", c_int64),
        ("order", c_int32),
        ("variants", c_int32),
        ("tail", c_int32),
        ("epoch_steps", c_int64),
        ("rank", c_int64),
        ("world_size", c_int64),
        ("content", c_uint32),
        ("views", POINTER(Axis)),
        ("view_count", c_size_t),
        ("real", POINTER(Axis)),
        ("real_count", c_size_t),
        ("synthetic", POINTER(Axis)),
        ("synthetic_count", c_size_t),
        ("tokenizer", c_char_p),
        ("embedding_element", c_int32),
        ("joins_embeddings", c_int32),
        ("token_element", c_int32),
        ("maximum_lost_rows", c_int64),
        ("thread_count", c_int64),
        ("prefetch_byte_count", c_int64),
        ("read_ahead_byte_count", c_int64),
    ]


class Array(Structure):
    _fields_ = [("name", c_char_p), ("element", c_int32), ("width", c_int64), ("offset", c_int64), ("stride", c_int64)]


class LoaderCounts(Structure):
    _fields_ = [
        (name, c_uint64)
        for name in (
            "batch_count",
            "sample_count",
            "delivered_byte_count",
            "read_byte_count",
            "read_count",
            "read_nanoseconds",
            "wait_nanoseconds",
            "work_nanoseconds",
            "idle_nanoseconds",
            "ready_batch_count",
            "lost_row_count",
            "live_batch_count",
        )
    ]


class BatchInfo(Structure):
    _fields_ = [
        ("batch", c_void_p),
        ("epoch", c_int64),
        ("step", c_int64),
        ("count", c_int64),
        ("data", c_void_p),
        ("byte_count", c_size_t),
    ]


class Value(Structure):
    _fields_ = [("bytes", c_void_p), ("byte_count", c_int64)]


def _library_path() -> str:
    chosen = os.environ.get("DRSHARD_LIBRARY")
    if chosen:
        return chosen
    folder = Path(__file__).parent
    for name in ("libdrshard.so", "libdrshard.dylib"):
        if (folder / name).exists():
            return str(folder / name)
    raise ImportError(
        "libdrshard is missing beside the package: install the package with pip, or build the library with "
        "Scripts/library.sh and name it in the environment variable DRSHARD_LIBRARY"
    )


library = ctypes.CDLL(_library_path())

_ERROR = POINTER(c_void_p)
# Arguments of every function; those that answer with a code have the place for an error at the end.
_SIGNATURES: dict[str, tuple[list, type | None]] = {
    "drs_version": ([], c_char_p),
    "drs_free": ([c_void_p], None),
    "drs_error_get": ([c_void_p, POINTER(ErrorInfo)], None),
    "drs_error_free": ([c_void_p], None),
    "drs_dataset_open": ([c_char_p, c_uint32, POINTER(c_void_p), _ERROR], c_int32),
    "drs_dataset_free": ([c_void_p], None),
    "drs_dataset_row_count": ([c_void_p], c_int64),
    "drs_dataset_describe": ([c_void_p, POINTER(c_void_p), _ERROR], c_int32),
    "drs_dataset_storage": ([c_void_p, c_int32, POINTER(c_char_p), _ERROR], c_int32),
    "drs_dataset_read_cells": (
        [c_void_p, c_int32, c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t, c_size_t, c_void_p, _ERROR],
        c_int32,
    ),
    "drs_dataset_read_tokens": (
        [c_void_p, c_int32, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p, _ERROR],
        c_int32,
    ),
    "drs_dataset_read_values": ([c_void_p, c_int32, c_void_p, c_void_p, c_size_t, POINTER(c_void_p), _ERROR], c_int32),
    "drs_values_get": ([c_void_p, POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p)], None),
    "drs_values_free": ([c_void_p], None),
    "drs_writer_options_init": ([POINTER(WriterOptions), c_size_t], None),
    "drs_writer_create": ([c_char_p, c_char_p, POINTER(WriterOptions), POINTER(c_void_p), _ERROR], c_int32),
    "drs_writer_resume": ([c_char_p, c_char_p, POINTER(WriterOptions), POINTER(c_void_p), _ERROR], c_int32),
    "drs_writer_row_count": ([c_void_p], c_int64),
    "drs_writer_rows_per_group": ([c_void_p], c_int64),
    "drs_writer_append": ([c_void_p, POINTER(Cells), c_size_t, c_size_t, _ERROR], c_int32),
    "drs_writer_note": ([c_void_p, c_char_p, c_char_p, _ERROR], c_int32),
    "drs_writer_finish": ([c_void_p, _ERROR], c_int32),
    "drs_writer_discard": ([c_void_p], None),
    "drs_writer_free": ([c_void_p], None),
    "drs_loader_options_init": ([POINTER(LoaderOptions), c_size_t], None),
    "drs_loader_create": ([POINTER(LoaderSet), c_size_t, POINTER(LoaderOptions), POINTER(c_void_p), _ERROR], c_int32),
    "drs_loader_free": ([c_void_p], None),
    "drs_loader_arrays": ([c_void_p, POINTER(POINTER(Array)), POINTER(c_size_t)], None),
    "drs_loader_value_names": ([c_void_p, POINTER(POINTER(c_char_p)), POINTER(c_size_t)], None),
    "drs_loader_size": ([c_void_p, c_int64, POINTER(c_int64), POINTER(c_int64), _ERROR], c_int32),
    "drs_loader_state": ([c_void_p, c_int64, c_int64, POINTER(c_void_p), _ERROR], c_int32),
    "drs_loader_resume": ([c_void_p, c_char_p, POINTER(c_int64), POINTER(c_int64), _ERROR], c_int32),
    "drs_loader_quarantine": ([c_void_p, c_size_t, POINTER(c_void_p), _ERROR], c_int32),
    "drs_loader_explain": ([c_void_p, c_int64, c_int64, POINTER(c_void_p), _ERROR], c_int32),
    "drs_loader_count": ([c_void_p, POINTER(LoaderCounts)], None),
    "drs_epoch_start": ([c_void_p, c_int64, c_int64, c_int64, POINTER(c_void_p), _ERROR], c_int32),
    "drs_epoch_next": ([c_void_p, c_int64, POINTER(BatchInfo), _ERROR], c_int32),
    "drs_epoch_cancel": ([c_void_p], None),
    "drs_epoch_free": ([c_void_p], None),
    "drs_batch_values": ([c_void_p, c_size_t, POINTER(c_void_p), _ERROR], c_int32),
    "drs_batch_dlpack": ([c_void_p, c_size_t, POINTER(c_void_p), _ERROR], c_int32),
    "drs_batch_free": ([c_void_p], None),
    "drs_delete_capsule": ([c_void_p], None),
    "drs_tokenizer_create": ([c_char_p, c_size_t, POINTER(c_void_p), _ERROR], c_int32),
    "drs_tokenizer_free": ([c_void_p], None),
    "drs_tokenizer_encode": (
        [c_void_p, c_char_p, c_size_t, POINTER(c_uint16), c_size_t, POINTER(c_size_t), _ERROR],
        c_int32,
    ),
    "drs_tokenizer_doubt": ([c_char_p, c_size_t, POINTER(c_char_p), _ERROR], c_int32),
}
for _name, (_arguments, _result) in _SIGNATURES.items():
    _function = getattr(library, _name)
    _function.argtypes = _arguments
    _function.restype = _result


def error_of(pointer: c_void_p) -> Error:
    """The exception for an error of the library's, which is freed."""
    info = ErrorInfo()
    library.drs_error_get(pointer, byref(info))

    def text(value: bytes | None) -> str | None:
        return None if value is None else value.decode("utf-8", "replace")

    def number(value: int) -> int | None:
        return None if value < 0 else value

    error = BY_CODE.get(info.code, Error)(
        text(info.message) or "",
        reason=text(info.reason),
        path=text(info.path),
        column=text(info.column),
        row_group=number(info.row_group),
        variant=number(info.variant),
        page=number(info.page),
        row=number(info.row),
        position=number(info.position),
    )
    library.drs_error_free(pointer)
    return error


def call(function, *arguments) -> None:
    """Calls a function of the library that answers with a code.

    Raises:
        Error: of the kind of the code.
    """
    error = c_void_p()
    if function(*arguments, byref(error)):
        raise error_of(error)


def taken_text(function, *arguments) -> str | None:
    """The text that a function gives; None for NULL."""
    text = c_void_p()
    call(function, *arguments, byref(text))
    if not text.value:
        return None
    try:
        return ctypes.string_at(text.value).decode("utf-8")
    finally:
        library.drs_free(text)


def encoded_path(path: str | os.PathLike) -> bytes:
    """The bytes of a path; what is not UTF-8 stays as it is, and is refused by the library.

    Raises:
        ArgumentError: for what is no path, or one with a zero in it.
    """
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise ArgumentError(f"{path!r:.80} is no path") from None
    if b"\0" in encoded:
        raise ArgumentError(f"a path with a zero in it: {path!r}")
    return encoded


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, [c_void_p, c_char_p, c_void_p]
_destructor = ctypes.cast(library.drs_delete_capsule, c_void_p)


_kinds: dict[bytes, bytes] = {}


def capsule(pointer: int | c_void_p, kind: bytes) -> object:
    """An object that frees a handle of the library's when it goes, in C: an interrupt, which would be lost in a destructor
    in Python, is not."""
    # A capsule keeps no copy of its name.
    return _new_capsule(pointer, _kinds.setdefault(kind, kind), _destructor)


class Handle:
    """A handle of the library's, for use in a ``with`` block; freed once, when it is closed and nobody uses it.

    Any thread may close it at any time: who is inside a block goes on. It works without locks, which a fork might leave
    locked in the child, or a signal might find locked by its own thread: appending to and taking from a list are atomic.
    """

    __slots__ = ("__weakref__", "_capsules", "_is_closed", "_pointer", "_users", "_what")

    def __init__(self, pointer: int | None, free, what: str) -> None:
        """What is freed by the function ``free``, and called ``what`` in errors."""
        self._pointer = pointer
        kind = free.__name__.removesuffix("_free").encode()
        self._capsules = [capsule(pointer, kind)] if pointer else []
        self._users: list[None] = []
        self._is_closed = False
        self._what = what

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def __enter__(self) -> int | None:
        """The pointer.

        Raises:
            ClosedError: if it is closed.
        """
        # First counted, then looked: who closes does it the other way round.
        self._users.append(None)
        if self._is_closed:
            self.__exit__()
            raise ClosedError(f"the {self._what} is closed")
        return self._pointer

    def __exit__(self, *_: object) -> None:
        self._users.pop()
        if self._is_closed:
            self._free_if_unused()

    def close(self) -> None:
        self._is_closed = True
        self._free_if_unused()

    def _free_if_unused(self) -> None:
        if not self._users:
            # Of several only one gets it.
            with suppress(IndexError):
                self._capsules.pop()


__all__ = ["Handle", "call", "capsule", "encoded_path", "error_of", "library", "taken_text"]
