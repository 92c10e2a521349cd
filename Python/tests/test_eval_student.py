"""Evaluation: recall and accuracy of a judge whose answers are known, from every kind of source."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
from heavy import need

torch, open_clip, Image = need("torch", "open_clip", "PIL.Image")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import eval_student  # noqa: E402
from drshard.views import decoded  # noqa: E402
from pictures import Picture, pictures  # noqa: E402

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "sea green": (0, 180, 180)}


class Colours:
    """Knows colours by sight and by name; everything else it calls nothing."""

    def transform(self, data: bytes) -> torch.Tensor:
        return torch.tensor(decoded(data).getpixel((0, 0))).float()

    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(pixels, dim=1)

    def texts(self, texts: list[str]) -> torch.Tensor:
        longest = sorted(COLOURS, key=len, reverse=True)
        found = [next((COLOURS[n] for n in longest if f" {n}" in f" {text}"), (1, 1, 1)) for text in texts]
        return torch.nn.functional.normalize(torch.tensor(found).float(), dim=1)


def png(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), COLOURS[name]).save(buffer, "PNG")
    return buffer.getvalue()


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_recall_of_scores_that_are_known() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.1], [0.8, 0.7, 0.6], [0.1, 0.2, 0.3]])
    found = eval_student.recall(lambda rows: scores[rows], [[0], [1], [0]])
    assert found == pytest.approx([1 / 3, 1, 1])
    # With several right answers the best of them counts.
    assert eval_student.recall(lambda rows: scores[rows], [[2, 0], [2, 1], [0]])[0] == pytest.approx(1 / 3)


def test_a_judge_that_says_the_same_to_all_is_at_chance() -> None:
    found = eval_student.recall(lambda rows: torch.ones(50, 50)[rows], [[i] for i in range(50)], chunk=16)
    assert found == pytest.approx([1 / 50, 5 / 50, 10 / 50])
    # One of two right answers among 50 equals, on five places: 1 - 48/50 47/49 46/48 45/47 44/46.
    found = eval_student.recall(lambda rows: torch.ones(1, 50)[rows], [[3, 7]])
    assert found[1] == pytest.approx(1 - (45 * 44) / (50 * 49))


@pytest.mark.parametrize("kind", ["folder", "tars"])
def test_retrieval_from_folders_and_tars(kind: str, tmp_path: Path) -> None:
    members = {}
    for number, name in enumerate(COLOURS):
        members[f"a/{number}.png"] = png(name)
        members[f"a/{number}.txt"] = f"it is {name}\n\nthe colour {name} ".encode()
    members["a/alone.png"] = png("red")
    if kind == "folder":
        for name, data in members.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
    else:
        tar_of(tmp_path / "00.tar", dict(list(members.items())[:4]))
        tar_of(tmp_path / "01.tar", dict(list(members.items())[4:]))
    found = eval_student.retrieval(Colours(), tmp_path, batch_size=3, threads=2)
    assert (found["images"], found["captions"]) == (4, 8)
    assert found["image_to_text_recall@1"] == 1 and found["text_to_image_recall@1"] == 1


def test_classes_are_folders_or_numbers(tmp_path: Path) -> None:
    for name in COLOURS:
        folder = tmp_path / "classes" / name.replace(" ", "_")
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(png(name))
    (tmp_path / "classes" / "red" / "2.png").write_bytes(png("blue"))
    found = eval_student.classification(Colours(), tmp_path / "classes", None, ["one {}", "{}"], 2, 1)
    assert (found["images"], found["classes"]) == (5, 4)
    assert found["accuracy@1"] == pytest.approx(4 / 5) and found["accuracy@5"] == 1
    tar = tar_of(tmp_path / "a.tar", {f"{i}.{end}": data for i, name in enumerate(COLOURS)
                                      for end, data in (("png", png(name)), ("cls", str(i).encode()))})  # fmt: skip
    found = eval_student.classification(Colours(), tar, list(COLOURS), ["a {}"], 2, 1)
    assert found == {"images": 4, "classes": 4, "accuracy@1": 1.0, "accuracy@5": 1.0}
    with pytest.raises(ValueError, match="class 3, and there are 3 names"):
        eval_student.classification(Colours(), tar, list(COLOURS)[:3], ["a {}"], 2, 1)
    with pytest.raises(ValueError, match="give their names with --classes"):
        eval_student.classification(Colours(), tar, None, ["a {}"], 2, 1)


def test_the_program_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.set_num_threads(1)
    model = eval_student.create_model("tiny")
    torch.save(model.state_dict(), tmp_path / "plain.pt")
    for number, name in enumerate(COLOURS):
        (tmp_path / f"{number}.png").write_bytes(png(name))
        (tmp_path / f"{number}.txt").write_text(name)
    arguments = [str(tmp_path / "plain.pt"), "--model", "tiny", "--retrieval", str(tmp_path)]
    assert eval_student.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["retrieval"]
    assert found["images"] == 4 and found["image_to_text_recall@5"] == 1
    assert eval_student.main([*arguments, "--classify", str(tmp_path / "absent")]) == 1
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize("template", ["a {} {", "a {} {name}", "a } {}", "a {0} {}", "{{}}", "none"])
def test_templates_with_odd_braces_are_named(template: str, tmp_path: Path) -> None:
    given = eval_student.parser().parse_args(["w", "--model", "tiny", "--template", template])
    with pytest.raises(ValueError, match="template"):
        eval_student._templates(given)


def test_names_go_into_templates_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "{red}").mkdir()
    (tmp_path / "{red}" / "1.png").write_bytes(png("red"))
    given = eval_student.parser().parse_args(["w", "--model", "tiny", "--template", "{} or {}"])
    asked = []

    class Listening(Colours):
        def texts(self, texts: list[str]) -> torch.Tensor:
            asked.extend(texts)
            return super().texts(texts)

    eval_student.classification(Listening(), tmp_path, None, eval_student._templates(given), 2, 1)
    assert asked == ["{red} or {red}"]


def test_images_without_captions_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png("red"))
    assert list(pictures(tmp_path)) == []
    (tmp_path / "1.txt").write_text("red")
    assert list(pictures(tmp_path)) == [Picture(png("red"), ["red"])]
    with pytest.raises(FileNotFoundError, match="is no folder, no tar and no shard"):
        list(pictures(tmp_path / "nowhere"))
