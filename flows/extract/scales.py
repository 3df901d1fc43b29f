"""Intensity scales: what a scan's intensities become, measured once of a whole scan or its body, applied to any image.

A scale is measured here for both engines, so that they read the same bits. The z-score of a whole native image is
pyradiomics' own and stands in `flows.extract.normalisation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from flows.extract.region import refuse_large_grid
from flows.imaging.one_thread import one_thread
from schemas.errors import ContractError
from schemas.features.preparation import PhaseLandmarks
from schemas.features.radiomics_settings import RadiomicsSettings

__all__ = [
    "LandmarkScale",
    "Scale",
    "ZScore",
    "image_percentiles",
    "landmark_scale",
    "measured_scan",
    "rescaled_image",
    "standard_values",
    "z_score",
]

Array = npt.NDArray[Any]
Reals = npt.NDArray[np.float64]

STANDARD_SCALE = (0.0, 100.0)
"""Where the lowest and the highest percentile of a training image come to lie, before the mean over images."""


class Scale(Protocol):
    """What intensities become."""

    def __call__(self, intensities: Array, /) -> Reals:
        """Return the intensities on the scale, in an array of the same shape."""


@dataclass(frozen=True)
class ZScore:
    """``scale * clip((x - mean) / deviation, -outliers, outliers)``."""

    mean: float
    deviation: float
    scale: float
    outliers: float | None

    def __call__(self, intensities: Array, /) -> Reals:
        """Return the intensities on the scale."""
        scaled: Reals = (intensities.astype(np.float64) - self.mean) * (1 / self.deviation)
        if self.outliers is not None:
            np.clip(scaled, -self.outliers, self.outliers, out=scaled)
        return scaled * self.scale


@dataclass(frozen=True)
class LandmarkScale:
    """Straight lines between landmarks, the first and the last of which go on beyond them.

    Attributes
    ----------
    found, values : ndarray of shape (n_landmarks,)
        The image's own percentiles, and where each of them comes to lie.
    """

    found: Reals
    values: Reals

    def __call__(self, intensities: Array, /) -> Reals:
        """Return the intensities on the scale."""
        slopes = np.diff(self.values) / np.diff(self.found)
        x: Reals = intensities.astype(np.float64)
        piece = np.clip(np.searchsorted(self.found, x, side="right") - 1, 0, len(slopes) - 1)
        scaled: Reals = self.values[piece] + (x - self.found[piece]) * slopes[piece]
        return scaled


def measured_scan(image: sitk.Image, settings: RadiomicsSettings) -> sitk.Image:
    """Return the image by which the scale is measured: the scan, or all of it on the working grid's spacing.

    The grid is pyradiomics', which shares the outer corner of the first voxel with the scan's, without a crop; it has
    the voxels whose centres lie in the scan.

    Parameters
    ----------
    image : SimpleITK.Image
        The scan, without its bias field where that is corrected.
    settings : RadiomicsSettings
        Which say what comes first.

    Raises
    ------
    ContractError
        When that grid has more voxels than are computed.
    """
    if not settings.resample_first or settings.resampled_spacing_mm is None:
        return image
    asked, native, size = (
        np.array(each, dtype=float) for each in (settings.resampled_spacing_mm, image.GetSpacing(), image.GetSize())
    )
    spacing = np.where(asked == 0, native, asked)
    grid = np.maximum(np.floor(size * native / spacing + 0.5), 1)
    refuse_large_grid(grid, asked, "whole scan, by which resample_first measures its scale,")
    resample = sitk.ResampleImageFilter()
    resample.SetOutputSpacing(spacing.tolist())
    resample.SetOutputDirection(image.GetDirection())
    first = 0.5 * (spacing - native) / native
    resample.SetOutputOrigin(image.TransformContinuousIndexToPhysicalPoint(first.tolist()))
    resample.SetSize([int(each) for each in grid])
    interpolator = settings.pyradiomics_parameters()["setting"]["interpolator"]
    resample.SetInterpolator(getattr(sitk, interpolator))
    with one_thread():
        resampled: sitk.Image = resample.Execute(sitk.Cast(image, sitk.sitkFloat64))
    return resampled


def z_score(image: sitk.Image, settings: RadiomicsSettings, body: sitk.Image | None = None) -> ZScore:
    """Return the scale of mean 0 and the asked-for standard deviation over an image, or over its body alone.

    Mean and deviation (of n - 1) are ITK's, added up with compensation by one thread: over all voxels they are those of
    `flows.extract.normalisation`.

    Raises
    ------
    ContractError
        When the region has one intensity.
    """
    voxels = _voxels(image, body)
    statistics = sitk.StatisticsImageFilter()
    with one_thread():
        statistics.Execute(sitk.GetImageFromArray(voxels.reshape(1, 1, -1)))
    mean, deviation = statistics.GetMean(), statistics.GetSigma()
    if not deviation > 0:
        raise ContractError(
            f"the image has one intensity, {mean:g}, in the region that decides its scale: it cannot be normalised"
        )
    return ZScore(mean, deviation, settings.normalize_scale, settings.remove_outliers)


def image_percentiles(image: sitk.Image, percentiles: Sequence[float], body: sitk.Image | None = None) -> Reals:
    """Return percentiles of the intensities of an image, or of its body alone, linear between two voxels.

    Raises
    ------
    ContractError
        When two of them are one intensity, between which no line can be drawn.
    """
    found: Reals = np.percentile(_voxels(image, body).astype(np.float64), percentiles)
    if not np.isfinite(found).all():
        raise ContractError("the image has values that are not finite", hint="look for NaN in the scan")
    if (alike := np.flatnonzero(np.diff(found) <= 0)).size:
        first = int(alike[0])
        raise ContractError(
            f"percentiles {percentiles[first]:g} and {percentiles[first + 1]:g} of the image are one intensity, "
            f"{found[first]:g}: it cannot be brought to a standard scale"
            + ('; with normalize_region = "body" air does not count' if body is None else "")
        )
    return found


def landmark_scale(image: sitk.Image, landmarks: PhaseLandmarks, body: sitk.Image | None = None) -> LandmarkScale:
    """Return the scale that brings an image's own percentiles to the landmarks' values.

    Raises
    ------
    ContractError
        When two of the image's percentiles are one intensity.

    References
    ----------
    Nyul LG, Udupa JK, Zhang X, IEEE Trans Med Imaging 2000;19(2):143-150, doi:10.1109/42.836373.
    """
    return LandmarkScale(image_percentiles(image, landmarks.percentiles, body), np.array(landmarks.values))


def standard_values(found: Reals) -> Reals:
    """Return the standard scale's landmarks: the mean over images of their percentiles, each image from 0 to 100.

    Parameters
    ----------
    found : ndarray of shape (n_images, n_landmarks)
        Each training image's percentiles, rising.

    Returns
    -------
    ndarray of shape (n_landmarks,)
        The first 0, the last 100.
    """
    low, high = STANDARD_SCALE
    share = (found - found[:, :1]) / (found[:, -1:] - found[:, :1])
    values: Reals = low + (high - low) * share.mean(axis=0)
    return values


def rescaled_image(image: sitk.Image, scale: Scale) -> sitk.Image:
    """Return an image on a scale, 64-bit float."""
    rescaled = sitk.GetImageFromArray(scale(sitk.GetArrayViewFromImage(image)))
    rescaled.CopyInformation(image)
    return rescaled


def _voxels(image: sitk.Image, body: sitk.Image | None) -> Array:
    array = sitk.GetArrayViewFromImage(image)
    voxels: Array = array.ravel() if body is None else array[sitk.GetArrayViewFromImage(body) == 1]
    return voxels
