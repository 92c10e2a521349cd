"""The steps that make a view again, the same for images of PIL and of torch. See `drshard.augment.replay`."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from ._augment_items import (
    ColorJitter,
    Crop,
    Cutmix,
    Erase,
    Flip,
    Item,
    Mixup,
    RandAugment,
    RandomCrop,
    Resize,
)
from .errors import ArgumentError

# The order of the published pipeline. What stands before `_SIZED` brings the image to the size of the view.
_BEFORE = (Resize, RandomCrop, Crop)
_SIZED = (Flip, RandAugment, ColorJitter, Erase, Mixup, Cutmix)
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
# A box may reach beyond its image, but a damaged number must not ask for all memory there is.
_MAX_PADDED_PIXELS = 1 << 26


def run(
    image: Any,
    items: Sequence[Item],
    size: int | tuple[int, int],
    interpolation: str,
    fill: float | Sequence[float] | None,
    partner: Any,
) -> Any:
    """`drshard.augment.replay`, with the items of a record."""
    backend = _backend(image)
    if interpolation not in _INTERPOLATIONS:
        raise ArgumentError(f"interpolation {interpolation!r}, there are {', '.join(_INTERPOLATIONS)}")
    size, fill = _size(size), _fill(fill)
    image = backend.prepare(image)
    if any(isinstance(item, (Mixup, Cutmix)) for item in items):
        partner = _partner(backend, image, partner, size)
    done = [item for kind in _BEFORE + _SIZED for item in items if isinstance(item, kind)]
    image = _bring_to_size(backend, image, [item for item in done if isinstance(item, _BEFORE)], size, interpolation)
    for item in done:
        if isinstance(item, _SIZED):
            image = _apply(backend, image, item, fill, partner)
    return image


def _backend(image: Any) -> ModuleType:
    """The module for this kind of image. An image of PIL or torch exists only where they are imported already."""
    pil, torch = sys.modules.get("PIL.Image"), sys.modules.get("torch")
    if pil is not None and isinstance(image, pil.Image):
        from . import _replay_pil

        return _replay_pil
    if torch is not None and isinstance(image, torch.Tensor):
        from . import _replay_torch

        return _replay_torch
    raise ArgumentError(f"expected an image of PIL or a tensor of torch, found {type(image).__name__}")


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the view."""
    try:
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
        size = (operator.index(height), operator.index(width))
    except (TypeError, ValueError):
        raise ArgumentError(f"size {size!r:.60}, it is a number or (height, width)") from None
    if min(size) < 1:
        raise ArgumentError(f"size {size}, at least 1 is possible")
    return size


def _fill(fill: float | Sequence[float] | None) -> tuple[float, float, float]:
    try:
        given: Any = 0 if fill is None else fill
        colour = tuple(given) if hasattr(given, "__len__") else (given,) * 3
        if len(colour) != 3 or not all(math.isfinite(part) for part in colour):
            raise ValueError
    except (TypeError, ValueError):
        raise ArgumentError(f"fill {fill!r:.60}, it is a number or one for each of three channels") from None
    return colour


def _partner(backend: ModuleType, image: Any, partner: Any, size: tuple[int, int]) -> Any:
    if partner is None:
        raise ArgumentError("the record mixes another image in: give its view as `partner`")
    if _backend(partner) is not backend:
        raise ArgumentError("image and partner are of one kind, both of PIL or both of torch")
    partner = backend.prepare(partner)
    if backend.size(partner) != size or not backend.is_alike(image, partner):
        raise ArgumentError(
            f"the partner is a view of size {size} like the image, and not of size {backend.size(partner)}"
        )
    return partner


def _bring_to_size(
    backend: ModuleType, image: Any, items: list[Item], size: tuple[int, int], interpolation: str
) -> Any:
    for item in items:
        if isinstance(item, Resize):
            image = backend.resize(image, _shorter_side(backend.size(image), item.size), interpolation)
        elif isinstance(item, RandomCrop):
            image = _crop(backend, image, (item.top, item.left, *size))
        elif isinstance(item, Crop):
            image = _crop(backend, image, (item.top, item.left, item.height, item.width))
            image = backend.resize(image, size, interpolation)
    if not items:
        return backend.resize(image, size, interpolation)
    if isinstance(items[-1], Resize):
        top, left = (_middle(have, want) for have, want in zip(backend.size(image), size, strict=True))
        image = _crop(backend, image, (top, left, *size))
    return image


def _middle(have: int, want: int) -> int:
    """Where the middle `want` pixels of `have` begin, as torchvision's center crop has it; below 0 where it pads."""
    return round((have - want) / 2) if have >= want else -((want - have) // 2)


def _shorter_side(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """The size of an image whose shorter side is brought to `shorter`, as torchvision has it."""
    height, width = size
    longer = shorter * max(size) // min(size)
    if shorter < 1 or shorter * longer > max(_MAX_PADDED_PIXELS, height * width):
        raise ArgumentError(f"resize to {shorter} of an image of {height} x {width} pixels")
    return (shorter, longer) if height <= width else (longer, shorter)


def _crop(backend: ModuleType, image: Any, box: tuple[int, int, int, int]) -> Any:
    top, left, height, width = box
    image_height, image_width = backend.size(image)
    where = f"the crop box (top {top}, left {left}, height {height}, width {width})"
    if height < 1 or width < 1:
        raise ArgumentError(f"{where} has no area")
    if top >= image_height or left >= image_width or top + height <= 0 or left + width <= 0:
        raise ArgumentError(f"{where} lies outside of the image, which has {image_height} x {image_width} pixels")
    if height * width > max(_MAX_PADDED_PIXELS, image_height * image_width):
        raise ArgumentError(f"{where} is far larger than the image, which has {image_height} x {image_width} pixels")
    return backend.crop(image, box)


def _apply(backend: ModuleType, image: Any, item: Item, fill: tuple[float, ...], partner: Any) -> Any:
    """One step on an image that has the size of the view."""
    if isinstance(item, RandAugment):
        for index, magnitude in item.operations:
            image = _operation(backend, image, index, magnitude, fill)
        return image
    if isinstance(item, ColorJitter):
        return _color_jitter(backend, image, item)
    if isinstance(item, Flip):
        return backend.flip(image) if item.applied else image
    if isinstance(item, Erase):
        _check_box("erase", item, item.x, item.y, item.height, item.width)
        return backend.erase(image, item.x, item.y, item.height, item.width)
    if isinstance(item, Mixup):
        if not 0 <= item.lambda_ <= 1:
            raise ArgumentError(f"mixup of {item.lambda_}, 0 to 1 is possible")
        return backend.mix(image, partner, item.lambda_)
    assert isinstance(item, Cutmix), item
    _check_box("cutmix", item, item.x1, item.y1, item.x2 - item.x1, item.y2 - item.y1)
    return backend.paste(image, partner, item.x1, item.y1, item.x2 - item.x1, item.y2 - item.y1)


def _check_box(name: str, item: Item, x: int, y: int, height: int, width: int) -> None:
    if min(x, y, height, width) < 0:
        raise ArgumentError(f"{name}: {item} begins outside of the image, or ends before it begins")


def _operation(backend: ModuleType, image: Any, index: int, magnitude: float, fill: tuple[float, ...]) -> Any:
    from .augment import OPERATIONS

    if index >= len(OPERATIONS):
        raise ArgumentError(f"operation {index}, there are 0 to {len(OPERATIONS) - 1}")
    name = OPERATIONS[index]
    if not abs(magnitude) < 1 << 31:
        raise ArgumentError(f"{name} of {magnitude}")
    if name in ("Brightness", "Color", "Contrast", "Sharpness"):
        if magnitude < -1:
            raise ArgumentError(f"{name} of {magnitude}, at least -1 is possible")
        return backend.enhance(image, name, 1.0 + magnitude)
    if name == "Posterize" and not 1 <= int(magnitude) <= 8:
        raise ArgumentError(f"Posterize of {magnitude} bits, 1 to 8 are possible")
    if name == "Solarize" and not 0 <= magnitude <= 255:
        raise ArgumentError(f"Solarize from {magnitude} on, 0 to 255 is possible")
    return backend.operation(image, name, magnitude, fill)


def _color_jitter(backend: ModuleType, image: Any, item: ColorJitter) -> Any:
    names = ("Brightness", "Contrast", "Color", "Hue")
    for place in item.order:
        if place > 3:
            raise ArgumentError(f"color_jitter: step {place}, there are 0 to 3")
        name, factor = names[place], item.factors[place]
        if name == "Hue":
            if not abs(factor) <= 0.5:
                raise ArgumentError(f"color_jitter: hue {factor}, -0.5 to 0.5 is possible")
            image = backend.hue(image, factor)
        elif not 0 <= factor < 1 << 31:
            raise ArgumentError(f"color_jitter: {name.lower()} {factor}, at least 0 is possible")
        else:
            image = backend.enhance(image, name, factor)
    return image
