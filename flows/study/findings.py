"""What readers found in the images, as a study's tables write it: every reader's value, checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows.study.clinical import clinical_value
from flows.study.patients import StudyTables
from flows.study.source import StudySource
from flows.tables.patient_ids import KnownIds, with_patients
from flows.tables.text_table import TextTable
from schemas.cases.findings import CONSENSUS, SAME, Findings
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.keys import ReaderName
from schemas.study.file import Study

__all__ = ["finding_rows"]

_reader: TypeAdapter[str] = TypeAdapter(ReaderName)

Row = dict[str, Any]


def finding_rows(study: Study, text: str, study_file: Path, tables: StudyTables, faults: FaultList) -> list[Row]:
    """Return the rows of ``findings``: one for each patient, variable and reader with a value.

    Parameters
    ----------
    study : Study
        The study.
    text : str
        Its file's text, in which faults are located.
    study_file : Path
        Where it lies.
    tables : StudyTables
        Its patients.
    faults : FaultList
        Takes the faults: what the tables lack, cells that are no value, a second row of a patient and reader, and
        where the study asks for ``same`` values, those that differ.
    """
    if study.findings is None:
        return []
    findings, source = study.findings, StudySource(study, text, study_file, faults)
    _refuse_twins(source, findings)
    rows: list[Row] = []
    seen: dict[tuple[str, str], int] = {}
    if findings.table is not None:
        table = source.table(findings.table, ("findings", "table"), findings)
        if table is not None and source.has(table, findings.reader, "findings", "reader"):
            rows += _rows(source, findings, table, tables, None, seen)
    for reader, name in findings.tables.items():
        table = source.table(name, ("findings", "tables", reader), findings)
        if table is not None:
            rows += _rows(source, findings, table, tables, reader, seen)
    readers = {row["reader"] for row in rows}
    if findings.use != SAME and rows and findings.use not in readers:
        message = f"use names '{findings.use}', and the findings are of {', '.join(sorted(readers))}"
        hint = "name one of them; nothing was written"
        faults.add(ContractError(message, where=source.at("findings", "use"), hint=hint))
    if findings.use == SAME:
        _refuse_differences(source, rows)
    return rows


def _refuse_differences(source: StudySource, rows: Iterable[Row]) -> None:
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = first.setdefault((row["patient"], row["variable"]), row)
        ours, theirs = (each["level"] if each["level"] is not None else f"{each['value']:g}" for each in (row, known))
        if ours != theirs:
            error = ContractError(
                f"'{row['variable']}' of patient '{row['patient']}' is '{theirs}' by reader '{known['reader']}' and "
                f"'{ours}' by reader '{row['reader']}', and use = '{SAME}' asks for one value",
                where=source.at("findings", "use"),
                hint=f"name the reader whose values count, or add rows of '{CONSENSUS}'; nothing was written",
            )
            source.faults.add(error, f"findings:{row['variable']}")


def _refuse_twins(source: StudySource, findings: Findings) -> None:
    # Parsed, a study's clinical variables have its findings among them.
    written = tomllib.loads(source.text).get("clinical", {}).get("variables", {})
    for name in findings.variables.keys() & written.keys():
        source.faults.add(
            ContractError(
                f"'{name}' is a finding and a variable of [clinical] too",
                where=source.at("findings", "variables", name),
                hint="give one of them another name; nothing was written",
            )
        )


def _rows(
    source: StudySource,
    findings: Findings,
    table: TextTable,
    tables: StudyTables,
    reader: str | None,
    seen: dict[tuple[str, str], int],
) -> list[Row]:
    """Return the rows of one table, of one reader or with a column that names them."""
    column, patients = source.study.cohort.patient_column, {each.written: each.patient for each in tables.patients}
    variables = {
        name: variable
        for name, variable in findings.variables.items()
        if source.has(table, variable.column or name, "findings", "variables", name, "column")
    }
    if not source.has_patients(table, source.study.cohort.patient, "findings", "table" if reader is None else "tables"):
        return []
    with source.faults.gathered():
        table = with_patients(table, source.study.cohort.patient).without(column, tables.excluded_ids)
    known, rows = KnownIds(patients, is_hidden=source.hides_ids), []
    for line, row in table.rows():
        try:
            if row[column] not in patients:
                # Without patients the cohort table itself is at fault, and says so.
                if patients:
                    raise table.fault(line, column, known.stranger(row[column]))
                continue
            who = _who(table, line, findings.reader, row) if reader is None else reader
            if (patients[row[column]], who) in seen:
                raise table.fault(line, column, f"a second row for '{patients[row[column]]}' by reader '{who}'")
        except ContractError as error:
            source.cell_fault(table, column, error)
            continue
        seen[patients[row[column]], who] = line
        for name, variable in variables.items():
            if not (cell := row[variable.column or name]):
                continue
            try:
                value = clinical_value(table, line, name, variable, cell)
                found = {"study": source.study.id, "patient": patients[row[column]], "variable": name, "reader": who}
                rows.append(found | {"unit": variable.unit, **value})
            except ContractError as error:
                source.cell_fault(table, variable.column or name, error)
    return rows


def _who(table: TextTable, line: int, column: str, row: dict[str, str]) -> str:
    try:
        reader = _reader.validate_python(row[column])
    except ValidationError:
        reader = SAME
    if reader == SAME:
        raise table.fault(line, column, f"'{row[column]}' is no reader's name")
    return reader
