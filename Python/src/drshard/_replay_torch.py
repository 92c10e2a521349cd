"""Steps of `drshard.augment.replay` on torch tensors [3, H, W].

Boxes are (top, left, height, width), sizes (height, width).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.transforms import functional
from torchvision.transforms.functional import InterpolationMode

from .errors import ArgumentError

_BYTES_ALONE = ("Posterize", "Solarize", "Equalize")
_Colour = tuple[float, float, float]


def prepare(image: Tensor) -> Tensor:
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ArgumentError(f"expected a tensor [3, H, W], found {list(image.shape)}")
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ArgumentError(f"expected a tensor of uint8 or of floats from 0 to 1, found {image.dtype}")
    return image


def size(image: Tensor) -> tuple[int, int]:
    return (image.shape[1], image.shape[2])


def is_alike(image: Tensor, other: Tensor) -> bool:
    return image.dtype == other.dtype and image.device == other.device


def crop(image: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    return functional.crop(image, *box)


def resize(image: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    return functional.resize(image, list(size), InterpolationMode(interpolation), antialias=True)


def flip(image: Tensor) -> Tensor:
    return functional.hflip(image)


def operation(image: Tensor, name: str, magnitude: float, fill: _Colour) -> Tensor:
    """One operation of RandAugment other than those of `enhance`."""
    if name in _BYTES_ALONE and image.is_floating_point():
        # torchvision has them for bytes alone, and their magnitudes count bits and levels of bytes.
        levels = image.mul(255).round().clamp(0, 255).to(torch.uint8)
        return operation(levels, name, magnitude, fill).to(image.dtype).div(255)
    if name == "Rotate":
        return functional.rotate(image, magnitude, InterpolationMode.NEAREST, fill=_floats(fill))
    if name == "Posterize":
        return functional.posterize(image, int(magnitude))
    if name == "Solarize":
        return functional.solarize(image, magnitude)
    if name == "AutoContrast":
        return functional.autocontrast(image)
    if name == "Equalize":
        return functional.equalize(image)
    if name == "Identity":
        return image
    return _move(image, name, magnitude, fill)


def _move(image: Tensor, name: str, magnitude: float, fill: _Colour) -> Tensor:
    """Shear, by the number that the sides of a pixel change by, about the corner; or translation by whole pixels."""
    axis = 0 if name.endswith("X") else 1
    translate, shear, centre = [0, 0], [0.0, 0.0], None
    if name.startswith("Translate"):
        translate[axis] = int(magnitude)
    else:
        shear[axis] = math.degrees(math.atan(magnitude))
        centre = [0, 0]
    return functional.affine(
        image, angle=0.0, translate=translate, scale=1.0, shear=shear, interpolation=InterpolationMode.NEAREST,
        fill=_floats(fill), center=centre,
    )  # fmt: skip


def _floats(fill: _Colour) -> list[float] | None:
    # No fill and black are the same pixels, but without fill there is no mask to make.
    return [float(part) for part in fill] if any(fill) else None


def enhance(image: Tensor, name: str, factor: float) -> Tensor:
    """Brightness, Color, Contrast or Sharpness; 1 leaves the image as it is."""
    names = {"Color": "saturation"}
    return getattr(functional, f"adjust_{names.get(name, name.lower())}")(image, factor)


def hue(image: Tensor, factor: float) -> Tensor:
    """Moves the hue by a part of the circle, -0.5 to 0.5."""
    return functional.adjust_hue(image, factor)


def erase(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    image = image.clone()
    image[:, top : top + height, left : left + width] = 0
    return image


def mix(image: Tensor, partner: Tensor, weight: float) -> Tensor:
    mixed = weight * image + (1.0 - weight) * partner
    return mixed if image.is_floating_point() else mixed.round().to(image.dtype)


def paste(image: Tensor, partner: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    image = image.clone()
    rows, columns = slice(top, top + height), slice(left, left + width)
    image[:, rows, columns] = partner[:, rows, columns]
    return image
