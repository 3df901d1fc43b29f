"""Missing values where a complete table is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError

__all__ = ["MissingValuesError", "refuse_missing"]


class MissingValuesError(ContractError, ValueError):
    """A table holds missing values where a complete one is needed.

    Also a ``ValueError``, which is what scikit-learn's callers expect of bad data.
    """


def refuse_missing(X: NDArray[np.float64], names: Sequence[str]) -> None:
    """Refuse a table with missing values, naming its columns and how many each lacks."""
    counts = np.isnan(X).sum(axis=0)
    if counts.any():
        listed = ", ".join(f"{names[column]} ({counts[column]})" for column in np.flatnonzero(counts).tolist())
        raise MissingValuesError(
            f"missing values (NaN), column (count): {listed}",
            hint="leave the column out of the study's clinical inputs, or put an imputer before the model",
        )
