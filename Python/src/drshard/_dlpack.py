"""Arrays of a batch for any library that takes DLPack, bfloat16 included: JAX, CuPy, PyTorch and others."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any

from . import _types
from ._batch import BatchMaker
from ._native import BatchInfo, call, library

_NAME, _USED = b"dltensor", b"used_dltensor"
_CPU = 1


class _ManagedTensor(ctypes.Structure):
    """DLManagedTensor of DLPack 0.x."""

    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32), ("code", c_uint8),
        ("bits", c_uint8), ("lanes", c_uint16), ("shape", ctypes.POINTER(c_int64)),
        ("strides", ctypes.POINTER(c_int64)), ("byte_offset", c_uint64), ("manager", c_void_p),
        ("deleter", ctypes.CFUNCTYPE(None, c_void_p)),
    ]  # fmt: skip


_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [c_void_p, c_char_p, c_void_p]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype, _is_valid.argtypes = ctypes.c_int, [c_void_p, c_char_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, [c_void_p, c_char_p]


@ctypes.PYFUNCTYPE(None, c_void_p)
def _delete(capsule: int) -> None:
    """Of a capsule that nobody took: who takes one renames it, and deletes the tensor itself."""
    if _is_valid(capsule, _NAME):
        tensor = _pointer(capsule, _NAME)
        _ManagedTensor.from_address(tensor).deleter(tensor)


class DLPackArray:
    """One array of a batch, for ``from_dlpack`` of another library. It holds the batch's memory.

    Attributes:
        shape: (samples, width).
        dtype: the name of the element type, such as "bf16".
    """

    def __init__(self, block: Any, number: int, shape: tuple[int, int], dtype: str) -> None:
        self._block = block
        self._number = number
        self.shape = shape
        self.dtype = dtype

    def __dlpack__(self, *, stream: Any = None, **_: Any) -> Any:
        """A capsule, over the same memory. The other library holds it as long as it needs it."""
        tensor = c_void_p()
        call(library.drs_batch_dlpack, self._block.handle, self._number, byref(tensor))
        return _new(tensor, _NAME, ctypes.cast(_delete, c_void_p))

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU, 0

    def __repr__(self) -> str:
        return f"<drshard.DLPackArray {list(self.shape)} of {self.dtype}>"


class DLPackMaker(BatchMaker):
    """Makes dicts of `DLPackArray`; all arrays have two dimensions, as the library has them."""

    def __init__(self, arrays: list[tuple[str, int, int, int]], value_names: list[str], **options: Any) -> None:
        super().__init__(arrays, value_names, **options)
        self._all = [(name, i, width, _types.NAMES[number]) for i, (name, number, width, _) in enumerate(arrays)]

    def make(self, info: BatchInfo) -> dict[str, Any]:
        block = self.block(info)
        batch: dict[str, Any] = {"epoch": info.epoch, "step": info.step}
        for name, number, width, dtype in self._all:
            batch[name] = DLPackArray(block, number, (info.count, width), dtype)
        return self._with_values(batch, block, info.count)
