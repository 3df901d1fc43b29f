"""Values for clinical factors that a patient lacks, learnt in the training fold alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.features.names import PHASE_SEPARATOR

__all__ = ["INDICATOR", "fill_values", "filled", "is_indicator"]

Floats = NDArray[np.float64]

INDICATOR = " missing"
"""Ends the name of the column that says which patients lack a variable."""


def is_indicator(column: str) -> bool:
    """Return whether a column of a model's table says which patients lack a variable; a feature has a phase."""
    return column.endswith(INDICATOR) and PHASE_SEPARATOR not in column


def fill_values(table: Floats) -> Floats:
    """Return what stands in for a missing value of each column, of shape (n_columns,).

    The median of the values there are; in a column of zeros and ones the more frequent one, zero where both are
    equally frequent. A column without any value gets 0.

    Parameters
    ----------
    table : ndarray of shape (n_patients, n_columns)
        The training fold; NaN where missing.
    """
    found = np.zeros(table.shape[1])
    for column, values in enumerate(table.T):
        present = values[~np.isnan(values)]
        if len(present) and np.isin(present, (0.0, 1.0)).all():
            found[column] = float(present.mean() > 0.5)
        elif len(present):
            found[column] = np.median(present)
    return found


def filled(table: Floats, fill: Floats) -> Floats:
    """Return a table whose missing values are replaced by their column's."""
    return np.where(np.isnan(table), fill, table)
