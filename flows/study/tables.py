"""A study's tables, read and checked: patients, clinical values, outcomes, labels, splits.

Every value is checked before anything is written; a fault names the file, the line and the column.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flows.privacy.identities import Identities, UnknownIdError, moved_date, plain_identities
from flows.study.clinical import clinical_key, clinical_rows
from flows.study.criteria import criteria_columns, criteria_warnings, excluded_by
from flows.study.exams import PatientExam, listed_exams
from flows.study.outcomes import outcome_columns, outcome_notes, outcome_rows, split_members
from flows.study.patients import CohortPatient, ExcludedPatient, StudyTables
from flows.study.source import StudySource
from flows.study.two_sides import TwoSides
from flows.tables.patient_ids import KnownIds, pseudonym_fault, with_patients
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.keys import Pseudonym
from schemas.study.cohort import Reading
from schemas.study.file import Study
from schemas.study.outcomes import ColumnSplit
from schemas.written.levels import EVERY_OTHER

__all__ = ["study_tables"]

_pseudonym: TypeAdapter[str] = TypeAdapter(Pseudonym)

Row = dict[str, Any]


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
    cohort = source.table(study.cohort.table, ("cohort", "table"), study.cohort)
    if cohort is not None:
        cohort = _checked_cohort(source, cohort)
    if cohort is not None:
        tables.notes += cohort.notes
        assessed = _with_exams(source, _patients(source, cohort, identities), identities)
        chosen = [each for each in study.readings if each.where in cohort.frame.columns]
        tables.notes += tuple(dict.fromkeys(note for each in chosen for note in _sides(cohort, each).notes))
        cohort = _with_criteria(source, cohort, assessed, tables, identities)
        if study.cohort.person in cohort.frame.columns:
            people = {row[study.cohort.patient_column]: row[study.cohort.person] for _, row in cohort.rows()}
            tables.people = {pseudonym: person for pseudonym, person in people.items() if person}
    clinical = cohort
    if study.clinical.has_table:
        named = study.clinical.table or study.cohort.table
        clinical = source.table(named, ("clinical", clinical_key(study)), study.clinical)
    if clinical is not None:
        if clinical is not cohort:
            tables.notes += clinical.notes
        tables.clinical = clinical_rows(source, clinical, tables, identities)
    if cohort is not None and tables.patients:
        patients = {each.written: each.patient for each in tables.patients}
        if study.outcome is not None:
            tables.outcomes, tables.labels = outcome_rows(source, study.outcome, cohort, patients)
            tables.notes += outcome_notes(study.outcome, cohort)
        tables.splits = split_members(source, cohort, tables.labels, patients)
    own.raise_any(str(study_file))
    return tables


def _with_criteria(
    source: StudySource,
    cohort: TextTable,
    assessed: list[CohortPatient],
    tables: StudyTables,
    identities: Identities,
) -> TextTable:
    """Note who is in the study and who is excluded from it, and return the cohort table of the former."""
    tables.warnings += tuple(criteria_warnings(source, cohort))
    excluded = excluded_by(source, cohort, {each.written: each.reference_on for each in assessed}, identities)
    tables.patients = [each for each in assessed if each.written not in excluded]
    if assessed and not tables.patients:
        where = source.at("criteria", 0)
        message = f"the criteria exclude all {len(assessed)} patients of {cohort.file.name}"
        source.faults.add(ContractError(message, where=where, hint="correct the criteria; nothing was written"))
    gone = (each for each in assessed if each.written in excluded)
    tables.excluded = [ExcludedPatient(each, excluded[each.written] + 1) for each in gone]
    return cohort.without(source.study.cohort.patient_column, tables.excluded_ids)


def _checked_cohort(source: StudySource, cohort: TextTable) -> TextTable | None:
    """Return the cohort table with its ids by rule and a row a patient, None where it lacks the column of ids."""
    study = source.study
    has_patients = source.has_patients(cohort, study.cohort.patient, "cohort", "patient")
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
        cohort = with_patients(cohort, study.cohort.patient)
        if study.cohort.repeated:
            read = [name for name in _cohort_columns(study) if name in cohort.frame.columns]
            cohort = cohort.first_of_each(study.cohort.patient_column, read)
        return cohort.narrowed((study.cohort.patient_column, *_cohort_columns(study)))
    return None


def _cohort_columns(study: Study) -> list[str]:
    # Besides the pseudonym.
    names = [study.cohort.exam_date, study.cohort.reference_date, study.cohort.person]
    names += [*(reading.where for reading in study.readings), *criteria_columns(study.criteria)]
    if study.outcome is not None:
        names += outcome_columns(study.outcome).values()
    names += [split.column for split in study.splits.values() if isinstance(split, ColumnSplit)]
    if not study.clinical.has_table:
        names += [variable.column or name for name, variable in study.table_variables.items()]
        names += [study.clinical.observed_at]
    return list(dict.fromkeys(name for name in names if name is not None))


def _patients(source: StudySource, cohort: TextTable, identities: Identities) -> list[CohortPatient]:
    study, columns = source.study, set(cohort.frame.columns)
    found: dict[str, CohortPatient] = {}
    column = study.cohort.patient_column
    exam_date = study.cohort.exam_date if study.cohort.exam_date in columns else None
    reference_date = study.cohort.reference_column if study.cohort.reference_column in columns else None
    offered = [each for each in study.readings if each.where is None or each.where in columns]
    sides = {each: _sides(cohort, each) for each in offered if each.where is not None}
    # As many ids as rows: each is compared with all.
    known = KnownIds((cell.strip() for cell in cohort.frame[column] if cell), is_hidden=source.hides_ids)
    for line, row in cohort.rows():
        cell = row[column]
        try:
            patient = _pseudonym.validate_python(identities.stored(_pseudonym.validate_python(cell)))
        except (ValidationError, UnknownIdError) as error:
            words = pseudonym_fault(
                cell,
                is_empty_row=not cell and cohort.is_empty_line(line),
                is_joined=column != study.cohort.patient,
                is_hidden=source.hides_ids,
            )
            words = str(error) if isinstance(error, UnknownIdError) else words + cohort.second_header(line)
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
                if reading not in sides or sides[reading].is_positive(line, row):
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


def _sides(cohort: TextTable, reading: Reading) -> TwoSides:
    negative = None if reading.equals is None else EVERY_OTHER
    return TwoSides(cohort, str(reading.where), "[[readings]]", reading.equals, negative, "equals")


def _doubled(known: CohortPatient, cell: str, source: StudySource) -> str:
    """Return the fault of a row whose pseudonym another row has."""
    if known.written != cell:
        return f"the row of line {known.line} has another id and the same pseudonym"
    if source.hides_ids:
        return f"the patient of line {known.line} stands here a second time"
    return f"patient '{cell}' stands here a second time"
