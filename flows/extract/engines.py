"""What calculates the families of features: the fast engine, or pyradiomics, which defines the values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from flows.extract.calculators import finite_or_reason, outcomes
from flows.extract.discretisation import Discretisation
from flows.extract.fast.families import MaskFamilies
from flows.extract.fast.layout import MaskLayout
from flows.extract.fast.levels import DegenerateMaskError, MaskLevels
from flows.extract.fast.shape import shape_features
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import Engine

__all__ = ["FilteredMask", "Outcomes", "shape_outcomes"]

Mask = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]
Outcomes = Iterator[tuple[str, float | str]]
"""Each feature of a family with its value, or with the reason why it has none."""


def shape_outcomes(inside: Mask, spacing_mm: Spacing, setting: dict[str, Any], engine: Engine) -> Outcomes:
    """Return the shape features of a mask.

    Parameters
    ----------
    inside : ndarray of bool of shape (z, y, x)
        The mask in its box.
    spacing_mm : tuple of float
        Of the voxels, z, y, x.
    setting : dict
        pyradiomics' settings.
    engine : {'fast', 'pyradiomics'}
        What calculates.
    """

    def reference() -> Outcomes:
        mask = _mask_image(inside, spacing_mm)
        return outcomes("shape", mask, mask, setting)

    if engine == "pyradiomics":
        return reference()
    return _fast("shape", lambda: shape_features(inside, spacing_mm), reference)


class FilteredMask:
    """One mask on one original or filtered image.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The image in the mask's box.
    voxels : ndarray of shape (n_voxels,)
        The intensities inside.
    discretised : Discretisation
        Their grey levels.
    layout : MaskLayout
        Where they lie.
    spacing_mm : tuple of float
        Of the voxels, z, y, x.
    settings : RadiomicsSettings
        What to calculate.
    """

    def __init__(
        self,
        image: npt.NDArray[Any],
        voxels: npt.NDArray[Any],
        discretised: Discretisation,
        layout: MaskLayout,
        spacing_mm: Spacing,
        settings: RadiomicsSettings,
    ) -> None:
        self._image = image
        self._voxels = voxels
        self._discretised = discretised
        self._layout = layout
        self._spacing_mm = spacing_mm
        self._settings = settings

    def outcomes(self, family: str, engine: Engine) -> Outcomes:
        """Return the features of a family but shape."""
        if engine == "pyradiomics":
            return self._reference(family)
        return _fast(family, lambda: self._families.features(family), lambda: self._reference(family))

    @cached_property
    def _families(self) -> MaskFamilies:
        mask = MaskLevels(self._discretised.bins, self._layout, self._spacing_mm, self._settings)
        return MaskFamilies(mask, self._voxels.astype(float, copy=False))

    @cached_property
    def _images(self) -> tuple[sitk.Image, sitk.Image]:
        """Return image and mask as pyradiomics takes them; its families ask for nothing of their place in space."""
        mask = _mask_image(self._layout.inside, self._spacing_mm)
        image = sitk.GetImageFromArray(self._image)
        image.CopyInformation(mask)
        return image, mask

    @cached_property
    def _matrix(self) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
        """Return the grey levels as pyradiomics has them, 0 outside the mask, and which there are."""
        matrix = np.zeros(self._layout.inside.shape, dtype=int)
        matrix.ravel()[self._layout.voxels] = self._discretised.bins
        return matrix, np.flatnonzero(np.bincount(self._discretised.bins))

    def _reference(self, family: str) -> Outcomes:
        setting = self._settings.pyradiomics_parameters()["setting"]
        return outcomes(family, *self._images, setting | {"discretised": self._matrix})


def _mask_image(inside: Mask, spacing_mm: Spacing) -> sitk.Image:
    mask = sitk.GetImageFromArray(inside.astype(np.uint32))
    mask.SetSpacing(spacing_mm[::-1])
    return mask


def _fast(family: str, features: Callable[[], dict[str, float]], reference: Callable[[], Outcomes]) -> Outcomes:
    """Yield what the fast engine gives; of a mask too small for a formula what pyradiomics says."""
    try:
        values = features()
    except MemoryError as error:
        raise MemoryError(family) from error  # another machine could have the value
    except (DegenerateMaskError, ZeroDivisionError):
        yield from reference()
    else:
        yield from ((name, finite_or_reason(value)) for name, value in values.items())
