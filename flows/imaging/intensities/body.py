"""Which voxels of a scan are the body, and not the air around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from schemas.errors import ContractError

__all__ = ["body_image", "body_mask", "refuse_outside_body"]

Voxels = npt.NDArray[np.bool_]

_LEAST_OF_A_LESION = 0.5
_HISTOGRAM_BINS = 128
"""ITK's default."""
_SMALLEST_PART = 0.1
"""Of the largest part's voxels. Two legs, or two breasts, are both body; a cable, noise and a ghost are not."""


def body_mask(image: sitk.Image) -> Voxels:
    """Return the body's voxels, by a rule without memory of other images.

    1. Foreground: what is brighter than the lower of Otsu's two thresholds, which part the image's histogram of 128
       bins into three: air, dark and bright tissue. A single one lies between muscle and fat in T1-weighted thighs.
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
    # Imported here: it takes a fifth of a second in every process that extracts, and few studies ask for the body.
    from scipy import ndimage

    # An image of one intensity has no threshold, and ITK gives all of it.
    lowest_highest = sitk.MinimumMaximumImageFilter()
    lowest_highest.Execute(image)
    if lowest_highest.GetMinimum() == lowest_highest.GetMaximum():
        raise ContractError(
            "no body is found: the image has one intensity",
            hint="look at the image in a viewer; normalize_region and the bias field's mask may be 'image'",
        )
    classes = sitk.OtsuMultipleThresholds(image, 2, 0, _HISTOGRAM_BINS)
    parts, count = ndimage.label(sitk.GetArrayViewFromImage(classes) > 0)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept: Voxels = (sizes >= _SMALLEST_PART * sizes.max()) & (sizes > 0)
    body: Voxels = kept[parts]
    for each in body:
        ndimage.binary_fill_holes(each, output=each)
    return body


def body_image(image: sitk.Image) -> sitk.Image:
    """Return the body of a scan as a mask on its grid, 1 inside.

    Raises
    ------
    ContractError
        When the image has one intensity.
    """
    body = sitk.GetImageFromArray(body_mask(image).astype(np.uint8))
    body.CopyInformation(image)
    return body


def refuse_outside_body(mask: sitk.Image, body: sitk.Image) -> None:
    """Refuse a lesion of which less than half lies in what was taken for the body.

    Every lesion lies in a body: then the image shows too little air, and the threshold parts its tissues.

    Parameters
    ----------
    mask : SimpleITK.Image
        The lesion's, 1 inside.
    body : SimpleITK.Image
        As `body_image` gives it, on any grid.

    Raises
    ------
    ContractError
        With the share that does.
    """
    there = sitk.Resample(mask, body, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    lesion = sitk.GetArrayViewFromImage(there) == 1
    share = float(sitk.GetArrayViewFromImage(body)[lesion].mean()) if lesion.any() else 1.0
    if share < _LEAST_OF_A_LESION:
        raise ContractError(
            f"{share:.0%} of the mask lie in what was taken for the body: the image shows too little air to tell it",
            hint='give a set with normalize_region = "image" to images that are cropped within the body',
        )
