"""Numbered steps that bring a catalogue to the newest format; a store of an old release opens for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, create_mock_engine, insert, inspect, select, update

from schemas.errors import ContractError
from schemas.keys import canonical_json
from schemas.results import FORMER_SUITES
from store.catalogue.format_1 import format_1
from store.catalogue.row_sums import WrittenSums, write_all_sums, write_no_rows
from store.catalogue.tables import VERSIONED, columns_of, metadata, row_sums, runs, store_format

__all__ = ["FORMAT_VERSION", "TABLES_OF_FORMAT_5", "TABLES_OF_FORMAT_6", "migrate"]

_STEPS: list[Callable[[Connection], None]] = []


def _step(function: Callable[[Connection], None]) -> Callable[[Connection], None]:
    _STEPS.append(function)
    return function


@_step
def m001_first_tables(connection: Connection) -> None:
    """Create the first format's tables."""
    format_1().create_all(connection)


_COLUMNS_OF_FORMAT_2 = {
    "datasets": "feature_set sql sql_gives versions",
    "extractions": "context_sha256",
    "models": "mark",
    "predictions": "repeat:int threshold:real",
    "variables": "window_first:int window_last:int",
}


@_step
def m002_evidence_and_erasure(connection: Connection) -> None:
    """Add what nested cross-validation, explanations, point-in-time values and erasure write down."""
    for name, text in _COLUMNS_OF_FORMAT_2.items():
        for column in columns_of(text):
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"alter table {name} add column {column.name} {kind}")
    for name in ("masks", "extractions"):
        for index in VERSIONED[name].indexes:
            index.create(connection, checkfirst=True)
    metadata.create_all(connection, [table for table in _tables_of_format_3() if table is not row_sums])


@_step
def m003_sums_of_rows(connection: Connection) -> None:
    """Add the sums over each table's rows, by which one that was altered is known."""
    # These tables are the live ones: a step that changes one of them freezes them, as format_1 does.
    metadata.create_all(connection, _tables_of_format_3())
    write_all_sums(connection, _tables_of_format_3())


@_step
def m004_names_of_suites(connection: Connection) -> None:
    """Call the suites of the benchmark by the field's words, in all rows and in the parameters of runs."""
    # A table that was altered before stays known as such: its sum is carried on, not made new.
    sums = WrittenSums(connection)
    for table in metadata.sorted_tables:
        if "suite" in table.c:
            for former, name in FORMER_SUITES.items():
                connection.execute(update(table).where(table.c.suite == former).values(suite=name))
    for run, text in connection.execute(select(runs.c.run_id, runs.c.parameters)).all():
        parameters = json.loads(text)
        if isinstance(parameters, dict) and parameters.get("suite") in FORMER_SUITES:
            changed = canonical_json(parameters | {"suite": FORMER_SUITES[parameters["suite"]]})
            connection.execute(update(runs).where(runs.c.run_id == run).values(parameters=changed))
    sums.write()


TABLES_OF_FORMAT_5 = ("acquisitions", "mask_measures", "findings", "exclusions")


@_step
def m005_cases(connection: Connection) -> None:
    """Add how images were acquired, what masks measure, what readers found and who was excluded."""
    metadata.create_all(connection, [VERSIONED[name] for name in TABLES_OF_FORMAT_5])


TABLES_OF_FORMAT_6 = ("tags", "descriptions", "expectations")


@_step
def m006_names_of_commits(connection: Connection) -> None:
    """Add names of commits, who owns a study or feature set, and what was expected of a study's data."""
    metadata.create_all(connection, [VERSIONED[name] for name in TABLES_OF_FORMAT_6])


def _tables_of_format_3() -> list[Table]:
    later = {*TABLES_OF_FORMAT_5, *TABLES_OF_FORMAT_6}
    return [table for table in metadata.sorted_tables if table.name not in later]


FORMAT_VERSION = len(_STEPS)


def migrate(connection: Connection) -> int:
    """Apply the steps that a catalogue lacks and return the format version it had before.

    An empty catalogue gets the newest tables at once, which are those that all steps would leave.

    Raises
    ------
    ContractError
        When the store was written by a newer release.
    """
    exists = inspect(connection).has_table("store_format")
    found = (connection.execute(select(store_format.c.version)).scalars().all() if exists else []) or [0]
    version = max(found)
    if version > FORMAT_VERSION:
        raise ContractError(
            f"the store has format {version}, this radzoo reads up to {FORMAT_VERSION}",
            hint="install a newer radzoo",
        )
    if version == 0:
        _create_newest(connection)
        return 0
    for number, step in enumerate(_STEPS[version:], start=version + 1):
        step(connection)
        connection.execute(insert(store_format).values(version=number))
    return int(version)


def _create_newest(connection: Connection) -> None:
    dialect = connection.dialect
    for statement in _newest_tables(f"{dialect.name}+{dialect.driver}"):
        connection.exec_driver_sql(statement)
    write_no_rows(connection)
    connection.execute(insert(store_format), [{"version": number} for number in range(1, FORMAT_VERSION + 1)])


@cache
def _newest_tables(dialect: str) -> tuple[str, ...]:
    """Return the statements that create the newest tables: SQLAlchemy itself keeps none of them."""
    statements: list[str] = []

    def written(statement: Any, *_: object, **__: object) -> None:
        statements.append(str(statement.compile(dialect=writer.dialect)))

    writer = create_mock_engine(f"{dialect}://", written)
    metadata.create_all(writer, checkfirst=False)
    return tuple(statements)
