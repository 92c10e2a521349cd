"""Batches: what is in them, where they lie in memory, and how a run goes on."""

from __future__ import annotations

import gc
import json
import pickle
import signal
import threading
import time
from contextlib import suppress

import drshard
import numpy as np
import pytest
from conftest import DIMS, ROWS, arrays_of, rows, schema, write
from drshard._batch import Values

ml_dtypes = pytest.importorskip("ml_dtypes")
ALL = ("row_ids", "embeddings", "augmentations", "tokens", "texts", "images")


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(np.uint16)


def same(a: dict, b: dict) -> bool:
    """Whether two batches hold the same."""
    assert a.keys() == b.keys()
    return all(
        np.array_equal(np.ascontiguousarray(a[key]).view(np.uint8), np.ascontiguousarray(b[key]).view(np.uint8))
        if isinstance(a[key], np.ndarray)
        else list(a[key]) == list(b[key])
        if isinstance(a[key], Values)
        else a[key] == b[key]
        for key in a
    )


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


# Going on


@pytest.mark.parametrize("behind", [0, 1, 5, 6, 8])
def test_a_run_goes_on_behind_its_state(shards, behind):
    def run(loader, count):
        made = []
        while len(made) < count:
            for batch in loader:
                made.append(batch)
                if len(made) == count:
                    return made, json.loads(json.dumps(loader.state_dict()))
        return made, json.loads(json.dumps(loader.state_dict()))

    options = {"batch_size": 32, "seed": 4, "content": ALL}
    whole, _ = run(drshard.Loader(shards, **options), 12)
    _, state = run(drshard.Loader(shards, **options), behind)
    loader = drshard.Loader(shards, **options)
    loader.load_state_dict(state)
    rest, _ = run(loader, 12 - behind)
    assert all(same(a, b) for a, b in zip(whole[behind:], rest))


def test_an_epoch_that_was_left_is_begun_again_where_it_began(shards):
    loader = drshard.Loader(shards, batch_size=32)
    steps = []
    for batch in loader:
        steps.append(batch["step"])
        if batch["step"] == 2:
            break
    state = loader.state_dict()
    assert [batch["step"] for batch in loader] == list(range(6))
    loader.load_state_dict(state)
    for _ in range(2):
        loader.set_epoch(0)
        for batch in loader:
            assert batch["epoch"] == 0 and batch["step"] >= 3
            if batch["step"] == 4:
                break
    loader.set_epoch(5)
    assert [(batch["epoch"], batch["step"]) for batch in loader] == [(5, step) for step in range(6)]
    assert next(iter(loader))["epoch"] == 6


def test_behind_the_last_batch_of_an_epoch_nothing_is_left_of_it(shards):
    loader = drshard.Loader(shards, batch_size=32)
    for batch in loader:
        state = loader.state_dict()
        assert state["step"] == batch["step"] + 1
    assert state["epoch"] == 0 and state["step"] == 6 and loader.state_dict()["epoch"] == 1
    loader.load_state_dict(state)
    assert list(loader) == []
    assert [(batch["epoch"], batch["step"]) for batch in loader] == [(1, step) for step in range(6)]
    assert batch["step"] == 5


def test_the_state_behind_any_batch(shards):
    loader = drshard.Loader(shards, batch_size=32)
    batches = list(loader)
    state = loader.state_at(0, batches[2]["step"] + 1)
    loader.load_state_dict(state)
    assert same(next(iter(loader)), batches[3])


def test_a_state_of_another_run_is_refused(shards, own_shards):
    state = drshard.Loader(shards, batch_size=32).state_dict()
    for other, text in (
        (drshard.Loader(shards, batch_size=32, seed=1), "seed"),
        (drshard.Loader(shards, batch_size=16), "batch size"),
        (drshard.Loader(own_shards / "00000000.drs", batch_size=32), "row set"),
    ):
        with pytest.raises(drshard.ArgumentError, match=text):
            other.load_state_dict(state)
    deep: dict = {}
    for _ in range(100_000):
        deep = {"a": deep}
    broken = (
        {},
        {"a": object()},
        state | {"step": "x"},
        state | {"seed": -1},
        state | {"epoch": -1},
        None,
        5,
        "a",
        deep,
    )
    workers = (5, {"id": 0}, {"id": "a", "count": 2, "step": 3})
    for other in (*broken, *(state | {"worker": worker} for worker in workers)):
        with pytest.raises(drshard.ArgumentError):
            drshard.Loader(shards, batch_size=32).load_state_dict(other)
    loader = drshard.Loader(shards, batch_size=32)
    loader.load_state_dict(state | {"worker": {"id": 1, "count": 2, "step": 1}})
    with pytest.raises(drshard.ArgumentError, match="as many workers"):
        next(iter(loader))


def test_takers_with_a_stride_take_the_steps_of_one(shards):
    loader = drshard.Loader(shards, batch_size=16, content=ALL)
    whole = list(loader.epoch(0))
    for stride in (2, 3, 20):
        taken = {batch["step"]: batch for first in range(min(stride, 13)) for batch in loader.epoch(0, first, stride)}
        assert sorted(taken) == list(range(13)) and all(same(taken[batch["step"]], batch) for batch in whole)
    for order in ("global", "none"):
        other = drshard.Loader(shards, batch_size=16, order=order, tail="pad")
        whole = list(other.epoch(2))
        assert all(same(a, b) for a, b in zip(whole[1::3], other.epoch(2, 1, 3)))


def test_a_pickled_loader_is_the_same_loader(shards):
    loader = drshard.Loader(shards, batch_size=32, seed=6)
    batches = iter(loader)
    next(batches)
    copy = pickle.loads(pickle.dumps(loader))
    assert copy.state_dict() == loader.state_dict()
    # Both begin the epoch that was left again.
    assert same(next(iter(copy)), next(iter(loader)))
    batch = pickle.loads(pickle.dumps(next(iter(drshard.Loader(shards, batch_size=32, content=ALL)))))
    assert isinstance(batch["caption"], list) and batch["image_emb"].dtype == ml_dtypes.bfloat16


# Rows that are left out


def test_selections_keep_and_leave_rows(shards):
    ids = drshard.open(shards).take(range(ROWS), ["uid"])["uid"]
    some = [ids[i].tobytes() for i in range(60)]
    for form in (some, ids[:60], [one.hex() for one in some]):
        kept = {int(row) for batch in drshard.Loader(shards, batch_size=4, only=form) for row in batch["row"]}
        assert kept == set(range(60))
    left = {
        int(row)
        for batch in drshard.Loader(shards, batch_size=2, exclude=[one.hex() for one in some])
        for row in batch["row"]
    }
    assert left == set(range(60, ROWS))
    options = {"batch_size": 1, "lanes": 1}
    parts = [
        {int(r) for b in drshard.Loader(shards, split=("s", a, z, 10), **options) for r in b["row"]}
        for a, z in ((0, 7), (7, 10))
    ]
    assert parts[0].isdisjoint(parts[1]) and len(parts[0] | parts[1]) == ROWS and len(parts[1]) > 20


def test_several_sets_are_mixed_by_weight(shards, tmp_path):
    write(tmp_path / "b.drs", 5000, 64)
    loader = drshard.Loader([drshard.open(shards), tmp_path / "b.drs"], batch_size=32, weights=[3, 1], epoch_steps=10)
    batches = list(loader)
    sets = np.concatenate([batch["set"] for batch in batches])
    assert len(batches) == 10 and (sets == 1).sum() == 80
    texts = drshard.Loader([shards, tmp_path], batch_size=32, content="texts")
    batch = next(iter(texts))
    for i, number in enumerate(batch["set"]):
        assert batch["caption"][i] == texts.data_sets[number][int(batch["row"][i])]["text"][0]


def test_several_axes_are_drawn_from(tmp_path):
    own = schema()
    columns = [
        *own.columns,
        drshard.Column("alt", role="text", type="utf8", axis="other"),
        drshard.Column("alt_tokens", role="tokens", type="ragged", element="u16", axis="other", tokenizer="clip"),
        drshard.Column("alt_emb", role="text_embedding", element="bf16", dims=[DIMS], axis="other"),
    ]
    axes = [*own.axes, drshard.Axis("other", kind="synthetic captions", count=2)]
    described = drshard.Schema(columns=columns, axes=axes, tokenizers=own.tokenizers)
    made = rows(0, 64)
    made |= {"alt": [["x", "y"]] * 64, "alt_tokens": [[[1], [2]]] * 64, "alt_emb": made["syn_text_emb"][:, :2]}
    with drshard.ShardWriter(tmp_path / "a.drs", described) as writer:
        writer.write_batch(made)
    with pytest.raises(drshard.ArgumentError, match="other"):
        drshard.Loader(tmp_path, batch_size=8)
    loader = drshard.Loader(tmp_path, batch_size=8, synthetic={"synthetic": 3, "other": 1}, content="texts")
    for batch in loader:
        for axis, variant, text in zip(batch["synthetic_axis"], batch["synthetic"], batch["syn_caption"]):
            assert text == "xy"[variant] if axis == 1 else text.startswith(f"synthetic {variant}")


def damage(path) -> None:
    """Damages embeddings of a shard that can be opened still."""
    whole = path.read_bytes()
    for at in range(len(whole) // 3, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            reread = drshard.open(path)
            reread.take(range(len(reread)), ["uid"])
            reread.take(range(len(reread)), ["image_emb"])
        except drshard.ChecksumError as error:
            if error.column == "image_emb":
                return
    raise AssertionError("no embedding was found")


def test_damage_ends_the_run_with_the_lines_for_the_list(own_shards):
    damage(own_shards / "00000001.drs")
    listed = ""
    # Cells of several rows may stand together: each run ends with the next of them.
    for _ in range(64):
        loader = drshard.Loader(
            own_shards, batch_size=16, variants="independent", quarantine=[listed] if listed else []
        )
        try:
            seen = {int(row) for epoch in range(20) for batch in loader.epoch(epoch) for row in batch["row"]}
            break
        except drshard.ChecksumError as error:
            assert error.path == str(own_shards / "00000001.drs") and error.row is not None
            head, line = str(error).split("before it:\n")[1].splitlines()
            assert head.startswith("drshard-quarantine 1 ")
            listed = (listed or head + "\n") + line + "\n"
    rows_listed = {int(line.split()[0]) for line in listed.splitlines()[1:]}
    assert rows_listed and seen == set(range(ROWS)) - rows_listed


def test_damaged_rows_are_substituted_and_counted_up_to_a_number(own_shards):
    damage(own_shards / "00000001.drs")
    loader = drshard.Loader(own_shards, batch_size=16, variants="independent", max_lost_rows=70)
    for epoch in range(20):
        assert all(len(batch["row"]) == 16 for batch in loader.epoch(epoch))
    lost = loader.counts()["lost_row_count"]
    assert lost >= 1 and len(loader.quarantine().splitlines()) == lost + 1
    with pytest.raises(drshard.Error):
        list(drshard.Loader(own_shards, batch_size=210, lanes=1, max_lost_rows=0, variants="epoch").epoch(0))
        for epoch in range(20):
            list(drshard.Loader(own_shards, batch_size=16, max_lost_rows=0, variants="independent").epoch(epoch))


# What cannot be


@pytest.mark.parametrize(
    "options, text",
    [
        ({"batch_size": 0}, "batch of 0"),
        ({"batch_size": 1000}, "1000"),
        ({"batch_size": 2.5}, "whole number"),
        ({"batch_size": 1 << 70}, "has to be from"),
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 63}, "seed"),
        ({"order": "any"}, "blocks, global, none"),
        ({"tail": "x"}, "drop, pad, short"),
        ({"content": ("x",)}, "augmentations"),
        ({"embedding_dtype": "f64"}, "bf16, f16, f32"),
        ({"token_dtype": "u8"}, "i32, i64, u16"),
        ({"lanes": 7}, "lanes"),
        ({"lanes": 0}, "lanes"),
        ({"rank": 1}, "rank 1"),
        ({"views": "x"}, "view"),
        ({"views": {"view": "y"}}, "whole number"),
        ({"weights": [1, 2]}, "2 weights"),
        ({"split": ("s", 5, 2, 10)}, "split"),
        ({"split": "s"}, "split"),
        ({"only": ["xyz"]}, "row id"),
        ({"only": [b"ab"]}, "bytes"),
        ({"only": []}, "none of 210"),
        ({"quarantine": "drshard-quarantine 1 00\n5\n"}, "row set"),
        ({"threads": 0}, "threads"),
        ({"threads": 10**9}, "threads"),
        ({"views": {"view": 1 << 62}}, "weights"),
        ({"block_rows": 1 << 62}, "blocks of"),
        ({"window_blocks": 1 << 62}, "window of"),
        ({"epoch_steps": 5}, "epoch of one set"),
        ({"prefetch_bytes": -1}, "negative"),
        ({"tokenizer": "x"}, "tokenizer"),
        ({"arrays": "x"}, "numpy, dlpack"),
        ({"max_lost_rows": "x"}, "whole number"),
        ({"seed": None}, "whole number"),
        ({"content": 5}, "content is 5"),
        ({"weights": 3}, "weights is 3"),
        ({"views": 5}, "views is 5"),
        ({"views": "view\0x"}, "zero"),
        ({"tokenizer": 5}, "not a str"),
        ({"tokenizer": "\ud800"}, "not Unicode"),
        ({"only": 5}, "row ids is 5"),
        ({"join_embeddings": "no"}, "True or False"),
        ({"quarantine": "drshard-quarantine 1 00\0\n5\n"}, "row set"),
        ({"epoch_steps": 1 << 59}, "steps"),
    ],
)
def test_options_that_cannot_be_are_refused(shards, options, text):
    with pytest.raises(drshard.Error, match=text) as caught:
        drshard.Loader(shards, **({"batch_size": 16} | options))
    assert isinstance(caught.value, ValueError)


def test_numbers_at_the_ends_of_64_bits_are_refused(shards, tmp_path):
    write(tmp_path / "b.drs", 5000, 64)
    with pytest.raises(drshard.ArgumentError, match="weight"):
        drshard.Loader([shards, tmp_path], batch_size=8, weights=[1 << 62, 1 << 62])
    loader = drshard.Loader([shards, tmp_path], batch_size=8)
    for epoch, start, stride in ((1 << 62, 0, 1), (-1, 0, 1), (0, 1 << 62, 1), (0, -1, 1), (0, 0, 1 << 62), (0, 0, 0)):
        with pytest.raises(drshard.ArgumentError):
            loader.epoch(epoch, start, stride)
    with pytest.raises(drshard.ArgumentError):
        loader.state_at(1 << 62, 0)


def test_an_unknown_option_is_a_type_error_and_none_a_data_set(shards, tmp_path):
    with pytest.raises(TypeError, match="shuffle"):
        drshard.Loader(shards, shuffle=True)
    with pytest.raises(drshard.ArgumentError, match="without a data set"):
        drshard.Loader([])
    with pytest.raises(drshard.FileError):
        drshard.Loader(tmp_path / "none")
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(drshard.FileError):
            drshard.Loader(shards, batch_size=16, quarantine=path)


def test_a_mix_that_would_take_all_memory_is_refused(shards, tmp_path):
    write(tmp_path / "b.drs", 5000, 64)
    loader = drshard.Loader([shards, tmp_path], batch_size=16, lanes=8, weights=[65535, 1], epoch_steps=100)
    assert len(list(loader)) == 100
    with pytest.raises(drshard.LimitError, match="order global"):
        drshard.Loader([shards, tmp_path], batch_size=16, lanes=8, weights=[65535, 1], epoch_steps=1 << 30)


def test_two_threads_in_one_epoch_are_refused(shards):
    batches = drshard.Loader(shards, batch_size=16).epoch(0)
    batches._turn.pop()
    with pytest.raises(drshard.ArgumentError, match="two threads"):
        next(batches)
    batches._turn.append(None)
    next(batches)


def test_an_epoch_may_be_closed_from_any_thread_while_it_is_used(shards):
    loader = drshard.Loader(shards, batch_size=8)
    for round in range(60):
        batches = loader.epoch(round)
        thread = threading.Thread(target=batches.close)
        with suppress(drshard.ClosedError):
            for batch in batches:
                if batch["step"] == round % 5:
                    thread.start()
        thread.join()
        with pytest.raises(drshard.ClosedError):
            next(batches)
    del batch
    assert loader.counts()["live_batch_count"] == 0


def test_handles_may_be_closed_while_other_threads_use_them(shards):
    for _ in range(20):
        ds = drshard.open(shards)
        loader = drshard.Loader(ds, batch_size=16)
        ends = []

        def use(ds=ds, loader=loader, ends=ends) -> None:
            with suppress(drshard.ClosedError):
                while True:
                    ds.take(range(50), ["image_emb"])
                    loader.size(3)
                    loader.counts()
            ends.append(True)

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        ds.close()
        loader.close()
        for thread in threads:
            thread.join()
        assert len(ends) == 3


def test_a_signals_handler_may_close_the_epoch_that_it_interrupts(shards):
    loader = drshard.Loader(shards, batch_size=8)
    for _ in range(20):
        batches = loader.epoch(0)
        before = signal.signal(signal.SIGALRM, lambda *_: batches.close())
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        try:
            with suppress(drshard.ClosedError):
                for _ in batches:
                    pass
            while not batches._handle.is_closed:
                time.sleep(0.001)
            with pytest.raises(drshard.ClosedError):
                next(batches)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_an_epoch_that_is_cancelled_ends(shards):
    batches = drshard.Loader(shards, batch_size=16).epoch(0)
    next(batches)
    thread = threading.Thread(target=batches.cancel)
    thread.start()
    thread.join()
    assert list(batches) == []


def test_other_threads_run_while_a_batch_is_waited_for(shards):
    loader = drshard.Loader(shards, batch_size=16)
    ticks = []
    end = threading.Event()

    def tick() -> None:
        while not end.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    for epoch in range(60):
        for _ in loader.epoch(epoch):
            pass
    end.set()
    thread.join()
    assert len(ticks) > 10
