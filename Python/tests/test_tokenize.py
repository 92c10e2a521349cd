"""Tokens: open_clip's ids for every text, by the library or by open_clip."""

from __future__ import annotations

import gzip

import drshard
import drshard.tokenize as tokenize
import numpy as np
import pytest
from conftest import rows, schema
from heavy import need

TEXTS = [
    "a photo of a cat",
    "A  photo\tof 3 cats!!",
    "“curly” quotes",
    "cafÃ© is misread",
    "ﬁsh &amp; chips",
    "Ｆｕｌｌｗｉｄｔｈ",
    "naïve café",
    "日本語のテキスト",
    "x" * 500,
    "",
    "   ",
    "emoji 🎉🎉",
    "tab\x00control",
    "&lt;b&gt; html",
]


@pytest.fixture(scope="module")
def open_clip():
    need("open_clip")
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def test_doubt_names_a_reason():
    assert tokenize.doubt("plain text") is None
    assert "quotation" in tokenize.doubt("“x”")
    with pytest.raises(drshard.ArgumentError, match="Unicode"):
        tokenize.doubt("\ud800")


def test_ids_are_open_clips_for_every_text(open_clip):
    tokenizer = tokenize.Tokenizer()
    native = tokenize.NativeTokenizer()
    for text in TEXTS:
        assert tokenizer.encode(text).tolist() == open_clip.encode(text), text
        if tokenize.doubt(text) is None:
            assert native.encode(text).tolist() == open_clip.encode(text), text
    asked = []
    only_doubtful = tokenize.Tokenizer(open_clip=lambda text: asked.append(text) or [1])
    for text in TEXTS:
        only_doubtful.encode(text)
    assert asked == [text for text in TEXTS if tokenize.doubt(text) is not None] and asked


def test_vocabularies_that_are_none(tmp_path):
    with pytest.raises(drshard.FileError):
        tokenize.NativeTokenizer(tmp_path / "none.gz")
    (tmp_path / "plain.gz").write_bytes(b"no gzip")
    with pytest.raises(drshard.FileError):
        tokenize.NativeTokenizer(tmp_path / "plain.gz")
    with gzip.open(tmp_path / "bad.gz", "wb") as file:
        file.write(b"#version\nno pair here\n")
    with pytest.raises(drshard.CorruptError, match="vocabulary"):
        tokenize.NativeTokenizer(tmp_path / "bad.gz")
    for text in (b"", b"#version\n", b"#version\ni n\nt h\n"):
        (tmp_path / "short.gz").write_bytes(gzip.compress(text))
        with pytest.raises(drshard.CorruptError, match="48894") as caught:
            tokenize.NativeTokenizer(tmp_path / "short.gz")
        assert caught.value.path == str(tmp_path / "short.gz")
    packed = bytearray(gzip.compress(bytes(range(256)) * 500, 9))
    packed[20:40] = b"\xff" * 20
    (tmp_path / "damaged.gz").write_bytes(packed)
    with pytest.raises((drshard.CorruptError, drshard.FileError)):
        tokenize.NativeTokenizer(tmp_path / "damaged.gz")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"#version\n" * 1000)[:30])
    with pytest.raises(drshard.FileError):
        tokenize.NativeTokenizer(tmp_path / "cut.gz")
    with pytest.raises(drshard.ArgumentError, match="zero"):
        tokenize.NativeTokenizer("a\0b")


def test_a_vocabulary_with_one_merge_less_is_refused(open_clip, tmp_path):
    with gzip.open(tokenize._vocabulary()) as file:
        lines = file.read().split(b"\n")
    (tmp_path / "short.gz").write_bytes(gzip.compress(b"\n".join(lines[:48_894]), 1))
    with pytest.raises(drshard.CorruptError, match="48893 merges"):
        tokenize.NativeTokenizer(tmp_path / "short.gz")
    (tmp_path / "just.gz").write_bytes(gzip.compress(b"\n".join(lines[:48_895]), 1))
    whole, just = tokenize.NativeTokenizer(), tokenize.NativeTokenizer(tmp_path / "just.gz")
    assert all(whole.encode(text).tolist() == just.encode(text).tolist() for text in TEXTS)


@pytest.mark.parametrize("text", [None, b"abc", 5])
def test_what_is_no_text_is_refused(open_clip, text):
    for use in (tokenize.doubt, tokenize.NativeTokenizer().encode, tokenize.Tokenizer().encode):
        with pytest.raises(drshard.ArgumentError, match="not a str"):
            use(text)


def test_tokens_of_texts_in_doubt_are_rewritten_and_nothing_else(tmp_path):
    columns = rows(0, 40)
    columns["text"][7] = ["“doubtful”"]
    columns["syn_text"][9][1] = "ﬁsh"
    columns["text"][11] = [None]
    columns["tokens"][11] = [None]
    (tmp_path / "in").mkdir()
    with drshard.ShardWriter(
        tmp_path / "in" / "a.drs", schema(), storage={"image_emb": "fast"}, rows_per_group=16
    ) as writer:
        writer.write_batch(columns)
    counts = tokenize.rewrite_tokens(tmp_path / "in", tmp_path / "out", open_clip=lambda text: [1, 2, 3])
    assert counts == {"texts": 39 + 120, "doubtful": 2, "changed": 2}
    before, after = drshard.open(tmp_path / "in"), drshard.open(tmp_path / "out" / "a.drs")
    assert after.schema == before.schema and after.storage("image_emb") == "fast"
    old, new = before.take(range(40)), after.take(range(40))
    assert new["tokens"][7][0].tolist() == [1, 2, 3] and new["syn_tokens"][9][1].tolist() == [1, 2, 3]
    old["tokens"][7], new["tokens"][7] = [], []
    old["syn_tokens"][9][1], new["syn_tokens"][9][1] = None, None
    for name in old:
        if isinstance(old[name], np.ndarray):
            assert old[name].tobytes() == new[name].tobytes()
        else:
            assert str(old[name]) == str(new[name])
    with pytest.raises(drshard.FileError):
        tokenize.rewrite_tokens(tmp_path / "in", tmp_path / "out", open_clip=lambda text: [1])


def test_row_groups_and_notes_stay(tmp_path):
    with drshard.ShardWriter(tmp_path / "a.drs", schema(), rows_per_group=32) as writer:
        writer.note("who", "me")
        writer.note("why", "ü")
        writer.write_batch(rows(0, 40))
    before = drshard.open(tmp_path / "a.drs").shards[0]
    if "rowsPerGroup" not in before:
        pytest.skip("this libdrshard does not tell them")
    tokenize.rewrite_tokens(tmp_path / "a.drs", tmp_path / "out", open_clip=lambda text: [1])
    after = drshard.open(tmp_path / "out").shards[0]
    assert after["rowsPerGroup"] == before["rowsPerGroup"] == 32
    assert after["notes"] == before["notes"] == [{"key": "who", "value": "me"}, {"key": "why", "value": "ü"}]


@pytest.mark.parametrize(
    "columns, text",
    [
        ([("none", "tokens")], "none"),
        ([("text", "none")], "none"),
        ([("text", "size")], "no tokens"),
        ([("size", "tokens")], "no texts"),
        ([("text", "syn_tokens")], "axes"),
        ([("text", "tokens"), ("text", "tokens")], "may be of"),
        (["ab"], "pairs"),
        ([5], "pairs"),
        ([], "no tokens"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused_before_anything_is_written(shards, tmp_path, columns, text):
    with pytest.raises(drshard.ArgumentError, match=text):
        tokenize.rewrite_tokens(shards, tmp_path / "out", open_clip=lambda text: [1], columns=columns)
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_no_folder_is_an_error_of_files(shards, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(drshard.FileError, match="folder"):
            tokenize.rewrite_tokens(shards, target, open_clip=lambda text: [1])


@pytest.mark.parametrize("ids", [["x"], [1.5], [-1], [1 << 16], None, 5])
def test_ids_that_are_none_are_refused(ids):
    with pytest.raises(drshard.ArgumentError, match="id"):
        tokenize._checked(ids)
