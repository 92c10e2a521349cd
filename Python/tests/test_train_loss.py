"""The reinforced loss: against open_clip's, against a reference in float64, and on two processes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from heavy import need

torch, open_clip_loss = need("torch", "open_clip.loss")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import processes  # noqa: E402
from reinforced import ReinforcedLoss, TeacherError, TeacherPart, teachers_of  # noqa: E402

PARTS = ("image", "real", "synthetic")


def unit(generator: torch.Generator, rows: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(rows, width, generator=generator), dim=1).to(dtype)


def batch(rows: int = 12, width: int = 8, teachers: tuple[int, ...] = (16, 24), seed: int = 0) -> tuple[dict, dict]:
    """A student's features and stored embeddings, which hold one teacher behind the other."""
    generator = torch.Generator().manual_seed(seed)
    features = {part: unit(generator, rows, width) for part in PARTS}
    stored = {part: torch.cat([unit(generator, rows, each) for each in teachers], dim=1) for part in PARTS}
    return features, stored


def parts_of(widths: tuple[int, ...], scales: tuple[float, ...]) -> list[TeacherPart]:
    firsts = [sum(widths[:i]) for i in range(len(widths))]
    return [
        TeacherPart(f"t{i}", scale, dict.fromkeys(PARTS, (first, width)))
        for i, (first, width, scale) in enumerate(zip(firsts, widths, scales))
    ]


def texts(features: dict) -> dict:
    return {part: features[part] for part in ("real", "synthetic")}


def reference(features: dict, stored: dict, teachers: list[TeacherPart], scale: float, weight: float) -> dict:
    """The loss once more, in float64 and row by row, straight from its definition."""
    a = features["image"].numpy().astype(numpy.float64)
    result, total = {}, 0.0
    for part in ("real", "synthetic"):
        b = features[part].numpy().astype(numpy.float64)
        contrastive = distill = 0.0
        for turned in (False, True):
            p = numpy.zeros((len(a), len(a)))
            for teacher in teachers:
                first, count = teacher.slices[part]
                cut = slice(first, first + count)
                ta, tb = (stored[key].numpy().astype(numpy.float64)[:, cut] for key in ("image", part))
                logits = teacher.logit_scale * (tb @ ta.T if turned else ta @ tb.T)
                p += softmax(logits) / len(teachers)
            log = numpy.log(softmax(scale * (b @ a.T if turned else a @ b.T)))
            for row in range(len(a)):
                contrastive -= log[row, row] / len(a) / 2
                distill -= sum(p[row, other] * log[row, other] for other in range(len(a))) / len(a) / 2
        result[f"contrastive_{part}"], result[f"distill_{part}"] = contrastive, distill
        total += (1 - weight) * contrastive + weight * distill
    return {"loss": total, **result}


def softmax(logits: numpy.ndarray) -> numpy.ndarray:
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_equals_open_clip_with_one_teacher() -> None:
    features, stored = batch(teachers=(16,))
    found = ReinforcedLoss(parts_of((16,), (70.0,)), 0.7)(features["image"], texts(features), 20.0, stored)
    peer = open_clip_loss.DistillClipLoss()
    total = 0.0
    for part in ("real", "synthetic"):
        contrastive, distill = peer(features["image"], features[part], 20.0, stored["image"], stored[part], 70.0)
        torch.testing.assert_close(found[f"contrastive_{part}"], contrastive, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found[f"distill_{part}"], distill, rtol=1e-6, atol=1e-6)
        total = total + 0.3 * contrastive + 0.7 * distill
    torch.testing.assert_close(found["loss"], total, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_equals_the_reference_with_two_teachers(weight: float) -> None:
    features, stored = batch()
    teachers = parts_of((16, 24), (100.0, 60.0))
    found = ReinforcedLoss(teachers, weight)(features["image"], texts(features), 14.3, stored)
    expected = reference(features, stored, teachers, 14.3, weight)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=2e-6), name


def test_bf16_is_computed_in_f32() -> None:
    features, stored = batch()
    rounded = {part: value.bfloat16() for part, value in stored.items()}
    loss = ReinforcedLoss(parts_of((16, 24), (100.0, 60.0)))
    found = loss(features["image"], texts(features), 14.3, rounded)
    same = loss(features["image"], texts(features), 14.3, {part: value.float() for part, value in rounded.items()})
    assert found["loss"].dtype == torch.float32
    assert found["loss"].item() == same["loss"].item()
    assert found["loss"].item() != loss(features["image"], texts(features), 14.3, stored)["loss"].item()


def test_a_teacher_that_is_not_normalised_is_made_so() -> None:
    features, stored = batch()
    teachers = [TeacherPart(t.name, t.logit_scale, t.slices, False) for t in parts_of((16, 24), (100.0, 60.0))]
    longer = {part: value * 3 for part, value in stored.items()}
    found = ReinforcedLoss(teachers)(features["image"], texts(features), 14.3, longer)["loss"]
    expected = ReinforcedLoss(parts_of((16, 24), (100.0, 60.0)))(features["image"], texts(features), 14.3, stored)
    torch.testing.assert_close(found, expected["loss"], rtol=1e-5, atol=1e-5)


def test_without_distillation_nobody_asks_for_teachers() -> None:
    features, _ = batch()
    found = ReinforcedLoss([], 0.0)(features["image"], {"real": features["real"]}, 14.3)
    assert set(found) == {"loss", "contrastive_real"}
    assert found["loss"].item() == found["contrastive_real"].item()
    with pytest.raises(TeacherError):
        ReinforcedLoss([], 0.5)


def gradients_of_one(rows: slice | None = None) -> dict[str, torch.Tensor]:
    """Gradients for features and logit scale of a batch, of which this process has `rows`."""
    features, stored = batch(rows=8)
    if rows:
        features, stored = ({part: value[rows] for part, value in each.items()} for each in (features, stored))
    features = {part: value.clone().requires_grad_() for part, value in features.items()}
    scale = torch.tensor(14.3, requires_grad=True)
    loss = ReinforcedLoss(parts_of((16, 24), (100.0, 60.0)))
    value = loss(features["image"], texts(features), scale, stored)["loss"]
    value.backward()
    return {"loss": value.detach(), "scale": scale.grad, **{part: each.grad for part, each in features.items()}}


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = gradients_of_one(slice(rank * 4, rank * 4 + 4))
    # bf16 goes through the same exchange, as it is.
    rounded = processes.rows_of_all(torch.full((2, 3), rank + 0.5, dtype=torch.bfloat16))
    assert rounded[:, 0].tolist() == [0.5, 0.5, 1.5, 1.5]
    torch.save(found, f"{folder}/{rank}.pt")
    processes.stop()


def test_two_processes_have_the_gradient_of_one(tmp_path: Path) -> None:
    import torch.multiprocessing

    torch.set_num_threads(1)
    torch.multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="fork")
    both = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    one = gradients_of_one()
    # The loss is the mean over processes. Gradients of a process are of the sum of both losses: half of it is theirs.
    torch.testing.assert_close((both[0]["loss"] + both[1]["loss"]) / 2, one["loss"], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close((both[0]["scale"] + both[1]["scale"]) / 2, one["scale"], rtol=1e-5, atol=1e-7)
    for part in PARTS:
        torch.testing.assert_close(torch.cat([each[part] for each in both]) / 2, one[part], rtol=1e-5, atol=1e-7)


def schema(*scales: float | None, captions: tuple[str, ...] = ("syn_text_emb",), count: int = 768) -> SimpleNamespace:
    columns = [("image_emb", "image_embedding", "view"), ("text_emb", "text_embedding", "real")]
    columns += [(name, "text_embedding", f"axis of {name}") for name in captions]
    kinds = {"view": "views", "real": "real captions"} | {f"axis of {name}": "synthetic captions" for name in captions}
    slices = [
        [SimpleNamespace(column=name, first=768 * i, count=count) for name, _, _ in columns] for i in range(len(scales))
    ]
    return SimpleNamespace(
        axes=[SimpleNamespace(name=name, kind=kind) for name, kind in kinds.items()],
        columns=[SimpleNamespace(name=name, role=role, axis=axis) for name, role, axis in columns],
        teachers=[
            SimpleNamespace(name=f"t{i}", normalised=True, logit_scale=scale, slices=each)
            for i, (scale, each) in enumerate(zip(scales, slices))
        ],
    )


def test_teachers_are_what_the_shards_say() -> None:
    found = teachers_of(schema(100.0, 70.0))
    assert [(each.name, each.logit_scale) for each in found] == [("t0", 100.0), ("t1", 70.0)]
    assert found[1].slices == {"image": (768, 768), "real": (768, 768), "synthetic": (768, 768)}
    assert [each.logit_scale for each in teachers_of(schema(None, 70.0), logit_scales=[1, 2])] == [1.0, 2.0]
    # Two captioners have a column each, with the same slices.
    assert teachers_of(schema(100.0, captions=("syn_a_emb", "syn_b_emb")))[0].slices["synthetic"] == (0, 768)
    assert set(teachers_of(schema(100.0), ("real",))[0].slices) == {"image", "real"}


@pytest.mark.parametrize(
    ("given", "scales", "message"),
    [
        (schema(), None, "convert with --teacher"),
        (schema(100.0, None), None, "t1: give --logit-scales, one for each of t0, t1"),
        (schema(100.0, 70.0), [100.0], "1 logit scales for 2 teachers"),
        (schema(100.0, captions=()), None, "has no slice of synthetic embeddings"),
    ],
)
def test_what_the_shards_do_not_say_is_an_error(given: SimpleNamespace, scales: list | None, message: str) -> None:
    with pytest.raises(TeacherError, match=message):
        teachers_of(given, logit_scales=scales)
