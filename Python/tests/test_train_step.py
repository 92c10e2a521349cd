"""A training step without data sets: batches in pieces, precision, learning rate, checkpoints."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from heavy import need

torch, open_clip = need("torch", "open_clip")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import checkpoints  # noqa: E402
from pipeline import StepInput  # noqa: E402
from processes import Processes  # noqa: E402
from reinforced import ReinforcedLoss, TeacherPart  # noqa: E402
from student import Look, create_model, model_name  # noqa: E402
from training import Recipe, Trainer  # noqa: E402

HERE = Processes(0, 1, torch.device("cpu"))
TEACHERS = [TeacherPart("t", 50.0, dict.fromkeys(("image", "real", "synthetic"), (0, 16)))]


def trainer(model: str = "tiny", **recipe: object) -> Trainer:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = {"steps": 10, "warmup": 2, "learning_rate": 1e-3, **recipe}
    return Trainer(create_model(model), ReinforcedLoss(TEACHERS), Recipe(**settings), HERE)


def given(rows: int = 12, size: int = 32, seed: int = 1) -> StepInput:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.zeros(rows, 77, dtype=torch.long)
    tokens[:, 0], tokens[:, 6] = 49406, 49407
    stored = {part: torch.randn(rows, 16, generator=generator) for part in ("image", "real", "synthetic")}
    texts = {}
    for part in ("real", "synthetic"):
        texts[part] = tokens.clone()
        texts[part][:, 1:6] = torch.randint(1, 49000, (rows, 5), generator=generator)
    images = torch.randint(0, 256, (rows, 3, size, size), generator=generator, dtype=torch.uint8)
    return StepInput(images, texts, {k: torch.nn.functional.normalize(v, dim=1) for k, v in stored.items()})


def gradients(of: Trainer, batch: StepInput) -> tuple[dict, dict]:
    parts = of.gradients(batch)
    return parts, {name: parameter.grad for name, parameter in of.model.named_parameters()}


@pytest.mark.parametrize("pieces", [2, 4])
def test_pieces_of_a_batch_have_its_gradient(pieces: int) -> None:
    whole_parts, whole = gradients(trainer(), given())
    cut_parts, cut = gradients(trainer(accumulate=pieces), given())
    for name, value in whole_parts.items():
        torch.testing.assert_close(cut_parts[name], value, rtol=1e-5, atol=1e-6)
    assert whole["logit_scale"].abs() > 1e-4
    for name, value in whole.items():
        torch.testing.assert_close(cut[name], value, rtol=2e-4, atol=1e-7, msg=name)


def test_pieces_repeat_dropout_and_count_statistics_once() -> None:
    one, cut = trainer(), trainer(accumulate=3)
    for each in (one, cut):
        each.model.visual.conv1 = torch.nn.Sequential(
            each.model.visual.conv1, torch.nn.BatchNorm2d(64), torch.nn.Dropout(0.5)
        )
    torch.manual_seed(3)
    repeated = []
    cut.model.visual.conv1[2].register_forward_hook(lambda module, into, out: repeated.append(out.detach()))
    cut.gradients(given())
    assert len(repeated) == 6
    for first, second in zip(repeated[:3], repeated[3:]):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.equal(repeated[0], repeated[1])
    assert cut.model.visual.conv1[1].num_batches_tracked.item() == 3


def test_rows_that_cannot_be_cut_are_an_error() -> None:
    with pytest.raises(ValueError, match="12 rows of a process cannot be cut into 5 pieces"):
        trainer(accumulate=5).step(given())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_learns_the_same_direction(precision: str) -> None:
    full_parts, full = gradients(trainer(), given())
    low = trainer(precision=precision)
    if precision == "fp16":
        low.scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    parts, found = gradients(low, given())
    assert parts["loss"].item() == pytest.approx(full_parts["loss"].item(), rel=0.02)
    a, b = (torch.cat([value.flatten() for value in each.values()]) for each in (full, found))
    assert torch.cosine_similarity(a, b / low.scaler.get_scale(), dim=0) > 0.98


def test_gradients_too_large_for_fp16_leave_the_weights_alone() -> None:
    made = trainer(precision="fp16")
    made.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    before = made.model.visual.proj.detach().clone()
    made.step(given())
    assert torch.equal(made.model.visual.proj, before)
    assert made.scaler.get_scale() == 2.0**23


def test_the_rate_rises_and_falls() -> None:
    recipe = Recipe(steps=110, warmup=10, learning_rate=1.0)
    rates = [recipe.rate(step) for step in range(110)]
    assert rates[0] == 0.1 and rates[9] == 1.0 and rates[10] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0 < rates[-1] < 0.001


def test_gains_do_not_decay_and_the_scale_is_bounded() -> None:
    made = trainer(weight_decay=0.5)
    without, with_decay = made.optimiser.param_groups
    assert without["weight_decay"] == 0 and with_decay["weight_decay"] == 0.5
    assert any(parameter is made.model.logit_scale for parameter in without["params"])
    with torch.no_grad():
        made.model.logit_scale.fill_(9.0)
    made.step(given())
    assert made.model.logit_scale.exp().item() == pytest.approx(100)


def test_open_clip_loads_a_checkpoint(tmp_path: Path) -> None:
    made = trainer()
    made.step(given())
    path = checkpoints.save(tmp_path, made, {"step": 1}, {"model": "tiny"})
    assert path.name == "step_00000001.pt" and [each.name for each in tmp_path.iterdir()] == [path.name]
    loaded = open_clip.create_model("tiny", pretrained=str(path))
    for name, value in made.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_checkpoints_go_on_exactly_and_old_ones_go(tmp_path: Path) -> None:
    made = trainer()
    for step in range(3):
        made.step(given(seed=step))
        checkpoints.save(tmp_path, made, {"at": step + 1}, {"seed": 0}, keep=2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["step_00000002.pt", "step_00000003.pt"]
    (tmp_path / ".step_00000009.pt.part").write_bytes(b"cut short")
    other = trainer()
    assert checkpoints.load(checkpoints.newest(tmp_path), other, {"seed": 0}) == {"at": 3}
    assert made.step(given(seed=9))["loss"].item() == other.step(given(seed=9))["loss"].item()
    for a, b in zip(made.model.parameters(), other.model.parameters()):
        assert torch.equal(a, b)
    with pytest.raises(checkpoints.ResumeError, match="seed was 0 and is 1"):
        checkpoints.load(checkpoints.newest(tmp_path), other, {"seed": 1})


def test_a_run_that_went_back_keeps_what_it_writes(tmp_path: Path) -> None:
    made = trainer()
    for step in (3000, 4000):
        made.steps_done = step
        checkpoints.save(tmp_path, made, {"at": step}, {}, keep=2)
    for step, left in ((2000, [2000, 4000]), (2500, [2000, 2500]), (2500, [2000, 2500]), (3000, [2500, 3000])):
        made.steps_done = step
        path = checkpoints.save(tmp_path, made, {"at": step}, {}, keep=2)
        assert path.exists() and checkpoints.newest(tmp_path) == path == checkpoints.path_of(tmp_path, step)
        assert sorted(tmp_path.glob("*.pt")) == [checkpoints.path_of(tmp_path, each) for each in left]


def test_a_clock_that_goes_back_does_not_make_an_older_checkpoint_the_newest(tmp_path: Path) -> None:
    made = trainer()
    checkpoints.save(tmp_path, made, {}, {}, keep=1)
    later = checkpoints.newest(tmp_path).stat().st_mtime + 1e6
    os.utime(checkpoints.newest(tmp_path), (later, later))
    made.steps_done = 5
    path = checkpoints.save(tmp_path, made, {}, {}, keep=1)
    assert checkpoints.newest(tmp_path) == path and list(tmp_path.glob("*.pt")) == [path]


def test_models_have_short_names() -> None:
    assert [model_name(each) for each in ("S0", "S2", "B")] == ["MobileCLIP2-S0", "MobileCLIP-S2", "MobileCLIP-B"]
    assert model_name("tiny") == "tiny" and model_name("MobileCLIP2-S0") == "MobileCLIP2-S0"
    with pytest.raises(ValueError, match="has no model S9"):
        model_name("S9")
    model = create_model("tiny")
    assert Look.of(model).size == 32
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_200_000
