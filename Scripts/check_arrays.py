"""Arrays that NumPy and safetensors wrote themselves, converted: every bit must come back.

    check_arrays.py DRSHARD FOLDER

Sets are written into FOLDER in every form that `convert --from arrays` reads, with uids as DataComp packs them, names of
others, cells that are absent and lost, and lines that json.dumps wrote. What `export` gives of the shards is read by the
same libraries, and compared with what was written.
"""

import hashlib
import json
import pathlib
import subprocess
import sys

import ml_dtypes
import numpy as np
from safetensors import numpy as safetensors_numpy

DRSHARD, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
ROWS, VIEWS, CAPTIONS, DIMS = 37, 3, 4, 24
random = np.random.default_rng(5)
compared = 0


def run(*arguments, fails=None):
    done = subprocess.run([DRSHARD, *map(str, arguments)], capture_output=True, text=True)
    if fails is None:
        assert done.returncode == 0, (arguments, done.stderr)
    else:
        assert done.returncode == 1 and fails in done.stderr, (arguments, done.returncode, done.stderr)
    return done.stdout


def same(a, b, what):
    global compared
    compared += 1
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    assert a.dtype == b.dtype and a.shape == b.shape, (what, a.dtype, a.shape, b.dtype, b.shape)
    assert a.tobytes() == b.tobytes(), (what, "bits differ")


def embeddings(*shape):
    values = random.standard_normal((ROWS, *shape, DIMS), np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


UIDS = [hashlib.md5(str(i).encode()).hexdigest() for i in range(ROWS)]
PAIRS = np.array([(int(u[:16], 16), int(u[16:32], 16)) for u in UIDS], np.dtype("u8,u8"))
IMAGE, TEXT = embeddings(VIEWS), embeddings(1 + CAPTIONS)
STATE = np.zeros((ROWS, VIEWS), np.uint8)
STATE[3, 1], STATE[4, 0] = 1, 2
IMAGE[STATE > 0] = np.nan  # nobody may look at them
LINES = [
    {
        "uid": UIDS[i], "url": f"http://example.com/{i}", "sha256": hashlib.sha256(UIDS[i].encode()).hexdigest(),
        "text": None if i == 5 else f"caption \u2028 \U0001f642 {i}", "syn_text": [f"{i} {j}" for j in range(CAPTIONS)],
        "param_aug": [[[j, 0, 8 + i, 9], [[j, 0.1 * j], [6, -0.26999998092651367]]] for j in range(VIEWS)],
        "original_width": 100 + i, "original_height": 50 + i, "score": 0.5,
    }
    for i in range(ROWS)
]


def write_lines(path, lines, ascii=True):
    path.write_text("".join(json.dumps(line, ensure_ascii=ascii) + "\n" for line in lines), encoding="utf-8")


def shards(name):
    """The arrays and lines of a converted set: all but what is missing."""
    run("export", ROOT / name / "shards", "--to", "npz", "--with-jsonl", "--output", ROOT / name / "export")
    (path,) = (ROOT / name / "export").glob("*.npz")
    lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    return dict(np.load(path, allow_pickle=False)), lines


def check(name, image, text, with_lines=True, state=STATE):
    arrays, lines = shards(name)
    same(arrays["uids"], PAIRS, (name, "uids"))
    assert state is None or (arrays["image_emb_state"] == state).all(), name
    present = np.ones((ROWS, VIEWS), bool) if state is None else state == 0
    same(arrays["image_emb"][present], image[present], (name, "image_emb"))
    same(arrays["text_emb"], text[:, :1], (name, "text_emb"))
    same(arrays["syn_text_emb"], text[:, 1:], (name, "syn_text_emb"))
    if with_lines:
        wanted = [{k: v for k, v in line.items() if k != "score"} for line in LINES]
        assert len(lines) == ROWS and all(repr(sorted(a.items())) == repr(sorted(b.items())) for a, b in zip(lines, wanted))


def convert(name, *arguments):
    run("convert", ROOT / name / "set", "--output", ROOT / name / "shards", "--verify", *arguments)


def rounded(array):
    return array.astype(ml_dtypes.bfloat16)


def folder(name):
    path = ROOT / name / "set"
    path.mkdir(parents=True)
    return path


def main():
    # NumPy's folder, float32 kept; lines in the folder.
    unit = folder("npy") / "a"
    unit.mkdir()
    for key, array in {"uids": PAIRS, "image_emb": IMAGE, "text_emb": TEXT, "image_emb_state": STATE}.items():
        np.save(unit / f"{key}.npy", array)
    write_lines(unit / "rows.jsonl", LINES)
    convert("npy", "--keep-f32")
    check("npy", IMAGE, TEXT)

    # The same, half as wide, stored and compressed; captions apart; lines beside it.
    for name, save in (("npz", np.savez), ("compressed", np.savez_compressed)):
        path = folder(name)
        bits = {"image_emb": rounded(IMAGE), "text_emb": rounded(TEXT[:, 0]), "syn_text_emb": rounded(TEXT[:, 1:])}
        save(path / "a.npz", uids=PAIRS, image_emb_state=STATE,
             **{key + "_bf16": array.view(np.uint16) for key, array in bits.items()})
        write_lines(path / "a.jsonl", LINES, ascii=False)
        convert(name)
        check(name, rounded(IMAGE).astype(np.float32), rounded(TEXT).astype(np.float32))

    # safetensors, bfloat16 as it is, ids as bytes, no lines: --text-rows says what the rows are.
    path = folder("safetensors")
    ids = np.array([list(bytes.fromhex(uid)) for uid in UIDS], np.uint8)
    image = np.nan_to_num(IMAGE)
    safetensors_numpy.save_file({"uid": ids, "image_emb": rounded(image), "text_emb": rounded(TEXT)}, path / "a.safetensors")
    run("convert", path, "--output", ROOT / "safetensors/shards", fails="--text-rows")
    convert("safetensors", "--text-rows", f"real=0,syn=1-{CAPTIONS}")
    check("safetensors", rounded(image).astype(np.float32), rounded(TEXT).astype(np.float32), with_lines=False, state=None)

    # Names and ids of others, and float32 rounded as ml_dtypes rounds.
    path = folder("names")
    np.savez(path / "a.npz", clip=IMAGE, clip_state=STATE, texts=TEXT, labels=np.arange(ROWS))
    write_lines(path / "a.jsonl", [{"id": f"cat {i}", "caption": f"{i}", "made": ["x"] * CAPTIONS} for i in range(ROWS)])
    columns = ROOT / "columns.json"
    columns.write_text(json.dumps({
        "arrays": {"image_emb": "clip", "text_emb": "texts"}, "ignore": ["labels"],
        "fields": {"uid": "id", "text": "caption", "syn_text": "made"},
        "teachers": [{"name": "mine", "first": 0, "count": DIMS, "logit_scale": 14.5}],
    }))
    run("convert", path, "--columns", columns, "--output", ROOT / "none", fails="--hash-ids")
    convert("names", "--columns", columns, "--hash-ids")
    arrays, lines = shards("names")
    wanted = [hashlib.sha256(f"cat {i}".encode()).hexdigest()[:32] for i in range(ROWS)]
    assert [line["uid"] for line in lines] == wanted
    same(arrays["image_emb"][STATE == 0], rounded(IMAGE)[STATE == 0].astype(np.float32), "rounded")
    same(arrays["syn_text_emb"], rounded(TEXT)[:, 1:].astype(np.float32), "rounded texts")
    print(f"arrays of numpy and safetensors: {compared} comparisons, all equal")


main()
