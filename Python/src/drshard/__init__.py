"""drshard: reinforced image-text data sets, stored for training.

    import drshard

    ds = drshard.open("shards/")
    row = ds[5]                                     # dict of columns
    for batch in drshard.Loader(ds, batch_size=256):
        batch["image_emb"], batch["text"]           # arrays over the loader's memory

`drshard.torch` has the same for PyTorch, `drshard.augment` makes views again, `drshard.tokenize` makes tokens.
"""

from __future__ import annotations

from . import augment, errors
from ._native import library as _library
from .augment import Augmentation
from .dataset import ABSENT, LOST, PRESENT, DataSet
from .dataset import open as open
from .errors import (
    ArgumentError,
    ChecksumError,
    ClosedError,
    CorruptError,
    Error,
    FileError,
    LimitError,
    SchemaError,
    TruncatedError,
    UnsupportedError,
)
from .loader import Batches, Loader
from .schema import Axis, Captioner, Column, Operation, Schema, Slice, Source, Teacher, Tokenizer
from .values import Locator
from .writer import ShardWriter

__version__ = _library.drs_version().decode()

__all__ = [
    "ABSENT",
    "LOST",
    "PRESENT",
    "ArgumentError",
    "Augmentation",
    "Axis",
    "Batches",
    "Captioner",
    "ChecksumError",
    "ClosedError",
    "Column",
    "CorruptError",
    "DataSet",
    "Error",
    "FileError",
    "LimitError",
    "Loader",
    "Locator",
    "Operation",
    "Schema",
    "SchemaError",
    "ShardWriter",
    "Slice",
    "Source",
    "Teacher",
    "Tokenizer",
    "TruncatedError",
    "UnsupportedError",
    "augment",
    "errors",
]
