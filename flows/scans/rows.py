"""The catalogue's rows of an image and of a mask, as their voxels give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.grids import Grid, grid_difference, grid_of
from flows.imaging.labels import lesion_voxels
from flows.imaging.volumes import image_sha256, label_sha256
from flows.scans.measures import measures_of
from schemas.errors import ContractError

__all__ = ["mask_row", "scan_row"]

Row = dict[str, Any]


def scan_row(image: sitk.Image, source: str, source_stat: str) -> Row:
    """Return the row of an image, but for its key and modality."""
    return {
        "image_sha256": image_sha256(image),
        "voxels": image.GetNumberOfPixels(),
        "spacing_mm": " x ".join(f"{value:.4g}" for value in image.GetSpacing()),
        "source": source,
        "source_stat": source_stat,
    }


def mask_row(
    image: Grid,
    labels: sitk.Image,
    label: int,
    tolerance: float,
    voxels: Callable[[], NDArray[np.generic]] | None = None,
) -> Row:
    """Return the row of a lesion's mask, but for its key, its files and its image's hash.

    Where the image's voxels are given, ``measures`` has the columns of the row in ``mask_measures``.

    Parameters
    ----------
    image : Grid
        Of the image.
    labels : SimpleITK.Image
        The mask's file as it was read.
    label : int
        The lesion's value in it.
    tolerance : float
        As `grid_difference` takes it.
    voxels : callable, optional
        Gives the image's voxels, slice by slice; called where the mask is sound.

    Raises
    ------
    ContractError
        When the mask lies on another grid than the image, is empty or lacks the label.
    """
    if difference := grid_difference(image, grid_of(labels), tolerance):
        raise ContractError(
            f"other geometry: {difference}; the tolerance is {tolerance:g} (geometry_tolerance)",
            hint='where both are right, mask_grid = "resample" under [phases.NAME] resamples the mask',
        )
    lesion = lesion_voxels(labels, label)
    count = int(np.count_nonzero(lesion))
    row = {
        "mask_label": label,
        "mask_sha256": label_sha256(labels, lesion),
        "lesion_voxels": count,
        "volume_mm3": count * float(np.prod(labels.GetSpacing())),
    }
    return row if voxels is None else row | {"measures": measures_of(voxels(), lesion, image.spacing).columns()}
