"""Makes seeds for the fuzz targets: python3 make_seeds.py SAMPLE_FOLDER SEEDS_FOLDER."""

import gzip
import hashlib
import io
import pathlib
import random
import struct
import sys
import tarfile
import zipfile

LARGEST = 16384
# The first byte of an input of FuzzForeign: numbers of ForeignBody.swift.
KINDS = [
    "torch", "pickle", "zip", "npy", "gzip", "json", "tar", "image", "vocabulary", "merges", "text", "sample",
    "safetensors", "npy rows", "row line", "columns file",
]


LINES = [
    b'{"uid": 5, "text": null, "syn_text": ["a", null], "syn_text_a": [], "original_width": 3, "original_height": 2}',
    b'{"caption": "a", "b": ["c"], "param_aug": "[[[0, 0, 8, 8], [[1, 0.5]]], null, [[1, 1, 4, 4], null]]"}',
    b'{"param_aug": [[{"crop": [1, 2, 3, 4]}, {"flip": true}, {"rand_augment": [[3, 0.5]]}, {"resize": 224}],'
    b' [{"color_jitter": {"order": [0, 1, 2, 3], "factors": [1, 0.5, 2, 3]}}, {"erase": [0, 1, 2, 3]}],'
    b' [{"mixup": {"lambda": 0.5, "partner": "00ff"}}, {"cutmix": {"lambda": 1, "box": [0, 1, 2, 3], "partner": ""}},'
    b' {"random_crop": [1, 2]}, {"rand_augment": null}], []]}',
]
COLUMNS = [
    b'{"arrays": {"image_emb": "a", "syn_text_b_emb": "c"}, "fields": {"uid": "id"}, "ignore": ["d"], "text_rows":'
    b' "real=0,syn=1-2+4", "teachers": [{"name": "t", "first": 0, "count": 8, "logit_scale": 1.5}],'
    b' "captioners": {"syn_text": "x"}, "licences": {"y": "z"}}',
    b'{"teachers": [{"name": "t", "count": 1, "logit_scale": null}]}',
]


def put(folder, data, kind=None):
    if kind is not None:
        data = bytes([KINDS.index(kind)]) + data
    if 0 < len(data) <= LARGEST:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def put_zip(folder, data):
    put(folder, data, "zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            member = archive.read(name)
            if name.endswith(".pkl"):
                put(folder, member, "pickle")
            if name.endswith(".npy"):
                put(folder, member, "npy")
                put(folder, member, "npy rows")


def put_member(folder, name, data):
    if name.endswith(".pth.gz"):
        put(folder, data, "gzip")
        torch = gzip.decompress(data)
        put(folder, torch, "torch")
        put_zip(folder, torch)
    elif name.endswith(".npz"):
        put_zip(folder, data)
    elif name.endswith(".json"):
        put(folder, data, "json")
    elif name.endswith(".txt"):
        put(folder, data, "text")
    else:
        put(folder, data, "image")


def main(sample, seeds):
    root = pathlib.Path(__file__).resolve().parent.parent
    shards, foreign, kernels = (seeds / name for name in ("FuzzShard", "FuzzForeign", "FuzzKernels"))
    for folder in (shards, foreign, kernels):
        folder.mkdir(parents=True, exist_ok=True)
    for path in [*root.glob("Spec/vectors/*/*.drs"), *sample.glob("*/shards/*.drs")]:
        put(shards, path.read_bytes())
    for path in sample.glob("*/*/*.tar"):
        put(foreign, path.read_bytes(), "tar")
        samples = {}
        with tarfile.open(path) as tar:
            for member in tar:
                data = tar.extractfile(member).read()
                put_member(foreign, member.name, data)
                key, suffix = member.name.rsplit("/", 1)[-1].split(".", 1)
                samples.setdefault(key, {})[suffix] = data
        for key, members in samples.items():
            joined = b""
            for suffix in ("url.txt", "syn.json", "paug.json", "npz", "json", "txt"):
                data = members.get(suffix, b"").replace(key.encode(), b"k")
                joined += struct.pack("<H", len(data)) + data
            put(foreign, joined, "sample")
    for path in sample.glob("*/export/*.safetensors"):
        put(foreign, path.read_bytes(), "safetensors")
    for path in sample.glob("*/export/*/*.npy"):
        put(foreign, path.read_bytes(), "npy rows")
    for path in sample.glob("*/export/**/*.jsonl"):
        for line in path.read_bytes().splitlines()[:4]:
            put(foreign, line, "row line")
    for entry in LINES:
        put(foreign, entry, "row line")
    for columns in COLUMNS:
        put(foreign, columns, "columns file")
    vocabulary = b"version\na b</w>\nt h\nth e</w>\nd o\ndo g</w>\n"
    put(foreign, vocabulary, "merges")
    put(foreign, gzip.compress(vocabulary, mtime=0), "vocabulary")
    put(foreign, "ünï &amp; â€™ 日本 🙂 don't 12 <end_of_text>".encode(), "text")
    for image in (
        b"GIF89a\x02\x00\x03\x00", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00",
        b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x0f\x00\x00\x0f\x00\x00",
        b"RIFF\x16\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\x0f\xc0\x03\x00\x00",
        b"RIFF\x16\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\x10\x00\x10\x00",
    ):
        put(foreign, image, "image")
    # FuzzKernels takes any bytes: what to encode, and how to damage it. The first byte chooses the encoding.
    for i in range(40):
        put(kernels, bytes([i % 5]) + random.Random(i).randbytes(100 + 100 * i))
    print(f"{len(list(shards.iterdir()))} seeds for FuzzShard, {len(list(foreign.iterdir()))} for FuzzForeign")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
