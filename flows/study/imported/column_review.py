"""What becomes of the columns of a feature table: kept, left out with the reason, or kept with a warning."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.study.bookkeeping import bookkeeping_reason
from schemas.study.file import Study

__all__ = ["ColumnNote", "ColumnReview", "identifying_columns", "identifying_variables", "numbering_columns"]

_FEWEST_ROWS = 8
_FEWEST_OF_A_CLASS = 6
_NEAR_PERFECT = 0.98
_BY_CHANCE = 0.01
_FEWEST_DIFFERENT = 20
_MOSTLY = 0.8
_FIRST_DAY, _LAST_DAY = 19000101, 21001231
_YEAR_2000_S, _YEAR_2035_S = 946_684_800, 2_051_222_400
_FIRST_YEAR, _LAST_YEAR, _FEWEST_YEARS = 1900, 2035, 6
_IDENTIFYING = ("as an identifier", "as personal data", "as a date or a time", "as an index of rows")
_DIGITS_RISING, _DIGITS_OF_IDENTIFIER = 4, 7
_NAMED_FEATURE = re.compile(r"(?i)(shape|shape2d|firstorder|glcm|gldm|glrlm|glszm|ngtdm|volume|energy|count|voxel)")

Numbers = NDArray[np.float64]


class ColumnNote(NamedTuple):
    """A column and what is to be known of it."""

    column: str
    reason: str


@dataclass(frozen=True)
class ColumnReview:
    """The columns of one table."""

    kept: tuple[str, ...]
    left_out: tuple[ColumnNote, ...]
    """Columns that nobody excluded and that are no features."""
    excluded: tuple[str, ...]
    """Columns that the study file excludes or does not include."""
    warned: tuple[ColumnNote, ...]
    """Kept columns that may be no features."""


def identifying_columns(numbers: Mapping[str, Numbers], labels: NDArray[Any]) -> list[ColumnNote]:
    """Return the columns whose values look like numbers of rows or patients, or that tell the outcome alone.

    Parameters
    ----------
    numbers : mapping of str to ndarray of shape (n_patients,)
        Each column's values in the order of the rows, one a patient; NaN where missing.
    labels : ndarray of shape (n_patients,)
        Each patient's label, 0 or 1; NaN where there is none.
    """
    found = []
    for column, values in numbers.items():
        is_there = ~np.isnan(values)
        reason = _numbering(values[is_there], labels[is_there]) or _telling(
            values[is_there], labels[is_there], len(numbers)
        )
        if reason is not None:
            found.append(ColumnNote(column, reason))
    return found


def numbering_columns(numbers: Mapping[str, Numbers]) -> list[ColumnNote]:
    """Return the columns that are identifiers, dates or numbers of rows by what they hold, whatever they are called.

    Only what hardly any measurement is: whole numbers that count or rise from row to row, that have as many digits as
    an identifier and never stand twice, or that read as days, as seconds since 1970 or as years. Features whose names
    say what they are, as pyradiomics', are never among them.

    Parameters
    ----------
    numbers : mapping of str to ndarray of shape (n_patients,)
        As for `identifying_columns`.
    """
    found = []
    for column, values in numbers.items():
        there = values[~np.isnan(values)]
        if len(there) < _FEWEST_DIFFERENT or len(there) < _MOSTLY * len(values) or not np.all(there == np.round(there)):
            continue
        if not _NAMED_FEATURE.search(column) and (reason := _certain(there)) is not None:
            found.append(ColumnNote(column, reason))
    return found


def identifying_variables(study: Study, clinical: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence for each clinical variable that identifies patients, by its heading or by its values.

    Parameters
    ----------
    study : Study
        The study: a model reads a clinical variable only where its ``factors`` name it.
    clinical : iterable of mapping
        Rows of ``clinical``.
    """
    first: dict[str, dict[str, float]] = {name: {} for name in study.clinical.variables}
    for row in clinical:
        if row["value"] is not None:
            first[row["variable"]].setdefault(row["patient"], row["value"])
    by_value = {
        note.column: note.reason.partition(":")[0]
        for note in numbering_columns({name: np.array([*of.values()], dtype=float) for name, of in first.items() if of})
    }
    found = []
    for name, variable in study.clinical.variables.items():
        by_name = (bookkeeping_reason(each) for each in (name, variable.column or name))
        reason = next((each for each in by_name if each in _IDENTIFYING), by_value.get(name))
        if reason is not None:
            found.append(
                f"clinical variable '{name}' is known {reason}: no model reads it unless its 'factors' name it; take "
                "it out of [clinical.variables] unless you need it"
            )
    return tuple(found)


def _certain(values: Numbers) -> str | None:
    low, high, different = float(values.min()), float(values.max()), len(np.unique(values))
    if low >= _FIRST_DAY and high <= _LAST_DAY and _are_days(values):
        return "as dates: whole numbers that read as YYYYMMDD"
    for unit, factor in (("seconds", 1), ("milliseconds", 1_000)):
        if low >= _YEAR_2000_S * factor and high <= _YEAR_2035_S * factor:
            return f"as times: whole numbers that read as {unit} since 1970, from 2000 on"
    if low >= _FIRST_YEAR and high <= _LAST_YEAR and different >= _FEWEST_YEARS:
        return f"as years: whole numbers from {low:.0f} to {high:.0f}"
    if different < len(values):
        return None
    if high - low == len(values) - 1:
        return f"as running numbers: every whole number from {low:.0f} to {high:.0f} once"
    digits = len(f"{low:.0f}")
    if low <= 0 or digits != len(f"{high:.0f}"):
        return None
    if digits >= _DIGITS_RISING and _is_rising(values):
        return f"as an identifier: whole numbers of {digits} digits that rise or fall from row to row"
    if digits >= _DIGITS_OF_IDENTIFIER:
        return f"as an identifier: whole numbers of {digits} digits, a different one in every row"
    return None


def _are_days(values: Numbers) -> bool:
    months, days = values // 100 % 100, values % 100
    return bool(np.all((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)))


def _numbering(values: Numbers, labels: NDArray[Any]) -> str | None:
    if len(values) < _FEWEST_ROWS or not np.all(values == np.round(values)):
        return None
    number = len(values)
    is_unique = len(np.unique(values)) == number
    low, high = values.min(), values.max()
    if is_unique and high - low == number - 1:
        return f"counts: every whole number from {low:.0f} to {high:.0f} once"
    if _is_rising(values):
        return "holds whole numbers that rise or fall from row to row, as running numbers do"
    classes = [values[labels == label] for label in (0, 1)]
    if all(len(each) >= _FEWEST_OF_A_CLASS and _is_rising(each) for each in classes):
        return "counts within each class of the outcome, so that the number may tell the class"
    digits = {len(f"{abs(value):.0f}") for value in (low, high)}
    if is_unique and number >= _FEWEST_DIFFERENT:
        if high - low < 2 * number:
            return f"holds whole numbers from {low:.0f} to {high:.0f}, a different one in every row"
        if len(digits) == 1 and min(digits) >= 4 and low > 0:
            return f"holds whole numbers of {min(digits)} digits, a different one in every row"
    return None


def _telling(values: Numbers, labels: NDArray[Any], columns: int) -> str | None:
    negative, positive = np.sort(values[labels == 0]), values[labels == 1]
    if not len(negative) or not len(positive):
        return None
    # How often one of so many random columns would part the classes by chance.
    if math.log(2 * columns) - _log_combinations(len(negative), len(positive)) > math.log(_BY_CHANCE):
        return None
    below = np.searchsorted(negative, positive, side="left") + np.searchsorted(negative, positive, side="right")
    auc = float(below.mean()) / (2 * len(negative))
    if max(auc, 1 - auc) < _NEAR_PERFECT:
        return None
    return f"tells the outcome almost alone (AUC {max(auc, 1 - auc):.3f} over all patients)"


def _log_combinations(one: int, other: int) -> float:
    """Return the logarithm of how many ways there are to choose ``one`` of ``one + other``."""
    return math.lgamma(one + other + 1) - math.lgamma(one + 1) - math.lgamma(other + 1)


def _is_rising(values: Sequence[float] | Numbers) -> bool:
    steps = np.diff(np.asarray(values))
    return bool(np.all(steps > 0) or np.all(steps < 0))
