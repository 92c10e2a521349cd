"""From an encoded image and the record of a view to the tensor that a student sees."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from . import _types
from .augment import Augmentation, replay
from .errors import ArgumentError, ChecksumError, FileError
from .values import Locator

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class ViewMaker:
    """Makes the view of an image that a batch names: decodes, replays the augmentation, normalises.

    Args:
        size: of the view, in pixels: a number, or (height, width).
        mean, std: of the three channels, that are subtracted and divided by; both None: tensors are uint8 as they are.
        image_folder: where the files are that images lie in, if the data set has a `Locator` in place of each.

    Called with an image's bytes, or its `Locator`, and its `Augmentation` (None: the whole image, resized); returns a
    `torch.Tensor` [3, height, width], float32 or uint8.

    Raises:
        ArgumentError: for a size, mean or std that cannot be; for an image that is missing or cannot be decoded, a crop that
            lies outside it, a `Locator` without an ``image_folder``.
        FileError: if an image cannot be read from the folder.
        ChecksumError: if it is not the image that was there when the data set was made.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        mean: Iterable[float] | None = CLIP_MEAN,
        std: Iterable[float] | None = CLIP_STD,
        *,
        image_folder: str | os.PathLike | None = None,
    ) -> None:
        sides = size if isinstance(size, (tuple, list)) else (size, size)
        if len(sides) != 2:
            raise ArgumentError(f"size {size!r:.80}, it is a number or (height, width)")
        height, width = (_types.integer("size", side, 1, 1 << 31) for side in sides)
        self.size = (height, width) if isinstance(size, (tuple, list)) else height
        self._height, self._width = height, width
        if (mean is None) != (std is None):
            raise ArgumentError("mean and std: both or none of them")
        self.mean = None if mean is None else _channels("mean", mean)
        self.std = None if std is None else _channels("std", std)
        if self.std is not None and 0 in self.std:
            raise ArgumentError("a std of 0")
        self.image_folder = None if image_folder is None else os.fspath(image_folder)

    @classmethod
    def of(cls, preprocess: Any, *, image_folder: str | os.PathLike | None = None) -> ViewMaker:
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
        sides = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
        return cls((sides[0], sides[-1]), mean, std, image_folder=image_folder)

    def __call__(self, image: bytes | Locator | None, augmentation: Augmentation | None):
        import numpy as np
        import torch
        from PIL import Image

        if isinstance(image, Locator):
            image = located(image, self.image_folder)
        view = replay(decoded(image), augmentation if augmentation is not None else Augmentation(items=()), self.size)
        if view.size != (self._width, self._height):
            view = view.resize((self._width, self._height), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()
        if self.mean is None or self.std is None:
            return pixels
        mean, std = torch.tensor(self.mean).view(3, 1, 1), torch.tensor(self.std).view(3, 1, 1)
        return pixels.float().div_(255).sub_(mean).div_(std)


def _channels(name: str, given: Iterable[float]) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, given))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ArgumentError(f"{name} {given!r:.80}, it is three numbers")
    return numbers


def decoded(image: Any):
    """An encoded image as PIL's, in RGB. Orientation tags are not followed: crops were drawn without them.

    Raises:
        ArgumentError: for one that is missing or cannot be decoded.
    """
    from PIL import Image

    if image is None:
        raise ArgumentError("an image is missing")
    if not isinstance(image, (bytes, bytearray, memoryview)):
        raise ArgumentError(f"an image is {image!r:.80}, not bytes")
    try:
        picture: Image.Image = Image.open(io.BytesIO(image))
        if picture.mode != "RGB":
            # As the teachers' images were opened: a transparent one keeps its colours.
            picture = picture.convert("RGBA").convert("RGB")
        picture.load()
    except Exception as error:
        # PIL's decoders raise whatever occurs to them.
        raise ArgumentError(f"an image that cannot be decoded: {error}") from error
    return picture


def located(place: Locator, image_folder: str | os.PathLike | None) -> bytes:
    """The bytes of an image that lies in a file of a folder.

    Raises:
        ArgumentError: without a folder.
        FileError: if it cannot be read, or lies outside of the folder.
        ChecksumError: if it is not the image that was there when the data set was made.
    """
    if image_folder is None:
        raise ArgumentError(
            f"the data set says where images lie, and does not hold them: name the folder of {place.container!r} by "
            "`image_folder`"
        )
    container = PurePosixPath(place.container)
    # Names come from the data: none may lead to other files of this machine.
    if container.is_absolute() or ".." in container.parts or "\0" in place.container:
        raise FileError(f"an image lies in {place.container!r}, which is not in {image_folder!r}")
    path = os.path.join(os.fsdecode(image_folder), place.container)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if place.position + place.byte_count > size:
                raise FileError(f"{path} ends at {size}, before an image at {place.position}", path=path)
            file.seek(place.position)
            image = file.read(place.byte_count)
    except FileError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: cannot read an image: {error}", path=path, position=place.position) from error
    if place.sha256 is not None and hashlib.sha256(image).digest() != place.sha256:
        raise ChecksumError(f"{path}: another image at {place.position}", path=path, position=place.position)
    return image
