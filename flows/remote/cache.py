"""Copies of remote images on this machine: fetched once, whichever process asks first, and removed to make room.

A copy never changes: it is named by its URL and by what its bucket said of it, so a changed object gets another one.
Who uses a copy holds a shared lock on it, who fetches or removes it the whole lock; the system takes the lock of a
process that dies. https://man7.org/linux/man-pages/man2/flock.2.html
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flows.remote.faults import cache_faults
from schemas.errors import ContractError
from schemas.settings import CACHE_BYTES, CACHE_VARIABLE, limit_setting
from schemas.written.object_urls import object_url

__all__ = ["CopyCache", "HeldCopy", "cache_folder"]

_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".dcm", ".dicom", ".ima")
"""What of an object's name its copy keeps: the rest may name a patient."""
_UNUSED_S = 14 * 24 * 3600.0
"""How long a copy that nobody asks for stays."""
_LEFT_BEHIND_S = 24 * 3600.0
"""The age at which a half-written copy is what a killed process left."""
_SHARE = 0.05
"""Of the room, how much may be fetched before the copies are looked through again."""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of this machine's copies for one account."""
    if named := environment.get(CACHE_VARIABLE):
        return Path(named).absolute()
    # https://specifications.freedesktop.org/basedir-spec/ (XDG_CACHE_HOME)
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "radzoo"


class HeldCopy(NamedTuple):
    """A copy that stays while its lock is held."""

    path: Path
    lock: int
    """A descriptor, which `CopyCache.release` closes."""


class CopyCache:
    """Copies of remote images in a folder of this account.

    Parameters
    ----------
    folder : Path
        The folder, made where there is none, for its owner alone.
    most : int
        Bytes that all copies may take. Copies in use are never removed, however many bytes they take.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder / "images"
        self._most = most
        # Looked through at the first fetch of a process.
        self._fetched = most
        self._guard = threading.Lock()

    @staticmethod
    def of_account(environment: Mapping[str, str]) -> CopyCache:
        """Return the cache that the environment names.

        Raises
        ------
        UsageError
            When its limit is no number.
        """
        return _cache(cache_folder(environment), limit_setting(CACHE_BYTES, environment))

    def hold(self, url: str, stat: str, size: int, fetch: Callable[[Path], None]) -> HeldCopy:
        """Return the copy of an object, fetched where there is none, and keep it until it is released.

        Parameters
        ----------
        url : str
            The object's.
        stat : str
            What its bucket says of it.
        size : int
            In bytes.
        fetch : callable
            Writes it to a path.

        Raises
        ------
        ContractError
            When it is larger than all copies may be, and what ``fetch`` raises.
        RadzooError
            When the folder cannot be written.
        """
        if size > self._most:
            raise ContractError(
                f"it has {size} bytes, more than copies of remote images may take: set {CACHE_BYTES.variable} to more"
            )
        with cache_faults(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        entry = self.folder / f"{_digest(url)}-{_digest(stat)}"
        copy = entry / f"copy{_ending(url)}"
        while True:
            lock = self._locked(entry, fcntl.LOCK_SH)
            if copy.exists():
                with cache_faults(self.folder):
                    os.utime(lock)
                return HeldCopy(copy, lock)
            self.release(lock)
            with self._whole(entry):
                # Whoever waited for the one who fetched it finds it.
                if not copy.exists():
                    self._fetch(entry, copy, size, fetch)

    def _fetch(self, entry: Path, copy: Path, size: int, fetch: Callable[[Path], None]) -> None:
        self._make_room(size)
        # Those of a process that was killed at it.
        for left in self.folder.glob(f"{entry.name}.*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        partial = entry.with_name(f"{entry.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            with cache_faults(self.folder):
                partial.mkdir()
            fetch(partial / copy.name)
            with cache_faults(self.folder):
                (partial / "size").write_text(str(size))
                self._discard(entry)
                partial.replace(entry)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def release(self, lock: int) -> None:
        """Give a held copy back."""
        # Not by closing alone: a child that was forked meanwhile has the descriptor too.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)

    def forget(self, url: str) -> int:
        """Remove all copies of an object, also of who uses one, and return how many there were.

        Files that somebody has open are read to their end; what is opened later is not there.
        """
        entries = self.copies_of(url)
        for entry in entries:
            self._discard(entry)
            # And its lock, where nobody holds it.
            self._remove_unused(entry)
        return len(entries)

    def copies_of(self, url: str) -> list[Path]:
        """Return the folders that have copies of an object: one for each content that it had here."""
        return [each for each in self.folder.glob(f"{_digest(url)}-*") if each.suffix == ""]

    def _make_room(self, size: int) -> None:
        """Remove copies that nobody has asked for in a while, and the oldest others until there is room."""
        with self._guard:
            self._fetched += size
            if self._fetched < _SHARE * self._most:
                return
            self._fetched = 0
        now, used, total = time.time(), [], size
        for each in self.folder.iterdir():
            with suppress(OSError, ValueError):
                if each.suffix == ".partial":
                    if now - each.stat().st_mtime > _LEFT_BEHIND_S:
                        shutil.rmtree(each, ignore_errors=True)
                elif each.suffix == ".lock":
                    if now - each.stat().st_mtime > _LEFT_BEHIND_S and not each.with_suffix("").exists():
                        self._remove_unused(each.with_suffix(""))
                else:
                    taken = int((each / "size").read_text())
                    used.append((_lock_of(each).stat().st_mtime, taken, each))
                    total += taken
        for last, taken, entry in sorted(used):
            if total <= (1 - _SHARE) * self._most and now - last <= _UNUSED_S:
                break
            if self._remove_unused(entry):
                total -= taken

    def _remove_unused(self, entry: Path) -> bool:
        try:
            lock = self._locked(entry, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            self._remove(entry)
        finally:
            self.release(lock)
        return True

    def _discard(self, entry: Path) -> None:
        """Take a copy's name away, and then its files: one that is half removed has no name to be found by."""
        gone = entry.with_name(f"{entry.name}.{uuid.uuid4().hex[:8]}.partial")
        with suppress(FileNotFoundError):
            entry.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _remove(self, entry: Path) -> None:
        self._discard(entry)
        # Last, and by who has the whole lock: whoever waits for it sees that the file is another one.
        _lock_of(entry).unlink(missing_ok=True)

    @contextmanager
    def _whole(self, entry: Path) -> Iterator[None]:
        lock = self._locked(entry, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.release(lock)

    def _locked(self, entry: Path, how: int) -> int:
        while True:
            with cache_faults(self.folder):
                lock = os.open(_lock_of(entry), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, how)
                with suppress(FileNotFoundError):
                    if os.fstat(lock).st_ino == _lock_of(entry).stat().st_ino:
                        return lock
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)


@cache
def _cache(folder: Path, most: int) -> CopyCache:
    """Return the one of this process, which counts what is fetched."""
    return CopyCache(folder, most)


def _lock_of(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.lock")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _ending(url: str) -> str:
    key = object_url(url).key.lower()
    return next((ending for ending in _ENDINGS if key.endswith(ending)), "")
