"""Feature tables from elsewhere, read and checked: every cell a number or nothing, every row a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.study.imported.column_review import ColumnNote, ColumnReview, identifying_columns, numbering_columns
from flows.study.imported.columns import chosen_columns, column_numbers
from flows.study.imported.keys import RowKey, row_keys
from flows.study.imported.records import extraction_rows
from flows.study.outcomes import decided_columns
from flows.study.patients import StudyTables
from flows.study.source import StudySource
from flows.tables.file_faults import real_path
from flows.tables.files import read_table
from flows.tables.patient_ids import with_ids, with_patients
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.features.sets import ImportedDefinition
from schemas.study.file import Study
from schemas.study.imported import ImportedTable
from schemas.written.table_form import column_of
from store.rows.segments import KEY_COLUMNS
from store.rows.staging import ExtractionRecord

__all__ = ["ImportedRows", "imported_rows"]

Row = dict[str, Any]


@dataclass(frozen=True)
class ImportedRows:
    """One table's rows as the store takes them."""

    name: str
    file: Path
    description: str
    definition: ImportedDefinition
    records: tuple[ExtractionRecord, ...]
    columns: ColumnReview
    """What became of the table's columns."""
    failures: tuple[Row, ...]
    """Rows of the table `failures`: patients without a row, rows without a value."""
    notes: tuple[str, ...]
    """How the file was read, where that is not what its name says."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Return the phases that have a row, in the order of the table."""
        return tuple(dict.fromkeys(record.key.phase for record in self.records))


def imported_rows(study: Study, name: str, text: str, study_file: Path, tables: StudyTables) -> ImportedRows:
    """Return the rows of one of a study's imported tables.

    Parameters
    ----------
    study : Study
        The parsed study file.
    name : str
        The feature set.
    text : str
        The study file's text, in which faults are located.
    study_file : Path
        Where it lies; the table is found relative to it.
    tables : StudyTables
        The cohort and its labels; without patients, whose table is then at fault, only the columns are checked.

    Raises
    ------
    ContractError
        When the table or a column is missing, a cell is no finite number, a key stands twice, a patient is not in
        the cohort, or two columns could not be told apart in SQL: all such faults.
    """
    table, faults = study.imported[name], FaultList()
    source = StudySource(study, text, study_file, faults)
    file = real_path(source.table_file(table.table, "imported", name, "table"))
    at = source.at("imported", name, "table")
    frame = read_table(file, at, missing=table.missing, as_text=False, form=table)
    frame = frame.hiding_ids() if source.hides_ids else frame
    patient = table.patient or study.cohort.patient
    named = {key: getattr(table, key) for key in ("phase", "lesion", "reader", "reading")}
    further: dict[str, str] = {key: column for key, column in named.items() if column is not None}
    has_keys = [source.has_patients(frame, patient, "imported", name, "patient")]
    has_keys += [source.has(frame, column, "imported", name, key) for key, column in further.items()]
    keys = [column_of(patient), *further.values()]
    if all(has_keys):
        has_keys = [False]
        with faults.gathered():
            frame = with_ids(with_patients(frame, patient), *further.values())
            frame = frame.without(column_of(patient), tables.excluded_ids)
            has_keys = [True]
    parts = (patient,) if isinstance(patient, str) else patient
    chosen = chosen_columns(source, name, table, frame, {*keys, *parts, *decided_columns(study)})
    numbers, not_numeric = column_numbers(source, frame, chosen.chosen, is_asked=bool(table.columns.include))
    rows = row_keys(source, frame, keys, table, tables.patients) if all(has_keys) and tables.patients else []
    # One row of each patient tells what a column is: the first one of one phase.
    first = _first_rows(rows)
    per_patient = {column: values[list(first.values())] for column, values in numbers.items()}
    numbering, included = numbering_columns(per_patient), []
    if table.columns.include:
        included = [ColumnNote(column, f"is included, and is known {reason}") for column, reason in numbering]
    else:
        not_numeric += numbering
        unfit = {note.column for note in numbering}
        numbers = {column: values for column, values in numbers.items() if column not in unfit}
    for prefix in table.phases.values():
        if not any(each.startswith(prefix) for each in numbers):
            faults.add(
                ContractError(
                    f"no numeric column of {file.name} starts with '{prefix}'",
                    where=source.at("imported", name, "phases"),
                    hint="correct the prefix in the study file; nothing was written",
                )
            )
    by_phase = _features_by_phase(table, list(numbers))
    columns = tuple(dict.fromkeys(feature for features in by_phase.values() for feature in features))
    if not faults:
        with faults.gathered():
            _refuse_confusable(frame, columns)
    definition = ImportedDefinition(source=table.source, columns=columns, phases=table.phases)
    faults.raise_any(file.name)
    records, failures = extraction_rows(study, name, frame, table, tables.patients, rows, by_phase, numbers, definition)
    left_out = (*chosen.left_out, *not_numeric)
    warned = (
        *chosen.warned,
        *included,
        *_identifying(first, {column: per_patient[column] for column in numbers}, tables),
    )
    review = ColumnReview(tuple(numbers), left_out, chosen.excluded, warned)
    description = table.description or f"imported from {'a table' if source.hides_ids else file.name}"
    return ImportedRows(name, file, description, definition, tuple(records), review, tuple(failures), frame.notes)


def _first_rows(rows: Sequence[RowKey]) -> dict[str, int]:
    """Return the position of one row of each patient: the first one of one phase."""
    first: dict[str, int] = {}
    for row in rows:
        if row.phase == rows[0].phase:
            first.setdefault(row.patient, row.position)
    return first


def _identifying(
    first: Mapping[str, int], per_patient: Mapping[str, NDArray[np.float64]], tables: StudyTables
) -> list[ColumnNote]:
    """Return the columns that may number the patients, looked at in one row of each."""
    labels = {each["patient"]: each["label"] for each in tables.labels if each["label"] is not None}
    known = np.array([labels.get(patient, np.nan) for patient in first], dtype=float)
    return identifying_columns(per_patient, known)


def _features_by_phase(table: ImportedTable, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return for each prefixed phase its features and their columns; under '' those of a table of one phase a row."""
    if not table.phases:
        return {"": {column: column for column in columns}}
    found: dict[str, dict[str, str]] = {}
    for phase, prefix in table.phases.items():
        own = [column for column in columns if column.startswith(prefix) and len(column) > len(prefix)]
        found[phase] = {column.removeprefix(prefix): column for column in own}
    return found


def _refuse_confusable(source: TextTable, columns: Sequence[str]) -> None:
    """Refuse names that SQL cannot hold, or takes for one: it does not tell capitals from small letters."""
    seen = {name.lower(): name for name in KEY_COLUMNS}
    for column in columns:
        if "\0" in column:
            raise ContractError(
                f"column {column!r} has a NUL character in its name, where a name ends in SQL",
                where=f"{source.file}:1",
                hint="exclude it in the study file, or rename it in the table; nothing was written",
            )
        other = seen.setdefault(column.lower(), column)
        if other is not column:
            what = "is the name of a key" if other in KEY_COLUMNS else f"and column '{other}' are one name"
            raise ContractError(
                f"column '{column}' {what} in SQL, which does not tell capitals from small letters",
                where=f"{source.file}:1",
                hint="exclude it in the study file, or rename it in the table; nothing was written",
            )
    if not columns:
        raise ContractError(
            "no column is a feature",
            where=str(source.file),
            hint="correct 'columns' in the study file; nothing was written",
        )
