"""Checkpoints of a training run: complete under their names or not there, and open_clip can load them."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import processes
import torch
from training import Trainer, random_state, set_random_state


class ResumeError(ValueError):
    """A checkpoint belongs to another run."""


def path_of(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.pt"


def newest(folder: Path) -> Path | None:
    """The checkpoint that was written last. Unfinished ones have another name."""
    found = _by_age(folder)
    return found[-1] if found else None


def _by_age(folder: Path) -> list[Path]:
    """All checkpoints, the one that was written last at the end.

    That is not always the one of the latest step: a run that went back to an older one leaves later steps behind, and
    nobody who goes on wants those.
    """
    return sorted(folder.glob("step_*.pt"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def save(
    folder: Path, trainer: Trainer, loader_state: dict[str, Any], arguments: dict[str, Any], keep: int = 2
) -> Path:
    """Write a checkpoint, by the first process; all take part, for each has random numbers of its own.

    Of those in the folder the `keep` that were written last stay, this one among them; 0: all.
    `state_dict` in it is the model's, as open_clip writes and reads it.
    """
    mine = {**random_state(trainer.where.device), "python": random.getstate()}
    states = processes.objects_of_all({"random": mine, "loader": loader_state})
    path = path_of(folder, trainer.steps_done)
    if trainer.where.first:
        look = trainer.look
        seen = {"size": look.size, "mean": look.mean, "std": look.deviation}
        _write(path, {**trainer.state(), "processes": states, "arguments": arguments, "look": seen})
        for old in _by_age(folder)[:-keep] if keep > 0 else []:
            old.unlink()
    processes.wait_for_all()
    return path


def _write(path: Path, content: dict[str, Any]) -> None:
    """A power cut leaves the old file or the new one: the name is given when the bytes are on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    # The newest, even if the clock was put back meanwhile.
    last = max((each.stat().st_mtime_ns for each in _by_age(path.parent)), default=0)
    if part.stat().st_mtime_ns <= last:
        os.utime(part, ns=(last + 1_000_000, last + 1_000_000))
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU. Only tensors and plain values are accepted: the file runs no code."""
    return torch.load(path, map_location="cpu", weights_only=True)


def load(path: Path, trainer: Trainer, arguments: dict[str, Any]) -> dict[str, Any]:
    """Put a trainer into the state of a checkpoint, and return the state for this process's loader.

    On as many processes as before everything is exactly what it was. On more or fewer of them batches are the same,
    and sums of floats and random numbers are not.
    """
    content = read(path)
    _check(path, content, arguments)
    trainer.load_state(content)
    mine = content["processes"][trainer.where.rank % len(content["processes"])]
    set_random_state(mine["random"], trainer.where.device)
    version, numbers, gauss = mine["random"]["python"]
    random.setstate((version, tuple(numbers), gauss))
    return mine["loader"]


def _check(path: Path, content: dict[str, Any], arguments: dict[str, Any]) -> None:
    before = content["arguments"]
    other = sorted(key for key in {*before, *arguments} if before.get(key) != arguments.get(key))
    if other:
        changes = ", ".join(f"{key} was {before.get(key)} and is {arguments.get(key)}" for key in other)
        raise ResumeError(f"{path} is of a run with other options: {changes}")
