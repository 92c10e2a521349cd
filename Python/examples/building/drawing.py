"""Draws augmentations: a random resized crop, then RandAugment, as torchvision draws them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from drshard.augment import OPERATIONS, Augmentation
from torchvision.transforms import RandomResizedCrop

RATIO = (3 / 4, 4 / 3)


def seed_of(seed: int, what: str, uid: bytes, number: int) -> int:
    """A seed that depends on nothing else, so that it does not matter when, or how often, something is drawn."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what} {uid.hex()} {number}".encode()).digest()[:8], "little") >> 1


@dataclass(frozen=True)
class Drawing:
    """How views are drawn.

    Args:
        seed: of all that is drawn.
        views: views of an image.
        scale: the least and the largest part of the image's area that a crop has.
        size: of the view; TranslateX and TranslateY move by a part of it.
        operations: operations of RandAugment for each view.
        magnitude: its magnitude, one of `bins` steps from 0 on.
    """

    seed: int
    views: int
    scale: tuple[float, float]
    size: int
    operations: int
    magnitude: int
    bins: int

    def draw(self, uid: bytes, size: tuple[int, int]) -> list[Augmentation]:
        """The augmentations of the image `uid` of `size` (width, height), the same each time; one for each view."""
        blank = _blank(size)
        with torch.random.fork_rng(devices=[]):
            return [self._draw(seed_of(self.seed, "view", uid, view), blank) for view in range(self.views)]

    def _draw(self, seed: int, blank: torch.Tensor) -> Augmentation:
        torch.manual_seed(seed)
        crop = RandomResizedCrop.get_params(blank, list(self.scale), list(RATIO))
        table = self.table()
        operations = []
        for _ in range(self.operations):
            index = int(torch.randint(len(table), (1,)))
            magnitude, is_signed = table[index]
            operations.append((index, -magnitude if is_signed and torch.randint(2, (1,)) else magnitude))
        return Augmentation(crop=crop, operations=operations)

    def table(self) -> list[tuple[float, bool]]:
        """The magnitude of every operation, and whether its sign is drawn too."""
        greatest = {"Shear": 0.3, "Translate": 150 / 331 * self.size, "Rotate": 30.0}
        table = []
        for name in OPERATIONS:
            if name in ("Identity", "AutoContrast", "Equalize"):
                table.append((0.0, False))
            elif name == "Posterize":
                table.append((float(8 - round(self.magnitude / ((self.bins - 1) / 4))), False))
            elif name == "Solarize":
                table.append((self._step(255.0, 0.0), False))
            else:
                table.append((self._step(0.0, greatest.get(name.rstrip("XY"), 0.9)), True))
        return table

    def _step(self, first: float, last: float) -> float:
        # In float32, so that the numbers are those of published sets to the bit.
        return float(torch.linspace(first, last, self.bins)[self.magnitude])

    def magnitudes(self) -> Iterator[tuple[int, str, list[float]]]:
        """The operation table of a schema: number, name, and ascending magnitudes of each operation."""
        for index, (magnitude, is_signed) in enumerate(self.table()):
            yield index, OPERATIONS[index], sorted({-magnitude, magnitude} if is_signed else {magnitude})


def _blank(size: tuple[int, int]) -> torch.Tensor:
    """Something of this size to draw crops for, without pixels."""
    return torch.empty((3, size[1], size[0]), device="meta")
