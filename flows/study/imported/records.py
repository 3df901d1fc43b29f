"""Rows of a feature table from elsewhere as the store takes them, and what it lacks as failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.study.imported.keys import RowKey, readings_of
from flows.study.patients import CohortPatient
from flows.tables.text_table import TextTable
from schemas.features.sets import ImportedDefinition
from schemas.keys import MaskKey, extraction_id, sha256_of_json
from schemas.study.file import Study
from schemas.study.imported import ImportedTable
from store.rows.staging import ExtractionRecord

__all__ = ["extraction_rows"]

Row = dict[str, Any]


def extraction_rows(
    study: Study,
    name: str,
    source: TextTable,
    table: ImportedTable,
    patients: Sequence[CohortPatient],
    rows: Sequence[RowKey],
    by_phase: Mapping[str, Mapping[str, str]],
    numbers: Mapping[str, NDArray[np.float64]],
    definition: ImportedDefinition,
) -> tuple[list[ExtractionRecord], list[Row]]:
    """Return the rows of a feature set, and those of ``failures``: patients without a row, rows without a value.

    Parameters
    ----------
    study : Study
        The study.
    name : str
        The feature set.
    source : TextTable
        The table.
    table : ImportedTable
        What the study file says about it.
    patients : sequence of CohortPatient
        The cohort.
    rows : sequence of RowKey
        Whose each row of the table is.
    by_phase : mapping of str to mapping of str to str
        Each phase's features and their columns; under '' those of a table of one phase a row.
    numbers : mapping of str to ndarray of shape (n_rows,)
        Each column's values, NaN where missing.
    definition : ImportedDefinition
        The feature set's.
    """
    records: list[ExtractionRecord] = []
    failures: list[Row] = []
    columns = definition.columns
    digest, there = definition.sha256, set()
    # A row at a time is read across all columns: a matrix lays each row's numbers side by side.
    matrices = {
        phase: np.column_stack([numbers[features[column]] if column in features else absent for column in columns])
        for absent in (np.full(source.frame.height, np.nan),)
        for phase, features in by_phase.items()
    }
    for row in rows:
        for phase_of_columns, matrix in matrices.items():
            phase = phase_of_columns or row.phase
            key = MaskKey(row.patient, study.cohort.exam, phase, row.lesion, row.reader, row.reading)
            cells = matrix[row.position]
            values = dict(zip(columns, cells.tolist(), strict=True))
            values |= {columns[at]: None for at in np.flatnonzero(np.isnan(cells))}
            there.add((row.patient, phase, row.reader, row.reading))
            if all(value is None for value in values.values()):
                failures.append(_failure(study.id, name, key, f"no cell of {_shown(source)} has a value"))
                continue
            # The row takes the place of an image: its key and values decide the identity.
            content = sha256_of_json([list(key), list(values.values())])
            records.append(ExtractionRecord(extraction_id(content, "", digest), key, content, "", values))
    # Which phases a column names, its rows tell; of each a patient has a row or a failure.
    phases = table.declared_phases or tuple(dict.fromkeys(row.phase for row in rows))
    for each in patients:
        for reading in readings_of(each, table):
            by = f" by reader {reading[0]}, reading {reading[1]}" if table.has_readings else ""
            failures += [
                _failure(
                    study.id,
                    name,
                    MaskKey(each.patient, study.cohort.exam, phase, "", *reading),
                    f"no row in {_shown(source)}" + (f" of phase {phase}" if table.phase else "") + by,
                )
                for phase in phases
                if (each.patient, phase, *reading) not in there
            ]
    return records, failures


def _shown(table: TextTable) -> str:
    """Return what a failure, which is stored, calls a table."""
    return "the table" if table.hides_ids else table.file.name


def _failure(study: str, feature_set: str, key: MaskKey, reason: str) -> Row:
    return {
        "stage": "ingest",
        "study": study,
        **key._asdict(),
        "feature_set": feature_set,
        "feature": "",
        "reason": reason,
    }
