"""Whose each row of a feature table from elsewhere is: patient, phase, lesion and reading, each key once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import polars as pl
from pydantic import TypeAdapter, ValidationError

from flows.study.patients import CohortPatient
from flows.study.source import StudySource
from flows.tables.patient_ids import KnownIds, pseudonym_fault
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.keys import Name, Pseudonym
from schemas.plain_keys import NO_READER
from schemas.study.cohort import Reading
from schemas.study.imported import ONLY_PHASE, ImportedTable
from schemas.written.levels import whole_number_text

__all__ = ["RowKey", "readings_of", "row_keys"]

LESION: Final = "1"
_WHOLE = re.compile("[0-9]{1,5}")
_NOBODYS = (NO_READER, 1)

_phase: TypeAdapter[str] = TypeAdapter(Name)
_lesion: TypeAdapter[str] = TypeAdapter(Pseudonym)


class RowKey(NamedTuple):
    """Whose row stands at a position of the table."""

    position: int
    patient: str
    phase: str
    lesion: str
    reader: str
    reading: int


def readings_of(patient: CohortPatient, table: ImportedTable) -> tuple[tuple[str, int], ...]:
    """Return the readings, by reader and number, of which a patient has rows: one of no reader where none is told."""
    if not table.has_readings:
        return (_NOBODYS,)
    return tuple((each.reader, each.reading) for each in patient.readings)


def row_keys(
    source: StudySource,
    frame: TextTable,
    keys: Sequence[str],
    table: ImportedTable,
    patients: Sequence[CohortPatient],
) -> list[RowKey]:
    """Return whose row each one is; rows of strangers and second rows of a key are faults.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults.
    frame : TextTable
        The table, whose ids are by the rule of `flows.tables.patient_ids`.
    keys : sequence of str
        Its columns of keys, the patients' first.
    table : ImportedTable
        What the study file says about it.
    patients : sequence of CohortPatient
        The cohort.
    """
    stored = {each.written: each.patient for each in patients}
    expected = {each.written: readings_of(each, table) for each in patients}
    known = KnownIds(stored, is_hidden=source.hides_ids)
    patient_column = keys[0]
    cells = replace(frame, frame=frame.frame.select(pl.col(keys).cast(pl.String)), missing=())
    rows: list[RowKey] = []
    seen: set[tuple[str, str, str, str, int]] = set()
    phases: dict[str, str] = {}
    for position, (line, row) in enumerate(cells.rows()):
        written = row[patient_column]
        try:
            if written not in stored:
                empty = pseudonym_fault("", is_empty_row=not written and frame.is_empty_line(line))
                words = known.stranger(written) if written else empty
                raise frame.fault(line, patient_column, words + frame.second_header(line))
            phase = _named(frame, line, table.phase, row, _phase, "phase") if table.phase else ONLY_PHASE
            if table.phase and (alike := phases.setdefault(phase.strip().casefold(), phase)) != phase:
                words = f"'{phase}' and '{alike}' are probably one phase: they differ in capitals or blanks only"
                raise frame.fault(line, table.phase, words)
            lesion = _named(frame, line, table.lesion, row, _lesion, "lesion") if table.lesion else LESION
            reading = _reading(frame, line, table, row, source.study.readings[0]) if table.has_readings else _NOBODYS
            if reading not in expected[written]:
                words = f"reader '{reading[0]}', reading {reading[1]}, is none of this patient's [[readings]]"
                raise frame.fault(line, table.reader or str(table.reading), words)
            key = (stored[written], phase, lesion, *reading)
            if key in seen:
                of = "".join(f", {row[column]}" for column in keys[1:])
                whose = "this patient" if source.hides_ids else f"'{written}'"
                raise frame.fault(line, patient_column, f"{whose}{of} stands here a second time")
        except ContractError as error:
            source.cell_fault(frame, patient_column, error)
            continue
        seen.add(key)
        rows.append(RowKey(position, *key))
    return rows


def _reading(
    source: TextTable, line: int, table: ImportedTable, row: Mapping[str, str], first: Reading
) -> tuple[str, int]:
    """Return the reader and the number of the reading that a row is of."""
    reader = row[table.reader] if table.reader else first.reader
    if reader == NO_READER:
        raise source.fault(line, str(table.reader), f"'{NO_READER}' stands for rows without a reader: rename this one")
    if not table.reading:
        return reader, 1
    number = whole_number_text(row[table.reading])
    if not _WHOLE.fullmatch(number):
        raise source.fault(line, table.reading, f"'{row[table.reading]}' is no number of a reading")
    return reader, int(number)


def _named(
    source: TextTable, line: int, column: str, row: Mapping[str, str], names: TypeAdapter[str], what: str
) -> str:
    try:
        return names.validate_python(row[column])
    except ValidationError as error:
        raise source.fault(line, column, f"'{row[column]}' is no name of a {what}") from error
