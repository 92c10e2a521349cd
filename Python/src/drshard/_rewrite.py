"""Shards copied with other tokens."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import tokenize
from .dataset import DataSet
from .errors import ArgumentError, FileError
from .writer import ShardWriter

# Rows that are copied at once.
_ROWS = 256


class TokenRewriter:
    """Copies the shards of a data set; texts in doubt get the ids that `encode` gives."""

    def __init__(
        self, data_set: DataSet, encode: Callable[[str], Sequence[int]], columns: Iterable[tuple[str, str]] | None
    ) -> None:
        self._data_set = data_set
        self._encode = encode
        self._pairs: dict[str, str] = {}
        for pair in self._found() if columns is None else columns:
            self._add(pair)
        if not self._pairs:
            raise ArgumentError(f"{data_set.path} has no tokens that belong to texts")
        self._counts = {"texts": 0, "doubtful": 0, "changed": 0}

    def _found(self) -> list[tuple[str, str]]:
        """Text and token columns that share an axis."""
        columns = self._data_set.schema.columns
        return [
            (text.name, tokens.name)
            for tokens in columns
            if tokens.role == "tokens"
            for text in columns
            if text.role == "text" and text.axis == tokens.axis
        ]

    def _add(self, pair: Any) -> None:
        """Checks a pair of a text column and its token column, and keeps it."""
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ArgumentError(f"columns are pairs of a text column and its token column, not {pair!r:.80}")
        text, tokens = (self._data_set.schema.column(name) for name in pair)
        if text.type != "utf8":
            raise ArgumentError(f"column {text.name!r} has no texts")
        if tokens.type != "ragged" or tokens.element != "u16":
            raise ArgumentError(f"column {tokens.name!r} has no tokens")
        if text.axis != tokens.axis:
            raise ArgumentError(f"columns {text.name!r} and {tokens.name!r} have different axes")
        if tokens.name in self._pairs:
            both = f"{self._pairs[tokens.name]!r} and {text.name!r}"
            raise ArgumentError(f"tokens {tokens.name!r} may be of {both}: say by `columns` of which they are")
        self._pairs[tokens.name] = text.name

    def write(self, folder: str) -> dict[str, int]:
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: cannot make the folder: {error}", path=folder) from error
        for shard in self._data_set.shards:
            target = os.path.join(folder, os.path.basename(shard["path"]))
            with DataSet(shard["path"]) as source:
                self._copy(source, target)
        return dict(self._counts)

    def _copy(self, source: DataSet, target: str) -> None:
        storage = {column.name: source.storage(column.name) for column in source.schema.columns}
        # Another tag than the source's: the tag of equal content is equal, so that equal inputs give equal files.
        tag = int.from_bytes(hashlib.sha256(f"tokens {source.row_set_digest}".encode()).digest()[:8], "little")
        facts = source.shards[0]
        with ShardWriter(
            target, source.schema, shard_tag=tag, storage=storage, rows_per_group=facts.get("rowsPerGroup")
        ) as writer:
            for note in facts.get("notes", ()):
                writer.note(note["key"], note["value"])
            for start in range(0, len(source), _ROWS):
                rows = range(start, min(start + _ROWS, len(source)))
                cells = source.take(rows)
                states = {
                    column.name: source.states(column.name, rows)
                    for column in source.schema.columns
                    if column.role != "row_id"
                }
                for tokens, text in self._pairs.items():
                    cells[tokens] = self._tokens(cells[text], cells[tokens])
                writer.write_batch(cells, states)

    def _tokens(self, texts: list[Any], tokens: list[Any]) -> list[Any]:
        if texts and isinstance(texts[0], list):
            return [self._tokens(*pair) for pair in zip(texts, tokens)]
        return [self._ids(text, ids) for text, ids in zip(texts, tokens)]

    def _ids(self, text: str | None, ids: np.ndarray | None) -> np.ndarray | None:
        if text is None or ids is None:
            return ids
        self._counts["texts"] += 1
        if tokenize.doubt(text) is None:
            return ids
        self._counts["doubtful"] += 1
        wanted = tokenize._checked(self._encode(text))
        self._counts["changed"] += int(not np.array_equal(wanted, ids))
        return wanted
