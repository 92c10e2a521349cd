"""One training run on several processes, as torchrun starts them: who am I, and collectives that know gradients.

With one process every function here does nothing to its argument, so that callers need no second path.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Processes:
    """This process's number, how many there are, and the device that is its own."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0


def start(device: str | None = None, timeout_minutes: float = 10) -> Processes:
    """Join the other processes, if torchrun started several (gloo on CPUs, nccl on GPUs)."""
    kind = torch.device(device).type if device else ("cuda" if torch.cuda.is_available() else "cpu")
    count, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_RANK", 0))
    if count == 1:
        return Processes(0, 1, torch.device(device or kind))
    own = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(own)
    if not dist.is_initialized():
        backend = "nccl" if kind == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(minutes=timeout_minutes))
    return Processes(dist.get_rank(), dist.get_world_size(), own)


def stop() -> None:
    """Leave the group of processes, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def count() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _RowsOfAll(torch.autograd.Function):
    """The rows of all processes, in the order of their ranks; a row's gradient is the sum of what all made of it."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        ctx.rows = rows.shape[0]
        return _gathered(rows)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.contiguous()
        if dist.get_backend() == "nccl":
            own = gradient.new_empty((ctx.rows, *gradient.shape[1:]))
            dist.reduce_scatter_tensor(own, gradient)
            return own
        # gloo has no reduce_scatter for every version of torch; a sum of everything is the same numbers.
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient[rank() * ctx.rows : (rank() + 1) * ctx.rows]


def _gathered(rows: torch.Tensor) -> torch.Tensor:
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(count())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def rows_of_all(rows: torch.Tensor) -> torch.Tensor:
    """`rows` of every process, one below the other. Every process must have as many, or the group hangs or fails."""
    if count() == 1:
        return rows
    return _RowsOfAll.apply(rows) if rows.requires_grad else _gathered(rows)


def mean_of_all(values: torch.Tensor) -> torch.Tensor:
    """The mean over processes of a tensor without gradients."""
    if count() == 1:
        return values
    values = values.clone()
    dist.all_reduce(values)
    return values / count()


def objects_of_all(value: Any) -> list[Any]:
    """A small Python object of every process, in the order of ranks."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def wait_for_all() -> None:
    if count() > 1:
        dist.barrier()
