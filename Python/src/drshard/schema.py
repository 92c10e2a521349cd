"""What a data set holds: axes, columns, and what its numbers mean (Spec/FORMAT.md section 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from . import _types
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
            dims = _listed(f"the dims of column {self.name!r}", self.dims)
            object.__setattr__(self, "dims", tuple(_types.integer("a dim", dim) for dim in dims))
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
        object.__setattr__(self, "slices", _listed("slices", self.slices))


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
        object.__setattr__(self, "magnitudes", _listed("magnitudes", self.magnitudes))


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
                object.__setattr__(self, part.name, _listed(part.name, getattr(self, part.name)))

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
        """As ``drshard inspect --json`` prints it.

        Raises:
            ArgumentError: for members of other types than they are declared with, and values that JSON does not have.
                What else a schema must be, the library says when a shard is written.
        """
        parts: dict[str, Any] = {
            "axes": [_members(Axis, axis, exchangeable=_answer) for axis in self.axes],
            "columns": [_members(Column, column, dims=_dims_of(column)) for column in self.columns],
            "teachers": [
                _members(Teacher, teacher, normalised=_answer, slices=lambda each: [_members(Slice, s) for s in each])
                for teacher in self.teachers
            ],
            "captioners": [_members(Captioner, captioner) for captioner in self.captioners],
            "tokenizers": [_members(Tokenizer, tokenizer) for tokenizer in self.tokenizers],
            "operations": [_members(Operation, operation) for operation in self.operations],
            "sources": [_members(Source, source) for source in self.sources],
            "provenance": [_pair(each) for each in self.provenance],
        }
        if self.side is not None:
            parts["side"] = self.side
        try:
            text = json.dumps(parts, allow_nan=False, ensure_ascii=False)
            text.encode("utf-8")
            # Keys that are numbers would become texts, tuples lists.
            if self.side is not None and json.loads(text)["side"] != self.side:
                raise ArgumentError("side has keys or values that JSON does not have")
        except RecursionError:
            raise ArgumentError("side is nested too deeply for JSON") from None
        except UnicodeEncodeError as error:
            raise ArgumentError(f"the schema has a text that is not Unicode: {error}") from None
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"the schema has a value that JSON does not: {error}") from None
        return text

    @staticmethod
    def from_json(text: str | dict[str, Any]) -> Schema:
        """What `to_json` made, or the dict that this JSON is.

        Raises:
            ArgumentError: for what is no JSON of a schema.
        """
        try:
            parts = json.loads(text) if isinstance(text, str) else text
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"the schema is no JSON: {error}") from None
        if not isinstance(parts, dict):
            raise ArgumentError(f"the schema is {text!r:.80}, not JSON of an object")
        try:
            made = Schema._of(parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise ArgumentError(f"the JSON is no schema: {error!r}") from None
        # Members of wrong types, too.
        made.to_json()
        return made

    @staticmethod
    def _of(parts: dict[str, Any]) -> Schema:
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


_ANSWERS = {"unknown": None, "yes": True, "no": False}


def _answer(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _truth(word: str) -> bool | None:
    if not isinstance(word, str) or word not in _ANSWERS:
        raise ArgumentError(f"{word!r:.80} where {', '.join(_ANSWERS)} are possible")
    return _ANSWERS[word]


def _listed(name: str, value: Any) -> tuple:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ArgumentError(f"{name}: {value!r:.80} is no list")
    return tuple(value)


def _pair(each: Any) -> dict[str, str]:
    if not isinstance(each, (tuple, list)) or len(each) != 2 or not all(isinstance(text, str) for text in each):
        raise ArgumentError(f"provenance is pairs of a key and a value, both str, not {each!r:.80}")
    return {"key": each[0], "value": each[1]}


def _dims_of(column: Column):
    """Only tensors have dims."""
    return lambda dims: list(dims or ()) if column.type == "tensor" else None


# Names in JSON are spelled otherwise: definingColumn, weightsSHA256.
def _key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("SHA256" if part == "sha256" else part.capitalize() for part in rest)


def _members(kind: type, part: Any, **changed) -> dict[str, Any]:
    """The members of a part of a schema for JSON; ``changed`` says how some of them look there."""
    if not isinstance(part, kind):
        raise ArgumentError(f"{part!r:.80} where the schema has a drshard.{kind.__name__}")
    members = {}
    for each in fields(kind):
        place = f"{each.name} of {kind.__name__} {getattr(part, 'name', '')!r:.80}"
        value = _checked(place, str(each.type), getattr(part, each.name))
        members[_key(each.name)] = changed[each.name](value) if each.name in changed else value
    return {key: value for key, value in members.items() if value is not None}


def _checked(place: str, kind: str, value: Any) -> Any:
    """A member's value, if it is of the type that it is declared with, in Python's own types."""
    if kind.endswith(" | None"):
        return None if value is None else _checked(place, kind.removesuffix(" | None"), value)
    if kind.startswith("tuple["):
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        return [_checked(place, inner, each) for each in _listed(place, value)]
    if kind == "int" and not isinstance(value, bool):
        return _types.integer(place, value)
    if kind == "float" and hasattr(value, "__float__") and not isinstance(value, bool):
        return float(value)
    if kind == "bool" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "Slice":
        return value
    raise ArgumentError(f"{place} is {value!r:.80}, not of type {kind}")


def _object(kind, part: dict[str, Any], **changed):
    known = {each.name: part[_key(each.name)] for each in fields(kind) if _key(each.name) in part}
    known.update(changed)
    return kind(**known)
