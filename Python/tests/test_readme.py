"""What the repository's README shows runs as it stands there, on a set of a test's size."""

from __future__ import annotations

import re
from pathlib import Path

import drshard
import pytest
from conftest import rows, schema
from heavy import need

README = Path(__file__).parents[2] / "README.md"


def block(number: int) -> str:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[number]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with `shards/`, whose images can be decoded, as the working directory."""
    (tmp_path / "shards").mkdir()
    columns = rows(0, 64)
    columns["image"] = [b"P6 40 40 255\n" + bytes(range(200)) * 24] * 64
    with drshard.ShardWriter(tmp_path / "shards" / "a.drs", schema()) as writer:
        writer.write_batch(columns)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_the_package(folder):
    code = block(0).replace("batch_size=4096", "batch_size=8").replace("1800", "18")
    names: dict = {}
    exec(code, names)
    assert names["state"]["epoch"] == 1 and names["batch"]["image_emb"].shape[0] == 8


def test_the_example_of_torch_and_of_the_released_trainer(folder):
    torch, open_clip = need("torch", "open_clip")
    names: dict = {"ds": drshard.open("shards/")}
    code = block(1).replace("batch_size=4096", "batch_size=8").replace(', device="cuda", pin_memory=True', "")
    exec(code.replace("ViewMaker(256)", "ViewMaker(16)"), names)
    batch = next(iter(names["loader"]))
    assert batch["image"].shape == (8, 3, 16, 16) and batch["image_emb"].dtype == torch.bfloat16

    class Arguments:
        batch_size, workers, seed, rank, world_size = 8, 0, 0, 0, 1

    names = {
        "args": Arguments,
        "preprocess_train": open_clip.image_transform(16, is_train=True),
        "start_epoch": 1,
        "drshard": drshard,
        "data": {},
    }
    exec(block(2), names)
    assert [len(part) for part in next(iter(names["data"]["train"].dataloader))] == [8] * 6
