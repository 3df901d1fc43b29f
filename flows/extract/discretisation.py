"""Intensities as grey levels: the bins of a mask's voxels, and which features so many of them allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from radiomics import imageoperations

from flows.extract.calculators import FEATURES
from flows.extract.fast import kernels
from schemas.features.grey_levels import MOST_BINS, grey_levels, histogram_fault, texture_fault
from schemas.features.radiomics_settings import RadiomicsSettings

__all__ = ["Discretisation", "discretisation"]

Array = npt.NDArray[Any]

_OF_THE_HISTOGRAM = ("Entropy", "Uniformity")
_LARGEST_COUNT = 2**53  # no larger integer passes through JSON unchanged


@dataclass(frozen=True)
class Discretisation:
    """A mask's voxels in bins.

    Attributes
    ----------
    bins : ndarray of int of shape (n_voxels,)
        The grey level of each voxel, from 1; 1 everywhere where the levels are too many to bin.
    levels : int
        The highest grey level.
    """

    bins: Array
    levels: int

    def faults(self, family: str, settings: RadiomicsSettings) -> dict[str, str]:
        """Return the features of a family that so many grey levels do not allow, each with the reason."""
        by_count = settings.bin_count is not None
        if family == "firstorder":
            fault = histogram_fault(self.levels, by_count=by_count)
            return dict.fromkeys(_OF_THE_HISTOGRAM, fault) if fault else {}
        fault = texture_fault(self.levels, family, _angles(settings), by_count=by_count)
        return dict.fromkeys(FEATURES[family], fault) if fault else {}


def discretisation(voxels: Array, settings: RadiomicsSettings) -> Discretisation:
    """Return the grey levels of a mask's voxels.

    How many there are is known before anything is allocated for them.

    Parameters
    ----------
    voxels : ndarray of shape (n_voxels,)
        Intensities.
    settings : RadiomicsSettings
        Which give the bins' width or count.
    """
    lowest, highest = voxels.min(), voxels.max()
    expected = grey_levels(float(lowest), float(highest), settings.bin_width, settings.bin_count)
    if expected > MOST_BINS:
        return Discretisation(np.ones(len(voxels), int), int(min(expected, _LARGEST_COUNT)))
    setting = settings.pyradiomics_parameters()["setting"]
    # The bin edges depend on the extremes alone; over all voxels pyradiomics finds them in Python loops.
    edges = imageoperations.getBinEdges(np.array([lowest, highest]), **setting)
    bins = _uniform_bins(voxels, edges)
    return Discretisation(bins, int(bins.max()))


def _uniform_bins(voxels: Array, edges: Array) -> Array:
    """Return what ``numpy.digitize`` gives for edges that are equally far apart, without a search for each voxel."""
    # Edges in single precision are not equally far apart, and a quotient may be further off than by one.
    real = voxels if voxels.dtype in (np.float32, np.float64) else voxels.astype(np.float64)
    bins = kernels.uniform_bins(np.ascontiguousarray(real), edges.astype(np.float64, copy=False))
    return np.digitize(voxels, edges) if bins is None else bins


def _angles(settings: RadiomicsSettings) -> int:
    """Return the directions of all neighbours, one of each opposite pair."""
    if settings.force_2d:
        return sum(4 * distance for distance in settings.distances_voxels)
    return sum(12 * distance**2 + 1 for distance in settings.distances_voxels)
