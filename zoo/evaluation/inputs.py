"""What every statistic checks before it computes: labels, scores, probabilities and levels.

A statistic of data that break one of these rules would be a number without a meaning, so each rule is a
:class:`~schemas.errors.ContractError` that names the argument and the first place where it is broken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError

__all__ = ["binary_labels", "confidence_level", "finite_values", "labelled_probabilities", "labelled_scores"]


def _first(condition: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(condition)[0])


def finite_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return ``values`` as a float vector in which every entry is finite.

    Parameters
    ----------
    values : array_like of shape (n,)
        Numbers.
    name : str
        What the caller calls them, for the error.

    Raises
    ------
    ContractError
        If they are not one row of numbers, or one is missing or infinite.
    """
    raw = np.asarray(values)
    if raw.ndim != 1:
        raise ContractError(f"expected one row of numbers, got an array of shape {raw.shape}", where=name)
    if raw.dtype.kind not in "biufO":
        raise ContractError(f"expected numbers, got {raw.dtype}", where=name)
    try:
        numbers = raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError(f"expected numbers: {error}", where=name) from error
    finite = np.isfinite(numbers)
    if not finite.all():
        at = _first(~finite)
        raise ContractError(
            f"expected finite numbers, got {raw[at]} ({int((~finite).sum())} such in {len(numbers)})",
            where=f"{name}[{at}]",
            hint="drop or impute these patients before the model is judged",
        )
    return numbers


def binary_labels(labels: ArrayLike, name: str = "labels", *, of_both: bool = True) -> NDArray[np.bool_]:
    """Return ``labels`` as a boolean vector, True where the label is 1.

    Parameters
    ----------
    labels : array_like of shape (n,)
        0, 1, False or True.
    name : str
        What the caller calls them, for the error.
    of_both : bool
        Whether both classes must be there; a mean over patients, such as the Brier score, is one of any patients.

    Raises
    ------
    ContractError
        If a label is neither 0 nor 1, or one of the two classes is absent, or all patients are.
    """
    raw = np.asarray(labels)
    if raw.ndim != 1:
        raise ContractError(f"expected one row of labels, got an array of shape {raw.shape}", where=name)
    # Read as text, "0" would be as true as "1".
    known = (raw == 0) | (raw == 1) if raw.dtype.kind in "biufO" else np.zeros(len(raw), dtype=bool)
    if not known.all():
        at = _first(~known)
        raise ContractError(
            f"a label is 0 or 1, got {raw[at]!r} ({int((~known).sum())} such in {len(raw)})",
            where=f"{name}[{at}]",
            hint="leave out patients without a label; they are counted, never guessed",
        )
    positive: NDArray[np.bool_] = raw.astype(bool)
    n_positive = int(positive.sum())
    if n_positive in (0, len(positive)) and (of_both or not len(positive)):
        raise ContractError(
            f"both classes are needed, got {n_positive} patients labelled 1 among {len(positive)}",
            where=name,
            hint="choose a cohort or subgroup in which both outcomes occur",
        )
    return positive


def labelled_scores(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    labels_name: str = "labels",
    scores_name: str = "scores",
    of_both: bool = True,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the checked labels and scores, one of each per patient.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_patients,)
        Finite; a higher score speaks for label 1.
    labels_name, scores_name : str
        What the caller calls them, for the error.
    of_both : bool
        Whether both classes must be there.

    Raises
    ------
    ContractError
        If either breaks its rule, or their lengths differ.
    """
    positive = binary_labels(labels, labels_name, of_both=of_both)
    values = finite_values(scores, scores_name)
    if len(positive) != len(values):
        raise ContractError(
            f"one score per label is needed, got {len(values)} scores for {len(positive)} labels",
            where=scores_name,
            hint="join scores and labels by patient before comparing them",
        )
    return positive, values


def labelled_probabilities(
    labels: ArrayLike, probabilities: ArrayLike, *, of_both: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the checked labels and the predicted probabilities of label 1.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Between 0 and 1, both included.
    of_both : bool
        Whether both classes must be there.

    Raises
    ------
    ContractError
        If either breaks its rule, or their lengths differ.
    """
    positive, values = labelled_scores(labels, probabilities, scores_name="probabilities", of_both=of_both)
    outside = (values < 0) | (values > 1)
    if outside.any():
        at = _first(outside)
        raise ContractError(
            f"a probability lies between 0 and 1, got {values[at]:g}",
            where=f"probabilities[{at}]",
            hint="calibrate the scores on training patients first",
        )
    return positive, values


def confidence_level(level: float) -> float:
    """Return ``level``, checked to lie strictly between 0 and 1.

    Raises
    ------
    ContractError
        If it does not.
    """
    if not 0 < level < 1:
        raise ContractError(f"a confidence level lies between 0 and 1, got {level}", where="level")
    return level
