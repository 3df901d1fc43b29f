"""The files of a folder by what they may be to a study: volumes, DICOM, tables, and what is left aside."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flows.engine.progress import say
from flows.imaging.dicom.files import MOST_FILES
from flows.imaging.formats.kinds import DICOM_ENDINGS, image_format, is_dicom
from flows.imaging.opened_files import first_bytes, system_words
from flows.tables.file_faults import FILE_ERRORS, file_fault
from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.shown_text import control_character

__all__ = ["BESIDE_OTHERS", "WORKBOOKS", "FolderListing", "folder_listing"]

BESIDE_OTHERS: Final = "masks beside those that are taken"
"""What masks are that no phase has, though they may be its own."""

_SAY_EVERY_S = 10.0
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nrrd.gz", ".nhdr", ".mha", ".mha.gz", ".mhd", ".hdr", ".hdr.gz")
_VOXELS = (".img", ".img.gz", ".raw", ".raw.gz", ".zraw")
WORKBOOKS: Final = (".xlsx", ".xlsm")
"""Endings of workbooks, whose sheets are tables."""

_TABLES: Final = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz", ".csv.xz", ".tsv.xz", *WORKBOOKS)
_UNREAD_WORKBOOKS = (".xls", ".xlsb", ".ods")
_NO_IMAGES = (
    *(".json", ".txt", ".md", ".pdf", ".toml", ".yaml", ".yml", ".xml", ".html", ".py", ".sh", ".log", ".zip", ".tar"),
    *(".gz", ".xz", ".7z", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".svg", ".bval", ".bvec", ".mat", ".npy", ".npz"),
    *(".docx", ".doc", ".pptx", ".bvecs", ".bvals", ".db", ".ini", ".h5", ".pkl", ".lnk"),
)
"""Endings of files that are not opened: none of them is an image that is read."""
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini", "radzoo-store")


@dataclass
class FolderListing:
    """What lies in a folder, as paths below it with ``/`` between their parts, in the order of their names."""

    folder: Path
    volumes: list[str] = field(default_factory=list)
    dicom: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    aside: dict[str, list[str]] = field(default_factory=dict)
    """Files of other kinds, by the kind in words."""
    notes: list[str] = field(default_factory=list)
    """What was not looked at, and why."""

    def put_aside(self, kind: str, path: str) -> None:
        """Add a file to those that the study does not use."""
        self.aside.setdefault(kind, []).append(path)

    def put_all_aside(self, kind: str, paths: Iterable[str]) -> None:
        """Add files to those that the study does not use, in the order of their names."""
        for path in sorted(paths):
            self.put_aside(kind, path)


def folder_listing(folder: Path) -> FolderListing:
    """Return the files of a folder and of all folders below it; links to folders are not followed.

    Hidden files are passed over. A file's ending says what it is, where it has a known one; else its first bytes do.

    Raises
    ------
    NotFoundError
        When there is no such folder.
    UsageError
        When it is a file, or cannot be listed.
    """
    _refuse_unlisted(folder)
    listing = FolderListing(folder)
    names: list[str] = []
    for name in _names_below(folder, listing):
        if len(names) == MOST_FILES:
            listing.notes.append(
                f"there are more than {MOST_FILES:,} files: the others were not looked at, and counts may fall short"
            )
            break
        names.append(name)
    here = frozenset(names)
    spoken = time.monotonic()
    for position, name in enumerate(names):
        _sort_in(listing, name, here)
        if time.monotonic() - spoken >= _SAY_EVERY_S:
            spoken = time.monotonic()
            say(f"looking at {folder}: {position + 1:,} of {len(names):,} files")
    return listing


def _refuse_unlisted(folder: Path) -> None:
    hint = "radzoo init DIR --from FOLDER, the folder with images and tables"
    try:
        with os.scandir(folder):
            return
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_file():
            raise UsageError("is a file, not a folder", where=str(folder), hint=hint) from error
        raise NotFoundError(f"the folder {file_fault(folder, error)}", where=str(folder), hint=hint) from error
    except FILE_ERRORS as error:
        raise UsageError(f"the folder {file_fault(folder, error)}", where=str(folder), hint=hint) from error


def _names_below(folder: Path, listing: FolderListing) -> Iterator[str]:
    def note(error: OSError) -> None:
        shown = os.path.relpath(error.filename, folder)
        listing.notes.append(f"the folder {shown} cannot be listed: {system_words(error)}")

    links = 0
    spoken, count = time.monotonic(), 0
    for parent, folders, files in os.walk(folder, onerror=note):
        links += sum(Path(parent, each).is_symlink() for each in folders if not _is_hidden(each))
        folders[:] = sorted(each for each in folders if not _is_hidden(each))
        below = Path(parent).relative_to(folder).as_posix()
        for name in sorted(each for each in files if not _is_hidden(each)):
            count += 1
            yield name if below == "." else f"{below}/{name}"
        if time.monotonic() - spoken >= _SAY_EVERY_S:
            spoken = time.monotonic()
            say(f"listing {folder}: {count:,} files so far")
    if links:
        listing.notes.append(
            "a link to a folder was not followed" if links == 1 else f"{links} links to folders were not followed"
        )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _JUNK


def _sort_in(listing: FolderListing, name: str, names: frozenset[str]) -> None:
    lower = name.lower()
    if control_character(name) is not None:
        listing.put_aside("files whose names are no UTF-8 or have control characters", name)
    elif lower.endswith(_VOLUMES):
        listing.volumes.append(name)
    elif lower.endswith(_VOXELS):
        if not _has_header(name, names):
            listing.put_aside("files of voxels without a header", name)
    elif lower.endswith(_TABLES):
        listing.tables.append(name)
    elif lower.endswith(_UNREAD_WORKBOOKS):
        listing.put_aside("workbooks: save the sheet as CSV", name)
    elif lower.rpartition("/")[2] == "dicomdir":
        listing.put_aside("DICOMDIR, which is not needed", name)
    elif lower.endswith(_NO_IMAGES):
        listing.put_aside(f"{Path(lower).suffix} files", name)
    else:
        _sort_by_content(listing, name)


def _has_header(name: str, names: frozenset[str]) -> bool:
    stem = name[: name.rindex(".")] if not name.lower().endswith(".gz") else name[: name[:-3].rindex(".")]
    endings = (".hdr", ".mhd", ".nhdr", ".hdr.gz")
    return any(f"{stem}{each}" in names or f"{stem}{each.upper()}" in names for each in endings)


def _sort_by_content(listing: FolderListing, name: str) -> None:
    file = listing.folder / name
    try:
        if is_dicom(first_bytes(file, 132)):
            listing.dicom.append(name)
            return
        image_format(file)
    except ContractError:
        is_named = name.lower().endswith(DICOM_ENDINGS)
        kind = "files that are named like DICOM and are none" if is_named else _kind_of_ending(name)
        listing.put_aside(kind, name)
        return
    listing.volumes.append(name)


def _kind_of_ending(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return f"{suffix} files" if suffix and len(suffix) <= 8 and not suffix[1:].isdigit() else "files without an ending"
