#!/usr/bin/env python3
"""Tars of the DataCompDR layout into shards: drshard beside the inflater alone, and beside a reader in Python.

    python3 Benchmarks/conversion.py [FOLDER] [--drshard PROGRAM] [--samples N] [--rounds N] [--venv FOLDER] [--json FILE]

Makes N samples (8,192) of 30 views in bfloat16 and in float32, in two tars each, and converts them in rounds, every
measurement in a process of its own with the files in the page cache. Beside each stands, in the same round, what
libdeflate and zlib take for the gzip members alone, from memory to memory (`inflate.c`). Speed is bytes of tars by
seconds of the clock; processor time and peak memory are those of the whole process. The Python reader does what a data
loader must for each sample: the tar's members, gzip and torch.load, or NumPy's npz; one thread, nothing is written.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Of this torch the package index has wheels for processors alone.
INSTALLED = ["numpy", "torch==2.13.0"]
READER = """
import gzip, io, sys, tarfile, time
import numpy as np
import torch
torch.set_num_threads(1)
start, bytes_read, samples = time.perf_counter(), 0, 0
for path in sys.argv[1:]:
    with tarfile.open(path) as tar:
        for member in tar:
            data = tar.extractfile(member).read()
            bytes_read += len(data)
            if member.name.endswith(".pth.gz"):
                arrays = torch.load(io.BytesIO(gzip.decompress(data)), weights_only=True)
            elif member.name.endswith(".npz"):
                arrays = dict(np.load(io.BytesIO(data)))
            else:
                continue
            samples += arrays["image_emb"].shape[0] > 0
print(samples, time.perf_counter() - start)
"""


def run(command: list[str]) -> dict[str, float]:
    """Seconds of the clock and of processors, and peak memory in MiB, of a command that must succeed."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)}: {output.read().decode()}")
    return {
        "wall": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
    }


def make(drshard: str, folder: Path, samples: int) -> None:
    for name in ["bfloat16", "float32"]:
        if not (folder / name).exists():
            run([drshard, "sample", f"{folder}/{name}", "--samples", str(samples), "--views", "30", "--shards", "2",
                 "--format", name])  # fmt: skip


def build_inflate(folder: Path) -> Path:
    program = folder / "inflate"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "inflate.c", "-ldeflate", "-lz"], check=True)
    return program


def python(folder: Path | None) -> str:
    """A Python with torch; made in a temporary folder's place unless one is named."""
    folder = folder or Path(tempfile.gettempdir()) / "drshard-conversion-venv"
    program = folder / "bin" / "python"
    if not program.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet", *INSTALLED], check=True)
    return str(program)


def ways(drshard: str, folder: Path, out: Path) -> dict[str, tuple[str, list[str]]]:
    """What is measured: a name, the inputs, and the command."""

    def convert(inputs: str, *options: str) -> tuple[str, list[str]]:
        return inputs, [drshard, "convert", f"{folder}/{inputs}/reinforced", "--output", str(out), *options]

    joined = ["--captions", f"{folder}/bfloat16/captions"]
    vocabulary = os.environ.get("DRSHARD_CLIP_VOCABULARY")
    found = {
        "bf16, balanced": convert("bfloat16"),
        "bf16, plain": convert("bfloat16", "--encoding", "plain"),
        "bf16, balanced, two jobs": convert("bfloat16", "--jobs", "2"),
        "bf16, balanced, captions and images joined": convert("bfloat16", *joined),
        "fp32 to bf16, balanced": convert("float32"),
        "fp32 to bf16, balanced, two jobs": convert("float32", "--jobs", "2"),
    }
    if vocabulary:
        found["bf16, balanced, joined, tokens"] = convert("bfloat16", *joined, "--tokenizer", vocabulary)
    return found


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    make(arguments.drshard, folder, arguments.samples)
    inflate = build_inflate(folder)
    tars = {name: sorted(map(str, (folder / name / "reinforced").glob("*.tar"))) for name in ["bfloat16", "float32"]}
    out = folder / "out"
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.rounds):
        lines = subprocess.run([inflate, "1", *tars["bfloat16"]], check=True, capture_output=True, text=True).stdout
        for line in map(json.loads, lines.splitlines()):
            results.setdefault(line["inflater"], []).append({"wall": line["wall"], "cpu": line["cpu"], "memory": 0})
        for name, (_, command) in ways(arguments.drshard, folder, out).items():
            shutil.rmtree(out, ignore_errors=True)
            results.setdefault(name, []).append(run(command))
    shutil.rmtree(out, ignore_errors=True)
    reader = python(arguments.venv)
    for name in ["bfloat16", "float32"]:
        results[f"Python, {name}"] = [run([reader, "-c", READER, *tars[name]])]
    byte_counts = {name: sum(Path(tar).stat().st_size for tar in paths) for name, paths in tars.items()}
    return {"samples": arguments.samples, "bytes": byte_counts, "results": results}


def table(measured: dict[str, object]) -> None:
    results, byte_counts = measured["results"], measured["bytes"]
    assert isinstance(results, dict) and isinstance(byte_counts, dict)
    inflater = statistics.median(r["wall"] for r in results["libdeflate"])
    print("| way | MB/s of tars | of libdeflate alone | processor s | rows/s | peak memory, MiB |")
    print("|---|---|---|---|---|---|")
    for name, runs in results.items():
        wall, cpu, memory = (statistics.median(r[key] for r in runs) for key in ["wall", "cpu", "memory"])
        count = byte_counts["float32" if "fp32" in name or "float32" in name else "bfloat16"]
        of_inflater = "" if count != byte_counts["bfloat16"] else f"{inflater / wall:.2f}"
        print(f"| {name} | {count / wall / 1e6:.0f} | {of_inflater} | {cpu:.1f} | {measured['samples'] / wall:.0f} "
              f"| {memory:.0f} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--drshard", default=str(HERE.parent / ".build" / "release" / "drshard"))
    parser.add_argument("--samples", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--venv", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        measured = measure(arguments, folder)
        table(measured)
        if arguments.json:
            arguments.json.write_text(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
