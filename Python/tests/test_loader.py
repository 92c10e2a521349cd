"""Batches: what is in them, in which order, and where they lie in memory."""

from __future__ import annotations

import gc
import json

import drshard
import numpy as np
import pytest
from conftest import DIMS, ROWS, arrays_of, bits, rows, write

ml_dtypes = pytest.importorskip("ml_dtypes")
ALL = ("row_ids", "embeddings", "augmentations", "tokens", "texts", "images")


def test_batches_hold_the_cells_of_their_rows_and_variants(shards):
    ds = drshard.open(shards)
    whole = ds.take(range(ROWS))
    ids, lengths = ds.tokens("tokens", range(ROWS))
    seen = []
    for batch in drshard.Loader(ds, batch_size=32, content=ALL, seed=5):
        row, view, synthetic = batch["row"], batch["view"], batch["synthetic"]
        seen += row.tolist()
        assert np.array_equal(bits(batch["image_emb"]), bits(whole["image_emb"][row, view]))
        assert np.array_equal(bits(batch["text_emb"]), bits(whole["text_emb"][row, 0]))
        assert np.array_equal(bits(batch["syn_text_emb"]), bits(whole["syn_text_emb"][row, synthetic]))
        assert np.array_equal(batch["text"], ids[row]) and np.array_equal(batch["text_length"], lengths[row])
        assert np.array_equal(batch["row_id"], whole["uid"][row])
        assert list(batch["caption"]) == [whole["text"][i][0] for i in row]
        assert list(batch["syn_caption"]) == [whole["syn_text"][i][v] for i, v in zip(row, synthetic)]
        assert list(batch["image"]) == [whole["image"][i] for i in row]
        assert batch["augmentation"][:] == [whole["augmentation"][i][v] for i, v in zip(row, view)]
        assert batch["image"][-1] == batch["image"][31]
    assert len(seen) == len(set(seen)) == 192


def test_an_epoch_follows_the_other(shards):
    loader = drshard.Loader(shards, batch_size=32)
    first = [batch["row"].tolist() for batch in loader]
    second = [(batch["epoch"], batch["row"].tolist()) for batch in loader]
    assert len(first) == len(loader) == 6 and all(epoch == 1 for epoch, _ in second)
    assert first != [row for _, row in second]
    loader.set_epoch(0)
    assert [batch["row"].tolist() for batch in loader] == first


def test_the_order_is_the_one_that_the_command_line_explains(shards, cli):
    loader = drshard.Loader(shards, batch_size=16, seed=9)
    batch = next(loader.epoch(1, start=4))
    text = cli("explain", shards, "--batch-size", 16, "--seed", 9, "--epoch", 1, "--step", 4, "--json")
    explained = json.loads(text)
    samples = explained if isinstance(explained, list) else explained["samples"]
    assert [sample["row"] for sample in samples] == batch["row"].tolist()
    assert [sample["row"] for sample in loader.explain(1, 4)] == batch["row"].tolist()
    assert [sample["view"]["variant"] for sample in loader.explain(1, 4)] == batch["view"].tolist()


@pytest.mark.parametrize("order", ["blocks", "global", "none"])
@pytest.mark.parametrize("variants", ["balanced", "epoch", "independent"])
def test_ranks_together_make_the_batches_of_one(shards, order, variants):
    options = {"batch_size": 16, "order": order, "variants": variants, "seed": 2}
    whole = [batch["row"].tolist() for batch in drshard.Loader(shards, **options)]
    parts = [
        [batch["row"].tolist() for batch in drshard.Loader(shards, rank=rank, world_size=4, **options)]
        for rank in range(4)
    ]
    assert [sum((part[step] for part in parts), []) for step in range(len(whole))] == whole


@pytest.mark.parametrize("tail, steps, last", [("drop", 6, 32), ("pad", 7, 32), ("short", 7, 18)])
def test_tails(shards, tail, steps, last):
    batches = list(drshard.Loader(shards, batch_size=32, tail=tail))
    assert len(batches) == steps and len(batches[-1]["row"]) == last
    assert ("repetition" in batches[0]) == (tail == "pad")
    if tail == "pad":
        assert batches[-1]["repetition"].sum() == 14 and not batches[0]["repetition"].any()


def test_ranks_to_whom_nothing_is_left_get_an_empty_batch(tmp_path):
    write(tmp_path / "a.drs", 0, 17)
    last = [
        list(drshard.Loader(tmp_path, batch_size=16, rank=rank, world_size=16, lanes=16, tail="short"))[-1]
        for rank in range(16)
    ]
    assert sorted(len(batch["row"]) for batch in last) == [0] * 15 + [1]
    assert all(batch["image_emb"].shape == (len(batch["row"]), DIMS) for batch in last)


@pytest.mark.parametrize("dtype", ["bf16", "f16", "f32"])
@pytest.mark.parametrize("tokens", ["i32", "i64", "u16"])
def test_dtypes_of_embeddings_and_tokens(shards, dtype, tokens):
    batch = next(iter(drshard.Loader(shards, batch_size=32, embedding_dtype=dtype, token_dtype=tokens)))
    stored = next(iter(drshard.Loader(shards, batch_size=32)))
    kinds = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
    assert batch["image_emb"].dtype == kinds[dtype] and batch["text"].dtype.name == tokens.replace("i", "int").replace(
        "u", "uint"
    )
    expected = stored["image_emb"].astype(np.float32).astype(kinds[dtype])
    assert np.array_equal(batch["image_emb"].view(np.uint8), expected.view(np.uint8))
    assert np.array_equal(batch["text"], stored["text"])


def test_what_is_not_asked_for_is_not_there(shards):
    batch = next(iter(drshard.Loader(shards, batch_size=32, content="texts")))
    assert "image_emb" not in batch and "text" not in batch and "augmentation" not in batch
    assert batch["caption"][0] == rows(int(batch["row"][0]), 1)["text"][0][0]


# Memory


def test_arrays_lie_in_the_loaders_memory_without_a_copy(shards):
    loader = drshard.Loader(shards, batch_size=32, content=ALL)
    offsets = {name: offset for name, _, _, offset in arrays_of(loader)}
    batches = loader.epoch(0)
    for batch in batches:
        base = batches._info.data
        for name in ("image_emb", "text_emb", "syn_text_emb", "text", "syn_text", "row", "row_id", "text_length"):
            assert batch[name].ctypes.data == base + offsets[name], name
        assert batch["image_emb"].ctypes.data % 64 == 0
        assert batch["view"].ctypes.data == base + offsets["view"] + 4


def test_a_batch_that_somebody_has_is_never_written_to(shards):
    loader = drshard.Loader(shards, batch_size=16, content=ALL, prefetch_bytes=0)
    kept, copies, values = [], [], []
    for epoch in range(3):
        for batch in loader.epoch(epoch):
            if batch["step"] % 3 == 0:
                # One array of a batch holds all of it.
                kept.append(batch["syn_text_emb"][3:5])
                copies.append(np.array(kept[-1]))
                values.append((batch["caption"], list(batch["caption"])))
    for array, copy in zip(kept, copies):
        assert np.array_equal(bits(array), bits(copy))
    assert all(list(texts) == copy for texts, copy in values)


def test_memory_goes_back_with_the_last_array(shards):
    loader = drshard.Loader(shards, batch_size=16)
    kept = [batch["text"] for batch in loader]
    assert loader.counts()["live_batch_count"] == len(kept)
    view = kept[0][2:4]
    del kept, view
    gc.collect()
    assert loader.counts()["live_batch_count"] == 0


def test_arrays_outlive_loader_and_data_set(shards):
    ds = drshard.open(shards)
    loader = drshard.Loader(ds, batch_size=32)
    batches = loader.epoch(0)
    first = next(batches)
    loader.close()
    ds.close()
    second = next(batches)
    batches.close()
    gc.collect()
    assert first["image_emb"].astype(np.float32).any() and second["image_emb"].astype(np.float32).any()
    with pytest.raises(drshard.ClosedError):
        next(batches)
    with pytest.raises(drshard.ClosedError):
        iter(loader).__next__()


def test_arrays_are_given_to_other_libraries_by_dlpack(shards):
    loader = drshard.Loader(shards, batch_size=32, arrays="dlpack")
    plain = next(iter(drshard.Loader(shards, batch_size=32)))
    batch = next(iter(loader))
    taken = np.from_dlpack(batch["text"])
    assert np.array_equal(taken, plain["text"]) and batch["image_emb"].dtype == "bf16"
    assert batch["image_emb"].__dlpack_device__() == (1, 0)
    capsule = batch["image_emb"].__dlpack__()
    # NumPy has no bfloat16: whatever it says, nothing is lost.
    with pytest.raises((BufferError, RuntimeError, TypeError)):
        np.from_dlpack(batch["image_emb"])
    for asked in ({"copy": True}, {"dl_device": (2, 0)}, {"stream": 1}):
        with pytest.raises(BufferError):
            batch["text"].__dlpack__(**asked)
    del batch, capsule
    gc.collect()
    assert loader.counts()["live_batch_count"] == 1 and np.array_equal(taken, plain["text"])
    del taken
    gc.collect()
    assert loader.counts()["live_batch_count"] == 0
