"""Rows that are left out or damaged, what a loader refuses, and epochs that are closed while they are used."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import drshard
import numpy as np
import pytest
from conftest import DIMS, ROWS, rows, schema, write

ml_dtypes = pytest.importorskip("ml_dtypes")
ALL = ("row_ids", "embeddings", "augmentations", "tokens", "texts", "images")


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
