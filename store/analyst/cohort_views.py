"""A view for each study: one row a patient, with its cohort in each split and its clinical variables as columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from typing import Any

from schemas.plain_keys import sql_name
from store.analyst.view_parts import View, quoted_name, quoted_text
from store.history.snapshot import Snapshot

__all__ = ["cohort_view_names", "cohort_views"]

_LEFT_OUT = ("study", "cohorts", "since_commit")


def cohort_views(
    snapshot: Snapshot, cohort: Mapping[str, str], taken: Collection[str], names: Set[str] | None
) -> Iterator[View]:
    """Yield ``cohort_STUDY`` for each study whose name is free.

    A clinical variable is the value last known at the reference date (``clinical_at_reference``), DOUBLE for a number
    and VARCHAR for a category. A split's column is ``split_NAME``. A variable whose name a column has already is
    ``clinical_NAME``.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    cohort : mapping of str to str
        The columns of the view ``cohort`` and their comments.
    taken : collection of str
        Names of views that are there, in small letters.
    names : set of str, optional
        Of studies that have none of these views nothing is read; all are given where None.
    """
    for study_id, name in cohort_view_names(snapshot, taken).items():
        if names is not None and name not in names:
            continue
        comments = {column: text for column, text in cohort.items() if column not in _LEFT_OUT}
        splits = _columns_of_splits(snapshot, study_id, comments)
        variables = _columns_of_variables(snapshot, study_id, comments)
        study = quoted_text(study_id)
        chosen = ", ".join(
            ("c.* exclude (study, cohorts, since_commit)", *splits, *(f"k.{each}" for each in variables))
        )
        values = "".join(f", {value} as {column}" for column, value in variables.items())
        query = (
            f"select {chosen} from cohort c left join ("
            f"select patient{values} from clinical_at_reference where study = {study} group by patient"
            f") k on k.patient = c.patient where c.study = {study} order by c.patient"
        )
        about = f"the patients of study {study_id}, with their splits and clinical variables as columns"
        yield View(name, query, about, comments, views=("cohort", "clinical_at_reference"))


def cohort_view_names(snapshot: Snapshot, taken: Collection[str]) -> dict[str, str]:
    """Return the name of the view of each study whose name is free."""
    found: dict[str, str] = {}
    for row in snapshot.rows("studies"):
        name = f"cohort_{sql_name(row['study'])}"
        if name not in taken and name not in found.values():
            found[row["study"]] = name
    return found


def _columns_of_splits(snapshot: Snapshot, study: str, comments: dict[str, str]) -> list[str]:
    parts = []
    for row in snapshot.rows("splits", study=study):
        column = _free(f"split_{row['split']}", "split", comments)
        comments[column] = f"cohort in split '{row['split']}', NULL where the split has not the patient"
        parts.append(f"c.cohorts[{quoted_text(row['split'])}] as {quoted_name(column)}")
    return parts


def _columns_of_variables(snapshot: Snapshot, study: str, comments: dict[str, str]) -> dict[str, str]:
    """Return the expression of each variable's value by its column, and describe them."""
    found = {}
    for row in snapshot.rows("variables", study=study):
        column = _free(row["variable"], "clinical", comments)
        unit = f"[{row['unit']}] " if row["unit"] else ""
        comments[column] = f"{unit}{row['description'] or row['variable']}, last known at the reference date"
        value = "value" if row["kind"] == "number" else "level"
        found[quoted_name(column)] = f"any_value({value}) filter (variable = {quoted_text(row['variable'])})"
    return found


def _free(name: str, prefix: str, comments: Mapping[str, Any]) -> str:
    """Return a column's name that none has, whatever its case: DuckDB does not tell A from a."""
    taken = {column.lower() for column in comments}
    if name.lower() not in taken:
        return name
    numbers = (f"{prefix}_{name}{'' if number == 1 else f'_{number}'}" for number in range(1, len(taken) + 2))
    return next(each for each in numbers if each.lower() not in taken)
