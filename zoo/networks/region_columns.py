"""Columns that hold image regions: one a phase, each cell the slices of a patient's registered crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.features.names import PHASE_SEPARATOR

__all__ = ["REGION_SUFFIX", "is_region_column", "region_column", "region_columns", "region_images"]

REGION_SUFFIX = f"{PHASE_SEPARATOR}region"
"""What follows the phase in the name of a region's column."""


def region_column(phase: str) -> str:
    """Return the name of a phase's column of regions."""
    return f"{phase}{REGION_SUFFIX}"


def is_region_column(name: str) -> bool:
    """Return whether a column of that name holds regions."""
    return name.endswith(REGION_SUFFIX)


def region_columns(names: Sequence[str]) -> list[str]:
    """Return the columns of regions among some columns, in their order."""
    return [name for name in names if is_region_column(name)]


def region_images(frame: pl.DataFrame) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the phases of a table, in the columns' order, and the patients' regions.

    Parameters
    ----------
    frame : polars.DataFrame
        With columns ``PHASE__region`` of type ``Array(Float32, (n_slices, size, size))``; others are ignored.

    Returns
    -------
    phases : tuple of str
        One for each column.
    images : ndarray of shape (n_patients, n_phases, n_slices, size, size)
        32-bit floats.

    Raises
    ------
    ContractError
        If there is no such column, the columns differ in shape, or a value is missing or not finite.
    """
    if not isinstance(frame, pl.DataFrame):
        raise ContractError("a network tells its columns by their names: give a polars frame")
    names = region_columns(frame.columns)
    if not names:
        raise ContractError(f"the table has no regions: no column is called PHASE{REGION_SUFFIX}")
    shapes = {name: _shape(frame[name]) for name in names}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ContractError(f"the phases' regions differ in shape: {told}")
    images = np.stack([frame[name].to_numpy() for name in names], axis=1).astype(np.float32, copy=False)
    if not np.isfinite(images).all():
        row, phase = np.argwhere(~np.isfinite(images).all(axis=(2, 3, 4)))[0]
        raise ContractError(f"a region holds values that are no numbers: row {row}", where=names[phase])
    return tuple(name.removesuffix(REGION_SUFFIX) for name in names), np.ascontiguousarray(images)


def _shape(column: pl.Series) -> tuple[int, ...]:
    kind = column.dtype
    if not isinstance(kind, pl.Array) or len(kind.shape) != 3 or kind.shape[1] != kind.shape[2]:
        raise ContractError(f"a region is an Array(Float32, (slices, size, size)), not {kind}", where=column.name)
    if column.null_count():
        raise ContractError(f"{column.null_count()} patients have no region", where=column.name)
    return tuple(kind.shape)
