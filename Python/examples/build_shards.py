#!/usr/bin/env python3
"""Builds a reinforced data set: shards that hold, for every image, what teachers say about many views of it.

    build_shards.py images/ --output shards/ --teacher ViT-L-14:openai --teacher ViT-L-14:datacomp_xl_s13b_b90k \\
        --views 10 --captioner coca_ViT-L-14:mscoco_finetuned_laion2b_s13b_b90k --device cuda --precision amp

For each image with a caption it
- draws augmentations (a random resized crop, then two operations of RandAugment) and records them,
- makes the views from the record, with `drshard.augment.replay`, so that record and embedding cannot differ,
- lets every teacher embed each view, the caption, and synthetic captions that a CoCa model writes,
- stores all that, the image's bytes and the captions' tokens as a row of a shard.

Inputs are webdataset tars (an image, .txt, and .json with a uid if there is one), or folders of image files with .txt
beside them. A uid is that of the json, else the first 16 bytes of the SHA-256 of the image file; images whose uid was
there before are left out.

A run that was stopped or killed goes on when it is started again in the same way: complete shards stay, the unfinished
one goes on behind its last complete row group, and the shards are byte for byte those of a run that was never stopped
(on the same machine, with the same --batch-size). To try it out without downloads:

    build_shards.py images/ --output shards/ --teacher tiny-clip-32:random --captioner tiny-coca-32:random --views 3
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import drshard
import open_clip
from building.captions import Captioner, Captions, ReadyCaptions
from building.drawing import Drawing
from building.samples import Inputs
from building.shards import Builder
from building.teachers import PRECISIONS, Teacher

CONFIGS = Path(__file__).resolve().parent / "configs"


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    description, _, rest = __doc__.partition("\n\n")
    options = argparse.ArgumentParser(
        description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("inputs", nargs="+", type=Path, help="webdataset tars, or folders of tars or of image files")
    options.add_argument("--output", required=True, type=Path, help="folder of the shards; made if it is not there")
    models = options.add_argument_group("models (of open_clip)")
    models.add_argument(
        "--teacher", action="append", required=True, metavar="MODEL:PRETRAINED",
        help="repeat it for several, in the order of their embeddings; MODEL:random has random weights",
    )  # fmt: skip
    models.add_argument("--captioner", metavar="MODEL:PRETRAINED", help="a CoCa model that writes synthetic captions")
    models.add_argument(
        "--captions-from", type=Path, metavar="FILE", help='or ready ones: lines of {"uid": "...", "syn_text": [...]}'
    )
    models.add_argument("--captions", type=_positive, metavar="N", help="synthetic captions of an image (5)")
    models.add_argument(
        "--caption-length", type=_positive, default=30, metavar="N",
        help="most tokens of a caption that --captioner writes, start and end among them (30)",
    )  # fmt: skip
    models.add_argument(
        "--model-configs", action="append", type=Path, default=[], metavar="DIR",
        help="further model configurations, in json files as open_clip has them",
    )  # fmt: skip
    models.add_argument("--device", default="cpu", help='of the models, such as "cuda:1" (cpu)')
    models.add_argument("--precision", default="fp32", choices=PRECISIONS, help="of the models (fp32)")
    models.add_argument(
        "--batch-size", type=_positive, default=256, metavar="N", help="images for a teacher at once (256)"
    )
    views = options.add_argument_group("views")
    views.add_argument("--views", type=_positive, default=10, metavar="N", help="of an image (10)")
    views.add_argument(
        "--scale", type=float, nargs=2, default=(0.08, 1.0), metavar=("LEAST", "MOST"),
        help="part of the image's area that a crop has (0.08 1.0)",
    )  # fmt: skip
    views.add_argument("--operations", type=int, default=2, metavar="N", help="of RandAugment for a view (2)")
    views.add_argument("--magnitude", type=int, default=9, metavar="N", help="of RandAugment, of 31 steps (9)")
    views.add_argument(
        "--view-size", type=_positive, metavar="N",
        help="that translations are drawn for (the image size of the first teacher)",
    )  # fmt: skip
    views.add_argument("--seed", type=int, default=0, help="of views, of captions and of random weights (0)")
    shards = options.add_argument_group("shards")
    shards.add_argument(
        "--rows-per-shard", type=_positive, default=10_000, metavar="N", help="images of a shard (10000)"
    )
    shards.add_argument(
        "--rows-per-group", type=_positive, default=256, metavar="N",
        help="of a row group; a run that is killed loses the one at work (256)",
    )  # fmt: skip
    shards.add_argument(
        "--on-error", choices=("stop", "skip"), default="stop", help="what bad samples do: end the run, or are left out"
    )
    shards.add_argument("--workers", type=_positive, metavar="N", help="threads that decode images and make views")
    return options


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def check(options: argparse.Namespace, error) -> None:
    """Ends the program for options that do not fit each other."""
    if options.captioner and options.captions_from:
        error("--captioner and --captions-from: one of them")
    if options.captions and not (options.captioner or options.captions_from):
        error("--captions N needs --captioner or --captions-from")
    if not 4 <= options.caption_length <= 76:
        error("--caption-length is 4 to 76")
    if not 0 < options.scale[0] <= options.scale[1] <= 1:
        error("--scale LEAST MOST: 0 < LEAST <= MOST <= 1")
    if not 0 <= options.operations <= 255 or not 0 <= options.magnitude <= 30:
        error("--operations is 0 to 255, and --magnitude 0 to 30")


def make_captions(options: argparse.Namespace) -> Captions | None:
    """What makes synthetic captions, if there are to be any."""
    if options.captions_from:
        return ReadyCaptions(options.captions_from, options.captions)
    if options.captioner:
        return Captioner(
            options.captioner, options.seed, options.device, options.precision, options.captions or 5,
            options.caption_length,
        )  # fmt: skip
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    options_parser = parser()
    options = options_parser.parse_args(arguments)
    check(options, options_parser.error)
    for folder in (CONFIGS, *options.model_configs):
        open_clip.add_model_config(folder)
    inputs = Inputs(options.inputs)
    # Another seed for each, or two random teachers of one kind would be the same.
    teachers = [
        Teacher(name, options.seed + number, options.device, options.precision)
        for number, name in enumerate(options.teacher)
    ]
    drawing = Drawing(
        options.seed, options.views, tuple(options.scale), options.view_size or min(teachers[0].look.size),
        options.operations, options.magnitude, 31,
    )  # fmt: skip
    begin = time.monotonic()
    builder = Builder(
        options.output, inputs, drawing, teachers, make_captions(options), rows=options.rows_per_shard,
        rows_per_group=options.rows_per_group, batch_size=options.batch_size,
        workers=options.workers or min(8, os.cpu_count() or 1), skips_bad=options.on_error == "skip",
    )  # fmt: skip
    try:
        counts = builder.run()
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on", file=sys.stderr)
        return 130
    except (drshard.Error, OSError, tarfile.TarError) as error:
        print(f"build_shards: {error}", file=sys.stderr)
        return 1
    for line in counts.bad[:10]:
        print(f"left out: {line}", file=sys.stderr)
    left_out = f", {len(counts.bad)} bad samples left out" if counts.bad else ""
    left_out += f", {counts.duplicates} duplicates left out" if counts.duplicates else ""
    kept = f" ({counts.kept} more were there)" if counts.kept else ""
    kept += f" ({counts.resumed} more rows were there)" if counts.resumed else ""
    shards = "1 shard" if counts.shards == 1 else f"{counts.shards} shards"
    print(f"{counts.rows} rows in {shards}{kept}{left_out}, {time.monotonic() - begin:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
