"""From an encoded image and the record of a view to the tensor that a student sees."""

from __future__ import annotations

import io
from typing import Any

from .augment import Augmentation, replay
from .errors import ArgumentError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class ViewMaker:
    """Makes the view of an image that a batch names: decodes, replays the augmentation, normalises.

    Args:
        size: of the view, in pixels: a number, or (height, width).
        mean, std: of the three channels, that are subtracted and divided by; None: tensors are uint8 as they are.

    Called with an image's bytes and its `Augmentation` (None: the whole image, resized); returns a `torch.Tensor`
    [3, height, width], float32 or uint8.

    Raises:
        ArgumentError: for an image that is missing or cannot be decoded, or a crop that lies outside it.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        mean: tuple[float, ...] | None = CLIP_MEAN,
        std: tuple[float, ...] | None = CLIP_STD,
    ) -> None:
        self.size = size
        self.mean, self.std = mean, std

    @classmethod
    def of(cls, preprocess: Any) -> ViewMaker:
        """One with the size, mean and std of an open_clip model's transform.

        Raises:
            ArgumentError: for a transform that does not tell them.
        """
        size = mean = std = None
        for step in getattr(preprocess, "transforms", []):
            size = getattr(step, "size", size)
            mean, std = getattr(step, "mean", mean), getattr(step, "std", std)
        if size is None or mean is None or std is None:
            raise ArgumentError("the transform tells no size, mean and std; make a ViewMaker of them")
        numbers = [int(each) for each in size] if isinstance(size, (list, tuple)) else [int(size)] * 2
        return cls((numbers[0], numbers[-1]), tuple(map(float, mean)), tuple(map(float, std)))

    def __call__(self, image: bytes | None, augmentation: Augmentation | None):
        import numpy as np
        import torch
        from PIL import Image, UnidentifiedImageError

        if image is None:
            raise ArgumentError("an image is missing")
        try:
            picture = Image.open(io.BytesIO(image))
            if picture.mode != "RGB":
                # As the teachers' images were opened: a transparent one keeps its colours.
                picture = picture.convert("RGBA").convert("RGB")
            picture.load()
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            raise ArgumentError(f"an image that cannot be decoded: {error}") from error
        view = replay(picture, augmentation if augmentation is not None else Augmentation(items=()), self.size)
        if view.size != self._width_and_height():
            view = view.resize(self._width_and_height(), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()
        if self.mean is None or self.std is None:
            return pixels
        mean, std = torch.tensor(self.mean).view(3, 1, 1), torch.tensor(self.std).view(3, 1, 1)
        return pixels.float().div_(255).sub_(mean).div_(std)

    def _width_and_height(self) -> tuple[int, int]:
        if isinstance(self.size, int):
            return self.size, self.size
        return self.size[1], self.size[0]
