"""Whether a model has patients enough for its columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["FEWEST_EVENTS", "few_events_note"]

FEWEST_EVENTS = 10
"""Per column of a model, in the smaller class (Peduzzi et al. 1996, doi:10.1016/S0895-4356(96)00236-3)."""


def few_events_note(columns: int, labels: ArrayLike, entered: str) -> str | None:
    """Return what a reader must know of a model with few patients per column, None where they are enough.

    Parameters
    ----------
    columns : int
        How many columns entered the model.
    labels : array-like of shape (n_patients,)
        Of the training patients, two classes.
    entered : str
        What the columns are and what they entered.
    """
    smaller = int(np.unique(np.asarray(labels), return_counts=True)[1].min())
    if smaller >= FEWEST_EVENTS * columns:
        return None
    return (
        f"{columns} {entered} with {smaller} patients in the smaller class: "
        f"{smaller / columns:.1f} events per variable, fewer than {FEWEST_EVENTS}"
    )
