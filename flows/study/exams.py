"""The exams that a study's table lists of each patient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flows.privacy.identities import Identities, moved_date
from flows.study.source import StudySource
from flows.tables.patient_ids import KnownIds, with_ids, with_patients
from flows.tables.text_table import TextTable
from schemas.cases.exams import Exams
from schemas.errors import ContractError

__all__ = ["PatientExam", "listed_exams"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,199}")


class PatientExam(NamedTuple):
    """An exam of a patient."""

    name: str
    date: str | None
    """ISO 8601."""
    written: str = ""
    """The name as the table writes it, which path patterns use, where the store has another."""


def listed_exams(
    source: StudySource, exams: Exams, patients: Mapping[str, str], identities: Identities
) -> dict[str, list[PatientExam]]:
    """Return the exams of each patient in the order of the table; a patient without one is not there.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults of the table.
    exams : Exams
        Which table, and its columns.
    patients : mapping of str to str
        The cohort: each pseudonym as tables write it and as the store knows it.
    identities : Identities
        What exams are called in the store, and which dates they have there.
    """
    cohort = source.study.cohort
    key = "sheet" if exams.table is None and exams.sheet is not None else "table"
    form = exams if exams.has_table else cohort
    table = source.table(exams.table or cohort.table, ("exams", key), form)
    if table is None:
        return {}
    has_columns = [source.has_patients(table, cohort.patient, "exams", key)]
    has_columns += [source.has(table, getattr(exams, name), "exams", name) for name in ("exam", "date")]
    if not all(has_columns):
        return {}
    found: dict[str, list[PatientExam]] = {}
    column = cohort.patient_column
    with source.faults.gathered():
        table = with_ids(with_patients(table, cohort.patient), exams.exam).narrowed((column, exams.exam, exams.date))
        known = KnownIds(patients, is_hidden=source.hides_ids)
        for line, row in table.rows():
            try:
                patient = patients.get(row[column])
                if patient is None:
                    # Without patients the cohort table itself is at fault, and says so.
                    if patients and exams.has_table:
                        raise table.fault(line, column, known.stranger(row[column]))
                    continue
                exam = _exam(table, line, exams, row, identities, row[column])
                own = found.setdefault(patient, [])
                before = next((each for each in own if each.name == exam.name), None)
                if before is not None and before != exam:
                    whose = "this patient" if source.hides_ids else f"'{row[column]}'"
                    said = f"exam '{row[exams.exam]}' of {whose} stands here with another date"
                    raise table.fault(line, exams.date, said)
                if before is None:
                    own.append(exam)
            except ContractError as error:
                source.cell_fault(table, column, error)
    return found


def _exam(
    table: TextTable, line: int, exams: Exams, row: dict[str, str], identities: Identities, patient: str
) -> PatientExam:
    name = row[exams.exam]
    if not _NAME.fullmatch(name):
        said = f"'{name[:80]}' names no exam: letters, digits, blanks and . _ : -, a letter or digit first"
        raise table.fault(line, exams.exam, said)
    stored = identities.exam(patient, name)
    if stored is None:
        said = "the name has a date, a number or the id, and would enter the store: name exams otherwise, or give a key"
        raise table.fault(line, exams.exam, said)
    day = moved_date(table, line, exams.date, row, patient, identities)
    return PatientExam(stored, day, name)
