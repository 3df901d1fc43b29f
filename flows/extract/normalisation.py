"""A scan normalised by the mean and standard deviation of all its voxels."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk
from radiomics import imageoperations

from flows.extract.process_state import quiet
from flows.extract.scales import ZScore
from flows.imaging.one_thread import one_thread
from schemas.features.radiomics_settings import RadiomicsSettings

__all__ = ["exact_z_score", "normalised_image"]

_EXACT = 2.0**53
"""Integers up to here add up without rounding, in whatever order."""

_TOGETHER = 2**15
"""Voxels, which the processor's second memory holds as fractions."""


def normalised_image(image: sitk.Image, settings: RadiomicsSettings) -> sitk.Image:
    """Return the image normalised by pyradiomics as the settings say; `exact_z_score` gives the same bits sooner.

    The result depends on the scan only, so several masks share it; without ``settings.normalize`` it is the
    image itself.

    Parameters
    ----------
    image : SimpleITK.Image
        The scan.
    settings : RadiomicsSettings
        Which say whether, to which scale, and what becomes of outliers.
    """
    if not settings.normalize:
        return image
    setting = settings.pyradiomics_parameters()["setting"]
    with quiet(), one_thread():
        normalised: sitk.Image = imageoperations.normalizeImage(image, **setting)
    return normalised


def exact_z_score(image: sitk.Image, settings: RadiomicsSettings) -> ZScore | None:
    """Return what normalising makes of an image's integers, None where sums would be rounded or they are all one.

    Sums of integers are exact, so that mean and deviation have ITK's bits without ITK's compensated summation. What
    ITK adds up of fractions depends on the order, and is left to it.

    Parameters
    ----------
    image : SimpleITK.Image
        The whole scan.
    settings : RadiomicsSettings
        Which say to which scale, and what becomes of outliers.
    """
    native = sitk.GetArrayViewFromImage(image)
    if native.dtype.kind not in "iu" or native.size < 2:
        return None
    flat, n = native.reshape(-1), native.size
    room = np.empty(min(n, _TOGETHER))
    largest, total, of_squares = 0, 0.0, 0.0
    # Part by part: each is read once from memory, and the scan is never there as fractions.
    for begin in range(0, n, _TOGETHER):
        part = flat[begin : begin + _TOGETHER]
        x = room[: part.size]
        np.copyto(x, part)
        largest = max(largest, abs(int(part.min())), abs(int(part.max())))
        total += float(x.sum())
        of_squares += float(x @ x)
    if n * largest**2 >= _EXACT:
        return None
    variance = (of_squares - total * total / n) / (n - 1)
    if variance <= 0:
        return None
    return ZScore(total / n, math.sqrt(variance), settings.normalize_scale, settings.remove_outliers)
