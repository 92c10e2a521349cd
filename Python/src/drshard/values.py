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

_BYTES = (bytes, bytearray, memoryview)


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
        if self.sha256 is not None and (not isinstance(self.sha256, _BYTES) or len(self.sha256) != 32):
            raise ArgumentError(f"a locator's SHA-256 is 32 bytes, not {self.sha256!r:.80}")
        if not isinstance(self.container, str):
            raise ArgumentError(f"a locator's container is a str, not {self.container!r:.80}")
        try:
            head = struct.pack("<QQ", self.position, self.byte_count)
            if self.sha256 is not None:
                mark = b"\1" + bytes(self.sha256)
            elif self.crc32c is not None:
                mark = b"\2" + struct.pack("<I", self.crc32c)
            else:
                mark = b"\0"
        except struct.error as error:
            raise ArgumentError(f"a locator with a number that does not fit: {error}") from None
        try:
            return head + mark + self.container.encode("utf-8")
        except UnicodeEncodeError:
            raise ArgumentError(f"a locator's container is not Unicode: {self.container!r:.80}") from None

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
    if column.type in ("binary", "utf8") and isinstance(value, _BYTES):
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


def array(name: str, value: Any) -> np.ndarray:
    """An array of whatever has one, in this machine's byte order; ``name`` says in errors what it is.

    Raises:
        ArgumentError: for what is no array, or one with masked elements, whose numbers mean nothing.
    """
    try:
        made = _types.as_numpy(value)
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error}") from None
    except Exception as error:
        # torch has an exception of another kind for every tensor that has no numbers here: sparse, meta, quantised.
        raise ArgumentError(f"{name}: no array: {error}") from error
    if np.ma.is_masked(made):
        raise ArgumentError(
            f"{name}: an array with masked elements; fill them, and say by `states` which cells are none"
        )
    made = np.asarray(made)
    return made if made.dtype.isnative else made.astype(made.dtype.newbyteorder("="))


def fits(integers: np.ndarray, kind: np.dtype) -> bool:
    """Whether integers stay what they are in another type."""
    if integers.size == 0:
        return True
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        # As Python's: NumPy compares int64 and uint64 as floats in some versions.
        return limits.min <= int(integers.min()) and int(integers.max()) <= limits.max
    with np.errstate(over="ignore"):
        converted = integers.astype(kind)
    # Python compares whole numbers and floats exactly.
    return integers.tolist() == converted.astype(np.float64).tolist()


def _numbers(column: Column, value: Any) -> bytes:
    """The bytes of a ragged column's value: [n] numbers."""
    element = column.element or "u8"
    kind = _types.dtype(element)
    made = array(f"column {column.name!r}", value)
    if made.ndim != 1:
        raise ArgumentError(f"column {column.name!r}: values have one dimension, not {made.ndim}")
    if made.size == 0:
        return b""
    # Bits of bfloat16 are taken as they are, whether ml_dtypes is there or not.
    if made.dtype == kind or (element == "bf16" and made.dtype == np.uint16):
        return made.tobytes()
    if element == "bf16" or made.dtype.kind not in "iu":
        raise ArgumentError(f"column {column.name!r}: {made.dtype} numbers that do not fit {element}")
    if not fits(made, kind):
        raise ArgumentError(f"column {column.name!r}: {made.dtype} numbers that do not fit {element}")
    return made.astype(kind).tobytes()
