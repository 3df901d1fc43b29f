"""The parts of a drafted study file that tell of the cohort's table: cohort, clinical variables, outcome, split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from flows.study.of_table import FEWEST_OF_A_LABEL, FEWEST_PATIENTS
from flows.study_draft.cohort.columns import CohortColumns, OutcomeColumn
from flows.study_draft.cohort.table import CohortTable
from flows.study_draft.toml_text import DECIDE, comment_lines, listed, quoted, toml_list

__all__ = ["clinical_lines", "cohort_lines", "outcome_lines"]

_MOST_TABLES: Final = 12
_MOST_VARIABLES: Final = 200


def cohort_lines(prefix: str, table: CohortTable | None) -> Iterator[str]:
    """Yield the lines of the cohort's table, its ids and its dates; parameters are those of `clinical_lines`."""
    yield "[cohort]"
    if table is None:
        yield f'table = "patients.csv"  {DECIDE}one row per patient, column patient'
        yield 'patient = "patient"'
    else:
        yield f"table = {quoted(prefix + table.path)}"
        if table.sheet is not None:
            yield f"sheet = {quoted(table.sheet)}"
        if table.header is not None:
            doubt = "  # what stands above it is not read" if table.header.is_sure else f"  {DECIDE}has it the names?"
            yield f"header_row = {table.header.row}{doubt}"
        yield f"patient = {quoted(table.patient)}"
        if table.is_repeated:
            yield "repeated = true  # patients have several rows, which must agree in the columns that are read"
        if table.columns.missing:
            yield f"missing = {toml_list(table.columns.missing)}  {DECIDE}do these cells mean 'not given'?"
        for key in ("exam_date", "reference_date") if table.columns.dates else ():
            others = f"  {DECIDE}one of {listed(table.columns.dates)}"
            yield f"# {key} = {quoted(table.columns.dates[0])}{others}"
    yield ""


def clinical_lines(prefix: str, table: CohortTable | None) -> Iterator[str]:
    """Yield the lines of clinical variables: categories with their levels, numbers commented out, as they lack a unit.

    Parameters
    ----------
    prefix : str
        What leads from the study file to the folder.
    table : CohortTable or None
        The cohort's.
    """
    if table is None:
        return
    columns = table.columns
    for other in table.others[:_MOST_TABLES]:
        yield from ("# [clinical]", f"# table = {quoted(prefix + other)}  {DECIDE}it has the same ids", "")
    names: set[str] = set()
    if columns.categories:
        yield "# Take out what is known only after the outcome."
    for column, levels in columns.categories.items():
        yield from _variable_lines(column, names)
        yield f"levels = {toml_list(levels)}"
        yield ""
    numbers = columns.numbers
    for column in numbers[:_MOST_VARIABLES]:
        yield from (f"# {line}" for line in _variable_lines(column, names))
        yield f'# unit = ""  {DECIDE}its UCUM unit, such as "mm", "U/L" or "1"'
    if numbers:
        yield ""
    left_out = [
        *comment_lines("Left out, as they may identify a patient", columns.personal),
        *comment_lines("Left out, as they may be the time of the outcome, which is known only after it", columns.times),
        *comment_lines("Left out, as they say whose masks were drawn again", columns.of_readings),
        *comment_lines("Not used: text, one value alone, or rows of a patient that differ", columns.others),
    ]
    if left_out:
        yield from (*left_out, "")


def _variable(column: str, names: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")[:50].strip("_") or "variable"
    base = base if base[0].isalpha() else f"v_{base}"
    name, number = base, 2
    while name.lower() in names:
        name, number = f"{base}_{number}", number + 1
    names.add(name.lower())
    return name


def _variable_lines(column: str, names: set[str]) -> Iterator[str]:
    name = _variable(column, names)
    yield f"[clinical.variables.{name}]"
    if name != column:
        yield f"column = {quoted(column)}"


def outcome_lines(table: CohortTable | None, models: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the outcome, the split and the models, the last two commented out where nothing can be learnt.

    Parameters
    ----------
    table : CohortTable or None
        The cohort's.
    models : iterable of str
        The lines of the models.
    """
    columns = CohortColumns() if table is None else table.columns
    outcome = next(iter(columns.outcomes), None)
    if outcome is None:
        yield f"{DECIDE}the outcome; no column of two values was found"
        yield from ("# [outcome]", '# kind = "binary"', '# name = "outcome"', '# column = "outcome"', "")
    else:
        yield from _binary_lines(outcome, columns)
    split = next(iter(columns.splits.items()), None)
    mark = "" if outcome is not None and (split is not None or _is_enough(outcome)) else "# "
    if outcome is not None and mark:
        count = sum(outcome.counts)
        yield f"{DECIDE}how to split; {count} rows, {outcome.counts[0]} of them positive, are too few to draw from"
    yield f"{mark}[splits.main]"
    if split is None:
        yield from (f'{mark}kind = "stratified"', f"{mark}validation_fraction = 0.2", f"{mark}seed = 1")
    else:
        column, (training, validation) = split
        yield from (f'{mark}kind = "column"', f"{mark}column = {quoted(column)}")
        yield from (f"{mark}training = {quoted(training)}", f"{mark}validation = {quoted(validation)}")
    yield ""
    yield from (f"{mark}{line}" for line in models)


def _is_enough(outcome: OutcomeColumn) -> bool:
    return sum(outcome.counts) >= FEWEST_PATIENTS and min(outcome.counts) >= FEWEST_OF_A_LABEL


def _binary_lines(outcome: OutcomeColumn, columns: CohortColumns) -> Iterator[str]:
    others = [each.name for each in columns.outcomes[1:]]
    doubt = f"or {listed(others)}" if others else "is it the outcome?" if outcome.rank else ""
    yield "[outcome]"
    yield 'kind = "binary"'
    yield f"name = {quoted(_variable(outcome.name, set()))}"
    yield f"column = {quoted(outcome.name)}" + (f"  {DECIDE}{doubt}" if doubt else "")
    yield f"positive = {quoted(outcome.positive)}" + ("" if outcome.is_known else f"  {DECIDE}which level is label 1")
    yield f"negative = {quoted(outcome.negative)}"
    if columns.times:
        yield f'# or kind = "time_to_event" with event = {quoted(outcome.name)}, unit and horizon, and as time'
        yield f"# {listed(columns.times)}"
    yield ""
