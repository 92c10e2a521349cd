"""Tuples for open_clip's loop: options that are refused, images that lie in other files."""

from __future__ import annotations

import argparse
import dataclasses
import io

import drshard
import pytest
from conftest import VIEWS, rows, schema
from heavy import need

torch = need("torch")
Image = need("PIL.Image")

from drshard import openclip  # noqa: E402
from drshard.views import ViewMaker  # noqa: E402


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (number, 2 * number, 3 * number)).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def located(tmp_path_factory):
    """Shards that say where images lie, and the folder where they lie."""
    folder = tmp_path_factory.mktemp("located")
    own = schema()
    columns = [dataclasses.replace(c, type="locator") if c.name == "image" else c for c in own.columns]
    made = rows(0, 32)
    made["image"] = [drshard.Locator(f"{i}.png", 0, len(png(i))) for i in range(32)]
    made["augmentation"] = [[drshard.Augmentation(crop=(0, 0, 20, 20))] * VIEWS] * 32
    with drshard.ShardWriter(folder / "a.drs", dataclasses.replace(own, columns=columns)) as writer:
        writer.write_batch(made)
    for i in range(32):
        (folder / f"{i}.png").write_bytes(png(i))
    return folder


def test_images_that_lie_in_other_files_are_read(located):
    class Normalise:
        size, mean, std = 8, [0.0] * 3, [1.0] * 3

    preprocess = argparse.Namespace(transforms=[Normalise()])
    args = argparse.Namespace(batch_size=8, workers=0)
    data = openclip.paired_data(located, args, preprocess, image_folder=located, image_threads=1, threads=1)
    plain = drshard.Loader(located, batch_size=8)
    for batch, own in zip(data.dataloader, plain):
        expected = torch.tensor([[int(row), 2 * int(row), 3 * int(row)] for row in own["row"]]) / 255
        assert torch.allclose(batch[0][:, :, 0, 0], expected)
    without = openclip.paired_data(located, args, preprocess).dataloader
    with pytest.raises(drshard.ArgumentError, match="image_folder"):
        next(iter(without))


@pytest.mark.parametrize(
    "options, text",
    [
        ({"rank": 1}, "both or none"),
        ({"world_size": 2}, "both or none"),
        ({"content": ["tokens"]}, "content"),
        ({"embedding_dtype": "f32"}, "embedding_dtype"),
        ({"image_transform": None}, "image_transform"),
        ({"image_threads": -1}, "image_threads"),
        ({"workers": 1.5}, "workers"),
        ({"batch_size": "a"}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"rank": 0, "world_size": "1"}, "world_size"),
        ({"threads": -1}, "threads"),
    ],
)
def test_options_that_cannot_be_are_refused(located, options, text):
    with pytest.raises(drshard.ArgumentError, match=text):
        openclip.TupleLoader(located, **{"batch_size": 8, "view_maker": ViewMaker(8), **options})
