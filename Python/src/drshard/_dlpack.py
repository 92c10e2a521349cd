"""Arrays of a batch for any library that takes DLPack, bfloat16 included: JAX, CuPy, PyTorch and others."""

from __future__ import annotations

from ctypes import byref, c_void_p
from typing import Any

from . import _types
from ._batch import BatchMaker
from ._native import BatchInfo, call, capsule, library

_CPU = 1


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

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of DLPack 0.x, over the same memory. The other library holds it as long as it needs it.

        Raises:
            BufferError: if a copy, another device or a stream is asked for.
        """
        if copy:
            raise BufferError("a batch is given as it is: copy it on the other side")
        if dl_device not in (None, (_CPU, 0)) or stream is not None:
            raise BufferError("a batch lies in the memory of the processor, and belongs to no stream")
        tensor = c_void_p()
        call(library.drs_batch_dlpack, self._block.handle, self._number, byref(tensor))
        return capsule(tensor, b"dltensor")

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
