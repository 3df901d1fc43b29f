"""The DICOM files of a folder, found by their content, and when anything in it changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from flows.imaging.formats.kinds import DICOM_ENDINGS, is_dicom
from flows.imaging.opened_files import file_stat, opened, system_words
from schemas.errors import ContractError

__all__ = ["MOST_FILES", "dicom_files", "dicom_stat", "is_folder"]

MOST_FILES = 200_000
"""Files of one folder that are looked at."""

_HEAD = 512
_OF_DICOM = b"1.2.840.10008."
"""What UIDs of the standard begin with: a file without a preamble says early what it is."""
_MACOS = "._"


def dicom_files(source: Path) -> tuple[Path, ...]:
    """Return the DICOM files that a path names, in the order of their names.

    Parameters
    ----------
    source : Path
        A file, or a folder that is looked through with all folders below it. Links to files are followed, links to
        folders are not.

    Raises
    ------
    ContractError
        When the path is missing or cannot be read, a folder has more than `MOST_FILES` files or links to folders, or a
        file that is named like DICOM, or has no ending and is shorter than any DICOM, is none: a copy that broke off,
        whose slice would be missed.
    """
    if not is_folder(source):
        if not _is_dicom_file(source):
            raise ContractError("is no DICOM file", where=str(source))
        return (source,)
    every = tuple(_files_below(source))
    found = tuple(file for file in every if _is_wanted(file))
    if found:
        _refuse_cut_off(set(every) - set(found))
    return found


def dicom_stat(source: Path) -> str:
    """Return what changes when a DICOM file, or any file of a folder, changes.

    Parameters
    ----------
    source : Path
        A file or a folder.

    Returns
    -------
    str
        Of a file its size and time of change, as `flows.imaging.image_files.source_stat` gives them; of a folder the
        count of files and a hash over their names below it, sizes and times of change.

    Raises
    ------
    ContractError
        When the path is missing or cannot be read, or a folder has more than `MOST_FILES` files.
    """
    if not is_folder(source):
        stat = file_stat(source)
        return f"{stat.st_size}:{stat.st_mtime_ns}"
    digest = hashlib.sha256()
    files = tuple(_files_below(source))
    for file in files:
        name = os.fsencode(file.relative_to(source))
        try:
            stat = file.stat()
            words = f"{stat.st_size}:{stat.st_mtime_ns}"
        except OSError:
            words = "missing"
        # No name holds a NUL.
        digest.update(name + b"\0" + words.encode() + b"\0")
    return f"{len(files)}+{digest.hexdigest()[:16]}"


def is_folder(source: Path) -> bool:
    """Return whether a path is a folder; one that no file system knows is none."""
    try:
        return source.is_dir()
    except (OSError, ValueError):
        return False


def _files_below(folder: Path) -> Iterator[Path]:
    count = 0
    for parent, folders, names in os.walk(folder, onerror=_refuse_unlisted):
        folders.sort()
        _refuse_links_out(folder, [Path(parent) / name for name in folders])
        count += len(names)
        if count > MOST_FILES:
            raise ContractError(f"has more than {MOST_FILES} files: name the folder of one examination")
        for name in sorted(names):
            yield Path(parent) / name


def _refuse_links_out(folder: Path, children: Iterable[Path]) -> None:
    """Refuse links to folders that lie elsewhere: what is in them would be missed. Links back into it lose nothing."""
    for child in children:
        if child.is_symlink():
            target, own = os.path.realpath(child), os.path.realpath(folder)
            if os.path.commonpath([target, own]) not in (target, own):
                raise ContractError(
                    "is a link to a folder elsewhere, which is not followed: name the folder that it leads to",
                    where=str(child),
                )


def _refuse_unlisted(error: OSError) -> None:
    raise ContractError(f"cannot be listed: {system_words(error)}", where=str(error.filename)) from error


def _refuse_cut_off(others: Iterable[Path]) -> None:
    """Refuse files beside DICOM that may be what is left of it: without an ending of letters, and too short."""
    for file in sorted(others):
        ending = file.suffix.removeprefix(".")
        is_named_otherwise = file.name.startswith(".") or (ending and not ending.isdigit())
        if not is_named_otherwise and file.is_file() and file.stat().st_size < _HEAD:
            raise ContractError(
                "is empty or cut off, beside DICOM files: copy it again, or remove it where it is none", where=str(file)
            )


def _is_wanted(file: Path) -> bool:
    if file.name.startswith(_MACOS):
        return False
    is_named_dicom = file.name.lower().endswith(DICOM_ENDINGS)
    if not is_named_dicom and not file.is_file():
        return False  # a pipe, a socket, or a link that leads nowhere
    if _is_dicom_file(file):
        return True
    if is_named_dicom:
        raise ContractError("is named like a DICOM file and is none: a copy that broke off?", where=str(file))
    return False


def _is_dicom_file(file: Path) -> bool:
    with opened(file) as stream:
        head = stream.read(_HEAD)
    return is_dicom(head) and (head[128:132] == b"DICM" or _OF_DICOM in head)
