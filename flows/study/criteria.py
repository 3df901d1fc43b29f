"""A study's criteria, asked of each row of its cohort table: who is excluded, and by which criterion first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from flows.privacy.identities import Identities, moved_date
from flows.study.outcomes import outcome_columns
from flows.study.source import StudySource
from flows.tables.text_table import TextTable
from schemas.cases.criteria import Criterion
from schemas.errors import ContractError
from schemas.nearest import nearest_words
from schemas.shown_text import shown_text
from schemas.written.levels import level_of

__all__ = ["criteria_columns", "criteria_warnings", "excluded_by"]

_SHOWN_LEVELS = 6


def criteria_columns(criteria: tuple[Criterion, ...]) -> list[str]:
    """Return the columns of the cohort table that criteria ask."""
    return [each.condition.column for each in criteria]


def excluded_by(
    source: StudySource, cohort: TextTable, references: Mapping[str, str | None], identities: Identities
) -> dict[str, int]:
    """Return the place, from 0, of the first criterion that excludes each patient; those who are kept are not in it.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults: a column that is missing, a cell that is no number or date, an empty
        one where the criterion does not say what becomes of the patient. Of a patient with a fault no later criterion
        is asked.
    cohort : TextTable
        The cohort table.
    references : mapping of str to str or None
        The reference date of each patient of the cohort as the store has it, by pseudonym as the table writes it.
    identities : Identities
        Which dates the store has.
    """
    asked = [
        (position, each)
        for position, each in enumerate(source.study.criteria)
        if source.has(cohort, each.condition.column, "criteria", position, each.key, "column")
    ]
    found: dict[str, int] = {}
    for line, row in cohort.rows() if asked else ():
        written = row[source.study.cohort.patient_column]
        if written not in references:
            continue
        for position, criterion in asked:
            try:
                is_excluded = _excludes(source, cohort, criterion, line, row, references[written], identities)
            except ContractError as error:
                source.cell_fault(cohort, criterion.condition.column, error)
                break
            if is_excluded:
                found[written] = position
                break
    return found


def criteria_warnings(source: StudySource, cohort: TextTable) -> Iterator[str]:
    """Yield a sentence for each criterion that may not ask what is meant.

    Parameters
    ----------
    source : StudySource
        The study file.
    cohort : TextTable
        The cohort table, with those who are excluded.
    """
    outcome = source.study.outcome
    decided = outcome_columns(outcome).values() if outcome is not None else ()
    for criterion in source.study.criteria:
        condition = criterion.condition
        if condition.column in decided:
            yield (
                f"criterion '{criterion.name}' asks '{condition.column}', a column of the outcome: who is excluded by "
                "what was known only later differs from who is kept, and figures of those who are kept may flatter"
            )
        if condition.levels and condition.column in cohort.frame.columns:
            cells = {row[condition.column] for _, row in cohort.rows()} - {""}
            for level in condition.levels:
                # That nobody has a level is an answer; that many have one that is written nearly so, a doubt.
                nearest = "" if any(level_of(each, (level,)) for each in cells) else nearest_words(level, cells)
                if nearest:
                    there_are = shown_text(", ".join(sorted(cells)[:_SHOWN_LEVELS]), 200)
                    yield (
                        f"criterion '{criterion.name}': no patient's '{condition.column}' is '{level}'{nearest}; "
                        f"there are {there_are}"
                    )


def _excludes(
    source: StudySource,
    cohort: TextTable,
    criterion: Criterion,
    line: int,
    row: dict[str, str],
    reference: str | None,
    identities: Identities,
) -> bool:
    condition = criterion.condition
    cell = row[condition.column]
    if condition.missing:
        return criterion.excludes(holds=not cell)
    lacking = "" if cell else "the cell is empty"
    if condition.days_from_reference is not None and cell and reference is None:
        lacking = f"the patient has no {source.study.cohort.reference_column}"
    if lacking:
        if criterion.missing is None:
            raise ContractError(
                f"column '{condition.column}': {lacking}, and criterion '{criterion.name}' does not say what becomes "
                "of such a patient",
                where=f"{cohort.file}:{line}",
                hint='correct the table, or say missing = "keep" or missing = "exclude" in the criterion; nothing was '
                "written",
            )
        return criterion.missing == "exclude"
    if condition.days_from_reference is not None and reference is not None:
        # The reference date is as the store has it: both move by the same days, or neither.
        written = row[source.study.cohort.patient_column]
        day = date.fromisoformat(str(moved_date(cohort, line, condition.column, row, written, identities)))
        return criterion.excludes(holds=condition.holds_of_day((day - date.fromisoformat(reference)).days))
    if condition.levels:
        return criterion.excludes(holds=condition.holds_of_level(cell))
    return criterion.excludes(holds=condition.holds_of_number(cohort.number(line, condition.column, cell)))
