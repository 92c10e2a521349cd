"""Writing shards: what is taken, what is refused, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import drshard
import numpy as np
import pytest
from conftest import DIMS, VIEWS, rows, schema, write

ml_dtypes = pytest.importorskip("ml_dtypes")


def test_the_command_line_finds_the_shards_sound(shards, cli):
    assert cli("verify", "--decode", shards).count("sound") == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_floats_are_taken_and_rounded_as_ml_dtypes_rounds(tmp_path, dtype):
    columns = rows(0, 5, dtype)
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        writer.write_batch(columns)
    expected = columns["image_emb"].astype(np.float32).astype(ml_dtypes.bfloat16)
    taken = drshard.open(tmp_path / "a.drs").take(range(5))["image_emb"]
    assert np.array_equal(taken.view(np.uint16), expected.view(np.uint16))


def test_bits_of_bfloat16_are_taken_as_they_are(tmp_path):
    columns = rows(0, 2)
    bits = np.arange(2 * VIEWS * DIMS, dtype=np.uint16).reshape(2, VIEWS, DIMS) * 300
    columns["image_emb"] = bits
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        writer.write_batch(columns)
    assert np.array_equal(drshard.open(tmp_path / "a.drs").take([0, 1])["image_emb"].view(np.uint16), bits)


def test_rows_one_by_one_make_the_same_file_as_a_batch(tmp_path):
    write(tmp_path / "batch.drs", 0, 40)
    with drshard.ShardWriter(tmp_path / "rows.drs", schema(), shard_tag=1, rows_per_group=32) as writer:
        for i in range(40):
            writer.write({name: value[0] for name, value in rows(i, 1).items()})
        assert writer.row_count == 40
    assert (tmp_path / "rows.drs").read_bytes() == (tmp_path / "batch.drs").read_bytes()


def test_arrays_that_are_not_contiguous_are_written_as_they_look(tmp_path):
    columns = rows(0, 4)
    turned = np.asfortranarray(columns["image_emb"])
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        writer.write_batch(columns | {"image_emb": turned, "text_emb": columns["text_emb"][:, 0]})
    taken = drshard.open(tmp_path / "a.drs").take(range(4), dtype="f32")
    assert np.array_equal(taken["image_emb"], turned.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_storage_and_notes(tmp_path):
    write(tmp_path / "a.drs", 0, 20, storage={"image_emb": "fast", "text": "lz4"})
    ds = drshard.open(tmp_path / "a.drs")
    assert (ds.storage("image_emb"), ds.storage("text"), ds.storage("text_emb")) == ("fast", "lz4", "balanced")


def test_a_block_that_raises_leaves_no_shard_and_can_be_resumed(tmp_path):
    path = tmp_path / "a.drs"
    with pytest.raises(RuntimeError, match="mine"):
        with drshard.ShardWriter(path, schema(), shard_tag=1, rows_per_group=32) as writer:
            writer.write_batch(rows(0, 40))
            raise RuntimeError("mine")
    assert not path.exists()
    with pytest.raises(drshard.FileError, match="resume"):
        drshard.ShardWriter(path, schema(), shard_tag=1, rows_per_group=32)
    with drshard.ShardWriter(path, schema(), shard_tag=1, rows_per_group=32, resume=True) as writer:
        assert writer.row_count == 32
        writer.write_batch(rows(32, 8))
    write(tmp_path / "b.drs", 0, 40)
    assert path.read_bytes() == (tmp_path / "b.drs").read_bytes()


def test_a_killed_writer_is_resumed_and_makes_the_same_file(tmp_path):
    script = textwrap.dedent(
        f"""
        import sys, drshard
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import rows, schema
        writer = drshard.ShardWriter(sys.argv[1], schema(), shard_tag=1, rows_per_group=32)
        for i in range(0, 1000, 10):
            writer.write_batch(rows(i, 10))
            print(i + 10, flush=True)
        """
    )
    path = tmp_path / "a.drs"
    child = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True)
    while int(child.stdout.readline()) < 110:
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not path.exists()
    with drshard.ShardWriter(path, schema(), shard_tag=1, rows_per_group=32, resume=True) as writer:
        done = writer.row_count
        assert done >= 96 and done % 32 == 0
        writer.write_batch(rows(done, 300 - done))
    write(tmp_path / "whole.drs", 0, 300)
    assert path.read_bytes() == (tmp_path / "whole.drs").read_bytes()


def test_a_discarded_shard_leaves_nothing(tmp_path):
    writer = drshard.ShardWriter(tmp_path / "a.drs", schema())
    writer.write_batch(rows(0, 3))
    writer.discard()
    assert os.listdir(tmp_path) == []
    with pytest.raises(drshard.ClosedError):
        writer.write_batch(rows(3, 1))


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda c: c.pop("text"), "missing: text"),
        (lambda c: c.update(other=[1]), "no column 'other'"),
        (lambda c: c.update(image_emb=c["image_emb"][:, :2]), r"\[2, 2, 24\]"),
        (lambda c: c.update(image_emb=c["image_emb"][:1]), "numbers of rows"),
        (lambda c: c.update(image_emb=c["image_emb"].astype(np.float64)), "float64"),
        (lambda c: c.update(image_emb=c["image_emb"].astype(np.complex64)), "complex64"),
        (lambda c: c.update(image_emb=["a", "b"]), "array"),
        (lambda c: c.update(size=np.full((2, 2), -1)), "do not fit u32"),
        (lambda c: c.update(size=c["size"].astype(np.float32)), "float32"),
        (lambda c: c.update(text=[["a"], 5]), "no array or list"),
        (lambda c: c.update(text=[["a", "b"], ["c"]]), "2 values"),
        (lambda c: c.update(text=[["\ud800"], ["c"]]), "Unicode"),
        (lambda c: c.update(text=[[b"\xff"], ["c"]]), "UTF-8"),
        (lambda c: c.update(tokens=[[[70000]], [[1]]]), "do not fit u16"),
        (lambda c: c.update(tokens=[[[49409]], [[1]]]), "vocabulary|49408"),
        (lambda c: c.update(augmentation=[[1] * VIEWS] * 2), "no value"),
        (lambda c: c.update(uid=np.zeros((2, 16), np.uint8)), "id already"),
        (lambda c: c.update(image_emb=None), "no array or list"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_writer_goes_on(tmp_path, change, text):
    columns = rows(0, 2)
    change(columns)
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        with pytest.raises(drshard.ArgumentError, match=text):
            writer.write_batch(columns)
        written = writer.row_count
        writer.write_batch(rows(50, 3))
        assert writer.row_count == written + 3
    assert len(drshard.open(tmp_path / "a.drs")) == written + 3


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"storage": {"image_emb": "none"}}, drshard.ArgumentError, "token_ranks"),
        ({"storage": {"image_emb": "operation_table"}}, drshard.ArgumentError, "image_emb"),
        ({"storage": {"none": "plain"}}, drshard.ArgumentError, "none"),
        ({"compression_level": 40}, drshard.ArgumentError, "22"),
        ({"rows_per_group": -1}, drshard.ArgumentError, "row group"),
        ({"page_bytes": 0}, drshard.ArgumentError, "pages"),
    ],
)
def test_options_that_cannot_be_are_refused_and_nothing_is_made(tmp_path, options, kind, text):
    with pytest.raises(kind, match=text):
        drshard.ShardWriter(tmp_path / "a.drs", schema(), **options)
    assert os.listdir(tmp_path) == []


def test_a_schema_that_cannot_be_is_refused(tmp_path):
    for columns, text in (
        ([drshard.Column("a", element="f32")], "row_id"),
        ([drshard.Column("a", role="row_id", element="u8", dims=[4], axis="none")], "no axis"),
        ([drshard.Column("a", role="row_id", element="u7", dims=[4])], "u7"),
        ([drshard.Column("a", role="row_id", element="u8", dims=[4]), drshard.Column("a", type="utf8")], "same name"),
    ):
        with pytest.raises(drshard.ArgumentError, match=text):
            drshard.ShardWriter(tmp_path / "a.drs", drshard.Schema(columns=columns))
    with pytest.raises(drshard.FileError, match="none"):
        drshard.ShardWriter(tmp_path / "none" / "a.drs", schema())
    with pytest.raises(drshard.ArgumentError, match="UTF-8"):
        drshard.ShardWriter(os.fsencode(tmp_path) + b"/\xfe.drs", schema())


# Rows of all kinds


FLAT = drshard.Schema(
    axes=[drshard.Axis("v", kind="other", count=2), drshard.Axis("one", kind="other", count=1)],
    columns=[
        drshard.Column("uid", role="row_id", element="u8", dims=[4]),
        drshard.Column("f", element="f32", dims=[2, 3]),
        drshard.Column("i", element="i32", dims=[2]),
        drshard.Column("b", element="bf16", dims=[2]),
        drshard.Column("m", element="bf16", dims=[2], axis="v"),
        drshard.Column("h", element="u8", dims=[3], axis="one"),
        drshard.Column("r", type="ragged", element="f64"),
        drshard.Column("q", type="ragged", element="bf16"),
        drshard.Column("t", type="utf8"),
    ],
)


def flat(**changed) -> dict:
    """Three rows of `FLAT`."""
    return {
        "uid": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "f": np.zeros((3, 2, 3), np.float32),
        "i": np.zeros((3, 2), np.int32),
        "b": np.zeros((3, 2), np.float32),
        "m": np.zeros((3, 2, 2), np.float32),
        "h": np.zeros((3, 1, 3), np.uint8),
        "r": [[1.0], [], None],
        "q": [None] * 3,
        "t": ["a", "b", None],
        **changed,
    }


def written(tmp_path, states=None, **changed) -> drshard.DataSet:
    with drshard.ShardWriter(tmp_path / "a.drs", FLAT) as writer:
        writer.write_batch(flat(**changed), states)
    return drshard.open(tmp_path / "a.drs")


def test_rows_beside_none_are_converted_each_by_itself(tmp_path):
    half, single = np.full((2, 3), 1.5, np.float16), np.full((2, 3), 1e6, np.float32)
    bits = np.array([0x3FC0, 0x4020], np.uint16)
    ds = written(
        tmp_path,
        f=[half, None, single],
        i=[np.array([1, 2], np.int64), None, [3, 4]],
        b=[bits, None, np.array([1.5, 2.5], np.float32)],
    )
    taken = ds.take(range(3), dtype="f32")
    assert taken["f"][:, 0, 0].tolist() == [1.5, 0, 1e6] and ds.states("f", range(3)).tolist() == [0, 1, 0]
    assert taken["i"].tolist() == [[1, 2], [0, 0], [3, 4]]
    assert taken["b"].tolist() == [[1.5, 2.5], [0, 0], [1.5, 2.5]]


def test_variants_of_a_tensor_may_be_none(tmp_path):
    one, two = np.array([1, 2], np.float32), np.array([3, 4], ml_dtypes.bfloat16)
    ds = written(tmp_path, m=[[one, None], None, [two, one]])
    assert ds.states("m", range(3)).tolist() == [[0, 1], [1, 1], [0, 0]]
    assert ds.take(range(3), ["m"], dtype="f32")["m"].tolist() == [[[1, 2], [0, 0]], [[0, 0]] * 2, [[3, 4], [1, 2]]]


def test_a_row_may_have_none_among_its_variants(tmp_path):
    row = {name: value[0] for name, value in rows(0, 1).items()}
    row["image_emb"] = [np.ones(DIMS, np.float32), None, None, np.ones(DIMS, np.float16)]
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        writer.write(row)
        writer.write({name: value[0] for name, value in rows(1, 1).items()} | {"syn_text_emb": None})
    ds = drshard.open(tmp_path / "a.drs")
    assert ds.states("image_emb", [0, 1]).tolist() == [[0, 1, 1, 0], [0] * 4]
    assert ds.states("syn_text_emb", [1]).all() and (ds[0]["image_emb"][3].astype(np.float32) == 1).all()


def test_bytes_are_taken_for_tensors_of_bytes(tmp_path):
    ds = written(tmp_path, uid=[b"abcd", bytearray(b"efgh"), b"ijkl"], h=[b"abc", [b"def"], None])
    taken = ds.take(range(3))
    assert taken["uid"].tobytes() == b"abcdefghijkl" and taken["h"].tobytes() == b"abcdef" + bytes(3)
    with drshard.ShardWriter(tmp_path / "b.drs", FLAT) as writer:
        writer.write({name: value[0] for name, value in flat().items()} | {"uid": b"wxyz"})
    assert drshard.open(tmp_path / "b.drs")[0]["uid"].tobytes() == b"wxyz"


def test_arrays_of_other_byte_orders_and_strides_are_written_as_they_look(tmp_path):
    numbers = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    integers = np.arange(6).reshape(3, 2)
    ds = written(tmp_path, f=numbers[::-1].astype(">f4"), i=integers[:, ::-1].astype(">i2"), r=[[1.0], [2.5], [3.0]])
    assert np.array_equal(ds.take(range(3))["f"], numbers[::-1])
    assert np.array_equal(ds.take(range(3))["i"], integers[:, ::-1])


def test_tensors_of_torch_are_taken_in_lists_too(tmp_path):
    torch = pytest.importorskip("torch")
    ds = written(
        tmp_path,
        f=[torch.ones(2, 3, requires_grad=True)] * 3,
        b=[torch.full((2,), 1.5, dtype=torch.bfloat16), None, torch.ones(2)],
        m=[[torch.ones(2, dtype=torch.bfloat16)] * 2] * 3,
        r=[torch.ones(2, dtype=torch.float64), torch.tensor([3]), None],
    )
    taken = ds.take(range(3), dtype="f32")
    assert (taken["f"] == 1).all() and (taken["m"] == 1).all() and taken["b"].tolist() == [[1.5] * 2, [0] * 2, [1] * 2]
    assert [None if each is None else each.tolist() for each in taken["r"]] == [[1, 1], [3], None]


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.zeros(3, 2, 3).to_sparse(),
        lambda t: t.zeros(3, 2, 3, device="meta"),
        lambda t: t.zeros(3, 2, 3, dtype=t.float8_e4m3fn),
        lambda t: [t.zeros(2, 3, device="meta")] * 3,
        lambda t: t.tensor(1.0),
    ],
)
def test_tensors_without_numbers_are_refused(tmp_path, make):
    torch = pytest.importorskip("torch")
    with pytest.raises(drshard.ArgumentError, match="column 'f'"):
        written(tmp_path, f=make(torch))


@pytest.mark.parametrize(
    "changed",
    [
        {"f": [np.zeros((3, 2), np.float32), None, None]},
        {"f": [np.zeros(6, np.float32), None, None]},
        {"f": [np.zeros((2, 3)), None, None]},
        {"f": 1.0},
        {"f": np.float32(1)},
        {"f": np.array(1, np.float32)},
        {"f": (each for each in np.zeros((3, 2, 3), np.float32))},
        {"f": {0: 1, 1: 2, 2: 3}},
        {"f": np.zeros(3, [("a", "f4")])},
        {"f": np.ma.array(np.zeros((3, 2, 3), np.float32), mask=True)},
        {"f": [np.ma.array(np.zeros((2, 3), np.float32), mask=True)] * 3},
        {"f": [[np.ma.array(np.zeros(3, np.float32), mask=True)] * 2] * 3},
        {"i": [np.array([1, 2]), None, np.array([1.9, -2.9])]},
        {"i": [np.array([1, 2]), None, np.array([1, 2**40])]},
        {"i": [np.array([1, 2]), None, np.array([1, 2, 3])]},
        {"i": [[1, 2], None, "ab"]},
        {"i": [[True, False]] * 3},
        {"i": [np.array([1, 2]), None, np.array([True, False])]},
        {"m": [[np.zeros(2, np.float32)], None, None]},
        {"m": [[None, None, None], None, None]},
        {"uid": [b"abc", b"efgh", b"ijkl"]},
        {"uid": b"abcdefghijkl"},
        {"r": [np.array([2**53 + 1]), None, None]},
        {"r": [np.array([2**63 - 1]), None, None]},
        {"r": [np.array([1.5], np.float32), None, None]},
        {"r": [np.ma.array([1.0, 2.0], mask=[0, 1]), None, None]},
        {"q": [np.array([1]), None, None]},
        {"t": "abc"},
        {"t": b"abc"},
        {"t": {"a", "b", "c"}},
        {"t": iter("abc")},
        {"t": 5},
    ],
)
def test_columns_that_do_not_fit_are_refused_before_anything_is_written(tmp_path, changed):
    with drshard.ShardWriter(tmp_path / "a.drs", FLAT) as writer:
        with pytest.raises(drshard.ArgumentError, match=f"column '{next(iter(changed))}'"):
            writer.write_batch(flat(**changed))
        assert writer.row_count == 0
        writer.write_batch(flat())


def test_bits_of_bfloat16_are_taken_in_values_of_any_length(tmp_path):
    bits = np.array([0x3FC0, 1, 0xFFFF], np.uint16)
    taken = written(tmp_path, q=[bits, bits.view(ml_dtypes.bfloat16), None]).take(range(3), ["q"])["q"]
    assert [each.view(np.uint16).tolist() for each in taken[:2]] == [bits.tolist()] * 2


@pytest.mark.parametrize(
    "states",
    [
        {"none": [0] * 3},
        {"f": [0] * 2},
        {"f": [[0]] * 3},
        {"m": [0] * 6},
        {"m": np.zeros((2, 3), np.uint8)},
        {"f": [3] * 3},
        {"f": [-1] * 3},
        {"f": [300] * 3},
        {"f": [1.0] * 3},
        {"f": [float("nan")] * 3},
        {"f": np.ones(3, bool)},
        {"f": ["a"] * 3},
        {"f": 1},
        {"f": np.ma.array([0, 1, 0], mask=[0, 0, 1])},
        [1],
    ],
)
def test_states_that_cannot_be_are_refused(tmp_path, states):
    with pytest.raises(drshard.ArgumentError):
        written(tmp_path, states)


def test_states_are_kept(tmp_path):
    states = {"f": [0, 1, 2], "m": np.array([[0, 1], [2, 0], [1, 1]]), "t": np.array([2, 0, 1], np.int8)}
    ds = written(tmp_path, states)
    for name, marks in states.items():
        assert ds.states(name, range(3)).tolist() == np.asarray(marks).tolist()


def test_masked_arrays_that_mask_nothing_are_taken(tmp_path):
    assert (written(tmp_path, i=np.ma.array(np.ones((3, 2), np.int32))).take(range(3))["i"] == 1).all()


@pytest.mark.parametrize(
    "options",
    [
        {"shard_tag": 1.5},
        {"shard_tag": -1},
        {"shard_tag": 2**64},
        {"rows_per_group": 0.0},
        {"group_bytes": "5"},
        {"storage": {"f": None}},
        {"storage": {None: "zstd"}},
        {"storage": {"f": "zs\0td"}},
        {"storage": {"a\ud800": "zstd"}},
        {"storage": "zstd"},
        {"storage": [("f", "zstd")]},
    ],
)
def test_options_of_wrong_types_are_refused_and_nothing_is_made(tmp_path, options):
    with pytest.raises(drshard.ArgumentError):
        drshard.ShardWriter(tmp_path / "a.drs", FLAT, **options)
    assert os.listdir(tmp_path) == []


def test_what_is_no_schema_no_row_and_no_note_is_refused(tmp_path):
    for none in (5, None, FLAT.to_json()):
        with pytest.raises(drshard.ArgumentError, match=r"drshard\.Schema"):
            drshard.ShardWriter(tmp_path / "a.drs", none)
    with drshard.ShardWriter(tmp_path / "a.drs", FLAT) as writer:
        for pair in ((1, 2), ("a", None), ("a\0b", "c"), ("a", "c\0d"), ("\ud800", "x")):
            with pytest.raises(drshard.ArgumentError, match="note"):
                writer.note(*pair)
        for use in (writer.write, writer.write_batch):
            with pytest.raises(drshard.ArgumentError, match="dict"):
                use([1])


def test_a_shard_may_be_finished_or_given_up_inside_its_block(tmp_path):
    with drshard.ShardWriter(tmp_path / "a.drs", FLAT) as writer:
        writer.write_batch(flat())
        writer.finish()
    assert len(drshard.open(tmp_path / "a.drs")) == 3
    with drshard.ShardWriter(tmp_path / "b.drs", FLAT) as writer:
        writer.discard()
    assert os.listdir(tmp_path) == ["a.drs"]
