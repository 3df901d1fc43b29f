"""Expectations are asked in a process without rights: what it reads of their SQL, and what comes out of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import RadzooError
from schemas.plain_keys import MaskKey
from schemas.settings import SQL_VARIABLES, SqlLimits, sql_limits
from schemas.shown_text import shown_text
from store.analyst.analyst_views import table_without_rows, tables_of
from store.analyst.kept import KeptRows, kept_rows
from store.analyst.named import Named, names_in
from store.analyst.plain_rows import plain_batches, plain_columns
from store.analyst.query import bound_question, sql_errors
from store.analyst.view_parts import View, fixed_view, fixed_view_names
from store.history.snapshot import Snapshot, empty_table
from store.home import Store
from store.limits.process import LimitedProcess
from store.questions.process import limit_errors, sandbox_rights, spill_folder

__all__ = ["MOST_ROWS", "AskedProcess", "RuleAnswer", "Scope", "asked_process", "rule_limits"]

MOST_ROWS = 100_000
"""Rows that are read of an answer; what breaks in more places is not told one by one."""

_SECONDS = 60.0
"""A writer's lock is held meanwhile."""
_SHOWN_ROWS = 5
_SHOWN_CHARACTERS = 80

Row = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """Whose rows of an answer count: a store may have other studies, and views show all of them."""

    study: str
    patients: frozenset[str]
    masks: frozenset[MaskKey]
    others: frozenset[MaskKey]
    """Masks that other studies have and this one has not."""


@dataclass(frozen=True)
class RuleAnswer:
    """The rows that break an expectation."""

    columns: tuple[str, ...]
    rows: int
    """How many there are, up to `MOST_ROWS`."""
    is_cut: bool
    """Whether there are more."""
    shown: tuple[Mapping[str, str], ...]
    """The first ones, as text."""
    keys: tuple[tuple[str | None, ...], ...]
    """Of each row the columns of a mask's key, None where the answer has no such column."""


def rule_limits() -> SqlLimits:
    """Return what the question of an expectation may take: what the environment says, else a minute."""
    limits = sql_limits(os.environ)
    return limits if SQL_VARIABLES["seconds"] in os.environ else replace(limits, seconds=_SECONDS)


class AskedProcess:
    """The process that is asked, one question after another.

    Parameters
    ----------
    process : LimitedProcess
        The child.
    limits : SqlLimits
        What one question may take.
    spill : Path
        A folder of the child's alone.
    """

    def __init__(self, process: LimitedProcess, limits: SqlLimits, spill: Path) -> None:
        self._process = process
        self._limits = limits
        self._spill = spill

    def names(self, query: str) -> Named:
        """Return what a query names.

        Raises
        ------
        UsageError, NotFoundError
            When it is not one statement that only reads.
        """
        with limit_errors(self._limits):
            return self._process.call(names_in, query)

    def columns(self, query: str, named: Named) -> tuple[str, ...] | None:
        """Return the columns of an answer over the views of every store; None where a query names others.

        Raises
        ------
        UsageError, NotFoundError
            When it names a column that these do not have, or SQL refuses it.
        """
        if named.lists_columns or not named.views - named.own <= set(fixed_view_names()):
            return None
        with limit_errors(self._limits):
            return self._process.call(_columns, _empty(named), query, self._limits, self._spill)

    def answer(
        self, snapshot: Snapshot, query: str, named: Named, scope: Scope, given: Mapping[str, Sequence[Row]]
    ) -> RuleAnswer:
        """Return the rows of a query.

        Parameters
        ----------
        snapshot : Snapshot
            What is asked.
        query : str
            SQL that was seen to read only.
        named : Named
            What it names.
        scope : Scope
            Whose rows count.
        given : mapping of str to sequence of mapping
            Rows of tables in place of the snapshot's.
        """
        kept = kept_rows(snapshot, named)
        named_ones = kept.tables.keys() | kept.columns.keys()
        tables = kept.tables | {name: _table(name, rows) for name, rows in given.items() if name in named_ones}
        columns = {name: rows for name, rows in kept.columns.items() if name not in given}
        with limit_errors(self._limits):
            rows = kept._replace(tables=tables, columns=columns)
            return self._process.call(_answer, rows, query, scope, self._limits, self._spill)


@contextmanager
def asked_process(store: Store | None, *, by_fork: bool) -> Iterator[AskedProcess]:
    """Give a process that can be asked.

    Parameters
    ----------
    store : Store or None
        Whose segments it may read; None where questions are only understood.
    by_fork : bool
        Copy this process, which has no threads that hold locks; else a fresh Python is started.
    """
    limits = rule_limits()
    with _spill(store) as spill:
        if store is not None:
            store.segments.local_root.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                store.columns.folder.mkdir(exist_ok=True)
        rights = sandbox_rights(store, limits, spill)
        with LimitedProcess(rights, trusted=("flows.expect.asked",), modules=(__name__,), by_fork=by_fork) as process:
            yield AskedProcess(process, limits, spill)


@contextmanager
def _spill(store: Store | None) -> Iterator[Path]:
    if store is None:
        with tempfile.TemporaryDirectory(prefix="radzoo-spill-") as folder:
            yield Path(folder)
    else:
        with spill_folder(store) as spill:
            yield spill


def _columns(kept: KeptRows, query: str, limits: SqlLimits, spill: Path) -> tuple[str, ...]:
    """Return the columns of an answer; called in the child."""
    tempfile.tempdir = str(spill)
    with bound_question(kept, query, {}, limits, spill) as question, sql_errors(limits):
        return tuple(each.name for each in plain_columns(question.relation))


def _answer(kept: KeptRows, query: str, scope: Scope, limits: SqlLimits, spill: Path) -> RuleAnswer:
    """Return the rows of an answer that count; called in the child."""
    tempfile.tempdir = str(spill)
    shown: list[Row] = []
    keys: list[tuple[str | None, ...]] = []
    is_cut = False
    with bound_question(kept, query, {}, limits, spill) as question, sql_errors(limits):
        columns = [each.name for each in plain_columns(question.relation)]
        for batch in plain_batches(question, MOST_ROWS + 1):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                row = dict(zip(columns, values, strict=True))
                by_name = {name.lower(): value for name, value in row.items()}
                if not _counts(by_name, scope):
                    continue
                if len(keys) == MOST_ROWS:
                    is_cut = True
                    break
                keys.append(_key(by_name))
                if len(shown) < _SHOWN_ROWS:
                    shown.append({name: _shown(value) for name, value in row.items()})
    return RuleAnswer(tuple(columns), len(keys), is_cut, tuple(shown), tuple(keys))


def _counts(row: Mapping[str, Any], scope: Scope) -> bool:
    """Return whether a row is of the study, as far as it tells."""
    if row.get("study") is not None:
        return bool(row["study"] == scope.study)
    if row.get("patient") is not None and _text(row["patient"]) not in scope.patients:
        return False
    if all(row.get(name) is not None for name in MaskKey._fields):
        patient, exam, phase, lesion, reader = (_text(row[name]) for name in MaskKey._fields[:-1])
        with suppress(TypeError, ValueError):
            # A mask that could not be read is of no study's list, and is this one's.
            return MaskKey(patient, exam, phase, lesion, reader, int(row["reading"])) not in scope.others
    return True


def _key(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return what a row says of a mask's key; None of what it does not say."""
    values = [row.get(name) for name in MaskKey._fields]
    whole = [int(each) if isinstance(each, float) and each.is_integer() else each for each in values]
    return tuple(None if each is None else str(each) for each in whole)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _shown(value: Any) -> str:
    return shown_text(f"{value:.6g}" if isinstance(value, float) else _text(value), _SHOWN_CHARACTERS)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = empty_table(name).schema
    return pa.Table.from_pylist([{each: row.get(each) for each in schema.names} for row in rows], schema=schema)


def _empty(named: Named) -> KeptRows:
    """Return what a query names of the views of every store, over tables without rows."""
    wanted = {name for name in named.views if name in fixed_view_names()}
    views: dict[str, View] = {}
    pending = list(wanted)
    while pending:
        view = fixed_view(pending.pop())
        views[view.name] = view
        pending += view.views
    ordered = [views[name] for name in fixed_view_names() if name in views]
    tables = tables_of(ordered) | named.tables
    try:
        rows = {name: table_without_rows(name) for name in sorted(tables)}
    except KeyError as error:
        raise RadzooError(f"there is no table catalogue.{error.args[0]}") from error
    return KeptRows(rows, {}, 0, ordered, [], "segments_of_none", [], [], "")
