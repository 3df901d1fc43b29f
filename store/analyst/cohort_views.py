"""A view for each study: one row a patient, with its cohort in each split and its clinical variables as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from schemas.keys import sql_name
from store.analyst.view_parts import commented, quoted_name, quoted_text
from store.history.snapshot import Snapshot

__all__ = ["define_cohort_views"]

_LEFT_OUT = ("study", "cohorts", "since_commit")


def define_cohort_views(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    cohort: Mapping[str, str],
    taken: Sequence[str],
    *,
    documented: bool,
) -> None:
    """Create ``cohort_STUDY`` for each study whose name is free.

    A clinical variable is the value last known at the reference date (``clinical_at_reference``), DOUBLE for a number
    and VARCHAR for a category. A split's column is ``split_NAME``. A variable whose name a column has already is
    ``clinical_NAME``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    snapshot : Snapshot
        The store.
    cohort : mapping of str to str
        The columns of the view ``cohort`` and their comments.
    taken : sequence of str
        Names of views that are there.
    documented : bool
        Put comments on views and columns.
    """
    known = {name.lower() for name in taken}
    for row in snapshot.rows("studies"):
        name = f"cohort_{sql_name(row['study'])}"
        if name.lower() in known:
            continue
        known.add(name.lower())
        comments = {column: text for column, text in cohort.items() if column not in _LEFT_OUT}
        splits = _columns_of_splits(snapshot, row["study"], comments)
        variables = _columns_of_variables(snapshot, row["study"], comments)
        study = quoted_text(row["study"])
        chosen = ", ".join(
            ("c.* exclude (study, cohorts, since_commit)", *splits, *(f"k.{each}" for each in variables))
        )
        values = "".join(f", {value} as {column}" for column, value in variables.items())
        connection.execute(
            f"create view {quoted_name(name)} as select {chosen} from cohort c left join ("
            f"select patient{values} from clinical_at_reference where study = {study} group by patient"
            f") k on k.patient = c.patient where c.study = {study} order by c.patient"
        )
        if documented:
            about = f"the patients of study {row['study']}, with their splits and clinical variables as columns"
            commented(connection, name, about, comments)


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
