"""What ITK, pyradiomics, numpy and the C library keep for the whole process, set for a while and set back."""

from __future__ import annotations

import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

__all__ = ["geometry_tolerance", "keep_freed_memory", "quiet"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_KEPT_BYTES = 32 << 20  # glibc takes no more
_KEPT_BYTES = 256 << 20


def keep_freed_memory() -> None:
    """Let this process keep the memory of volumes that are freed, for the next ones: a worker makes hundreds alike.

    By itself glibc gives the system back what a large array had, and the next one is cleared page by page: more than
    half of what a wavelet transform takes. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


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
