"""Regions for networks: the phases of an exam registered, cropped to the tumour alike, resampled, normalised.

Slices are those of the fixed phase's grid, whatever its orientation. A phase is interpolated once: from its own
voxels straight to the region's grid, through its registration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.intensities.body import body_image, refuse_outside_body
from flows.imaging.register import FixedImage, Registration, registered
from schemas.errors import ContractError
from schemas.features.region_settings import RegionSettings

__all__ = ["Box", "PhaseImage", "Region", "cropped_regions", "largest_slices", "square_box"]

Floats = NDArray[np.float32]
Voxels = NDArray[np.bool_]


@dataclass(frozen=True)
class PhaseImage:
    """A phase's image and the mask (0 or 1) of one lesion, on one grid."""

    image: sitk.Image
    mask: sitk.Image


@dataclass(frozen=True)
class Box:
    """A square on consecutive slices of the fixed image.

    Attributes
    ----------
    centre : tuple of 2 floats
        Of the square, as continuous indices along the image's first and second axis.
    side_mm : float
        Length of the square's sides.
    first_slice : int
        Index along the third axis.
    """

    centre: tuple[float, float]
    side_mm: float
    first_slice: int


@dataclass(frozen=True)
class Region:
    """A phase's region and how it came about.

    Attributes
    ----------
    array : ndarray of float32, shape (slices, size, size)
        Intensities.
    mask : ndarray of bool, same shape
        The phase's own mask there.
    box : Box
        Where it lies in the fixed image.
    registration : Registration or None
        None for the fixed phase.
    """

    array: Floats
    mask: Voxels
    box: Box
    registration: Registration | None


def cropped_regions(phases: Sequence[PhaseImage], settings: RegionSettings) -> list[Region]:
    """Return the region of each phase, the first one being that which the others are registered to.

    Parameters
    ----------
    phases : sequence of PhaseImage
        Of one exam and lesion.
    settings : RegionSettings
        What the region is.

    Raises
    ------
    ContractError
        When the fixed image has fewer slices than are asked for, or a phase shows too little air to tell the body.
    """
    fixed, *others = phases
    # The same image under two phases' names needs no transform, and must give one array under one id.
    target = FixedImage(fixed.image)
    found = [None if each is fixed else registered(target, each.image, settings.registration) for each in others]
    registrations: list[Registration | None] = [None, *found]
    here: Voxels = sitk.GetArrayFromImage(fixed.mask) > 0
    together = here.copy()
    for each, registration in zip(others, found, strict=True):
        if registration is not None:
            together |= _moved_mask(each.mask, fixed.image, registration.transform)
    first = largest_slices(here, settings.slices)
    column_mm, row_mm, _ = fixed.image.GetSpacing()
    centre, side_mm = square_box(together, (column_mm, row_mm), settings.margin_mm)
    box = Box(centre, side_mm, first)
    grid = _grid(fixed.image, box, settings)
    return [
        Region(
            array=_resampled(each, grid, registration, settings),
            mask=_moved_mask(each.mask, grid, _transform(registration)),
            box=box,
            registration=registration,
        )
        for each, registration in zip(phases, registrations, strict=True)
    ]


def largest_slices(mask: Voxels, slices: int) -> int:
    """Return the first of some consecutive slices around that of a mask's largest area.

    Of several slices with the largest area the middle one counts; at the volume's edge the slices shift inwards.

    Parameters
    ----------
    mask : ndarray of shape (n_slices, n_rows, n_columns)
        True in the lesion.
    slices : int
        How many.

    Raises
    ------
    ContractError
        When the volume has fewer.
    """
    if slices > len(mask):
        raise ContractError(f"the image has {len(mask)} slices, the region asks for {slices}")
    areas = mask.sum(axis=(1, 2))
    largest = np.flatnonzero(areas == areas.max())
    middle = int(largest[len(largest) // 2])
    return min(max(middle - slices // 2, 0), len(mask) - slices)


def square_box(mask: Voxels, spacing_mm: tuple[float, float], margin_mm: float) -> tuple[tuple[float, float], float]:
    """Return centre and side of the smallest square with a margin around a mask, seen along the slices.

    Parameters
    ----------
    mask : ndarray of shape (n_slices, n_rows, n_columns)
        True in the lesion.
    spacing_mm : tuple of 2 floats
        Between columns and between rows.
    margin_mm : float
        Between the mask's outermost voxels, their full width, and the square along the longer axis.

    Returns
    -------
    ((float, float), float)
        Column and row of the centre, as continuous indices, and the side in mm.
    """
    columns, rows = (np.flatnonzero(mask.any(axis=across)) for across in ((0, 1), (0, 2)))
    centre = (float(columns[0] + columns[-1]) / 2.0, float(rows[0] + rows[-1]) / 2.0)
    widths = [(along[-1] - along[0] + 1) * spacing for along, spacing in zip((columns, rows), spacing_mm, strict=True)]
    return centre, float(max(widths)) + 2.0 * margin_mm


def _transform(registration: Registration | None) -> sitk.Transform:
    return sitk.Euler3DTransform() if registration is None else registration.transform


def _moved_mask(mask: sitk.Image, grid: sitk.Image, transform: sitk.Transform) -> Voxels:
    # Half of a voxel inside counts as inside: nearest neighbours would add a voxel on one side.
    moved = sitk.Resample(sitk.Cast(mask, sitk.sitkFloat32), grid, transform, sitk.sitkLinear, 0.0)
    return np.asarray(sitk.GetArrayFromImage(moved) >= 0.5)


def _grid(fixed: sitk.Image, box: Box, settings: RegionSettings) -> sitk.Image:
    """Return an empty image whose voxels are the region's."""
    size, pixel_mm = settings.size, box.side_mm / settings.size
    grid = sitk.Image(size, size, settings.slices, sitk.sitkUInt8)
    column_mm, row_mm, slice_mm = fixed.GetSpacing()
    from_centre_mm = pixel_mm * (size - 1) / 2.0
    corner = (box.centre[0] - from_centre_mm / column_mm, box.centre[1] - from_centre_mm / row_mm, box.first_slice)
    grid.SetOrigin(fixed.TransformContinuousIndexToPhysicalPoint(corner))
    grid.SetSpacing((pixel_mm, pixel_mm, slice_mm))
    grid.SetDirection(fixed.GetDirection())
    return grid


def _resampled(
    phase: PhaseImage, grid: sitk.Image, registration: Registration | None, settings: RegionSettings
) -> Floats:
    image = phase.image
    voxels = sitk.GetArrayFromImage(image).astype(np.float64)
    mean, deviation = 0.0, 1.0
    if settings.normalize == "image":
        mean, deviation = voxels.mean(), voxels.std()
    elif settings.normalize == "body":
        body = body_image(image)
        refuse_outside_body(phase.mask, body)
        inside = voxels[sitk.GetArrayViewFromImage(body) == 1]
        mean, deviation = inside.mean(), inside.std()
    # Outside of the image there is what the image has least of, which is air.
    outside = float(voxels.min())
    source = _without_aliases(sitk.Cast(image, sitk.sitkFloat32), grid.GetSpacing()[0])
    resampled = sitk.Resample(source, grid, _transform(registration), sitk.sitkLinear, outside, sitk.sitkFloat32)
    # An image of one intensity has no deviation; it is all mean.
    return np.asarray((sitk.GetArrayFromImage(resampled) - mean) / (deviation or 1.0), dtype=np.float32)


def _without_aliases(image: sitk.Image, pixel_mm: float) -> sitk.Image:
    """Return the image smoothed within slices where the region's pixels are larger than its own."""
    for axis in (0, 1):
        own = image.GetSpacing()[axis]
        if pixel_mm > own and image.GetSize()[axis] >= 4:
            # From a point spread of half a pixel to that of half a region's pixel.
            sigma_mm = 0.5 * math.sqrt(pixel_mm**2 - own**2)
            image = sitk.RecursiveGaussian(image, sigma_mm, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    return image
