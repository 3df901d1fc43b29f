"""Reading a DICOM series beside SimpleITK's own series reader, which checks nothing.

    PYTHONPATH=tests python tests/benchmarks/refresh/dicom.py [--slices 200] [--size 256]

A series of 16-bit slices is written to a temporary folder; both readers read it in turn, five times, and the medians
are told. SimpleITK is given its file names by GDCM, as its users do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import SimpleITK as sitk
from builders.dicom.written import write_series

from flows.imaging.dicom.files import dicom_stat
from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule


def itk_series(folder: Path) -> sitk.Image:
    """Return the folder's series as SimpleITK reads it."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def seconds(read: Callable[[], object]) -> float:
    """Return how long a reader takes."""
    began = time.perf_counter()
    read()
    return time.perf_counter() - began


def main() -> None:
    """Write a series, read it by turns, print the medians and their ratio."""
    options = argparse.ArgumentParser()
    options.add_argument("--slices", type=int, default=200)
    options.add_argument("--size", type=int, default=256)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "series"
        voxels = np.random.default_rng(0).integers(0, 2000, (chosen.slices, chosen.size, chosen.size), dtype=np.int16)
        write_series(folder, voxels)
        readers = {
            "radzoo": lambda: read_series(folder, SeriesRule()),
            "SimpleITK": lambda: itk_series(folder),
            "radzoo, whether it changed": lambda: dicom_stat(folder),
        }
        for read in readers.values():
            read()
        took = {what: median(found) for what, found in _by_turns(readers).items()}
    for what, each in took.items():
        print(f"{what}: {each:.3f} s, {1000 * each / chosen.slices:.2f} ms a slice")
    print(f"ratio: {took['radzoo'] / took['SimpleITK']:.1f}")


def _by_turns(readers: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {what: [] for what in readers}
    for _ in range(5):
        for what, read in readers.items():
            found[what].append(seconds(read))
    return found


if __name__ == "__main__":
    main()
