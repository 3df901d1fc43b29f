"""What resampling reads of a scan: the voxels near a mask, where that is the same to the last bit as all of them.

A scan that is cropped on both sides has another origin, which moves the last bit of a position
(docs/adr/0045-filters-to-the-last-bit.md). One that ends earlier has the same: it is cut behind the mask, and what lies
before the mask is not calculated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

__all__ = ["Box", "extents", "nearby", "scaled_nearby", "shortened", "whole"]

Array = npt.NDArray[Any]
Box = tuple[slice, slice, slice]

_LOCAL = ("sitkLinear", "sitkNearestNeighbor")
"""Interpolators that read the neighbours alone; a spline reads the whole line, a windowed sinc some voxels more."""

_MARGIN = 3
"""Voxels of either grid: half a voxel for the corner, one for rounding up, one for the neighbour."""


def extents(inside: npt.NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Return where a mask begins along z, y and x, and how many voxels it extends over; 0 where it is empty."""
    in_rows = np.asarray(inside.any(axis=2))
    z, y = (np.flatnonzero(in_rows.any(axis=axis)) for axis in (1, 0))
    used = inside[z[0] : z[-1] + 1, y[0] : y[-1] + 1] if len(z) else inside[:0]
    found = [z, y, np.flatnonzero(used.any(axis=(0, 1)))]
    starts = [int(each[0]) if len(each) else 0 for each in found]
    return starts, [int(each[-1] - each[0]) + 1 if len(each) else 0 for each in found]


def nearby(mask: sitk.Image, starts: list[int], lengths: list[int], setting: dict[str, Any]) -> Box:
    """Return the box that resampling around a mask reads at most, z, y, x: everything, by some interpolators.

    Parameters
    ----------
    mask : SimpleITK.Image
        On the grid of the scan.
    starts, lengths : list of int
        Its `extents`.
    setting : dict
        pyradiomics' settings.
    """
    if setting.get("interpolator") not in _LOCAL or not all(lengths):
        return whole(mask)
    box = []
    by_axis = (each[::-1] for each in (mask.GetSize(), mask.GetSpacing(), setting["resampledPixelSpacing"]))
    for start, length, size, native, asked in zip(starts, lengths, *by_axis, strict=True):
        spacing = native if asked == 0 or length == 1 else asked
        reach = int(np.ceil((setting["padDistance"] + _MARGIN) * spacing / native)) + _MARGIN
        box.append(slice(max(0, start - reach), min(size, start + length + reach)))
    z, y, x = box
    return z, y, x


def whole(image: sitk.Image) -> Box:
    """Return the box of all voxels, z, y, x."""
    x, y, z = (slice(0, size) for size in image.GetSize())
    return z, y, x


def shortened(image: sitk.Image, box: Box) -> sitk.Image:
    """Return an image that ends with a box, on the same grid."""
    z, y, x = (each.stop for each in box)
    return image if image.GetSize() == (x, y, z) else sitk.RegionOfInterest(image, (x, y, z), (0, 0, 0))


def scaled_nearby(image: sitk.Image, scale: Callable[[Array], Array], box: Box) -> sitk.Image:
    """Return an image that ends with a box, its intensities within the box on a scale and 0 before it."""
    scaled = scale(sitk.GetArrayViewFromImage(image)[box])
    if any(each.start for each in box):
        # Zeros that nobody reads take no time: the system has not laid them down yet.
        ending = np.zeros([each.stop for each in box])
        ending[box] = scaled
        scaled = ending
    found = sitk.GetImageFromArray(scaled)
    found.SetSpacing(image.GetSpacing())
    found.SetOrigin(image.GetOrigin())
    found.SetDirection(image.GetDirection())
    return found
