"""``back_up_store``: a second store that holds what this one does, brought up to date as often as one likes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, StoreBusyError, UsageError
from store.backup.catalogue import copy_catalogue_file, first_commits
from store.backup.files import CopiedFiles, copy_files, remove_unnamed
from store.faults import disk_faults
from store.home import CATALOGUE_FILE, Store
from store.verification.files import FolderHash
from store.verification.findings import Verification
from store.verification.verify import store_verification

__all__ = ["MARKER", "Backup", "back_up_store"]

MARKER = "radzoo-backup.json"
"""The file that says of a folder that it is a backup, and of which store."""

_PATIENCE_S = 5
_TRIES = 3
_MADE_AGAIN = ("analyst.duckdb", "publication.json", "columns", "report", "spill")


@dataclass(frozen=True)
class Backup:
    """What a backup holds and what was done for it."""

    folder: Path
    commit_id: int
    files: CopiedFiles
    removed: tuple[str, ...]
    verification: Verification


def back_up_store(store: Store, folder: Path, *, quick: bool = False, folder_hash: FolderHash | None = None) -> Backup:
    """Bring a backup up to date with a store, or begin one, and return what was done.

    The catalogue is copied first, in one state, then the files that it names and the backup lacks, each compared with
    its hash; then the new catalogue takes the old one's place, and what it does not name goes: files that a compaction
    replaced, files of erased patients. Whatever breaks off before leaves the former backup. It is a store itself.

    Parameters
    ----------
    store : Store
        What is backed up; others may write meanwhile.
    folder : Path
        New, empty, or a backup of this store.
    quick : bool
        Compare sizes of what is there already, hash only what is copied.
    folder_hash : callable, optional
        What hashes a model's folder (`zoo.saving.persist.folder_sha256`).

    Raises
    ------
    UsageError
        When the folder is something else, or a backup of another store.
    ContractError
        When a file of the store is missing or damaged, or the disk does not take it.
    StoreBusyError
        When another process writes this backup, or reads it.
    """
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(folder), re.IGNORECASE):
        raise UsageError(
            "a backup is a folder of this machine, not a URL",
            where=str(folder),
            hint="back up into a folder, then copy it to where it shall lie",
        )
    place = folder.absolute()
    with disk_faults(place):
        _refuse_place(store, place)
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            _refuse_other_store(store, place)
            return _renewed(store, place, quick=quick, folder_hash=folder_hash)


def _renewed(store: Store, place: Path, *, quick: bool, folder_hash: FolderHash | None) -> Backup:
    _write_marker(store, place, None)
    partial = place / f"{CATALOGUE_FILE}.{os.getpid()}.partial"
    for left in place.glob(f"{CATALOGUE_FILE}.*.partial*"):
        left.unlink()
    try:
        for left_tries in reversed(range(_TRIES)):
            named = copy_catalogue_file(store, partial)
            try:
                files = copy_files(store, place, named, quick=quick, folder_hash=folder_hash)
            except FileNotFoundError:
                # A compaction or an erasure removed it since the catalogue was copied: the next copy names others.
                if not left_tries:
                    raise
                partial.unlink()
                continue
            break
        _settle(place / CATALOGUE_FILE)
        partial.replace(place / CATALOGUE_FILE)
        _flush(place)
    except FileNotFoundError as error:
        raise ContractError(
            "a file of the store is missing; the former backup is as it was",
            where=str(error.filename),
            hint="radzoo store verify lists what is missing",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    removed = remove_unnamed(place, named, _MADE_AGAIN)
    _write_marker(store, place, named.commit_id)
    copy = Store(place)
    try:
        found = store_verification(copy, quick=True, folder_hash=folder_hash)
    finally:
        copy.engine.dispose()
    return Backup(place, named.commit_id, files, removed, found)


def _refuse_place(store: Store, place: Path) -> None:
    real = place.resolve()
    if real == store.root or store.root in real.parents or real in store.root.parents:
        raise UsageError(
            "a backup cannot lie in the store, nor the store in it", where=str(place), hint="name another folder"
        )
    if os.path.lexists(place) and not place.is_dir():
        raise UsageError("this is no folder", where=str(place), hint="name a new folder, an empty one, or a backup")
    if place.is_dir() and not (place / MARKER).exists() and any(place.iterdir()):
        raise UsageError(
            "the folder is not empty, and is no backup of a store",
            where=str(place),
            hint="name a new folder, an empty one, or a backup of this store",
        )


def _refuse_other_store(store: Store, place: Path) -> None:
    """Refuse a backup whose commits are not this store's."""
    if not (place / CATALOGUE_FILE).exists():
        return
    own, others = first_commits(store.engine), _commits_of(place / CATALOGUE_FILE)
    if others[:1] != own[:1] and others:
        raise UsageError(
            "this is the backup of another store",
            where=str(place),
            hint=f"name another folder; {MARKER} there says which store it is of",
        )
    if others != own[: len(others)]:
        raise ContractError(
            "the backup has commits that the store has not: somebody wrote to it, or the store was set back",
            where=str(place),
            hint="keep it, and name a new folder",
        )


def _commits_of(file: Path) -> list[tuple[int, str]]:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as connection:
            rows = connection.execute("select commit_id, committed_at from commits order by commit_id").fetchall()
    except sqlite3.DatabaseError as error:
        raise ContractError(
            f"the catalogue of this backup cannot be read: {error}", where=str(file), hint="name a new folder"
        ) from error
    return [(int(number), str(at)) for number, at in rows]


def _settle(file: Path) -> None:
    """Leave no log beside a catalogue that is about to be replaced: it would be read into the new one."""
    if not file.exists():
        return
    with closing(sqlite3.connect(file, timeout=_PATIENCE_S)) as connection:
        is_busy, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    if is_busy:
        raise StoreBusyError(
            "somebody reads the backup; it is as it was", where=str(file), hint="run the command again afterwards"
        )
    for name in ("-wal", "-shm"):
        file.with_name(file.name + name).unlink(missing_ok=True)


def _write_marker(store: Store, place: Path, commit_id: int | None) -> None:
    file = place / MARKER
    if commit_id is None and file.exists():
        return
    said: dict[str, Any] = {
        "backup_of": str(store.root),
        "commit_id": commit_id,
        "made_at": None if commit_id is None else datetime.now(UTC).isoformat(timespec="seconds"),
    }
    partial = file.with_name(f"{MARKER}.partial")
    partial.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreBusyError(
            "another process writes this backup", where=str(place), hint="wait for it to finish"
        ) from error
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
