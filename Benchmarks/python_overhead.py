#!/usr/bin/env python3
"""What the Python package costs on top of the library: time of a batch, of the import, memory of loader processes.

    python3 Benchmarks/python_overhead.py SHARDS [--batch-size 256] [--batches 400] [--torch]

A batch is asked for when it is there already: behind a millisecond in which the caller works, or sleeps, so that its
processor has forgotten everything. Once the library's function alone takes it, called through ctypes, and frees it, once
the package, in turns; medians. With PYTHONPATH=Python/src and
DRSHARD_LIBRARY naming the library, or with the package installed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any

IMPORT = "import time, numpy; start = time.perf_counter(); import drshard; print(time.perf_counter() - start)"
MEMORY = """
import sys, numpy, drshard

def own():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024

before = own()
loader = drshard.Loader(sys.argv[1], batch_size=256, seed=int(sys.argv[2]))
most = 0
for batch in loader:
    most = max(most, own())
print(most - before, flush=True)
sys.stdin.read()
"""


class Batches:
    """Batches of epoch after epoch, by whatever takes one."""

    def __init__(self, loader: Any, take: Callable[[Any], float | None], sleeps: bool) -> None:
        self.loader, self.take, self.sleeps = loader, take, sleeps
        self.epochs = count()
        self.epoch = loader.epoch(next(self.epochs))

    def next(self) -> float:
        """Seconds of one batch that was there."""
        if self.sleeps:
            time.sleep(0.001)
        end = time.perf_counter() + (0 if self.sleeps else 0.001)
        while time.perf_counter() < end:
            pass
        while True:
            seconds = self.take(self.epoch)
            if seconds is not None:
                return seconds
            self.epoch = self.loader.epoch(next(self.epochs))
            self.take(self.epoch)


def by_library(epoch: Any) -> float | None:
    from drshard._native import library

    with epoch._handle as handle:
        start = time.perf_counter()
        if library.drs_epoch_next(handle, -1, *epoch._place) != 0:
            return None
        library.drs_batch_free(epoch._info.batch)
        seconds = time.perf_counter() - start
    epoch._info.batch = None
    return seconds


def by_package(epoch: Any) -> float | None:
    start = time.perf_counter()
    batch = next(epoch, None)
    if batch is None:
        return None
    # It goes back to the loader, as the other one does.
    del batch
    return time.perf_counter() - start


def overhead(shards: str, batch_size: int, batches: int, kind: type, sleeps: bool) -> dict[str, float]:
    own = {"rank": 0, "world_size": 1}
    takers = [Batches(kind(shards, batch_size=batch_size, **own), take, sleeps) for take in (by_library, by_package)]
    times = [[taker.next() for taker in takers] for _ in range(batches)]
    alone, package = (statistics.median(column) * 1e6 for column in zip(*times))
    return {"library_us": alone, "package_us": package, "overhead_us": package - alone}


def memory(shards: str) -> list[int]:
    children = [
        subprocess.Popen([sys.executable, "-c", MEMORY, shards, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for seed in range(8)
    ]
    own = [int(child.stdout.readline()) for child in children]
    for child in children:
        child.communicate()
    return own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--torch", action="store_true", help="tensors too")
    arguments = parser.parse_args()
    import drshard

    sizes = arguments.shards, arguments.batch_size, arguments.batches
    kinds: dict[str, type] = {"numpy": drshard.Loader}
    if arguments.torch:
        import drshard.torch

        kinds["torch"] = drshard.torch.PairedLoader
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        found[f"{name}, behind work"] = overhead(*sizes, kind, False)
        found[f"{name}, behind a sleep"] = overhead(*sizes, kind, True)
    imports = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(9)]
    found["import_ms"] = statistics.median(imports) * 1e3
    found["eight_loaders_own_mb"] = max(memory(arguments.shards)) / 1e6
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
