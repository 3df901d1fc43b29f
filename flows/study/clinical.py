"""Clinical values of a study's table: numbers in their unit and plausible range, categories by their levels."""

from __future__ import annotations

from typing import Any

from flows.privacy.identities import Identities, moved_date
from flows.study.patients import StudyTables
from flows.study.source import StudySource
from flows.tables.patient_ids import KnownIds, pseudonym_fault, with_patients
from flows.tables.text_table import TextTable
from schemas.clinical import ClinicalVariable
from schemas.errors import ContractError
from schemas.study.file import Study

__all__ = ["clinical_key", "clinical_rows", "clinical_value"]

Row = dict[str, Any]


def clinical_key(study: Study) -> str:
    """Return the key that names the clinical table."""
    return "sheet" if study.clinical.table is None else "table"


def clinical_rows(source: StudySource, table: TextTable, tables: StudyTables, identities: Identities) -> list[Row]:
    """Return the rows of ``clinical`` that a table gives, each value checked.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults.
    table : TextTable
        The clinical table, or the cohort's.
    tables : StudyTables
        Who is in the study; rows of others are faults, but for those of excluded patients.
    identities : Identities
        Which dates the store has.
    """
    study, patients = source.study, {each.written: each.patient for each in tables.patients}
    variables = {
        name: variable
        for name, variable in study.table_variables.items()
        if source.has(table, variable.column or name, "clinical", "variables", name, "column")
    }
    observed_at = study.clinical.observed_at
    if observed_at is not None and not source.has(table, observed_at, "clinical", "observed_at"):
        return []
    column = study.cohort.patient_column
    if study.clinical.has_table:
        if not source.has_patients(table, study.cohort.patient, "clinical", clinical_key(study)):
            return []
        try:
            table = with_patients(table, study.cohort.patient).without(column, tables.excluded_ids)
        except ContractError as error:
            source.faults.add(error)
            return []
    read = {variable.column or name for name, variable in variables.items()}
    table = table.narrowed((column, *([observed_at] if observed_at else []), *read))
    rows: list[Row] = []
    known = KnownIds(patients, is_hidden=source.hides_ids)
    seen: set[tuple[str, str]] = set()
    for line, row in table.rows():
        try:
            patient = patients.get(row[column])
            if patient is None:
                # Without patients the cohort table itself is at fault, and says so.
                if patients and study.clinical.has_table:
                    raise table.fault(line, column, _stranger(table, line, row[column], known))
                continue
            date = moved_date(table, line, observed_at, row, row[column], identities) or ""
            if (patient, date) in seen:
                raise table.fault(line, column, f"a second row for '{patient}' of the same date")
        except ContractError as error:
            source.cell_fault(table, column, error)
            continue
        seen.add((patient, date))
        for name, variable in variables.items():
            if not (cell := row[variable.column or name]):
                continue
            try:
                value = clinical_value(table, line, name, variable, cell)
            except ContractError as error:
                source.cell_fault(table, variable.column or name, error)
                continue
            rows.append({"patient": patient, "variable": name, "observed_at": date, "unit": variable.unit, **value})
    return rows


def _stranger(table: TextTable, line: int, patient: str, known: KnownIds) -> str:
    if patient:
        return known.stranger(patient)
    return pseudonym_fault("", is_empty_row=table.is_empty_line(line))


def clinical_value(table: TextTable, line: int, name: str, variable: ClinicalVariable, cell: str) -> Row:
    """Return the value that a cell gives a variable: its level, or its number within the plausible range.

    Raises
    ------
    ContractError
        When it is none.
    """
    column = variable.column or name
    if variable.levels is not None:
        level = table.level(line, column, cell, variable.levels, f"is none of {', '.join(variable.levels)}")
        return {"level": level, "value": None}
    value = table.number(line, column, cell)
    try:
        low, high = variable.plausible_range(name)
    except ValueError:  # a fault of the study file, which is reported there
        return {"level": None, "value": value}
    if not low <= value <= high:
        raise table.fault(line, column, f"{value:g} {variable.unit} is outside {low:g} to {high:g}")
    return {"level": None, "value": value}
