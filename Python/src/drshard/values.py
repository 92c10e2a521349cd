"""Values of cells that are no arrays, and their canonical bytes (Spec/FORMAT.md section 6.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _types
from .augment import Augmentation
from .errors import ArgumentError, CorruptError
from .schema import Column


@dataclass(frozen=True)
class Locator:
    """Where bytes lie in another file, such as an image in a tar.

    Attributes:
        container: the file, as the owner of the data set names it.
        position, byte_count: in bytes.
        sha256, crc32c: of the bytes; at most one of them.
    """

    container: str
    position: int
    byte_count: int
    sha256: bytes | None = None
    crc32c: int | None = None

    def to_bytes(self) -> bytes:
        """The canonical value.

        Raises:
            ArgumentError: for numbers or a hash that do not fit.
        """
        try:
            head = struct.pack("<QQ", self.position, self.byte_count)
            if self.sha256 is not None:
                if len(self.sha256) != 32:
                    raise ArgumentError(f"a SHA-256 of {len(self.sha256)} bytes")
                mark = b"\1" + bytes(self.sha256)
            elif self.crc32c is not None:
                mark = b"\2" + struct.pack("<I", self.crc32c)
            else:
                mark = b"\0"
        except struct.error as error:
            raise ArgumentError(f"a locator with a number that does not fit: {error}") from None
        return head + mark + self.container.encode("utf-8")

    @staticmethod
    def from_bytes(record: bytes) -> Locator:
        """Reads a canonical value.

        Raises:
            CorruptError: for bytes that are none.
        """
        size = {0: 17, 1: 49, 2: 21}.get(record[16] if len(record) > 16 else -1, 0)
        if size == 0 or len(record) < size:
            raise CorruptError(f"{len(record)} bytes are no locator")
        position, byte_count = struct.unpack_from("<QQ", record)
        sha256 = bytes(record[17:49]) if record[16] == 1 else None
        crc32c = struct.unpack_from("<I", record, 17)[0] if record[16] == 2 else None
        try:
            return Locator(bytes(record[size:]).decode("utf-8"), position, byte_count, sha256, crc32c)
        except UnicodeDecodeError:
            raise CorruptError("a locator whose container is not UTF-8") from None


def decoder(column: Column):
    """What makes a value of a column's canonical bytes: str, bytes, an array, `Augmentation` or `Locator`."""
    if column.type == "utf8":
        return lambda record: record.decode("utf-8")
    if column.type == "operations":
        return Augmentation.from_bytes
    if column.type == "locator":
        return Locator.from_bytes
    if column.type == "ragged":
        kind = _types.dtype(column.element or "u8")
        return lambda record: np.frombuffer(record, kind)
    if column.type == "tensor":
        kind, dims = _types.dtype(column.element or "u8"), column.dims or ()
        return lambda record: np.frombuffer(record, kind).reshape(dims)
    return bytes


def encoded(column: Column, value: Any) -> bytes:
    """The canonical bytes of a value of a column that is no tensor.

    Raises:
        ArgumentError: for a value of another type.
    """
    if column.type == "utf8" and isinstance(value, str):
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ArgumentError(f"column {column.name!r}: a text that is not Unicode: {error}") from None
    if column.type in ("binary", "utf8") and isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if column.type == "operations":
        if isinstance(value, Augmentation):
            return value.to_bytes()
        if isinstance(value, (list, tuple)):
            return Augmentation.from_published(value).to_bytes()
    if column.type == "locator" and isinstance(value, Locator):
        return value.to_bytes()
    if column.type == "ragged":
        return _numbers(column, value)
    raise ArgumentError(f"column {column.name!r} of {column.type} has no value {value!r:.80}")


def _numbers(column: Column, value: Any) -> bytes:
    kind = _types.dtype(column.element or "u8")
    array = _types.as_numpy(value)
    if array.size == 0:
        return b""
    if array.ndim != 1:
        raise ArgumentError(f"column {column.name!r}: values have one dimension, not {array.ndim}")
    if array.dtype != kind:
        converted = array.astype(kind)
        if array.dtype.kind not in "iu" or not np.array_equal(converted, array):
            raise ArgumentError(f"column {column.name!r}: {array.dtype} numbers that do not fit {column.element}")
        array = converted
    return array.tobytes()
