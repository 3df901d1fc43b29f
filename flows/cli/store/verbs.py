"""The verbs that look after the store: log, publish, catalogue, compact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.outcome import Context, Outcome, table_text
from flows.keep.compact import CompactReport
from flows.keep.compact import compact as compact_store
from flows.store_page.page import write_catalogue
from store.analyst.publish import published
from store.compaction.leftovers import GRACE_HOURS
from store.compaction.merge_plan import TARGET_ROWS
from store.faults import disk_faults
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["catalogue", "compact", "log", "publish"]

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
    with disk_faults(out or context.store):
        file = write_catalogue(Store(context.store), out)
    return Outcome(f"wrote {file}", {"catalogue": str(file)})


def compact(
    *,
    feature_set: str | None = None,
    target_rows: Annotated[int, Parameter(validator=Number(gte=1))] = TARGET_ROWS,
    grace_hours: Annotated[float, Parameter(validator=Number(gte=0))] = GRACE_HOURS,
    context: Shared,
) -> Outcome:
    """Merge each feature set's small segments into few large ones, and remove files that nothing names any more.

    What every snapshot says stays as it is; analyst.duckdb is published again.

    Parameters
    ----------
    feature_set
        Only this one, as name@version.
    target_rows
        How many rows a segment shall have.
    grace_hours
        How long a replaced file stays, for those who have it open; 0 removes it now.
    """
    with disk_faults(context.store):
        report = compact_store(Store(context.store), feature_set, target_rows=target_rows, grace_hours=grace_hours)
    return Outcome(_compact_text(report), report)


def _compact_text(report: CompactReport) -> str:
    rows = [
        {
            "feature_set": each.feature_set,
            "rows": each.rows,
            "files": f"{each.files_before} -> {each.files_after}",
            "MB": f"{each.bytes_before / 1e6:.2f} -> {each.bytes_after / 1e6:.2f}",
        }
        for each in report.feature_sets
    ]
    lines = [table_text(rows, ["feature_set", "rows", "files", "MB"])] if rows else ["the store has no features yet"]
    freed = sum(each.bytes for each in report.removed) / 1e6
    lines.append(f"{len(report.removed)} old files removed, {freed:.2f} MB")
    return "\n".join([*lines, *(f"  {each.path}" for each in report.removed)])
