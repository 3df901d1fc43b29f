"""How large an image may be, and how fine or far its grid: known from its header, before a voxel is read."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from schemas.errors import ContractError
from schemas.settings import IMAGE_BYTES, limit_setting

__all__ = ["SHEARED", "refuse_extreme_grid", "refuse_extreme_origin", "refuse_extreme_spacing", "refuse_large"]

SHEARED = "the axes are not at right angles (a sheared orientation, as of a tilted gantry): resample the image"
_RIGHT_ANGLE = 1e-3

_FINEST_MM, _COARSEST_MM, _FURTHEST_MM = 1e-5, 1e4, 1e6


def refuse_large(sizes: Sequence[int], itemsize: int) -> None:
    """Refuse an image with more bytes of voxels than are read.

    Parameters
    ----------
    sizes : sequence of int
        Voxels along each axis.
    itemsize : int
        Bytes of a voxel in memory.

    Raises
    ------
    ContractError
        With the setting that raises the limit.
    """
    most = limit_setting(IMAGE_BYTES, os.environ)
    declared = math.prod(sizes) * itemsize
    if declared > most:
        raise ContractError(
            f"its header counts {'x'.join(str(each) for each in sizes)} voxels, {declared} bytes, and at most {most} "
            f"are read: where it is that large, set {IMAGE_BYTES.variable} to more and run radzoo ingest again"
        )


def refuse_extreme_spacing(spacing: Sequence[float]) -> None:
    """Refuse a spacing in mm that no scanner has."""
    if not all(_FINEST_MM <= each <= _COARSEST_MM for each in spacing):
        written = ", ".join(f"{each:g}" for each in spacing)
        raise ContractError(f"the spacing ({written}) mm is none of an image: {_FINEST_MM:g} to {_COARSEST_MM:g} are")


def refuse_extreme_origin(origin: Sequence[float]) -> None:
    """Refuse an origin in mm that no scanner has."""
    if not all(abs(each) <= _FURTHEST_MM for each in origin):
        written = ", ".join(f"{each:g}" for each in origin)
        raise ContractError(f"the origin ({written}) mm is none of an image: it lies beyond {_FURTHEST_MM:g} mm")


def refuse_extreme_grid(spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]) -> None:
    """Refuse a grid that no scanner has: its numbers are damaged, and comparisons with it would mean nothing.

    Parameters
    ----------
    spacing, origin : sequence of 3 floats
        In mm.
    direction : sequence of 9 floats
        Direction cosines, row by row.

    Raises
    ------
    ContractError
        When numbers are beyond what images have, or the axes are not at right angles.
    """
    refuse_extreme_spacing(spacing)
    refuse_extreme_origin(origin)
    axes = np.reshape(direction, (3, 3))
    with np.errstate(all="ignore"):
        # A NaN is no smaller than the bound.
        if not np.abs(axes.T @ axes - np.eye(3)).max() <= _RIGHT_ANGLE:
            raise ContractError(SHEARED)
