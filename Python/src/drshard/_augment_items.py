"""The items of an augmentation record, and their bytes (Spec/FORMAT.md, section 6.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from .errors import ArgumentError, CorruptError, UnsupportedError

_NULL = 0x80
"""This bit of an item's kind says: drawn, and skipped. No operands follow."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A box in pixels of the source image, which is then resized to the training size."""

    KIND: ClassVar[int] = 1
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class RandAugment:
    """Operations as pairs (index, magnitude), applied in this order."""

    KIND: ClassVar[int] = 2
    operations: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """Left and right change places, if `applied`."""

    KIND: ClassVar[int] = 3
    applied: bool


@dataclass(frozen=True, slots=True)
class Erase:
    """A box of the finished image that is set to 0: `height` rows from row `x`, `width` columns from column `y` on."""

    KIND: ClassVar[int] = 4
    x: int
    y: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class ColorJitter:
    """Changes of colour. `order` says which of the `factors` (brightness, contrast, saturation, hue) comes when."""

    KIND: ClassVar[int] = 5
    order: tuple[int, int, int, int]
    factors: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mixup:
    """The image times `lambda_`, and the partner's times what is left of 1. `partner` is the row id of that image."""

    KIND: ClassVar[int] = 6
    lambda_: float
    partner: bytes


@dataclass(frozen=True, slots=True)
class Cutmix:
    """Rows `x1` up to `x2` and columns `y1` up to `y2` (both without the last) are those of the partner."""

    KIND: ClassVar[int] = 7
    lambda_: float
    x1: int
    y1: int
    x2: int
    y2: int
    partner: bytes


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """The corner of a box of the training size."""

    KIND: ClassVar[int] = 8
    top: int
    left: int


@dataclass(frozen=True, slots=True)
class Resize:
    """The size that the shorter side of the source image is brought to."""

    KIND: ClassVar[int] = 9
    size: int


@dataclass(frozen=True, slots=True)
class Null:
    """An item of this kind was drawn, and skipped."""

    kind: str


Item = Crop | RandAugment | Flip | Erase | ColorJitter | Mixup | Cutmix | RandomCrop | Resize | Null

KIND_NAMES = {
    1: "crop", 2: "rand_augment", 3: "flip", 4: "erase", 5: "color_jitter", 6: "mixup", 7: "cutmix", 8: "random_crop",
    9: "resize",
}  # fmt: skip
KINDS = {name: kind for kind, name in KIND_NAMES.items()}

# Kinds that are nothing but 32-bit numbers.
_NUMBERS = {kind.KIND: (kind, struct.Struct(f"<{len(kind.__slots__)}i")) for kind in (Crop, Erase, RandomCrop, Resize)}
_OPERATION = struct.Struct("<Bd")
_COLOR_JITTER = struct.Struct("<4B4d")
_MIXUP = struct.Struct("<dB")
_CUTMIX = struct.Struct("<d4iB")


def decode(record: bytes) -> tuple[Item, ...]:
    """Parses a record.

    Raises:
        CorruptError: an item runs past the end, or a flip is neither 0 nor 1.
        UnsupportedError: an item of a kind that this version does not know.
    """
    items: list[Item] = []
    at = 0
    while at < len(record):
        kind = record[at]
        if kind & ~_NULL not in KIND_NAMES:
            raise UnsupportedError(f"augmentation record: item of kind {kind & ~_NULL} at byte {at}")
        item: Item
        if kind & _NULL:
            item, at = Null(KIND_NAMES[kind & ~_NULL]), at + 1
        else:
            item, at = _decode_item(kind, record, at + 1)
        items.append(item)
    return tuple(items)


def _decode_item(kind: int, record: bytes, at: int) -> tuple[Item, int]:
    """The item whose operands begin at `at`, and where they end."""
    if kind in _NUMBERS:
        item: Any
        item, layout = _NUMBERS[kind]
        return item(*_unpack(layout, kind, record, at)), at + layout.size
    if kind == RandAugment.KIND:
        return _decode_operations(record, at)
    if kind == Flip.KIND:
        applied = _take(kind, record, at, 1)[0]
        if applied > 1:
            raise CorruptError(f"augmentation record: flip is {applied} at byte {at}, it is 0 or 1")
        return Flip(applied == 1), at + 1
    if kind == ColorJitter.KIND:
        numbers = _unpack(_COLOR_JITTER, kind, record, at)
        return ColorJitter(numbers[:4], numbers[4:]), at + _COLOR_JITTER.size
    mixed: Any
    mixed, layout = (Mixup, _MIXUP) if kind == Mixup.KIND else (Cutmix, _CUTMIX)
    *mixing, byte_count = _unpack(layout, kind, record, at)
    at += layout.size
    return mixed(*mixing, _take(kind, record, at, byte_count)), at + byte_count


def _decode_operations(record: bytes, at: int) -> tuple[RandAugment, int]:
    count = _take(RandAugment.KIND, record, at, 1)[0]
    pairs = _take(RandAugment.KIND, record, at + 1, count * _OPERATION.size)
    return RandAugment(tuple(_OPERATION.iter_unpack(pairs))), at + 1 + len(pairs)


def _take(kind: int, record: bytes, at: int, count: int) -> bytes:
    if count > len(record) - at:
        raise CorruptError(
            f"augmentation record: {KIND_NAMES[kind]} needs {count} bytes at {at}, the record ends at {len(record)}"
        )
    return record[at : at + count]


def _unpack(layout: struct.Struct, kind: int, record: bytes, at: int) -> tuple:
    return layout.unpack(_take(kind, record, at, layout.size))


def encode(items: Iterable[Item]) -> bytes:
    """The bytes of a record; equal records have equal bytes.

    Raises:
        ArgumentError: something that is no item, or has a number that does not fit.
    """
    record = bytearray()
    for number, item in enumerate(items):
        try:
            record += _encode_item(item)
        except (struct.error, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ArgumentError(f"augmentation record: item {number}, {item!r}: {error}") from None
    return bytes(record)


def _encode_item(item: Item) -> bytes:
    if isinstance(item, Null):
        if item.kind not in KINDS:
            raise ValueError(f"a null item is of one of the kinds {', '.join(KINDS)}")
        return bytes([KINDS[item.kind] | _NULL])
    kind = bytes([item.KIND]) if isinstance(item, Item) else b""
    if isinstance(item, RandAugment):
        pairs = [_OPERATION.pack(index, magnitude) for index, magnitude in item.operations]
        return kind + _byte(len(pairs), "operations") + b"".join(pairs)
    if isinstance(item, Flip):
        return kind + (b"\1" if item.applied else b"\0")
    if isinstance(item, ColorJitter):
        return kind + _COLOR_JITTER.pack(*item.order, *item.factors)
    if isinstance(item, Mixup):
        return kind + struct.pack("<d", item.lambda_) + _partner(item.partner)
    if isinstance(item, Cutmix):
        return kind + struct.pack("<d4i", item.lambda_, item.x1, item.y1, item.x2, item.y2) + _partner(item.partner)
    if not kind:
        raise TypeError("it is no item of an augmentation record")
    return kind + _NUMBERS[item.KIND][1].pack(*(getattr(item, name) for name in item.__slots__))


def _partner(partner: bytes) -> bytes:
    return _byte(len(partner), "bytes of a partner's id") + bytes(partner)


def _byte(count: int, what: str) -> bytes:
    if count > 255:
        raise ValueError(f"{count} {what}, at most 255 are possible")
    return bytes([count])
