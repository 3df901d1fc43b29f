"""The files of a backup: copied where they lack, compared with their hashes, removed where nothing names them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ContractError
from store.backup.catalogue import NamedFiles
from store.files import DataFolder, file_sha256
from store.home import Store
from store.verification.files import FolderHash

__all__ = ["CopiedFiles", "copy_files", "remove_unnamed"]

_PARTS = ("segments", "datasets", "models")
_CHUNK = 8 * 2**20


@dataclass(frozen=True)
class CopiedFiles:
    """How many files were copied and how many were there already."""

    copied: int
    copied_bytes: int
    kept: int


class _Count:
    def __init__(self) -> None:
        self.copied = self.copied_bytes = self.kept = 0


def copy_files(
    store: Store, place: Path, named: NamedFiles, *, quick: bool, folder_hash: FolderHash | None
) -> CopiedFiles:
    """Copy the files that a catalogue names and a backup lacks, or has with other bytes.

    Raises
    ------
    FileNotFoundError
        When the store lacks one.
    ContractError
        When a file of the store is not what its catalogue says.
    """
    count = _Count()
    for path, (sha256, size) in sorted(named.segments.items()):
        _copy(store.files, place, path, sha256, size, count, quick=quick)
    for path, sha256 in sorted(named.datasets.items()):
        _copy(store.files, place, path, sha256, None, count, quick=quick)
    for path, sha256 in sorted(named.models.items()):
        _copy_model(store.files, place, path, sha256, count, folder_hash, quick=quick)
    return CopiedFiles(count.copied, count.copied_bytes, count.kept)


def remove_unnamed(place: Path, named: NamedFiles, others: Iterable[str]) -> tuple[str, ...]:
    """Remove what a backup has below segments, datasets and models that its catalogue does not name; return the names.

    Parameters
    ----------
    place : Path
        The backup.
    named : NamedFiles
        What its catalogue names.
    others : iterable of str
        Files and folders beside them that go too: they are made again from the rest, and show former patients.
    """
    known = {*named.segments, *named.datasets}
    removed = []
    for part in _PARTS:
        for file in sorted((place / part).rglob("*")):
            name = file.relative_to(place).as_posix()
            is_of_model = any(name.startswith(f"{path}/") for path in named.models)
            if file.is_file() and name not in known and not is_of_model:
                file.unlink()
                removed.append(name)
        for folder in sorted((place / part).rglob("*"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    for name in others:
        if (place / name).is_dir():
            shutil.rmtree(place / name)
        else:
            (place / name).unlink(missing_ok=True)
    return tuple(removed)


def _copy(
    source: DataFolder, place: Path, path: str, sha256: str, size: int | None, count: _Count, *, quick: bool
) -> None:
    target = place / path
    if target.is_file():
        is_same = target.stat().st_size == (source.size(path) if size is None else size)
        if is_same and (quick or file_sha256(target) == sha256):
            count.kept += 1
            return
    _write(source, path, target, count, sha256)


def _copy_model(
    source: DataFolder,
    place: Path,
    path: str,
    sha256: str,
    count: _Count,
    folder_hash: FolderHash | None,
    *,
    quick: bool,
) -> None:
    target, folder = place / path, source.below(path)
    names = sorted(folder.paths())
    if not names:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{source}/{path}")
    there = sorted(file.relative_to(target).as_posix() for file in target.rglob("*") if file.is_file())
    is_same = there == names and all((target / name).stat().st_size == folder.size(name) for name in names)
    if is_same and (quick or _folder_hash(target, names, folder_hash) in (sha256, None)):
        count.kept += len(names)
        return
    for name in there:
        (target / name).unlink()
    for name in names:
        _write(folder, name, target / name, count, None)
    if _folder_hash(target, names, folder_hash) not in (sha256, None):
        shutil.rmtree(target)
        raise _damaged(f"{source}/{path}")


def _folder_hash(folder: Path, names: Iterable[str], folder_hash: FolderHash | None) -> str | None:
    if folder_hash is None:
        return None
    return folder_hash({name: (folder / name).read_bytes() for name in names})


def _write(source: DataFolder, path: str, target: Path, count: _Count, sha256: str | None) -> None:
    """Copy a file under a name of its own, and give it its name when it is whole and on disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    digest, size = hashlib.sha256(), 0
    try:
        with source.opened(path) as stream, partial.open("wb") as sink:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                sink.write(chunk)
                size += len(chunk)
            sink.flush()
            os.fsync(sink.fileno())
        if sha256 is not None and digest.hexdigest() != sha256:
            raise _damaged(f"{source}/{path}")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    count.copied += 1
    count.copied_bytes += size


def _damaged(where: str) -> ContractError:
    return ContractError(
        "a file of the store is damaged; the former backup is as it was",
        where=where,
        hint="radzoo store verify lists what is damaged; put the file back from the backup if it has it",
    )
