"""Training through shards and training on the tars that they were made of: the same losses, bit for bit.

The tars are read here with webdataset, torch.load and numpy.load, tokens are open_clip's and operations torchvision's;
only which cells a batch has is taken from the loader.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from heavy import need

torch, open_clip, webdataset, autoaugment, Image = need(
    "torch", "open_clip", "webdataset", "torchvision.transforms.autoaugment", "PIL.Image"
)
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import drshard  # noqa: E402
import drshard.torch  # noqa: E402
import train_student  # noqa: E402
from open_clip.tokenizer import default_bpe  # noqa: E402
from pipeline import CAPTIONS, StepInput  # noqa: E402
from processes import Processes  # noqa: E402
from student import ImageMaker  # noqa: E402
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms.functional import resized_crop  # noqa: E402

HERE = Processes(0, 1, torch.device("cpu"))
NAMES = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip
STEPS, BATCH = 4, 12


def program() -> str:
    """The command line, which makes and converts samples."""
    found = os.environ.get("DRSHARD_CLI") or shutil.which("drshard")
    if found is None:
        built = Path(__file__).parents[2] / ".build" / "release" / "drshard"
        found = str(built) if built.is_file() else None
    if found is None:
        reason = "needs the program drshard: build it, or say where it is with DRSHARD_CLI"
        (pytest.fail if os.environ.get("DRSHARD_TRAINERS") == "required" else pytest.skip)(reason)
    return found


def make_set(folder: Path, number: str, samples: int = 48, images: str = "store") -> tuple[Path, Path]:
    """Tars of a made-up set with numbers of a kind, and the shards of them."""
    drs = program()
    tars, shards = folder / "tars", folder / "shards"
    subprocess.run([drs, "sample", tars, "--samples", str(samples), "--dims", "64", "--format", number], check=True)
    convert = [
        drs, "convert", tars / "reinforced", "--captions", tars / "captions", "--tokenizer", default_bpe(),
        "--output", shards, "--images", images, "--teacher", "a:0:32:100", "--teacher", "b:32:32:70",
    ]  # fmt: skip
    subprocess.run(convert + (["--keep-f32"] if number == "float32" else []), check=True, capture_output=True)
    return tars, shards


def samples(tars: Path) -> dict[str, dict[str, Any]]:
    """All members of all samples, by uid."""
    found: dict[str, dict[str, Any]] = {}
    for part in ("reinforced", "captions"):
        files = [str(file) for file in sorted((tars / part).glob("*.tar"))]
        for sample in webdataset.WebDataset(files, shardshuffle=False):
            found.setdefault(sample["__key__"], {}).update(sample)
    return found


def embeddings(sample: dict[str, Any]) -> dict[str, torch.Tensor]:
    if "pth.gz" in sample:
        return torch.load(io.BytesIO(gzip.decompress(sample["pth.gz"])), weights_only=True)
    return {name: torch.from_numpy(value) for name, value in numpy.load(io.BytesIO(sample["npz"])).items()}


def image_of(sample: dict[str, Any], view: int, size: int) -> torch.Tensor:
    box, operations = json.loads(sample["paug.json"])["param_aug"][view]
    image = Image.open(io.BytesIO(sample["png"])).convert("RGBA").convert("RGB")
    image = resized_crop(image, *box, [size, size], InterpolationMode.BICUBIC)
    for index, magnitude in operations:
        image = autoaugment._apply_op(image, NAMES[index], magnitude, InterpolationMode.NEAREST, None)
    return torch.from_numpy(numpy.array(image)).permute(2, 0, 1)


def from_tars(found: dict[str, dict[str, Any]], batch: dict[str, Any], size: int) -> StepInput:
    """The batch that the loader delivered, made of the tars' cells."""
    tokenizer = open_clip.get_tokenizer("MobileCLIP-S1")
    images, tokens, stored = [], {"real": [], "synthetic": []}, {"image": [], "real": [], "synthetic": []}
    for uid, view, synthetic in zip(batch["row_id"], batch["view"].tolist(), batch["synthetic"].tolist()):
        sample = found[bytes(uid.tolist()).hex()]
        own = embeddings(sample)
        images.append(image_of(sample, view, size))
        tokens["real"].append(tokenizer(sample["txt"].decode())[0])
        tokens["synthetic"].append(tokenizer(json.loads(sample["syn.json"])["syn_text"][synthetic])[0])
        for part, row in (("image", own["image_emb"][view]), ("real", own["text_emb"][0])):
            stored[part].append(row)
        stored["synthetic"].append(own["text_emb"][1 + synthetic])
    together = [{part: torch.stack(rows) for part, rows in each.items()} for each in (tokens, stored)]
    return StepInput(torch.stack(images), *together)


@pytest.mark.parametrize("number", ["bfloat16", "float32"])
def test_losses_are_those_of_the_original_tars(number: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    tars, shards = make_set(tmp_path, number)
    options = train_student.Options(str(shards), model="tiny", steps=STEPS, batch_size=BATCH, learning_rate=3e-3)
    loader = drshard.torch.PairedLoader(
        shards, batch_size=BATCH, seed=3, content=("embeddings", "augmentations", "tokens", "images", "row_ids")
    )
    ours, theirs = (train_student.make_trainer(options, HERE, loader) for _ in range(2))
    maker = ImageMaker(ours.look.size, threads=0)
    found = samples(tars)
    assert len(found) == len(drshard.open(shards)) == 48
    steps = 0
    for batch in loader:
        ready = StepInput.of(batch, maker(batch), CAPTIONS["both"], taught=True)
        original = from_tars(found, batch, ours.look.size)
        assert ready.stored["image"].dtype == original.stored["image"].dtype
        assert torch.equal(ready.images, original.images)
        first, second = ours.step(ready), theirs.step(original)
        assert {name: value.item() for name, value in first.items()} == {n: v.item() for n, v in second.items()}
        steps += 1
    assert steps == STEPS
    for (name, one), other in zip(ours.model.state_dict().items(), theirs.model.state_dict().values()):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("images", ["locate", "none"])
def test_images_may_lie_elsewhere(images: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    tars, shards = make_set(tmp_path, "bfloat16", samples=12, images=images)
    words = [str(shards), "--model", "tiny", "--steps", "1", "--batch-size", "12", "--torch-threads", "1"]
    assert train_student.main(words) == 1
    complaint = {"locate": "name the folder of '00000000.tar'", "none": "the shards have no images"}[images]
    assert complaint in capsys.readouterr().err
    elsewhere = ["--image-folder", str(tars / "captions")]
    assert train_student.main([*words, *elsewhere]) == (0 if images == "locate" else 1)
    if images == "locate":
        (tars / "captions" / "00000000.tar").write_bytes(b"another file")
        assert train_student.main([*words, *elsewhere]) == 1
        assert "before an image at" in capsys.readouterr().err
