"""The verbs of pinned datasets: list, show, rebuild."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, table_text
from flows.commits.erased_meanwhile import carry_out
from flows.engine.progress import progress_bar
from flows.models.words import dataset_words
from schemas.errors import NotFoundError, UsageError
from store.history.basis import Basis
from store.history.snapshot import Snapshot, refuse_unknown_study
from store.home import Store
from zoo.tables.pinned import known_dataset
from zoo.tables.rebuilt import RebuiltDataset, rebuild_dataset, rebuilt_sql

__all__ = ["list", "rebuild", "show"]

_DIFFERS = 4
Shared = Annotated[Context, Parameter(parse=False)]
Row = dict[str, Any]


def list(*, study: str | None = None, context: Shared) -> CommandResult:  # noqa: A001  (the verb's name)
    """List the pinned datasets: what they hold, the commit they were read at, who trained on them.

    A dataset is the table that a model trained from, kept as a file that never changes.

    Parameters
    ----------
    study
        Only this study's.

    Examples
    --------
    radzoo datasets list
    """
    snapshot = Snapshot(Store(context.store))
    rows = [_listed(snapshot, row) for row in _rows(snapshot, study)]
    columns = ["dataset_id", "study", "split", "commit_id", "patients", "columns", "holds", "models"]
    text = table_text([row | {"models": ", ".join(row["models"])} for row in rows], columns)
    return CommandResult(text if rows else "no dataset was pinned yet\nnext: radzoo train", rows)


def show(dataset: str, *, sql: Annotated[bool, Parameter(negative="")] = False, context: Shared) -> CommandResult:
    """Show a pinned dataset: its inputs, its file, and the SQL that gives it as of its commit.

    Parameters
    ----------
    dataset
        The dataset's id, or how it begins.
    sql
        Print the SQL alone, for radzoo sql --as-of COMMIT.

    Examples
    --------
    radzoo datasets show 3f9a1c
    radzoo datasets show 3f9a1c --sql
    """
    store = Store(context.store)
    snapshot = Snapshot(store)
    row = _named(snapshot, dataset)
    query, gives = rebuilt_sql(store, known_dataset(row))
    data = _listed(snapshot, row) | {
        "inputs": json.loads(row["inputs"]),
        "path": row["path"],
        "sha256": row["sha256"],
        "versions": json.loads(row["versions"]) if row["versions"] else None,
        "sql": query,
        "sql_gives": gives,
    }
    return CommandResult(query if sql else _shown_text(data), data)


def rebuild(
    dataset: str | None = None,
    /,
    *,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  (the option's name)
    study: str | None = None,
    context: Shared,
) -> CommandResult:
    """Make pinned datasets again from the store as of their commits and compare them, bit for bit.

    Exit code 4 where one is not what was pinned. A file that is missing or damaged is put back where the table made
    again has just its bytes; nothing else is written.

    Parameters
    ----------
    dataset
        The dataset's id, or how it begins.
    all
        Every dataset of the store, or of the study.
    study
        With --all: only this study's.

    Examples
    --------
    radzoo datasets rebuild 3f9a1c
    radzoo datasets rebuild --all
    """
    if (dataset is None) != all:
        raise UsageError("which dataset?", hint="radzoo datasets rebuild ID, or radzoo datasets rebuild --all")
    store = Store(context.store)

    def work(_: Basis) -> Sequence[RebuiltDataset]:
        snapshot, made = Snapshot(store), []
        rows = _rows(snapshot, study) if dataset is None else [_named(snapshot, dataset)]
        with progress_bar("rebuilding", len(rows), "datasets") as advance:
            for row in rows:
                made.append(rebuild_dataset(store, known_dataset(row)))
                advance()
        return made

    found = carry_out(store, work)
    text = "\n".join(_rebuilt_text(each) for each in found) or "no dataset was pinned yet\nnext: radzoo train"
    is_as_pinned = not [each for each in found if not each.holds]
    return CommandResult(text, found, 0 if is_as_pinned else _DIFFERS)


def _rows(snapshot: Snapshot, study: str | None) -> Sequence[Row]:
    if study is not None:
        refuse_unknown_study(snapshot, study)
    return snapshot.rows("datasets", **({} if study is None else {"study": study}))


def _named(snapshot: Snapshot, begins: str) -> Row:
    rows = [row for row in snapshot.rows("datasets") if row["dataset_id"].startswith(begins)]
    if len(rows) == 1:
        return rows[0]
    many = ", ".join(row["dataset_id"] for row in rows[:5])
    raise NotFoundError(
        f"'{begins}' begins {len(rows)} datasets: {many}" if rows else f"there is no dataset '{begins}'",
        where=str(snapshot.store.root),
        hint="radzoo datasets list",
    )


def _readers(snapshot: Snapshot, row: Mapping[str, Any]) -> Sequence[str]:
    models = snapshot.rows("models", study=row["study"], dataset_id=row["dataset_id"])
    return [f"{each['model']}@{each['version']}" for each in models]


def _listed(snapshot: Snapshot, row: Mapping[str, Any]) -> Row:
    models = _readers(snapshot, row)
    names = ("dataset_id", "study", "split", "commit_id", "patients", "columns", "feature_set")
    return {name: row[name] for name in names} | {"holds": dataset_words(snapshot, row), "models": models}


def _shown_text(data: Mapping[str, Any]) -> str:
    gives = {
        "table": "gives the same rows, columns, order and bits as the file",
        "inputs": "gives the clinical values that the score was told from; its rules are no SQL",
    }[data["sql_gives"]]
    facts = {
        "dataset": data["dataset_id"],
        "study": f"{data['study']}, split {data['split']}",
        "holds": data["holds"],
        "size": f"{data['patients']} patients, {data['columns']} columns",
        "commit": data["commit_id"],
        "file": data["path"],
        "sha256": data["sha256"],
        "models": ", ".join(data["models"]) or "none",
    }
    lines = [f"{name:8} {value}" for name, value in facts.items()]
    return "\n".join([*lines, "", f"SQL, asked with --as-of {data['commit_id']}: {gives}", "", data["sql"]])


def _rebuilt_text(each: RebuiltDataset) -> str:
    words = {
        "identical": "the same bytes",
        "equal": f"the same values, bit for bit, in other bytes: {each.reason}",
        "different": "differs",
        "failed": f"failed: {each.reason}",
    }[each.verdict]
    beside = {"intact": "", "put back": "; the file was not, and is put back"}.get(
        each.file, f"; the file is {each.file}"
    )
    return "\n".join([f"{each.dataset_id}  as of commit {each.commit_id}: {words}{beside}", *_difference_lines(each)])


def _difference_lines(each: RebuiltDataset) -> Sequence[str]:
    found = each.difference
    named = {
        "columns no longer there": found.columns_lost,
        "columns that are new": found.columns_new,
        "columns of another type or order": found.columns_changed,
        "patients no longer there": found.patients_lost,
        "patients who are new": found.patients_new,
    }
    lines = [f"  {len(names)} {what}: {_some(names)}" for what, names in named.items() if names]
    if found.is_reordered:
        lines.append("  the patients stand in another order")
    if found.cells:
        lines.append(f"  {found.cells} {'cell differs' if found.cells == 1 else 'cells differ'}")
    lines += [f"    {c.patient} {c.column}: pinned {c.pinned!r}, now {c.rebuilt!r}" for c in found.first_cells]
    return lines


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
