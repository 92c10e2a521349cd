#!/usr/bin/env python3
"""One peer in a process of its own: writes its files, checks its batches, or measures epochs. loaders.py runs it.

    python3 loader_process.py about|write|check|measure PEER SET FOLDER [--batch-size B] [--cores C] [--epochs E]

Prints one JSON object. SET holds the arrays, FOLDER what the peer wrote.
"""

import argparse
import json
import os
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import loader_data
import loader_drshard
from loader_base import Peer
from loader_peers import (
    ArrayRecord,
    LanceBlocks,
    LanceTake,
    NumPyBlocks,
    NumPyRows,
    Parquet,
    ParquetZstd,
    Vortex,
    VortexCompact,
)
from loader_torch import MDS, WebDataset

PEERS: dict[str, type[Peer]] = {
    "drshard-plain": loader_drshard.Plain,
    "drshard-balanced": loader_drshard.Balanced,
    "drshard-torch": loader_drshard.Torch,
    "webdataset": WebDataset,
    "mds": MDS,
    "arrayrecord": ArrayRecord,
    "lance-take": LanceTake,
    "lance-blocks": LanceBlocks,
    "parquet": Parquet,
    "parquet-zstd": ParquetZstd,
    "vortex": Vortex,
    "vortex-compact": VortexCompact,
    "numpy-rows": NumPyRows,
    "numpy-blocks": NumPyBlocks,
}


def processor_seconds() -> float:
    """Of this process and of its children that live, where the system tells."""
    seconds = time.process_time()
    ticks = os.sysconf("SC_CLK_TCK")
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / ticks
    return seconds


def read_once(folder: Path) -> None:
    """Brings the files into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb", buffering=0) as file:
                while file.read(1 << 22):
                    pass


def write(peer: Peer, arguments: argparse.Namespace) -> dict:
    arguments.folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    peer.write(loader_data.load(arguments.set), arguments.folder)
    return {"seconds": time.perf_counter() - start, "bytes": peer.bytes_on_disk(arguments.folder)}


def check(peer: Peer, arguments: argparse.Namespace) -> dict:
    """One epoch, every value of every batch."""
    checker = loader_data.Checker(loader_data.load(arguments.set))
    for batch in peer.epoch(arguments.folder, arguments.batch_size, 0, peer.workers[arguments.cores]):
        checker.check(peer.comparable(batch), arguments.batch_size)
    checker.finish()
    return {"samples": int(checker.seen.sum())}


def measure(peer: Peer, arguments: argparse.Namespace) -> dict:
    """Samples a second of each epoch, after one that does not count."""
    read_once(arguments.folder)
    workers = peer.workers[arguments.cores]
    speeds, cores_busy = [], []
    for epoch in range(arguments.epochs + 1):
        samples = 0
        busy, start = processor_seconds(), time.perf_counter()
        for batch in peer.epoch(arguments.folder, arguments.batch_size, epoch, workers):
            samples += len(batch["image"])
        wall = time.perf_counter() - start
        if epoch > 0:
            speeds.append(samples / wall)
            cores_busy.append((processor_seconds() - busy) / wall)
    return {
        "samples_per_second": speeds,
        "cores_busy": cores_busy,
        "threads": peer.threads(workers),
        "compressed": peer.compressed,
    }


def about(peer: Peer, arguments: argparse.Namespace) -> dict:
    versions = {}
    for name in peer.packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "(not installed)"
    rows = len(loader_data.load(arguments.set)["uid"])
    return {"name": peer.name, "versions": versions, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["about", "write", "check", "measure"])
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("set", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--cores", type=int, choices=[1, 2], default=1)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    action = {"about": about, "write": write, "check": check, "measure": measure}[arguments.action]
    result = action(PEERS[arguments.peer](), arguments)
    # Other libraries print too: the last line is the result.
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
