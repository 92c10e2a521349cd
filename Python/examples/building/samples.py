"""Images with their captions, from webdataset tars or from folders."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

IMAGE_KINDS = ("jpg", "jpeg", "png", "webp", "bmp")
_KINDS = {*IMAGE_KINDS, "txt", "json", "url.txt"}


class BadSample(Exception):
    """A sample that cannot be used: without caption or image, or with an image that cannot be decoded."""


@dataclass(frozen=True)
class Sample:
    """An image and its caption."""

    key: str
    """What the sample is called where it comes from."""
    uid: bytes
    """16 bytes: `uid` of its json, else the first ones of the SHA-256 of the image's bytes."""
    image: bytes
    """As it is encoded."""
    sha256: bytes
    """Of these bytes."""
    size: tuple[int, int]
    """(width, height) in pixels."""
    text: str
    url: str | None

    def decoded(self) -> Image.Image:
        """The image, in RGB as trainers make it: not turned as EXIF says, transparency dropped."""
        return Image.open(io.BytesIO(self.image)).convert("RGBA").convert("RGB")


# A sample in pieces: its key, and its files by their kinds. First what reads them, then their bytes.
_Readers = tuple[str, dict[str, Callable[[], bytes]]]
RawSample = tuple[str, dict[str, bytes]]


class Inputs:
    """Samples in a fixed order: those of tars as they lie there, those of folders by name.

    Args:
        paths: tars, folders of tars, or folders of image files with captions of the same name in `.txt` beside them.

    Raises:
        SystemExit: a path that is none of these.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._parts: list[Path | list[Path]] = []
        for path in paths:
            if path.is_dir():
                tars = sorted(path.glob("*.tar"))
                self._parts += tars if tars else [_image_files(path)]
            elif tarfile.is_tarfile(path) if path.is_file() else False:
                self._parts.append(path)
            else:
                raise SystemExit(f"{path}: neither a tar nor a folder")

    def digest(self) -> str:
        """Of names and sizes of all files, to know again whether they are the same."""
        digest = hashlib.sha256()
        for part in self._parts:
            for path in [part] if isinstance(part, Path) else part:
                digest.update(f"{path.name}\n{path.stat().st_size}\n".encode())
        return digest.hexdigest()

    def samples(self, first: int) -> Iterator[RawSample]:
        """All samples from number `first` on, as they are. Those before are passed over without reading their files."""
        number = 0
        for part in self._parts:
            for key, readers in _of_tar(part) if isinstance(part, Path) else _of_folder(part):
                if number >= first:
                    yield key, {kind: read() for kind, read in readers.items() if kind in _KINDS}
                number += 1


def _image_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix[1:].lower() in IMAGE_KINDS)
    if not files:
        raise SystemExit(f"{folder}: has neither tars nor images ({', '.join(IMAGE_KINDS)})")
    return files


def _of_folder(images: list[Path]) -> Iterator[_Readers]:
    for image in images:
        beside = [image] + [image.with_suffix(suffix) for suffix in (".txt", ".json")]
        yield str(image), {path.suffix[1:].lower(): path.read_bytes for path in beside if path.exists()}


def _of_tar(path: Path) -> Iterator[_Readers]:
    """Files of one sample lie side by side in a tar, and their names are alike up to the first point."""
    with tarfile.open(path) as tar:
        key, files = "", {}
        for member in tar:
            if not member.isfile():
                continue
            folder, _, name = member.name.rpartition("/")
            stem, _, kind = name.partition(".")
            if f"{folder}/{stem}" != key and files:
                yield f"{path}:{key}", files
                files = {}
            key = f"{folder}/{stem}"
            files[kind.lower()] = lambda member=member: tar.extractfile(member).read()
        if files:
            yield f"{path}:{key}", files


def read(raw: RawSample) -> Sample | BadSample:
    """Takes a sample apart, and makes sure that its image can be decoded."""
    key, files = raw
    try:
        kind = next((kind for kind in IMAGE_KINDS if kind in files), None)
        if kind is None:
            raise BadSample("has no image")
        facts = json.loads(files["json"]) if "json" in files else {}
        text = files["txt"].decode() if "txt" in files else facts.get("caption")
        if not isinstance(text, str):
            raise BadSample("has no caption")
        image = files[kind]
        sha256 = hashlib.sha256(image).digest()
        uid = bytes.fromhex(facts["uid"]) if "uid" in facts else sha256[:16]
        if len(uid) != 16:
            raise BadSample(f"has a uid of {len(uid)} bytes, and not of 16")
        url = files["url.txt"].decode() if "url.txt" in files else facts.get("url")
        sample = Sample(key, uid, image, sha256, Image.open(io.BytesIO(image)).size, text.strip(), url and url.strip())
        sample.decoded()
        return sample
    except BadSample as error:
        return BadSample(f"{key}: {error}")
    except Exception as error:  # a decoder of images may raise anything
        return BadSample(f"{key}: {type(error).__name__}: {error}")
