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
