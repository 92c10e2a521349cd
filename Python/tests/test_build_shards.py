"""examples/build_shards.py as a program: what it stores, and that a run that was killed makes the same shards."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from heavy import need

torch, numpy, pil, functional, autoaugment, open_clip = need(
    "torch",
    "numpy",
    "PIL.Image",
    "torchvision.transforms.functional",
    "torchvision.transforms.autoaugment",
    "open_clip",
)

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import build_shards  # noqa: E402
import drshard  # noqa: E402
from building.drawing import Drawing  # noqa: E402
from drshard.augment import OPERATIONS, Augmentation  # noqa: E402

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
# A batch of nine images is three views of three rows, and a row group has two: they end at different rows.
OPTIONS = [
    "--teacher", "tiny-clip-32:random", "--teacher", "tiny-clip-48:random", "--views", "3", "--batch-size", "9",
    "--rows-per-shard", "10", "--rows-per-group", "2", "--seed", "7",
]  # fmt: skip
CAPTIONER = ["--captioner", "tiny-coca-32:random", "--captions", "2", "--caption-length", "8"]
COUNT, VIEWS, CAPTIONS = 24, 3, 2


def pictures() -> list[tuple[str, bytes, str]]:
    """(kind, bytes, caption) of 24 images of many sizes, the same each time."""
    generator, made = numpy.random.default_rng(1), []
    for number in range(COUNT):
        height, width = generator.integers(20, 90, 2)
        pixels = generator.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=numpy.uint8)
        kind, data = ("jpg", "png", "webp")[number % 3], io.BytesIO()
        pil.fromarray(pixels).resize((int(width), int(height))).save(data, {"jpg": "jpeg"}.get(kind, kind))
        made.append((kind, data.getvalue(), f"Picture number {number}, which shows noise of many colours"))
    return made


def files_of(pictures) -> list[tuple[str, bytes]]:
    """Names and bytes: every second picture, from the first on, has a json with a uid."""
    files = []
    for number, (kind, data, caption) in enumerate(pictures):
        files += [(f"{number:03d}.{kind}", data), (f"{number:03d}.txt", caption.encode())]
        if number % 2 == 0:
            files.append((f"{number:03d}.json", json.dumps({"uid": f"{number:032x}", "url": f"u{number}"}).encode()))
    return files


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, data in files_of(pictures()):
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def tars(tmp_path_factory) -> Path:
    """The same samples in two tars."""
    folder = tmp_path_factory.mktemp("tars")
    for number, part in enumerate((range(13), range(13, COUNT))):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for name, data in files_of(pictures()):
                if int(name[:3]) in part:
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(EXAMPLES / "build_shards.py"), *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory) -> Path:
    """What a run without interruption makes."""
    output = tmp_path_factory.mktemp("shards") / "out"
    done = run(folder, "--output", output, *OPTIONS, *CAPTIONER)
    assert done.returncode == 0, done.stderr
    assert "24 rows in 3 shards," in done.stdout
    assert "\r" not in done.stderr, "no progress where there is no terminal"
    return output


def all_of(path: Path) -> dict:
    data_set = drshard.open(str(path))
    return data_set.take(range(len(data_set)))


def content(shards: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(shards.iterdir())}


def flat(values) -> list:
    """Texts of a column with one variant, however they are nested."""
    return [value[0] if isinstance(value, (list, tuple)) else value for value in values]


def test_rows_are_the_samples(shards):
    rows = all_of(shards)
    for number, (_, data, caption) in enumerate(pictures()):
        sha256 = hashlib.sha256(data).digest()
        assert bytes(rows["image"][number]) == data
        assert bytes(rows["sha256"][number]) == sha256
        assert bytes(rows["uid"][number]) == (sha256[:16] if number % 2 else number.to_bytes(16, "big"))
        assert flat(rows["url"])[number] == (None if number % 2 else f"u{number}")
        assert flat(rows["text"])[number] == caption
        assert tuple(rows["original_size"][number]) == pil.open(io.BytesIO(data)).size
    tokenizer = open_clip.tokenizer.SimpleTokenizer()
    assert len(set(map(str, rows["syn_text"]))) == COUNT
    for number in range(COUNT):
        assert list(flat(rows["tokens"])[number]) == tokenizer.encode(flat(rows["text"])[number])
        for text, tokens in zip(rows["syn_text"][number], rows["syn_tokens"][number], strict=True):
            assert text and list(tokens) == tokenizer.encode(text)


def test_the_schema_says_what_the_numbers_mean(shards):
    schema = drshard.open(str(shards)).schema
    assert [axis.count for axis in schema.axes] == [VIEWS, 1, CAPTIONS]
    assert [teacher.name for teacher in schema.teachers] == ["tiny-clip-32:random", "tiny-clip-48:random"]
    for teacher, (first, count) in zip(schema.teachers, ((0, 32), (32, 48)), strict=True):
        assert teacher.logit_scale == pytest.approx(1 / 0.07, rel=1e-6)
        assert {part.column for part in teacher.slices} == {"image_emb", "text_emb", "syn_text_emb"}
        assert {(part.first, part.count) for part in teacher.slices} == {(first, count)}


def teacher_models():
    torch.set_num_threads(1)
    open_clip.add_model_config(EXAMPLES / "configs")
    for number, name in enumerate(("tiny-clip-32", "tiny-clip-48")):
        torch.manual_seed(7 + number)
        yield open_clip.create_model(name).eval(), open_clip.get_tokenizer(name)


def view_by_torchvision(image, record: Augmentation, size: int, preprocess: dict):
    """The view that a record describes, made with torchvision alone."""
    modes = functional.InterpolationMode
    view = functional.resized_crop(image, *record.crop, [size, size], modes(preprocess["interpolation"]))
    for index, magnitude in record.operations:
        view = autoaugment._apply_op(view, OPERATIONS[index], magnitude, modes.NEAREST, None)
    return functional.normalize(functional.to_tensor(view), preprocess["mean"], preprocess["std"])


def test_embeddings_are_those_of_the_recorded_views_and_captions(shards):
    rows = all_of(shards)
    stored = {
        name: torch.from_numpy(numpy.ascontiguousarray(rows[name]).view(numpy.uint16).copy())
        .view(torch.bfloat16)
        .float()
        for name in ("image_emb", "text_emb", "syn_text_emb")
    }
    assert stored["image_emb"].shape == (COUNT, VIEWS, 80) and stored["syn_text_emb"].shape == (COUNT, CAPTIONS, 80)
    first, records = 0, set()
    with torch.no_grad():
        for model, tokenizer in teacher_models():
            preprocess, dims = model.visual.preprocess_cfg, model.visual.output_dim
            part = slice(first, first + dims)
            first += dims
            for number in range(COUNT):
                image = pil.open(io.BytesIO(bytes(rows["image"][number]))).convert("RGB")
                views = [view_by_torchvision(image, record, preprocess["size"][0], preprocess)
                         for record in rows["augmentation"][number]]  # fmt: skip
                records.update(rows["augmentation"][number])
                close(stored["image_emb"][number][:, part], model.encode_image(torch.stack(views), normalize=True))
                real = model.encode_text(tokenizer([flat(rows["text"])[number]]), normalize=True)
                close(stored["text_emb"][number].reshape(1, -1)[:, part], real)
                synthetic = model.encode_text(tokenizer(list(rows["syn_text"][number])), normalize=True)
                close(stored["syn_text_emb"][number][:, part], synthetic)
    assert len(records) == COUNT * VIEWS, "every view is another one"


def close(stored, computed) -> None:
    """Equal up to the rounding to bfloat16, and what other batches do to the last bits."""
    torch.testing.assert_close(stored, computed, rtol=2**-8, atol=1e-5)


def test_tars_make_the_same_rows_as_a_folder(tars, shards, tmp_path):
    done = run(tars, "--output", tmp_path / "out", *OPTIONS, *CAPTIONER)
    assert done.returncode == 0, done.stderr
    ours, theirs = all_of(tmp_path / "out"), all_of(shards)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert str(list(ours[name])) == str(list(theirs[name])), name
        if hasattr(ours[name], "tobytes"):
            assert ours[name].tobytes() == theirs[name].tobytes(), name


def test_urls_are_kept_wherever_they_begin(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number, (kind, data, caption) in enumerate(pictures()[:3]):
        (images / f"{number}.{kind}").write_bytes(data)
        (images / f"{number}.txt").write_text(caption)
    (images / "2.json").write_text(json.dumps({"url": "u2"}))
    options = ["--teacher", "tiny-clip-32:random", "--views", "1", "--output", str(tmp_path / "out")]
    assert build_shards.main([str(images), *options]) == 0
    assert all_of(tmp_path / "out")["url"] == [None, None, "u2"]


@pytest.mark.parametrize("part", ["00000000.drs.part", "00000001.drs.part"])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(folder, shards, tmp_path, part):
    output = tmp_path / "out"
    process = subprocess.Popen(
        command(folder, "--output", output, *OPTIONS, *CAPTIONER), env=ENVIRONMENT, stderr=subprocess.PIPE
    )
    try:
        # In the middle of a shard, some row groups of which are written.
        deadline, enough = time.monotonic() + 120, (shards / part.removesuffix(".part")).stat().st_size // 2
        while not (output / part).exists() or (output / part).stat().st_size < enough:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    before = content(output)
    assert part in before and "00000002.drs" not in before
    done = run(folder, "--output", output, *OPTIONS, *CAPTIONER)
    assert done.returncode == 0, done.stderr
    assert content(output) == content(shards)
    assert "more rows were there" in done.stdout and ("(1 more were there)" in done.stdout) == ("1.drs" in part)


def test_a_run_that_is_complete_changes_nothing_and_other_options_are_refused(folder, shards):
    before = content(shards)
    done = run(folder, "--output", shards, *OPTIONS, *CAPTIONER)
    assert done.returncode == 0 and "0 rows in 0 shards (3 more were there)" in done.stdout, done.stderr
    done = run(folder, "--output", shards, *OPTIONS, *CAPTIONER, "--magnitude", "8")
    assert done.returncode == 1 and "with other options" in done.stderr
    assert content(shards) == before


def test_bad_samples_and_duplicates_are_left_out(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for number, (kind, data, caption) in enumerate(pictures()[:6]):
        (images / f"{number}.{kind}").write_bytes(data)
        (images / f"{number}.txt").write_text(caption)
        (images / f"{number}-again.{kind}").write_bytes(data)
        (images / f"{number}-again.txt").write_text(caption)
    (images / "3.txt").unlink()
    kind, data, _ = pictures()[4]
    (images / f"4.{kind}").write_bytes(data[: len(data) // 2])
    ready = tmp_path / "captions.jsonl"
    lines = [
        {"uid": hashlib.sha256(data).hexdigest()[:32], "syn_text": [f"{c}", "b", "c"]} for _, data, c in pictures()
    ]
    ready.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = [
        "--teacher",
        "tiny-clip-32:random",
        "--views",
        "2",
        "--rows-per-shard",
        "3",
        "--captions-from",
        str(ready),
    ]
    with pytest.raises(SystemExit, match=r"3\.jpg.*--on-error skip"):
        build_shards.main([str(images), "--output", str(tmp_path / "stop"), *options])
    options += ["--captions", "2", "--on-error", "skip"]
    assert build_shards.main([str(images), "--output", str(tmp_path / "out"), *options]) == 0
    assert "6 rows in 4 shards, 2 bad samples left out, 4 duplicates left out" in capsys.readouterr().out
    rows = all_of(tmp_path / "out")
    assert [list(texts) for texts in rows["syn_text"]] == [[text, "b"] for text in flat(rows["text"])]


def test_other_precisions_make_nearly_the_same_embeddings(tmp_path):
    images, made = tmp_path / "images", {}
    images.mkdir()
    for name, data in files_of(pictures()[:3]):
        (images / name).write_bytes(data)
    for precision in ("fp32", "amp", "bf16", "fp16"):
        output = tmp_path / precision
        options = ["--teacher", "tiny-clip-32:random", *CAPTIONER]
        options += ["--views", "2", "--precision", precision, "--output", str(output)]
        assert build_shards.main([str(images), *options]) == 0
        shard = drshard.open(output)
        made[precision] = shard.take(range(len(shard)), ["image_emb", "text_emb"], dtype="f32")
    for precision in ("amp", "bf16", "fp16"):
        for name, values in made[precision].items():
            assert (values * made["fp32"][name]).sum(axis=-1).min() > 0.99, (precision, name)


@pytest.mark.parametrize(
    "options,message",
    [
        (["--teacher", "tiny-clip-32"], "which weights"),
        (["--teacher", "no-such-model:random"], "no-such-model"),
        (["--teacher", "tiny-clip-32:random", "--captioner", "tiny-clip-48:random"], "writes no captions"),
        (["--teacher", "tiny-coca-32:random", "--precision", "bf16"], "does not run with --precision bf16"),
        (["--teacher", "tiny-clip-32:random", "--scale", "0.5", "0.1"], "--scale"),
        (["--teacher", "tiny-clip-32:random", "--captions", "3"], "--captions N needs"),
        (["--teacher", "tiny-clip-32:random", "--views", "0"], "from 1 on"),
    ],
)
def test_options_that_do_not_fit_are_named(folder, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stop:
        build_shards.main([str(folder), "--output", str(tmp_path / "out"), *options])
    assert message in f"{stop.value.code} {capsys.readouterr().err}"
    assert not (tmp_path / "out").exists()


def test_verify_finds_the_shards_sound(shards):
    program = os.environ.get("DRSHARD_CLI")
    if not program:
        pytest.skip("DRSHARD_CLI does not say where the program drshard is")
    done = subprocess.run([program, "verify", "--decode", str(shards)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("sound") == 3


def test_what_is_drawn_is_what_torchvision_could_draw():
    for size in (48, 224):
        for magnitude in range(31):
            drawing = Drawing(0, 1, (0.08, 1.0), size, 2, magnitude, 31)
            space = autoaugment.RandAugment()._augmentation_space(31, (size, size))
            theirs = [(float(values[magnitude]) if values.ndim else 0.0, signed) for values, signed in space.values()]
            assert drawing.table() == theirs and list(space) == list(OPERATIONS)
    drawing = Drawing(3, 50, (0.08, 1.0), 224, 2, 9, 31)
    records = drawing.draw(b"0123456789abcdef", (640, 480))
    assert records == drawing.draw(b"0123456789abcdef", (640, 480)) != drawing.draw(b"0123456789abcdeg", (640, 480))
    allowed = {index: set(magnitudes) for index, _, magnitudes in drawing.magnitudes()}
    for record in records:
        top, left, height, width = record.crop
        assert 0 <= top <= 480 - height and 0 <= left <= 640 - width
        assert len(record.operations) == 2 and all(value in allowed[index] for index, value in record.operations)
