"""Teachers: models of open_clip that turn views and captions into embeddings."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import open_clip
import torch
from drshard.augment import Augmentation, replay
from PIL import Image
from torchvision.transforms.functional import normalize, pil_to_tensor

PRECISIONS = ("fp32", "amp", "bf16", "fp16")


def load_model(name: str, seed: int, device: str, precision: str) -> tuple[torch.nn.Module, Any]:
    """A model of open_clip and its transform for whole images.

    Args:
        name: MODEL:PRETRAINED as open_clip names them, a file of weights instead of PRETRAINED, or MODEL:random for
            weights that depend on `seed` alone. MODEL may be `hf-hub:...` or `local-dir:...`, without PRETRAINED.

    Raises:
        SystemExit: open_clip has no such model, or cannot load it.
    """
    if name.startswith(("hf-hub:", "local-dir:")):
        model, pretrained = name, None
    else:
        model, _, pretrained = name.partition(":")
        if not pretrained:
            raise SystemExit(f"{name}: which weights? MODEL:PRETRAINED, or {name}:random to try it out")
    is_random = pretrained == "random"
    torch.manual_seed(seed)
    try:
        model, _, transform = open_clip.create_model_and_transforms(
            model, None if is_random else pretrained, precision=precision if precision != "amp" else "fp32",
            device=device, pretrained_text=not is_random,
        )  # fmt: skip
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"{name}: {error}") from None
    return model.eval().requires_grad_(False), transform


def casting(device: str, precision: str) -> contextlib.AbstractContextManager:
    """What models run in: without gradients, and with "amp" in bfloat16 where that is good enough."""
    stack = contextlib.ExitStack()
    stack.enter_context(torch.inference_mode())
    if precision == "amp":
        stack.enter_context(torch.autocast(torch.device(device).type, dtype=torch.bfloat16))
    return stack


@dataclass(frozen=True)
class Look:
    """How a teacher wants its images; teachers that want the same get the same."""

    size: tuple[int, int]
    """(height, width)."""
    interpolation: str

    def views(self, image: Image.Image, augmentations: Sequence[Augmentation]) -> torch.Tensor:
        """The views that the records describe, u8 [V, 3, height, width]."""
        views = [replay(image, record, self.size, interpolation=self.interpolation) for record in augmentations]
        return torch.stack([pil_to_tensor(view) for view in views])


@dataclass
class Teacher:
    """A model, and its place among the concatenated embeddings."""

    name: str
    seed: int
    device: str
    precision: str
    look: Look = field(init=False)
    dims: int = field(init=False)
    logit_scale: float = field(init=False)

    def __post_init__(self) -> None:
        self._model, _ = load_model(self.name, self.seed, self.device, self.precision)
        wants = self._model.visual.preprocess_cfg
        size = wants["size"]
        interpolation = wants["interpolation"] if wants["interpolation"] in ("bilinear", "nearest") else "bicubic"
        self.look = Look((size, size) if isinstance(size, int) else tuple(size), interpolation)
        self._mean, self._std = list(wants["mean"]), list(wants["std"])
        self._tokenizer = open_clip.get_tokenizer(model_name(self.name))
        self.logit_scale = float(self._model.logit_scale.float().exp())
        try:
            self.dims = self.of_images(torch.zeros((1, 3, *self.look.size), dtype=torch.uint8)).shape[1]
        except RuntimeError as error:
            raise SystemExit(f"{self.name}: does not run with --precision {self.precision}: {error}") from None

    @property
    def _dtype(self) -> torch.dtype:
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision, torch.float32)

    def of_images(self, views: torch.Tensor) -> torch.Tensor:
        """Embeddings of norm 1 of u8 [N, 3, height, width]: f32 [N, dims], on the CPU."""
        pixels = normalize(views.to(self.device).float() / 255, self._mean, self._std)
        with casting(self.device, self.precision):
            return _unit(self._model.encode_image(pixels.to(self._dtype)))

    def of_texts(self, texts: list[str]) -> torch.Tensor:
        """Embeddings of norm 1: f32 [N, dims], on the CPU."""
        with casting(self.device, self.precision):
            return _unit(self._model.encode_text(self._tokenizer(texts).to(self.device)))


def model_name(name: str) -> str:
    """What open_clip calls the model of MODEL:PRETRAINED."""
    return name if name.startswith(("hf-hub:", "local-dir:")) else name.partition(":")[0]


def _unit(features: torch.Tensor) -> torch.Tensor:
    # Normalised in f32 whatever the model ran in, since the norm must be 1 after rounding to bf16 too.
    return torch.nn.functional.normalize(features.float(), dim=-1).cpu()
