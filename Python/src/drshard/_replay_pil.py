"""Steps of `drshard.augment.replay` on PIL images, with PIL alone.

Boxes are (top, left, height, width), sizes (height, width).
"""

from __future__ import annotations

import math

from PIL import Image, ImageEnhance, ImageOps

_INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_Colour = tuple[float, float, float]


def prepare(image: Image.Image) -> Image.Image:
    """The image in RGB. By way of RGBA, as trainers that decode to RGBA have it: transparency is dropped, not mixed."""
    return image if image.mode == "RGB" else image.convert("RGBA").convert("RGB")


def size(image: Image.Image) -> tuple[int, int]:
    return (image.height, image.width)


def is_alike(image: Image.Image, other: Image.Image) -> bool:
    return image.mode == other.mode


def crop(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height))


def resize(image: Image.Image, size: tuple[int, int], interpolation: str) -> Image.Image:
    return image.resize(size[::-1], _INTERPOLATIONS[interpolation])


def flip(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def operation(image: Image.Image, name: str, magnitude: float, fill: _Colour) -> Image.Image:
    """One operation of RandAugment other than those of `enhance`."""
    if name == "Rotate":
        return image.rotate(magnitude, Image.Resampling.NEAREST, fillcolor=_bytes(fill))
    if name == "Posterize":
        return ImageOps.posterize(image, int(magnitude))
    if name == "Solarize":
        return ImageOps.solarize(image, magnitude)  # type: ignore[arg-type]  # 178.5 is a threshold like another
    if name == "AutoContrast":
        return ImageOps.autocontrast(image)
    if name == "Equalize":
        return ImageOps.equalize(image)
    if name == "Identity":
        return image
    matrix = _matrix(name, magnitude)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=_bytes(fill))


def _matrix(name: str, magnitude: float) -> tuple[float, ...]:
    """Where in the source a pixel comes from: x' = a x + b y + c, y' = d x + e y + f."""
    if name == "TranslateX":
        return (1.0, 0.0, -float(int(magnitude)), 0.0, 1.0, 0.0)
    if name == "TranslateY":
        return (1.0, 0.0, 0.0, 0.0, 1.0, -float(int(magnitude)))
    # By way of degrees, since each rounding can move a pixel that lies between two others.
    angle = math.radians(math.degrees(math.atan(magnitude)))
    if name == "ShearX":
        return (1.0, math.tan(angle), 0.0, 0.0, 1.0, 0.0)
    return (1.0, 0.0, 0.0, math.sin(angle) / math.cos(angle), 1.0, 0.0)


def _bytes(fill: _Colour) -> tuple[int, ...]:
    return tuple(int(part) for part in fill)


def enhance(image: Image.Image, name: str, factor: float) -> Image.Image:
    """Brightness, Color, Contrast or Sharpness; 1 leaves the image as it is."""
    return getattr(ImageEnhance, name)(image).enhance(factor)


def hue(image: Image.Image, factor: float) -> Image.Image:
    """Moves the hue by a part of the circle, -0.5 to 0.5."""
    hue, saturation, value = image.convert("HSV").split()
    moved = hue.point([(level + int(factor * 255)) % 256 for level in range(256)])
    return Image.merge("HSV", (moved, saturation, value)).convert("RGB")


def erase(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    image = image.copy()
    if height and width:
        image.paste((0, 0, 0), (left, top, left + width, top + height))
    return image


def mix(image: Image.Image, partner: Image.Image, weight: float) -> Image.Image:
    return Image.blend(partner, image, weight)


def paste(image: Image.Image, partner: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    image = image.copy()
    box = (left, top, min(left + width, image.width), min(top + height, image.height))
    if box[0] < box[2] and box[1] < box[3]:
        image.paste(partner.crop(box), box)
    return image
