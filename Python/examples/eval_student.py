#!/usr/bin/env python3
"""What a student has learned: zero-shot classification, and retrieval of images by texts and texts by images.

    python eval_student.py run/step_00030000.pt --model S0 --retrieval coco-tars/
    python eval_student.py run/step_00030000.pt --model S0 --classify imagenet/val --template "a photo of a {}."
    python eval_student.py openai --model ViT-B-32 --retrieval shards/ --json

Images with captions are a folder (image + .txt, a caption a line), tars as webdataset has them, or drshard's shards
(images and real captions). Classes are a folder of class folders, or tars with .cls members and --classes.

A rank among equal scores is the mean over their orders, so that a model that says the same to everything is at chance.
Captions that several images have are right for one of them alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import drshard
import open_clip
import torch
from drshard.views import decoded
from open_clip.transform import PreprocessCfg, image_transform_v2
from pictures import classes_in, features_of, pictures
from student import MODEL_HELP, create_model, model_name

TEMPLATES = ["a photo of a {}.", "an image of a {}.", "a picture of the {}."]
RANKS = (1, 5, 10)


class Judge:
    """A model without gradients, and the way images and texts go into it."""

    def __init__(self, name: str, weights: str | None, device: str, image_size: int | None = None) -> None:
        self._begin(create_model(name, weights, image_size).to(device), name, device, _look_in(weights))

    @classmethod
    def of(cls, model: torch.nn.Module, name: str, device: str) -> Judge:
        """For a model that is there already."""
        self = cls.__new__(cls)
        self._begin(model, name, device, {})
        return self

    def _begin(self, model: torch.nn.Module, name: str, device: str, look: dict[str, Any]) -> None:
        self.model, self.device = model, device
        known = set(PreprocessCfg.__dataclass_fields__)
        settings = {key: value for key, value in model.visual.preprocess_cfg.items() if key in known}
        transform = image_transform_v2(PreprocessCfg(**{**settings, **look}), is_train=False)
        self.transform: Callable[[Any], torch.Tensor] = lambda data: transform(decoded(data))
        self.tokenizer = open_clip.get_tokenizer(model_name(name))

    @torch.no_grad()
    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.encode_image(pixels.to(self.device), normalize=True).float().cpu()

    @torch.no_grad()
    def texts(self, texts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        """Features of texts. Each text is computed once, so that equal texts have equal features to the last bit."""
        different = list(dict.fromkeys(texts))
        rows = []
        for first in range(0, len(different), batch_size):
            tokens = self.tokenizer(different[first : first + batch_size]).to(self.device)
            rows.append(self.model.encode_text(tokens, normalize=True).float().cpu())
        place = {text: i for i, text in enumerate(different)}
        return torch.cat(rows)[[place[text] for text in texts]]


def _look_in(weights: str | None) -> dict[str, Any]:
    """The image size, mean and deviation that a checkpoint of train_student was trained with."""
    if not weights or not weights.endswith(".pt") or not Path(weights).is_file():
        return {}
    content = torch.load(weights, map_location="cpu", weights_only=True, mmap=True)
    return dict(content.get("look", {})) if isinstance(content, dict) else {}


def recall(scores_of: Callable[[slice], torch.Tensor], right: Sequence[Sequence[int]], chunk: int = 512) -> list[float]:
    """For each of RANKS the part of queries that have a right answer among so many best.

    `scores_of` gives the rows of scores of some queries, `right` the right answers of each query.
    """
    hits = torch.zeros(len(RANKS), dtype=torch.float64)
    for first in range(0, len(right), chunk):
        scores = scores_of(slice(first, first + chunk))
        for row, answers in zip(scores, right[first : first + chunk]):
            best = row[answers].max()
            better = int((row > best).sum())
            equal = int((row == best).sum())
            among = int((row[answers] == best).sum())
            hits += torch.tensor([_chance_of_hit(rank - better, equal, among) for rank in RANKS], dtype=hits.dtype)
    return (hits / len(right)).tolist()


def _scores(queries: torch.Tensor, candidates: torch.Tensor) -> Callable[[slice], torch.Tensor]:
    """Scores of some queries with all candidates. Equal candidates are multiplied once: they have equal scores."""
    different, place = torch.unique(candidates, dim=0, return_inverse=True)
    return lambda rows: (queries[rows] @ different.T)[:, place]


def _chance_of_hit(places: int, equal: int, right: int) -> float:
    """That one of `right` of `equal` equals is on the first `places` places, if their order is left to chance."""
    if places <= 0:
        return 0.0
    miss = 1.0
    for i in range(min(places, equal)):
        miss *= max(0, equal - right - i) / (equal - i)
    return 1.0 - miss


def retrieval(
    judge: Judge, source: Path, batch_size: int, threads: int, image_folder: str | None = None
) -> dict[str, Any]:
    """Recall of captions for images and of images for captions."""
    found = (picture for picture in pictures(source, image_folder) if picture.captions)
    images, kept = features_of(found, judge.transform, judge.images, batch_size, threads)
    captions = [caption for picture in kept for caption in picture.captions]
    owner = [number for number, picture in enumerate(kept) for _ in picture.captions]
    own: list[list[int]] = [[] for _ in kept]
    for number, image in enumerate(owner):
        own[image].append(number)
    texts = judge.texts(captions)
    to_text = recall(_scores(images, texts), own)
    to_image = recall(_scores(texts, images), [[image] for image in owner])
    return {
        "images": len(images),
        "captions": len(captions),
        **{f"image_to_text_recall@{rank}": value for rank, value in zip(RANKS, to_text)},
        **{f"text_to_image_recall@{rank}": value for rank, value in zip(RANKS, to_image)},
    }


def classification(
    judge: Judge, source: Path, names: Sequence[str] | None, templates: Sequence[str], batch_size: int, threads: int
) -> dict[str, Any]:
    """Accuracy when each class is the mean of the features of its prompts."""
    classes, found = classes_in(source, names)
    images, kept = features_of(found, judge.transform, judge.images, batch_size, threads)
    prompts = judge.texts([template.replace("{}", name) for name in classes for template in templates])
    means = torch.nn.functional.normalize(prompts.view(len(classes), len(templates), -1).mean(dim=1), dim=-1)
    order = (images @ means.T).argsort(dim=1, descending=True, stable=True)
    labels = torch.tensor([picture.label for picture in kept])
    hits = order == labels[:, None]
    return {
        "images": len(images),
        "classes": len(classes),
        "accuracy@1": hits[:, :1].any(dim=1).double().mean().item(),
        "accuracy@5": hits[:, :5].any(dim=1).double().mean().item(),
    }


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument("weights", help="a checkpoint of open_clip or of train_student, or weights by open_clip's name")
    made.add_argument("--model", required=True, help=MODEL_HELP)
    made.add_argument("--image-size", type=int, help="pixels a side, as trained if not the model's own")
    made.add_argument("--retrieval", type=Path, metavar="SOURCE", help="images with captions: recall@1, @5, @10")
    made.add_argument("--classify", type=Path, metavar="SOURCE", help="images with classes: accuracy")
    made.add_argument("--image-folder", help="where the files are that images lie in, if shards do not hold them")
    made.add_argument("--classes", type=Path, metavar="FILE", help="names of the classes, one a line, from number 0")
    made.add_argument("--template", action="append", metavar="TEXT",
                      help="a prompt with {} for the class's name; repeated: the mean of all")  # fmt: skip
    made.add_argument("--templates", type=Path, metavar="FILE", help="prompts from a file, one a line")
    made.add_argument("--batch-size", type=int, default=64)
    made.add_argument("--threads", type=int, default=4, help="threads that decode images")
    made.add_argument("--torch-threads", type=int, help="threads that torch computes with on a CPU")
    made.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def _templates(given: argparse.Namespace) -> list[str]:
    lines = given.templates.read_text(encoding="utf-8").splitlines() if given.templates else []
    templates = [*(given.template or []), *(line for line in lines if line.strip())] or TEMPLATES
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"a template needs {{}} for the class's name: {template}")
        if set(template.replace("{}", "")) & {"{", "}"}:
            raise ValueError(f"a template has no braces other than {{}}: {template}")
    return templates


def evaluate(given: argparse.Namespace) -> dict[str, Any]:
    judge = Judge(given.model, given.weights, given.device, given.image_size)
    judge.model.eval()
    results: dict[str, Any] = {}
    if given.classify:
        lines = given.classes.read_text(encoding="utf-8").splitlines() if given.classes else []
        names = [line.strip() for line in lines if line.strip()] or None
        results["classification"] = classification(
            judge, given.classify, names, _templates(given), given.batch_size, given.threads
        )
    if given.retrieval:
        results["retrieval"] = retrieval(judge, given.retrieval, given.batch_size, given.threads, given.image_folder)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    made = parser()
    given = made.parse_args(arguments)
    if not given.classify and not given.retrieval:
        made.error("nothing to do: give --retrieval, --classify or both")
    if given.torch_threads:
        torch.set_num_threads(given.torch_threads)
    try:
        results = evaluate(given)
    except (ValueError, OSError, RuntimeError, drshard.Error) as error:
        print(f"eval_student: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(results))
        return 0
    for task, values in results.items():
        print(task)
        for name, value in values.items():
            print(f"  {name:24} {value:.4f}" if isinstance(value, float) else f"  {name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
