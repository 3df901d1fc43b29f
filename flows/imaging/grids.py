"""Where the voxels of an image lie, and how two such grids differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

__all__ = [
    "DIRECTION_ROUNDING",
    "GEOMETRY_TOLERANCE",
    "Grid",
    "Place",
    "geometry_difference",
    "grid_difference",
    "grid_of",
]

GEOMETRY_TOLERANCE = 1e-4
"""Largest difference of two grids where no feature set says another."""

DIRECTION_ROUNDING = 1e-4
"""Direction cosines that differ by no more agree at any tolerance: NIfTI stores a quaternion in float32."""

_FLOAT32_ROUNDING = 2.0**-22


class Grid(NamedTuple):
    """Voxels along each axis, their spacing and the first one's place in mm, and the axes' directions."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]


class Place(NamedTuple):
    """Where an image lies."""

    grid: Grid
    frame_of_reference: str | None = None
    """The key of the patient's axes, where DICOM names them."""


def grid_of(image: sitk.Image) -> Grid:
    """Return an image's grid."""
    return Grid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def geometry_difference(image: sitk.Image, mask: sitk.Image, tolerance: float = GEOMETRY_TOLERANCE) -> str | None:
    """Return how a mask's geometry differs from its image's, or None where they agree.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        Volumes of any pixel type.
    tolerance : float
        As `grid_difference` takes it.
    """
    return grid_difference(grid_of(image), grid_of(mask), tolerance)


def grid_difference(image: Grid, mask: Grid, tolerance: float = GEOMETRY_TOLERANCE) -> str | None:
    """Return how a mask's grid differs from its image's, or None where they agree.

    Parameters
    ----------
    image, mask : Grid
        Of volumes.
    tolerance : float
        Largest difference of spacing and origin, as a share of the first spacing, and of direction cosines:
        the measure that ITK itself uses. What float32 rounds off, in which NIfTI stores geometry, comes on top.
    """
    spacing = image.spacing
    reach = max(abs(each) for each in image.origin) + float(np.max(np.multiply(image.size, spacing)))
    allowed_mm = tolerance * spacing[0]
    for name, of_image, of_mask, allowed in (
        ("size", image.size, mask.size, 0.0),
        ("spacing in mm", spacing, mask.spacing, allowed_mm + _FLOAT32_ROUNDING * max(spacing)),
        ("origin in mm", image.origin, mask.origin, allowed_mm + _FLOAT32_ROUNDING * reach),
        ("direction", image.direction, mask.direction, max(tolerance, DIRECTION_ROUNDING)),
    ):
        if len(of_image) != len(of_mask) or np.abs(np.subtract(of_image, of_mask)).max() > allowed:
            return f"{name} {_listed(of_mask)} against the image's {_listed(of_image)}"
    return None


def _listed(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
