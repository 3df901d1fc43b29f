"""Errors that a user meets: what happened, where, and the next command.

RadzooError
 ├── UsageError              2  a verb called in a way that has no meaning
 ├── NotFoundError           3  a study, model, feature set or store that does not exist
 ├── ContractError           4  data, schema or split that breaks a promise; nothing is written
 ├── UnfinishedError         5  the run finished, with failures
 ├── StoreBusyError          6  another writer holds the store
 └── LostConnectionError     1  the catalogue's server, or the line to it, went away; what was open is undone

Each class carries its process exit code, so the command line needs no table of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from schemas.shown_text import shown_text

__all__ = [
    "ContractError",
    "LostConnectionError",
    "NotFoundError",
    "RadzooError",
    "StoreBusyError",
    "UnfinishedError",
    "UsageError",
]


_MOST, _MOST_OF_SEVERAL = 5_000, 100_000
"""Characters of a message: one has room for the longest path, or some."""


class RadzooError(Exception):
    """An error whose message is meant for the person who ran the command.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    where : str, optional
        The file and line, table, patient or key that it happened at.
    hint : str, optional
        What to do next, a command where there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        # What a message names may be hostile: a terminal obeys control characters, and a cell may have a gigabyte.
        most = _MOST_OF_SEVERAL if "\n" in message else _MOST
        self.message = shown_text(message, most, keep_lines=True)
        self.where = None if where is None else shown_text(where, _MOST)
        self.hint = None if hint is None else shown_text(hint, _MOST, keep_lines=True)
        self.details: tuple[str, ...] = ()
        """Lines for whoever ran the command alone, such as rows of patients: they are kept and sent nowhere."""
        super().__init__(self.message)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.message}" if self.where else self.message]
        lines += (f"  {shown_text(each, _MOST)}" for each in self.details)
        if self.hint:
            lines.append(f"next: {self.hint}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as a JSON-ready mapping, the form of ``--json``."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "where": self.where,
            "hint": self.hint,
            "exit_code": self.exit_code,
        } | ({"details": list(self.details)} if self.details else {})


class UsageError(RadzooError):
    """A verb was called in a way that has no meaning."""

    exit_code = 2


class NotFoundError(RadzooError):
    """What was asked for does not exist."""

    exit_code = 3


class ContractError(RadzooError):
    """Data, a schema or a split breaks a promise of the store; nothing was written.

    Parameters
    ----------
    message, where, hint : str
        As for every error.
    faults : sequence of ContractError
        The single faults, where the error stands for several; each has its own place and hint.
    """

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        faults: Sequence[ContractError] = (),
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.faults = tuple(faults)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as a JSON-ready mapping; ``faults`` lists the single ones, where there are several."""
        several = {"faults": [fault.as_dict() for fault in self.faults]} if self.faults else {}
        return super().as_dict() | several


class UnfinishedError(RadzooError):
    """The run finished, but some rows failed or were found stale."""

    exit_code = 5


class StoreBusyError(RadzooError):
    """Another writer held the store for longer than the busy timeout."""

    exit_code = 6


class LostConnectionError(RadzooError):
    """The catalogue's server, or the line to it, went away in a transaction, which is undone: it can be repeated."""

    exit_code = 1
