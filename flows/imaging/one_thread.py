"""ITK on one thread for a while, so that values do not depend on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import SimpleITK as sitk

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let ITK work on one thread, so that values do not depend on the machine.

    ITK adds up an image's mean and deviation by parts, one a thread: another number of threads moves the last
    bit of every normalised voxel, and where a filtered voxel is zero but for rounding, that bit decides its
    grey level. Plain pyradiomics gave two answers, up to 68 % apart, for one PET scan of thick slices. A bias
    field moves by more, the splines of a level being fitted to sums.
    """
    former = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(former)
