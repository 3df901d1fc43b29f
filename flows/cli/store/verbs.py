"""The verbs that look after the store: log, publish, overview, compact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.outcome import CommandResult, Context, table_text
from flows.keep.compact import CompactReport
from flows.keep.compact import compact as compact_store
from flows.overview.page import write_overview
from store.analyst.publish import publish_snapshot
from store.compaction.leftovers import GRACE_HOURS
from store.compaction.merge_plan import TARGET_ROWS
from store.faults import disk_faults
from store.history.snapshot import Snapshot
from store.history.tags import tags_by_commit
from store.home import Store

__all__ = ["compact", "log", "overview", "publish"]

Shared = Annotated[Context, Parameter(parse=False)]


def log(*, limit: int = 20, context: Shared) -> CommandResult:
    """List the commits, newest first.

    Each change of the store is a commit. Its number is what --as-of takes, to answer as the store was then; so are the
    tags that radzoo store tag gives it.

    Parameters
    ----------
    limit
        How many to list at the most.

    Examples
    --------
    radzoo store log --limit 5
    """
    snapshot = Snapshot(Store(context.store))
    tags = tags_by_commit(snapshot)
    commits = snapshot.arrow("commits").to_pylist()[::-1][:limit]
    commits = [{**row, "tags": tags.get(row["commit_id"], [])} for row in commits]
    columns = ["commit_id", "committed_at", "author", "message"]
    if any(row["tags"] for row in commits):
        columns.insert(1, "tags")
    shown = [{**row, "tags": ", ".join(row["tags"])} for row in commits]
    return CommandResult(table_text(shown, columns) if commits else "the store has no commit yet", commits)


def publish(*, context: Shared) -> CommandResult:
    """Write analyst.duckdb, a documented file that any DuckDB client opens.

    Ingest, refresh and bench publish by themselves; this verb is for other moments. The file of before is replaced,
    with whatever a client has written into it.

    Examples
    --------
    radzoo store publish && duckdb radzoo-store/analyst.duckdb
    """
    file = publish_snapshot(Snapshot(Store(context.store)))
    return CommandResult(f"published {file}", {"file": str(file)})


def overview(*, out: Path | None = None, context: Shared) -> CommandResult:
    """Write an overview of the store: one HTML page of features, coverage and the lineage of models.

    The page of before is replaced; the store stays as it is.

    Parameters
    ----------
    out
        The folder that index.html goes to; the store's report/overview where not given.

    Examples
    --------
    radzoo store overview --out public
    """
    with disk_faults(out or context.store):
        file = write_overview(Store(context.store), out)
    return CommandResult(f"wrote {file}", {"overview": str(file)})


def compact(
    *,
    feature_set: str | None = None,
    target_rows: Annotated[int, Parameter(validator=Number(gte=1))] = TARGET_ROWS,
    grace_hours: Annotated[float, Parameter(validator=Number(gte=0))] = GRACE_HOURS,
    context: Shared,
) -> CommandResult:
    """Merge small files into few large ones and remove files that nothing names any more.

    What every snapshot says stays as it is, however old; analyst.duckdb is published again. A file that was replaced
    stays for a time of grace and is then deleted; no value is lost. Large refreshes and ingests do this by themselves.

    Parameters
    ----------
    feature_set
        Only this one, as name@version.
    target_rows
        How many rows a segment shall have.
    grace_hours
        How long a replaced file stays, for those who have it open; 0 removes it now.

    Examples
    --------
    radzoo store compact
    radzoo store compact --feature-set hcc-cemri@1 --grace-hours 48
    """
    with disk_faults(context.store):
        report = compact_store(Store(context.store), feature_set, target_rows=target_rows, grace_hours=grace_hours)
    return CommandResult(_compact_text(report), report)


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
