"""What can go wrong: the object, the cause, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._read import Reject


class Error(Exception):
    """Something that diurnal could not do.

    Attributes:
        object: what it is about: a path, a measurement, a column.
        cause: what is wrong with it.
        hint: what to do about it, where that is known.
    """

    def __init__(self, object: str, cause: str, hint: str | None = None) -> None:
        super().__init__(object, cause, hint)
        self.object = object
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        said = f"{self.object}: {self.cause}"
        return f"{said} ({self.hint})" if self.hint else said


class UsageError(Error, ValueError):
    """An argument that can't be what was meant."""


class DamagedError(Error):
    """An archive that is not what its ledger says, or of a later version."""


class LockedError(Error):
    """Another run holds the archive."""


class LineProtocolError(Error, ValueError):
    """Lines that are no good, where ``on_error`` is ``"raise"``.

    Attributes:
        rejects: the first of them, 100 at most.
        rejected: how many they are.
        lines: how many lines were read, these among them.
    """

    def __init__(self, object: str, cause: str, hint: str | None, rejects: list[Reject], rejected: int, lines: int) -> None:
        super().__init__(object, cause, hint)
        self.args = (object, cause, hint, rejects, rejected, lines)
        self.rejects = rejects
        self.rejected = rejected
        self.lines = lines
