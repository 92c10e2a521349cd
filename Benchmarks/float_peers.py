#!/usr/bin/env python3
"""The conversions and norms of KernelBenchmark by torch: one thread, the same sizes, the same way of counting.

Needs torch. GB/s count all traffic: what is read and what is written; median (fastest) of the rounds, by processor
time.

    python3 Benchmarks/float_peers.py [L2_KIB]
"""

import statistics
import sys
import time

import torch

ROUNDS = 11
ROUND_BYTES = 256 << 20
CONVERSIONS = [
    ("bf16ToF32", torch.bfloat16, torch.float32),
    ("f32ToBF16", torch.float32, torch.bfloat16),
    ("f16ToF32", torch.float16, torch.float32),
    ("f32ToF16", torch.float32, torch.float16),
    ("bf16ToF16", torch.bfloat16, torch.float16),
    ("f16ToBF16", torch.float16, torch.bfloat16),
]


def report(footprint: str, what: str, traffic: int, body) -> None:
    body()
    repeats = max(1, ROUND_BYTES // traffic)
    speeds = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(repeats):
            body()
        speeds.append(traffic * repeats / (time.thread_time() - start) / 1e9)
    print(f"{footprint}\t{what:32}{statistics.median(speeds):6.1f} ({max(speeds):.1f})", flush=True)


def main() -> None:
    l2 = int(sys.argv[1]) if len(sys.argv) > 1 else 240
    torch.set_num_threads(1)
    level = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__} ({level}), GB/s of all traffic, median (fastest) of {ROUNDS}")
    for name, byte_count in [("L2", l2 << 10), ("32 MB", 32 << 20), ("1 GB", 1 << 30)]:
        for what, source_type, target_type in CONVERSIONS:
            width = source_type.itemsize + target_type.itemsize
            source = torch.randn(byte_count // width, dtype=torch.float32).to(source_type)
            target = torch.zeros(byte_count // width, dtype=target_type)
            report(name, what, source.numel() * width, lambda: target.copy_(source))
    rows = torch.randn((l2 << 10) // 6144, 1536).to(torch.bfloat16)
    report("L2", "squared norm of 1,536", rows.numel() * 2, lambda: [torch.dot(r, r) for r in rows])


if __name__ == "__main__":
    main()
