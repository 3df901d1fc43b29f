"""The answer to a user's question, made piece by piece in a process without rights, which has no other way out."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.cli.answers.files import Format
from flows.cli.answers.text import cells, csv_chunks, json_chunks, shown_cells
from schemas.errors import ContractError
from schemas.settings import SqlLimits
from store.analyst.kept import KeptRows
from store.analyst.plain_rows import counted_rows, plain_batches, plain_columns, typed_batches
from store.analyst.query import Question, bound_question, sql_errors

__all__ = ["SHOWN_ROWS", "Request", "Shown", "answer_parts"]

SHOWN_ROWS = 100
"""How many rows a table shows where nobody says how many."""

_COUNTING_S = 3.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Request:
    """What is asked, and how the answer shall look."""

    query: str
    parameters: dict[str, str]
    format: Format
    limit: int | None
    limits: SqlLimits
    spill: Path
    """A folder of this question's alone."""
    verbatim: bool = False
    """Whether texts in CSV and TSV stay as they are, also those that a spreadsheet would run."""


@dataclass(frozen=True)
class Shown:
    """The rows of a table for people, cut to what a terminal shows."""

    columns: list[str]
    rows: list[dict[str, Any]]
    every: int | None
    """How many rows there are, None where counting them takes too long."""
    is_complete: bool


def answer_parts(kept: KeptRows, request: Request) -> Iterator[Any]:
    """Yield the answer to a question: bytes, then the number of rows; for a table one `Shown`.

    Parameters
    ----------
    kept : KeptRows
        Of the snapshot that is asked, what the question names.
    request : Request
        What is asked.

    Raises
    ------
    UsageError, NotFoundError
        When SQL refuses the question, or it needs more than it may take.
    ContractError
        When the format cannot hold the answer.
    """
    # What a library would put into the system's folder for such has a place here alone.
    tempfile.tempdir = str(request.spill)
    with bound_question(kept, request.query, request.parameters, request.limits, request.spill) as question:
        if request.format == "table":
            yield _shown(question, request.limit or SHOWN_ROWS)
            return
        counted = _Count()
        try:
            yield from _chunks(question, request, counted)
        except pa.ArrowException as error:
            raise ContractError(
                f"{request.format} cannot hold this answer: {str(error).splitlines()[0]}",
                hint="cast the column to text (column::varchar), or name FILE.csv",
            ) from error
        yield counted.rows


class _Count:
    """How many rows went by."""

    def __init__(self) -> None:
        self.rows = 0

    def of(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.rows += batch.num_rows
            yield batch


class _Pieces(io.RawIOBase):
    """A file for writing whose bytes can be taken away as they come."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        written = bytes(piece)
        self._written.append(written)
        return len(written)

    def taken(self) -> bytes:
        pieces, self._written = self._written, []
        return b"".join(pieces)


def _shown(question: Question, limit: int) -> Shown:
    columns = plain_columns(question.relation)
    rows = [shown_cells(row) for batch in plain_batches(question, limit + 1) for row in cells(batch, columns)]
    is_complete = len(rows) <= limit
    every: int | None = len(rows)
    if not is_complete:
        with sql_errors(question.limits):
            every = counted_rows(question, _COUNTING_S)
    return Shown([each.name for each in columns], rows[:limit], every, is_complete)


def _chunks(question: Question, request: Request, counted: _Count) -> Iterator[bytes]:
    columns = plain_columns(question.relation)
    if request.format == "parquet":
        yield from _parquet(counted.of(typed_batches(question, request.limit)))
        return
    batches = counted.of(plain_batches(question, request.limit))
    if request.format == "json":
        yield from json_chunks(batches, columns)
    elif request.format == "xlsx":
        from flows.cli.answers.workbook import write_workbook

        with tempfile.TemporaryFile() as stream:
            write_workbook(batches, columns, stream)
            stream.seek(0)
            while chunk := stream.read(_CHUNK):
                yield chunk
    else:
        delimiter = "," if request.format == "csv" else "\t"
        yield from csv_chunks(batches, columns, delimiter, verbatim=request.verbatim)


def _parquet(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    # Loaded where it is needed: of a short question's time it would be a tenth.
    import pyarrow.parquet as pq

    pieces = _Pieces()
    with pq.ParquetWriter(pieces, next(batches).schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield pieces.taken()
    yield pieces.taken()
