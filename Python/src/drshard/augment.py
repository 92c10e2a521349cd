"""Augmentations: the record of how a view of an image was made, and making the view again.

    augmentation = Augmentation(crop=(14, 347, 370, 427), operations=[(0, 0.0), (6, 0.26999998092651367)])
    view = replay(PIL.Image.open("image.jpg"), augmentation, size=224)

Importing this module needs neither PIL nor torch; `replay` needs the one whose images it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import _augment_items, _augment_published
from ._augment_items import (
    ColorJitter,
    Crop,
    Cutmix,
    Erase,
    Flip,
    Item,
    Mixup,
    Null,
    RandAugment,
    RandomCrop,
    Resize,
)
from .errors import ArgumentError

__all__ = [
    "OPERATIONS", "Augmentation", "ColorJitter", "Crop", "Cutmix", "Erase", "Flip", "Item", "Mixup", "Null",
    "RandAugment", "RandomCrop", "Resize", "replay",
]  # fmt: skip

OPERATIONS = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip
"""The operations of RandAugment by the numbers that the published sets have for them."""


class Augmentation:
    """An augmentation record: what made a view, with the numbers that were drawn. It cannot be changed.

    Two are equal if their records have equal bytes: -0.0 is not 0.0, and a NaN equals itself.

    Args:
        crop: (top, left, height, width) in pixels of the source image.
        operations: pairs (index in `OPERATIONS`, magnitude) of RandAugment.
        items: all items in order, instead of the two above; for what is rarer.

    Raises:
        ArgumentError: a number that does not fit the record (Spec/FORMAT.md, section 6.2), or both forms at once.
    """

    __slots__ = ("_record", "items")

    _record: bytes
    items: tuple[Item, ...]
    """All items, in the order of the record."""

    def __init__(
        self,
        *,
        crop: Sequence[int] | None = None,
        operations: Iterable[tuple[int, float]] | None = None,
        items: Iterable[Item] | None = None,
    ) -> None:
        if items is None:
            items = _common_items(crop, operations)
        elif crop is not None or operations is not None:
            raise ArgumentError("an augmentation has a crop and operations, or items, not both")
        self._set(_augment_items.encode(items))

    def _set(self, record: bytes) -> None:
        # Items are always those that the bytes say, so that numbers of numpy, lists and so on come out alike.
        object.__setattr__(self, "items", _augment_items.decode(record))
        object.__setattr__(self, "_record", record)

    @classmethod
    def from_bytes(cls, record: bytes | bytearray | memoryview) -> Augmentation:
        """Parses the stored record (Spec/FORMAT.md, section 6.2).

        Raises:
            CorruptError: it is cut short, or a flip is neither 0 nor 1.
            UnsupportedError: an item of a kind of a newer version.
        """
        self = cls.__new__(cls)
        self._set(bytes(memoryview(record)))
        return self

    def to_bytes(self) -> bytes:
        """The stored record."""
        return self._record

    @classmethod
    def from_published(cls, entry: Sequence[Any]) -> Augmentation:
        """Reads one entry of `param_aug`: `[[top, left, height, width], [[operation, magnitude], ...]]`.

        None instead of the operations means that they were skipped. A list of dicts of one key each, as
        `drshard export` writes it for records of another form, is read too.

        Raises:
            ArgumentError: another shape, an operation above 13, a crop that is empty or begins below 0.
        """
        return cls(items=_augment_published.from_published(entry, len(OPERATIONS)))

    def to_published(self) -> list:
        """What `from_published` reads: lists, numbers, and in records of another form dicts; ready for JSON."""
        return _augment_published.to_published(self.items)

    @property
    def crop(self) -> tuple[int, int, int, int] | None:
        """(top, left, height, width) in pixels of the source image, if the record has a crop."""
        for item in self.items:
            if isinstance(item, Crop):
                return (item.top, item.left, item.height, item.width)
        return None

    @property
    def operations(self) -> tuple[tuple[int, float], ...]:
        """Pairs (index, magnitude) of RandAugment, in order; none if it was skipped."""
        for item in self.items:
            if isinstance(item, RandAugment):
                return item.operations
        return ()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an augmentation cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an augmentation cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return self._record == other._record if isinstance(other, Augmentation) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._record)

    def __reduce__(self) -> tuple:
        return Augmentation.from_bytes, (self._record,)

    def __repr__(self) -> str:
        common = [type(item) for item in self.items]
        if common == [Crop, RandAugment]:
            return f"Augmentation(crop={self.crop}, operations={list(self.operations)})"
        return f"Augmentation(items={list(self.items)})"


def _common_items(crop: Sequence[int] | None, operations: Iterable[tuple[int, float]] | None) -> list[Item]:
    items: list[Item] = []
    if crop is not None:
        if len(crop) != 4:
            raise ArgumentError(f"a crop is (top, left, height, width), not {crop!r:.60}")
        items.append(Crop(*crop))
    if operations is not None:
        try:
            items.append(RandAugment(tuple((index, magnitude) for index, magnitude in operations)))
        except (TypeError, ValueError):
            raise ArgumentError("operations are pairs (index, magnitude)") from None
    return items


def replay(
    image: Any,
    augmentation: Augmentation | Sequence[Any] | bytes,
    size: int | tuple[int, int] = 224,
    *,
    interpolation: str = "bicubic",
    fill: float | Sequence[float] | None = None,
    partner: Any = None,
) -> Any:
    """Makes a view again, pixel by pixel as torchvision's RandomResizedCrop and RandAugment made it.

    Whatever the order of the record, the steps come in that of the published pipeline: resize, random crop, crop with
    resize to `size`, flip, RandAugment, colour jitter, erase, mixup, cutmix. A record without a crop takes the whole
    image; after a `resize` item, the middle of it. Conversion to floats and normalisation are the caller's.

    The part of a crop box that lies outside of the image is black. Boxes are in pixels of the image as it was when
    the record was made: of an image that was resized since they show something else. EXIF orientation is not looked at.
    The pixels of TranslateX and TranslateY are taken as stored, whatever `size` is; published sets drew them for 224.

    Args:
        image: PIL image (converted to RGB, transparency is dropped), or torch tensor [3, H, W] of uint8, or of floats
            from 0 to 1. Images and tensors give slightly different pixels, as in torchvision. Of floats, Posterize,
            Solarize and Equalize, which know bytes alone, are done on bytes.
        augmentation: an `Augmentation`, an entry of `param_aug`, or a stored record.
        size: of the view: a number for both sides, or (height, width).
        interpolation: of resizing: "bicubic", "bilinear" or "nearest", with antialiasing. Operations that move pixels
            take the nearest one.
        fill: the colour that such operations leave behind, a number or three, in the image's units; None is black.
        partner: for records with mixup or cutmix: the other image, a view of the same kind and size.

    Returns:
        A PIL image in RGB, or a tensor [3, height, width] of the dtype and device of `image`.

    Raises:
        ArgumentError: an image of another kind, a box that has no area or lies completely outside of the image, a
            number that an operation cannot take, a missing partner.
        CorruptError, UnsupportedError: bytes that are no record.
        ImportError: PIL or torchvision is missing.
    """
    from . import _replay

    if isinstance(augmentation, (bytes, bytearray, memoryview)):
        augmentation = Augmentation.from_bytes(augmentation)
    elif not isinstance(augmentation, Augmentation):
        augmentation = Augmentation.from_published(augmentation)
    return _replay.run(image, augmentation.items, size, interpolation, fill, partner)
