"""The overview: one HTML page over all studies of a store, every number of it read by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import duckdb

from flows.commits.erased_meanwhile import carry_out
from flows.overview.drawing import lineage_drawing
from flows.pages.page import page_text, write_page
from flows.pages.questions import Answer, Questions
from schemas.errors import UsageError
from store.analyst.query import READ_BY_MANY, snapshot_connection
from store.dictionary.difference import definition_changes_sql
from store.history.basis import Basis
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["FOLDER", "overview_text", "write_overview"]

FOLDER = "overview"
"""The folder beside a report that the overview lies in."""

Row = dict[str, Any]


@dataclass(frozen=True)
class VersionChange:
    """What the next version of a feature set does differently."""

    before: str
    after: str
    changes: Answer
    columns: Answer


@dataclass(frozen=True)
class StudyLineage:
    """A study's way from images to models."""

    row: Row
    sets: Answer
    models: Answer
    drawing: str


def write_overview(store: Store, folder: Path | None = None) -> Path:
    """Write the overview and return its file.

    Parameters
    ----------
    store : Store
        The store.
    folder : Path, optional
        Where ``index.html`` goes; ``report/overview`` below the store's folder where absent.

    Raises
    ------
    UsageError
        When ``folder`` is a file.
    """
    target = (folder or store.root / "report" / FOLDER).resolve()
    if target.is_file():
        raise UsageError(f"'{target}' is a file", hint="--out names the folder that index.html goes to")

    def work(_: Basis) -> Path:
        with snapshot_connection(Snapshot(store), computed=READ_BY_MANY) as connection:
            text = overview_text(connection)
        return write_page(target / "index.html", text)

    return carry_out(store, work, only_reads=True)


def overview_text(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the overview's HTML; the same state of the store gives the same text."""
    return page_text("overview", _contents(connection))


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return all that the page shows; every part of it comes from an answer that keeps its SQL."""
    questions = Questions(connection, "overview")
    sets, studies = questions.ask("feature_sets"), questions.ask("studies")
    return {
        "totals": questions.ask("totals"),
        "commit": questions.ask("commit"),
        "dictionary": questions.ask("dictionary"),
        "sets": sets,
        "changes": _version_changes(sets.rows, questions, connection),
        "coverage": questions.ask("coverage"),
        "reasons": questions.ask("reasons"),
        "studies": studies,
        "lineages": [_lineage(row, questions) for row in studies.rows],
    }


def _version_changes(
    sets: Sequence[Row], questions: Questions, connection: duckdb.DuckDBPyConnection
) -> list[VersionChange]:
    found = []
    for _, versions in groupby(sets, key=lambda row: row["name"]):
        for old, new in pairwise(row["feature_set"] for row in versions):
            text = definition_changes_sql(old, new)
            changes = Answer(text, connection.sql(text).to_arrow_table().to_pylist())
            found.append(VersionChange(old, new, changes, questions.ask("columns_changed", before=old, after=new)))
    return found


def _lineage(row: Row, questions: Questions) -> StudyLineage:
    sets = questions.ask("sets_of_study", study=row["study"])
    models = questions.ask("models", study=row["study"])
    return StudyLineage(row, sets, models, lineage_drawing(row, sets.rows, models.rows))
