"""What loaders of the benchmark have in common: rows drawn one by one, or blocks shuffled inside a window."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from loader_data import COLUMNS, Batch, Block, Draw, draws, empty_batch, windows


class Peer:
    """A format with its loader. One object reads one folder, in a process of its own."""

    name = ""
    # What is installed for it, and whose versions are printed.
    packages: list[str] = []
    # A lossless codec stands between the file and the batch.
    compressed = False
    # Workers it gets on so many cores.
    workers = {1: 1, 2: 2}

    def write(self, arrays: Batch, folder: Path) -> None:
        raise NotImplementedError

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        """The batches of an epoch; one stays valid until the next is asked for."""
        raise NotImplementedError

    def comparable(self, batch: Batch) -> Batch:
        """A batch as the check takes it; made of what was delivered, outside of what is timed."""
        return batch

    def threads(self, workers: int) -> str:
        return "in process, " + ("1 thread" if workers == 1 else f"{workers} threads of Python")

    def bytes_on_disk(self, folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    @cache
    def pool(self, workers: int) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers)


class DrawPeer(Peer):
    """Random rows; batches are read by threads, in order, and some ahead where there is more than one."""

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        """A reader, which is opened once, and its rows."""
        raise NotImplementedError

    def read(self, reader: Any, draw: Draw) -> Batch:
        raise NotImplementedError

    def order(self, row_count: int, batch_size: int, epoch: int) -> Iterator[Draw]:
        return draws(row_count, batch_size, epoch)

    @cache
    def opened(self, folder: Path, workers: int) -> tuple[Any, int]:
        return self.open(folder, workers)

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        reader, row_count = self.opened(folder, workers)
        jobs = self.order(row_count, batch_size, epoch)

        def deliver(draw: Draw) -> Batch:
            labels = {"rows": draw.rows, "views": draw.views, "captions": draw.captions}
            return self.read(reader, draw) | labels

        if workers == 1:
            yield from map(deliver, jobs)
            return
        pending: deque[Future] = deque()
        for draw in jobs:
            pending.append(self.pool(workers).submit(deliver, draw))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@dataclass
class Filling:
    """A window while its blocks are put in place."""

    row_count: int
    buffer: Batch
    pieces: list[Future]


class BlockPeer(Peer):
    """Blocks of 256 rows with one view and one synthetic caption, which is all that is read of them.

    Every row goes once, from where the format decoded it to its place in the window, whose slices are the batches.
    With more workers than one the next window is filled while the batches of this one are taken.
    """

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        raise NotImplementedError

    def read(self, reader: Any, block: Block) -> Batch:
        """The columns of a block in the order of its rows; embeddings as they lie in memory."""
        raise NotImplementedError

    @cache
    def opened(self, folder: Path, workers: int) -> tuple[Any, int]:
        return self.open(folder, workers)

    @cache
    def buffers(self, row_count: int, count: int) -> list[Batch]:
        return [empty_batch(row_count) for _ in range(count)]

    def fill(self, reader: Any, block: Block, buffer: Batch) -> None:
        for name, values in self.read(reader, block).items():
            target = buffer[name]
            if target.dtype == values.dtype:
                # Rows as single values: NumPy moves those faster than rows of numbers.
                whole = np.dtype((np.void, target.dtype.itemsize * target.shape[1]))
                target, values = target.view(whole)[:, 0], np.ascontiguousarray(values).view(whole)[:, 0]
            target[block.places] = values
        buffer["rows"][block.places] = np.arange(block.rows.start, block.rows.stop)
        buffer["views"][block.places] = block.view
        buffer["captions"][block.places] = block.caption

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        reader, row_count = self.opened(folder, workers)
        plan = enumerate(windows(row_count, batch_size, epoch))
        largest = max(sum(len(b.rows) for b in window) for window in windows(row_count, batch_size, epoch))
        buffers = self.buffers(largest, min(workers, 2))

        def start() -> Filling | None:
            number, window = next(plan, (0, None))
            if window is None:
                return None
            buffer = buffers[number % len(buffers)]
            rows = sum(len(block.rows) for block in window)
            if workers == 1:
                for block in window:
                    self.fill(reader, block, buffer)
                return Filling(rows, buffer, [])
            pool = self.pool(workers)
            return Filling(rows, buffer, [pool.submit(self.fill, reader, block, buffer) for block in window])

        filling = start()
        while filling is not None:
            # One thread has one buffer: it cannot go on before the batches are taken.
            following = start() if workers > 1 else None
            for piece in filling.pieces:
                piece.result()
            for first in range(0, filling.row_count, batch_size):
                last = min(first + batch_size, filling.row_count)
                yield {name: values[first:last] for name, values in filling.buffer.items()}
            filling = following if workers > 1 else start()


def column_names(view: int, caption: int) -> dict[str, str]:
    """Columns of formats with a column per variant, by their names in a batch."""
    variants = {"image": view, "augmentation": view, "text": 0, "tokens": 0}
    return {name: f"{source}_{variants.get(name, caption)}" for name, (source, _, _) in COLUMNS.items()}
