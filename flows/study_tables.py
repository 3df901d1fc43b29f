"""A study's tables, read and checked: patients, clinical values, outcomes, labels, splits.

Every value is checked before anything is written; a fault names the file, the line and the column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows.text_table import TextTable, read_table
from schemas.clinical import ClinicalVariable
from schemas.cohort import Reading
from schemas.errors import ContractError
from schemas.keys import Pseudonym
from schemas.outcomes import BinaryOutcome, ColumnSplit, EventOutcome, StratifiedSplit
from schemas.splits import checked_split
from schemas.study import Study
from schemas.toml_lines import line_of

__all__ = ["CohortPatient", "StudyTables", "decided_columns", "study_tables"]

_pseudonym: TypeAdapter[str] = TypeAdapter(Pseudonym)

Row = dict[str, Any]


@dataclass(frozen=True)
class CohortPatient:
    """One row of the cohort table."""

    patient: str
    """The pseudonym as the store knows it."""
    written: str
    """The pseudonym as the table writes it, which path patterns use."""
    exam_date: str | None
    reference_on: str | None
    """The date at which the study predicts for this patient."""
    readings: tuple[Reading, ...]


@dataclass
class StudyTables:
    """Everything a study's tables say, as rows of the catalogue."""

    patients: list[CohortPatient] = field(default_factory=list)
    clinical: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)


def study_tables(study: Study, text: str, study_file: Path) -> StudyTables:
    """Return what a study's tables say.

    Parameters
    ----------
    study : Study
        The parsed study file.
    text : str
        Its text, in which faults are located.
    study_file : Path
        Where it lies; tables are found relative to it.

    Raises
    ------
    ContractError
        When a table or column is missing, or a value is not what the study declares.
    """

    def at(*path: str) -> str:
        return f"{study_file}:{line_of(text, path)}"

    missing = study.cohort.missing
    cohort = read_table(study_file.parent / study.cohort.table, at("cohort", "table"), missing=missing)
    cohort.require(study.cohort.patient, at("cohort", "patient"))
    for number, reading in enumerate(study.readings):
        if reading.where is not None:
            cohort.require(reading.where, f"{study_file}:{line_of(text, ('readings', number, 'where'))}")
    if study.cohort.exam_date is not None:
        cohort.require(study.cohort.exam_date, at("cohort", "exam_date"))
    if study.cohort.reference_date is not None:
        cohort.require(study.cohort.reference_date, at("cohort", "reference_date"))

    if study.cohort.repeated:
        read = [name for name in _cohort_columns(study) if name in cohort.frame.columns]
        cohort = cohort.first_of_each(study.cohort.patient, read)
    tables = StudyTables(patients=_patients(study, cohort))
    known = {each.patient for each in tables.patients}
    source = (
        cohort
        if study.clinical.table is None
        else read_table(study_file.parent / study.clinical.table, at("clinical", "table"), missing=missing)
    )
    for name, variable in study.clinical.variables.items():
        source.require(variable.column or name, at("clinical", "variables", name, "column"))
    if study.clinical.observed_at is not None:
        source.require(study.clinical.observed_at, at("clinical", "observed_at"))
    tables.clinical = list(_clinical_rows(study, source, known))
    if study.outcome is not None:
        for key, column in _outcome_columns(study.outcome).items():
            cohort.require(column, at("outcome", key))
        _add_outcomes(study, study.outcome, cohort, tables)
    _add_splits(study, cohort, tables, at)
    return tables


def _cohort_columns(study: Study) -> list[str]:
    # Besides the pseudonym.
    names = [study.cohort.exam_date, study.cohort.reference_date, *(reading.where for reading in study.readings)]
    if study.outcome is not None:
        names += _outcome_columns(study.outcome).values()
    names += [split.column for split in study.splits.values() if isinstance(split, ColumnSplit)]
    if study.clinical.table is None:
        names += [variable.column or name for name, variable in study.clinical.variables.items()]
        names += [study.clinical.observed_at]
    return list(dict.fromkeys(name for name in names if name is not None))


def decided_columns(study: Study) -> set[str]:
    """Return the columns that no model may read: outcome and splits."""
    outcome = _outcome_columns(study.outcome).values() if study.outcome is not None else ()
    return {*outcome, *(split.column for split in study.splits.values() if isinstance(split, ColumnSplit))}


def _patients(study: Study, cohort: TextTable) -> list[CohortPatient]:
    found: dict[str, CohortPatient] = {}
    column = study.cohort.patient
    for line, row in cohort.rows():
        try:
            patient = _pseudonym.validate_python(study.stored_patient(_pseudonym.validate_python(row[column])))
        except ValidationError as error:
            raise cohort.fault(line, column, f"'{row[column]}' is no pseudonym") from error
        if patient in found:
            raise cohort.fault(line, column, f"patient '{row[column]}' stands here a second time")
        exam_date = cohort.date(line, study.cohort.exam_date, row)
        reference_on = cohort.date(line, study.cohort.reference_column, row)
        readings = tuple(r for r in study.readings if r.where is None or cohort.is_yes(line, r.where, row))
        found[patient] = CohortPatient(patient, row[column], exam_date, reference_on, readings)
    if not found:
        raise ContractError("the table has no rows", where=str(cohort.file))
    return list(found.values())


def _clinical_rows(study: Study, table: TextTable, known: set[str]) -> Iterator[Row]:
    table.require(study.cohort.patient, str(table.file))
    seen: set[tuple[str, str]] = set()
    for line, row in table.rows():
        patient = study.stored_patient(row[study.cohort.patient])
        if patient not in known:
            raise table.fault(line, study.cohort.patient, f"'{patient}' is not in the cohort table")
        observed_at = table.date(line, study.clinical.observed_at, row) or ""
        if (patient, observed_at) in seen:
            raise table.fault(line, study.cohort.patient, f"a second row for '{patient}' of the same date")
        seen.add((patient, observed_at))
        for name, variable in study.clinical.variables.items():
            cell = row[variable.column or name]
            if cell:
                yield {
                    "patient": patient,
                    "variable": name,
                    "observed_at": observed_at,
                    "unit": variable.unit,
                    **_value(table, line, name, variable, cell),
                }


def _value(table: TextTable, line: int, name: str, variable: ClinicalVariable, cell: str) -> Row:
    column = variable.column or name
    if variable.levels is not None:
        if cell not in variable.levels:
            raise table.fault(line, column, f"'{cell}' is none of {', '.join(variable.levels)}")
        return {"level": cell, "value": None}
    value = table.number(line, column, cell)
    low, high = variable.plausible_range(name)
    if not low <= value <= high:
        raise table.fault(line, column, f"{value:g} {variable.unit} is outside {low:g} to {high:g}")
    return {"level": None, "value": value}


def _outcome_columns(outcome: BinaryOutcome | EventOutcome) -> dict[str, str]:
    if isinstance(outcome, BinaryOutcome):
        return {"column": outcome.column}
    return {"event": outcome.event, "time": outcome.time}


def _add_outcomes(study: Study, outcome: BinaryOutcome | EventOutcome, cohort: TextTable, tables: StudyTables) -> None:
    for line, row in cohort.rows():
        patient = study.stored_patient(row[study.cohort.patient])
        raw: Row = {
            "patient": patient,
            "outcome": outcome.name,
            "event": None,
            "time": None,
            "time_unit": None,
        }
        label: int | None
        reason: str | None
        if isinstance(outcome, BinaryOutcome):
            cell = row[outcome.column]
            if cell not in (outcome.positive, outcome.negative, ""):
                allowed = f"'{outcome.positive}' nor '{outcome.negative}'"
                raise cohort.fault(line, outcome.column, f"'{cell}' is neither {allowed}")
            label, reason = (int(cell == outcome.positive), None) if cell else (None, "outcome is not given")
            raw["event"] = label
        elif not row[outcome.event] or not row[outcome.time]:
            label, reason = None, "event or time is not given"
        else:
            event = cohort.is_yes(line, outcome.event, row)
            time = cohort.number(line, outcome.time, row[outcome.time])
            if time < 0:
                raise cohort.fault(line, outcome.time, f"{time:g} {outcome.unit} is before the start")
            label, reason = outcome.label(event=event, time=time)
            raw |= {"event": int(event), "time": time, "time_unit": outcome.unit}
        tables.outcomes.append(raw)
        tables.labels.append(
            {"study": study.id, "patient": patient, "outcome": outcome.name, "label": label, "reason": reason}
        )


def _add_splits(study: Study, cohort: TextTable, tables: StudyTables, at: Any) -> None:
    labels = {row["patient"]: row["label"] for row in tables.labels if row["label"] is not None}
    for name, split in study.splits.items():
        if isinstance(split, ColumnSplit):
            cohort.require(split.column, at("splits", name, "column"))
            members = dict(_column_members(study, split, cohort))
        else:
            members = _drawn_members(split, labels, at("splits", name))
        tables.splits[name] = checked_split(members, labels, name)


def _column_members(study: Study, split: ColumnSplit, cohort: TextTable) -> Iterator[tuple[str, str]]:
    names = {split.training: "training", split.validation: "validation"}
    for line, row in cohort.rows():
        cell = row[split.column]
        if cell and cell not in names:
            raise cohort.fault(line, split.column, f"'{cell}' is neither '{split.training}' nor '{split.validation}'")
        if cell:
            yield study.stored_patient(row[study.cohort.patient]), names[cell]


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
            f"{len(patients)} labelled patients, {events} with label 1, are too few to be split by label",
            where=where,
            hint="take another validation_fraction, or leave the split out; nothing was written",
        ) from error
    return dict.fromkeys(training, "training") | dict.fromkeys(validation, "validation")
