"""Clinical values as they were last known at a study's reference date.

Two axes of time meet here: ``observed_at`` is compared with the reference date, and a snapshot has only
what was recorded up to its commit. The view ``clinical_at_reference`` says the same in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from schemas.day_window import DayWindow, days
from store.history.snapshot import Snapshot

__all__ = ["ClinicalAtReference", "clinical_at_reference", "value_at_reference"]

Row = dict[str, Any]


@dataclass(frozen=True)
class ClinicalAtReference:
    """What is known of each patient at a study's reference date, by patient and variable."""

    values: dict[str, dict[str, Row]] = field(default_factory=dict)
    """The row of `clinical` that holds, with ``days_before`` and ``reference_on``."""
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)
    """Why no value of a variable holds, although there are some."""


def clinical_at_reference(snapshot: Snapshot, study: str) -> ClinicalAtReference:
    """Return the clinical values last known at a study's reference date, as of a snapshot.

    A patient without a row in ``reference_dates`` belongs to a study without reference dates: the last
    observed value holds. A patient whose reference date is unknown has none of the dated values, for any of
    them may lie after it.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit: what was recorded, corrected or removed later is not seen.
    study : str
        Whose reference dates and windows; the default window is all time up to the reference date.
    """
    references = {row["patient"]: row["reference_on"] for row in snapshot.rows("reference_dates", study=study)}
    windows = {
        # Rows of a store that knew no windows have NULL for both ends.
        row["variable"]: DayWindow(row["window_first"], row["window_last"] or 0)
        for row in snapshot.rows("variables", study=study)
    }
    histories: dict[tuple[str, str], list[Row]] = {}
    for row in snapshot.rows("clinical"):
        histories.setdefault((row["patient"], row["variable"]), []).append(row)
    found = ClinicalAtReference()
    for (patient, variable), history in histories.items():
        if patient in references:
            window = windows.get(variable, DayWindow())
            value, reason = value_at_reference(history, references[patient], window)
        else:
            value = _dated(max(history, key=lambda row: str(row["observed_at"])), None)
            reason = None
        if value is not None:
            found.values.setdefault(patient, {})[variable] = value
        elif reason is not None:
            found.reasons.setdefault(patient, {})[variable] = f"{variable}: {reason}"
    return found


def value_at_reference(
    history: Iterable[Mapping[str, Any]], reference_on: str | None, window: DayWindow
) -> tuple[Row | None, str | None]:
    """Return the row of one variable's history that holds at a reference date, or None and the reason.

    The latest row whose ``observed_at`` lies in the window; else the row without a date, if there is one.

    Parameters
    ----------
    history : iterable of mapping
        Rows with ``observed_at``, an ISO 8601 date or empty, each date once.
    reference_on : str or None
        The reference date (ISO 8601), None where it is not known.
    window : DayWindow
        The days relative to it that count.
    """
    rows = [_dated(row, reference_on) for row in history]
    undated = [row for row in rows if not row["observed_at"]]
    dated = [row for row in rows if row["days_before"] is not None]
    if inside := [row for row in dated if -row["days_before"] in window]:
        return min(inside, key=_days_before), None
    if undated:
        return undated[0], None
    if not rows:
        return None, "no value"
    if not dated:
        return None, "no reference date, and a value after it must not be read"
    too_old = [row for row in dated if -row["days_before"] < window.last]
    nearest = _days_before(min(too_old, key=_days_before) if too_old else max(dated, key=_days_before))
    if nearest < 0:
        return None, f"first value {days(-nearest)} after the reference date"
    return None, f"{'last' if too_old else 'first'} value {days(nearest)} before, window {window}"


def _dated(row: Mapping[str, Any], reference_on: str | None) -> Row:
    days_before = None
    if reference_on is not None and row["observed_at"]:
        days_before = (date.fromisoformat(reference_on) - date.fromisoformat(row["observed_at"])).days
    return {**row, "days_before": days_before, "reference_on": reference_on}


def _days_before(row: Mapping[str, Any]) -> int:
    return int(row["days_before"])
