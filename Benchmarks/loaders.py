#!/usr/bin/env python3
"""One epoch of paired batches: drshard with other formats and their loaders beside it, on the same arrays.

    python3 Benchmarks/loaders.py [FOLDER] [--make-arrays] [--rows N] [--venv FOLDER] [--ours COMMAND] [--json FILE] …

FOLDER holds `arrays/` (loader_data.py says which), and drshard's shards of the same rows in `plain/` and `balanced/`.
Where there are none, COMMAND makes them; `--make-arrays` makes random arrays alone, for the peers without drshard. What
the peers write into FOLDER is removed again.

Every batch holds one view's embedding and augmentation record, the embedding and tokens of the real caption, and those
of one synthetic caption of every sample. Each peer is checked once against the arrays; then rounds of all go on in
turns, every measurement in a process of its own, kept to one core or to two, with the files in the page cache. COMMAND
is drshard's own part; without it the built LoaderBenchmark is taken. A peer that fails is listed with the reason.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import loader_tables

HERE = Path(__file__).resolve().parent
PROCESS = HERE / "loader_process.py"
# Of this torch the package index has wheels for processors alone; it is a tenth of the others.
INSTALLED = [
    "numpy", "ml_dtypes", "pyarrow", "pylance", "vortex-data", "array-record", "webdataset", "torch==2.13.0", "mosaicml-streaming",
]  # fmt: skip
# In the order of a round. Of two with the same files the first writes them.
PEERS = [
    "drshard-plain", "drshard-balanced", "drshard-torch",
    "numpy-blocks", "numpy-rows", "parquet", "parquet-zstd", "vortex", "vortex-compact", "lance-blocks", "lance-take",
    "arrayrecord", "mds", "webdataset",
]  # fmt: skip
FILES_OF = {"numpy-rows": "numpy-blocks", "lance-take": "lance-blocks"}
# Freed memory is kept, so that no peer pays for fresh pages in every batch.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "PYTHONDONTWRITEBYTECODE": "1",
    "RUST_LOG": "error",
}
CORES = [1, 2]


class Failed(Exception):
    pass


def output(command: list[str], cpus: list[int] | None = None, seconds: float = 1800) -> str:
    """What a command prints; it runs on some processors only, and is ended with all its children when it hangs."""

    def pin() -> None:
        if cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cpus)

    print("$ " + shlex.join(command), file=sys.stderr, flush=True)
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT},
            preexec_fn=pin, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from None
    try:
        printed, errors = process.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"no end after {seconds:.0f} s") from None
        raise
    if process.returncode != 0:
        lines = [line for line in errors.splitlines() if line.strip()] or [f"exit code {process.returncode}"]
        raise Failed(lines[-1].strip())
    return printed


def python_with_peers(folder: str) -> tuple[str, dict[str, str]]:
    """The Python of a virtual environment with what the peers need, and why some of it could not be installed."""
    python = f"{folder}/bin/python"
    if not os.path.exists(python):
        venv.create(folder, with_pip=True)
    failures = {}
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        output([*install, *INSTALLED])
    except Failed:
        # One by one, so that one that fails takes no other with it; the peer says then what it misses.
        for package in INSTALLED:
            try:
                output([*install, package])
            except Failed as error:
                failures[package] = str(error)
    return python, failures


def our_command(given: str | None) -> list[str]:
    if given:
        return shlex.split(given)
    show = ["swift", "build", "-c", "release", "--package-path", str(HERE), "--show-bin-path"]
    program = Path(output(show, seconds=120).strip()) / "LoaderBenchmark"
    if not program.exists():
        raise Failed("LoaderBenchmark is not built: swift build -c release --package-path Benchmarks")
    return [str(program)]


def machine() -> dict:
    """What timings depend on."""
    facts: dict = {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count()}
    facts["python"] = platform.python_version()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts["processor"] = next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "")
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind = (cache / "level").read_text().strip(), (cache / "type").read_text().strip().lower()
        facts[f"L{level} {kind}"] = (cache / "size").read_text().strip()
    facts["load at the start"] = os.getloadavg()[0]
    return facts


class Run:
    def __init__(self, arguments: argparse.Namespace, folder: Path, environment: str) -> None:
        self.arguments = arguments
        self.folder = folder
        self.cpus = arguments.cpus or available_cpus()
        self.cores = [count for count in CORES if count <= len(self.cpus)]
        self.missing: list[dict] = []
        self.command: list[str] | None = None
        try:
            self.command = our_command(arguments.ours)
        except Failed as error:
            self.miss("drshard", "not measured", str(error))
        self.python, failures = python_with_peers(environment)
        try:
            ENVIRONMENT["DRSHARD_LIBRARY"] = output([str(HERE.parent / "Scripts" / "library.sh")]).strip()
            ENVIRONMENT["PYTHONPATH"] = str(HERE.parent / "Python" / "src")
        except Failed as error:
            self.miss("drshard in Python", "not built", str(error))
        for package, reason in failures.items():
            self.miss(package, "not installed", reason)
        self.make_set()
        self.facts = machine()
        self.versions: dict[str, str] = {}
        self.bytes: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.records: dict[tuple, dict] = {}
        self.row_count = 0
        self.failed: set[tuple] = set()

    def make_set(self) -> None:
        rows = str(self.arguments.rows)
        if self.arguments.make_arrays:
            output([self.python, str(HERE / "loader_data.py"), str(self.folder), rows])
        elif not (self.folder / "arrays").is_dir():
            if self.command is None:
                raise SystemExit(f"{self.folder} has no arrays; --make-arrays makes random ones")
            output([*self.command, "make", str(self.folder), "--samples", rows])

    def process(self, action: str, peer: str, *options: str, cpus: list[int] | None = None) -> dict:
        files = self.folder / "peers" / FILES_OF.get(peer, peer)
        command = [self.python, str(PROCESS), action, peer, str(self.folder), str(files), *options]
        lines = output(command, cpus).splitlines()
        if not lines:
            raise Failed("printed nothing")
        return json.loads(lines[-1])

    def miss(self, name: str, what: str, reason: str) -> None:
        print(f"{name}: {what}: {reason}", file=sys.stderr, flush=True)
        self.missing.append({"name": name, "what": what, "reason": reason})

    def combinations(self) -> list[tuple[int, int]]:
        return [(batch_size, cores) for batch_size in self.arguments.batch_sizes for cores in self.cores]

    def prepare(self, peer: str) -> bool:
        """Writes the files of a peer, and checks each way in which it is going to be measured."""
        step = "described"
        try:
            about = self.process("about", peer)
            self.names[peer] = about["name"]
            self.versions.update(about["versions"])
            self.row_count = about["rows"]
            step = "written"
            files = FILES_OF.get(peer, peer)
            if files not in self.bytes:
                self.bytes[files] = self.process("write", peer)["bytes"]
            step = "checked"
            for batch_size, cores in self.combinations():
                self.process("check", peer, "--batch-size", str(batch_size), "--cores", str(cores))
        except Failed as error:
            self.miss(self.names.get(peer, peer), f"not {step}", str(error))
            return False
        return True

    def keep(self, key: tuple, speeds: list[float], busy: list[float] | None = None, **facts: object) -> None:
        record = self.records.setdefault(key, {**facts, "samples_per_second": [], "cores_busy": []})
        record["samples_per_second"] += speeds
        record["cores_busy"] += busy or []

    def measure(self, peer: str, batch_size: int, cores: int) -> None:
        if (peer, batch_size, cores) in self.failed:
            return
        options = ["--batch-size", str(batch_size), "--cores", str(cores), "--epochs", str(self.arguments.epochs)]
        name = self.names[peer]
        try:
            found = self.process("measure", peer, *options, cpus=self.cpus[-cores:])
        except Failed as error:
            self.failed.add((peer, batch_size, cores))
            self.miss(name, f"not measured with batches of {batch_size} on {cores} cores", str(error))
            return
        self.keep(
            (peer, batch_size, cores), found["samples_per_second"], found["cores_busy"], name=name, kind="peer",
            cores=cores, batch_size=batch_size, threads=found["threads"],
            compressed=found["compressed"], bytes_per_sample=self.bytes[FILES_OF.get(peer, peer)] / self.row_count,
        )  # fmt: skip

    def ours(self, command: list[str], batch_size: int, cores: int) -> None:
        for storage in ["plain", "balanced"]:
            for unchecked in [False, True]:
                label = f"drshard {storage}, {'unchecked' if unchecked else 'checked'}"
                if (label, batch_size, cores) in self.failed:
                    continue
                options = ["--batch-size", str(batch_size), "--threads", str(cores), "--storage", storage]
                options += ["--epochs", str(self.arguments.epochs), "--json"] + ["--unchecked"] * unchecked
                try:
                    printed = output([*command, str(self.folder), *options], self.cpus[-cores:])
                    lines = [line for line in printed.splitlines() if line.startswith("{")]
                    self.keep_ours(label, storage, [json.loads(line) for line in lines])
                except (Failed, ValueError, KeyError) as error:
                    self.failed.add((label, batch_size, cores))
                    what = f"not measured with batches of {batch_size} on {cores} cores"
                    self.miss(label, what, str(error) or type(error).__name__)

    def keep_ours(self, label: str, storage: str, found: list[dict]) -> None:
        stored = sum(file.stat().st_size for file in (self.folder / storage).glob("**/*") if file.is_file())
        own = list(dict.fromkeys(r["name"] for r in found if not r["name"].startswith("memcpy")))
        for record in found:
            is_copy = record["name"].startswith("memcpy")
            # A program may measure several things; the first is what the others are compared with.
            name = record["name"] if is_copy else label
            if not is_copy and record["name"] != own[0]:
                name += f" ({record['name']})"
            speeds = record["samples_per_second"]
            batch_size, threads = record["batch_size"], record["threads"]
            self.keep(
                (name, batch_size, threads), speeds if isinstance(speeds, list) else [speeds], name=name,
                kind="memcpy" if is_copy else "ours", cores=threads, batch_size=batch_size,
                threads=f"{threads} thread" + "s" * (threads > 1),
                bytes_per_sample=None if is_copy or not stored else stored / self.row_count, compressed=False,
            )  # fmt: skip

    def all(self) -> None:
        chosen = [peer for peer in PEERS if not self.arguments.only or peer in self.arguments.only]
        peers = [peer for peer in chosen if self.prepare(peer)]
        for number in range(self.arguments.rounds):
            print(f"round {number + 1} of {self.arguments.rounds}", file=sys.stderr, flush=True)
            for batch_size, cores in self.combinations():
                if self.command is not None:
                    self.ours(self.command, batch_size, cores)
                for peer in peers:
                    self.measure(peer, batch_size, cores)
            self.facts["load at the end"] = os.getloadavg()[0]
            self.save()

    def save(self) -> None:
        with open(self.arguments.json, "w", encoding="utf-8") as file:
            json.dump(self.result(), file, indent=1)

    def result(self) -> dict:
        return {
            "machine": self.facts,
            "versions": self.versions,
            "rows": self.row_count,
            "records": list(self.records.values()),
            "missing": self.missing,
        }


def available_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="(default: a temporary one)")
    parser.add_argument("--make-arrays", action="store_true", help="random arrays first, no shards")
    parser.add_argument("--rows", type=int, default=8192, help="of a set that is made")
    parser.add_argument("--venv", help="a virtual environment with the peers; made if it is not there")
    parser.add_argument("--ours", help="the command of drshard's own part, without its arguments")
    parser.add_argument("--only", nargs="+", choices=PEERS, metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 4096])
    parser.add_argument("--cpus", type=lambda text: [int(part) for part in text.split(",")], help="numbers, like 2,3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of each measurement, after one that does not count")
    parser.add_argument("--keep", action="store_true", help="leave the files of the peers")
    parser.add_argument("--json", default="loaders.json")
    arguments = parser.parse_args()
    if any(size % 256 for size in arguments.batch_sizes):
        parser.error("batches are of a multiple of 256 samples: windows end at blocks and at batches")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary) / "set").resolve()
        run = Run(arguments, folder, arguments.venv or f"{temporary}/venv")
        try:
            run.all()
        finally:
            if not arguments.keep:
                shutil.rmtree(folder / "peers", ignore_errors=True)
    loader_tables.show(run.result())


if __name__ == "__main__":
    main()
