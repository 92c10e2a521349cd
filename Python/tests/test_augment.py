"""Augmentation records: bytes, published lists, and replay on PIL images; that on tensors: test_augment_torch.py."""

from __future__ import annotations

import json
import math
import pickle
import random
import subprocess
import sys

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
    Null,
    RandAugment,
    RandomCrop,
    Resize,
    replay,
)
from drshard.errors import ArgumentError, CorruptError, Error, UnsupportedError
from heavy import need

PUBLISHED = [[14, 347, 370, 427], [[0, 0.0], [6, 0.26999998092651367]]]
# The example of Spec/FORMAT.md, section 6.2.
PUBLISHED_BYTES = bytes.fromhex("01 0E000000 5B010000 72010000 AB010000 02 02 00 0000000000000000 06 00000000AE47D13F")

EVERY_KIND = [
    (Crop(1, -2, 3, 4), "01 01000000 FEFFFFFF 03000000 04000000"),
    (RandAugment(((255, -0.0), (3, 1.5))), "02 02 FF 0000000000000080 03 000000000000F83F"),
    (RandAugment(()), "02 00"),
    (Flip(True), "03 01"),
    (Flip(False), "03 00"),
    (Erase(1, 2, 3, 4), "04 01000000 02000000 03000000 04000000"),
    (
        ColorJitter((3, 2, 1, 0), (1.0, 1.5, 2.0, -0.5)),
        "05 03020100 000000000000F03F 000000000000F83F 0000000000000040 000000000000E0BF",
    ),
    (Mixup(0.5, b"\xab\xcd"), "06 000000000000E03F 02 ABCD"),
    (Cutmix(0.5, 1, 2, 3, 4, b""), "07 000000000000E03F 01000000 02000000 03000000 04000000 00"),
    (RandomCrop(7, -1), "08 07000000 FFFFFFFF"),
    (Resize(256), "09 00010000"),
    (Null("rand_augment"), "82"),
    (Null("resize"), "89"),
]


@pytest.mark.parametrize("item,digits", EVERY_KIND, ids=lambda value: type(value).__name__)
def test_an_item_has_the_bytes_of_the_specification(item, digits):
    record = bytes.fromhex(digits)
    assert Augmentation(items=[item]).to_bytes() == record
    assert Augmentation.from_bytes(record).items == (item,)


def test_the_example_of_the_specification():
    augmentation = Augmentation.from_bytes(PUBLISHED_BYTES)
    assert augmentation.crop == (14, 347, 370, 427)
    assert augmentation.operations == ((0, 0.0), (6, 0.26999998092651367))
    assert augmentation.to_bytes() == PUBLISHED_BYTES
    assert augmentation == Augmentation(crop=[14, 347, 370, 427], operations=[[0, 0.0], [6, 0.26999998092651367]])
    assert augmentation == Augmentation.from_bytes(memoryview(PUBLISHED_BYTES))
    assert augmentation.to_published() == PUBLISHED


def test_every_prefix_is_an_error_or_a_record_of_fewer_items():
    whole = Augmentation(items=[item for item, _ in EVERY_KIND])
    record = whole.to_bytes()
    ends = {len(Augmentation(items=whole.items[:count]).to_bytes()): count for count in range(len(whole.items) + 1)}
    for length in range(len(record) + 1):
        if length in ends:
            assert Augmentation.from_bytes(record[:length]).items == whole.items[: ends[length]]
        else:
            with pytest.raises(CorruptError):
                Augmentation.from_bytes(record[:length])


@pytest.mark.parametrize("kind", [0, 10, 0x7F, 0x80, 0x8A, 0xFF])
def test_unknown_kinds_are_unsupported(kind):
    with pytest.raises(UnsupportedError, match=str(kind & 0x7F)):
        Augmentation.from_bytes(b"\x03\x01" + bytes([kind]) + bytes(64))


def test_a_flip_is_0_or_1():
    with pytest.raises(CorruptError, match="flip is 2"):
        Augmentation.from_bytes(b"\x03\x02")


def test_random_bytes_are_records_that_come_back_or_named_errors():
    generator = random.Random(5)
    records = 0
    for _ in range(30_000):
        if generator.random() < 0.5:
            record = bytes(
                generator.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 255]) for _ in range(generator.randrange(60))
            )
        else:
            record = bytearray(PUBLISHED_BYTES)
            record[generator.randrange(len(record))] = generator.randrange(256)
            record = bytes(record)
        try:
            augmentation = Augmentation.from_bytes(record)
        except (CorruptError, UnsupportedError):
            continue
        records += 1
        assert augmentation.to_bytes() == record
        assert Augmentation(items=augmentation.items) == augmentation
    assert records > 1_000


def test_equality_is_that_of_bytes():
    def crop_with(magnitude):
        return Augmentation(crop=(0, 0, 1, 1), operations=[(1, magnitude)])

    assert crop_with(0.0) != crop_with(-0.0)
    assert crop_with(math.nan) == crop_with(math.nan)
    assert len({crop_with(1), crop_with(1.0), crop_with(2.0)}) == 2
    assert crop_with(1.0) != "an augmentation"
    assert Augmentation(items=[Flip(True)]) != Augmentation(items=[Resize(1)])


def test_an_augmentation_cannot_be_changed():
    augmentation = Augmentation.from_published(PUBLISHED)
    for change in (lambda: setattr(augmentation, "items", ()), lambda: setattr(augmentation, "other", 1)):
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(AttributeError):
        del augmentation.items
    with pytest.raises(AttributeError):
        augmentation.items[0].top = 3


def test_augmentations_and_items_can_be_pickled():
    whole = Augmentation(items=[item for item, _ in EVERY_KIND])
    assert pickle.loads(pickle.dumps(whole)) == whole
    assert pickle.loads(pickle.dumps(whole.items)) == whole.items


def test_the_text_of_an_augmentation_makes_it_again():
    for augmentation in (Augmentation.from_published(PUBLISHED), Augmentation(items=[i for i, _ in EVERY_KIND])):
        assert eval(repr(augmentation), globals()) == augmentation


@pytest.mark.parametrize(
    "arguments",
    [
        {"crop": (1, 2, 3)},
        {"crop": (1, 2, 3, 1 << 31)},
        {"crop": (1, 2, 3, "4")},
        {"operations": [(256, 0.0)]},
        {"operations": [(-1, 0.0)]},
        {"operations": [(1,)]},
        {"operations": [(1, "x")]},
        {"operations": [(1, 0.0)] * 256},
        {"items": [Null("blur")]},
        {"items": ["crop"]},
        {"items": [Mixup(0.5, bytes(256))]},
        {"items": [ColorJitter((1, 2, 3), (1.0,) * 4)]},
        {"items": [Flip(True)], "crop": (1, 2, 3, 4)},
    ],
)
def test_what_does_not_fit_a_record_is_an_argument_error(arguments):
    with pytest.raises(ArgumentError):
        Augmentation(**arguments)


def test_numbers_of_numpy_become_plain_numbers():
    numpy = need("numpy")
    augmentation = Augmentation(
        crop=numpy.array([1, 2, 3, 4]), operations=[(numpy.uint8(6), numpy.float32(0.26999998092651367))]
    )
    assert augmentation == Augmentation(crop=(1, 2, 3, 4), operations=[(6, 0.26999998092651367)])
    assert type(augmentation.crop[0]) is int and type(augmentation.operations[0][1]) is float


def test_published_lists_come_back():
    skipped = [[1, 2, 3, 4], None]
    assert Augmentation.from_published(skipped).items == (Crop(1, 2, 3, 4), Null("rand_augment"))
    whole = Augmentation(items=[item for item, _ in EVERY_KIND if item != RandAugment(((255, -0.0), (3, 1.5)))])
    for augmentation in (Augmentation.from_published(PUBLISHED), Augmentation.from_published(skipped), whole):
        text = json.dumps(augmentation.to_published(), allow_nan=False)
        assert Augmentation.from_published(json.loads(text)) == augmentation
    assert Augmentation.from_published(skipped).to_published() == skipped


@pytest.mark.parametrize(
    "entry,place",
    [
        (None, "list"),
        ("[]", "list"),
        ([[1, 2, 3, 4]], "1 elements"),
        ([[1, 2, 3], []], r"\[0\]: 3 elements"),
        ([[1, 2, 0, 4], []], "no crop"),
        ([[-1, 2, 3, 4], []], "no crop"),
        ([[1, 2, 3, 4.0], []], r"\[0\]\[3\]"),
        ([[1, 2, 3, True], []], r"\[0\]\[3\]"),
        ([[1, 2, 3, 4], [[14, 0.0]]], r"\[1\]\[0\]\[0\]: operation 14"),
        ([[1, 2, 3, 4], [[1, "x"]]], r"\[1\]\[0\]\[1\]"),
        ([[1, 2, 3, 4], [[1, math.nan]]], "finite"),
        ([[1, 2, 3, 4], [[1, 2, 3]]], r"\[1\]\[0\]: 3 elements"),
        ([[1, 2, 3, 1 << 40], []], "item 0"),
        ([{"blur": 1}], "one of crop"),
        ([{"flip": 1}], r"\[0\].flip"),
        ([{"mixup": {"lambda": 0.5, "partner": "xy"}}], "hexadecimal"),
        ([{"cutmix": {"lambda": 0.5, "partner": ""}}], "box"),
        ([{"color_jitter": [1]}], "dict"),
    ],
)
def test_other_lists_are_argument_errors_that_name_the_place(entry, place):
    with pytest.raises(ArgumentError, match=place):
        Augmentation.from_published(entry)


def test_importing_needs_neither_torch_nor_pil():
    program = "import sys, drshard.augment; sys.exit(any(m in sys.modules for m in ('torch', 'torchvision', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


@pytest.fixture
def image():
    """40 x 30 pixels, each of its own colour."""
    pil = need("PIL.Image")
    return pil.frombytes("RGB", (40, 30), bytes(c for y in range(30) for x in range(40) for c in (x * 6, y * 8, x + y)))


def test_a_crop_of_the_size_of_the_view_is_these_pixels(image):
    view = replay(image, Augmentation(crop=(5, 7, 16, 16)), 16)
    assert view.tobytes() == image.crop((7, 5, 23, 21)).tobytes()
    for form in (Augmentation(crop=(5, 7, 16, 16)).to_bytes(), [[5, 7, 16, 16], None]):
        assert replay(image, form, 16).tobytes() == view.tobytes()
    assert replay(image, [[0, 0, 10, 10], []], (8, 12)).size == (12, 8)
    assert replay(image, Augmentation(), (8, 12)).tobytes() == image.resize((12, 8), 3).tobytes()


def test_what_lies_outside_of_the_image_is_black(image):
    view = replay(image, Augmentation(crop=(-4, 30, 16, 16)), 16)
    assert view.crop((0, 0, 16, 4)).getbbox() is None and view.crop((10, 0, 16, 16)).getbbox() is None
    assert view.crop((0, 4, 10, 16)).tobytes() == image.crop((30, 0, 40, 12)).tobytes()


@pytest.mark.parametrize(
    "crop",
    [(30, 0, 1, 1), (0, 40, 1, 1), (-2, 0, 2, 5), (0, -5, 5, 5), (0, 0, 0, 5), (0, 0, 5, -1), (0, 0, 1 << 30, 99)],
)
def test_boxes_without_a_pixel_of_the_image_are_argument_errors(image, crop):
    with pytest.raises(ArgumentError, match="crop box"):
        replay(image, Augmentation(crop=crop), 16)


def test_images_of_every_mode_become_rgb(image):
    for mode in ("L", "P", "LA", "RGBA", "CMYK", "1", "I;16"):
        other = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
        view = replay(other, Augmentation(), 16)
        assert view.mode == "RGB" and view.size == (16, 16)
    transparent = image.convert("RGBA")
    transparent.putalpha(0)
    assert replay(transparent, Augmentation(), 16).tobytes() == replay(image, Augmentation(), 16).tobytes()


def test_rarer_items_are_applied_in_the_order_of_the_published_pipeline(image):
    pil = need("PIL.Image")
    mirrored = image.transpose(pil.Transpose.FLIP_LEFT_RIGHT)
    box = Crop(0, 0, 30, 40)
    view = replay(image, Augmentation(items=[Erase(2, 3, 4, 5), Flip(True), box]), (30, 40))
    mirrored.paste((0, 0, 0), (3, 2, 8, 6))
    assert view.tobytes() == mirrored.tobytes()
    assert replay(image, Augmentation(items=[box, Flip(False), Null("erase")]), (30, 40)).tobytes() == image.tobytes()
    assert replay(image, Augmentation(items=[RandomCrop(3, 4)]), 10).tobytes() == image.crop((4, 3, 14, 13)).tobytes()
    resized = image.resize((20, 15), 3)
    assert replay(image, Augmentation(items=[Resize(15)]), 15).tobytes() == resized.crop((2, 0, 17, 15)).tobytes()
    assert replay(image, Augmentation(items=[RandomCrop(0, 1), Resize(15)]), 9).tobytes() == (
        resized.crop((1, 0, 10, 9)).tobytes()
    )


def test_mixup_and_cutmix_need_a_partner(image):
    pil = need("PIL.Image")
    whole, partner = Crop(0, 0, 30, 40), pil.new("RGB", (40, 30), (200, 100, 0))
    mixed = Augmentation(items=[whole, Mixup(0.25, b"id")])
    pasted = Augmentation(items=[whole, Cutmix(0.5, 2, 3, 6, 30, b"id")])
    for augmentation in (mixed, pasted):
        with pytest.raises(ArgumentError, match="partner"):
            replay(image, augmentation, (30, 40))
        with pytest.raises(ArgumentError, match="partner"):
            replay(image, augmentation, (30, 40), partner=partner.resize((3, 3)))
        with pytest.raises(ArgumentError, match="expected an image"):
            replay(image, augmentation, (30, 40), partner=b"an image")
    view = replay(image, pasted, (30, 40), partner=partner)
    assert view.getpixel((3, 2)) == view.getpixel((29, 5)) == (200, 100, 0)
    assert view.getpixel((2, 2)) == image.getpixel((2, 2)) and view.getpixel((30, 5)) == image.getpixel((30, 5))
    red = replay(image, mixed, (30, 40), partner=partner).getpixel((10, 10))[0]
    assert red == pytest.approx(0.25 * image.getpixel((10, 10))[0] + 0.75 * 200, abs=1)


@pytest.mark.parametrize(
    "operation,magnitude",
    [(14, 0.0), (1, math.nan), (3, math.inf), (3, 1e30), (6, -1.5), (10, 0.0), (10, 9.0), (11, 256.0), (5, -math.inf)],
)
def test_numbers_that_an_operation_cannot_take_are_argument_errors(image, operation, magnitude):
    with pytest.raises(ArgumentError):
        replay(image, Augmentation(operations=[(operation, magnitude)]), 16)


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"size": (3, -1)}, {"size": (1, 2, 3)}, {"size": 2.5}, {"interpolation": "lanczos"}, {"fill": (1, 2)},
     {"fill": "red"}, {"fill": math.nan}],
)  # fmt: skip
def test_other_arguments_are_checked(image, options):
    with pytest.raises(ArgumentError):
        replay(image, Augmentation(), **options)


def test_random_records_are_replayed_or_named_errors(image):
    generator, views = random.Random(6), 0
    for _ in range(3_000):
        record = bytearray(
            Augmentation(items=[Crop(1, 2, 20, 20), RandAugment(((1, 0.5), (5, 9.0))), Resize(16)]).to_bytes()
        )
        for _ in range(generator.randrange(1, 4)):
            record[generator.randrange(len(record))] = generator.choice([0, 1, 2, 5, 9, 127, 255])
        try:
            assert replay(image, bytes(record), 8).size == (8, 8)
            views += 1
        except Error:
            pass
    assert views > 300


def test_there_are_fourteen_operations():
    assert len(OPERATIONS) == 14 and OPERATIONS[6] == "Brightness"
