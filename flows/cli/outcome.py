"""What a verb gives back: text for people, data for programs, an exit code."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from cyclopts import Parameter
from cyclopts.validators import Number
from rich import box
from rich.console import Console
from rich.table import Table

from schemas.foreign_text import json_printable, one_line, printable

__all__ = ["CommandResult", "Context", "Workers", "counted", "fitting_columns", "json_text", "table_text"]

Workers = Annotated[int | None, Parameter(validator=Number(gte=1))]
"""A number of processes or threads; as many as there are cores where not given."""

_TEXT = (Path, date, time, timedelta, UUID, bytes)  # a datetime is a date
_NO_TERMINAL_WIDTH = 10_000  # a pipe has no width: lines are not wrapped for it

_LEGIBLE = 24  # a longer cell may be folded into several lines
_GAP = 3


@dataclass(frozen=True)
class Context:
    """The options that every verb shares."""

    store: Path
    store_was_named: bool = True
    """False where the store is the default place, ./radzoo-store."""
    as_json: bool = False
    """Whether the answer shall be JSON: a verb that prints its answer itself asks for it."""


@dataclass(frozen=True)
class CommandResult:
    """What a verb did.

    ``text`` goes to stdout for people; with ``--json`` it is ``data``, as JSON.
    """

    text: str
    data: Any
    exit_code: int = 0
    is_printed: bool = False
    """True where the verb has written its answer to stdout, row by row."""


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return a value as JSON: dataclasses as mappings, NaN as null, what JSON lacks (dates, paths, ...) as text."""
    return json_printable(json.dumps(_plain(value), ensure_ascii=False, indent=indent, allow_nan=False))


def table_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, with_breaks: bool = False) -> str:
    """Return rows as an aligned table, numbers to the right and shortened to six digits.

    Parameters
    ----------
    rows : sequence of mapping
        Values by column.
    columns : sequence of str
        Which, in their order.
    with_breaks : bool
        Let a text be of several lines; else a line break in it is shown as one, for it might look like a row.
    """
    shown = printable if with_breaks else one_line
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        is_numeric = any(isinstance(row[name], (int, float)) for row in rows)
        table.add_column(one_line(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(_cell(row[name])) for name in columns))
    console = Console(width=_width(), highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def fitting_columns(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Sequence[str]:
    """Return the first columns, as many as a line holds without squeezing them to a few letters; at least one."""
    # Where there is no terminal nothing need be folded.
    widest = _LEGIBLE if sys.stdout.isatty() else _NO_TERMINAL_WIDTH
    left = _width()
    for number, name in enumerate(columns):
        texts = (line for row in rows for line in printable(_cell(row[name])).split("\n"))
        needed = max([len(name), *map(len, texts)])
        left -= min(needed, widest) + _GAP
        if left < -_GAP and number:
            return columns[:number]
    return columns


def _width() -> int:
    return Console().width if sys.stdout.isatty() else _NO_TERMINAL_WIDTH


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    # A pydantic model; not asked by its type, for --help must not load pydantic.
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump())
    if isinstance(value, _TEXT):
        return str(value)
    return value


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``0 scans``, ``1 scan``, ``2 scans``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
