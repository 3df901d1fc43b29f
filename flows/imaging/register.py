"""Rigid registration of one image to another: a transform, and whether it made them more alike.

Both engines are deterministic: the same images and settings give the same numbers, bit for bit, on one machine.
A transform takes a physical point (mm) of the fixed image to the point of the moving image that shows the same
tissue, as ITK's resampling reads it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.intensities.gaussian import smoothed
from flows.imaging.intensities.similarity import mutual_information
from flows.imaging.one_thread import one_thread
from schemas.errors import UsageError
from schemas.features.region_settings import RegistrationSettings

__all__ = ["FixedImage", "Registration", "registered", "registration_versions", "similarities"]

_FEWEST_VOXELS = 16


@dataclass(frozen=True)
class Registration:
    """How a moving image lies on the fixed one.

    Attributes
    ----------
    transform : SimpleITK.Euler3DTransform
        From points of the fixed image to points of the moving one: what was found, or the identity where that
        made the images less alike.
    similarity_before, similarity_after : float
        As `similarities` gives them, without a transform and with the one that was found; the latter is None where
        the engine gave up, as it does when a step leads out of the image.
    is_applied : bool
        Whether the transform is the one that was found.
    """

    transform: sitk.Euler3DTransform
    similarity_before: float
    similarity_after: float | None
    is_applied: bool

    @property
    def rotation_degrees(self) -> tuple[float, float, float]:
        """Return the angles about x, y and z of ``R_z R_x R_y``."""
        found = self.transform
        return math.degrees(found.GetAngleX()), math.degrees(found.GetAngleY()), math.degrees(found.GetAngleZ())

    @property
    def shift_mm(self) -> tuple[float, float, float]:
        """Return how far the middle of the fixed image moves along x, y and z."""
        x, y, z = self.transform.GetTranslation()
        return x, y, z


class FixedImage:
    """What others are registered to; what is done to it for that is done once for all of them.

    Parameters
    ----------
    image : SimpleITK.Image
        A volume.
    """

    def __init__(self, image: sitk.Image) -> None:
        self.image = sitk.Cast(image, sitk.sitkFloat32)
        self._smoothed: dict[float, sitk.Image] = {}

    def smoothed(self, sigma_mm: float) -> sitk.Image:
        """Return the image smoothed by a Gaussian, for the search of a transform."""
        if sigma_mm not in self._smoothed:
            self._smoothed[sigma_mm] = smoothed(self.image, [sigma_mm] * 3)
        return self._smoothed[sigma_mm]

    @cached_property
    def compared(self) -> NDArray[np.float32]:
        """Return the voxels by which `similarities` compares it."""
        voxels: NDArray[np.float32] = sitk.GetArrayFromImage(_smoothed(self.image))
        return voxels


def registered(fixed: FixedImage, moving: sitk.Image, settings: RegistrationSettings) -> Registration:
    """Return how a moving image lies on the fixed one.

    Parameters
    ----------
    fixed : FixedImage
        A volume.
    moving : SimpleITK.Image
        Another of the same patient, which may differ in grid and contrast.
    settings : RegistrationSettings
        Engine and parameters.

    Raises
    ------
    UsageError
        When the settings ask for ANTs, which is not installed.
    """
    moving = sitk.Cast(moving, sitk.sitkFloat32)
    identity = _about_the_middle_of(fixed.image)
    if settings.method == "none":
        (alike,) = similarities(fixed, moving, [identity])
        return Registration(identity, alike, alike, is_applied=False)
    try:
        found = (_by_ants if settings.method == "ants" else _by_simpleitk)(fixed, moving, settings)
    except RuntimeError:  # of ITK, which both engines are made of
        (before,) = similarities(fixed, moving, [identity])
        return Registration(identity, before, None, is_applied=False)
    before, after = similarities(fixed, moving, [identity, found])
    is_better = after > before
    return Registration(found if is_better else identity, before, after, is_applied=is_better)


def registration_versions(settings: RegistrationSettings) -> dict[str, str]:
    """Return the versions of the libraries that decide a region's values, with these settings.

    Raises
    ------
    UsageError
        When the settings ask for ANTs, which is not installed.
    """
    versions = {"SimpleITK": importlib.metadata.version("SimpleITK")}
    if settings.method == "ants":
        try:
            versions["antspyx"] = importlib.metadata.version("antspyx")
        except importlib.metadata.PackageNotFoundError as error:
            raise _no_ants() from error
    return versions


def similarities(fixed: FixedImage, moving: sitk.Image, transforms: Sequence[sitk.Transform]) -> list[float]:
    """Return how alike two images are under each of some transforms: their normalised mutual information.

    All are taken over the voxels where every transform has both images, for a
    histogram of fewer voxels looks more alike; where that is less than half of the first, the others get 1.
    Both images are smoothed by a voxel before: resampling smooths one of them anyway, which would look like a gain.

    Parameters
    ----------
    fixed : FixedImage
        A volume.
    moving : SimpleITK.Image
        Another, of 32-bit floats.
    transforms : sequence of SimpleITK.Transform
        From points of the fixed image to points of the moving one.
    """
    smooth, here = _smoothed(moving), fixed.compared
    there: list[NDArray[np.float32]] = [
        sitk.GetArrayFromImage(sitk.Resample(smooth, fixed.image, transform, sitk.sitkLinear, math.nan))
        for transform in transforms
    ]
    at_first = np.isfinite(there[0])
    overlap = np.logical_and.reduce([np.isfinite(each) for each in there])
    if not at_first.any():
        return [1.0] * len(there)
    if overlap.sum() < 0.5 * at_first.sum():
        return [*mutual_information(here[at_first], there[0][at_first]), *([1.0] * (len(there) - 1))]
    return mutual_information(here[overlap], *(each[overlap] for each in there))


def _smoothed(image: sitk.Image) -> sitk.Image:
    # The recursive filter wants four voxels along each axis.
    if min(image.GetSize()) < 4:
        return image
    return smoothed(image, image.GetSpacing())


def _about_the_middle_of(image: sitk.Image) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    middle = [(count - 1) / 2.0 for count in image.GetSize()]
    transform.SetCenter(image.TransformContinuousIndexToPhysicalPoint(middle))
    return transform


def _by_simpleitk(fixed: FixedImage, moving: sitk.Image, settings: RegistrationSettings) -> sitk.Euler3DTransform:
    """Return the transform that Mattes' mutual information is highest at, from coarse to fine.

    References
    ----------
    Mattes et al. PET-CT image registration in the chest using free-form deformations. IEEE Trans Med Imaging
    2003;22:120-128. doi:10.1109/TMI.2003.809072
    """
    searched, sigma_mm = fixed.image, settings.smoothing_mm
    transform = _about_the_middle_of(searched)
    if sigma_mm > 0 and min(*searched.GetSize(), *moving.GetSize()) >= 4:
        searched, moving = fixed.smoothed(sigma_mm), smoothed(moving, [sigma_mm] * 3)
    move_mm = settings.largest_step_mm
    with one_thread():
        for voxel_mm in settings.voxels_mm:
            method = sitk.ImageRegistrationMethod()
            method.SetMetricAsMattesMutualInformation(settings.histogram_bins)
            method.SetInterpolator(sitk.sitkLinear)
            method.SetInitialTransform(transform, inPlace=True)
            method.SetOptimizerAsRegularStepGradientDescent(move_mm, settings.smallest_step_mm, settings.iterations)
            method.SetOptimizerScalesFromPhysicalShift()
            method.Execute(_merged(searched, voxel_mm), moving)
            move_mm = max(move_mm / 4.0, settings.smallest_step_mm)
    return transform


def _merged(image: sitk.Image, voxel_mm: float) -> sitk.Image:
    """Return the image with voxels averaged up to a size, but for axes of few voxels."""
    factors = [
        max(1, min(int(voxel_mm / spacing + 1e-6), count // _FEWEST_VOXELS))
        for spacing, count in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    # Shrink, which takes every second voxel, leaves the image half a voxel beside where it says.
    merged: sitk.Image = sitk.BinShrink(image, factors)
    return merged


def _by_ants(fixed: FixedImage, moving: sitk.Image, settings: RegistrationSettings) -> sitk.Euler3DTransform:
    """Return the transform of ANTs' QuickRigid."""
    ants = _ants()
    # An argument random_seed of its registration has no effect: this is what fixes seed and threads.
    ants.config.set_ants_deterministic(on=True, seed_value=settings.seed)
    with TemporaryDirectory(prefix="radzoo-ants-") as folder:
        found = ants.registration(
            *(_ants_image(ants, image) for image in (fixed.image, moving)),
            type_of_transform="QuickRigid",
            outprefix=os.path.join(folder, ""),  # noqa: PTH118  (a prefix, which ends in a separator)
        )
        (file,) = found["fwdtransforms"]
        read = sitk.ReadTransform(str(Path(file)))
    matrix = sitk.AffineTransform(3)
    matrix.SetMatrix(np.reshape(_linear_part(read), -1).tolist())
    transform = _about_the_middle_of(fixed.image)
    middle = np.asarray(transform.GetCenter())
    transform.SetMatrix(matrix.GetMatrix(), 1e-4)
    transform.SetTranslation((np.asarray(read.TransformPoint(middle.tolist())) - middle).tolist())
    return transform


def _linear_part(transform: sitk.Transform) -> NDArray[np.float64]:
    """Return a rigid transform's rotation, of the nearest orthogonal matrix, from where it takes the axes."""
    origin = np.asarray(transform.TransformPoint((0.0, 0.0, 0.0)))
    axes = [np.asarray(transform.TransformPoint(tuple(row))) - origin for row in np.eye(3)]
    left, _, right = np.linalg.svd(np.stack(axes, axis=1))
    return np.asarray(left @ right)


def _ants_image(ants: Any, image: sitk.Image) -> Any:
    return ants.from_numpy(
        np.ascontiguousarray(sitk.GetArrayFromImage(image).T),
        origin=image.GetOrigin(),
        spacing=image.GetSpacing(),
        direction=np.reshape(image.GetDirection(), (3, 3)),
    )


def _ants() -> Any:
    try:
        return importlib.import_module("ants")
    except ImportError as error:
        raise _no_ants() from error


def _no_ants() -> UsageError:
    return UsageError(
        "registration by ANTs needs the package antspyx, which is not installed",
        where="registration.method = 'ants'",
        hint="pip install 'radzoo[ants]', or method = 'simpleitk'",
    )
