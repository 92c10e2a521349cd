#!/usr/bin/env python3
"""Checks the specification against itself: the listings and worked examples in FORMAT.md, that the vectors are what
make.py makes, that the independent reader accepts and rejects each vector as vectors/index.json says, that
vectors/order.json is what order.py makes, and that the rules which these and the vectors name are in the texts.

    check.py

The last line is `N passed, N failed`; the exit code is 1 if something failed, and 2 if it cannot run.
Needs Python 3.10 or later, zstandard and lz4.
"""
import glob
import importlib.util
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = (
    ("listings of appendix A", ("annotate.py", "--check")),
    ("worked examples", ("examples.py",)),
    ("vectors as they are made", (os.path.join("vectors", "make.py"), "--check")),
    ("vectors as they are read", ("decoder.py", "vectors", "vectors")),
    ("order of an epoch", ("order.py", "--check")),
)
RULE = re.compile(r"R-[A-Z]+-[0-9]+")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$")


def missing():
    """What this Python lacks, or None."""
    if sys.version_info < (3, 10):
        return "this is Python %d.%d; 3.10 or later is needed" % sys.version_info[:2]
    absent = [name for name in ("zstandard", "lz4") if importlib.util.find_spec(name) is None]
    return "pip install %s" % " ".join(absent) if absent else None


def run(arguments):
    """How many checks of a step passed and failed: its own counts if its last line has some, else one for all."""
    command = [sys.executable, os.path.join(HERE, arguments[0])] + list(arguments[1:])
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                          env=dict(os.environ, PYTHONIOENCODING="utf-8"))
    lines = done.stdout.rstrip("\n").split("\n")
    for line in lines:
        print("  " + line)
    counts = COUNTS.match(lines[-1])
    passed, failed = map(int, counts.groups()) if counts else (int(done.returncode == 0), int(done.returncode != 0))
    return passed, max(failed, int(done.returncode != 0))


def unknown_rules():
    """Rules that are named, and that their text does not have: ORDER.md those of the order, FORMAT.md all others."""
    def read(path):
        with open(os.path.join(HERE, path), encoding="utf-8") as file:
            return file.read()
    def rules(path):
        return set(RULE.findall(" ".join(re.findall(r"\[.*?\]", read(path)))))
    order = {rule for rule in rules("ORDER.md") if rule.startswith("R-ORDER-")}
    known = order | {rule for rule in rules("FORMAT.md") if not rule.startswith("R-ORDER-")}
    files = sorted(map(os.path.basename, glob.glob(os.path.join(HERE, "decoder*.py")))) + ["order.py"]
    return ["%s: %s has no rule %s" % (name, "ORDER.md" if rule.startswith("R-ORDER-") else "FORMAT.md", rule)
            for name in files + [os.path.join("vectors", "index.json")]
            for rule in sorted(set(RULE.findall(read(name))) - known)]


def main():
    lacks = missing()
    if lacks:
        print("cannot check: " + lacks)
        return 2
    results = []
    for name, arguments in STEPS:
        print(name + ":")
        sys.stdout.flush()
        results.append(run(arguments))
    unknown = unknown_rules()
    print("rules that are named:")
    print("\n".join("  " + line for line in unknown or ["all are in FORMAT.md and ORDER.md"]))
    results.append((int(not unknown), len(unknown)))
    passed, failed = (sum(counts) for counts in zip(*results))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
