#!/usr/bin/env python3
"""Compares every value of converted shards with what Python's own libraries read from the tars they were made of.

    compare_real.py --shards FOLDER --tars FOLDER [--captions FOLDER] [--tokens] [--keep-f32]

The shards are read by Spec/decoder.py, which shares no code with drshard. The tars are read by tarfile, gzip, json,
torch.load, numpy.load, PIL and open_clip's own tokenizer. Exits with 1 if anything differs.
"""
import argparse
import collections
import gzip
import io
import json
import pathlib
import struct
import sys
import tarfile

import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Spec"))
import decoder


class Tally:
    """Counts what was compared and what differs, by kind of value; shows the first differences."""

    def __init__(self):
        self.compared, self.different, self.shown = collections.Counter(), collections.Counter(), 0

    def check(self, kind, place, found, expected, count=1):
        self.compared[kind] += count
        if found == expected:
            return
        self.different[kind] += 1
        if self.shown < 10:
            self.shown += 1
            print(f"DIFFERENT {kind} of {place}: {str(found)[:200]} in the shard, {str(expected)[:200]} in the tar")

    def report(self):
        for kind in self.compared:
            print(f"  {kind}: {self.compared[kind]} compared, {self.different[kind]} different")
        return sum(self.different.values())


def read_samples(path):
    """The samples of a tar in file order: uid to members by suffix."""
    samples = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile():
                key, _, suffix = pathlib.PurePosixPath(member.name).name.partition(".")
                samples.setdefault(key, {})[suffix] = tar.extractfile(member).read()
    return samples


def read_embeddings(sample):
    if "npz" in sample:
        with numpy.load(io.BytesIO(sample["npz"])) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return torch.load(io.BytesIO(gzip.decompress(sample["pth.gz"])), weights_only=True)


def row_bytes(tensor, keep_f32):
    """The little-endian bytes of each row of a matrix."""
    if tensor.dtype == torch.float32 and not keep_f32:
        tensor = tensor.to(torch.bfloat16)                              # to nearest, ties to even
    width = torch.int32 if tensor.dtype == torch.float32 else torch.int16
    return [row.tobytes() for row in tensor.contiguous().view(width).numpy()]


def operations(entry):
    """A view's entry of param_aug as the shard has it: the items and their operands, floats by their bits."""
    crop, rand_augment = entry
    if rand_augment is not None:
        rand_augment = [(operation, struct.unpack("<Q", struct.pack("<d", magnitude))[0])
                        for operation, magnitude in rand_augment]
    return [("crop", list(crop)), ("rand_augment", rand_augment)]


def text(value):
    """As a shard can hold it: UTF-8 has no lone surrogates, which JSON may escape."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Shard:
    """All cells of a shard by column name: cells[name][row][variant], None where not present."""

    def __init__(self, path):
        shard = decoder.open_shard(path.read_bytes())
        columns = shard.schema.columns
        self.row_count = shard.row_count
        self.cells = {column.name: [[] for _ in range(shard.row_count)] for column in columns}
        self.elements = {column.name: column.element and decoder.ELEMENT_NAMES[column.element] for column in columns}
        for group in shard.groups:
            for chunk in group.chunks:
                rows = self.cells[columns[chunk.column].name]
                for i, (state, slot) in enumerate(decoder.read_chunk(shard, group, chunk)):
                    value = bytes(slot) if state == decoder.PRESENT else None
                    rows[group.first_row + i // chunk.variant_count].append(value)


def compare_sample(tally, place, row, sample, arguments, tokenizer):
    """Compares one row (name to list of cells) with the sample's members."""
    identity, syn = json.loads(sample["json"]), json.loads(sample["syn.json"])["syn_text"]
    tally.check("uid", place, row["uid"][0].hex(), identity["uid"])
    tally.check("sha256", place, row["sha256"][0].hex(), identity["sha256"])
    tally.check("url", place, row["url"][0].decode(), sample["url.txt"].decode())
    parameters = json.loads(sample["paug.json"])["param_aug"]
    parameters = json.loads(parameters) if isinstance(parameters, str) else parameters
    tally.check("number of views", place, len(row["augmentation"]), len(parameters))
    for view, (value, entry) in enumerate(zip(row["augmentation"], parameters)):
        expected = operations(entry)
        numbers = 4 + 2 * len(expected[1][1] or [])
        tally.check("augmentation numbers", f"{place}, view {view}", decoder.read_operations(value, "cell", 0), expected, numbers)
    arrays = read_embeddings(sample)
    image, texts = (row_bytes(arrays[name], arguments.keep_f32) for name in ("image_emb", "text_emb"))
    size = 4 if arguments.keep_f32 else 2
    for name, found, expected in (("image_emb", row["image_emb"], image), ("text_emb", row["text_emb"], texts[:1]),
                                  ("syn_text_emb", row["syn_text_emb"], texts[1:])):
        tally.check("number of embeddings", f"{place}, {name}", len(found), len(expected))
        for variant, (a, b) in enumerate(zip(found, expected)):
            tally.check("embedding elements", f"{place}, {name}[{variant}]", a, b, len(b) // size)
    compare_texts(tally, place, row, "syn_text", "syn_tokens", syn, tokenizer)


def compare_texts(tally, place, row, name, tokens, expected, tokenizer):
    tally.check("number of texts", f"{place}, {name}", len(row[name]), len(expected))
    for variant, (value, string) in enumerate(zip(row[name], expected)):
        tally.check("texts", f"{place}, {name}[{variant}]", value.decode(), text(string))
        if tokenizer:
            found = [id for id, in struct.iter_unpack("<H", row[tokens][variant])]
            ids = tokenizer.encode(text(string))
            tally.check("token ids", f"{place}, {tokens}[{variant}]: {string!r}", found, ids, len(ids))


def compare_captions(tally, place, row, sample, tokenizer, counts):
    """Compares what was joined, and counts crop boxes that do not lie in the image."""
    from PIL import Image
    identity = json.loads(sample["json"])
    compare_texts(tally, place, row, "text", "tokens", [sample["txt"].decode()], tokenizer)
    tally.check("image bytes", place, row["image"][0], sample["jpg"], len(sample["jpg"]))
    original = identity["original_width"], identity["original_height"]
    tally.check("original sizes", place, struct.unpack("<2I", row["original_size"][0]), original)
    width, height = Image.open(io.BytesIO(sample["jpg"])).size
    counts["images"] += 1
    counts["resizedImages"] += (width, height) != original
    for value in row["augmentation"]:
        top, left, box_height, box_width = decoder.read_operations(value, "cell", 0)[0][1]
        counts["crops"] += 1
        counts["cropsOutsideImage"] += top + box_height > height or left + box_width > width
        counts["cropsOutsideOriginal"] += top + box_height > original[1] or left + box_width > original[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shards", type=pathlib.Path, required=True)
    parser.add_argument("--tars", type=pathlib.Path, required=True)
    parser.add_argument("--captions", type=pathlib.Path)
    parser.add_argument("--tokens", action="store_true", help="the shards have tokens")
    parser.add_argument("--keep-f32", action="store_true", help="the shards keep float32")
    arguments = parser.parse_args()
    tokenizer = None
    if arguments.tokens:
        from open_clip.tokenizer import SimpleTokenizer
        tokenizer = SimpleTokenizer()
    tally, counts = Tally(), collections.Counter()
    tars = sorted(arguments.tars.glob("*.tar"))
    tally.check("shards", arguments.shards, sorted(p.stem for p in arguments.shards.glob("*.drs")), [p.stem for p in tars])
    joined = {}
    for path in sorted(arguments.captions.glob("*.tar")) if arguments.captions else []:
        joined.update(read_samples(path))
    for path in tars:
        shard, samples = Shard(arguments.shards / f"{path.stem}.drs"), read_samples(path)
        tally.check("rows", path, shard.row_count, len(samples), len(samples))
        for element in ("image_emb", "text_emb", "syn_text_emb"):
            tally.check("element types", element, shard.elements[element], "f32" if arguments.keep_f32 else "bf16")
        for number, (uid, sample) in enumerate(samples.items()):
            row = {name: cells[number] for name, cells in shard.cells.items()}
            compare_sample(tally, f"{path.stem} {uid}", row, sample, arguments, tokenizer)
            if joined:
                compare_captions(tally, f"{path.stem} {uid}", row, joined[uid], tokenizer, counts)
    report = json.loads((arguments.shards / "report.json").read_text())
    for name, value in counts.items():
        tally.check("counts of report.json", name, report[name], value)
    if counts["cropsOutsideImage"]:
        said = [line for line in report["warnings"] if "crop boxes do not fit the images" in line]
        tally.check("warnings", "crop boxes that do not fit the images", len(said), 1)
    return 1 if tally.report() else 0


if __name__ == "__main__":
    sys.exit(main())
