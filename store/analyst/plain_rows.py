"""The answer to a question as plain values, piece by piece: numbers, flags and texts that any file can hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Literal, NamedTuple

import duckdb
import pyarrow as pa

from schemas.errors import ContractError, UsageError
from schemas.settings import SQL_VARIABLES, SqlLimits
from store.analyst.query import Question, over_limit, sql_errors
from store.analyst.statement import first_line
from store.analyst.view_parts import quoted_name
from store.catalogue.columns import no_rows

__all__ = ["Kind", "PlainColumn", "counted_rows", "plain_batches", "plain_columns", "typed_batches"]

Kind = Literal["number", "flag", "text", "integer", "date", "timestamp", "json"]

_BATCH = 2048
_NUMBERS = {
    *("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"),
    *("float", "double", "decimal"),
}
_LONG_INTEGERS = {"hugeint", "uhugeint"}
_TIMESTAMPS = {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
_NESTED = {"list", "struct", "map", "union", "array", "tuple", "variant"}
# What Arrow has no type for that Parquet writes.
_NO_PARQUET = ("INTERVAL", "BIT", "BIGNUM", "UNION", "TIME WITH TIME ZONE", "GEOMETRY", "VARIANT")


class PlainColumn(NamedTuple):
    """A column of an answer: a name that no other one has, and what its values are."""

    name: str
    kind: Kind


def plain_columns(relation: duckdb.DuckDBPyRelation) -> list[PlainColumn]:
    """Return the columns of an answer; those that share a name are told apart by a number.

    An ``integer`` comes as the text of a whole number of any length, a ``date`` and a ``timestamp`` as ISO 8601, a
    nested value as ``json``.
    """
    kinds = [_kind(str(each.id)) for each in relation.types]
    return [PlainColumn(*each) for each in zip(_distinct(relation.columns), kinds, strict=True)]


def plain_batches(question: Question, limit: int | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an answer, a few thousand at a time; the first batch is empty and has the columns.

    Parameters
    ----------
    question : Question
        From `store.analyst.query.bound_question`.
    limit : int, optional
        How many rows at the most.

    Raises
    ------
    UsageError
        Where there are more than a question's answer may have, and where SQL fails on the way.
    """
    columns = plain_columns(question.relation)
    casts = {"number": "", "flag": "", "json": "to_json"}
    parts = [
        f"{casts.get(each.kind, '')}(#{place}){'' if each.kind in ('number', 'flag') else '::varchar'} "
        f"as {quoted_name(each.name)}"
        for place, each in enumerate(columns, start=1)
    ]
    yield from _batches(question, question.relation.project(", ".join(parts)), limit)


def typed_batches(question: Question, limit: int | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an answer with their types, those as text that a Parquet file has none for; as `plain_batches`.

    Parameters
    ----------
    question : Question
        From `store.analyst.query.bound_question`.
    limit : int, optional
        How many rows at the most.

    Raises
    ------
    UsageError
        As `plain_batches`.
    """
    parts = []
    for place, (column, kind) in enumerate(
        zip(plain_columns(question.relation), question.relation.types, strict=True), start=1
    ):
        is_text = any(word in str(kind) for word in _NO_PARQUET) and str(kind.id) != "enum"
        value = f"{'to_json' if column.kind == 'json' else ''}(#{place})::varchar" if is_text else f"#{place}"
        parts.append(f"{value} as {quoted_name(column.name)}")
    yield from _batches(question, question.relation.project(", ".join(parts)), limit)


def counted_rows(question: Question, within_s: float) -> int | None:
    """Return how many rows an answer has, None where counting them takes longer than a time.

    Parameters
    ----------
    question : Question
        From `store.analyst.query.bound_question`; DuckDB counts without making the columns.
    within_s : float
        Seconds.
    """
    timer = threading.Timer(within_s, question.interrupt)
    timer.daemon = True
    timer.start()
    try:
        ((rows,),) = question.relation.aggregate("count(*)").fetchall()
    except duckdb.InterruptException:
        return None
    finally:
        timer.cancel()
    return int(rows)


def _batches(question: Question, relation: duckdb.DuckDBPyRelation, limit: int | None) -> Iterator[pa.RecordBatch]:
    most, rows = question.limits.rows, 0
    limited = relation if limit is None else relation.limit(limit)
    with sql_errors(question.limits), limited.to_arrow_reader(_BATCH) as reader:
        yield no_rows(reader.schema)
        while (batch := _next(reader, question.limits)) is not None:
            rows += batch.num_rows
            if rows > most:
                raise UsageError(
                    f"the answer has more than {most:,} rows",
                    hint=f"ask for fewer (--limit N, or where), or set {SQL_VARIABLES['rows']} to more",
                )
            yield batch


def _next(reader: pa.RecordBatchReader, limits: SqlLimits) -> pa.RecordBatch | None:
    """Return the next rows; what DuckDB says of them comes through Arrow as an error of another class."""
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except (OSError, pa.ArrowException) as error:
        message = first_line(error)
        if (limit := over_limit(str(error), limits)) is not None:
            raise limit from error
        if message.startswith("IO Error"):
            raise ContractError(message, hint="radzoo store verify lists what is missing or damaged") from error
        hint = "correct the query; try_cast(x as type) is NULL where x is no such value"
        raise UsageError(message, hint=hint) from error


def _kind(name: str) -> Kind:
    if name in _NUMBERS:
        return "number"
    if name in _LONG_INTEGERS:
        return "integer"
    if name in _TIMESTAMPS:
        return "timestamp"
    if name in _NESTED:
        return "json"
    if name == "boolean":
        return "flag"
    return "date" if name == "date" else "text"


def _distinct(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        free = (f"{name}_{number}" for number in count(1) if f"{name}_{number}" not in found)
        found.append(next(free) if name in found else name)
    return found
