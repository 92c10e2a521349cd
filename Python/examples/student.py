"""The student: a model of open_clip, and its images as the data set's augmentations make them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drshard
import open_clip
import torch
from drshard.views import ViewMaker
from torch.nn import functional

CONFIGS = Path(__file__).parent / "configs"
# open_clip has the configurations of MobileCLIP's S1, S2 and B; of S0 only MobileCLIP2's, which is the same towers.
SHORT_NAMES = {"S0": "MobileCLIP2-S0", "S1": "MobileCLIP-S1", "S2": "MobileCLIP-S2", "B": "MobileCLIP-B"}
MODEL_HELP = (
    "a model of open_clip, such as MobileCLIP-S1 or MobileCLIP2-S0; S0, S1, S2 or B for short; tiny, which is for "
    "tests; or a file with an open_clip configuration"
)


def model_name(name: str) -> str:
    """The name by which open_clip knows a model; configurations of these examples and files are made known to it."""
    if name in SHORT_NAMES:
        return SHORT_NAMES[name]
    file = Path(name) if name.endswith(".json") else CONFIGS / f"{name}.json"
    if file.is_file():
        if file.stem not in open_clip.list_models():
            open_clip.add_model_config(file)
        return file.stem
    if open_clip.get_model_config(name) is None:
        raise ValueError(f"open_clip {open_clip.__version__} has no model {name}")
    return name


def create_model(name: str, weights: str | None = None, image_size: int | None = None) -> torch.nn.Module:
    """A model on the CPU, in f32; `weights` is a checkpoint's path, or a tag that open_clip knows."""
    # open_clip warns of models without weights, which is what a model is before it is trained.
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        return open_clip.create_model(model_name(name), pretrained=weights, force_image_size=image_size)
    finally:
        logging.getLogger().setLevel(level)


class Student(torch.nn.Module):
    """A model whose forward pass gives normalised f32 features of images and texts, and the logit scale.

    It is one forward pass for both, so that DistributedDataParallel can wrap it.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor, texts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.model.encode_image(images).float(), self.model.encode_text(texts).float()
        image, text = (functional.normalize(each, dim=-1) for each in features)
        return image, text, self.model.logit_scale.float().exp()


@dataclass(frozen=True)
class Look:
    """What a model wants its images to be like: pixels a side, and the mean and deviation of each channel."""

    size: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, model: torch.nn.Module) -> Look:
        settings = model.visual.preprocess_cfg
        size = settings["size"]
        if not isinstance(size, int):
            size, other = size
            if size != other:
                raise ValueError(f"the model wants images of {size} by {other} pixels, crops are replayed as squares")
        return cls(size, tuple(settings["mean"]), tuple(settings["std"]))

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """u8 [B, 3, H, W] as f32 with the model's mean and deviation, on the device where the pixels are."""
        mean, deviation = (
            torch.tensor(values, device=pixels.device).view(1, -1, 1, 1) for values in (self.mean, self.deviation)
        )
        return (pixels.float() / 255 - mean) / deviation


class ImageMaker:
    """Decodes images and replays their augmentations on threads of its own; Pillow computes without Python's lock.

    `folder` is where the files are that images lie in, if the shards do not hold them.
    """

    def __init__(self, size: int, threads: int = 2, folder: str | Path | None = None) -> None:
        self.view = ViewMaker(size, None, None, image_folder=folder)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="images") if threads > 0 else None

    def __call__(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """The images of a batch, u8 [B, 3, size, size]."""
        if "image" not in batch:
            raise ValueError("the shards have no images: convert with --captions, and without --images none")
        images = batch["image"]
        augmentations: Sequence[Any] = batch.get("augmentation") or [None] * len(images)
        each = self.pool.map if self.pool else map
        made = list(each(self._one, images, augmentations, batch["row"]))
        return torch.stack(made)

    def _one(self, image: Any, augmentation: Any, row: Any) -> torch.Tensor:
        try:
            return self.view(image, augmentation)
        except drshard.Error as error:
            raise ValueError(f"row {int(row)}: {error}") from error

    def close(self) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)
