"""Fits of models that say in a sentence why they cannot be made."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from schemas.errors import ContractError
from schemas.features.names import PHASE_SEPARATOR
from zoo.logistic.firth import leave_out_intervals
from zoo.logistic.person_folds import person_folds
from zoo.weighting.steps import fit_options
from zoo.weighting.sums import parts

__all__ = [
    "TOO_FEW",
    "UnfitError",
    "fit_model",
    "held_out_probabilities",
    "label_probabilities",
    "plain_numerics",
]

_INNER_FOLDS = 5
_INNER_SEED = 20260101

TOO_FEW = "radzoo sql 'from failures' shows what is missing; else the study needs more labelled patients"
"""What to do where a model has too few patients."""

_OWN_CODE = Path(__file__).parents[1]


class UnfitError(ContractError):
    """A model cannot be fitted or judged on the patients there are; other models can be."""


def fit_model(
    estimator: BaseEstimator,
    table: pl.DataFrame,
    labels: NDArray[np.int64],
    *,
    model: str,
    place: str,
    hint: str,
    people: Sequence[str] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> BaseEstimator:
    """Fit a model and return it.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted.
    table : polars.DataFrame
        The training patients' columns.
    labels : ndarray of shape (n_patients,)
        Their labels.
    model : str
        Name of the zoo.
    place : str
        Which patients these are, such as ``split 'main'``.
    hint : str
        What to do where there are too few.
    people : sequence of str, optional
        The person behind each row, for an estimator that divides them into folds of its own.
    weights : ndarray of shape (n_patients,), optional
        How much each patient counts, for every step that takes weights (`zoo.weighting.steps`).

    Raises
    ------
    UnfitError
        When these patients do not suffice, with their number in each class and the reason.
    """
    events = int(labels.sum())

    def unfit(reason: str, hint: str = hint) -> UnfitError:
        patients = f"{len(labels)} training patients, {events} with label 1 and {len(labels) - events} with label 0"
        return UnfitError(f"'{model}' cannot be fitted to {patients}: {reason}", where=place, hint=hint)

    if len(set(labels.tolist())) < 2:
        raise unfit("both labels are needed")
    if not table.width:
        raise unfit("no column is left for it to read")
    try:
        with plain_numerics():
            return estimator.fit(table, labels, **fit_options(estimator, weights, people))
    except ContractError as error:
        raise unfit(error.message, error.hint or hint) from error
    except (ValueError, ArithmeticError) as error:
        if same := _sameness(table):
            raise unfit(same, "look at the table or feature set: all training patients have the same values") from error
        raise unfit(_reason(error)) from error
    except Exception as error:  # what a package's code does is unknown
        if not _is_of_package(estimator):
            raise
        raise unfit(f"{type(error).__name__}: {_reason(error)}") from error


def label_probabilities(
    estimator: BaseEstimator, table: pl.DataFrame, *, model: str, place: str
) -> NDArray[np.float64]:
    """Return a fitted model's probabilities of label 1.

    Raises
    ------
    UnfitError
        When what it says is no probability, as that of another package may.
    """
    try:
        with plain_numerics():
            found = np.asarray(estimator.predict_proba(table), dtype=np.float64)
    except Exception as error:
        if not _is_of_package(estimator):
            raise
        raise UnfitError(f"'{model}' gives no probabilities: {_reason(error)}", where=place, hint=_ASK) from error
    classes = np.asarray(getattr(estimator, "classes_", (0, 1))).tolist()
    if found.shape != (table.height, 2) or not ((found >= 0) & (found <= 1)).all() or classes != [0, 1]:
        reason = "what it gives are not the probabilities of label 0 and label 1, between 0 and 1"
        raise UnfitError(f"'{model}' gives no probabilities: {reason}", where=place, hint=_ASK)
    return found[:, 1]


def held_out_probabilities(
    unfitted: BaseEstimator,
    fitted: BaseEstimator,
    table: pl.DataFrame,
    labels: NDArray[np.int64],
    *,
    model: str,
    place: str,
    hint: str,
    people: Sequence[str] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows of training patients whom a fit, or copies of it, had not seen, and their probabilities.

    A model that holds patients out by itself, to be tuned or to know when to stop, has them (``held_out_rows_``). Of
    any other, copies are fitted to four of five folds; where a label has one person only there are none.

    Parameters
    ----------
    unfitted, fitted : BaseEstimator
        The model before and after its fit.
    table, labels, model, place, hint, people, weights
        As `fit_model` takes them.

    Raises
    ------
    UnfitError
        When a fold leaves too few to fit to.
    """
    if hasattr(fitted, "held_out_rows_"):
        return np.asarray(fitted.held_out_rows_, dtype=np.int64), np.asarray(fitted.held_out_probabilities_)
    divided = person_folds(labels, people, _INNER_FOLDS, _INNER_SEED)
    if not divided:
        return np.empty(0, dtype=np.int64), np.empty(0)
    found = np.empty(len(labels))
    for number, (training, judged) in enumerate(divided):
        where = f"{place}, inner fold {number}"
        own = None if people is None else [people[row] for row in training]
        seen = table[training.tolist()]
        with leave_out_intervals():
            copy = fit_model(
                clone(unfitted),
                seen,
                labels[training],
                model=model,
                place=where,
                hint=hint,
                people=own,
                weights=parts(weights, training),
            )
        found[judged] = label_probabilities(copy, table[judged.tolist()], model=model, place=where)
    return np.arange(len(labels)), found


_ASK = "ask who made the model's package"
_OWN = ("zoo", "sklearn", "xgboost")


def _is_of_package(estimator: BaseEstimator) -> bool:
    """Return whether a part of an estimator is a type of another package."""
    parts = (estimator, *estimator.get_params(deep=True).values())
    return any(
        isinstance(each, BaseEstimator) and type(each).__module__.partition(".")[0] not in _OWN for each in parts
    )


@contextmanager
def plain_numerics() -> Iterator[None]:
    """Let numerical libraries divide and overflow in silence: what comes of it is checked where it is used."""
    with np.errstate(all="ignore"):
        yield


def _sameness(table: pl.DataFrame) -> str | None:
    """Return that no column varies, where none does: what a library says of it does not name the cause."""
    features = [name for name in table.columns if PHASE_SEPARATOR in name]
    for names, what in ((table.columns, "column"), (features, "feature")):
        if names and not any(_varies(table[name]) for name in names):
            return f"none of the {len(names)} {what}s takes two values among them"
    return None


def _varies(column: pl.Series) -> bool:
    return not column.dtype.is_numeric() or column.drop_nulls().drop_nans().n_unique() > 1


def _reason(error: Exception) -> str:
    """Return why a fit failed; a library's own words are given as its words."""
    said = " ".join(str(error).split()) or type(error).__name__
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    if raised_in.is_relative_to(_OWN_CODE):
        return said
    library = next((part for part in _LIBRARIES if part in raised_in.parts), "Python")
    return f"{_LIBRARIES.get(library, library)} says '{said}'"


_LIBRARIES = {
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "scipy": "SciPy",
    "statsmodels": "statsmodels",
    "numpy": "NumPy",
    "torch": "PyTorch",
    "monai": "MONAI",
}
