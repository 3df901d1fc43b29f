"""What ITK, pyradiomics and numpy keep for the whole process, set for a while and set back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

__all__ = ["geometry_tolerance", "one_thread", "quiet"]


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
def one_thread() -> Iterator[None]:
    """Let ITK work on one thread, so that values do not depend on the machine.

    ITK adds up an image's mean and deviation by parts, one a thread: another number of threads moves the last
    bit of every normalised voxel, and where a filtered voxel is zero but for rounding, that bit decides its
    grey level. Plain pyradiomics gave two answers, up to 68 % apart, for one PET scan of thick slices.
    """
    former = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(former)


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
