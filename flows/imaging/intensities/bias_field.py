"""A scan without the slow change of brightness over space that a coil leaves in it: N4, as ITK has it."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from flows.imaging.intensities.body import body_mask
from flows.imaging.one_thread import one_thread
from schemas.errors import ContractError
from schemas.features.preparation import BiasFieldSettings

__all__ = ["corrected_image"]

_FEWEST_VOXELS = 4
"""Along an axis that is shrunk: the splines of the first level have as many control points."""
_MOST_BELOW_ZERO = 0.05
"""Of the mask's voxels."""


def corrected_image(image: sitk.Image, settings: BiasFieldSettings | None) -> sitk.Image:
    """Return a scan divided by its bias field; without settings it is the scan itself.

    The field is estimated by the mask's voxels above 0 on the scan shrunk, an axis of n voxels by at most n // 4, and
    evaluated on all voxels, those outside the mask too. The whole scan's brightness moves with it: N4 finds a field up
    to a factor. ITK works on one thread: on two the field moves in the fifth digit.

    Parameters
    ----------
    image : SimpleITK.Image
        The native scan, 3-D.
    settings : BiasFieldSettings or None
        How.

    Returns
    -------
    SimpleITK.Image
        On the scan's grid, 64-bit float.

    Raises
    ------
    ContractError
        When a twentieth of the mask's voxels and more are below 0: a field is a factor, and is estimated of logarithms.

    References
    ----------
    Tustison NJ et al., IEEE Trans Med Imaging 2010;29(6):1310-1320, doi:10.1109/TMI.2010.2046908.
    """
    if settings is None:
        return image
    single = sitk.Cast(image, sitk.sitkFloat32)
    mask = _mask(image, settings)
    factors = [max(1, min(settings.shrink_factor, length // _FEWEST_VOXELS)) for length in image.GetSize()]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(list(settings.iterations))
    n4.SetConvergenceThreshold(settings.convergence_threshold)
    with one_thread():
        n4.Execute(sitk.Shrink(single, factors), sitk.Shrink(mask, factors))
        field = sitk.Exp(sitk.Cast(n4.GetLogBiasFieldAsImage(single), sitk.sitkFloat64))
    corrected: sitk.Image = sitk.Cast(image, sitk.sitkFloat64) / field
    return corrected


def _mask(image: sitk.Image, settings: BiasFieldSettings) -> sitk.Image:
    voxels = sitk.GetArrayViewFromImage(image)
    inside = body_mask(image) if settings.mask == "body" else np.ones(voxels.shape, dtype=bool)
    # Some below 0 are what a resampling leaves beside an edge.
    if np.count_nonzero(inside & (voxels < 0)) >= _MOST_BELOW_ZERO * np.count_nonzero(inside):
        raise ContractError(
            f"too many intensities are below 0 (the lowest is {float(voxels.min()):g}) for a bias field, which is a "
            "factor",
            hint="leave bias_field out: it is meant for MR as the scanner gives it",
        )
    mask = sitk.GetImageFromArray((inside & (voxels > 0)).astype(np.uint8))
    mask.CopyInformation(image)
    return mask
