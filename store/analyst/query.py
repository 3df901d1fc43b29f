"""SQL over a snapshot: one read-only statement in a sandboxed DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from schemas.errors import NotFoundError, UsageError
from schemas.settings import SQL_VARIABLES, SqlLimits
from store.analyst.kept import KeptRows, kept_rows
from store.analyst.layout import copy_catalogue, define_analyst_views, lay_out_views
from store.analyst.named import names_in
from store.analyst.pivot import listed_pivot
from store.analyst.statement import (
    TABLES_HINT,
    first_line,
    is_pivot_without_list,
    reading_statement,
    refuse_what_is_no_text,
)
from store.analyst.view_parts import path_pattern, quoted_name, quoted_text
from store.history.snapshot import Snapshot, empty_table

__all__ = [
    "READ_BY_MANY",
    "Question",
    "answer",
    "bound_question",
    "over_limit",
    "over_memory",
    "shut_connection",
    "snapshot_connection",
    "sql_errors",
]

READ_BY_MANY = frozenset({"changed_inputs"})
"""A view that those of models, figures and the leaderboard read. To plan it takes longer than to plan all the rest."""

_MOST_PIVOTS = 20
_MEANT = ("Did you mean", "Candidate bindings")
_LACKS = ("not found", "does not have a column", "does not exist")
_GB = 10**9


class Question(NamedTuple):
    """A statement that is understood and not yet answered."""

    relation: duckdb.DuckDBPyRelation
    """The answer; each way to read it runs the statement."""
    interrupt: Callable[[], None]
    """Ends whatever runs."""
    limits: SqlLimits
    """What it may take."""


def snapshot_connection(
    snapshot: Snapshot,
    names: Set[str] | None = None,
    *,
    documented: bool = False,
    computed: Set[str] = frozenset(),
) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the snapshot's views, for questions of the program's own.

    It can read the store's segments and nothing more: no other file, no extension, no setting. SQL of a user's goes
    to `bound_question`.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    names : set of str, optional
        Only these views and tables of the schema ``catalogue``, and what these views read; all where None.
    documented : bool
        Put comments on views and columns.
    computed : set of str
        Views that are computed once and kept as tables, for many questions.
    """
    connection = duckdb.connect()
    # The progress bar would be written among the answer's lines.
    connection.execute("set enable_progress_bar = false")
    # DuckDB may read and write its spill folder whatever else is shut off, by default .tmp of the working directory.
    connection.execute(f"set temp_directory = {quoted_text(str(snapshot.store.spill))}")
    define_analyst_views(connection, snapshot, names, documented=documented, computed=computed)
    folder = str(snapshot.store.segments.local_root)
    # Files are named by patterns that fit one path; DuckDB compares these, and then what they fit.
    allowed = ", ".join(map(quoted_text, dict.fromkeys((folder, path_pattern(folder)))))
    connection.execute(f"set allowed_directories = [{allowed}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def answer(
    snapshot: Snapshot, query: str, parameters: Mapping[str, str] | None = None, limits: SqlLimits | None = None
) -> pa.Table:
    """Return the answer to one read-only SQL statement, all of it, in this process.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    query : str
        One SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.
    parameters : mapping of str to str, optional
        Values for ``$name`` in the query.
    limits : SqlLimits, optional
        What it may take; of them memory and spilling are kept here.

    Raises
    ------
    UsageError
        When the text is not exactly one statement that reads, or SQL refuses it.
    NotFoundError
        When a table or column does not exist.
    """
    given = dict(parameters or {})
    kept = kept_rows(snapshot, names_in(query, *given, *given.values()))
    with (
        tempfile.TemporaryDirectory(prefix="radzoo-spill-") as spill,
        bound_question(kept, query, given, limits or SqlLimits(), Path(spill)) as question,
        sql_errors(question.limits),
    ):
        return question.relation.to_arrow_table()


@contextmanager
def bound_question(
    kept: KeptRows, query: str, parameters: Mapping[str, str], limits: SqlLimits, spill: Path
) -> Iterator[Question]:
    """Give a read-only SQL statement that is understood and not yet answered, to be read in pieces.

    Parameters
    ----------
    kept : KeptRows
        Of the snapshot that is asked, what the query names.
    query : str
        As `answer` takes it.
    parameters : mapping of str to str
        Values for ``$name`` in the query.
    limits : SqlLimits
        What it may take; memory and spilling are kept here, time and rows by whoever reads.
    spill : Path
        A folder of this question's alone.

    Raises
    ------
    UsageError, NotFoundError
        As `answer` does. What fails while rows are read is DuckDB's error: `sql_errors` translates it.
    """
    refuse_what_is_no_text(query, *parameters, *parameters.values())
    # What is no statement that reads is refused before a store is laid out for it.
    statement = None if is_pivot_without_list(query) else reading_statement(query)
    # Comments take a second to write and are seen only where a query asks for DuckDB's own catalogue.
    documented = any(word in query.lower() for word in ("duckdb_", "comment", "pg_"))
    with shut_connection(kept, limits, spill, documented=documented) as connection:
        with sql_errors(limits):
            if statement is None:
                statement = reading_statement(_with_lists(connection, query, parameters))
            relation = connection.sql(statement, params=dict(parameters))
        yield Question(relation, connection.interrupt, limits)


@contextmanager
def sql_errors(limits: SqlLimits) -> Iterator[None]:
    """Translate what DuckDB says of a query into the errors that a user meets.

    Raises
    ------
    UsageError
        When SQL refuses the query, or it needs more than it may take.
    NotFoundError
        When a table or column does not exist.
    """
    try:
        yield
    except duckdb.Error as error:
        message = first_line(error)
        if (limit := over_limit(str(error), limits)) is not None:
            raise limit from error
        nearest = _nearest(error)
        if isinstance(error, duckdb.CatalogException) or (
            isinstance(error, duckdb.BinderException) and any(words in message for words in _LACKS)
        ):
            raise NotFoundError(
                message, hint=f"{nearest}radzoo sql 'show tables', or radzoo sql 'describe TABLE'"
            ) from error
        raise UsageError(message, hint=f"{nearest}{TABLES_HINT}") from error


def over_limit(message: str, limits: SqlLimits) -> UsageError | None:
    """Return what to say where DuckDB's message is that memory or spilling came to its limit, else None."""
    if not any(words in message for words in ("Out of Memory", "bad_alloc", "std::length_error", "MemoryError")):
        return None
    if "max_temp_directory_size" in message:
        return UsageError(
            f"the question needs more than {limits.spill_gb:g} GB on disk",
            hint=f"ask for less, or set {SQL_VARIABLES['spill_gb']} to more",
        )
    return over_memory(limits)


def over_memory(limits: SqlLimits) -> UsageError:
    """Return what to say where a question needs more memory than it may take."""
    return UsageError(
        f"the question needs more than {limits.memory_gb:g} GB of memory",
        hint=f"ask for less, or set {SQL_VARIABLES['memory_gb']} to more",
    )


def shut_connection(
    kept: KeptRows, limits: SqlLimits, spill: Path, *, documented: bool = False
) -> duckdb.DuckDBPyConnection:
    """Return a connection with a kept snapshot's views in which SQL has no file but those of the spill folder.

    The segments are read by Arrow, for the views alone: DuckDB itself may open none of them, not even to read.
    """
    settings = {
        "temp_directory": str(spill),
        "memory_limit": f"{limits.memory_gb * _GB:.0f}B",
        "max_temp_directory_size": f"{limits.spill_gb * _GB:.0f}B",
        # It would be written among the answer's lines.
        "enable_progress_bar": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # A name in SQL is no variable of this program.
        "python_enable_replacements": "false",
        # Else SHOW shows a setting where no table has the name.
        "show_behavior": "table",
    }
    connection = duckdb.connect()
    connection.execute("; ".join(f"set {name} = {quoted_text(value)}" for name, value in settings.items()))
    _lay_out_segments(connection, kept, documented=documented)
    copy_catalogue(connection, kept.tables.items())
    _lay_out_columns(connection, kept, documented=documented)
    lay_out_views(connection, kept.views, documented=documented, segments=kept.place)
    _lay_out_names(connection, kept)
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _lay_out_segments(connection: duckdb.DuckDBPyConnection, kept: KeptRows, *, documented: bool) -> None:
    if not kept.segments:
        return
    # Loading it takes longer than most questions, which read no segment.
    from store.rows.segment_dataset import segment_dataset

    rows = ((each.relation, segment_dataset(each.feature_set, each.files, each.file_column)) for each in kept.segments)
    _lay_out_raw(connection, kept, rows, "rows of segments, which the views choose from", documented=documented)


def _lay_out_columns(connection: duckdb.DuckDBPyConnection, kept: KeptRows, *, documented: bool) -> None:
    """Create tables that are kept by columns as views over them: a question reads the columns that it needs."""
    if not kept.columns:
        return
    rows = ((f"table_{name}", table.rows()) for name, table in kept.columns.items())
    about = "all rows of a table, live and ended, which that of the schema catalogue chooses from"
    _lay_out_raw(connection, kept, rows, about, documented=documented)
    names = {name: empty_table(name).schema.names for name in kept.columns}
    is_live = f"added_commit <= {kept.commit_id} and (removed_commit is null or removed_commit > {kept.commit_id})"
    statements = (
        f"create view catalogue.{name} as select {', '.join(map(quoted_name, columns))} "
        f"from {kept.schema}.table_{name} where {is_live}"
        for name, columns in names.items()
    )
    connection.execute(";".join(statements))


def _lay_out_raw(
    connection: duckdb.DuckDBPyConnection,
    kept: KeptRows,
    relations: Iterable[tuple[str, object]],
    about: str,
    *,
    documented: bool,
) -> None:
    """Create views over what Arrow reads, in the schema that no question can name."""
    connection.execute(f"create schema if not exists {kept.schema}; set schema = '{kept.schema}'")
    for name, rows in relations:
        connection.from_arrow(rows).create_view(name)
        if documented:
            connection.execute(f"comment on view {name} is {quoted_text(about)}")
    connection.execute("set schema = 'main'")


def _lay_out_names(connection: duckdb.DuckDBPyConnection, kept: KeptRows) -> None:
    """Create what is only named, in lists and in what DuckDB says may have been meant; it cannot be read."""
    named = [*map(quoted_name, kept.others), *(f"catalogue.{quoted_name(each)}" for each in kept.other_tables)]
    if named:
        # Never seen but where this program takes a name for one that is not read.
        nothing = "select 1 as nothing where error('this question reads what it was not seen to name') is null"
        statements = (f"create view {name} as {nothing}" for name in named)
        connection.execute(";".join(("create schema if not exists catalogue", *statements)))


def _with_lists(connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, str], deep: int = 0) -> str:
    """Return a query whose PIVOTs have lists; their values come from queries that only read, in the same sandbox."""

    def values(question: str) -> list[str | None]:
        if is_pivot_without_list(question) and deep < _MOST_PIVOTS:
            question = _with_lists(connection, question, parameters, deep + 1)
        statement = reading_statement(question)
        used = {name: value for name, value in parameters.items() if name in statement.named_parameters}
        return [value for (value,) in connection.sql(statement, params=used).fetchall()]

    for _ in range(_MOST_PIVOTS):
        listed = listed_pivot(query, values)
        if listed is None:
            break
        query = listed
    return query


def _nearest(error: Exception) -> str:
    """Return DuckDB's own lines on what may have been meant, three names each, to stand before a hint."""
    lines = (line.strip() for line in str(error).splitlines()[1:])
    return "".join(f"{', '.join(line.split(', ')[:3])}; " for line in lines if line.startswith(_MEANT))
