"""Folders of tiny images and masks, as exports and archives lay them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

PATIENTS = ("P1", "P2", "P10", "P11")


def write_volume(file: Path, *, labels: Sequence[int] = (), seed: int = 0) -> Path:
    """Write an image of 8 x 8 x 6 voxels, or a mask with a cube of each label, in the format of the file's ending."""
    array = np.random.default_rng(seed + len(str(file))).normal(100, 20, (6, 8, 8)).astype(np.float32)
    if labels:
        array = np.zeros((6, 8, 8), np.uint8)
        for number, label in enumerate(labels):
            array[1:4, 1:4, 2 * number : 2 * number + 2] = label
    file.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    # ITK knows endings in small letters alone.
    lower = file.with_name(file.name.lower())
    sitk.WriteImage(image, lower, useCompression=True)
    return lower.rename(file)


def write_volumes(root: Path, paths: Iterable[str], *, labels: Sequence[int] = ()) -> None:
    """Write a volume at each path below a folder."""
    for number, path in enumerate(paths):
        write_volume(root / path, labels=labels, seed=number)


def write_table(file: Path, patients: Sequence[str] = PATIENTS, patient: str = "patient") -> None:
    """Write a table of patients, every other with the outcome."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{each},{number % 2}" for number, each in enumerate(patients)]
    file.write_text("\n".join([f"{patient},recurrence", *rows]) + "\n", encoding="utf-8")
