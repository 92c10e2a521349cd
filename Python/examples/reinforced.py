"""The loss of reinforced image-text data: contrastive, and distilled from the stored embeddings of teachers.

For a batch of normalised image features a and text features b, with the student's logit scale s:

    Z = s a bT                                        the student's logits
    P = mean over teachers k of softmax(s_k A_k B_kT)   what the teachers say, each with its own logit scale
    distill     = mean over rows of - sum P log softmax(Z), averaged over image-to-text and text-to-image
    contrastive = mean over rows of the cross entropy of Z with the row's own partner, averaged likewise
    loss        = (1 - w) contrastive + w distill

It is computed for the real captions and for the synthetic ones, with the same image features, and summed.

A_k and B_k are slices of the stored embeddings, which hold one teacher behind the other. Where the slices are, and what
the logit scales are, the shards say themselves: see `teachers_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import processes
import torch
from torch.nn import functional

# The parts of a step, the role of their embeddings' columns, and the kind of axis that these columns have.
PARTS = {
    "image": ("image_embedding", "views"),
    "real": ("text_embedding", "real captions"),
    "synthetic": ("text_embedding", "synthetic captions"),
}


class TeacherError(ValueError):
    """The shards do not say what the loss needs to know about their teachers."""


@dataclass(frozen=True)
class TeacherPart:
    """Where one teacher's embeddings are in the stored ones, for each part of a step, and how its logits are scaled."""

    name: str
    logit_scale: float
    slices: Mapping[str, tuple[int, int]]
    normalised: bool = True

    def of(self, part: str, stored: torch.Tensor) -> torch.Tensor:
        """This teacher's embeddings, f32, with norm 1. Those that are stored normalised stay as they are stored."""
        first, count = self.slices[part]
        rows = stored[:, first : first + count].float()
        return rows if self.normalised else functional.normalize(rows, dim=-1)


def teachers_of(
    schema: Any, captions: Sequence[str] = ("real", "synthetic"), logit_scales: Sequence[float] | None = None
) -> list[TeacherPart]:
    """The teachers that a data set's schema names. `logit_scales`, one for each of them, goes before what it says."""
    if not schema.teachers:
        raise TeacherError(
            "the shards name no teachers: convert with --teacher NAME:FIRST:COUNT:LOGIT-SCALE for each, "
            "or train without distillation (--distill-weight 0)"
        )
    names = [teacher.name for teacher in schema.teachers]
    if logit_scales is not None and len(logit_scales) != len(names):
        raise TeacherError(
            f"{len(logit_scales)} logit scales for {len(names)} teachers: give one for each, in the order "
            f"{', '.join(names)}"
        )
    scales = logit_scales if logit_scales is not None else [teacher.logit_scale for teacher in schema.teachers]
    parts = ["image", *captions]
    return [_teacher(schema, teacher, scale, parts) for teacher, scale in zip(schema.teachers, scales)]


def _teacher(schema: Any, teacher: Any, scale: float | None, parts: Sequence[str]) -> TeacherPart:
    if scale is None:
        names = ", ".join(each.name for each in schema.teachers)
        raise TeacherError(
            f"the shards do not say the logit scale of teacher {teacher.name}: give --logit-scales, one for each of "
            f"{names} (OpenAI's and DataComp's ViT-L/14 have 100), or convert with "
            f"--teacher {teacher.name}:FIRST:COUNT:LOGIT-SCALE"
        )
    slices = {part: _slice(schema, teacher, part) for part in parts}
    widths = {count for _, count in slices.values()}
    if len(widths) > 1:
        raise TeacherError(f"teacher {teacher.name} has slices of {sorted(widths)} elements, which cannot be compared")
    # Whether they are normalised may be unknown; then normalising is what costs nothing if they were.
    return TeacherPart(teacher.name, float(scale), slices, teacher.normalised is True)


def _slice(schema: Any, teacher: Any, part: str) -> tuple[int, int]:
    role, kind = PARTS[part]
    kinds = {axis.name: axis.kind for axis in schema.axes}
    columns = [column.name for column in schema.columns if column.role == role and kinds.get(column.axis) == kind]
    found = {(each.first, each.count) for each in teacher.slices if each.column in columns}
    if len(found) != 1:
        what = "several different slices" if found else "no slice"
        raise TeacherError(
            f"teacher {teacher.name} has {what} of {' and '.join(columns) or f'{part} embeddings'}: "
            f"without distillation (--distill-weight 0) none is needed"
        )
    return next(iter(found))


class ReinforcedLoss:
    """The loss of a step, on the rows of all processes.

    Called on the rows of this process; what it returns is the mean over these rows, compared with the rows of all. The
    mean over processes is the loss of one process that has all rows, and the mean over processes of the parameters'
    gradients (what DistributedDataParallel makes) is that loss's gradient. All processes need equally many rows.
    """

    def __init__(self, teachers: Sequence[TeacherPart], distill_weight: float = 0.7) -> None:
        if not 0 <= distill_weight <= 1:
            raise ValueError(f"the weight of distillation lies in 0 ... 1, not {distill_weight}")
        if distill_weight > 0 and not teachers:
            raise TeacherError("distillation needs a teacher")
        self.teachers = list(teachers) if distill_weight > 0 else []
        self.distill_weight = distill_weight

    def __call__(
        self,
        image: torch.Tensor,
        texts: Mapping[str, torch.Tensor],
        logit_scale: torch.Tensor | float,
        stored: Mapping[str, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """`texts` are the features of the captions by part ("real", "synthetic"); `stored` the teachers' embeddings as
        they are stored, by part, those of the image too. Returns "loss" and what it is made of."""
        # Logits reach the hundreds: they are computed in f32, whatever precision the student computes in.
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            all_images = processes.rows_of_all(image)
            taught_images = self._taught("image", stored)
            parts: dict[str, torch.Tensor] = {}
            for part, features in texts.items():
                features = features.float()
                all_texts = processes.rows_of_all(features)
                rows = (logit_scale * image @ all_texts.T, logit_scale * features @ all_images.T)
                targets = self._targets(taught_images, self._taught(part, stored))
                parts.update({f"{name}_{part}": value for name, value in self._parts(rows, targets).items()})
            return {"loss": self._sum(parts), **parts}

    def _taught(self, part: str, stored: Mapping[str, torch.Tensor] | None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each teacher its embeddings of this process's rows, and of all rows."""
        if not self.teachers:
            return []
        if stored is None or part not in stored:
            raise ValueError(f"distillation needs the teachers' embeddings of the part {part}")
        # Gathered as stored (bf16 is half the traffic) and only then made f32.
        own, everyone = stored[part], processes.rows_of_all(stored[part])
        return [(teacher.of(part, own), teacher.of(part, everyone)) for teacher in self.teachers]

    def _targets(
        self,
        images: list[tuple[torch.Tensor, torch.Tensor]],
        texts: list[tuple[torch.Tensor, torch.Tensor]],
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The mean of the teachers' probabilities, for image to text and text to image; rows of this process."""
        if not self.teachers:
            return None
        of_images, of_texts = [], []
        for teacher, (image, all_images), (text, all_texts) in zip(self.teachers, images, texts):
            of_images.append((teacher.logit_scale * image @ all_texts.T).softmax(dim=1))
            of_texts.append((teacher.logit_scale * text @ all_images.T).softmax(dim=1))
        return sum(of_images) / len(self.teachers), sum(of_texts) / len(self.teachers)

    def _parts(self, rows: Sequence[torch.Tensor], targets: Sequence[torch.Tensor] | None) -> dict[str, torch.Tensor]:
        first = processes.rank() * rows[0].shape[0]
        own = torch.arange(first, first + rows[0].shape[0], device=rows[0].device)
        logs = [logits.log_softmax(dim=1) for logits in rows]
        contrastive = sum(functional.nll_loss(log, own) for log in logs) / 2
        if targets is None:
            return {"contrastive": contrastive}
        distill = sum(-(target * log).sum(dim=1).mean() for target, log in zip(targets, logs)) / 2
        return {"contrastive": contrastive, "distill": distill}

    def _sum(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        weights = {"contrastive": 1 - self.distill_weight, "distill": self.distill_weight}
        return sum(weights[name.partition("_")[0]] * value for name, value in parts.items())
