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
        (lambda c: c.update(text=[["a"], 5]), "object"),
        (lambda c: c.update(text=[["a", "b"], ["c"]]), "2 values"),
        (lambda c: c.update(text=[["\ud800"], ["c"]]), "Unicode"),
        (lambda c: c.update(text=[[b"\xff"], ["c"]]), "UTF-8"),
        (lambda c: c.update(tokens=[[[70000]], [[1]]]), "do not fit u16"),
        (lambda c: c.update(tokens=[[[49409]], [[1]]]), "vocabulary|49408"),
        (lambda c: c.update(augmentation=[[1] * VIEWS] * 2), "no value"),
        (lambda c: c.update(uid=np.zeros((2, 16), np.uint8)), "id already"),
        (lambda c: c.update(image_emb=None), "NoneType"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_writer_goes_on(tmp_path, change, text):
    columns = rows(0, 2)
    change(columns)
    with drshard.ShardWriter(tmp_path / "a.drs", schema()) as writer:
        with pytest.raises((drshard.ArgumentError, TypeError), match=text):
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
