"""What is said of an exception that no verb foresaw: a fault of the machine, or one in the code; never a traceback."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flows.missing_library import missing_library
from schemas.errors import ContractError, NotFoundError, RadzooError, StoreBusyError, UsageError
from schemas.foreign_text import printable

__all__ = ["fault_of", "is_interruption", "without_line_breaks"]

_SHOWN = "RADZOO_TRACEBACK"
_NO_SPACE = "free some space (df -h shows each disk; TMPDIR moves temporary files), then run the command again"
_RIGHTS = "let this account read and write it, or name another place, then run the command again"
_READ_ONLY = "name a place that may be written to, or mount the disk for writing"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NEXT_TO_NOTHING = 1 << 20
_MEMORY = "free memory, or run the command again with fewer --workers"

_ARROWS_FILE = re.compile(r"(?:file|directory) '(.+)'\. Detail: ")
"""What Arrow names within its sentence."""

# The kind of an error and the next step, by what the operating system says.
_OF_ERRNO: dict[int, tuple[type[RadzooError], str]] = {
    errno.ENOENT: (NotFoundError, "correct the path, or make what it names"),
    errno.EACCES: (RadzooError, _RIGHTS),
    errno.EPERM: (RadzooError, _RIGHTS),
    errno.ENOSPC: (RadzooError, _NO_SPACE),
    errno.EDQUOT: (RadzooError, _NO_SPACE),
    errno.EFBIG: (RadzooError, _NO_SPACE),
    errno.EROFS: (RadzooError, _READ_ONLY),
    errno.ENOTDIR: (UsageError, "a file stands where the path needs a folder: name another path"),
    errno.EISDIR: (UsageError, "this is a folder: name a file"),
    errno.EEXIST: (UsageError, "it exists already: name another path, or move it away"),
    errno.ENOTEMPTY: (UsageError, "the folder is not empty: name another one"),
    errno.ELOOP: (UsageError, "the link leads back to itself: correct the link, or name another path"),
    errno.ENAMETOOLONG: (UsageError, "give a shorter name"),
    errno.EINVAL: (UsageError, "name another path"),
    errno.EMFILE: (RadzooError, "allow more open files (ulimit -n), then run the command again"),
    errno.ENOMEM: (RadzooError, _MEMORY),
}

# The same for what SQLite and DuckDB say, by a part of their text.
_OF_TEXT: tuple[tuple[str, type[RadzooError], str], ...] = (
    ("no space left", RadzooError, _NO_SPACE),
    ("disk is full", RadzooError, _NO_SPACE),
    ("readonly", RadzooError, _READ_ONLY),
    ("read-only", RadzooError, _READ_ONLY),
    ("permission denied", RadzooError, _RIGHTS),
    ("unable to open database", RadzooError, _RIGHTS),
    (
        "disk i/o error",
        RadzooError,
        "free space on the disk of the store (df -h), or see whether the disk is broken (dmesg)",
    ),
    ("locked", StoreBusyError, "wait for the other program to finish, then run the command again"),
    ("out of memory", RadzooError, _MEMORY),
    ("malformed", ContractError, "restore the store from a backup; radzoo store verify says what is damaged"),
    ("not a database", ContractError, "restore the store from a backup; radzoo store verify says what is damaged"),
)


def fault_of(error: BaseException, *, store: Path | None = None) -> RadzooError:
    """Return what to tell the person who ran the command: the cause, where it lies, and the next step.

    An exception that is none of the machine's is a fault of radzoo: its traceback goes to a file, or to stderr where
    the variable RADZOO_TRACEBACK is set.

    Parameters
    ----------
    error : BaseException
        What was raised. A worker's or a task's own error may be its cause.
    store : Path, optional
        The store, which the message of a fault of its database names.
    """
    if os.environ.get(_SHOWN):
        traceback.print_exception(error, file=sys.stderr)
    for each in _chain(error):
        if isinstance(each, RadzooError):
            return each
        if (known := _of_machine(each)) is not None:
            if known.where is None and store is not None and _is_of_database(each):
                known.where = str(store)
            if known.where is None and isinstance(each, OSError) and each.errno in _FULL:
                known.where = _full_disk(store)
            return known
    return _own_fault(error)


def is_interruption(error: BaseException) -> bool:
    """Return whether an exception is a Ctrl-C, which DuckDB makes an error of its own of."""
    return any(
        isinstance(each, KeyboardInterrupt) or (isinstance(each, RuntimeError) and str(each) == "Query interrupted")
        for each in _chain(error)
    )


def without_line_breaks(text: str) -> str:
    """Return a text as one line, which a terminal may have."""
    return printable(" ".join(text.split()))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error, those of a group, and what it was raised from."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        # An explicit cause is the same fault; what merely was being handled is not.
        if each.__cause__ is not None:
            waiting.append(each.__cause__)


def _of_machine(error: BaseException) -> RadzooError | None:
    if isinstance(error, OSError) and error.errno is not None:
        return _of_operating_system(error)
    if isinstance(error, ImportError):
        return missing_library(error)
    if isinstance(error, MemoryError):
        return RadzooError("the memory does not suffice", hint=_MEMORY)
    if isinstance(error, RecursionError):
        return RadzooError("an input is nested too deeply to be read", hint="flatten it, then run the command again")
    if isinstance(error, UnicodeEncodeError):
        return UsageError(
            f"this is no text that {error.encoding} can hold: {error.object[error.start : error.end]!a}",
            hint="rename it with letters that are text, or set PYTHONIOENCODING=utf-8 where output is concerned",
        )
    if isinstance(error, UnicodeDecodeError):
        return ContractError(
            f"a text is not {error.encoding}: {error.reason} at byte {error.start}", hint="save the file as UTF-8"
        )
    if isinstance(error, ValueError) and "null" in str(error) and ("byte" in str(error) or "char" in str(error)):
        return UsageError("a path has a NUL character in it", hint="correct the path")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        # What pathlib makes of ELOOP, up to Python 3.12.
        loop, where = errno.ELOOP, str(error).partition(" from ")[2].strip("'")
        return _of_operating_system(OSError(loop, os.strerror(loop), where))
    if _is_of_database(error):
        return _of_database(error)
    return None


def _of_operating_system(error: OSError) -> RadzooError:
    number = error.errno or 0
    kind, hint = _OF_ERRNO.get(number, (RadzooError, "look at the disk or the network it lies on, then try again"))
    # Arrow hides the system's words in a sentence of its own.
    message = os.strerror(number) if "[errno" in str(error.strerror or "[errno") else str(error.strerror)
    message = message[:1].lower() + message[1:]
    names = [os.fsdecode(each) for each in (error.filename, error.filename2) if isinstance(each, (str, bytes, Path))]
    if not names and (named := _ARROWS_FILE.search(str(error.strerror))):
        names = [named[1]]
    return kind(message, where=" -> ".join(names) or None, hint=hint)


def _full_disk(store: Path | None) -> str | None:
    """Return a folder of radzoo's whose disk is full: what writes in pieces names no file."""
    for folder in ((store, store / "copies") if store is not None else ()) + (os.environ.get("TMPDIR", "/tmp"),):  # noqa: S108
        with suppress(OSError):
            if shutil.disk_usage(folder).free < _NEXT_TO_NOTHING:
                return str(folder)
    return None


def _is_of_database(error: BaseException) -> bool:
    # By name: to load SQLAlchemy or DuckDB for an error that is none of theirs would take half a second.
    return isinstance(error, sqlite3.Error) or type(error).__module__.split(".")[0] in (
        "sqlalchemy",
        "duckdb",
        "_duckdb",
    )


def _of_database(error: BaseException) -> RadzooError | None:
    original = getattr(error, "orig", None) or error
    text = without_line_breaks(str(original))
    for part, kind, hint in _OF_TEXT:
        if part in text.lower():
            return kind(f"the database says: {text}", hint=hint)
    return None


def _own_fault(error: BaseException) -> RadzooError:
    cause = without_line_breaks(f"{type(error).__name__}: {error}")[:300]
    where = _written_traceback(error)
    if where is None:
        return RadzooError(
            f"this is a fault of radzoo: {cause}", hint=f"run the command with {_SHOWN}=1 and report what it shows"
        )
    return RadzooError(f"this is a fault of radzoo: {cause}", hint=f"report it with the file {where}")


def _written_traceback(error: BaseException) -> str | None:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="radzoo-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return None
    return file.name
