"""Which bytes a file has: hashed when it is first read, known again by the file's identity.

A file's identity is its device, inode, size and the times of its last change to the nanosecond. Whoever writes into
a file, replaces it or sets its times back changes the last of these, which no program may set. What a disk loses
without a word changes none of them: `radzoo store verify` reads every byte again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.errors import ContractError

__all__ = ["PUT_BACK", "CheckedFiles"]

PUT_BACK = (
    "radzoo store verify --repair puts back what can be made again; else put the file back from a backup of the store"
)
"""The next step where a file of the store is missing or damaged."""

_WORTH_NOTING = 2**20
"""Bytes from which a hash is noted on disk: a smaller file is hashed in the time that the note takes to read."""

_SETTLED_NS = 2 * 10**9
"""How old a change must be for an identity to be believed: two within one tick of a disk's clock have one time."""

_MOST_LINES = 10_000

Identity = tuple[int, int, int, int, int]


class CheckedFiles:
    """The hashes of files, each read whole once as long as it stays what it is.

    Parameters
    ----------
    note : Path, optional
        A file that keeps hashes for the next process; it is this user's own, and is believed only where nobody else
        can have written it. It may be lost: the files are hashed again.
    """

    def __init__(self, note: Path | None = None) -> None:
        self._note = note
        self._known: dict[Identity, str] = {}
        self._is_read = note is None

    def sha256(self, file: Path) -> str:
        """Return the SHA-256 of a file's bytes.

        Raises
        ------
        FileNotFoundError
            When there is none.
        ContractError
            When it is no regular file, or may not be read.
        """
        with _opened(file) as descriptor:
            identity = _identity(descriptor)
            if (known := self._known.get(identity)) is not None:
                return known
            is_noted = identity[2] >= _WORTH_NOTING
            if is_noted and not self._is_read:
                self._read_note()
                if (known := self._known.get(identity)) is not None:
                    return known
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            is_settled = time.time_ns() - max(identity[3:]) > _SETTLED_NS
            if is_settled and _identity(descriptor) == identity:
                self._known[identity] = digest
                if is_noted:
                    self._write_note(identity, digest)
        return digest

    def _read_note(self) -> None:
        self._is_read = True
        lines = _own_lines(self._note) if self._note is not None else []
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):
                noted = json.loads(line)
                device, inode, size, modified, changed = (int(each) for each in noted["identity"])
                self._known[device, inode, size, modified, changed] = str(noted["sha256"])
        if len(lines) > _MOST_LINES and self._note is not None:
            with suppress(OSError):
                self._note.unlink()

    def _write_note(self, identity: Identity, digest: str) -> None:
        if self._note is None:
            return
        line = json.dumps({"identity": identity, "sha256": digest}) + "\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        # A store that may only be read, a full disk: the next process hashes the file again.
        with suppress(OSError):
            descriptor = os.open(self._note, flags, 0o600)
            try:
                if _is_own(descriptor):
                    os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)


def _own_lines(note: Path) -> list[str]:
    try:
        descriptor = os.open(note, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as stream:
        return stream.read().splitlines() if _is_own(descriptor) else []


def _is_own(descriptor: int) -> bool:
    """Return whether a file is one that only this user can have written."""
    found = os.fstat(descriptor)
    is_alone = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1 and is_alone


def _identity(descriptor: int) -> Identity:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _no_file(file: Path, what: str) -> ContractError:
    return ContractError(f"a file of the store is {what}", where=str(file), hint=PUT_BACK)


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    """Give a descriptor of a regular file: a pipe that stands in its place would keep a reader waiting for ever."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_file(file, "a link, and the store's files are its own") from error
        raise ContractError(
            f"a file of the store cannot be read: {error.strerror}",
            where=str(file),
            hint="see who may read it (ls -l), then run the command again; radzoo store verify lists all such files",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _no_file(file, "no regular file")
        yield descriptor
    finally:
        os.close(descriptor)
