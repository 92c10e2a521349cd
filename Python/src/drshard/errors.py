"""What can go wrong, by kind. Every error of the library is one of these; its text says where it happened."""

from __future__ import annotations


class Error(Exception):
    """An error of drshard's.

    Attributes:
        reason: what is wrong, without the place.
        path, column, row_group, variant, page, row, position: where, as far as it is known; else None. ``position`` is in
            bytes from the start of the file.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        path: str | None = None,
        column: str | None = None,
        row_group: int | None = None,
        variant: int | None = None,
        page: int | None = None,
        row: int | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason
        self.path = path
        self.column = column
        self.row_group = row_group
        self.variant = variant
        self.page = page
        self.row = row
        self.position = position

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self):
        return type(self), self.args, dict(self.__dict__)


class TruncatedError(Error):
    """The bytes end before the structure does."""


class CorruptError(Error):
    """The bytes contradict the format."""


class ChecksumError(CorruptError):
    """The bytes do not have the checksum that is stored for them."""


class UnsupportedError(Error):
    """The data need a newer drshard."""


class LimitError(Error):
    """A number above what the format or the caller allows."""


class SchemaError(Error, ValueError):
    """Files, columns or rows that do not belong together."""


class ArgumentError(Error, ValueError):
    """The caller asked for something that cannot be."""


class ClosedError(ArgumentError):
    """Something that was closed is used."""


class FileError(Error, OSError):
    """The operating system could not read or write."""


# The numbers of drs_code in drshard.h.
BY_CODE: dict[int, type[Error]] = {
    1: TruncatedError,
    2: CorruptError,
    3: ChecksumError,
    4: UnsupportedError,
    5: UnsupportedError,
    6: LimitError,
    7: SchemaError,
    8: ArgumentError,
    9: FileError,
}
END = 100
NOT_YET = 101
