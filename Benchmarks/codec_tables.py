#!/usr/bin/env python3
"""Prints what codecs.py measured as Markdown, and which goals are met.

    python3 Benchmarks/codec_tables.py FILE.json
"""

import json
import statistics
import sys
from typing import Callable

Values = dict[tuple[str, str, str], list[float]]
MAPPED = "decode, unchecked"
CHECKED = "decode, checked"
ZIPNN = "ZipNN"
OURS = ["plain", "fast", "balanced", "archive", "zstd", "lz4", "token_ranks", "operation_table"]


class Numbers:
    """Medians, and marks for what was not measured."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def median(self, data: str, storage: str, what: str) -> float | None:
        values = self.values.get((data, storage, what))
        return statistics.median(values) if values else None

    def text(self, data: str, storage: str, what: str, digits: int = 2) -> str:
        values = self.values.get((data, storage, what))
        if not values:
            return "-"
        median = statistics.median(values)
        if len(values) == 1 or median == 0:
            return f"{median:.{digits}f}"
        spread = 100 * (max(values) - min(values)) / median
        return f"{median:.{digits}f} ±{spread / 2:.0f}%"

    def quotient(self, data: str, a: tuple[str, str], b: tuple[str, str]) -> float | None:
        over, under = self.median(data, *a), self.median(data, *b)
        return over / under if over is not None and under else None

    def storages(self, data: str) -> list[str]:
        return list(dict.fromkeys(s for d, s, _ in self.values if d == data))

    def sets(self, what: str) -> list[str]:
        return list(dict.fromkeys(d for d, _, w in self.values if w == what))


def table(head: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def embeddings(numbers: Numbers, data: str) -> None:
    print(f"\n## {data}\n\nGB/s of plain bytes, one thread: median, and half of the spread. Ratios count everything.")
    rows = []
    for storage in numbers.storages(data):
        rows.append(
            [storage if storage.split(" (")[0] not in OURS else f"**{storage}**"]
            + [numbers.text(data, storage, "ratio", 4)]
            + [numbers.text(data, storage, w) for w in ["encode", MAPPED, CHECKED, "decode, checked, as f32"]]
            + [numbers.text(data, storage, "decode in L2, " + w) for w in ["unchecked", "checked"]]
            + [times(numbers.quotient(data, (storage, MAPPED), (ZIPNN, MAPPED)))]
            + [times(numbers.quotient(data, (storage, MAPPED), ("memcpy", MAPPED)))]
        )
    head = ["storage", "ratio", "encode", "decode", "checked", "checked, as f32", "in L2", "in L2, checked"]
    table([*head, "decode / ZipNN", "decode / memcpy"], rows)
    random = "random batches, "
    rows = [
        [storage]
        + [numbers.text(data, storage, random + w, 0) for w in ["unchecked", "checked"]]
        + [times(numbers.quotient(data, (storage, random + "checked"), ("memcpy", random + "unchecked")))]
        + [numbers.text(data, storage, "one random cell, " + p) for p in ["p50", "p99"]]
        for storage in numbers.storages(data)
        if numbers.median(data, storage, random + "unchecked")
    ]
    head = ["storage", "cells/s in batches", "checked", "checked / memcpy", "one cell, us, p50", "p99"]
    table(head, rows)


def records(numbers: Numbers, data: str) -> None:
    print(f"\n## {data}\n\nBytes a value, everything counted; values a second, checked.")
    sizes = ["plain, a value", "stored, a value", "the same without tables"]
    speeds = ["random batches, checked", "in order, checked", "in order, padded, checked"]
    speeds.append("epoch of the loader, checked")
    rows = [
        [storage]
        + [numbers.text(data, storage, what) for what in sizes]
        + [numbers.text(data, storage, what, 0) for what in speeds]
        for storage in numbers.storages(data)
    ]
    head = ["storage", "values", "stored", "without tables", "random batches", "in order", "padded to i32"]
    table([*head, "epoch of the loader"], rows)


Goal = tuple[str, float | None, Callable[[float], bool], str]


def at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


def embedding_goals(numbers: Numbers, data: str) -> list[Goal]:
    def speed(a: tuple[str, str], b: tuple[str, str], bound: float, text: str) -> Goal:
        return text, numbers.quotient(data, a, b), at_least(bound), f">= {bound}"

    def value(storage: str, what: str, bound: float, text: str) -> Goal:
        return text, numbers.median(data, storage, what), at_least(bound), f">= {bound}"

    ratio, memcpy, zipnn = ("balanced", "ratio"), ("memcpy", MAPPED), (ZIPNN, MAPPED)
    goals = [
        speed(ratio, (ZIPNN, "ratio"), 0.985, "balanced: ratio / that of ZipNN"),
        speed(ratio, ("ZipNN, cell by cell", "ratio"), 1.02, "balanced: ratio / that of ZipNN cell by cell"),
        speed(("balanced", MAPPED), zipnn, 3.8, "balanced: decode / ZipNN"),
        speed(("balanced", CHECKED), zipnn, 3.0, "balanced: decode checked / ZipNN"),
        speed(("balanced", MAPPED), (f"{ZIPNN}, fresh memory", MAPPED), 3.8, "balanced: decode / ZipNN, fresh memory"),
        speed(("fast", MAPPED), memcpy, 0.9, "fast: decode / memcpy"),
        speed(("fast", CHECKED), memcpy, 0.65, "fast: decode checked / memcpy"),
        value("archive", CHECKED, 1.5, "archive: decode checked, GB/s"),
        value("archive", "encode", 0.4, "archive: encode, GB/s"),
    ]
    if "384" not in data:
        goals.append(value("fast", "ratio", 1.40, "fast: ratio"))
    for start, bound in [("photos", 1.64), ("clip_like_image", 1.70), ("generated", 1.70), ("hardcrop", 1.60)]:
        if data.startswith(start) and "captions" not in data:
            goals.append(value("archive", "ratio", bound, "archive: ratio"))
    for storage, bound in [("plain", 1.0), ("balanced", 2.5)]:
        p50 = numbers.median(data, storage, "one random cell, p50")
        goals.append((f"{storage}: one random cell checked, p50, us", p50, at_most(bound), f"<= {bound}"))
        goals.append(value(storage, "random batches, checked", 1e6, f"{storage}: random cells/s in batches, checked"))
    return goals


def record_goals(numbers: Numbers, data: str) -> list[Goal]:
    if data == "augmentations":
        size = numbers.median(data, "operation_table", "stored, a value")
        return [("operation_table: bytes a record", size, at_most(11), "<= 11")]
    speed = numbers.median(data, "token_ranks", "in order, padded, checked")
    goals: list[Goal] = [("token_ranks: captions/s in order, padded to i32", speed, at_least(20e6), ">= 20 million")]
    for word, bound in [("flickr", 18.5), ("web", 24.5)]:
        if word in data:
            size = numbers.median(data, "token_ranks", "stored, a value")
            goals.append(("token_ranks: bytes a caption", size, at_most(bound), f"<= {bound}"))
    return goals


def float_goals(floats: dict[str, str]) -> list[Goal]:
    def medians(text: str) -> dict[tuple[str, str], float]:
        lines = [line.split("\t") for line in text.splitlines() if line.count("\t") == 1]
        return {(place, rest[:32].strip()): float(rest[32:].split()[0]) for place, rest in lines}

    ours, torch = medians(floats["ours"]), medians(floats["torch"])
    goals: list[Goal] = []
    for place, bound in [("L2", 0.95), ("1 GB", 1.5)]:
        for what in sorted({w for p, w in torch if p == place} & {w for p, w in ours if p == place}):
            quotient = ours[place, what] / torch[place, what]
            goals.append((f"{what}, {place}: speed / that of torch", quotient, at_least(bound), f">= {bound}"))
    return goals


def show(machine: dict, values: Values, floats: dict[str, str] | None) -> None:
    numbers = Numbers(values)
    print("# Codecs\n")
    for key, fact in machine.items():
        print(f"- {key}: {fact}")
    goals: list[tuple[str, Goal]] = []
    for data in numbers.sets("ratio"):
        embeddings(numbers, data)
        goals += [(data, goal) for goal in embedding_goals(numbers, data)]
    for data in numbers.sets("stored, a value"):
        records(numbers, data)
        goals += [(data, goal) for goal in record_goals(numbers, data)]
    if floats:
        goals += [("floats", goal) for goal in float_goals(floats)]
    print("\n## Goals")
    rows = []
    for data, (text, measured, is_met, bound) in goals:
        if measured is None:
            rows.append([data, text, bound, "-", "not measured"])
        else:
            shown = f"{measured:.3f}" if measured < 1000 else f"{measured:,.0f}"
            rows.append([data, text, bound, shown, "yes" if is_met(measured) else "**no**"])
    table(["data", "goal", "bar", "measured", "met"], rows)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        stored = json.load(file)
    values = {(r["data"], r["storage"], r["what"]): r["values"] for r in stored["records"]}
    show(stored["machine"], values, stored["floats"])


if __name__ == "__main__":
    main()
