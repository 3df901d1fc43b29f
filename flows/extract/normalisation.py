"""A scan normalised by the mean and standard deviation of all its voxels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from radiomics import imageoperations

from flows.extract.process_state import quiet
from flows.imaging.one_thread import one_thread
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import Engine

__all__ = ["normalised_image"]

_EXACT = 2.0**53
"""Integers up to here add up without rounding, in whatever order."""


def normalised_image(image: sitk.Image, settings: RadiomicsSettings, engine: Engine = "fast") -> sitk.Image:
    """Return the image normalised as the settings say.

    The result depends on the scan only, so several masks share it; without ``settings.normalize`` it is the
    image itself.

    Parameters
    ----------
    image : SimpleITK.Image
        The scan.
    settings : RadiomicsSettings
        Which say whether, to which scale, and what becomes of outliers.
    engine : {'fast', 'pyradiomics'}
        What normalises: the voxels have the same bits.
    """
    if not settings.normalize:
        return image
    found = _of_integers(image, settings) if engine == "fast" else None
    if found is not None:
        return found
    setting = settings.pyradiomics_parameters()["setting"]
    with quiet(), one_thread():
        normalised: sitk.Image = imageoperations.normalizeImage(image, **setting)
    return normalised


def _of_integers(image: sitk.Image, settings: RadiomicsSettings) -> sitk.Image | None:
    """Return the normalised image of integers, None where their sums would be rounded or they are all one.

    Sums of integers are exact, so that mean and deviation have ITK's bits without ITK's compensated summation. What
    ITK adds up of fractions depends on the order, and is left to it.
    """
    native = sitk.GetArrayViewFromImage(image)
    if native.dtype.kind not in "iu" or native.size < 2:
        return None
    largest = max(abs(int(native.min())), abs(int(native.max())))
    if native.size * largest**2 >= _EXACT:
        return None
    x: npt.NDArray[np.float64] = native.ravel().astype(np.float64)
    total, of_squares, n = float(x.sum()), float(x @ x), x.size
    variance = (of_squares - total * total / n) / (n - 1)
    if variance <= 0:
        return None
    x -= total / n
    x *= 1 / math.sqrt(variance)
    if settings.remove_outliers is not None:
        np.clip(x, -settings.remove_outliers, settings.remove_outliers, out=x)
    x *= settings.normalize_scale
    normalised = sitk.GetImageFromArray(x.reshape(native.shape))
    normalised.CopyInformation(image)
    return normalised
