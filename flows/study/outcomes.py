"""A study's outcome and splits, as its cohort table gives them: observed values, labels, members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flows.study.source import StudySource
from flows.study.two_sides import TwoSides
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.splits import checked_split
from schemas.study.file import Study
from schemas.study.outcomes import BinaryOutcome, ColumnSplit, EventOutcome, StratifiedSplit

__all__ = ["decided_columns", "outcome_columns", "outcome_notes", "outcome_rows", "split_members"]

Row = dict[str, Any]


def decided_columns(study: Study) -> set[str]:
    """Return the columns that no model may read: outcome and splits."""
    outcome = outcome_columns(study.outcome).values() if study.outcome is not None else ()
    return {*outcome, *(split.column for split in study.splits.values() if isinstance(split, ColumnSplit))}


def outcome_columns(outcome: BinaryOutcome | EventOutcome) -> dict[str, str]:
    """Return the columns of an outcome, by the key of the study file that names each."""
    if isinstance(outcome, BinaryOutcome):
        return {"column": outcome.column}
    return {"event": outcome.event, "time": outcome.time}


def outcome_rows(
    source: StudySource, outcome: BinaryOutcome | EventOutcome, cohort: TextTable, patients: Mapping[str, str]
) -> tuple[list[Row], list[Row]]:
    """Return the rows of ``outcomes`` and ``labels``; empty where a column is missing.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults.
    outcome : BinaryOutcome or EventOutcome
        What the study predicts.
    cohort : TextTable
        The cohort table.
    patients : mapping of str to str
        Stored pseudonyms by those that the table writes.
    """
    study = source.study
    outcomes: list[Row] = []
    labels: list[Row] = []
    columns = outcome_columns(outcome)
    has_columns = [source.has(cohort, column, "outcome", key) for key, column in columns.items()]
    if not all(has_columns):
        return [], []
    sides = _sides(outcome, cohort)
    for line, row in cohort.rows():
        patient = patients.get(row[study.cohort.patient_column])
        if patient is None:
            continue
        try:
            observed, label, reason = _outcome(outcome, sides, cohort, line, row)
        except ContractError as error:
            source.cell_fault(cohort, ",".join(columns.values()), error)
            continue
        outcomes.append({"patient": patient, "outcome": outcome.name} | observed)
        labels.append(
            {"study": study.id, "patient": patient, "outcome": outcome.name, "label": label, "reason": reason}
        )
    return outcomes, labels


def outcome_notes(outcome: BinaryOutcome | EventOutcome, cohort: TextTable) -> tuple[str, ...]:
    """Return which levels of an outcome's column count as no, where the study file does not name them."""
    sides = _sides(outcome, cohort)
    return sides.notes if sides.column in cohort.frame.columns else ()


def _sides(outcome: BinaryOutcome | EventOutcome, cohort: TextTable) -> TwoSides:
    column = outcome.column if isinstance(outcome, BinaryOutcome) else outcome.event
    return TwoSides(cohort, column, "[outcome]", outcome.positive, outcome.negative)


def _outcome(
    outcome: BinaryOutcome | EventOutcome, sides: TwoSides, cohort: TextTable, line: int, row: dict[str, str]
) -> tuple[Row, int | None, str | None]:
    """Return what was observed of one patient, the label that it makes, and why there is none."""
    observed: Row = {"event": None, "time": None, "time_unit": None}
    if isinstance(outcome, BinaryOutcome):
        if not row[outcome.column]:
            return observed, None, "outcome is not given"
        label = int(sides.is_positive(line, row))
        return observed | {"event": label}, label, None
    if not row[outcome.event] or not row[outcome.time]:
        return observed, None, "event or time is not given"
    event = sides.is_positive(line, row)
    time = cohort.number(line, outcome.time, row[outcome.time])
    if time < 0:
        raise cohort.fault(line, outcome.time, f"{time:g} {outcome.unit} is before the start")
    return {"event": int(event), "time": time, "time_unit": outcome.unit}, *outcome.label(event=event, time=time)


def split_members(
    source: StudySource, cohort: TextTable, label_rows: Iterable[Row], patients: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return each split's patients, by their stored pseudonyms as `outcome_rows` takes them, and their cohorts.

    A split is not drawn, nor checked for its classes, where the tables have faults: its labels may be at fault.
    """
    labels = {row["patient"]: row["label"] for row in label_rows if row["label"] is not None}
    found: dict[str, dict[str, str]] = {}
    for name, split in source.study.splits.items():
        members = _column_members(source, split, cohort, name, patients) if isinstance(split, ColumnSplit) else {}
        if source.faults:
            continue
        with source.faults.gathered():
            if isinstance(split, StratifiedSplit):
                members = _drawn_members(split, labels, source.at("splits", name))
            found[name] = checked_split(members, labels, name)
    return found


def _column_members(
    source: StudySource, split: ColumnSplit, cohort: TextTable, name: str, patients: Mapping[str, str]
) -> dict[str, str]:
    if not source.has(cohort, split.column, "splits", name, "column"):
        return {}
    study, names = source.study, {split.training: "training", split.validation: "validation"}
    message = f"is neither '{split.training}' nor '{split.validation}'"
    members = {}
    for line, row in cohort.rows():
        patient = patients.get(row[study.cohort.patient_column])
        if patient is None or not (cell := row[split.column]):
            continue
        try:
            level = cohort.level(line, split.column, cell, tuple(names), message)
        except ContractError as error:
            source.cell_fault(cohort, split.column, error)
            continue
        members[patient] = names[level]
    return members


def _drawn_members(split: StratifiedSplit, labels: dict[str, int], where: str) -> dict[str, str]:
    from sklearn.model_selection import train_test_split

    patients = sorted(labels)
    try:
        training, validation = train_test_split(
            patients,
            test_size=split.validation_fraction,
            random_state=split.seed,
            stratify=[labels[patient] for patient in patients],
        )
    except ValueError as error:
        events = sum(labels.values())
        raise ContractError(
            f"labelled patients: {len(patients)}, {events} with label 1: too few to be split by label",
            where=where,
            hint="take another validation_fraction; with fewer than two patients of each label in each part no model "
            "can be trained and judged: leave [splits] and [models] out, features are computed; nothing was written",
        ) from error
    return dict.fromkeys(training, "training") | dict.fromkeys(validation, "validation")
