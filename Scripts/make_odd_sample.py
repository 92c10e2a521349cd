"""Makes a sample of `drshard sample` odd: texts in many scripts, numbers at the edges, images of other formats.

    make_odd_sample.py FOLDER
"""

import io
import json
import pathlib
import sys
import tarfile

from PIL import Image

TEXTS = [
    "ein Pelikan über dem Fluß", "日本の橋, \"quoted\" and \\ back", "tab\there\nand a new line", "\u2028 \u2029 \x85 \x1c \x7f \x0b",
    "🦩 flamingo 👩‍👩‍👧 e\u0301 é", "", " ", "\x01\x1f", "</s> &amp; <b>", "النص العربي", "x" * 3000, "\ufeff\uffff\U0010ffff",
]
MAGNITUDES = [
    0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 123456789012345680.0, 1e-7, 0.26999998092651367, 2.0**53 + 2, 1 / 3,
]
FORMATS = [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")]


def odd(path, change):
    """Passes every member of a tar through `change`: number of the sample, suffix, bytes."""
    with tarfile.open(path) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]
    keys = []
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            key, suffix = name.split(".", 1)
            if key not in keys:
                keys.append(key)
            suffix, data = change(len(keys) - 1, suffix, data)
            info = tarfile.TarInfo(f"{key}.{suffix}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def reinforced(number, suffix, data):
    if suffix == "syn.json":
        texts = json.loads(data)["syn_text"]
        texts = [TEXTS[(number + i) % len(TEXTS)] for i in range(len(texts))]
        # Half of the writers leave Unicode as it is.
        data = json.dumps({"syn_text": texts}, ensure_ascii=number % 2 == 0).encode()
    elif suffix == "paug.json":
        views = json.loads(data)["param_aug"]
        for i, view in enumerate(views):
            if i == 1 and number % 4 == 0:
                view[1] = None
                continue
            for j, operation in enumerate(view[1]):
                operation[1] = MAGNITUDES[(number + 2 * i + j) % len(MAGNITUDES)]
        views[0][0][2:] = [2**31 - 1, 1]
        data = json.dumps({"param_aug": views}).encode()
    elif suffix == "url.txt":
        data += "?q=ü&\u2028".encode()
    return suffix, data


def captions(number, suffix, data):
    if suffix == "txt":
        data = TEXTS[number % len(TEXTS)].encode()
    elif suffix == "png":
        suffix, name = FORMATS[number % len(FORMATS)]
        image = Image.open(io.BytesIO(data)).convert("RGB")
        buffer = io.BytesIO()
        image.save(buffer, name)
        data = buffer.getvalue()
    return suffix, data


folder = pathlib.Path(sys.argv[1])
for change in (reinforced, captions):
    for path in sorted((folder / change.__name__).glob("*.tar")):
        odd(path, change)
