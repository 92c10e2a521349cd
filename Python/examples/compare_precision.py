#!/usr/bin/env python3
"""Does it matter in which precision the teachers' embeddings are stored? And which captions a student trains on?

    python compare_precision.py shards-f32/ --model S0 --steps 2000 --batch-size 1024 --seeds 3 --eval coco-tars/

The same short training, with embeddings of f32 and with the same ones rounded to bf16, for several seeds, and with real
captions, synthetic captions and both. The shards have to hold f32 (drshard convert --keep-f32). Runs of a seed have the
same first weights and the same batches, whatever the precision: their difference is what the precision makes of them,
and the spread over seeds is what chance makes of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import drshard
import eval_student
import train_student
from pipeline import CAPTIONS
from student import MODEL_HELP

DTYPES = ("f32", "bf16")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("shards", help="a folder of .drs files, or one")
    made.add_argument("--image-folder", help="where the files are that images lie in, if the shards do not hold them")
    made.add_argument("--model", default="S0", help=MODEL_HELP)
    made.add_argument("--image-size", type=int)
    made.add_argument("--steps", type=int, required=True)
    made.add_argument("--batch-size", type=int, default=256)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument("--distill-weight", type=float, default=0.7, metavar="W")
    made.add_argument("--logit-scales", type=float, nargs="+", metavar="S")
    made.add_argument("--precision", choices=list(train_student.DTYPES), default="fp32", help="of the student")
    made.add_argument("--captions", nargs="+", choices=list(CAPTIONS), default=list(CAPTIONS))
    made.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    made.add_argument("--eval", type=Path, metavar="SOURCE",
                      help="images with captions, see eval_student; without it the shards themselves")  # fmt: skip
    made.add_argument("--device")
    made.add_argument("--torch-threads", type=int)
    made.add_argument("--image-threads", type=int, default=4)
    made.add_argument("--output", type=Path, help="write all numbers to this file, as JSON")
    return made


def stored_elements(shards: str) -> list[str]:
    """What numbers the shards hold for the teachers."""
    columns = drshard.open(shards).schema.columns
    return sorted({column.element for column in columns if column.role in ("image_embedding", "text_embedding")})


def one_run(given: argparse.Namespace, captions: str, seed: int, dtype: str) -> dict[str, Any]:
    """Train once, and return what came of it."""
    trainers: list[Any] = []
    log_every = max(1, given.steps // 40)
    options = train_student.Options(
        given.shards, model=given.model, image_size=given.image_size, steps=given.steps, batch_size=given.batch_size,
        captions=captions, teacher_dtype=dtype, distill_weight=given.distill_weight, logit_scales=given.logit_scales,
        learning_rate=given.learning_rate, precision=given.precision, seed=seed, device=given.device,
        torch_threads=given.torch_threads, image_threads=given.image_threads, log_every=log_every,
        image_folder=given.image_folder,
    )  # fmt: skip
    lines = train_student.train(options, quiet=True, watch=lambda trainer, line: trainers.append(trainer))
    # A single step's loss hangs on its batch: the last quarter says where the run has got to.
    last = lines[-max(1, len(lines) // 4) :]
    model = trainers[-1].model.eval()
    judge = eval_student.Judge.of(model, given.model, str(trainers[-1].where.device))
    source = given.eval or Path(given.shards)
    found = eval_student.retrieval(judge, source, 64, given.image_threads, given.image_folder)
    values = {name: found[name] for name in found if "recall" in name}
    loss = statistics.fmean(line["loss"] for line in last)
    return {"captions": captions, "seed": seed, "teacher_dtype": dtype, "loss": loss, **values}


def spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def compared(runs: Sequence[dict[str, Any]], captions: str, measure: str) -> dict[str, Any]:
    """One measure of f32 and bf16 over the seeds, and their difference seed by seed."""
    by_dtype = {
        dtype: [run[measure] for run in runs if run["captions"] == captions and run["teacher_dtype"] == dtype]
        for dtype in DTYPES
    }
    differences = [low - full for full, low in zip(by_dtype["f32"], by_dtype["bf16"])]
    seeds = max(spread(values) for values in by_dtype.values())
    result: dict[str, Any] = {"captions": captions, "measure": measure}
    for dtype, values in by_dtype.items():
        result[dtype] = {"mean": statistics.fmean(values), "std": spread(values)}
    result["difference"] = {"mean": statistics.fmean(differences), "std": spread(differences)}
    # With one seed nothing is known about chance.
    within = abs(result["difference"]["mean"]) <= seeds if len(differences) > 1 else None
    result["within_seeds"] = within
    return result


def table(rows: Sequence[dict[str, Any]]) -> str:
    def number(value: dict[str, float]) -> str:
        return f"{value['mean']:.4f} ± {value['std']:.4f}"

    lines = [f"{'captions':10} {'measure':24} {'f32':>18} {'bf16':>18} {'bf16 - f32':>18}  within seeds"]
    words = {True: "yes", False: "no", None: "one seed cannot say"}
    for row in rows:
        numbers = " ".join(f"{number(row[key]):>18}" for key in ("f32", "bf16", "difference"))
        lines.append(f"{row['captions']:10} {row['measure']:24} {numbers}  {words[row['within_seeds']]}")
    return "\n".join(lines)


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    if any(row["within_seeds"] is None for row in rows):
        return "one seed does not say how large a difference chance makes: give --seeds"
    outside = [f"{row['measure']} with {row['captions']} captions" for row in rows if not row["within_seeds"]]
    if not outside:
        return "the difference between f32 and bf16 embeddings lies within that between seeds, for every measure"
    return f"the difference between f32 and bf16 embeddings is larger than that between seeds for {', '.join(outside)}"


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """All runs, and what they say."""
    elements = stored_elements(given.shards)
    if elements != ["f32"]:
        print(f"compare_precision: the shards hold {' and '.join(elements)}, no f32 that bf16 could be compared with",
              file=sys.stderr)  # fmt: skip
    plan = [(c, s, d) for c in given.captions for s in range(given.seeds) for d in DTYPES]
    runs = []
    for number, (captions, seed, dtype) in enumerate(plan, 1):
        if sys.stderr.isatty():
            print(f"\r\033[Krun {number} of {len(plan)}", end="", file=sys.stderr, flush=True)
        runs.append(one_run(given, captions, seed, dtype))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    measures = [name for name in runs[0] if name not in ("captions", "seed", "teacher_dtype")]
    rows = [compared(runs, captions, measure) for captions in given.captions for measure in measures]
    options = {key: str(value) if isinstance(value, Path) else value for key, value in vars(given).items()}
    return {"options": options, "stored": elements, "runs": runs, "comparison": rows, "verdict": verdict(rows)}


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        result = compare(given)
        if given.output:
            part = given.output.with_name(f".{given.output.name}.part")
            part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            os.replace(part, given.output)
    except (ValueError, ArithmeticError, OSError, drshard.Error) as error:
        print(f"compare_precision: {error}", file=sys.stderr)
        return 1
    print(table(result["comparison"]))
    print(result["verdict"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
