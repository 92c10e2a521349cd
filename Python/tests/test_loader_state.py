"""Runs that go on: states, epochs that were left, and takers who share one."""

from __future__ import annotations

import json
import pickle

import drshard
import pytest
from conftest import same

ml_dtypes = pytest.importorskip("ml_dtypes")
ALL = ("row_ids", "embeddings", "augmentations", "tokens", "texts", "images")


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
