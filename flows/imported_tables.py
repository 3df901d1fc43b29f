"""Feature tables from elsewhere, read and checked: every cell a number or nothing, every row a key of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from flows.study_outcomes import decided_columns
from flows.study_tables import CohortPatient
from flows.table_files import read_table
from flows.text_table import TextTable
from schemas.errors import ContractError
from schemas.feature_sets import ImportedDefinition
from schemas.imported import ONLY_PHASE, ImportedTable
from schemas.keys import MaskKey, Name, Pseudonym, extraction_id, sha256_of_json
from schemas.study import Study
from schemas.toml_lines import line_of
from store.segments import KEY_COLUMNS
from store.staging import ExtractionRecord

__all__ = ["READER", "ImportedRows", "imported_rows"]

READER = "table"
"""Stands for the reader of rows that no mask of this store gave."""
LESION = "1"

_phase: TypeAdapter[str] = TypeAdapter(Name)
_lesion: TypeAdapter[str] = TypeAdapter(Pseudonym)

Row = dict[str, Any]


@dataclass(frozen=True)
class ImportedRows:
    """One table's rows as the store takes them."""

    name: str
    file: Path
    description: str
    definition: ImportedDefinition
    records: tuple[ExtractionRecord, ...]
    left_out: tuple[str, ...]
    """Columns that nobody excluded and that hold only text."""
    failures: tuple[Row, ...]
    """Rows of the table `failures`: patients without a row, rows without a value."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Return the phases that have a row, in the order of the table."""
        return tuple(dict.fromkeys(record.key.phase for record in self.records))


def imported_rows(
    study: Study, name: str, text: str, study_file: Path, patients: Sequence[CohortPatient]
) -> ImportedRows:
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
    patients : sequence of CohortPatient
        The cohort.

    Raises
    ------
    ContractError
        When the table or a column is missing, a cell is no finite number, a key stands twice, a patient is not in
        the cohort, or two columns could not be told apart in SQL.
    """
    table = study.imported[name]

    def at(*path: str) -> str:
        return f"{study_file}:{line_of(text, ('imported', name, *path))}"

    file = (study_file.parent / table.table).resolve()
    source = read_table(file, at("table"), missing=table.missing, as_text=False)
    patient_column = table.patient or study.cohort.patient
    for key, column in (("patient", patient_column), ("phase", table.phase), ("lesion", table.lesion)):
        if column is not None:
            source.require(column, at(key))
    keys = [column for column in (patient_column, table.phase, table.lesion) if column is not None]
    chosen = _chosen_columns(source, table, {*keys, *decided_columns(study)}, at)
    numbers, text_columns = _numbers(source, chosen, is_asked=bool(table.columns.include))
    for prefix in table.phases.values():
        if not any(each.startswith(prefix) for each in numbers):
            raise ContractError(
                f"no numeric column of {file.name} starts with '{prefix}'",
                where=at("phases"),
                hint="mend the prefix in the study file; nothing was written",
            )
    by_phase = _features_by_phase(table, list(numbers))
    columns = tuple(dict.fromkeys(feature for features in by_phase.values() for feature in features))
    _refuse_confusable(source, columns)
    definition = ImportedDefinition(source=table.source, columns=columns, phases=table.phases)
    known = {each.written: each.patient for each in patients}
    records, failures = _records(study, name, source, keys, table, known, by_phase, numbers, definition)
    return ImportedRows(name, file, table.description, definition, tuple(records), tuple(text_columns), tuple(failures))


def _chosen_columns(source: TextTable, table: ImportedTable, never: set[str], at: Any) -> list[str]:
    rule = table.columns
    if forbidden := sorted(never & set(rule.include)):
        raise ContractError(
            f"column '{forbidden[0]}' is a key, the outcome or a split, and no feature",
            where=at("columns", "include"),
            hint="leave it out; nothing was written",
        )
    named = [column for column in source.frame.columns if not column.startswith("(column ")]
    chosen = [
        column
        for column in named
        if column not in never
        and (not rule.include or _matches(column, rule.include))
        and not _matches(column, rule.exclude)
        and (not table.phases or column.startswith(tuple(table.phases.values())))
    ]
    for key, patterns in (("include", rule.include), ("exclude", rule.exclude)):
        if idle := [each for each in patterns if not any(_matches(column, [each]) for column in named)]:
            raise ContractError(
                f"no column of {source.file.name} fits '{idle[0]}'",
                where=at("columns", key),
                hint="mend the pattern in the study file; nothing was written",
            )
    return chosen


def _matches(column: str, patterns: Collection[str]) -> bool:
    # A column may itself hold what a pattern gives a meaning to, such as [mm].
    return any(column == pattern or fnmatchcase(column, pattern) for pattern in patterns)


def _numbers(
    source: TextTable, columns: Sequence[str], *, is_asked: bool
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Return each numeric column's values, NaN where missing, and the columns that hold only text."""
    numbers: dict[str, NDArray[np.float64]] = {}
    texts: list[str] = []
    first: tuple[int, int, str, str] | None = None
    faults = 0
    for position, column in enumerate(columns):
        series = source.frame[column]
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            values, wrong = series.cast(pl.Float64), series.cast(pl.Float64).is_infinite().fill_null(value=False)
        else:
            cells = series.cast(pl.String).str.strip_chars()
            cells = cells.set((cells == "") | cells.is_in([*source.missing]), None)
            values = cells.cast(pl.Float64, strict=False)
            is_finite = values.is_finite().fill_null(value=False)
            wrong = cells.is_not_null() & ~is_finite
            if not is_asked and wrong.any() and not values.is_not_null().any():
                texts.append(column)
                continue
        if wrong.any():
            row = int(wrong.arg_true()[0])
            faults += int(wrong.sum())
            here = (row, position, column, str(series[row]).strip())
            first = here if first is None or here < first else first
        numbers[column] = values.fill_null(float("nan")).to_numpy()
    if first is not None:
        row, _, column, cell = first
        is_infinite = cell.lstrip("+-").lower() in ("inf", "infinity")
        raise ContractError(
            f"column '{column}': '{cell}' is no {'finite ' if is_infinite else ''}number"
            + (f" ({faults - 1} more such cells)" if faults > 1 else ""),
            where=f"{source.file}:{source.line_of(row)}",
            hint="mend the cell, exclude the column, or name the text among 'missing'; nothing was written",
        )
    return numbers, texts


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
    """Refuse names that SQL takes for one: it does not tell capitals from small letters."""
    seen = {name.lower(): name for name in KEY_COLUMNS}
    for column in columns:
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
            hint="mend 'columns' in the study file; nothing was written",
        )


def _records(
    study: Study,
    name: str,
    source: TextTable,
    keys: Sequence[str],
    table: ImportedTable,
    known: Mapping[str, str],
    by_phase: Mapping[str, Mapping[str, str]],
    numbers: Mapping[str, NDArray[np.float64]],
    definition: ImportedDefinition,
) -> tuple[list[ExtractionRecord], list[Row]]:
    records: list[ExtractionRecord] = []
    failures: list[Row] = []
    digest, there = definition.sha256, set()
    for position, patient, phase_cell, lesion in _row_keys(source, keys, table, known):
        for phase_of_columns, features in by_phase.items():
            phase = phase_of_columns or phase_cell
            key = MaskKey(patient, study.cohort.exam, phase, lesion, READER, 1)
            found = {feature: numbers[column][position] for feature, column in features.items()}
            values = {
                column: None if np.isnan(value := found.get(column, np.nan)) else float(value)
                for column in definition.columns
            }
            there.add(patient)
            if all(value is None for value in values.values()):
                failures.append(_failure(study.id, name, key, f"no cell of {source.file.name} has a value"))
                continue
            # The row takes the place of an image: its key and values decide the identity.
            content = sha256_of_json([list(key), [values[column] for column in definition.columns]])
            records.append(ExtractionRecord(extraction_id(content, "", digest), key, content, "", values))
    phase = next(iter(table.declared_phases), "")
    failures += [
        _failure(
            study.id, name, MaskKey(patient, study.cohort.exam, phase, "", READER, 1), f"no row in {source.file.name}"
        )
        for patient in known.values()
        if patient not in there
    ]
    return records, failures


def _row_keys(
    source: TextTable, keys: Sequence[str], table: ImportedTable, known: Mapping[str, str]
) -> Iterator[tuple[int, str, str, str]]:
    """Yield each row's position, patient, phase and lesion."""
    patient_column = keys[0]
    cells = replace(source, frame=source.frame.select(pl.col(keys).cast(pl.String)), missing=())
    seen: set[tuple[str, str, str]] = set()
    for position, (line, row) in enumerate(cells.rows()):
        if row[patient_column] not in known:
            raise source.fault(line, patient_column, f"'{row[patient_column]}' is not in the cohort table")
        patient = known[row[patient_column]]
        phase = _named(source, line, table.phase, row, _phase, "phase") if table.phase else ONLY_PHASE
        lesion = _named(source, line, table.lesion, row, _lesion, "lesion") if table.lesion else LESION
        if (patient, phase, lesion) in seen:
            of = "".join(f", {row[column]}" for column in keys[1:])
            raise source.fault(line, patient_column, f"'{row[patient_column]}'{of} stands here a second time")
        seen.add((patient, phase, lesion))
        yield position, patient, phase, lesion


def _named(
    source: TextTable, line: int, column: str, row: Mapping[str, str], names: TypeAdapter[str], what: str
) -> str:
    try:
        return names.validate_python(row[column])
    except ValidationError as error:
        raise source.fault(line, column, f"'{row[column]}' is no name of a {what}") from error


def _failure(study: str, feature_set: str, key: MaskKey, reason: str) -> Row:
    return {
        "stage": "ingest",
        "study": study,
        **key._asdict(),
        "feature_set": feature_set,
        "feature": "",
        "reason": reason,
    }
