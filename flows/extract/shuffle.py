"""Images whose intensities inside a mask are permuted over its voxels: a negative control."""

from __future__ import annotations

import hashlib

import numpy as np
import SimpleITK as sitk

__all__ = ["shuffled_inside"]


def shuffled_inside(image: sitk.Image, mask: sitk.Image, native: sitk.Image) -> sitk.Image:
    """Return an image in which the voxels inside the mask have changed places.

    Histogram and size inside the mask stay as they are, every spatial pattern goes; voxels outside keep their place.
    Whatever still predicts the outcome then reads size or brightness (Welch et al. 2019). Normalising the whole image
    commutes with it, so that ``image`` may be the normalised scan.

    Parameters
    ----------
    image : SimpleITK.Image
        What is shuffled.
    mask : SimpleITK.Image
        1 inside, on the grid of the image.
    native : SimpleITK.Image
        The scan as it was read, whose intensities inside the mask decide the order: the same scan and mask always
        give the same image, whatever was done to it before, and no number of a seed enters a feature set.

    References
    ----------
    Welch ML et al., Radiother Oncol 2019;130:2, doi:10.1016/j.radonc.2018.10.027.
    """
    inside = sitk.GetArrayViewFromImage(mask) == 1
    content = np.ascontiguousarray(sitk.GetArrayViewFromImage(native)[inside]).tobytes()
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest(), "big"))
    voxels = sitk.GetArrayFromImage(image)
    voxels[inside] = random.permutation(voxels[inside])
    shuffled = sitk.GetImageFromArray(voxels)
    shuffled.CopyInformation(image)
    return shuffled
