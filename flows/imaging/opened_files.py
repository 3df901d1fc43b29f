"""Files as a path names them: opened without waiting, with every fault of the file system in words."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from schemas.errors import ContractError

__all__ = [
    "CHUNK",
    "file_stat",
    "first_bytes",
    "is_absent",
    "is_packed",
    "library_words",
    "opened",
    "shown_below",
    "system_words",
    "unpacked",
]

CHUNK = 1 << 20
_LONGEST_WORDS = 300
_GZIP = b"\x1f\x8b"
_NOT_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def system_words(error: OSError) -> str:
    """Return what the operating system says of an error, without the path."""
    return os.strerror(error.errno) if error.errno else str(error)


def library_words(error: Exception) -> str:
    """Return what a library says of an error, the same each time: without places in memory, in files and in sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # ITK puts its source positions first and what happened last.
    text = lines[-1] if lines and "ITK" in str(error).upper() else " ".join(lines)
    text = re.sub(r"^ITK ERROR: |\w+ ?\(0x[0-9a-fA-F]+\):? ?| at 0x[0-9a-fA-F]+|0x[0-9a-fA-F]{4,}", "", text)
    text = re.sub(r"(?<![\w.])/[^\s'\",;:()]+(?::\d+)?", "(a file)", text)
    text = "".join(each if each.isprintable() else "?" for each in text).strip()
    return text[:_LONGEST_WORDS] or "no reason given"


def shown_below(file: Path, study_folder: Path | None) -> str:
    """Return a file's path below the study's folder, its name alone where it lies elsewhere."""
    if study_folder is None:
        return file.name
    shown = os.path.relpath(file, study_folder)
    return file.name if shown.startswith("..") else shown


def is_absent(file: Path) -> bool:
    """Return whether a path names nothing at all: neither a file nor a link, readable or not."""
    try:
        os.lstat(file)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def file_stat(file: Path) -> os.stat_result:
    """Return the size and times of a regular file, those of its target where it is a link.

    Raises
    ------
    ContractError
        When it is missing, cannot be reached, or is a folder, a pipe, a socket or a device.
    """
    try:
        found = file.stat()
    except FileNotFoundError as error:
        raise ContractError(_absence(file), where=str(file)) from error
    except OSError as error:
        raise ContractError(f"cannot be opened: {system_words(error)}", where=str(file)) from error
    except ValueError as error:  # a NUL, or a character that the system's encoding lacks
        what = "embedded null byte" if "\0" in str(file) else "it is no text that the file system knows"
        raise ContractError(f"the path cannot be one of a file: {what}", where=str(file)) from error
    for is_kind, kind in _NOT_FILES:
        if is_kind(found.st_mode):
            raise ContractError(f"is {kind}, not a file", where=str(file))
    return found


def _absence(file: Path) -> str:
    if not file.is_symlink():
        return "file is missing"
    try:
        target = str(file.readlink())
    except OSError:
        return "file is missing"
    hint = ": run git annex get" if "annex/objects" in target else ""
    # A path from elsewhere, with names that are nobody's business here.
    named = f" to '{target}'" if target.isprintable() and not target.startswith("/") and ".." not in target else ""
    return f"is a link{named}, which is missing{hint}" if named else f"is a link to a file that is missing{hint}"


@contextmanager
def opened(file: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading; a pipe that takes its place is not waited for.

    Raises
    ------
    ContractError
        As `file_stat` does, or when the file may not be read, or reading it fails.
    """
    file_stat(file)
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            yield stream
    except OSError as error:
        raise ContractError(f"cannot be read: {system_words(error)}", where=str(file)) from error


@contextmanager
def unpacked(file: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked where its first bytes are gzip's, whatever its name is.

    Raises
    ------
    ContractError
        As `opened` does, or when the packed data are cut off or damaged.
    """
    with opened(file) as stream:
        packed = stream.read(2) == _GZIP
        stream.seek(0)
        source: Any = gzip.GzipFile(fileobj=stream, mode="rb") if packed else stream
        try:
            yield source
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ContractError(
                "file is incomplete or damaged: its packed bytes cannot be unpacked", where=str(file)
            ) from error


def is_packed(file: Path) -> bool:
    """Return whether a file begins as gzip does."""
    with opened(file) as stream:
        return stream.read(2) == _GZIP


def first_bytes(file: Path, length: int) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with unpacked(file) as stream:
        return stream.read(length)
