"""Element types of drshard, and what they are in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ArgumentError

# The numbers of drs_element.
NUMBERS = {
    "u8": 1,
    "i8": 2,
    "u16": 3,
    "i16": 4,
    "u32": 5,
    "i32": 6,
    "u64": 7,
    "i64": 8,
    "f16": 9,
    "bf16": 10,
    "f32": 11,
    "f64": 12,
}
NAMES = {number: name for name, number in NUMBERS.items()}
_DTYPES = {
    "u8": np.uint8,
    "i8": np.int8,
    "u16": np.uint16,
    "i16": np.int16,
    "u32": np.uint32,
    "i32": np.int32,
    "u64": np.uint64,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}
FLOATS = ("bf16", "f16", "f32")


def bfloat16() -> np.dtype:
    """`ml_dtypes.bfloat16`, or uint16 (the bits) where ml_dtypes is not installed."""
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(np.uint16)
    return np.dtype(ml_dtypes.bfloat16)


def dtype(element: str) -> np.dtype:
    """The NumPy type of an element type.

    Raises:
        ArgumentError: for a name that is none.
    """
    if element == "bf16":
        return bfloat16()
    if element not in _DTYPES:
        raise ArgumentError(f"there is no element type {element!r}; there are {', '.join(NUMBERS)}")
    return np.dtype(_DTYPES[element])


def element_of(kind: np.dtype) -> str | None:
    """The element type that a NumPy type is; None if it is none."""
    if kind.name == "bfloat16":
        return "bf16"
    for name, known in _DTYPES.items():
        if kind == np.dtype(known):
            return name
    return None


def number_of(element: str | None, allowed: tuple[str, ...] | None = None) -> int:
    """The number of an element type; None: as stored.

    Raises:
        ArgumentError: for a name that is none, or is not allowed.
    """
    if element is None:
        return 0
    if element not in NUMBERS or (allowed is not None and element not in allowed):
        raise ArgumentError(f"elements of {element!r}; possible are {', '.join(allowed or NUMBERS)}")
    return NUMBERS[element]


def integer(name: str, value: Any, least: int = -(1 << 63), limit: int = 1 << 63) -> int:
    """A whole number; ctypes would cut one that is too large.

    Raises:
        ArgumentError: for what is none, or is not in [least, limit).
    """
    try:
        number = value.__index__()
    except (AttributeError, TypeError):
        raise ArgumentError(f"{name} is {value!r}, not a whole number") from None
    if not least <= number < limit:
        raise ArgumentError(f"{name} is {number}: it has to be from {least} to {limit - 1}")
    return number


def text(name: str, value: Any) -> bytes:
    """A text as the library takes it.

    Raises:
        ArgumentError: for what is no str, is not Unicode, or has a zero, where C would end it.
    """
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is {value!r:.80}, not a str")
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise ArgumentError(f"{name} is not Unicode: {value!r:.80}") from None
    if b"\0" in encoded:
        raise ArgumentError(f"{name} has a zero in it: {value!r:.80}")
    return encoded


def as_numpy(value) -> np.ndarray:
    """An array of whatever has one: NumPy's, torch's (also bfloat16, and on a device), lists.

    Raises:
        ArgumentError: for what is no array.
    """
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        tensor = value.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            import torch

            bits = tensor.contiguous().view(torch.int16).numpy()
            kind = bfloat16()
            return bits.view(kind)
        return tensor.numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ArgumentError(f"no array: {error}") from None
    if array.dtype == object:
        raise ArgumentError("no array: its parts have different shapes or types")
    return array
