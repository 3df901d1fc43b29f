"""The verbs that make a store and copy it out: init, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context
from store.address import StoreAddress
from store.analyst.export import export_snapshot
from store.creation import create_store
from store.faults import disk_faults
from store.history.tags import snapshot_as_of
from store.home import Store

__all__ = ["export", "init"]

Shared = Annotated[Context, Parameter(parse=False)]


def init(*, catalogue: str | None = None, data: str | None = None, context: Shared) -> CommandResult:
    """Make a store at --store, or open one that several machines share.

    ingest makes a store in a folder too: this verb is for stores that lie elsewhere, or to see whether they can. A
    store that is there is opened and stays as it is. A small file is written where the data go, read back and removed.

    Parameters
    ----------
    catalogue
        postgresql://user@host/database; a file in the store's folder where not given.
    data
        s3://bucket/prefix?region=...; the store's folder where not given.

    Examples
    --------
    radzoo --store /data/radzoo-store store init
    radzoo store init --catalogue postgresql://radzoo@db/radzoo --data s3://bucket/radzoo
    """
    with disk_faults(context.store):
        made = create_store(context.store, StoreAddress(catalogue, data))
    what = f"opened a store of {made.commits} commits" if made.commits else "made a store"
    lines = [what, f"store      {made.store}", f"catalogue  {made.catalogue}", f"data       {made.data}"]
    if made.address_file is not None:
        lines.append(
            f"address    {made.address_file}: the same file makes another machine's folder a door to this store"
        )
    return CommandResult("\n".join(lines), made)


def export(
    folder: Path,
    *,
    study: str | None = None,
    format: Literal["parquet", "csv"] = "parquet",  # noqa: A002  (the option's name)
    as_of: str | None = None,
    context: Shared,
) -> CommandResult:
    """Write a study, or all of the store, as plain files that need no radzoo.

    The store stays as it is. The folder has a README and a description of every column.

    Parameters
    ----------
    folder
        Where the files go: new or empty.
    study
        Only this study; all of the store where not given.
    format
        Of the tables.
    as_of
        Export as of this commit, its number or a tag (radzoo store log lists them).

    Examples
    --------
    radzoo store export plain-files
    radzoo store export plain-files --study my-study --format csv
    """
    with disk_faults(folder):
        done = export_snapshot(snapshot_as_of(Store(context.store), as_of), folder, study=study, format=format)
    rows = sum(each.rows for each in done.resources)
    text = f"{len(done.resources)} tables, {rows:,} rows, as of commit {done.commit_id}, in {done.folder}"
    return CommandResult(f"{text}\nREADME.md there says what is what, datapackage.json describes every column", done)
