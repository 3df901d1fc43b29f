"""The check of ``analyst.duckdb``: it says what the catalogue says, as of the commit that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from schemas.errors import ContractError, RadzooError
from store.analyst.layout import define_analyst_views
from store.analyst.publish import STORAGE_VERSION, publication_note, published_commit, writer_of_files
from store.analyst.view_parts import quoted_name, quoted_text
from store.catalogue.connection import read_transaction
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.limits.process import LimitedProcess, LimitedProcessError, Limits
from store.verification.findings import Check, Finding
from store.verification.publication_content import LATER, Content, content_of, file_content, views_of

__all__ = ["columns_check", "publication_check"]

_PUBLISH = "radzoo store publish writes it again"
_REPAIR = "radzoo store verify --repair"
_LAYOUT = ("catalogue.segments", "catalogue.extractions")
"""What compaction and erasure change in every snapshot: the file is behind until it is published again."""

_SECONDS, _MEMORY = 120.0, 2 << 30


def publication_check(store: Store, *, quick: bool) -> tuple[list[Check], list[Finding]]:
    """Return the check of the published file, none where there is no file, and what is worth knowing of it.

    The catalogue's tables and the views' definitions are made again in memory and compared. A file of an older commit
    is compared with that commit, and is only told: a commit need not publish.

    Parameters
    ----------
    store : Store
        The store.
    quick : bool
        Compare the commit alone.
    """
    file = store.analyst_file
    if not file.exists() and not file.is_symlink():
        return [], []
    promise = "it shows the commit that it names" if quick else "its tables and views are the catalogue's"
    findings, notes = _found(store, file, quick=quick)
    return [Check.of("published file", promise, 1, findings)], notes


def columns_check(store: Store) -> list[Check]:
    """Return the check of what the store keeps by columns, none where it keeps nothing so.

    Readers take no file that is not what the catalogue says: what is found here costs time, but for a file from before
    an erasure that another machine made, which has who was erased.
    """
    with read_transaction(store.engine) as connection:
        findings = [Finding(what, str(store.columns.folder), _PUBLISH) for what in store.columns.unfit(connection)]
    names = store.columns.names()
    return [Check.of("columns", "they are the catalogue's rows", len(names), findings)] if names else []


def _found(store: Store, file: Path, *, quick: bool) -> tuple[list[Finding], list[Finding]]:
    where, newest = str(file), newest_commit(store)
    if file.is_symlink() or not file.is_file():
        kind = "a link" if file.is_symlink() else "a folder" if file.is_dir() else "no file of a kind that is written"
        hint = f"move it away, then {_PUBLISH}" if file.is_dir() and not file.is_symlink() else _PUBLISH
        return [Finding(f"this is {kind}, not a published file", where, hint)], []
    commit = published_commit(store)
    if commit is None:
        return [Finding("the file cannot be read", where, _PUBLISH)], []
    if commit > newest:
        return [Finding(f"it shows commit {commit}, the store has {newest}", where, _PUBLISH)], []
    notes = []
    if commit < newest:
        notes.append(Finding(f"it shows commit {commit}, the newest is {newest}", where, _PUBLISH))
    if quick:
        return [], notes
    try:
        limits = Limits(_SECONDS, _MEMORY, readable=(file,))
        with LimitedProcess(limits, modules=(file_content.__module__,)) as process:
            theirs = process.call(file_content, where)
    except (LimitedProcessError, RadzooError) as error:
        return [Finding(f"the file cannot be read: {error}", where, _PUBLISH)], notes
    try:
        found, behind = _differences(Snapshot(store, commit), theirs)
    except ContractError as error:
        notes.append(Finding(f"it is compared once the store itself is whole: {error.message}", where, _REPAIR))
        return [], notes
    if behind:
        what = "it was published before files of the store were last rewritten, elsewhere, or by another release"
        notes.append(Finding(what, where, _PUBLISH, tuple(behind)))
    what = f"{len(found)} of its tables and views are not what the catalogue says as of commit {commit}"
    return [Finding(what, where, _PUBLISH, tuple(found))] if found else [], notes


def _differences(snapshot: Snapshot, theirs: Content) -> tuple[list[str], list[str]]:
    """Return what differs, and what differs only for a later layout, a later erasure or another release's views."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as analyst")
        connection.execute("use analyst")
        define_analyst_views(connection, snapshot.to_publish(), documented=False)
        connection.execute("use memory")
        ours = content_of(connection, "analyst") | {"views": _views_as_written(connection)}
    note = publication_note(snapshot.store) or {}
    found: list[str] = []
    behind: list[str] = []
    is_as_now = note.get("writer") == writer_of_files() and note.get("store") == str(snapshot.store.root)
    of_release = found if is_as_now else behind
    for table in sorted({*ours["columns"], *theirs["columns"]}):
        if fault := _fault(ours["columns"], theirs["columns"], table):
            of_release.append(f"table {table}: {fault}")
    for table, rows in ours["rows"].items():
        there = theirs["rows"].get(table)
        if there is None or _is_within(table, there, rows):
            continue
        # Of these two the rows without their layout are looked at by themselves.
        (behind if table in _LAYOUT else found).append(f"table {table}: its rows are others")
    is_moved = bool(behind)
    for view in sorted({*ours["views"], *theirs["views"]}):
        if fault := _fault(ours["views"], theirs["views"], view):
            is_layout = is_moved and "read_parquet" in str(ours["views"].get(view))
            (behind if is_layout else of_release).append(f"view {view}: {fault}")
    return found, behind


def _views_as_written(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the definitions of the database ``analyst`` as a file gives them, which writes types otherwise.

    The file has no row of any table.
    """
    views = "select sql from duckdb_views() where database_name = 'analyst' and not internal order by view_oid"
    statements = connection.execute(views).fetchall()
    tables = connection.execute("select table_name from duckdb_tables() where database_name = 'analyst'").fetchall()
    with TemporaryDirectory() as folder:
        file = str(Path(folder) / "views.duckdb")
        connection.execute(f"attach {quoted_text(file)} as written (storage_version '{STORAGE_VERSION}')")
        connection.execute("begin; create schema written.catalogue")
        for (table,) in tables:
            place = f"catalogue.{quoted_name(table)}"
            connection.execute(f"create table written.{place} as from analyst.{place} limit 0")
        connection.execute("use written")
        for (statement,) in statements:
            connection.execute(statement)
        connection.execute("commit; use memory; detach written")
        connection.execute(f"attach {quoted_text(file)} as published (read_only)")
        return views_of(connection, "published")


def _is_within(table: str, there: Any, rows: Any) -> bool:
    """Return whether a table of the file has the catalogue's rows; of what is written without a commit, such ones."""
    if table.removeprefix("catalogue.") not in LATER:
        return bool(there == rows)
    known = [tuple(row) for row in rows]
    return all(tuple(row) in known for row in there)


def _fault(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> str | None:
    if ours.get(name) == theirs.get(name):
        return None
    if name not in theirs:
        return "it is missing"
    return "it is not the store's" if name not in ours else "it has another definition"
