"""What a disk or a catalogue's database refuses, as the errors that a user meets: one place for the whole store."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from schemas.errors import ContractError, LostConnectionError, NotFoundError, RadzooError, StoreBusyError

__all__ = ["ASK_FOR_WRITING", "catalogue_fault", "disk_fault", "disk_faults", "driver_message", "lost", "server_fault"]

ASK_FOR_WRITING = (
    "ask its owner for the right to write there, or name another place with --store; "
    "sql, features, models, datasets, store log and store verify only read"
)
_FROM_A_BACKUP = "put the catalogue back from a backup (radzoo store backup), or name another store with --store"
_ROOM = "make room on the disk, then run the command again; nothing that was committed is lost"

_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

# What SQLite says, and what it means for a user: the error, the sentence, the next step.
_SQLITE: tuple[tuple[str, type[RadzooError], str, str], ...] = (
    ("readonly database", ContractError, "the store may only be read here", ASK_FOR_WRITING),
    ("not authorized", ContractError, "the store may only be read here", ASK_FOR_WRITING),
    ("unable to open", ContractError, "the catalogue cannot be opened", "see who may read and write it (ls -l)"),
    ("disk is full", RadzooError, "the disk is full", _ROOM),
    ("disk I/O error", RadzooError, "the disk cannot be read or written: it may be full or damaged", _ROOM),
    ("not a database", ContractError, "the catalogue cannot be read: it is not an SQLite file", _FROM_A_BACKUP),
    ("malformed", ContractError, "the catalogue cannot be read: it is damaged", _FROM_A_BACKUP),
    ("locked", StoreBusyError, "another process holds the store", "wait for it to finish, then run the command again"),
    ("no such table", ContractError, "the catalogue is damaged, or is that of no store of radzoo", _FROM_A_BACKUP),
    ("no such column", ContractError, "the catalogue is damaged, or is that of no store of radzoo", _FROM_A_BACKUP),
)

# The same by PostgreSQL's codes (appendix A of its manual).
_POSTGRESQL: dict[str, tuple[type[RadzooError], str, str]] = {
    "53100": (RadzooError, "the disk of the catalogue's server is full", "make room there; nothing was committed"),
    "53200": (RadzooError, "the catalogue's server has no memory left", "run the command again when it is less busy"),
    "25006": (ContractError, "the catalogue's server may only be read", "name the primary server in store.toml"),
    "42501": (
        ContractError,
        "the catalogue refuses this account",
        "give it the right to make, read and write tables",
    ),
}
_LOST_CODES = ("57P01", "57P02", "57P03", "57P05", "25P03", "08000", "08003", "08006")
"""The server shuts down, has crashed, comes up, or has ended a connection that waited."""
_LOST_WORDS = (
    "network error",
    "connection is closed",
    "cannot read from timed out object",
    "communication error",
    "create a connection",
)


def lost(error: BaseException) -> str | None:
    """Return in few words how the connection to PostgreSQL was lost, None where it was not.

    Parameters
    ----------
    error : BaseException
        The driver's or SQLAlchemy's; where the socket fails at an answer's first byte the driver lets the system's own
        error through.
    """
    if isinstance(error, (ConnectionError, TimeoutError)):
        return (error.strerror or str(error) or "no answer").lower()
    original = error.orig if isinstance(error, DBAPIError) else error
    if original is None or type(original).__module__.partition(".")[0] != "pg8000":
        return None
    said = driver_message(original)
    if _code(original) in _LOST_CODES:
        return said
    if not any(words in said for words in _LOST_WORDS):
        return None
    cause = original.__cause__
    return (cause.strerror or said).lower() if isinstance(cause, OSError) else said


def server_fault(error: Exception, where: str) -> RadzooError | None:
    """Return what to say of an error of PostgreSQL in a transaction; None where it is one of the code.

    Parameters
    ----------
    error : Exception
        As SQLAlchemy raises it, or the system's.
    where : str
        The catalogue's URL, without its password.
    """
    if (how := lost(error)) is not None:
        return LostConnectionError(
            f"the connection to the catalogue was lost: {how}",
            where=where,
            hint="run the command again: of what was being written all is there or nothing, and what was finished is "
            "not done twice",
        )
    known = _POSTGRESQL.get(_code(error.orig if isinstance(error, DBAPIError) else error))
    return None if known is None else known[0](f"{known[1]}: {driver_message(error)}", where=where, hint=known[2])


def driver_message(error: BaseException | None) -> str:
    """Return what the database itself says of an error, in one line."""
    error = error.orig if isinstance(error, DBAPIError) else error
    said = error.args[0] if error is not None and error.args else str(error)
    # The driver of PostgreSQL gives the server's answer as a mapping: M is its message.
    return str(said["M"] if isinstance(said, dict) and "M" in said else said).splitlines()[0]


def _code(error: BaseException | None) -> str:
    said = error.args[0] if error is not None and error.args else None
    return str(said.get("C", "")) if isinstance(said, dict) else ""


def catalogue_fault(error: DBAPIError, where: str) -> RadzooError | None:
    """Return what to say of an error of SQLite; None where it is one of the code, which must be seen as such.

    Parameters
    ----------
    error : DBAPIError
        As SQLAlchemy raises it.
    where : str
        The catalogue's file.
    """
    if isinstance(error.orig, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        return None
    said = str(error.orig)
    for words, kind, sentence, hint in _SQLITE:
        if words in said:
            return kind(sentence if said in sentence else f"{sentence} ({said})", where=where, hint=hint)
    return None


def disk_fault(error: OSError, where: Path | str) -> RadzooError:
    """Return what to say of a file or folder of the store that cannot be used.

    Parameters
    ----------
    error : OSError
        What the system said.
    where : Path or str
        The store or file, where the error names none.
    """
    said = error.strerror or str(error).splitlines()[0]
    place = str(error.filename) if isinstance(error.filename, str) else str(where)
    if error.errno in _FORBIDDEN:
        return ContractError(f"the store cannot be used: {said}", where=place, hint=ASK_FOR_WRITING)
    if error.errno in _FULL:
        return RadzooError(f"the store cannot be written: {said}", where=place, hint=_ROOM)
    if error.errno in _ABSENT:
        return NotFoundError(
            f"there is no radzoo store here: {said}", where=str(where), hint="name the store's folder with --store PATH"
        )
    return ContractError(
        f"the store cannot be used: {said}", where=place, hint="see whether the disk is well, then try again"
    )


@contextmanager
def disk_faults(where: Path | str) -> Iterator[None]:
    """Translate what the system says of files of the store.

    Raises
    ------
    ContractError, NotFoundError, RadzooError
        In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise disk_fault(error, where) from error
