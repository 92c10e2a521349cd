"""Replay, compared pixel by pixel with what torchvision itself makes of the same numbers."""

from __future__ import annotations

import random

import pytest
from drshard.augment import (
    OPERATIONS,
    Augmentation,
    ColorJitter,
    Crop,
    Cutmix,
    Erase,
    Flip,
    Mixup,
    RandomCrop,
    Resize,
    replay,
)
from drshard.errors import ArgumentError
from heavy import need

torch, autoaugment, functional, transforms, pil = need(
    "torch", "torchvision.transforms.autoaugment", "torchvision.transforms.functional", "torchvision.transforms",
    "PIL.Image",
)  # fmt: skip
NEAREST, BICUBIC = functional.InterpolationMode.NEAREST, functional.InterpolationMode.BICUBIC
# Those of RandAugment at magnitude 9 of 31 bins for a view of 224, both signs where there are two, and some others.
MAGNITUDES = {
    "Identity": [0.0], "ShearX": [0.09000000357627869, 0.3, 1.7], "ShearY": [0.09000000357627869, 0.3, 1.7],
    "TranslateX": [30.45317268371582, 0.9, 7.0], "TranslateY": [30.45317268371582, 0.9, 7.0],
    "Rotate": [9.0, 30.0, 90.0, 180.0, 200.25], "Brightness": [0.26999998092651367, 0.9, 0.0],
    "Color": [0.27000001072883606, 0.9, 1.0], "Contrast": [0.27000001072883606, 0.9, 1.0],
    "Sharpness": [0.27000001072883606, 0.9, 1.0], "Posterize": [7.0, 4.0, 1.0, 8.0],
    "Solarize": [178.5, 255.0, 0.0, 100.0], "AutoContrast": [0.0], "Equalize": [0.0],
}  # fmt: skip
SIGNED = OPERATIONS[1:10]
CASES = [
    (name, sign * magnitude)
    for name, magnitudes in MAGNITUDES.items()
    for magnitude in magnitudes
    for sign in ((1.0, -1.0) if name in SIGNED else (1.0,))
]
SIZES = [(64, 64), (37, 53), (1, 9), (224, 224)]


def image_of(height: int, width: int, seed: int):
    """Noise over a slope, so that histograms are uneven and neighbours resemble each other."""
    noise = torch.randint(0, 90, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    slope = torch.linspace(10, 160, width).to(torch.uint8)
    return noise + slope


def as_pil(tensor):
    return functional.to_pil_image(tensor)


def equal(ours, theirs) -> bool:
    if isinstance(ours, torch.Tensor):
        return ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    return ours.mode == theirs.mode and ours.size == theirs.size and ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name,magnitude", CASES)
@pytest.mark.parametrize("fill", [None, 77, (1, 200, 30)], ids=str)
def test_operations_are_those_of_torchvision(name, magnitude, fill):
    augmentation = Augmentation(operations=[(OPERATIONS.index(name), magnitude)])
    for number, (height, width) in enumerate(SIZES):
        tensor = image_of(height, width, number)
        image = as_pil(tensor)
        expected = autoaugment._apply_op(image, name, magnitude, NEAREST, fill)
        assert equal(replay(image, augmentation, (height, width), fill=fill), expected), (height, width)
        # RandAugment itself hands a number on as three floats.
        fill_of_tensors = None if fill is None else [float(part) for part in ((fill,) * 3 if fill == 77 else fill)]
        expected = autoaugment._apply_op(tensor, name, magnitude, NEAREST, fill_of_tensors)
        assert equal(replay(tensor, augmentation, (height, width), fill=fill), expected), (height, width)


@pytest.mark.parametrize("name,magnitude", CASES)
def test_operations_on_floats_are_those_of_torchvision_where_it_has_them(name, magnitude):
    tensor = image_of(37, 53, 5).to(torch.float32) / 255
    view = replay(tensor, Augmentation(operations=[(OPERATIONS.index(name), magnitude)]), (37, 53))
    if name in ("Posterize", "Solarize", "Equalize"):
        levels = autoaugment._apply_op(image_of(37, 53, 5), name, magnitude, NEAREST, None)
        assert equal(view, levels.to(torch.float32) / 255)
    else:
        assert equal(view, autoaugment._apply_op(tensor, name, magnitude, NEAREST, None))


CROPS = [(0, 0, 37, 53), (0, 0, 1, 1), (36, 52, 1, 1), (5, 7, 11, 13), (30, 40, 7, 13), (-3, -5, 20, 30),
         (20, 30, 40, 50), (-10, -10, 80, 90), (3, 50, 5, 9)]  # fmt: skip


@pytest.mark.parametrize("crop", CROPS, ids=str)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("size", [32, 224, (19, 47)], ids=str)
def test_crops_are_those_of_torchvision(crop, interpolation, size):
    tensor = image_of(37, 53, 1)
    sides = [size, size] if isinstance(size, int) else list(size)
    for image in (as_pil(tensor), tensor, tensor.to(torch.float32) / 255):
        expected = functional.resized_crop(image, *crop, sides, functional.InterpolationMode(interpolation))
        assert equal(replay(image, Augmentation(crop=crop), size, interpolation=interpolation), expected)


@pytest.mark.parametrize(
    "published,shape",
    [
        ([[14, 347, 370, 427], [[0, 0.0], [6, 0.26999998092651367]]], (400, 800)),
        ([[45, 20, 54, 64], [[11, 178.5], [12, 0.0]]], (120, 100)),
        ([[32, 291, 657, 709], [[2, -0.09000000357627869], [4, -30.45317268371582]]], (700, 1000)),
        ([[36, 12, 157, 153], [[7, 0.26999998092651367], [1, -0.09000000357627869]]], (200, 180)),
    ],
    ids=str,
)
def test_published_views(published, shape):
    tensor = image_of(*shape, 2)
    for image in (as_pil(tensor), tensor):
        expected = functional.resized_crop(image, *published[0], [224, 224], BICUBIC)
        for index, magnitude in published[1]:
            expected = autoaugment._apply_op(expected, OPERATIONS[index], magnitude, NEAREST, None)
        assert equal(replay(image, published), expected)
        assert equal(replay(image, Augmentation.from_published(published).to_bytes(), size=224), expected)


def test_what_torchvision_draws_is_replayed():
    """RandomResizedCrop and RandAugment as they are, with the numbers noted down on the way."""
    drawn = []

    def note(image, name, magnitude, **others):
        drawn.append((OPERATIONS.index(name), magnitude))
        return apply(image, name, magnitude, **others)

    apply, autoaugment._apply_op = autoaugment._apply_op, note
    try:
        generator = random.Random(4)
        for number in range(60):
            tensor = image_of(generator.randrange(3, 90), generator.randrange(3, 90), number)
            for image in (as_pil(tensor), tensor):
                torch.manual_seed(number)
                drawn.clear()
                crop = transforms.RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
                view = functional.resized_crop(image, *crop, [32, 32], BICUBIC)
                view = transforms.RandAugment()(view)
                assert equal(replay(image, Augmentation(crop=crop, operations=drawn), 32), view)
    finally:
        autoaugment._apply_op = apply


@pytest.mark.parametrize("factors", [(1.4, 0.6, 1.3, 0.1), (0.0, 1.0, 2.0, -0.5), (1.0, 1.0, 0.0, 0.0)], ids=str)
def test_colour_jitter_is_that_of_torchvision(factors):
    steps = [
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    ]
    tensor = image_of(37, 53, 3)
    for image in (as_pil(tensor), tensor):
        for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
            expected = image
            for place in order:
                expected = steps[place](expected, factors[place])
            assert equal(replay(image, Augmentation(items=[ColorJitter(order, factors)]), (37, 53)), expected)


def test_images_and_tensors_agree_where_only_whole_pixels_move():
    tensor, partner = image_of(37, 53, 6), image_of(20, 30, 7)
    lists = [
        [Crop(-3, 5, 20, 30), Flip(True), Erase(15, 25, 99, 99)],
        [RandomCrop(25, 40), Erase(1, 2, 0, 5)],
        [Crop(0, 0, 20, 30), Cutmix(0.1, 3, 4, 10, 99, b"id")],
        [Crop(0, 0, 20, 30), Cutmix(0.1, 90, 4, 99, 99, b"id")],
    ]
    for items in lists:
        view = replay(tensor, Augmentation(items=items), (20, 30), partner=partner)
        of_image = replay(as_pil(tensor), Augmentation(items=items), (20, 30), partner=as_pil(partner))
        assert equal(as_pil(view), of_image)


def test_the_shorter_side_is_resized_as_torchvision_does():
    for shape in ((37, 53), (53, 37), (40, 40)):
        tensor = image_of(*shape, 8)
        for image in (as_pil(tensor), tensor):
            for shorter, size in ((20, 16), (20, (25, 23))):
                expected = functional.center_crop(functional.resize(image, [shorter], BICUBIC), size)
                assert equal(replay(image, Augmentation(items=[Resize(shorter)]), size), expected)


def test_mixup_of_tensors():
    image, partner = image_of(8, 8, 9), image_of(8, 8, 10)
    augmentation = Augmentation(items=[Crop(0, 0, 8, 8), Mixup(0.25, b"id")])
    floats = replay(image / 255, augmentation, 8, partner=partner / 255)
    torch.testing.assert_close(floats, 0.25 * image / 255 + 0.75 * partner / 255)
    view = replay(image, augmentation, 8, partner=partner)
    assert view.dtype == torch.uint8 and (view.to(torch.float32) / 255 - floats).abs().max() < 0.5001 / 255
    with pytest.raises(ArgumentError, match="partner"):
        replay(image, augmentation, 8, partner=partner / 255)
    with pytest.raises(ArgumentError, match="one kind"):
        replay(image, augmentation, 8, partner=as_pil(partner))


def test_the_source_is_not_changed():
    tensor = image_of(8, 8, 11)
    before, image = tensor.clone(), as_pil(tensor)
    items = [Erase(0, 0, 4, 4), Cutmix(0.5, 2, 2, 6, 6, b"id")]
    replay(tensor, Augmentation(items=items), 8, partner=tensor)
    replay(image, Augmentation(items=items), 8, partner=image)
    assert torch.equal(tensor, before) and image.tobytes() == as_pil(before).tobytes()


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (2, 3, 8, 8), (3, 0, 8)], ids=str)
def test_tensors_of_other_shapes_are_argument_errors(shape):
    with pytest.raises(ArgumentError, match=r"\[3, H, W\]"):
        replay(torch.zeros(shape), Augmentation(), 8)


def test_other_images_are_argument_errors():
    with pytest.raises(ArgumentError, match="int64"):
        replay(torch.zeros((3, 8, 8), dtype=torch.int64), Augmentation(), 8)
    with pytest.raises(ArgumentError, match="ndarray"):
        replay(torch.zeros((3, 8, 8)).numpy(), Augmentation(), 8)
    for operation, magnitude in ((14, 0.0), (6, -1.5), (10, 9.0), (11, 256.0)):
        with pytest.raises(ArgumentError):
            replay(torch.zeros((3, 8, 8)), Augmentation(operations=[(operation, magnitude)]), 8)
