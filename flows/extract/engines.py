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

Outcomes = Iterator[tuple[str, float | str]]
"""Each feature of a family with its value, or with the reason why it has none."""


def shape_outcomes(image: sitk.Image, mask: sitk.Image, setting: dict[str, Any], engine: Engine) -> Outcomes:
    """Return the shape features of a mask.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        Cropped to the mask.
    setting : dict
        pyradiomics' settings.
    engine : {'fast', 'pyradiomics'}
        What calculates.
    """

    def reference() -> Outcomes:
        return outcomes("shape", image, mask, setting)

    def features() -> dict[str, float]:
        return shape_features(sitk.GetArrayViewFromImage(mask) == 1, mask.GetSpacing()[::-1])

    return reference() if engine == "pyradiomics" else _fast("shape", features, reference)


class FilteredMask:
    """One mask on one original or filtered image.

    Parameters
    ----------
    images : tuple of SimpleITK.Image
        Image and mask, cropped to the mask.
    voxels : ndarray of float of shape (n_voxels,)
        The intensities inside.
    discretised : Discretisation
        Their grey levels.
    layout : MaskLayout
        Where they lie.
    settings : RadiomicsSettings
        What to calculate.
    """

    def __init__(
        self,
        images: tuple[sitk.Image, sitk.Image],
        voxels: npt.NDArray[np.float64],
        discretised: Discretisation,
        layout: MaskLayout,
        settings: RadiomicsSettings,
    ) -> None:
        self._images = images
        self._voxels = voxels
        self._discretised = discretised
        self._layout = layout
        self._settings = settings

    def outcomes(self, family: str, engine: Engine) -> Outcomes:
        """Return the features of a family but shape."""
        if engine == "pyradiomics":
            return self._reference(family)
        return _fast(family, lambda: self._families.features(family), lambda: self._reference(family))

    @cached_property
    def _families(self) -> MaskFamilies:
        spacing_mm = self._images[0].GetSpacing()[::-1]
        mask = MaskLevels(self._discretised.bins, self._layout, spacing_mm, self._settings)
        return MaskFamilies(mask, self._voxels)

    @cached_property
    def _matrix(self) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
        """Return the grey levels as pyradiomics has them, 0 outside the mask, and which there are."""
        matrix = np.zeros(self._layout.inside.shape, dtype=int)
        matrix.ravel()[self._layout.voxels] = self._discretised.bins
        return matrix, np.flatnonzero(np.bincount(self._discretised.bins))

    def _reference(self, family: str) -> Outcomes:
        setting = self._settings.pyradiomics_parameters()["setting"]
        return outcomes(family, *self._images, setting | {"discretised": self._matrix})


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
