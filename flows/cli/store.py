"""The verbs that look after the store: log, publish, catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.catalogue.page import write_catalogue
from flows.cli.outcome import Context, Outcome, table_text
from store.home import Store
from store.publish import published
from store.snapshot import Snapshot

__all__ = ["catalogue", "log", "publish"]

Shared = Annotated[Context, Parameter(parse=False)]


def log(*, limit: int = 20, context: Shared) -> Outcome:
    """List the commits, newest first.

    Parameters
    ----------
    limit
        How many to list at the most.
    """
    commits = Snapshot(Store(context.store)).arrow("commits").to_pylist()[::-1][:limit]
    columns = ["commit_id", "committed_at", "author", "message"]
    return Outcome(table_text(commits, columns) if commits else "the store has no commit yet", commits)


def publish(*, context: Shared) -> Outcome:
    """Write analyst.duckdb, a file that any DuckDB client opens, with documented views.

    Refresh and bench publish by themselves; this verb is for other moments.
    """
    file = published(Snapshot(Store(context.store)))
    return Outcome(f"published {file}", {"file": str(file)})


def catalogue(*, out: Path | None = None, context: Shared) -> Outcome:
    """Write the catalogue: one HTML page of features, coverage and the lineage of models.

    Parameters
    ----------
    out
        The folder that index.html goes to; the store's report/catalogue where not given.
    """
    file = write_catalogue(Store(context.store), out)
    return Outcome(f"wrote {file}", {"catalogue": str(file)})
