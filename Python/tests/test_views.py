"""Views of images: what cannot be made is an error with a name, and images that lie in other files are read."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct

import drshard
import pytest
from heavy import need

torch = need("torch")
Image = need("PIL.Image")

from drshard.views import ViewMaker  # noqa: E402


def png(colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "png")
    return file.getvalue()


def bomb() -> bytes:
    """The head of a bitmap of 60,000 x 60,000 pixels."""
    return b"BM" + struct.pack("<IIIIiiHH", 54, 0, 54, 40, 60000, 60000, 1, 24) + bytes(24)


@pytest.mark.parametrize("data", [b"", b"no image", png()[:60], bomb(), b"GIF89a" + bytes(7), b"\x89PNG\r\n\x1a\n" * 9])
def test_images_that_cannot_be_decoded_say_why(data):
    with pytest.raises(drshard.ArgumentError, match="cannot be decoded") as caught:
        ViewMaker(8)(data, None)
    assert caught.value.__cause__ is not None


def test_whatever_a_decoder_raises_is_an_error_of_the_image(monkeypatch):
    def broken(file):
        raise RuntimeError("broken codec")

    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(drshard.ArgumentError, match="broken codec"):
        ViewMaker(8)(png(), None)


@pytest.mark.parametrize("data", [None, "text", 5, [1]])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(drshard.ArgumentError, match="image"):
        ViewMaker(8)(data, None)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": -1},
        {"size": 1.5},
        {"size": None},
        {"size": "a"},
        {"size": (16,)},
        {"size": (16, 0)},
        {"size": (16, 16, 16)},
        {"mean": (1.0,), "std": (1.0,)},
        {"mean": (1.0, 2.0), "std": (1.0, 2.0)},
        {"mean": 0.5},
        {"mean": ("a", "b", "c")},
        {"std": (1.0, float("nan"), 1.0)},
        {"std": (1.0, 0.0, 1.0)},
        {"std": None},
        {"mean": None},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(drshard.ArgumentError):
        ViewMaker(**{"size": 16, **options})


def test_a_transform_with_odd_numbers_is_refused():
    class Step:
        size, mean, std = "a", [0.5] * 3, [0.5] * 3

    class Steps:
        transforms = (Step(),)

    with pytest.raises(drshard.ArgumentError):
        ViewMaker.of(Steps())
    Step.size = [16, 20]
    assert ViewMaker.of(Steps())(png(), None).shape == (3, 16, 20)


@pytest.fixture
def folder(tmp_path):
    """A folder with a file that has an image at 100."""
    (tmp_path / "images" / "part").mkdir(parents=True)
    (tmp_path / "images" / "part" / "0.tar").write_bytes(bytes(100) + png() + bytes(50))
    (tmp_path / "outside.tar").write_bytes(bytes(100) + png())
    return tmp_path / "images"


def place(container: str = "part/0.tar", position: int = 100, **hashes) -> drshard.Locator:
    return drshard.Locator(container, position, len(png()), **hashes)


def test_images_are_read_where_they_lie(folder):
    maker = pickle.loads(pickle.dumps(ViewMaker(8, None, None, image_folder=folder)))
    for own in (place(), place(sha256=hashlib.sha256(png()).digest()), place(crc32c=1)):
        assert torch.equal(maker(own, None), ViewMaker(8, None, None)(png(), None))


def test_a_locator_without_a_folder_says_what_is_missing():
    with pytest.raises(drshard.ArgumentError, match="image_folder"):
        ViewMaker(8)(place(), None)


@pytest.mark.parametrize(
    "own",
    [
        place("none.tar"),
        place("part"),
        place(""),
        place("../outside.tar"),
        place("part/../../outside.tar"),
        place("/etc/passwd"),
        place("part/0.tar\0"),
        place("\ud800"),
        place(position=200),
        place(position=2**64 - 1),
        drshard.Locator("part/0.tar", 0, 2**63),
    ],
)
def test_images_that_are_not_there_are_errors_of_files(folder, own):
    with pytest.raises(drshard.FileError):
        ViewMaker(8, image_folder=folder)(own, None)


def test_another_image_than_the_one_that_was_there_is_an_error_of_its_kind(folder):
    with pytest.raises(drshard.ChecksumError) as caught:
        ViewMaker(8, image_folder=folder)(place(sha256=bytes(32)), None)
    assert caught.value.path == str(folder / "part/0.tar") and caught.value.position == 100
