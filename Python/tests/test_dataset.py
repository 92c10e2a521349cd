"""Reading cells: what was written comes out, and what is not there is an error with a name."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import threading

import drshard
import numpy as np
import pytest
from conftest import DIMS, ROWS, ROWS_PER_SHARD, SYNTHETIC, VIEWS, rows, schema

ml_dtypes = pytest.importorskip("ml_dtypes")


def test_length_and_schema_are_those_written(shards):
    ds = drshard.open(shards)
    assert len(ds) == ROWS
    assert ds.schema == schema()
    assert drshard.Schema.from_json(ds.schema.to_json()) == ds.schema
    assert ds.schema.variant_count(ds.schema.column("syn_text")) == SYNTHETIC
    assert [each["rows"] for each in ds.shards] == [ROWS_PER_SHARD] * 3


def test_take_gives_the_rows_in_the_order_asked(shards):
    ds = drshard.open(shards)
    wanted = [209, 0, 70, 69, 0]
    taken = ds.take(wanted)
    for place, row in enumerate(wanted):
        expected = rows(row, 1)
        bf16 = expected["image_emb"][0].astype(ml_dtypes.bfloat16)
        assert np.array_equal(taken["image_emb"][place].view(np.uint16), bf16.view(np.uint16))
        assert taken["text"][place] == expected["text"][0]
        assert taken["syn_text"][place] == expected["syn_text"][0]
        assert taken["image"][place] == expected["image"][0]
        assert taken["augmentation"][place] == expected["augmentation"][0]
        assert [each.tolist() for each in taken["syn_tokens"][place]] == [e.tolist() for e in expected["syn_tokens"][0]]
        assert np.array_equal(taken["uid"][place], expected["uid"][0])
    assert taken["image_emb"].shape == (5, VIEWS, DIMS) and taken["image_emb"].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_embeddings_become_other_floats_as_ml_dtypes_has_it(shards, dtype):
    ds = drshard.open(shards)
    stored = ds.take(range(20), ["text_emb"])["text_emb"]
    kinds = {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
    taken = ds.take(range(20), ["text_emb", "size"], dtype=dtype)
    expected = stored.astype(np.float32).astype(kinds[dtype])
    assert np.array_equal(taken["text_emb"].view(np.uint8), expected.view(np.uint8))
    assert taken["size"].dtype == np.uint32


def test_variants_by_number_list_and_axis(shards):
    ds = drshard.open(shards)
    whole = ds.take([3, 100])
    one = ds.take([3, 100], variants={"view": 2, "synthetic": [2, 0]})
    assert np.array_equal(one["image_emb"], whole["image_emb"][:, 2])
    assert one["augmentation"] == [row[2] for row in whole["augmentation"]]
    assert np.array_equal(one["syn_text_emb"], whole["syn_text_emb"][:, [2, 0]])
    assert one["syn_text"] == [[row[2], row[0]] for row in whole["syn_text"]]
    assert one["text_emb"].shape == (2, 1, DIMS)


def test_rows_by_index_slice_and_iteration(shards):
    ds = drshard.open(shards)
    assert ds[-1]["text"] == rows(ROWS - 1, 1)["text"][0]
    assert ds[np.int64(5)]["image_emb"].shape == (VIEWS, DIMS)
    assert ds[3:9:2]["text"] == [ds[i]["text"] for i in (3, 5, 7)]
    assert ds[np.array([1, 4])]["text"] == [ds[1]["text"], ds[4]["text"]]
    assert ds[0:0]["image_emb"].shape == (0, VIEWS, DIMS)
    assert [row["text"] for row in ds] == [row["text"][0] for row in (rows(i, 1) for i in range(ROWS))]
    with pytest.raises(IndexError, match="210"):
        ds[ROWS]


def test_tokens_are_rows_as_models_take_them(shards):
    ids, lengths = drshard.open(shards).tokens("syn_tokens", [5, 6], variant=1)
    stored = drshard.open(shards).take([5, 6], ["syn_tokens"], variants=1)["syn_tokens"]
    for row, length, own in zip(ids, lengths, stored):
        assert row[:length].tolist() == [49406, *own.tolist(), 49407]
        assert not row[length:].any() and row.shape == (77,)


def test_cells_without_a_value_are_zeros_and_none(tmp_path):
    columns = rows(0, 6)
    columns["text"][2] = [None]
    columns["augmentation"][3][1] = None
    columns["image"][4] = None
    marks = np.zeros((6, VIEWS), np.uint8)
    marks[1, 3], marks[5, 0] = drshard.ABSENT, drshard.LOST
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        writer.write_batch(columns, states={"image_emb": marks})
    ds = drshard.open(tmp_path / "a.drs")
    assert ds[2]["text"] == [None] and ds[3]["augmentation"][1] is None and ds[4]["image"] is None
    assert not ds[1]["image_emb"][3].any() and ds[1]["image_emb"][2].any()
    assert np.array_equal(ds.states("image_emb", range(6)), marks)
    assert ds.states("text", range(6), variants=0).tolist() == [0, 0, drshard.ABSENT, 0, 0, 0]


def test_many_threads_read_at_once(shards):
    ds = drshard.open(shards)
    expected = ds.take(range(ROWS))["image_emb"].view(np.uint16)
    wrong = []

    def read(seed: int) -> None:
        wanted = np.random.default_rng(seed).permutation(ROWS)
        for _ in range(5):
            if not np.array_equal(ds.take(wanted, ["image_emb"])["image_emb"].view(np.uint16), expected[wanted]):
                wrong.append(seed)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_pickled_data_set_opens_again(shards):
    ds = pickle.loads(pickle.dumps(drshard.open(shards, mapped=True)))
    assert len(ds) == ROWS


def test_arrow_and_pandas_hold_the_same(shards):
    pyarrow = pytest.importorskip("pyarrow")
    ds = drshard.open(shards)
    table = ds.to_arrow(range(4), ["text", "image_emb", "augmentation", "uid", "tokens"])
    assert table.column("text").to_pylist() == ds.take(range(4))["text"]
    values = np.array(table.column("image_emb").to_pylist(), np.float32)
    assert np.array_equal(values, ds.take(range(4), dtype="f32")["image_emb"])
    assert table.schema.field("image_emb").type == pyarrow.list_(pyarrow.list_(pyarrow.float32(), DIMS), VIEWS)
    bits = ds.to_arrow([1], ["text_emb"], bf16="u16").column("text_emb").to_pylist()
    assert bits == ds.take([1])["text_emb"].view(np.uint16).tolist()
    pytest.importorskip("pandas")
    assert ds.to_pandas([7], ["text"])["text"][0].tolist() == ds[7]["text"]


# What cannot be


def test_a_closed_data_set_says_so(shards):
    ds = drshard.open(shards)
    ds.close()
    ds.close()
    for use in (lambda: ds.take([0]), lambda: ds[0], lambda: ds.storage("text"), lambda: drshard.Loader(ds)):
        with pytest.raises(drshard.ClosedError, match="closed"):
            use()


@pytest.mark.parametrize(
    "arguments, kind, text",
    [
        (([ROWS],), drshard.ArgumentError, "210"),
        (([-1],), drshard.ArgumentError, "-1"),
        (([0], ["none"]), drshard.ArgumentError, "image_emb"),
        (([0], None, {"view": VIEWS}), drshard.ArgumentError, "variant"),
        (([0], None, {"view": -1}), drshard.ArgumentError, "variant"),
        (([0.5],), drshard.ArgumentError, "rows"),
        (([[0]],), drshard.ArgumentError, "rows"),
    ],
)
def test_rows_and_columns_that_are_not_there_are_refused(shards, arguments, kind, text):
    with pytest.raises(kind, match=text):
        drshard.open(shards).take(*arguments)


def test_a_dtype_that_is_none_is_refused(shards):
    with pytest.raises(drshard.ArgumentError, match="bf16, f16, f32"):
        drshard.open(shards).take([0], dtype="f64")


def test_paths_that_cannot_be_opened(tmp_path):
    with pytest.raises(drshard.FileError) as caught:
        drshard.open(tmp_path / "none")
    assert caught.value.path == str(tmp_path / "none") and isinstance(caught.value, OSError)
    with pytest.raises(drshard.FileError, match=r"\.drs"):
        drshard.open(tmp_path)
    with pytest.raises(drshard.ArgumentError, match="UTF-8"):
        drshard.open(os.fsencode(tmp_path) + b"/\xff.drs")
    with pytest.raises(drshard.ArgumentError, match="zero"):
        drshard.open("a\0b")


def test_damage_is_an_error_of_its_kind_with_its_place(own_shards):
    path = own_shards / "00000001.drs"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    for at in range(len(whole) // 2, len(whole) // 2 + 2000, 100):
        damaged[at] ^= 1
    path.write_bytes(damaged)
    ds = drshard.open(own_shards)
    with pytest.raises(drshard.CorruptError) as caught:
        ds.take(range(ROWS))
    assert caught.value.path == str(path) and caught.value.column is not None
    path.write_bytes(whole[:-10])
    with pytest.raises((drshard.TruncatedError, drshard.CorruptError)):
        drshard.open(own_shards)
    path.write_bytes(b"")
    with pytest.raises(drshard.TruncatedError):
        drshard.open(path)


def test_a_file_that_vanishes_while_open_stays_readable_and_one_that_shrinks_is_an_error(own_shards):
    ds = drshard.open(own_shards)
    (own_shards / "00000000.drs").unlink()
    assert ds[0]["text"] == rows(0, 1)["text"][0]
    os.truncate(own_shards / "00000001.drs", 1000)
    with pytest.raises(drshard.TruncatedError) as caught:
        ds.take(range(70, 140))
    assert caught.value.path == str(own_shards / "00000001.drs")


def test_errors_survive_pickling(tmp_path):
    with pytest.raises(drshard.FileError) as caught:
        drshard.open(tmp_path / "none")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is drshard.FileError and str(copy) == str(caught.value) and copy.path == caught.value.path


@pytest.mark.parametrize(
    "variant", [-1, SYNTHETIC, 2**31, 2**40, 2**70, 1.5, "1", None, [0], [0, 0], range(2), {"a": 0}]
)
def test_tokens_are_of_one_variant_that_is_there(shards, variant):
    with pytest.raises(drshard.ArgumentError, match="variant"):
        drshard.open(shards).tokens("syn_tokens", [0, 1, 2], variant)


@pytest.mark.parametrize(
    "variants",
    [
        -1,
        VIEWS,
        2**31,
        2**70,
        1.5,
        "abc",
        "1",
        b"\0\1",
        [1.5],
        ["0"],
        [VIEWS],
        {"view": "0"},
        {"view": 2**40},
        {"none": 0},
    ],
)
def test_variants_that_cannot_be_are_refused(shards, variants):
    ds = drshard.open(shards)
    for use in (ds.take, lambda rows, name, variants: ds.states(name[0], rows, variants)):
        with pytest.raises(drshard.ArgumentError, match=r"axis|variant"):
            use([0, 1], ["image_emb"], variants)


def test_an_unknown_axis_is_refused_whatever_the_columns(shards):
    with pytest.raises(drshard.ArgumentError, match="no axis 'vieww'"):
        drshard.open(shards).take([0], ["size"], {"vieww": 0})


def test_a_single_name_is_one_column(shards):
    ds = drshard.open(shards)
    assert list(ds.take([0], "size")) == ["size"]
    for columns in (5, [5], ["none"], "none"):
        with pytest.raises(drshard.ArgumentError):
            ds.take([0], columns)
    pytest.importorskip("pyarrow")
    assert ds.to_arrow([0], "size").column_names == ["size"]


@pytest.mark.parametrize("dtype", ["f64", "u8", "none", 5, ["f32"], np.float32])
@pytest.mark.parametrize("column", ["size", "image_emb"])
def test_a_dtype_that_is_none_is_refused_whatever_the_columns(shards, dtype, column):
    with pytest.raises(drshard.ArgumentError, match="bf16, f16, f32"):
        drshard.open(shards).take([0], [column], dtype=dtype)


def test_rows_that_are_no_numbers_are_refused(shards):
    ds = drshard.open(shards)
    masked = np.ma.array([1, 2], mask=[False, True])
    for numbers in (masked, np.ma.array([0, 1, 2], mask=[1, 0, 0]), [2**63], [2**70], None, "abc", [True], {1}):
        with pytest.raises(drshard.ArgumentError, match="row"):
            ds.take(numbers, ["size"])
    assert ds.take(np.ma.array([1, 2]), ["size"])["size"].shape == (2, 2)
    assert ds.take(np.array([5], ">i8"), ["size"])["size"].tolist() == ds.take([5], ["size"])["size"].tolist()


def test_the_package_and_its_library_have_one_version():
    try:
        installed = importlib.metadata.version("drshard")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert installed == drshard.__version__
