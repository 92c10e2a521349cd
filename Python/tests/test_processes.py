"""Processes: forked and spawned children, signals, and the memory of many loaders."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import drshard
import numpy as np
import pytest
from conftest import ROWS


def digest(loader: drshard.Loader, epoch: int = 0) -> list:
    return [(batch["row"].tolist(), batch["image_emb"].tobytes()) for batch in loader.epoch(epoch)]


def in_child(body) -> int:
    """Forks; the child's answer is its exit status: 0 if `body` says True."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if body() else 2
        finally:
            os._exit(status)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def test_a_forked_child_goes_on_with_a_loader_that_ran(shards):
    loader = drshard.Loader(shards, batch_size=16)
    expected = digest(loader)
    assert in_child(lambda: digest(loader) == expected) == 0


def test_a_forked_child_goes_on_in_the_middle_of_an_epoch_and_so_does_the_parent(shards):
    loader = drshard.Loader(shards, batch_size=8)
    expected = digest(loader)
    for round in range(8):
        batches = loader.epoch(0)
        kept = [next(batches) for _ in range(round + 1)]

        def rest() -> bool:
            made = [(batch["row"].tolist(), batch["image_emb"].tobytes()) for batch in batches]
            return made == expected[round + 1 :]

        assert in_child(rest) == 0
        assert rest()
        # What the parent has was not touched.
        assert [(b["row"].tolist(), b["image_emb"].tobytes()) for b in kept] == expected[: round + 1]


def test_a_forked_child_reads_and_writes(shards, tmp_path):
    ds = drshard.open(shards)
    expected = ds.take(range(ROWS))["image_emb"].tobytes()
    assert in_child(lambda: ds.take(range(ROWS))["image_emb"].tobytes() == expected) == 0


def _spawned(loader: drshard.Loader) -> list:
    return digest(loader)


def test_a_spawned_child_makes_the_same_batches(shards):
    loader = drshard.Loader(shards, batch_size=16, seed=3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_spawned, (loader,)) == digest(loader)


SCRIPT = """
import sys, time
import drshard
loader = drshard.Loader(sys.argv[1], batch_size=16, threads=1)
try:
    batches = loader.epoch(0)
    if sys.argv[2] == "waits":
        # Asks for a batch of an epoch that never comes: threads of it hang in a read.
        for _ in batches:
            print("ready", flush=True)
            time.sleep(60)
    while True:
        for epoch in range(10**9):
            for batch in loader.epoch(epoch):
                pass
            if epoch == 0:
                print("ready", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(7)
"""


@pytest.mark.parametrize("how", ["waits", "loads"])
def test_an_interrupt_stops_at_once(shards, how):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), shards, how], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=20) == 7
    assert time.monotonic() - start < 5
    assert child.stdout.read().endswith("interrupted\n")
    child.stdout.close()


def test_an_interrupt_reaches_who_waits_for_a_batch(shards, tmp_path):
    """A call that waits looks for signals: here for a batch whose file answers no read."""
    script = """
        import os, signal, sys, threading, time
        import drshard
        from drshard import loader as module
        def not_yet(pointer, patience, *places):
            # The library's answer while a batch is not there.
            time.sleep(patience / 1e9)
            return module.NOT_YET

        module._next = not_yet
        batches = drshard.Loader(sys.argv[1], batch_size=16).epoch(0)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        try:
            next(batches)
        except KeyboardInterrupt:
            sys.exit(0 if time.monotonic() - start < 2 else 3)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), shards], timeout=60)
    assert done.returncode == 0


MEMORY = """
import sys
import numpy, drshard
try:
    import ml_dtypes
except ImportError:
    pass

def own() -> int:
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("Private_Dirty", "Private_Clean"))) * 1024

before = own()
most = 0
loader = drshard.Loader(sys.argv[1], batch_size=256, seed=int(sys.argv[2]))
for epoch in range(2):
    for batch in loader.epoch(epoch):
        # While batches are made ahead.
        most = max(most, own())
print(most - before, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux's smaps_rollup")
def test_eight_loaders_of_one_set_have_little_memory_of_their_own(tmp_path):
    dims, count = 1536, 4096
    axes = [
        drshard.Axis(name, kind=kind, count=variants)
        for name, kind, variants in (
            ("view", "views", 2),
            ("real", "real captions", 1),
            ("synthetic", "synthetic captions", 2),
        )
    ]
    columns = [drshard.Column("uid", role="row_id", element="u8", dims=[8])] + [
        drshard.Column(name, role=role, element="bf16", dims=[dims], axis=axis)
        for name, role, axis in (
            ("image_emb", "image_embedding", "view"),
            ("text_emb", "text_embedding", "real"),
            ("syn_text_emb", "text_embedding", "synthetic"),
        )
    ]
    generator = np.random.default_rng(0)
    with drshard.ShardWriter(tmp_path / "a.drs", drshard.Schema(columns=columns, axes=axes)) as writer:
        for first in range(0, count, 512):
            writer.write_batch(
                {"uid": np.arange(first, first + 512, dtype=np.uint64).view(np.uint8).reshape(512, 8)}
                | {
                    column.name: generator.standard_normal((512, variants, dims), np.float32)
                    for column, variants in zip(columns[1:], (2, 1, 2))
                }
            )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", MEMORY, tmp_path, str(rank)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(8)
    ]
    own = [int(child.stdout.readline()) for child in children]
    for child in children:
        child.communicate()
    print(f"memory of their own: {max(own) / 1e6:.0f} MB at most")
    assert max(own) <= 100e6
