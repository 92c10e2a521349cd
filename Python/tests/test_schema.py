"""Schemas and their JSON: nothing is replaced silently."""

from __future__ import annotations

import dataclasses
import json

import drshard
import numpy as np
import pytest
from conftest import schema


def test_json_holds_all_of_a_schema():
    own = dataclasses.replace(schema(), provenance=[("ü", "\u2028")], side={"a": [1, {"b": None}]})
    assert drshard.Schema.from_json(own.to_json()) == own
    assert drshard.Schema.from_json(json.loads(own.to_json())) == own


def changed(change) -> str:
    parts = json.loads(schema().to_json())
    change(parts)
    return json.dumps(parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "none",
        "[" * 100_000,
        b"{}",
        5,
        [],
        {"columns": 5},
        {"columns": [5]},
        {"columns": [{}]},
        {"columns": [{"name": 5}]},
        {"columns": [{"name": "a", "dims": ["1"]}]},
        {"columns": [{"name": "a", "dims": 5}]},
        changed(lambda p: p["axes"][0].pop("exchangeable")),
        changed(lambda p: p["axes"][0].update(exchangeable="perhaps")),
        changed(lambda p: p["axes"][0].update(count="3")),
        changed(lambda p: p["teachers"][0].update(slices=[1])),
        changed(lambda p: p["operations"][0].update(magnitudes=[None])),
        changed(lambda p: p.update(provenance=[["a", "b"]])),
        changed(lambda p: p.update(provenance=[{"key": "a"}])),
    ],
)
def test_what_is_no_json_of_a_schema_is_refused(text):
    with pytest.raises(drshard.ArgumentError):
        drshard.Schema.from_json(text)


def deep() -> dict:
    side: dict = {}
    for _ in range(100_000):
        side = {"a": side}
    return side


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: drshard.Schema(columns=[drshard.Column("uid\ud800")]), "Unicode"),
        (lambda: drshard.Schema(columns=[drshard.Column(5)]), "name of Column"),
        (lambda: drshard.Schema(columns=[drshard.Column("a", axis=5)]), "axis of Column"),
        (lambda: drshard.Schema(columns=[5]), "Column"),
        (lambda: drshard.Schema(columns=None), "columns"),
        (lambda: drshard.Schema(columns="ab"), "columns"),
        (lambda: drshard.Column("a", dims=5), "dims"),
        (lambda: drshard.Column("a", dims=["a"]), "dim"),
        (lambda: drshard.Column("a", dims=[1.5]), "dim"),
        (lambda: drshard.Schema(columns=[], axes=[drshard.Axis("a", "views", 1.5)]), "count"),
        (lambda: drshard.Schema(columns=[], axes=[drshard.Axis("a", "views", 1, exchangeable="no")]), "exchangeable"),
        (lambda: drshard.Schema(columns=[], teachers=[drshard.Teacher("a", logit_scale="1")]), "logit_scale"),
        (lambda: drshard.Schema(columns=[], teachers=[drshard.Teacher("a", logit_scale=float("nan"))]), "JSON"),
        (lambda: drshard.Schema(columns=[], teachers=[drshard.Teacher("a", slices=[1])]), "Slice"),
        (lambda: drshard.Schema(columns=[], provenance=["ab", "cd"]), "provenance"),
        (lambda: drshard.Schema(columns=[], provenance=[("a", 1)]), "provenance"),
        (lambda: drshard.Schema(columns=[], provenance=[("a", "b", "c")]), "provenance"),
        (lambda: drshard.Schema(columns=[], provenance=5), "provenance"),
        (lambda: drshard.Schema(columns=[], provenance=[("a", "\ud800")]), "Unicode"),
        (lambda: drshard.Schema(columns=[], side=deep()), "deep"),
        (lambda: drshard.Schema(columns=[], side={1: 2}), "side"),
        (lambda: drshard.Schema(columns=[], side={"a": (1, 2)}), "side"),
        (lambda: drshard.Schema(columns=[], side={"a": b"b"}), "JSON"),
    ],
)
def test_members_that_json_does_not_have_are_refused(make, text):
    with pytest.raises(drshard.ArgumentError, match=text):
        make().to_json()


def test_numbers_of_numpy_are_numbers():
    made = drshard.Schema(
        columns=[drshard.Column("a", dims=np.array([3], np.int32))],
        axes=[drshard.Axis("v", "views", np.int64(4), exchangeable=np.True_)],
        teachers=[drshard.Teacher("t", logit_scale=np.float32(0.5))],
    )
    again = drshard.Schema.from_json(made.to_json())
    assert again.columns[0].dims == (3,) and again.axes[0].count == 4 and again.axes[0].exchangeable is True
    assert again.teachers[0].logit_scale == 0.5
