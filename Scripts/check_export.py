"""Judges exports by the readers that they are for: numpy, torch, safetensors, webdataset, json.

    check_export.py ORIGINALS CAPTIONS EXPORTS [--rounded]

ORIGINALS and CAPTIONS are folders of the tars that shards were converted from, and EXPORTS has a folder for each
export of these shards. Both sides are read by the same Python libraries, and every array, text and number must be
equal bit for bit; nothing is read by drshard. With --rounded the shards hold the originals' float32 as bfloat16.
"""

import argparse
import gzip
import io
import json
import pathlib
import struct
import tarfile

import ml_dtypes
import numpy as np
import torch
import webdataset
from safetensors import numpy as safetensors_numpy
from safetensors import safe_open

RUN = argparse.ArgumentParser()
RUN.add_argument("originals", type=pathlib.Path)
RUN.add_argument("captions", type=pathlib.Path)
RUN.add_argument("exports", type=pathlib.Path)
RUN.add_argument("--rounded", action="store_true")
RUN = RUN.parse_args()
compared = 0


def same(a, b, what):
    """Equal types, shapes and bits of arrays; equal values, and types of numbers, of anything else."""
    global compared
    compared += 1
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, (what, a.dtype, a.shape, b.dtype, b.shape)
        assert a.tobytes() == b.tobytes(), (what, "bits differ")
    else:
        assert repr(a) == repr(b), (what, a, b)


def members(path):
    """The members of a tar, by sample and suffix, in the tar's order."""
    samples = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, suffix = member.name.split(".", 1)
            samples.setdefault(key, {})[suffix] = tar.extractfile(member).read()
    return samples


def embeddings(sample):
    """The arrays of an embedding file, as numpy's; bfloat16 is ml_dtypes'."""
    if "npz" in sample:
        return dict(np.load(io.BytesIO(sample["npz"]), allow_pickle=False))
    tensors = torch.load(io.BytesIO(gzip.decompress(sample["pth.gz"])), weights_only=True)
    return {name: as_numpy(tensor) for name, tensor in tensors.items()}


def as_numpy(tensor):
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def original(shard):
    """What one shard must hold: a list of rows."""
    captions = members(RUN.captions / f"{shard}.tar")
    rows = []
    for key, sample in members(RUN.originals / f"{shard}.tar").items():
        joined = captions[key]
        sizes = json.loads(joined["json"])
        arrays = embeddings(sample)
        if RUN.rounded:
            # torch rounds as the released writer did.
            arrays = {n: as_numpy(torch.from_numpy(a).to(torch.bfloat16)) for n, a in arrays.items()}
        image = next(suffix for suffix in ("jpg", "png", "webp") if suffix in joined)
        rows.append({
            "uid": key, "sha256": json.loads(sample["json"])["sha256"], "url": sample["url.txt"].decode(),
            "text": joined["txt"].decode(), "syn_text": json.loads(sample["syn.json"])["syn_text"],
            "param_aug": json.loads(sample["paug.json"])["param_aug"], "image": (image, joined[image]),
            "size": [sizes["original_width"], sizes["original_height"]], "arrays": arrays,
        })
    return rows


def check_tar(path, rows, convert=lambda array: array):
    """Members and their order, and every value in them."""
    samples = members(path)
    same(list(samples), [row["uid"] for row in rows], (path, "samples"))
    for row in rows:
        sample = samples[row["uid"]]
        suffix, image = row["image"]
        wanted = {name: convert(array) for name, array in row["arrays"].items()}
        file = "pth.gz" if wanted["image_emb"].dtype == ml_dtypes.bfloat16 else "npz"
        same(list(sample), ["url.txt", suffix, "txt", "syn.json", "paug.json", file, "json"], (path, "members"))
        same(sample["url.txt"].decode(), row["url"], "url")
        same(sample["txt"].decode(), row["text"], "txt")
        same(sample[suffix], image, "image")
        same(json.loads(sample["syn.json"]), {"syn_text": row["syn_text"]}, "syn.json")
        same(json.loads(sample["paug.json"]), {"param_aug": row["param_aug"]}, "paug.json")
        width, height = row["size"]
        identity = {"uid": row["uid"], "sha256": row["sha256"], "original_width": width, "original_height": height}
        same(json.loads(sample["json"]), identity, "json")
        arrays = embeddings(sample)
        same(list(arrays), list(wanted), "arrays")
        for name, array in arrays.items():
            same(array, wanted[name], name)


def check_trainer(path, rows):
    """Every sample through the pipeline of the released trainer: webdataset unpacks and decodes, `preprocess_dr`
    draws an augmentation, the real caption and a synthetic one. Here all of them are drawn."""
    dataset = (
        webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False)
        .select(lambda sample: "txt" in sample and any(s in sample for s in ("png", "jpg", "jpeg", "webp")))
        .decode("pilrgba")
        .rename(image="jpg;png;jpeg;webp", text="txt")
    )
    count = 0
    for sample, row in zip(dataset, rows, strict=True):
        count += 1
        same(sample["__key__"], row["uid"], "key")
        assert sample["image"].convert("RGB").size[0] > 0
        # A tensor's dictionary has to be unpacked from gzip: webdataset decodes .pth and .gz, one after the other.
        emb = sample.get("npz", sample.get("pth.gz"))
        assert emb is not None and not isinstance(emb, bytes), "the embedding file was not decoded"
        texts, syn_texts = [sample["text"]], sample["syn.json"]["syn_text"]
        augmentations = sample["paug.json"]["param_aug"]
        same([texts, syn_texts, augmentations], [[row["text"]], row["syn_text"], row["param_aug"]], "trainer")
        image_emb, text_emb_all = emb["image_emb"], emb["text_emb"]
        assert len(text_emb_all) > len(texts), "the combined layout"
        for aug_idx, (box, operations) in enumerate(augmentations):
            assert len(box) == 4 and all(isinstance(side, int) for side in box)
            assert all(isinstance(op, int) and isinstance(magnitude, float) for op, magnitude in operations or [])
            view = torch.as_tensor(image_emb[aug_idx]).float().numpy()
            same(view, row["arrays"]["image_emb"][aug_idx].astype(np.float32), "view")
        for index in range(len(texts) + len(syn_texts)):
            text = torch.as_tensor(text_emb_all[index]).float().numpy()
            same(text, row["arrays"]["text_emb"][index].astype(np.float32), "text")
    same(count, len(rows), "samples")


def stacked(rows):
    """The arrays that a shard's rows make."""
    text = np.stack([row["arrays"]["text_emb"] for row in rows])
    return {
        "image_emb": np.stack([row["arrays"]["image_emb"] for row in rows]),
        "text_emb": text[:, :1], "syn_text_emb": text[:, 1:],
        "sha256": np.array([list(bytes.fromhex(row["sha256"])) for row in rows], np.uint8),
        "original_size": np.array([row["size"] for row in rows], np.uint32),
    }


def uid_pairs(rows):
    """As the README of mlfoundations/datacomp packs them."""
    return np.array([(int(row["uid"][:16], 16), int(row["uid"][16:32], 16)) for row in rows], np.dtype("u8,u8"))


def for_numpy(arrays, bits):
    result = {}
    for name, array in arrays.items():
        if array.dtype != ml_dtypes.bfloat16:
            result[name] = array
        elif bits:
            result[name + "_bf16"] = array.view(np.uint16)
        else:
            result[name] = array.astype(np.float32)
    return result


def check_arrays(found, wanted, what):
    same({name for name in found if "token" not in name} == set(wanted), True, (what, sorted(found), sorted(wanted)))
    for name, array in wanted.items():
        same(np.ascontiguousarray(found[name]), np.ascontiguousarray(array), (what, name))


def check_tokens(found, lines, what):
    """Padded rows and lengths against the ids in the lines, which are only as good as convert's tokenizer."""
    tokens = {name for name in found if "token" in name and not name.endswith("_length")}
    for name in tokens:
        rows, lengths = np.asarray(found[name]), np.asarray(found[name + "_length"])
        assert rows.dtype == np.int32 and lengths.dtype == np.int32 and rows.shape[-1] == 77, (what, rows.dtype)
        for row, line in enumerate(lines):
            texts = [line[name]] if name == "tokens" else line[name]
            assert len(texts) == rows.shape[1]
            for variant, ids in enumerate(texts):
                kept = [49406, *ids[:75], 49407]
                same(rows[row, variant].tolist(), kept + [0] * (77 - len(kept)), (what, name))
                same(int(lengths[row, variant]), len(kept), (what, name, "length"))
    return tokens


def check_safetensors(path, rows, wanted, lines):
    wanted = dict(wanted, uid=np.array([list(bytes.fromhex(row["uid"])) for row in rows], np.uint8))
    check_arrays(safetensors_numpy.load_file(path), wanted, path)
    with safe_open(path, framework="pt") as file:
        check_arrays({name: as_numpy(file.get_tensor(name)) for name in file.keys()}, wanted, (path, "torch"))
        view = file.get_slice("image_emb")[0, 1]
        same(as_numpy(view), wanted["image_emb"][0, 1], "a slice")
        facts = file.metadata()
        check_tokens({name: file.get_tensor(name).numpy() for name in file.keys() if "token" in name}, lines, path)
    same(int(facts["rows"]), len(rows), "rows")
    for key in ("teachers", "captioners", "sources", "notes"):
        assert isinstance(json.loads(facts[key]), list)
    same([t["name"] for t in json.loads(facts["teachers"])], ["a", "b"], "teachers")
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        assert (8 + size) % 64 == 0
        header = json.loads(file.read(size))
    for name, entry in header.items():
        if name != "__metadata__":
            width = wanted[name].dtype.itemsize if name in wanted else 4
            assert entry["data_offsets"][0] % width == 0, (name, "is not aligned")


def check_lines(path, rows):
    """One object a line, whatever cuts lines."""
    text = path.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    same(len(lines), len(rows), path)
    for line, row in zip(lines, rows):
        wanted = {name: row[name] for name in ("uid", "sha256", "url", "param_aug", "text", "syn_text")}
        wanted |= {"original_width": row["size"][0], "original_height": row["size"][1]}
        found = {name: value for name, value in line.items() if "token" not in name}
        same(sorted(found), sorted(wanted), (path, "members"))
        for name, value in wanted.items():
            same(found[name], value, (path, name))
    return lines


def main():
    shards = sorted(path.stem for path in RUN.originals.glob("*.tar"))
    assert len(shards) > 1
    for shard in shards:
        rows = original(shard)
        arrays = stacked(rows)
        folder = RUN.exports
        check_tar(folder / "tars" / f"{shard}.tar", rows)
        check_trainer(folder / "tars" / f"{shard}.tar", rows)
        wide = folder / "tars-f32" / f"{shard}.tar"
        check_tar(wide, rows, lambda array: array.astype(np.float32))
        check_trainer(wide, rows)
        lines = check_lines(folder / "lines" / f"{shard}.jsonl", rows)
        for name, bits in (("npy", False), ("npy-u16", True)):
            found = {path.stem: np.load(path, allow_pickle=False) for path in (folder / name / shard).glob("*.npy")}
            check_tokens(found, lines, name)
            check_arrays(found, dict(for_numpy(arrays, bits), uids=uid_pairs(rows)), name)
            mapped = np.load(folder / name / shard / "uids.npy", mmap_mode="r")
            same(np.sort(mapped), np.sort(uid_pairs(rows)), "sorted uids")
        for name, bits in (("npz", False), ("npz-u16", True)):
            with np.load(folder / name / f"{shard}.npz", allow_pickle=False) as file:
                check_tokens(file, lines, name)
                check_arrays(dict(file), dict(for_numpy(arrays, bits), uids=uid_pairs(rows)), name)
        check_safetensors(folder / "safetensors" / f"{shard}.safetensors", rows, arrays, lines)
        wide = {n: a.astype(np.float32) if "emb" in n else a for n, a in arrays.items()}
        check_safetensors(folder / "safetensors-f32" / f"{shard}.safetensors", rows, wide, lines)
        check_lines(folder / "safetensors" / f"{shard}.jsonl", rows)
    print(f"{len(shards)} shards, {compared} comparisons: all equal")


main()
