"""The working grid: image and mask resampled around the mask, and what a mask must be to be used there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from radiomics import imageoperations

from flows.extract.nearby import Box, extents, nearby, scaled_nearby, shortened, whole
from schemas.errors import ContractError
from schemas.settings import IMAGE_BYTES, Engine, limit_setting

__all__ = ["WorkingRegion", "refuse_large_grid", "working_region"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class WorkingRegion:
    """The working image, the masks on its grid, and the bounding box of the mask, z, y, x."""

    image: sitk.Image
    mask: sitk.Image
    shape_mask: sitk.Image
    box: Box

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Return the spacing of the voxels, z, y, x."""
        x, y, z = self.image.GetSpacing()
        return z, y, x

    def inside(self) -> Mask:
        """Return the mask within its box."""
        return _is_inside(self.mask)[self.box]

    def shape_inside(self) -> Mask:
        """Return the mask whose shape is measured, within the same box."""
        return _is_inside(self.shape_mask)[self.box]


def working_region(
    image: sitk.Image,
    mask: sitk.Image,
    setting: dict[str, Any],
    rescaled: Callable[[sitk.Image], sitk.Image] | None = None,
    *,
    scale: Callable[[Array], Array] | None = None,
    engine: Engine = "fast",
) -> WorkingRegion:
    """Return image and mask on the working grid; the only crop is the one of ``resampleImage``.

    Parameters
    ----------
    image : SimpleITK.Image
        The scan, normalised where it is and no ``scale`` is given.
    mask : SimpleITK.Image
        1 inside, on the grid of the scan.
    setting : dict
        pyradiomics' settings.
    rescaled : callable, optional
        Gives the resampled image on the scale that its intensities are to have, where that comes second.
    scale : callable, optional
        Gives intensities on the scale that they are to have before they are resampled.
    engine : {'fast', 'pyradiomics'}
        The fast one leaves out what resampling does not read.

    Raises
    ------
    ContractError
        When the mask becomes too small or the grid too large, or an intensity is not finite.
    """
    try:
        read = whole(mask)
        if resamples := "resampledPixelSpacing" in setting:
            starts, lengths = extents(_is_inside(mask))
            _refuse_large_crop(mask, lengths, setting)
            if engine == "fast":
                read = nearby(mask, starts, lengths, setting)
        image = shortened(image, read) if scale is None else scaled_nearby(image, scale, read)
        mask = sitk.Cast(shortened(mask, read), sitk.sitkUInt32)
        if resamples:
            image, mask = imageoperations.resampleImage(image, mask, **setting)
        if rescaled is not None:
            image = rescaled(image)
        box = _bounding_box(image, mask, setting)
        shape_mask = mask
        if "resegmentRange" in setting:
            mask = imageoperations.resegmentMask(image, mask, **setting)
            box = _bounding_box(image, mask, setting)
            shape_mask = mask if setting["resegmentShape"] else shape_mask
    except ValueError as error:
        raise ContractError(
            f"the mask cannot be used on the working grid: {error}",
            hint="look at the mask; minimum_roi_dimensions, minimum_roi_size and the spacing are settings",
        ) from error
    if not np.isfinite(sitk.GetArrayViewFromImage(image)).all():
        raise ContractError(
            "the image has values that are not finite on the working grid",
            hint="look for NaN in the scan; a constant scan cannot be normalised",
        )
    return WorkingRegion(image, mask, shape_mask, box)


def _is_inside(mask: sitk.Image) -> Mask:
    inside: Mask = sitk.GetArrayViewFromImage(mask) == 1
    return inside


def _bounding_box(image: sitk.Image, mask: sitk.Image, setting: dict[str, Any]) -> Box:
    """Return the box of a mask that pyradiomics accepts.

    Raises
    ------
    ValueError
        Where it accepts none, in its words.
    """
    inside = _is_inside(mask)
    starts, lengths = extents(inside)
    least = setting.get("minimumROISize")
    if sum(length > 1 for length in lengths) < max(1, setting["minimumROIDimensions"]) or (
        least is not None and np.count_nonzero(inside) <= least
    ):
        imageoperations.checkMask(image, mask, **setting)
    z, y, x = (slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
    return z, y, x


def _refuse_large_crop(mask: sitk.Image, lengths: list[int], setting: dict[str, Any]) -> None:
    native, size, extent = np.array(mask.GetSpacing()), np.array(mask.GetSize()), np.array(lengths[::-1])
    asked = np.array(setting["resampledPixelSpacing"], dtype=float)
    ratio = np.where((asked == 0) | (extent == 1), 1.0, native / np.where(asked == 0, 1.0, asked))
    grid = np.minimum(np.ceil(extent * ratio) + 2 * setting["padDistance"] + 2, np.ceil(size * ratio))
    refuse_large_grid(grid, asked, "mask")


def refuse_large_grid(grid: npt.NDArray[Any], asked_mm: npt.NDArray[Any], what: str) -> None:
    """Refuse a grid of more voxels than are computed, before there is one: a coarse scan on a fine grid.

    Parameters
    ----------
    grid : ndarray of shape (3,)
        Voxels along each axis.
    asked_mm : ndarray of shape (3,)
        The spacing that was asked for.
    what : str
        What is resampled.

    Raises
    ------
    ContractError
        When there are too many.
    """
    most = limit_setting(IMAGE_BYTES, os.environ) // np.dtype(np.float64).itemsize
    if float(np.prod(grid)) > most:
        raise ContractError(
            f"resampled to {' x '.join(f'{each:g}' for each in asked_mm)} mm the {what} needs "
            f"{' x '.join(f'{each:.0f}' for each in grid)} voxels, and at most {most} are computed: give a "
            f"larger resampled_spacing_mm, or set {IMAGE_BYTES.variable} to more"
        )
