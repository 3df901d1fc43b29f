"""Images and masks read in a child process: what one file does to it costs that file its row, and no other.

The child parses what others wrote; it may take a bounded time and memory, write to one temporary folder, and die. What
comes back are rows of the catalogue and grids, never voxels.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from flows.engine.progress import say
from flows.imaging.grids import Place
from flows.imaging.labels import label_values
from flows.imaging.lesions import lesion_labels
from flows.imaging.sources import Source, place_of, read_image, read_labels, stat_of_source
from flows.imaging.volumes import ReadingFolders, is_unoriented
from flows.scans.acquisition import acquisition_of
from flows.scans.last_image import LAST_IMAGE, ReadImage
from flows.scans.rows import mask_row, scan_row
from schemas.errors import ContractError
from schemas.settings import IMAGE_BYTES, IMAGE_SECONDS, limit_setting
from store.limits.process import (
    AFTER_KILL_S,
    CrashedError,
    KilledError,
    LimitedProcess,
    LimitedProcessError,
    Limits,
    OutOfTimeError,
)

__all__ = ["ImageReader", "file_limits", "limit_words", "temporary_folder"]

P = ParamSpec("P")
T = TypeVar("T")
Row = dict[str, Any]

_BESIDE_VOXELS = 256 << 20


class ImageReader:
    """A child process that reads the files of one study, started at the first one; a context manager.

    Parameters
    ----------
    study_folder : Path
        Below which data files may lie that headers name.
    """

    def __init__(self, study_folder: Path) -> None:
        self._open = ExitStack()
        temporary = self._open.enter_context(temporary_folder())
        self._folders = ReadingFolders(study_folder, temporary)
        writable = () if temporary is None else (temporary,)
        child = LimitedProcess(file_limits(writable), trusted=("flows.imaging",), by_fork=True)
        self._child = self._open.enter_context(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def scan(self, source: Source) -> tuple[Row, Place, bool]:
        """Return the row of an image but for its key, its place, and whether its file gives no orientation.

        Raises
        ------
        ContractError
            When the file is at fault, or takes more than it may.
        """
        return self._read(source, read_scan, source, self._folders)

    def acquisition(self, source: Source) -> Row:
        """Return how an image was acquired, but for its key, as `acquisition_of` says.

        Raises
        ------
        ContractError
            When its files are at fault by now, or take more than they may.
        """
        return self._read(source, acquisition_of, source)

    def mask(self, source: Source, image: ReadImage, label: int, tolerance: float) -> Row:
        """Return the row of a mask but for its key and its image's hash; its ``measures`` are columns of their own.

        Raises
        ------
        ContractError
            When the file is at fault, does not fit the image, or takes more than it may.
        """
        return self._read(source, read_mask, source, self._folders, image, label, tolerance)

    def lesions(self, source: Source, image: ReadImage, tolerance: float) -> list[Row]:
        """Return what `mask` does of each lesion in a source that holds several.

        Raises
        ------
        ContractError
            As `mask` does, and when it holds none or too many.
        """
        return self._read(source, read_lesions, source, self._folders, image, tolerance)

    def labels(self, source: Source) -> tuple[int, ...] | None:
        """Return the labels in a file of one volume, as `label_values` gives them.

        Raises
        ------
        ContractError
            When the file is at fault, or takes more than it may.
        """
        return self._read(source, read_label_values, source, self._folders)

    def _read(self, source: Source, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            try:
                return self._child.call(function, *args, **kwargs)
            except KilledError:
                # No fault of the file's own as far as one can tell.
                say("the process that reads images was killed: trying again")
                time.sleep(AFTER_KILL_S)
                return self._child.call(function, *args, **kwargs)
        except LimitedProcessError as error:
            raise ContractError(limit_words(error), where=str(source.file)) from error


@contextmanager
def temporary_folder() -> Iterator[Path | None]:
    """Give a folder for the temporary files of children, who may die and leave theirs; None where there is no room."""
    try:
        folder = tempfile.mkdtemp(prefix="radzoo-images-")
    except OSError:
        yield None  # each file's row says it
        return
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def file_limits(writable: tuple[Path, ...]) -> Limits:
    """Return what reading one file may take; larger images are refused by what their headers say.

    Raises
    ------
    UsageError
        When a setting of the environment is no number.
    """
    memory = 2 * limit_setting(IMAGE_BYTES, os.environ) + _BESIDE_VOXELS
    return Limits(limit_setting(IMAGE_SECONDS, os.environ), memory, writable=writable)


def limit_words(error: LimitedProcessError) -> str:
    """Return the reason of a file that the child could not read: the same each time, for the same file."""
    if isinstance(error, OutOfTimeError):
        return (
            f"{error}: look at the file, and where it is sound set {IMAGE_SECONDS.variable} to more and run radzoo "
            "ingest again"
        )
    if isinstance(error, CrashedError):
        return "reading it crashes the reader: the file is damaged or made to do harm; write it again"
    return f"there is not enough memory to read it: {error}; where the file is sound set {IMAGE_BYTES.variable} to more"


def read_scan(source: Source, folders: ReadingFolders) -> tuple[Row, Place, bool]:
    """Return what `ImageReader.scan` does, in this process."""
    # The stat before it is read: what changes meanwhile is read again next time.
    stat = stat_of_source(source, folders.study)
    LAST_IMAGE.forget()
    image = read_image(source, folders)
    row = scan_row(image, source.text(folders.study), stat or "")
    # Its masks come next, and are measured on it.
    LAST_IMAGE.remember(row["image_sha256"], image)
    return row, place_of(image), is_unoriented(image)


def read_label_values(source: Source, folders: ReadingFolders) -> tuple[int, ...] | None:
    """Return what `ImageReader.labels` does, in this process."""
    return label_values(read_image(source, folders))


def read_mask(source: Source, folders: ReadingFolders, image: ReadImage, label: int, tolerance: float) -> Row:
    """Return what `ImageReader.mask` does, in this process."""
    stat = stat_of_source(source, folders.study)
    labels = read_labels(source, image.place, label, folders)
    row = mask_row(image.place.grid, labels, label, tolerance, lambda: LAST_IMAGE.voxels(image, folders))
    return row | {"source": source.text(folders.study), "source_stat": stat or ""}


def read_lesions(source: Source, folders: ReadingFolders, image: ReadImage, tolerance: float) -> list[Row]:
    """Return what `ImageReader.lesions` does, in this process."""
    stat = stat_of_source(source, folders.study)
    lesions = read_labels(source, image.place, 0, folders)
    files = {"source": source.text(folders.study), "source_stat": stat or ""}
    grid = image.place.grid
    rows = (
        mask_row(grid, lesions, each, tolerance, lambda: LAST_IMAGE.voxels(image, folders))
        for each in lesion_labels(lesions)
    )
    return [row | files for row in rows]
