"""The bench of a training step runs, and its numbers belong together."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from heavy import need

need("torch", "open_clip")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import bench_step  # noqa: E402
import make_shapes  # noqa: E402


def test_a_short_bench(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make_shapes.make(tmp_path / "set", rows=32, views=2)
    words = [str(tmp_path / "set"), "--model", "tiny", "--batch-size", "8", "--turns", "2", "--steps", "1",
             "--torch-threads", "1", "--image-threads", "1"]  # fmt: skip
    assert bench_step.main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["kinds"]) == ["plain", "pairs", "reinforced"]
    for kind in result["kinds"].values():
        assert kind["step_ms"] > 0 and kind["loader_ms"] > 0 and kind["images_ms"] > 0
        assert 0 <= kind["training_wait_share"] <= 1 and 0 < kind["loader_share"] < kind["data_share"] < 1
    assert bench_step.table(result).count("\n") == 5
