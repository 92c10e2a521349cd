"""Augmentation records as JSON has them: entries of `param_aug`, and lists of named items for all that is rarer."""

from __future__ import annotations

import math
import operator
from typing import Any

from ._augment_items import (
    KIND_NAMES,
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


def to_published(items: tuple[Item, ...]) -> list:
    """`[[top, left, height, width], [[operation, magnitude], ...]]`, else a list of dicts of one key, a kind."""
    if len(items) == 2 and isinstance(items[0], Crop) and _is_rand_augment(items[1]):
        return [_value(items[0]), _value(items[1])]
    return [{_name(item): _value(item)} for item in items]


def _is_rand_augment(item: Item) -> bool:
    return isinstance(item, RandAugment) or item == Null("rand_augment")


def _name(item: Item) -> str:
    return item.kind if isinstance(item, Null) else KIND_NAMES[item.KIND]


def _value(item: Item) -> Any:
    if isinstance(item, Null):
        return None
    if isinstance(item, RandAugment):
        return [list(pair) for pair in item.operations]
    if isinstance(item, Flip):
        return item.applied
    if isinstance(item, Resize):
        return item.size
    if isinstance(item, ColorJitter):
        return {"order": list(item.order), "factors": list(item.factors)}
    if isinstance(item, Mixup):
        return {"lambda": item.lambda_, "partner": item.partner.hex()}
    if isinstance(item, Cutmix):
        box = [item.x1, item.y1, item.x2, item.y2]
        return {"lambda": item.lambda_, "box": box, "partner": item.partner.hex()}
    return [getattr(item, name) for name in item.__slots__]


def from_published(entry: Any, operation_count: int) -> list[Item]:
    """The items of one entry of `param_aug`, in either form.

    Raises:
        ArgumentError: another shape, an operation outside of the table, a crop that is empty or begins below 0. The
            message names the place, such as `[1][0][1]`.
    """
    parts = _list(entry, "")
    if all(isinstance(part, dict) for part in parts):
        return [_item(part, f"[{number}]", operation_count) for number, part in enumerate(parts)]
    _list(parts, "", count=2)
    box = _integers(parts[0], "[0]", 4)
    if min(box) < 0 or min(box[2:]) < 1:
        raise ArgumentError(f"augmentation[0]: {box} is no crop [top, left, height, width] of an image")
    skipped = parts[1] is None
    return [Crop(*box), Null("rand_augment") if skipped else _rand_augment(parts[1], "[1]", operation_count)]


def _item(part: dict, place: str, operation_count: int) -> Item:
    name = next(iter(part), "")
    if len(part) != 1 or name not in KIND_NAMES.values():
        raise ArgumentError(f"augmentation{place}: expected a dict of one key, one of {', '.join(KIND_NAMES.values())}")
    place, value = f"{place}.{name}", part[name]
    if value is None:
        return Null(name)
    if name == "rand_augment":
        return _rand_augment(value, place, operation_count)
    if name == "flip":
        if not isinstance(value, bool):
            raise _wrong(place, "a boolean", value)
        return Flip(value)
    if name == "resize":
        return Resize(_integer(value, place))
    if name in ("color_jitter", "mixup", "cutmix"):
        return _named(name, value, place)
    kind: Any = {"crop": Crop, "erase": Erase, "random_crop": RandomCrop}[name]
    return kind(*_integers(value, place, len(kind.__slots__)))


def _named(name: str, value: Any, place: str) -> Item:
    """An item whose operands have names."""
    if not isinstance(value, dict):
        raise _wrong(place, "a dict", value)
    if name == "color_jitter":
        factors = _list(value.get("factors"), f"{place}.factors", 4)
        first, second, third, fourth = _integers(value.get("order"), f"{place}.order", 4)
        brightness, contrast, saturation, hue = (_number(factor, f"{place}.factors") for factor in factors)
        return ColorJitter((first, second, third, fourth), (brightness, contrast, saturation, hue))
    lambda_ = _number(value.get("lambda"), f"{place}.lambda")
    try:
        partner = bytes.fromhex(value["partner"])
    except (KeyError, TypeError, ValueError):
        raise _wrong(f"{place}.partner", "an id in hexadecimal digits", value.get("partner")) from None
    if name == "mixup":
        return Mixup(lambda_, partner)
    x1, y1, x2, y2 = _integers(value.get("box"), f"{place}.box", 4)
    return Cutmix(lambda_, x1, y1, x2, y2, partner)


def _rand_augment(value: Any, place: str, operation_count: int) -> RandAugment:
    operations = []
    for number, pair in enumerate(_list(value, place)):
        index, magnitude = _list(pair, f"{place}[{number}]", 2)
        index = _integer(index, f"{place}[{number}][0]")
        if not 0 <= index < operation_count:
            raise ArgumentError(
                f"augmentation{place}[{number}][0]: operation {index}, there are 0 to {operation_count - 1}"
            )
        operations.append((index, _number(magnitude, f"{place}[{number}][1]")))
    return RandAugment(tuple(operations))


def _list(value: Any, place: str, count: int | None = None) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _wrong(place, "a list", value)
    if count is not None and len(value) != count:
        raise ArgumentError(f"augmentation{place}: {len(value)} elements, expected {count}")
    return value


def _integers(value: Any, place: str, count: int) -> list[int]:
    return [_integer(element, f"{place}[{number}]") for number, element in enumerate(_list(value, place, count))]


def _integer(value: Any, place: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise _wrong(place, "a whole number", value) from None


def _number(value: Any, place: str) -> float:
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(place, "a number", value) from None
    if not math.isfinite(number):
        raise _wrong(place, "a number that is finite", value)
    return number


def _wrong(place: str, expected: str, found: Any) -> ArgumentError:
    return ArgumentError(f"augmentation{place}: expected {expected}, found {type(found).__name__} {found!r:.60}")
