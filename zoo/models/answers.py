"""What a fitted model says of a table: probabilities, contributions, and whom it does not know.

Asked alike of a model of the store, in this process, and of one from elsewhere, in a process of its own: what goes in
is a table, what comes out are arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from schemas.errors import ContractError
from zoo.fitted_parts import parts_of
from zoo.models.contributions import Contributions, contributions, last_step
from zoo.models.example_answers import refuse_other_answers
from zoo.radiomics.combat import BATCH_PREFIX, ComBatHarmoniser
from zoo.saving.files import RESTORE

__all__ = ["Answers", "Question", "model_answers", "refuse_other_columns"]

_OTHER = "the estimator is not the one that the record beside it describes"


@dataclass(frozen=True)
class Question:
    """Patients' inputs, and what is asked of the model about them."""

    table: pl.DataFrame
    """The model's columns in its order, a row a patient."""
    references: Mapping[str, Any]
    explain: bool
    examples: Mapping[str, Any] | None = None
    """What the model said of made-up patients when it was saved."""


@dataclass(frozen=True)
class Answers:
    """A model's answers, a row a patient of the table."""

    known: NDArray[np.bool_]
    """Whether the model's training had the patient's batch; all are known to a model without batches."""
    reasons: tuple[str | None, ...]
    """Why there is no answer."""
    probabilities: NDArray[np.float64]
    """Of the known patients."""
    parts: Contributions | None
    """Of the known patients."""


def model_answers(estimator: BaseEstimator, question: Question) -> Answers:
    """Return what a model says of patients.

    Raises
    ------
    ContractError
        If the model reads other columns than the table has, does not say of the examples what it said, or what it
        says is no probability.
    """
    table = question.table
    refuse_other_columns(estimator, table.columns)
    refuse_other_answers(estimator, table.columns, question.examples, question.references)
    known, reasons = _known_batches(estimator, table)
    answered = table.filter(pl.Series(known))
    probabilities = _probabilities(estimator, answered)
    parts = None
    if question.explain and answered.height:
        parts = contributions(last_step(estimator, answered, question.references))
    return Answers(known, reasons, probabilities, parts)


def refuse_other_columns(estimator: BaseEstimator, columns: Sequence[str]) -> None:
    """Refuse an estimator that was fitted on other columns than its record says.

    Raises
    ------
    ContractError
        If their number or their names are others.
    """
    number = getattr(estimator, "n_features_in_", None)
    if number is not None and number != len(columns):
        raise ContractError(f"{_OTHER}: it reads {number} columns, not {len(columns)}", hint=RESTORE)
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and [str(name) for name in names] != list(columns):
        raise ContractError(f"{_OTHER}: it reads columns of other names", hint=RESTORE)
    classes = getattr(estimator, "classes_", None)
    if classes is not None and np.asarray(classes).tolist() != [0, 1]:
        raise ContractError(f"{_OTHER}: it tells other labels than 0 and 1", hint=RESTORE)


def _probabilities(estimator: BaseEstimator, table: pl.DataFrame) -> NDArray[np.float64]:
    if not table.height:
        return np.empty(0)
    found = np.asarray(estimator.predict_proba(table), dtype=np.float64)
    if found.shape != (table.height, 2) or not ((found >= 0) & (found <= 1)).all():
        # NaN is neither; compared with a threshold it would be a negative answer.
        raise ContractError("what the model gives are no probabilities: NaN, or not between 0 and 1", hint=RESTORE)
    return found[:, 1].copy()


def _known_batches(estimator: BaseEstimator, table: pl.DataFrame) -> tuple[NDArray[np.bool_], tuple[str | None, ...]]:
    """Return whose batch the model's training had, and why the others have no answer."""
    harmoniser = next((part for part in parts_of(estimator) if isinstance(part, ComBatHarmoniser)), None)
    if harmoniser is None:
        return np.ones(table.height, dtype=bool), (None,) * table.height
    codes = table[str(harmoniser.batch)].to_numpy()
    known = np.isin(codes, harmoniser.batches_)
    variable = str(harmoniser.batch).removeprefix(BATCH_PREFIX)
    reasons = tuple(
        None if is_known else f"no training patient was of this batch, {variable} = {code:g}"
        for is_known, code in zip(known, codes, strict=True)
    )
    return known, reasons
