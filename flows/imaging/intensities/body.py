"""Which voxels of a scan are the body, and not the air around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from schemas.errors import ContractError

__all__ = ["body_mask"]

Voxels = npt.NDArray[np.bool_]

_HISTOGRAM_BINS = 128
"""ITK's default."""
_SMALLEST_PART = 0.1
"""Of the largest part's voxels. Two legs, or two breasts, are both body; a cable, noise and a ghost are not."""


def body_mask(image: sitk.Image) -> Voxels:
    """Return the body's voxels, by a rule without memory of other images.

    1. Foreground: what is brighter than Otsu's threshold of the image's histogram of 128 bins.
    2. Parts that touch at faces, and have at least a tenth as many voxels as the largest one.
    3. Holes within each slice (across the third axis) are filled: air inside the body counts, and so does what is dark
       in it.

    Parameters
    ----------
    image : SimpleITK.Image
        A scan, 3-D, in which air is darker than the body.

    Returns
    -------
    ndarray of bool of shape (z, y, x)

    Raises
    ------
    ContractError
        When no voxel is brighter than the threshold: the image has one intensity.

    References
    ----------
    Otsu N, IEEE Trans Syst Man Cybern 1979;9(1):62-66, doi:10.1109/TSMC.1979.4310076.
    """
    # An image of one intensity has no threshold, and ITK gives all of it.
    lowest_highest = sitk.MinimumMaximumImageFilter()
    lowest_highest.Execute(image)
    if lowest_highest.GetMinimum() == lowest_highest.GetMaximum():
        raise ContractError(
            "no body is found: the image has one intensity",
            hint="look at the image in a viewer; normalize_region and the bias field's mask may be 'image'",
        )
    foreground = sitk.OtsuThreshold(image, 0, 1, _HISTOGRAM_BINS)
    parts, count = ndimage.label(sitk.GetArrayViewFromImage(foreground) == 1)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept: Voxels = (sizes >= _SMALLEST_PART * sizes.max()) & (sizes > 0)
    body: Voxels = kept[parts]
    for each in body:
        ndimage.binary_fill_holes(each, output=each)
    return body
