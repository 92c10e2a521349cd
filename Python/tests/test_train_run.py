"""Whole runs of a tiny student on coloured shapes: they learn, go on after a kill, and run on two processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from heavy import need

torch, open_clip = need("torch", "open_clip")
EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import checkpoints  # noqa: E402
import eval_student  # noqa: E402
import make_shapes  # noqa: E402
import train_student  # noqa: E402
from reinforced import TeacherError  # noqa: E402
from train_student import Options  # noqa: E402


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes.make(folder / "set", rows=256, views=4, shards=2)
    pictures = folder / "pictures"
    pictures.mkdir()
    for row in range(32):
        (pictures / f"{row}.png").write_bytes(make_shapes.picture(row, seed=99)[0])
        (pictures / f"{row}.txt").write_text(make_shapes.captions(row)[0])
    yield folder / "set"


def options(shapes: Path, output: Path | None, **others: Any) -> Options:
    settings = {"model": "tiny", "batch_size": 32, "log_every": 1, "torch_threads": 1, "image_threads": 1, "lanes": 4}
    return Options(str(shapes), str(output) if output else None, **{**settings, **others})


def arguments(given: Options) -> list[str]:
    """The same run, for the command line."""
    words = [given.shards]
    for name, value in vars(given).items():
        if name != "shards" and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def losses(lines: list[dict]) -> dict[int, dict[str, float]]:
    """The numbers of each step that do not hang on the clock."""
    clock = ("samples_per_second", "data_wait")
    return {line["step"]: {name: value for name, value in line.items() if name not in clock} for line in lines}


def lines_of(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []


def test_the_student_learns(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    given = options(shapes, tmp_path, steps=60, batch_size=64, learning_rate=3e-3, checkpoint_every=40, log_every=5)
    lines = train_student.train(given)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines
    assert [line["step"] for line in lines] == list(range(5, 65, 5))
    assert lines[-1]["loss"] < 0.65 * lines[0]["loss"]
    assert lines[-1]["epoch"] == 59 // 4 and lines[-1]["samples"] == 60 * 64
    assert all(0 <= line["data_wait"] <= 1 and line["samples_per_second"] > 0 for line in lines)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["step_00000040.pt", "step_00000060.pt"]
    found = {}
    for source in (shapes.parent / "pictures", shapes):
        words = [str(tmp_path / "step_00000060.pt"), "--model", "tiny", "--retrieval", str(source), "--json"]
        assert eval_student.main(words) == 0
        found[source.name] = json.loads(capsys.readouterr().out)["retrieval"]
    # 32 pictures that it has not seen, of 32 kinds: chance is 1/32, 5/32.
    for way in ("image_to_text", "text_to_image"):
        assert found["pictures"][f"{way}_recall@1"] > 4 / 32
        assert found["pictures"][f"{way}_recall@5"] > 20 / 32
    # In the set every caption belongs to eight pictures: no more than one of eight is right at once.
    assert found["set"]["images"] == found["set"]["captions"] == 256
    assert 5 / 256 < found["set"]["image_to_text_recall@1"] <= 1 / 8


def test_a_killed_run_goes_on_as_if_it_had_not_been(shapes: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    given = options(
        shapes, tmp_path / "killed", steps=30, checkpoint_every=4, log_file=str(log), variants="independent"
    )
    command = [sys.executable, str(EXAMPLES / "train_student.py"), *arguments(given)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        until = time.monotonic() + 60
        while len(lines_of(log)) < 11 and run.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        error = run.communicate()[1].decode()
    assert run.returncode == -signal.SIGKILL, error
    killed = lines_of(log)
    kept = checkpoints.newest(tmp_path / "killed")
    assert 11 <= len(killed) < 30 and kept is not None
    given.resume = "newest"
    went_on = train_student.train(given, quiet=True)
    assert went_on[0]["step"] == int(kept.stem.removeprefix("step_")) + 1
    given.resume, given.log_file, given.output = None, None, str(tmp_path / "whole")
    whole = losses(train_student.train(given, quiet=True))
    assert losses(went_on) == {step: line for step, line in whole.items() if step >= went_on[0]["step"]}
    assert losses(killed) == {step: line for step, line in whole.items() if step <= len(killed)}
    one, other = (checkpoints.read(checkpoints.newest(tmp_path / each)) for each in ("killed", "whole"))
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name
    assert one["processes"][0]["loader"] == other["processes"][0]["loader"]
    for number, state in one["optimiser"]["state"].items():
        assert torch.equal(state["exp_avg_sq"], other["optimiser"]["state"][number]["exp_avg_sq"])


def test_two_processes_train_as_one(shapes: Path, tmp_path: Path) -> None:
    given = options(shapes, tmp_path / "two", steps=8, accumulate=2, warmup=0, clip=0.5, stop_after=5)
    given.log_file = str(tmp_path / "log")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(EXAMPLES / "train_student.py"), *arguments(given), "--device", "cpu",
    ]  # fmt: skip
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr[-3000:]
    two = lines_of(tmp_path / "log")
    assert [json.loads(line) for line in run.stdout.splitlines()] == two
    given.log_file, given.output = None, str(tmp_path / "one")
    one = train_student.train(given, quiet=True)
    states = [checkpoints.read(checkpoints.newest(tmp_path / each)) for each in ("one", "two")]
    assert len(one) == len(two) == 5 and [len(state["processes"]) for state in states] == [1, 2]
    same_losses(one, two)
    a, b = (torch.cat([value.flatten() for value in state["state_dict"].values()]) for state in states)
    torch.manual_seed(0)
    start = torch.cat([value.flatten() for value in train_student.create_model("tiny").state_dict().values()])
    # Adam makes a full step of a gradient that is nothing but rounding, so single weights may differ; the way does not.
    assert (a - b).norm() < 0.01 * (a - start).norm()
    # One process goes on where two have stopped.
    given.stop_after, given.resume = None, "newest"
    went_on = train_student.train(given, quiet=True)
    given.output = str(tmp_path / "two")
    same_losses(went_on, train_student.train(given, quiet=True))
    assert [line["step"] for line in went_on] == [6, 7, 8]


def same_losses(one: list[dict], two: list[dict]) -> None:
    """To what adding in another order may change."""
    assert [line["step"] for line in one] == [line["step"] for line in two]
    for first, second in zip(one, two):
        for name in ("loss", "contrastive_real", "distill_real", "contrastive_synthetic", "distill_synthetic"):
            assert first[name] == pytest.approx(second[name], rel=2e-5), (first["step"], name)
        assert first["gradient_norm"] == pytest.approx(second["gradient_norm"], rel=1e-3)


def test_a_resumed_run_must_be_the_same_run(shapes: Path, tmp_path: Path) -> None:
    given = options(shapes, tmp_path, steps=2)
    train_student.train(given, quiet=True)
    given.resume, given.captions = "newest", "real"
    with pytest.raises(checkpoints.ResumeError, match="captions was both and is real"):
        train_student.train(given, quiet=True)


@pytest.mark.parametrize("captions", ["real", "synthetic"])
def test_captions_and_precision_are_options(shapes: Path, captions: str) -> None:
    given = options(shapes, None, steps=1, captions=captions, teacher_dtype="bf16", precision="bf16", image_size=64)
    parts = train_student.train(given, quiet=True)[0]
    assert {name for name in parts if name.startswith(("contrastive", "distill"))} == {
        f"contrastive_{captions}", f"distill_{captions}",
    }  # fmt: skip


def test_without_distillation_no_embeddings_are_read(shapes: Path) -> None:
    parts = train_student.train(options(shapes, None, steps=1, distill_weight=0.0), quiet=True)[0]
    assert parts["loss"] == pytest.approx(parts["contrastive_real"] + parts["contrastive_synthetic"])
    with pytest.raises(TeacherError, match="3 logit scales for 2 teachers"):
        train_student.train(options(shapes, None, steps=1, logit_scales=[1, 2, 3]), quiet=True)


def test_errors_are_one_line(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert train_student.main([str(tmp_path / "absent"), "--steps", "1", "--model", "tiny"]) == 1
    assert capsys.readouterr().err.startswith("train_student: ")
    assert train_student.main([str(shapes), "--steps", "1", "--model", "tiny", "--batch-size", "1000"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
