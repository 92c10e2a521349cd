"""The comparison of precisions: what it calls a difference, and a run of it that is as short as can be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from heavy import need

need("torch", "open_clip")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import compare_precision  # noqa: E402
import make_shapes  # noqa: E402


def runs(f32: list[float], bf16: list[float]) -> list[dict]:
    return [
        {"captions": "both", "seed": seed, "teacher_dtype": dtype, "loss": value}
        for dtype, values in (("f32", f32), ("bf16", bf16))
        for seed, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("f32", "bf16", "within"),
    [([1.0, 1.2, 1.4], [1.1, 1.2, 1.4], True), ([1.0, 1.01, 1.02], [1.5, 1.51, 1.52], False), ([1.0], [1.0], None)],
)
def test_a_difference_is_compared_with_that_of_seeds(f32: list[float], bf16: list[float], within: bool | None) -> None:
    found = compare_precision.compared(runs(f32, bf16), "both", "loss")
    assert found["within_seeds"] is within
    assert found["difference"]["mean"] == pytest.approx(sum(bf16) / len(bf16) - sum(f32) / len(f32))
    words = compare_precision.verdict([found])
    assert ("lies within" in words, "is larger" in words) == (within is True, within is False)


def test_a_short_comparison(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    make_shapes.make(tmp_path / "set", rows=64, views=2)
    words = [str(tmp_path / "set"), "--model", "tiny", "--steps", "2", "--batch-size", "64", "--seeds", "2",
             "--captions", "real", "both", "--torch-threads", "1", "--output", str(tmp_path / "out.json")]  # fmt: skip
    assert compare_precision.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    result = json.loads((tmp_path / "out.json").read_text())
    assert len(result["runs"]) == 8 and result["stored"] == ["f32"]
    assert len(lines) == 1 + 2 * 7 + 1 and lines[-1] == result["verdict"]
    by_dtype = [run["loss"] for run in result["runs"][:2]]
    assert by_dtype[0] != by_dtype[1] and by_dtype[0] == pytest.approx(by_dtype[1], rel=0.01)
