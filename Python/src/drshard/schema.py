"""What a data set holds: axes, columns, and what its numbers mean (Spec/FORMAT.md section 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ArgumentError

KINDS = ("other", "views", "real captions", "synthetic captions")
ROLES = (
    "other",
    "row_id",
    "url",
    "image",
    "image_embedding",
    "text_embedding",
    "text",
    "tokens",
    "augmentation",
    "image_hash",
    "image_size",
)


@dataclass(frozen=True)
class Axis:
    """A named list of alternatives of a row, such as the views of an image.

    Attributes:
        kind: one of `KINDS`.
        count: the number of variants.
        exchangeable: whether variants are independent draws, so that which is number 3 means nothing; None: not known.
        source: what made the variants.
        defining_column: the column whose digest is the axis's.
    """

    name: str
    kind: str
    count: int
    exchangeable: bool | None = None
    source: str | None = None
    defining_column: str | None = None


@dataclass(frozen=True)
class Column:
    """One column: cells ``[row][variant]`` of one type.

    Attributes:
        role: one of `ROLES`.
        type: tensor, ragged, utf8, binary, operations (`Augmentation`) or locator (`Locator`).
        element: of tensors and ragged columns: u8, i8, ... bf16, f16, f32, f64.
        dims: of a tensor's cells.
        axis: the name of its axis; without one it has one variant.
        tokenizer: of tokens, the name of what made them.
    """

    name: str
    role: str = "other"
    type: str = "tensor"
    element: str | None = None
    dims: tuple[int, ...] | None = None
    axis: str | None = None
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if self.dims is not None:
            object.__setattr__(self, "dims", tuple(int(dim) for dim in self.dims))
        elif self.type == "tensor":
            object.__setattr__(self, "dims", ())


@dataclass(frozen=True)
class Slice:
    """Elements ``[first, first + count)`` of a column's cells."""

    column: str
    first: int
    count: int


@dataclass(frozen=True)
class Teacher:
    """A model whose embeddings are stored.

    Attributes:
        normalised: whether its embeddings have length 1; None: not known.
        logit_scale: the factor for its logits, already exponentiated.
        weights_sha256: 64 hexadecimal digits.
    """

    name: str
    slices: tuple[Slice, ...] = ()
    normalised: bool | None = None
    logit_scale: float | None = None
    weights_sha256: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "slices", tuple(self.slices))


@dataclass(frozen=True)
class Captioner:
    """What made the synthetic captions of an axis."""

    axis: str
    name: str
    settings: str | None = None


@dataclass(frozen=True)
class Tokenizer:
    """What made columns of tokens. ``start`` and ``end`` are ids that are not stored."""

    name: str
    vocabulary_sha256: str
    vocabulary_size: int
    context_length: int
    start: int
    end: int


@dataclass(frozen=True)
class Operation:
    """What a number in augmentation records means, and the magnitudes that occur, ascending."""

    operation: int
    name: str
    magnitudes: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "magnitudes", tuple(self.magnitudes))


@dataclass(frozen=True)
class Source:
    """Where data came from, and under which licence."""

    name: str
    licence: str
    reference: str | None = None


@dataclass(frozen=True)
class Schema:
    """What the shards of a data set hold. The library checks it when a shard is written.

    ``provenance`` holds pairs of a key and a value; ``side`` is what JSON has of a side shard's base.
    """

    columns: tuple[Column, ...]
    axes: tuple[Axis, ...] = ()
    teachers: tuple[Teacher, ...] = ()
    captioners: tuple[Captioner, ...] = ()
    tokenizers: tuple[Tokenizer, ...] = ()
    operations: tuple[Operation, ...] = ()
    sources: tuple[Source, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    side: dict[str, Any] | None = field(default=None, compare=True)

    def __post_init__(self) -> None:
        for part in fields(self):
            if part.name != "side":
                object.__setattr__(self, part.name, tuple(getattr(self, part.name)))

    def column(self, name: str) -> Column:
        """The column of this name.

        Raises:
            ArgumentError: if there is none; names those that there are.
        """
        return self.columns[self.column_number(name)]

    def column_number(self, name: str) -> int:
        """The number of the column of this name. Raises as `column` does."""
        for number, column in enumerate(self.columns):
            if column.name == name:
                return number
        names = ", ".join(column.name for column in self.columns)
        raise ArgumentError(f"there is no column {name!r}; there are {names}")

    def axis(self, name: str) -> Axis:
        """The axis of this name.

        Raises:
            ArgumentError: if there is none.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise ArgumentError(f"there is no axis {name!r}; there are {', '.join(axis.name for axis in self.axes)}")

    def variant_count(self, column: Column) -> int:
        """The number of variants of a column."""
        return 1 if column.axis is None else self.axis(column.axis).count

    def to_json(self) -> str:
        """As ``drshard inspect --json`` prints it."""
        parts = {
            "axes": [_members(axis, exchangeable=_answer(axis.exchangeable)) for axis in self.axes],
            "columns": [
                _members(column, dims=list(column.dims or ()) if column.type == "tensor" else None)
                for column in self.columns
            ],
            "teachers": [
                _members(
                    teacher, normalised=_answer(teacher.normalised), slices=[_members(part) for part in teacher.slices]
                )
                for teacher in self.teachers
            ],
            "captioners": [_members(captioner) for captioner in self.captioners],
            "tokenizers": [_members(tokenizer) for tokenizer in self.tokenizers],
            "operations": [_members(operation, magnitudes=list(operation.magnitudes)) for operation in self.operations],
            "sources": [_members(source) for source in self.sources],
            "provenance": [{"key": key, "value": value} for key, value in self.provenance],
        }
        if self.side is not None:
            parts["side"] = self.side
        try:
            return json.dumps(parts, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"the schema has a value that JSON does not: {error}") from None

    @staticmethod
    def from_json(text: str | dict[str, Any]) -> Schema:
        """What `to_json` made."""
        parts = json.loads(text) if isinstance(text, str) else text

        def objects(kind, key: str, **changed):
            return tuple(
                _object(kind, part, **{name: change(part) for name, change in changed.items()})
                for part in parts.get(key, ())
            )

        return Schema(
            columns=objects(Column, "columns"),
            axes=objects(Axis, "axes", exchangeable=lambda part: _truth(part["exchangeable"])),
            teachers=objects(
                Teacher,
                "teachers",
                normalised=lambda part: _truth(part["normalised"]),
                slices=lambda part: tuple(_object(Slice, each) for each in part["slices"]),
            ),
            captioners=objects(Captioner, "captioners"),
            tokenizers=objects(Tokenizer, "tokenizers"),
            operations=objects(Operation, "operations"),
            sources=objects(Source, "sources"),
            provenance=tuple((part["key"], part["value"]) for part in parts.get("provenance", ())),
            side=parts.get("side"),
        )


def _answer(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _truth(word: str) -> bool | None:
    return {"yes": True, "no": False}.get(word)


# Names in JSON are spelled otherwise: definingColumn, weightsSHA256.
def _key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("SHA256" if part == "sha256" else part.capitalize() for part in rest)


def _members(part, **changed) -> dict[str, Any]:
    members = {_key(each.name): getattr(part, each.name) for each in fields(part)}
    members.update(changed)
    return {key: value for key, value in members.items() if value is not None}


def _object(kind, part: dict[str, Any], **changed):
    known = {each.name: part[_key(each.name)] for each in fields(kind) if _key(each.name) in part}
    known.update(changed)
    return kind(**known)
