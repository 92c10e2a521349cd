#!/usr/bin/env python3
"""Train a MobileCLIP student on a reinforced data set that is stored in drshard's shards.

    python train_student.py shards/ --output run/ --model S0 --batch-size 1024 --epochs 20
    torchrun --nproc-per-node 8 train_student.py shards/ --output run/ --model B --batch-size 8192 --precision bf16

Every row of a batch is one stored view of an image, its real caption and one of its synthetic captions. The image is
decoded and the view's augmentation replayed on it, so that the student sees what the teachers saw; what they made of it
is read from the shards. The run prints one JSON object every --log-every steps, and writes checkpoints that open_clip
can load. Called again with --resume it goes on as if it had never stopped: the same batches, the same numbers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkpoints
import drshard.torch
import processes
import torch
from pipeline import CAPTIONS, Pipeline
from processes import Processes
from reinforced import ReinforcedLoss, teachers_of
from student import MODEL_HELP, ImageMaker, create_model
from training import DTYPES, Recipe, Trainer


@dataclass
class Options:
    """A training run. The fields in `PLACES` say where and how fast; all others say what comes out."""

    shards: str
    output: str | None = None
    model: str = "S0"
    weights: str | None = None
    image_size: int | None = None
    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 256
    accumulate: int = 1
    captions: str = "both"
    teacher_dtype: str | None = None
    distill_weight: float = 0.7
    logit_scales: list[float] | None = None
    learning_rate: float = 1e-3
    warmup: int | None = None
    weight_decay: float = 0.2
    clip: float = 1.0
    precision: str = "fp32"
    seed: int = 0
    order: str = "blocks"
    variants: str = "balanced"
    lanes: int | None = None
    captioners: list[str] | None = None
    image_folder: str | None = None
    device: str | None = None
    torch_threads: int | None = None
    image_threads: int = 4
    ahead: int = 2
    log_file: str | None = None
    log_every: int = 50
    checkpoint_every: int = 1000
    keep: int = 2
    resume: str | None = None
    stop_after: int | None = None

    @property
    def taught(self) -> bool:
        return self.distill_weight > 0

    def counting(self) -> dict[str, Any]:
        """The options that a run that goes on must share with the run that stopped."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in PLACES}


PLACES = {
    "shards", "image_folder", "output", "device", "torch_threads", "image_threads", "ahead", "log_file", "log_every",
    "checkpoint_every", "keep", "resume", "stop_after",
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("shards", help="a folder of .drs files, or one")
    made.add_argument("--image-folder", help="where the files are that images lie in, if the shards do not hold them")
    made.add_argument("--output", help="folder for checkpoints; without it none are written")
    _model_arguments(made.add_argument_group("the student"))
    _loss_arguments(made.add_argument_group("the loss"))
    _recipe_arguments(made.add_argument_group("the recipe"))
    _order_arguments(made.add_argument_group("the order of the data"))
    _running_arguments(made.add_argument_group("running"))
    return made


def _model_arguments(group: Any) -> None:
    group.add_argument("--model", default="S0", help=MODEL_HELP)
    group.add_argument("--weights", help="start from this checkpoint, or from weights of this name in open_clip")
    group.add_argument("--image-size", type=int, help="pixels a side, other than the model's own")
    group.add_argument("--precision", choices=list(DTYPES), default="fp32", help="of the towers; the loss is f32")


def _loss_arguments(group: Any) -> None:
    group.add_argument("--captions", choices=list(CAPTIONS), default="both", help="which captions a step trains on")
    group.add_argument("--distill-weight", type=float, default=0.7, metavar="W",
                       help="weight of distillation, 0 (no teachers) to 1; the contrastive loss has 1 - W")  # fmt: skip
    group.add_argument("--logit-scales", type=float, nargs="+", metavar="S",
                       help="the teachers' logit scales, one for each; without it the shards say")  # fmt: skip
    group.add_argument("--teacher-dtype", choices=["f32", "bf16"],
                       help="what stored embeddings become before use; without it they stay what they are")  # fmt: skip


def _recipe_arguments(group: Any) -> None:
    length = group.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="length of the run in steps")
    length.add_argument("--epochs", type=float, help="length of the run in epochs")
    group.add_argument("--batch-size", type=int, default=256, help="rows of a step, of all processes together")
    group.add_argument("--accumulate", type=int, default=1, metavar="N",
                       help="compute a process's part of a batch in N pieces, with the same result but for batch "
                       "norm, which sees pieces: less memory, one more forward pass")  # fmt: skip
    group.add_argument("--learning-rate", type=float, default=1e-3)
    group.add_argument("--warmup", type=int, help="steps; without it 1000, or a tenth of a shorter run")
    group.add_argument("--weight-decay", type=float, default=0.2)
    group.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradient; 0: any")
    group.add_argument("--seed", type=int, default=0, help="of the model's first weights and of the data's order")


def _order_arguments(group: Any) -> None:
    group.add_argument("--order", choices=["blocks", "global", "none"], default="blocks")
    group.add_argument("--variants", choices=["balanced", "epoch", "independent"], default="balanced")
    group.add_argument("--captioners", nargs="+", metavar="AXIS",
                       help="axes of synthetic captions to draw from, where the shards have several")  # fmt: skip
    group.add_argument("--lanes", type=int, help="a multiple of the number of processes; equal lanes: equal batches")


def _running_arguments(group: Any) -> None:
    group.add_argument("--device", help="cpu, cuda or cuda:N; without it a GPU if there is one")
    group.add_argument("--torch-threads", type=int, help="threads that torch computes with on a CPU")
    group.add_argument("--image-threads", type=int, default=4, help="threads that decode and augment images; 0: none")
    group.add_argument("--ahead", type=int, default=2, help="batches that are made ahead of the step")
    group.add_argument("--log-file", help="append the JSON lines to this file, too")
    group.add_argument("--log-every", type=int, default=50, metavar="STEPS")
    group.add_argument("--checkpoint-every", type=int, default=1000, metavar="STEPS", help="and at the end")
    group.add_argument("--keep", type=int, default=2, help="checkpoints to keep, those written last; 0: all")
    group.add_argument("--resume", nargs="?", const="newest", metavar="CHECKPOINT",
                       help="go on from a checkpoint, or from the one in --output that was written last, if there is "
                       "one: after going back to an older one that is the one of the run that went on from there")  # fmt: skip
    group.add_argument("--stop-after", type=int, metavar="STEP", help="end behind this step, with a checkpoint")


class Report:
    """JSON lines for machines on stdout and in a file, and one line that overwrites itself for people at terminals."""

    def __init__(self, options: Options, where: Processes, quiet: bool = False) -> None:
        self.first, self.quiet = where.first, quiet
        self.file = open(options.log_file, "a", encoding="utf-8") if options.log_file and where.first else None
        self.terminal = where.first and not quiet and sys.stderr.isatty()

    def line(self, values: dict[str, Any]) -> None:
        text = json.dumps(values)
        if self.first and not self.quiet:
            print(text, flush=True)
        if self.file:
            print(text, file=self.file, flush=True)

    def progress(self, step: int, steps: int, rate: float) -> None:
        if self.terminal:
            left = (steps - step) / rate if rate else math.nan
            print(f"\r\033[Kstep {step} of {steps}, {rate:.2f} steps/s, {left / 60:.0f} min left", end="",
                  file=sys.stderr, flush=True)  # fmt: skip

    def close(self) -> None:
        if self.terminal:
            print(file=sys.stderr)
        if self.file:
            self.file.close()


def train(
    options: Options, quiet: bool = False, watch: Callable[[Trainer, dict[str, float]], None] | None = None
) -> list[dict[str, Any]]:
    """Run, and return the lines of the log. `watch` is called with the trainer and every line."""
    if options.torch_threads:
        torch.set_num_threads(options.torch_threads)
    where = processes.start(options.device)
    loader = open_loader(options, where)
    maker, pipeline = None, None
    report = Report(options, where, quiet)
    try:
        trainer = make_trainer(options, where, loader)
        resumed = _resumed(options, trainer)
        if resumed is not None:
            loader.load_state_dict(resumed)
        maker = ImageMaker(trainer.look.size, options.image_threads, options.image_folder)
        pipeline = Pipeline(loader, maker, CAPTIONS[options.captions], options.taught, where.device, options.ahead)
        return _run(options, trainer, pipeline, report, watch)
    finally:
        for each in (pipeline, maker, loader, report):
            if each is not None:
                each.close()


def open_loader(options: Options, where: Processes) -> Any:
    """The loader of one process's part of every batch; embeddings are read only where somebody learns from them."""
    content = ["augmentations", "tokens", "images"] + (["embeddings"] if options.taught else [])
    return drshard.torch.PairedLoader(
        options.shards, batch_size=options.batch_size, seed=options.seed, order=options.order,
        variants=options.variants, lanes=options.lanes, synthetic=options.captioners, content=tuple(content),
        embedding_dtype=options.teacher_dtype, pin_memory=where.device.type == "cuda",
    )  # fmt: skip


def make_trainer(options: Options, where: Processes, loader: Any) -> Trainer:
    """The student with its first weights, which the seed gives, and all that trains it."""
    if not options.steps and not options.epochs:
        raise ValueError("a run needs a length, in steps or in epochs")
    steps = options.steps or math.ceil((options.epochs or 0) * len(loader))
    warmup = options.warmup if options.warmup is not None else min(1000, steps // 10)
    captions = CAPTIONS[options.captions]
    schema = drshard.open(options.shards).schema
    teachers = teachers_of(schema, captions, options.logit_scales) if options.taught else []
    torch.manual_seed(options.seed)
    model = create_model(options.model, options.weights, options.image_size)
    # Weights are the same on all processes; dropout is not.
    torch.manual_seed(options.seed + where.rank)
    recipe = Recipe(
        steps=steps, learning_rate=options.learning_rate, warmup=warmup, weight_decay=options.weight_decay,
        clip=options.clip, precision=options.precision, accumulate=options.accumulate,
    )  # fmt: skip
    return Trainer(model, ReinforcedLoss(teachers, options.distill_weight), recipe, where)


def _resumed(options: Options, trainer: Trainer) -> dict[str, Any] | None:
    if not options.resume:
        return None
    if options.resume != "newest":
        return checkpoints.load(Path(options.resume), trainer, options.counting())
    if not options.output:
        raise ValueError("--resume without a checkpoint needs --output, to look there")
    path = checkpoints.newest(Path(options.output))
    return checkpoints.load(path, trainer, options.counting()) if path else None


def _run(
    options: Options,
    trainer: Trainer,
    pipeline: Pipeline,
    report: Report,
    watch: Callable[[Trainer, dict[str, float]], None] | None,
) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    steps = trainer.recipe.steps
    end = min(steps, options.stop_after or steps)
    began, waited, counted = time.perf_counter(), pipeline.waited, trainer.steps_done
    while trainer.steps_done < end:
        prepared = next(pipeline)
        parts = trainer.step(prepared.input)
        step = trainer.steps_done
        if step % options.log_every == 0 or step == end:
            line = {"step": step, "epoch": prepared.epoch, "samples": step * options.batch_size}
            line.update(_numbers(parts, trainer))
            seconds = time.perf_counter() - began
            line["samples_per_second"] = (step - counted) * options.batch_size / seconds
            line["data_wait"] = (pipeline.waited - waited) / seconds
            report.line(line)
            report.progress(step, steps, (step - counted) / seconds)
            lines.append(line)
            if watch:
                watch(trainer, line)
            began, waited, counted = time.perf_counter(), pipeline.waited, step
        if options.output and (step % options.checkpoint_every == 0 or step == end):
            checkpoints.save(Path(options.output), trainer, prepared.state, options.counting(), options.keep)
    return lines


def _numbers(parts: dict[str, torch.Tensor], trainer: Trainer) -> dict[str, float]:
    """The step's numbers, means over all processes. Getting them waits for the device: only steps that log do."""
    names = sorted(parts)
    values = processes.mean_of_all(torch.stack([parts[name].float().cpu() for name in names]).to(trainer.where.device))
    numbers = dict(zip(names, values.tolist()))
    if not math.isfinite(numbers["loss"]):
        raise ArithmeticError(f"the loss of step {trainer.steps_done} is {numbers['loss']}: the run has failed")
    numbers["logit_scale"] = float(trainer.model.logit_scale.detach().exp())
    numbers["learning_rate"] = trainer.optimiser.param_groups[0]["lr"]
    return numbers


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        train(Options(**vars(parser().parse_args(arguments))))
    except (ValueError, ArithmeticError, OSError, drshard.Error) as error:
        print(f"train_student: {error}", file=sys.stderr)
        return 1
    finally:
        processes.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
