#!/usr/bin/env python3
"""The codecs of drshard with other codecs beside them: the same bytes, the same run, one thread each.

Builds CodecBenchmark, and runs it and codec_peers.py in turns on every data set. Prints tables of ratios and speeds,
and what became of the goals; writes every number as JSON. README.md of this folder says what is measured how.

    python3 Benchmarks/codecs.py [FOLDER] [--venv FOLDER] [--level LEVEL] [--mib N] [--json FILE] …

FOLDER may hold arrays of u16 `*.npy`, [rows, variants, dims], and token ids `NAME_flat.npy` with `NAME_len.npy`.
Generated data is measured always.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import codec_tables

HERE = Path(__file__).resolve().parent
PEERS = ["blosc2", "numpy", "pcodec", "zipnn", "zstandard"]
# Nothing but the one thread; freed memory is kept, so that no peer pays for fresh pages in every round.
PEER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "BLOSC_NTHREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}
STORAGES_WITH_KERNELS = "fast,balanced,archive"


def python_with_peers(folder: str | None, temporary: str) -> str:
    """The Python of a virtual environment that has the peers; it is made if it is not there."""
    folder = folder or f"{temporary}/venv"
    python = f"{folder}/bin/python"
    if not os.path.exists(python):
        venv.create(folder, with_pip=True)
    if subprocess.run([python, "-c", "import " + ", ".join(PEERS)], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def build() -> str:
    command = ["swift", "build", "-c", "release", "--package-path", str(HERE)]
    subprocess.run([*command, "--product", "CodecBenchmark"], check=True, stdout=sys.stderr)
    folder = subprocess.run([*command, "--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
    return f"{folder}/CodecBenchmark"


def records(command: list[str], environment: dict[str, str] | None = None) -> list[dict]:
    print("$ " + " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def data_sets(folder: str | None, generated: str) -> tuple[dict[str, str], list[str]]:
    """Embeddings by name, and tokens as CodecBenchmark takes them."""
    files = sorted(p for f in filter(None, [folder, generated]) for p in Path(f).glob("*.npy"))
    embeddings: dict[str, str] = {}
    tokens: list[str] = []
    for file in files:
        if file.stem.endswith("_flat"):
            name = file.stem.removesuffix("_flat")
            tokens.append(f"tokens:{name}:{file}:{file.with_name(name + '_len.npy')}")
        elif not file.stem.endswith("_len"):
            embeddings[file.stem] = str(file)
    return embeddings, tokens


def machine() -> dict:
    """What timings depend on."""
    facts: dict = {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()}
    if os.path.exists("/proc/cpuinfo"):
        text = Path("/proc/cpuinfo").read_text()
        lines = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines}
        facts["processor"] = fields.get("model name", "")
        known = ["avx2", "avx512f", "avx512bw", "avx512_vbmi", "avx512_vbmi2", "vpclmulqdq"]
        facts["flags"] = [flag for flag in known if flag in fields.get("flags", "").split()]
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, size = (cache / "level").read_text().strip(), (cache / "size").read_text().strip()
        facts[f"L{level} {(cache / 'type').read_text().strip().lower()}"] = size
    facts["load at the start"] = os.getloadavg()[0]
    return facts


class Run:
    def __init__(self, arguments: argparse.Namespace, temporary: str) -> None:
        self.arguments = arguments
        self.python = python_with_peers(arguments.venv, temporary)
        self.benchmark = build()
        self.temporary = temporary
        # Numbers by (data, storage, what); those of all passes together.
        self.values: dict[tuple[str, str, str], list[float]] = {}
        self.units: dict[tuple[str, str, str], str] = {}
        self.facts = machine()

    def keep(self, found: list[dict], suffix: str = "") -> None:
        for record in found:
            if record["what"] == "machine":
                self.facts.setdefault("levels", [])
                if record["level"] not in self.facts["levels"]:
                    self.facts["levels"].append(record["level"])
            elif record["what"] == "versions":
                self.facts["versions"] = record["versions"]
            else:
                key = (record["data"], record["storage"] + suffix, record["what"])
                self.values.setdefault(key, []).extend(record["values"])
                self.units[key] = record["unit"]

    def ours(self, data: str, *options: str, suffix: str = "") -> None:
        command = [self.benchmark, "--json", "--rounds", str(self.arguments.rounds)]
        if self.arguments.shards:
            command += ["--folder", self.arguments.shards]
        if self.arguments.level and "--level" not in options:
            command += ["--level", self.arguments.level]
        self.keep(records([*command, "--mib", str(self.arguments.mib), *options, data]), suffix)

    def peers(self, data: str, *options: str, environment: dict[str, str]) -> None:
        command = [self.python, str(HERE / "codec_peers.py"), "--rounds", str(self.arguments.rounds)]
        self.keep(records([*command, "--mib", str(self.arguments.peer_mib), *options, data], environment))

    def embeddings(self, name: str, path: str) -> None:
        """Ours and the peers in turns, so that both have their share of what else the machine does."""
        for _ in range(self.arguments.passes):
            self.ours(f"{name}:{path}")
            self.peers(f"{name}:{path}", environment=PEER_ENVIRONMENT)
            fresh = {**PEER_ENVIRONMENT, "MALLOC_MMAP_MAX_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
            self.peers(f"{name}:{path}", "--only", "ZipNN", "--suffix", ", fresh memory", environment=fresh)
            for level in self.arguments.more_levels:
                options = ["--storage", STORAGES_WITH_KERNELS, "--only", "decode,hot", "--level", level]
                self.ours(f"{name}:{path}", *options, suffix=f" ({level})")

    def all(self) -> None:
        subprocess.run([self.benchmark, "--write", self.temporary], check=True)
        embeddings, tokens = data_sets(self.arguments.folder, self.temporary)
        for name, path in embeddings.items():
            if self.arguments.only is None or name in self.arguments.only.split(","):
                self.embeddings(name, path)
        for data in [*tokens, "augmentations"]:
            name = data.split(":")[1] if ":" in data else data
            if self.arguments.only is None or name in self.arguments.only.split(","):
                self.ours(data)

    def floats(self) -> dict[str, str]:
        """What KernelBenchmark and float_peers.py print; the Python needs torch."""
        command = ["swift", "run", "-c", "release", "--package-path", str(HERE), "KernelBenchmark"]
        ours = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        command = [self.python, str(HERE / "float_peers.py")]
        return {"ours": ours, "torch": subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--venv", help="a virtual environment with the peers; made if it is not there")
    parser.add_argument("--shards", help="a folder for shards, in memory (default: /dev/shm)")
    parser.add_argument("--mib", type=int, default=3200, help="plain MiB of a set in a shard")
    parser.add_argument("--peer-mib", type=int, default=512, help="plain MiB that a peer gets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=2, help="turns of ours and the peers")
    parser.add_argument("--level", help="plain, avx2, avx512 or neon, for everything of ours; else the best")
    parser.add_argument("--more-levels", nargs="*", default=[], help="levels at which decoding is measured too")
    parser.add_argument("--only", help="names of data sets, with commas")
    parser.add_argument("--floats", action="store_true", help="conversions beside torch too")
    parser.add_argument("--json", default="codecs.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = Run(arguments, temporary)
        run.all()
        floats = run.floats() if arguments.floats else None
    run.facts["load at the end"] = os.getloadavg()[0]
    found = [
        {"data": d, "storage": s, "what": w, "unit": run.units[d, s, w], "values": v}
        for (d, s, w), v in run.values.items()
    ]
    with open(arguments.json, "w", encoding="utf-8") as file:
        json.dump({"machine": run.facts, "records": found, "floats": floats}, file, indent=1)
    codec_tables.show(run.facts, run.values, floats)


if __name__ == "__main__":
    main()
