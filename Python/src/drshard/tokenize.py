"""CLIP's tokens: the library's tokenizer, and open_clip's own for the texts that they may see differently.

open_clip lets ftfy repair a text before it is cut into tokens. The library's tokenizer does not, and knows which texts ftfy
might change: `doubt` says why. A `Tokenizer` asks open_clip about those, so that all its ids are open_clip's.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from ctypes import byref, c_char_p, c_size_t, c_uint16, c_void_p
from typing import Any

import numpy as np

from . import _types
from ._native import Handle, call, encoded_path, library
from .dataset import DataSet
from .errors import ArgumentError, CorruptError, FileError

__all__ = ["NativeTokenizer", "Tokenizer", "doubt", "rewrite_tokens"]

# So many merges of the file are CLIP's; it holds more.
_MERGES = 48_894
# CLIP's vocabulary has 3 MB: what is far longer is another file, and may fill the memory.
_VOCABULARY_BYTES = 64 << 20


def doubt(text: str) -> str | None:
    """Why the library's ids of a text may differ from open_clip's; None if they do not.

    Raises:
        ArgumentError: for what is no text, or one that is not Unicode.
    """
    encoded = _encoded(text)
    reason = c_char_p()
    call(library.drs_tokenizer_doubt, encoded, len(encoded), byref(reason))
    return None if reason.value is None else reason.value.decode()


def _encoded(text: str) -> bytes:
    if not isinstance(text, str):
        raise ArgumentError(f"a text is {text!r:.80}, not a str")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(f"a text that is not Unicode: {error}") from None


class NativeTokenizer:
    """The library's tokenizer. Many threads may use it, one after the other.

    Args:
        vocabulary: the path of ``bpe_simple_vocab_16e6.txt.gz``; None: that of the installed open_clip.

    Raises:
        FileError: if it cannot be read.
        CorruptError: if it is no vocabulary, or one with fewer merges than CLIP's, whose ids would be others.
    """

    def __init__(self, vocabulary: str | os.PathLike | None = None) -> None:
        path = _vocabulary() if vocabulary is None else vocabulary
        text = _unpacked(path)
        pointer = c_void_p()
        call(library.drs_tokenizer_create, text, len(text), byref(pointer))
        self._handle = Handle(pointer.value, library.drs_tokenizer_free, "tokenizer")
        # Behind a line that says what it is there is a merge a line.
        merges = text.rstrip(b"\n").count(b"\n")
        if merges < _MERGES:
            name = os.fsdecode(path)
            raise CorruptError(f"{name}: a vocabulary of {merges} merges, where CLIP's has {_MERGES}", path=name)

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text: uint16, without start and end, not cut. Raises ArgumentError as `doubt` does."""
        encoded = _encoded(text)
        # An id stands for at least one byte, or for one that cleaning has made of it.
        ids = (c_uint16 * (2 * len(encoded) + 16))()
        count = c_size_t()
        with self._handle as pointer:
            call(library.drs_tokenizer_encode, pointer, encoded, len(encoded), ids, len(ids), byref(count))
            if count.value > len(ids):
                ids = (c_uint16 * count.value)()
                call(library.drs_tokenizer_encode, pointer, encoded, len(encoded), ids, len(ids), byref(count))
        return np.frombuffer(memoryview(ids), np.uint16, count.value).copy()


def _unpacked(path: str | os.PathLike) -> bytes:
    """The text of a vocabulary."""
    encoded_path(path)
    name = os.fsdecode(path)
    try:
        with gzip.open(path, "rb") as file:
            text = file.read(_VOCABULARY_BYTES + 1)
    except zlib.error as error:
        raise CorruptError(f"{name}: cannot unpack the vocabulary: {error}", path=name) from error
    except (OSError, EOFError) as error:
        raise FileError(f"{name}: cannot read the vocabulary: {error}", path=name) from error
    if len(text) > _VOCABULARY_BYTES:
        raise CorruptError(f"{name}: no vocabulary: more than {_VOCABULARY_BYTES} bytes", path=name)
    return text


def _vocabulary() -> str:
    import importlib.util

    found = importlib.util.find_spec("open_clip")
    if found is None or not found.submodule_search_locations:
        raise ArgumentError("name the vocabulary: open_clip, which has one, is not installed")
    return os.path.join(found.submodule_search_locations[0], "bpe_simple_vocab_16e6.txt.gz")


class Tokenizer:
    """open_clip's ids of any text: by the library, and by open_clip where the two might differ.

    Args:
        vocabulary: as for `NativeTokenizer`.
        open_clip: what gives open_clip's ids of a text, without start and end: None: ``encode`` of the
            `SimpleTokenizer` of the installed open_clip.
    """

    def __init__(
        self, vocabulary: str | os.PathLike | None = None, open_clip: Callable[[str], Sequence[int]] | None = None
    ) -> None:
        self._native = NativeTokenizer(vocabulary)
        self._open_clip = open_clip

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text: uint16, without start and end, not cut. Raises ArgumentError as `doubt` does."""
        if doubt(text) is None:
            return self._native.encode(text)
        return _checked(self._other()(text))

    def _other(self) -> Callable[[str], Sequence[int]]:
        if self._open_clip is None:
            self._open_clip = _open_clip_encode()
        return self._open_clip


def _open_clip_encode() -> Callable[[str], Sequence[int]]:
    try:
        from open_clip.tokenizer import SimpleTokenizer
    except ImportError:
        raise ImportError("open_clip is needed for texts that are in doubt: pip install open_clip_torch") from None
    return SimpleTokenizer().encode


def _checked(ids: Any) -> np.ndarray:
    try:
        ids = list(ids)
    except TypeError:
        raise ArgumentError(f"the ids of a text are {ids!r:.80}, not a list") from None
    return np.array([_types.integer("an id", each, 0, 1 << 16) for each in ids], np.uint16)


def rewrite_tokens(
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    open_clip: Callable[[str], Sequence[int]] | None = None,
    columns: Iterable[tuple[str, str]] | None = None,
) -> dict[str, int]:
    """Copies shards, with open_clip's ids of the texts that are in doubt. Row groups and notes stay as they are.

    Args:
        source: a shard, or a folder of shards.
        target: a folder for shards of the same names; it is made if it is not there.
        open_clip: as for `Tokenizer`.
        columns: pairs of a text column and its token column; None: those that share an axis.

    Returns:
        How many texts there were ("texts"), were in doubt ("doubtful"), and got other ids ("changed").

    Raises:
        ArgumentError: for columns that are not there or do not fit each other, and tokens that belong to no text; then
            nothing is written.
        FileError: if the target is no folder and cannot become one.
        Error: of the kind of what is wrong with a file. Shards that are complete stay; others leave a ``.part``.
    """
    from ._rewrite import TokenRewriter

    data_set = source if isinstance(source, DataSet) else DataSet(source)
    encoded_path(target)
    return TokenRewriter(data_set, open_clip or _open_clip_encode(), columns).write(os.fsdecode(target))
