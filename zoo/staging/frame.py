"""All comparators, and what one of them says of each patient of a clinical table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from schemas.errors import ContractError, UsageError
from zoo.staging.comparators import COMPARATORS
from zoo.staging.description import Comparator
from zoo.staging.inputs import Category, Observation
from zoo.staging.results import Stage

__all__ = ["COMPARATORS", "COMPARATOR_SCHEMA", "comparator_frame"]

COMPARATOR_SCHEMA = pl.Schema(
    {
        "patient": pl.String(),
        "score": pl.Float64(),
        "grade": pl.String(),
        "reason": pl.String(),
        "notes": pl.List(pl.String()),
    }
)


def comparator_frame(
    comparator: Comparator,
    rows: Iterable[Mapping[str, Any]],
    *,
    patients: Iterable[str] | None = None,
    variables: Mapping[str, str] | None = None,
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> pl.DataFrame:
    """Return one row per patient: score or order of the stage, grade or stage, reason, notes.

    Parameters
    ----------
    comparator : Comparator
        Which one.
    rows : iterable of mappings
        The clinical table, long: patient, variable, value, level, unit, and observed_at where it is known. At
        most one row per patient and variable, the one that holds at the study's reference date. Variables that
        the comparator does not read are ignored.
    patients : iterable of str, optional
        Who gets a row, a patient without any clinical value too; by default all patients of ``rows``.
    variables : Mapping[str, str], optional
        Name of an input -> name of the study's variable, where they differ.
    words : Mapping[str, Mapping[str, str]], optional
        Name of an input -> the study's level -> the comparator's level, where the study's words differ.

    Returns
    -------
    polars.DataFrame
        Of `COMPARATOR_SCHEMA`, by patient. ``score`` is the score itself or the stage's order, not turned by
        the direction; it is null exactly where ``reason`` is not.

    Raises
    ------
    UsageError
        If ``variables`` or ``words`` names an input or a level that the comparator does not have.
    ContractError
        If a patient has two rows of one variable.
    """
    renamed, translated = variables or {}, words or {}
    _refuse_unknown_names(comparator, renamed, translated)
    input_of = {renamed.get(name, name): name for name in comparator.inputs}
    seen: dict[str, dict[str, Observation]] = {} if patients is None else {patient: {} for patient in patients}
    for row in rows:
        if row["patient"] not in seen:
            if patients is not None:
                continue
            seen[row["patient"]] = {}
        name = input_of.get(row["variable"])
        if name is None:
            continue
        if name in seen[row["patient"]]:
            raise ContractError(
                f"patient '{row['patient']}' has two values of '{row['variable']}'",
                hint="give the one value that holds at the study's reference date",
            )
        seen[row["patient"]][name] = _observation(row, translated.get(name, {}))
    judged = [(patient, comparator.assess(values)) for patient, values in sorted(seen.items())]
    return pl.DataFrame(
        [
            (patient, _number(result.order), result.value, result.reason, [])
            if isinstance(result, Stage)
            else (patient, result.value, result.grade, result.reason, list(result.notes))
            for patient, result in judged
        ],
        schema=COMPARATOR_SCHEMA,
        orient="row",
    )


def _observation(row: Mapping[str, Any], words: Mapping[str, str]) -> Observation:
    level, observed_at = row.get("level"), row.get("observed_at")
    return Observation(
        value=row.get("value"),
        unit=row.get("unit"),
        level=None if level is None else words.get(level, level),
        observed_at=None if observed_at is None else str(observed_at),
    )


def _number(order: int | None) -> float | None:
    return None if order is None else float(order)


def _refuse_unknown_names(
    comparator: Comparator, variables: Mapping[str, str], words: Mapping[str, Mapping[str, str]]
) -> None:
    listed = f"its inputs are {', '.join(comparator.inputs)}"
    for name in (*variables, *words):
        if name not in comparator.inputs:
            raise UsageError(f"comparator '{comparator.name}' has no input '{name}'", hint=listed)
    for name, levels in words.items():
        wanted = comparator.inputs[name]
        if not isinstance(wanted, Category) or not set(levels.values()) <= set(wanted.levels):
            known = ", ".join(wanted.levels) if isinstance(wanted, Category) else "none, it is a number"
            raise UsageError(
                f"the words of '{name}' lead to levels that comparator '{comparator.name}' does not have",
                hint=f"levels of '{name}': {known}",
            )
