"""Gaussians and their Laplacian, by the recursive filters of ITK and to their last bit, many lines at a time.

A Gaussian of standard deviation s voxels, and its second derivative, are approximated for x >= 0 by sums of two damped
waves ``exp(l x / s) (a cos(w x / s) + b sin(w x / s))``, which a recursion over four values makes: forwards
``y(i) = sum n(k) x(i-k) - sum d(k) y(i-k)``, backwards the like with m, and the two are added. Beyond an end the line
goes on with its last value. Between two filters values are kept in single precision, as ITK keeps them.

References
----------
Deriche 1993, INRIA research report 1893; Farneback and Westin 2006, Improving Deriche-style recursive Gaussian filters,
doi:10.1007/s10851-006-8464-z, whose constants ITK has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.intensities.lines import filter_recursively

__all__ = ["laplacian_of_gaussian", "smoothed"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Box = tuple[slice, slice, slice]

_W = (0.6681, 2.0787)
_L = (-1.3932, -1.3732)
_WAVES = {0: ((1.3530, 1.8151), (-0.3531, 0.0902)), 2: ((-1.3563, 5.2318), (0.3446, -2.2355))}
"""The a and b of each wave, for the Gaussian and for its second derivative."""


class _Waves(NamedTuple):
    """A filter's n, and the sums of n(k), k n(k) and k^2 n(k)."""

    n: Floats
    total: float
    first: float
    second: float


def laplacian_of_gaussian(
    image: Singles | Floats, spacing_mm: tuple[float, float, float], sigma_mm: float, box: Box | None = None
) -> Singles:
    """Return the Laplacian of an image smoothed by a Gaussian, times sigma squared.

    A line is filtered as a whole, whatever lies beside it: behind each filter only the box's part goes on.

    Parameters
    ----------
    image : ndarray of float32 or float64 of shape (z, y, x)
        At least four voxels along each axis.
    spacing_mm : tuple of float
        Of the voxels, z, y, x.
    sigma_mm : float
        Standard deviation of the Gaussian.
    box : tuple of slice, optional
        Where it is asked for, z, y, x; everywhere when absent.

    Returns
    -------
    ndarray of float32 of shape (z, y, x)
        Within the box, what ``LaplacianRecursiveGaussianImageFilter`` gives with ``NormalizeAcrossScale``.
    """
    box = box or (slice(None),) * 3
    laplacian = np.zeros(image[box].shape, np.float32)
    for axis in (2, 1, 0):
        part: Singles | Floats = image
        for along in (axis, *(other for other in (2, 1, 0) if other != axis)):
            order = 2 if along == axis else 0
            part = _along(part, along, box[along], sigma_mm, spacing_mm[along], order=order)
        laplacian[...] = laplacian + part * np.float64(1.0 / (spacing_mm[axis] * spacing_mm[axis]))
    return laplacian


def smoothed(image: sitk.Image, sigma_mm: Sequence[float]) -> sitk.Image:
    """Return an image smoothed by a Gaussian: the bits of ``SmoothingRecursiveGaussianImageFilter``.

    Parameters
    ----------
    image : SimpleITK.Image
        Of 32-bit floats, at least four voxels along each axis.
    sigma_mm : sequence of float
        Standard deviation along x, y and z.
    """
    voxels: Singles = sitk.GetArrayViewFromImage(image)
    everywhere = slice(None)
    # ITK begins with the last axis.
    for along in (0, 2, 1):
        axis = 2 - along
        voxels = _along(voxels, along, everywhere, sigma_mm[axis], image.GetSpacing()[axis], order=0)
    found: sitk.Image = sitk.GetImageFromArray(voxels)
    found.CopyInformation(image)
    return found


def _along(
    image: Singles | Floats, axis: int, within: slice, sigma_mm: float, spacing_mm: float, *, order: int
) -> Singles:
    """Return an image filtered along an axis, of which a part is asked for."""
    start, stop, _ = within.indices(image.shape[axis])
    shape = tuple(stop - start if each == axis else length for each, length in enumerate(image.shape))
    filtered = np.empty(shape, np.float32)
    filter_recursively(image, filtered, axis, start, *_coefficients(sigma_mm, spacing_mm, order=order))
    return filtered


def _coefficients(sigma_mm: float, spacing_mm: float, *, order: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return n, m and d of the recursion, and what stands for d beyond the ends, forwards and backwards."""
    s = sigma_mm / spacing_mm
    (cos1, cos2), (exp1, exp2) = (math.cos(w / s) for w in _W), (math.exp(growth / s) for growth in _L)
    d = np.array(
        [
            -2 * (exp2 * cos2 + exp1 * cos1),
            4 * cos2 * cos1 * exp1 * exp2 + (exp1 * exp1 + exp2 * exp2),
            -2 * cos1 * exp1 * exp2 * exp2 + -2 * cos2 * exp2 * exp1 * exp1,
            exp1 * exp1 * exp2 * exp2,
        ]
    )
    SD = 1.0 + d[0] + d[1] + d[2] + d[3]
    DD = d[0] + 2 * d[1] + 3 * d[2] + 4 * d[3]
    ED = d[0] + 4 * d[1] + 9 * d[2] + 16 * d[3]
    smooth = _waves(s, 0)
    if order == 0:
        n = smooth.n * (1.0 / (2 * smooth.total / SD - smooth.n[0]))
    else:
        curved = _waves(s, 2)
        # So much of the Gaussian is added that a constant gives 0.
        beta = -(2 * curved.total - SD * curved.n[0]) / (2 * smooth.total - SD * smooth.n[0])
        n = curved.n + beta * smooth.n
        SN, DN, EN = (of_curved + beta * of_smooth for of_curved, of_smooth in zip(curved[1:], smooth[1:], strict=True))
        alpha = EN * SD * SD - ED * SN * SD - 2 * DN * DD * SD + 2 * DD * DD * SN
        n = n * (sigma_mm * sigma_mm / (alpha / (SD * SD * SD)))
    m = np.array([n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]])
    return n, m, d, d * (n[0] + n[1] + n[2] + n[3]) / SD, d * (m[0] + m[1] + m[2] + m[3]) / SD


def _waves(s: float, order: int) -> _Waves:
    (a1, b1), (a2, b2) = _WAVES[order]
    (sin1, sin2), (cos1, cos2) = (math.sin(w / s) for w in _W), (math.cos(w / s) for w in _W)
    exp1, exp2 = (math.exp(growth / s) for growth in _L)
    n = (
        a1 + a2,
        exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2) + exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1),
        ((a1 + a2) * cos2 * cos1 - (b1 * cos2 * sin1 + b2 * cos1 * sin2)) * (2 * exp1 * exp2)
        + (a2 * exp1 * exp1 + a1 * exp2 * exp2),
        exp2 * exp1 * exp1 * (b2 * sin2 - a2 * cos2) + exp1 * exp2 * exp2 * (b1 * sin1 - a1 * cos1),
    )
    return _Waves(
        np.array(n),
        n[0] + n[1] + n[2] + n[3],
        n[1] + 2 * n[2] + 3 * n[3],
        n[1] + 4 * n[2] + 9 * n[3],
    )
