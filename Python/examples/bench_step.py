#!/usr/bin/env python3
"""What does a training step on reinforced data cost, beside one on plain image-text pairs?

    python bench_step.py shards/ --model S0 --batch-size 256
    python bench_step.py shards/ --model B --batch-size 1024 --device cuda --precision bf16 --json

Three kinds of step, in turns, so that what else the machine does hits all alike; numbers are medians over the turns.
    plain      one caption for each image, contrastive loss: what CLIP trains on
    pairs      the real and a synthetic caption, contrastive loss: as much work for the towers as a reinforced step
    reinforced the same, with the teachers' embeddings and the loss that distils from them
First one thing after the other: time waiting for the loader (whose threads work ahead), for the images (decode, crop,
operations) and for the step itself. Then as in training, with batches made ahead on a thread: time of a step, and its
part spent waiting.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import drshard
import processes
import torch
import train_student
from pipeline import CAPTIONS, Pipeline, StepInput
from student import MODEL_HELP, ImageMaker
from training import DTYPES

KINDS = {"plain": ("real", 0.0), "pairs": ("both", 0.0), "reinforced": ("both", None)}
PARTS = ("loader", "images", "step")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("shards", help="a folder of .drs files, or one")
    made.add_argument("--image-folder", help="where the files are that images lie in, if the shards do not hold them")
    made.add_argument("--model", default="S0", help=MODEL_HELP)
    made.add_argument("--image-size", type=int)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--accumulate", type=int, default=1, metavar="N")
    made.add_argument("--precision", choices=list(DTYPES), default="fp32")
    made.add_argument("--distill-weight", type=float, default=0.7, metavar="W")
    made.add_argument("--logit-scales", type=float, nargs="+", metavar="S")
    made.add_argument("--turns", type=int, default=5, help="repetitions of every kind")
    made.add_argument("--steps", type=int, default=4, help="steps of a turn, beside one that is not measured")
    made.add_argument("--device")
    made.add_argument("--torch-threads", type=int)
    made.add_argument("--image-threads", type=int, default=4)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


@dataclass
class Kind:
    """One kind of step with a student, a loader and measurements of its own."""

    name: str
    options: train_student.Options
    where: processes.Processes
    alone: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    in_training: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loader, self.ahead_loader = (train_student.open_loader(self.options, self.where) for _ in range(2))
        self.trainer = train_student.make_trainer(self.options, self.where, self.loader)
        self.maker = ImageMaker(self.trainer.look.size, self.options.image_threads, self.options.image_folder)
        self.captions = CAPTIONS[self.options.captions]
        self.batches = self._endless()

    def _endless(self) -> Iterator[dict[str, Any]]:
        while True:
            empty = True
            for batch in self.loader:
                empty = False
                yield batch
            if empty:
                raise ValueError("the set has fewer rows than a batch")

    def _now(self) -> float:
        # What a GPU was asked to do is not done when the call returns.
        if self.where.device.type == "cuda":
            torch.cuda.synchronize(self.where.device)
        return time.perf_counter()

    def turn_alone(self, steps: int) -> None:
        """Each part of a step by itself."""
        times: dict[str, list[float]] = {part: [] for part in PARTS}
        for number in range(steps + 1):
            marks = [self._now()]
            batch = next(self.batches)
            marks.append(self._now())
            images = self.maker(batch)
            marks.append(self._now())
            self.trainer.step(StepInput.of(batch, images, self.captions, self.options.taught))
            marks.append(self._now())
            if number:
                for part, first, second in zip(PARTS, marks, marks[1:]):
                    times[part].append(second - first)
        for part, values in times.items():
            self.alone[part].append(statistics.fmean(values))

    def turn_in_training(self, steps: int) -> None:
        """Steps with batches made ahead. The thread ends with the turn, so that the next kind has the machine alone."""
        pipeline = Pipeline(
            self.ahead_loader, self.maker, self.captions, self.options.taught, self.where.device, self.options.ahead
        )
        try:
            # What was made ahead before the first measured step is used up in steps that are not measured.
            for _ in range(self.options.ahead + 1):
                self.trainer.step(next(pipeline).input)
            began, waited = self._now(), pipeline.waited
            for _ in range(steps):
                self.trainer.step(next(pipeline).input)
            seconds = self._now() - began
        finally:
            pipeline.close()
        self.in_training.append(seconds / steps)
        self.waited.append((pipeline.waited - waited) / seconds)

    def result(self) -> dict[str, float]:
        parts = {f"{part}_ms": 1000 * statistics.median(values) for part, values in self.alone.items()}
        whole = sum(parts.values())
        return {
            **parts,
            "loader_share": parts["loader_ms"] / whole,
            "data_share": (parts["loader_ms"] + parts["images_ms"]) / whole,
            "training_step_ms": 1000 * statistics.median(self.in_training),
            "training_step_ms_lowest": 1000 * min(self.in_training),
            "training_step_ms_highest": 1000 * max(self.in_training),
            "training_wait_share": statistics.median(self.waited),
        }


def options_of(given: argparse.Namespace, kind: str) -> train_student.Options:
    captions, weight = KINDS[kind]
    steps = 2 * given.turns * (given.steps + 4)
    return train_student.Options(
        given.shards, model=given.model, image_size=given.image_size, steps=steps, batch_size=given.batch_size,
        accumulate=given.accumulate, captions=captions, precision=given.precision, logit_scales=given.logit_scales,
        distill_weight=given.distill_weight if weight is None else weight, device=given.device,
        image_threads=given.image_threads, image_folder=given.image_folder,
    )  # fmt: skip


def bench(given: argparse.Namespace) -> dict[str, Any]:
    """All turns of all kinds, and their medians."""
    if given.torch_threads:
        torch.set_num_threads(given.torch_threads)
    where = processes.start(given.device)
    kinds = [Kind(name, options_of(given, name), where) for name in KINDS]
    for turn in range(given.turns):
        # Each kind is first in its turn: what comes first finds other caches than what comes last.
        order = kinds[turn % len(kinds) :] + kinds[: turn % len(kinds)]
        for kind in order:
            kind.turn_alone(given.steps)
        for kind in order:
            kind.turn_in_training(given.steps)
    for kind in kinds:
        for each in (kind.maker, kind.loader, kind.ahead_loader):
            each.close()
    results = {kind.name: kind.result() for kind in kinds}
    last = results["reinforced"]
    options = {key: value for key, value in vars(given).items() if key != "json"}
    return {
        "options": options,
        "device": torch.cuda.get_device_name(where.device) if where.device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "kinds": results,
        "reinforced_over_plain": last["training_step_ms"] / results["plain"]["training_step_ms"],
        "reinforced_over_pairs": last["training_step_ms"] / results["pairs"]["training_step_ms"],
    }


def table(result: dict[str, Any]) -> str:
    lines = [f"{'ms a step':12} {'loader':>8} {'images':>8} {'step':>9} {'in training':>12} {'waiting':>8}"]
    for name, found in result["kinds"].items():
        lines.append(
            f"{name:12} {found['loader_ms']:8.2f} {found['images_ms']:8.2f} {found['step_ms']:9.2f} "
            f"{found['training_step_ms']:12.2f} {found['training_wait_share']:8.1%}"
        )
    over = {name: f"{result[f'reinforced_over_{name}']:.3f} times as long as" for name in ("plain", "pairs")}
    lines.append(f"a reinforced step takes {over['plain']} a plain one, and {over['pairs']} one of pairs")
    lines.append(
        f"waiting for the loader takes {result['kinds']['reinforced']['loader_share']:.2%} of a reinforced step"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        result = bench(given)
    except (ValueError, ArithmeticError, OSError, drshard.Error) as error:
        print(f"bench_step: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result) if given.json else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
