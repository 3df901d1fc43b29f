"""A study's tables, read and checked: patients, clinical values, outcomes, labels, splits.

Every value is checked before anything is written; a fault names the file, the line and the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows.privacy.identities import Identities, UnknownIdError, moved_date, plain_identities
from flows.study.exams import PatientExam, listed_exams
from flows.study.outcomes import outcome_columns, outcome_rows, split_members
from flows.study.source import StudySource
from flows.tables.patient_ids import KnownIds, pseudonym_fault, with_ids
from flows.tables.text_table import TextTable
from schemas.clinical import ClinicalVariable
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.keys import Pseudonym
from schemas.study.cohort import Reading
from schemas.study.file import Study
from schemas.study.outcomes import ColumnSplit

__all__ = ["CohortPatient", "StudyTables", "study_tables"]

_pseudonym: TypeAdapter[str] = TypeAdapter(Pseudonym)

Row = dict[str, Any]


@dataclass(frozen=True)
class CohortPatient:
    """One row of the cohort table."""

    patient: str
    """The pseudonym as the store knows it."""
    written: str
    """The pseudonym as the table writes it, which path patterns use."""
    exams: tuple[PatientExam, ...]
    """In the order of the table; one where the study has no table of exams."""
    reference_on: str | None
    """The date at which the study predicts for this patient."""
    readings: tuple[Reading, ...]
    line: int = 0
    """Of the cohort table; 0 where it is not known."""

    def pattern_values(self, exam: str, phase: str, lesion: str, reading: Reading) -> dict[str, str | int]:
        """Return what stands for each field of a path pattern."""
        named = next((each.written for each in self.exams if each.name == exam and each.written), exam)
        keys: dict[str, str | int] = {"patient": self.written, "exam": named, "phase": phase, "lesion": lesion}
        return keys | {"reader": reading.reader, "reading": reading.reading}


@dataclass
class StudyTables:
    """Everything a study's tables say, as rows of the catalogue."""

    patients: list[CohortPatient] = field(default_factory=list)
    clinical: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """How tables were read, where that is not what their names say."""
    people: dict[str, str] = field(default_factory=dict)
    """The person behind each pseudonym as the table writes it, where the study names a column of persons."""


def study_tables(
    study: Study,
    text: str,
    study_file: Path,
    faults: FaultList | None = None,
    identities: Identities | None = None,
) -> StudyTables:
    """Return what a study's tables say.

    Parameters
    ----------
    study : Study
        The parsed study file.
    text : str
        Its text, in which faults are located.
    study_file : Path
        Where it lies; tables are found relative to it.
    faults : FaultList, optional
        Takes all faults of the tables; what is returned is then what could be read. Where absent, they are raised.
    identities : Identities, optional
        Who a patient of the tables is in the store; as the tables write it, after the prefix, where absent.

    Raises
    ------
    ContractError
        When a table or column is missing, or a value is not what the study declares.
    """
    own = FaultList()
    into = own if faults is None else faults
    tables = StudyTables()
    identities = identities or plain_identities(study)
    source = StudySource(study, text, study_file, into)
    cohort = source.table(study.cohort.table, ("cohort", "table"), study.cohort.sheet)
    if cohort is not None:
        cohort = _checked_cohort(source, cohort)
    if cohort is not None:
        tables.notes += cohort.notes
        tables.patients = _with_exams(source, _patients(source, cohort, identities), identities)
        if study.cohort.person in cohort.frame.columns:
            people = {row[study.cohort.patient]: row[study.cohort.person] for _, row in cohort.rows()}
            tables.people = {pseudonym: person for pseudonym, person in people.items() if person}
    clinical = cohort
    if study.clinical.table is not None or study.clinical.sheet is not None:
        named = study.clinical.table or study.cohort.table
        key = "sheet" if study.clinical.table is None else "table"
        clinical = source.table(named, ("clinical", key), study.clinical.sheet)
    if clinical is not None:
        if clinical is not cohort:
            tables.notes += clinical.notes
        patients = {each.written: each.patient for each in tables.patients}
        tables.clinical = _clinical_rows(source, clinical, patients, identities)
    if cohort is not None and tables.patients:
        patients = {each.written: each.patient for each in tables.patients}
        if study.outcome is not None:
            tables.outcomes, tables.labels = outcome_rows(source, study.outcome, cohort, patients)
        tables.splits = split_members(source, cohort, tables.labels, patients)
    own.raise_any(str(study_file))
    return tables


def _checked_cohort(source: StudySource, cohort: TextTable) -> TextTable | None:
    """Return the cohort table with its ids by rule and a row a patient, None where it lacks the column of ids."""
    study = source.study
    has_patients = source.has(cohort, study.cohort.patient, "cohort", "patient")
    for number, reading in enumerate(study.readings):
        if reading.where is not None:
            source.has(cohort, reading.where, "readings", number, "where")
    for key in ("exam_date", "reference_date", "person"):
        column = getattr(study.cohort, key)
        if column is not None:
            source.has(cohort, column, "cohort", key)
    if not has_patients:
        return None
    with source.faults.gathered():
        cohort = with_ids(cohort, study.cohort.patient)
        if study.cohort.repeated:
            read = [name for name in _cohort_columns(study) if name in cohort.frame.columns]
            cohort = cohort.first_of_each(study.cohort.patient, read)
        return cohort.narrowed((study.cohort.patient, *_cohort_columns(study)))
    return None


def _cohort_columns(study: Study) -> list[str]:
    # Besides the pseudonym.
    names = [study.cohort.exam_date, study.cohort.reference_date, study.cohort.person]
    names += [*(reading.where for reading in study.readings)]
    if study.outcome is not None:
        names += outcome_columns(study.outcome).values()
    names += [split.column for split in study.splits.values() if isinstance(split, ColumnSplit)]
    if study.clinical.table is None:
        names += [variable.column or name for name, variable in study.clinical.variables.items()]
        names += [study.clinical.observed_at]
    return list(dict.fromkeys(name for name in names if name is not None))


def _patients(source: StudySource, cohort: TextTable, identities: Identities) -> list[CohortPatient]:
    study, columns = source.study, set(cohort.frame.columns)
    found: dict[str, CohortPatient] = {}
    column = study.cohort.patient
    exam_date = study.cohort.exam_date if study.cohort.exam_date in columns else None
    reference_date = study.cohort.reference_column if study.cohort.reference_column in columns else None
    offered = [each for each in study.readings if each.where is None or each.where in columns]
    # As many ids as rows: each is compared with all.
    known = KnownIds((cell.strip() for cell in cohort.frame[column] if cell), is_hidden=source.hides_ids)
    for line, row in cohort.rows():
        cell = row[column]
        try:
            patient = _pseudonym.validate_python(identities.stored(_pseudonym.validate_python(cell)))
        except (ValidationError, UnknownIdError) as error:
            words = pseudonym_fault(
                cell, is_empty_row=not cell and cohort.is_empty_line(line), is_hidden=source.hides_ids
            )
            words = str(error) if isinstance(error, UnknownIdError) else words
            source.cell_fault(cohort, column, cohort.fault(line, column, words))
            continue
        fault = _doubled(found[patient], cell, source) if patient in found else known.twin(cell)
        if fault:
            source.cell_fault(cohort, column, cohort.fault(line, column, fault))
            continue
        dates: dict[str | None, str | None] = {None: None}
        for each in dict.fromkeys((exam_date, reference_date)):
            with source.faults.gathered(f"{cohort.file}:{each}"):
                dates[each] = moved_date(cohort, line, each, row, cell, identities)
        readings = []
        for reading in offered:
            with source.faults.gathered(f"{cohort.file}:{reading.where}"):
                if reading.where is None or cohort.is_yes(line, reading.where, row):
                    readings.append(reading)
        exam = PatientExam(study.cohort.exam, dates.get(exam_date))
        found[patient] = CohortPatient(patient, cell, (exam,), dates.get(reference_date), tuple(readings), line)
    return list(found.values())


def _with_exams(source: StudySource, patients: list[CohortPatient], identities: Identities) -> list[CohortPatient]:
    """Return the patients with the exams that a table of its own lists, where the study has one."""
    exams = source.study.exams
    if exams is None:
        return patients
    listed = listed_exams(source, exams, {each.written: each.patient for each in patients}, identities)
    with_exams = [replace(each, exams=tuple(listed.get(each.patient, ()))) for each in patients]
    if source.study.cohort.reference_date is not None:
        return with_exams
    # The study predicts when the exam is made that it reads.
    chosen = min if exams.use == "first" else max
    days = [[exam.date for exam in each.exams if exam.date is not None] for each in with_exams]
    return [
        replace(each, reference_on=chosen(dates, default=None)) for each, dates in zip(with_exams, days, strict=True)
    ]


def _doubled(known: CohortPatient, cell: str, source: StudySource) -> str:
    """Return the fault of a row whose pseudonym another row has."""
    if known.written != cell:
        return f"the row of line {known.line} has another id and the same pseudonym"
    if source.hides_ids:
        return f"the patient of line {known.line} stands here a second time"
    return f"patient '{cell}' stands here a second time"


def _clinical_rows(
    source: StudySource, table: TextTable, patients: Mapping[str, str], identities: Identities
) -> list[Row]:
    study = source.study
    variables = {
        name: variable
        for name, variable in study.clinical.variables.items()
        if source.has(table, variable.column or name, "clinical", "variables", name, "column")
    }
    observed_at = study.clinical.observed_at
    if observed_at is not None and not source.has(table, observed_at, "clinical", "observed_at"):
        return []
    if study.clinical.table is not None:
        try:
            table.require(study.cohort.patient, source.at("clinical", "table"))
            table = with_ids(table, study.cohort.patient)
        except ContractError as error:
            source.faults.add(error)
            return []
    read = {variable.column or name for name, variable in variables.items()}
    table = table.narrowed((study.cohort.patient, *([observed_at] if observed_at else []), *read))
    rows: list[Row] = []
    known = KnownIds(patients, is_hidden=source.hides_ids)
    seen: set[tuple[str, str]] = set()
    column = study.cohort.patient
    for line, row in table.rows():
        try:
            patient = patients.get(row[column])
            if patient is None:
                # Without patients the cohort table itself is at fault, and says so.
                if patients and study.clinical.table is not None:
                    raise table.fault(line, column, known.stranger(row[column]))
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
                value = _value(table, line, name, variable, cell)
            except ContractError as error:
                source.cell_fault(table, variable.column or name, error)
                continue
            rows.append({"patient": patient, "variable": name, "observed_at": date, "unit": variable.unit, **value})
    return rows


def _value(table: TextTable, line: int, name: str, variable: ClinicalVariable, cell: str) -> Row:
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
