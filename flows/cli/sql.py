"""The verb ``sql``."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.cli.answers.files import Format, file_format, refuse_place, write_pieces
from flows.cli.outcome import CommandResult, Context
from schemas.errors import RadzooError, UsageError
from schemas.foreign_text import printable
from schemas.settings import sql_limits
from store.history.tags import snapshot_as_of
from store.home import Store

if TYPE_CHECKING:
    from flows.cli.answers.parts import Shown

__all__ = ["sql"]

_ROOM = "make room there, or name a file elsewhere with --out FILE"


def sql(
    query: str,
    *,
    as_of: str | None = None,
    param: tuple[str, ...] = (),
    format: Format | None = None,  # noqa: A002  (the option's name)
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    out: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    verbatim: Annotated[bool, Parameter(negative="")] = False,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Ask the store one read-only SQL question, in DuckDB's dialect.

    Nothing can be changed by it: the question is answered in a process that may only read. A table shows the first 100
    rows and says how many there are; every other format has all of them. radzoo sql "show tables" lists what can be
    asked, radzoo sql "describe leaderboard" the columns of one.

    Parameters
    ----------
    query
        One SELECT, FROM, DESCRIBE, SHOW or EXPLAIN statement; - reads it from standard input.
    as_of
        Answer as of this commit, its number or a tag (radzoo store log lists them).
    param
        A value for $name in the query, as name=value; may be given several times.
    format
        How to write the answer: a table where not given, or what the suffix of --out says.
    limit
        How many rows at the most.
    out
        Write the answer to this file instead of stdout: .csv, .tsv, .json, .parquet or .xlsx.
    force
        Replace the file of --out where it is there already.
    verbatim
        Write texts into CSV and TSV as they are; else one that begins like a formula gets a quote in front.

    Examples
    --------
    radzoo sql "select model, cohort, auc from leaderboard"
    radzoo sql "from leaderboard" --as-of 12 --out leaderboard.csv
    """
    if out is not None:
        kind = file_format(out, format)
        # Before the question is answered, which may take long.
        refuse_place(out, force=force)
    elif format in ("parquet", "xlsx"):
        raise UsageError(f"{format} is no text: it needs a file", hint=f"add --out FILE.{format}")
    text = sys.stdin.read() if query == "-" else query
    snapshot = snapshot_as_of(Store(context.store), as_of)
    # What is loaded so far stays to the end: to look for garbage in it takes a fifth of a short question's time. DuckDB
    # is loaded here only where the store was published again, and would complain at the end of what was never freed.
    if "duckdb" not in sys.modules:
        gc.freeze()
    from flows.cli.answers.sandbox import sandboxed_answer

    form: Format = kind if out is not None else "json" if context.as_json else format or "table"
    try:
        with sandboxed_answer(
            snapshot, text, _parameters(param), form, limit, sql_limits(os.environ), verbatim=verbatim
        ) as answer:
            if out is not None:
                write_pieces(answer.pieces(), out, force=force)
                rows = answer.rows
                return CommandResult(
                    f"{rows:,} row{'' if rows == 1 else 's'} in {out}", {"rows": rows, "file": str(out)}
                )
            if form != "table":
                # A terminal obeys what a file only keeps.
                is_read_by_people = form in ("csv", "tsv") and sys.stdout.isatty()
                _print_all(map(_harmless, answer.pieces()) if is_read_by_people else answer.pieces())
                return CommandResult("", None, is_printed=True)
            return _table(answer.shown())
    finally:
        # What is frozen would keep the catalogue's log open beside it.
        snapshot.store.engine.dispose()


def _table(shown: Shown) -> CommandResult:
    from flows.cli.answers.text import shown_table

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A table has characters that not every terminal has.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not shown.is_complete:
        limit = len(shown.rows)
        of = f"{limit:,} of {shown.every:,} rows" if shown.every is not None else f"the first {limit:,} of more rows"
        print(f"{of}; --limit N shows more, --out FILE.csv has all", file=sys.stderr)
    return CommandResult(shown_table(shown.rows, shown.columns), shown.rows)


def _harmless(piece: bytes) -> bytes:
    return printable(piece.decode()).encode()


def _print_all(chunks: Iterable[bytes]) -> None:
    """Write an answer to stdout, in UTF-8 whatever the terminal's encoding."""
    sys.stdout.flush()
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _leave_stdout()
    except OSError as error:
        _leave_stdout()
        raise RadzooError(
            f"the answer cannot be written: {error.strerror}", where="standard output", hint=_ROOM
        ) from error


def _leave_stdout() -> None:
    # The reader of a pipe has had enough; Python would complain once more while closing stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param '{pair}' is not name=value")
        found[name] = value
    return found
