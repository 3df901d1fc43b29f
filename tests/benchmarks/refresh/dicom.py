"""Reading DICOM series beside SimpleITK's own series reader, which checks nothing.

    PYTHONPATH=tests python tests/benchmarks/refresh/dicom.py [--series 50] [--slices 200] [--size 256] [--cold]

Series of 16-bit slices, each with positions and UIDs of its own, are written to a temporary folder. Each is read once
by each reader, in another order each time, and the medians over the series are told. SimpleITK finds and sorts the
files of a folder itself, as radzoo does (GetGDCMSeriesFileNames); how long it takes where it is given them in order is
told too, and how long the bytes alone take. With --cold the files are dropped from the system's memory before each
reading (posix_fadvise), else they are all in it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import SimpleITK as sitk
from builders.dicom.written import Place, write_series

from flows.imaging.dicom.files import dicom_stat
from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule

OURS, THEIRS, SORTED, ALONE = "radzoo", "SimpleITK", "SimpleITK, given the sorted names", "the files' bytes alone"


def itk_series(folder: Path) -> sitk.Image:
    """Return the folder's series as SimpleITK finds, sorts and reads it."""
    return itk_volume(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def itk_volume(files: tuple[str, ...]) -> sitk.Image:
    """Return slices in the order of files as SimpleITK reads them."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    return reader.Execute()


def content_bytes(folder: Path) -> int:
    """Return how many bytes the folder's files have, each of which is read."""
    return sum(len(file.read_bytes()) for file in folder.iterdir())


def seconds(read: Callable[[], object]) -> float:
    """Return how long a reader takes."""
    began = time.perf_counter()
    read()
    return time.perf_counter() - began


def main() -> None:
    """Write series, read them by turns, print the medians and their ratios."""
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=5)
    options.add_argument("--slices", type=int, default=200)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--cold", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(chosen.series)]
        voxels = np.random.default_rng(0).integers(0, 2000, (chosen.slices, chosen.size, chosen.size), dtype=np.int16)
        for number, folder in enumerate(folders):
            write_series(folder, voxels, Place(origin=(-10.0, 20.5 + number / 8, 31.25 + number / 3)))
        took = _by_turns(folders, is_cold=chosen.cold)
    for what, found in took.items():
        each = median(found)
        print(f"{what}: {each:.3f} s a series, {1000 * each / chosen.slices:.2f} ms a slice, {sum(found):.1f} s in all")
    for other in (THEIRS, SORTED, ALONE):
        print(f"ratio to {other}: {median(took[OURS]) / median(took[other]):.2f}")


def _by_turns(folders: list[Path], *, is_cold: bool) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    order: deque[str] = deque((OURS, THEIRS, SORTED, ALONE))
    for turn, folder in enumerate((folders[0], *folders)):
        content_bytes(folder)
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        readers: dict[str, Callable[[], object]] = {
            OURS: lambda folder=folder: read_series(folder, SeriesRule()),
            THEIRS: lambda folder=folder: itk_series(folder),
            SORTED: lambda names=names: itk_volume(names),
            ALONE: lambda folder=folder: content_bytes(folder),
        }
        for what in order:
            if is_cold:
                _drop(folder)
            took = seconds(readers[what])
            # The first time of all each library sets itself up.
            if turn:
                found.setdefault(what, []).append(took)
        if turn:
            found.setdefault("radzoo, whether it changed", []).append(seconds(lambda folder=folder: dicom_stat(folder)))
        order.rotate()
    return found


def _drop(folder: Path) -> None:
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


if __name__ == "__main__":
    main()
