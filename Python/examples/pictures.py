"""Images with captions or classes from where people keep them: folders, tars as webdataset has them, shards."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drshard
import torch
from drshard.views import located

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass
class Picture:
    """One encoded image, its captions, and the number of its class if it has one."""

    data: bytes
    captions: list[str]
    label: int | None = None


def pictures(source: Path, image_folder: str | None = None) -> Iterator[Picture]:
    """Images with captions of a folder (image + .txt), of tars or a folder of them, or of drshard's shards."""
    if _is_set(source):
        return _of_shards(source, Path(image_folder) if image_folder else None)
    tars = _tars(source)
    return _of_tars(tars) if tars else _of_folder(source)


def classes_in(source: Path, names: Sequence[str] | None) -> tuple[list[str], Iterator[Picture]]:
    """The names of the classes, and labelled images: of a folder of class folders, or of tars with .cls members.

    A folder's classes are its subfolders in the order of their names; their own names, with _ as a space, are used
    unless `names` are given.
    """
    tars = _tars(source)
    if tars:
        if not names:
            raise ValueError(f"{source}: labels in tars are numbers, give their names with --classes")
        return list(names), _labelled(_of_tars(tars), source, len(names))
    folders = sorted(folder for folder in source.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    if not folders:
        raise ValueError(f"{source} has no folders of classes")
    if names and len(names) != len(folders):
        raise ValueError(f"{source} has {len(folders)} folders, and there are {len(names)} names of classes")
    return list(names or [folder.name.replace("_", " ") for folder in folders]), _of_classes(folders)


def _labelled(found: Iterator[Picture], source: Path, count: int) -> Iterator[Picture]:
    for picture in found:
        if picture.label is None:
            raise ValueError(f"{source}: an image without a .cls member")
        if not 0 <= picture.label < count:
            raise ValueError(f"{source}: class {picture.label}, and there are {count} names of classes")
        yield picture


def _is_set(source: Path) -> bool:
    return source.suffix == ".drs" or (source.is_dir() and any(source.glob("*.drs")))


def _tars(source: Path) -> list[Path]:
    return [source] if source.suffix == ".tar" else sorted(source.glob("*.tar")) if source.is_dir() else []


def _of_classes(folders: Sequence[Path]) -> Iterator[Picture]:
    for label, folder in enumerate(folders):
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in ENDINGS:
                yield Picture(file.read_bytes(), [], label)


def _of_folder(source: Path) -> Iterator[Picture]:
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is no folder, no tar and no shard")
    for file in sorted(source.rglob("*")):
        if file.suffix.lower() in ENDINGS and file.with_suffix(".txt").is_file():
            yield Picture(file.read_bytes(), _lines(file.with_suffix(".txt").read_text(encoding="utf-8")))


def _lines(text: str) -> list[str]:
    """The captions of a text file, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _of_tars(tars: Sequence[Path]) -> Iterator[Picture]:
    for tar in tars:
        sample: dict[str, bytes] = {}
        key = None
        with tarfile.open(tar) as file:
            for member in file:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, field = name.partition(".")
                if (folder, stem) != key and sample:
                    yield from _of_sample(sample)
                    sample = {}
                key = (folder, stem)
                sample[field.lower()] = file.extractfile(member).read()
        yield from _of_sample(sample)


def _of_sample(sample: dict[str, bytes]) -> Iterator[Picture]:
    for ending in ENDINGS:
        data = sample.get(ending[1:])
        if data is not None:
            label = int(sample["cls"]) if "cls" in sample else None
            yield Picture(data, _lines(sample.get("txt", b"").decode()), label)
            return


def _of_shards(source: Path, image_folder: Path | None) -> Iterator[Picture]:
    data_set = drshard.open(source)
    columns = {column.role: column for column in reversed(data_set.schema.columns)}
    kinds = {axis.name: axis.kind for axis in data_set.schema.axes}
    texts = [c for c in data_set.schema.columns if c.role == "text" and kinds.get(c.axis) == "real captions"]
    if "image" not in columns or not texts:
        raise ValueError(f"{source} has no images or no real captions")
    image, text = columns["image"].name, texts[0].name
    for first in range(0, len(data_set), 256):
        rows = range(first, min(first + 256, len(data_set)))
        taken = data_set.take(rows, columns=[image, text])
        for data, captions in zip(taken[image], taken[text]):
            data = data[0] if isinstance(data, (list, tuple)) else data
            data = located(data, image_folder) if isinstance(data, drshard.Locator) else data
            captions = [captions] if isinstance(captions, str) else captions
            if data is not None:
                yield Picture(bytes(data), [caption for caption in captions if caption])


def features_of(
    found: Iterator[Picture],
    look: Callable[[Any], torch.Tensor],
    encode: Callable[[torch.Tensor], torch.Tensor],
    batch_size: int,
    threads: int,
) -> tuple[torch.Tensor, list[Picture]]:
    """Features of all images, [N, D], and the pictures without their bytes."""
    rows, kept, waiting = [], [], []
    with ThreadPoolExecutor(max(1, threads)) as pool:

        def flush() -> None:
            rows.append(encode(torch.stack(list(pool.map(look, waiting)))))
            waiting.clear()

        for picture in found:
            waiting.append(picture.data)
            kept.append(Picture(b"", picture.captions, picture.label))
            if len(waiting) == batch_size:
                flush()
        if waiting:
            flush()
    if not rows:
        raise ValueError("no images there")
    return torch.cat(rows), kept
