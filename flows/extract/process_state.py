"""What ITK, pyradiomics and numpy keep for the whole process, set for a while and set back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

__all__ = ["geometry_tolerance", "quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pyradiomics' log and numpy's warnings of divisions by zero off the terminal."""
    logger = logging.getLogger("radiomics")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def geometry_tolerance(tolerance: float) -> Iterator[None]:
    """Set ITK's tolerances, which are global to the process, and set them back."""
    process = sitk.ProcessObject
    former = process.GetGlobalDefaultCoordinateTolerance(), process.GetGlobalDefaultDirectionTolerance()
    process.SetGlobalDefaultCoordinateTolerance(tolerance)
    process.SetGlobalDefaultDirectionTolerance(tolerance)
    try:
        yield
    finally:
        process.SetGlobalDefaultCoordinateTolerance(former[0])
        process.SetGlobalDefaultDirectionTolerance(former[1])
