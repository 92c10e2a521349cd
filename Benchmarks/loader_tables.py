#!/usr/bin/env python3
"""Prints what loaders.py measured as Markdown.

    python3 Benchmarks/loader_tables.py FILE.json
"""

import json
import statistics
import sys

from codec_tables import table

KINDS = ["memcpy", "ours", "peer"]
# What peers without and with compression are compared with.
OURS = {False: "drshard plain, checked", True: "drshard balanced, checked"}


def speed(record: dict | None) -> str:
    """The median of all epochs of all rounds, and half of the spread of those."""
    if record is None or not record["samples_per_second"]:
        return "-"
    values = record["samples_per_second"]
    median = statistics.median(values)
    return f"{median:,.0f} ±{50 * (max(values) - min(values)) / median:.0f}%"


def median(record: dict | None) -> float | None:
    return statistics.median(record["samples_per_second"]) if record and record["samples_per_second"] else None


def show(result: dict) -> None:
    sizes = sorted({r["batch_size"] for r in result["records"]})
    found = {(r["kind"], r["name"], r["cores"], r["batch_size"]): r for r in result["records"]}
    facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    print(f"\n{facts}\n\n{result['rows']:,} samples; {', '.join(f'{n} {v}' for n, v in result['versions'].items())}")

    def at_first(kind: str, name: str, cores: int) -> float:
        return next((m for s in sizes if (m := median(found.get((kind, name, cores, s))))), 0)

    rows = []
    lines = {(kind, name, cores) for kind, name, cores, _ in found}
    for kind, name, cores in sorted(lines, key=lambda k: (KINDS.index(k[0]), k[2], -at_first(*k))):
        records = [found.get((kind, name, cores, size)) for size in sizes]
        some = next(record for record in records if record is not None)
        quotients = []
        for size, record in zip(sizes, records):
            ours = median(found.get(("ours", OURS[some["compressed"]], cores, size)))
            it = median(record)
            quotients.append(f"{ours / it:.2f}" if kind == "peer" and ours and it else "-")
        stored, busy = some.get("bytes_per_sample"), some.get("cores_busy")
        rows.append(
            [f"**{name}**" if kind == "ours" else name, str(cores), some["threads"]]
            + [f"{statistics.median(busy):.1f}" if busy else "-"]
            + [speed(record) for record in records]
            + [f"{stored:,.0f}" if stored else "-"]
            + [" / ".join(quotients)]
        )
    head = ["loader", "cores", "threads", "cores busy", *[f"samples/s at {size}" for size in sizes]]
    table([*head, "bytes/sample on disk", "drshard / it, at " + " / ".join(map(str, sizes))], rows)
    print("\nPeers that compress are compared with drshard balanced, others with plain, both with checksums checked.")
    if result["missing"]:
        print("\nNot there:\n")
        for missing in result["missing"]:
            print(f"- {missing['name']}: {missing['what']}: {missing['reason']}")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        show(json.load(file))


if __name__ == "__main__":
    main()
