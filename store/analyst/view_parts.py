"""Parts of the views' SQL: names and texts, comments, and which rows of which segments count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import ContractError

if TYPE_CHECKING:
    # A child that reads a published file needs no catalogue: loading what reads one takes longer than its answer.
    from store.history.snapshot import Snapshot

__all__ = [
    "SEGMENT_FILE",
    "STORE_VARIABLE",
    "SegmentRows",
    "View",
    "comments_of",
    "fixed_view",
    "fixed_view_names",
    "fixed_views",
    "live_extractions",
    "path_pattern",
    "quoted_name",
    "quoted_text",
    "segment_file_column",
    "segment_paths",
    "segment_rows",
]

SegmentRows = Callable[[str, str], str]
"""What stands behind FROM for the rows of a feature set's segments, empty where it has none; takes the set and the
name of the column in which each row has its segment's path."""


class View(NamedTuple):
    """A view: its query, what it and its columns mean, and what else must be there for it."""

    name: str
    query: str
    description: str
    columns: Mapping[str, str]
    views: tuple[str, ...] = ()
    """The views that it reads."""
    segments: tuple[tuple[str, str], ...] = ()
    """The feature sets whose segments it reads, each with the column of the segments' paths."""


STORE_VARIABLE = "radzoo_store"
"""The variable of a DuckDB client that names the store whose segments a published file reads."""

SEGMENT_FILE = "segment_file"
"""The column in which a view's query has the path of each row's segment, where no feature has that name."""


_FIXED = files("store.analyst").joinpath("views")

_MOST_COMMENTED = 2_500
"""Columns of a view that has comments on all of them: twice those of any built-in set."""
_KEYS_COMMENTED = 8
"""Columns with comments of a wider view: those before its features."""


def fixed_views() -> Iterator[View]:
    """Yield the fixed views from ``store/analyst/views/*.sql``, each behind those that it reads."""
    return map(fixed_view, fixed_view_names())


@cache
def fixed_view_names() -> tuple[str, ...]:
    """Return the names of the views that every store has, each behind those that it reads, else in their order."""
    ordered: dict[str, None] = {}

    def place(name: str) -> None:
        for each in fixed_view(name).views:
            place(each)
        ordered[name] = None

    for name in sorted(each.name.removesuffix(".sql") for each in _FIXED.iterdir() if each.name.endswith(".sql")):
        place(name)
    return tuple(ordered)


@cache
def fixed_view(name: str) -> View:
    """Return a view that every store has, as its file describes it."""
    description, columns, query = [], {}, []
    read: tuple[str, ...] = ()
    for line in _FIXED.joinpath(f"{name}.sql").read_text(encoding="utf-8").splitlines():
        if column := re.match(r"-- @(\w+) (.*)", line):
            columns[column[1]] = column[2]
        elif views := re.fullmatch(r"-- reads (\w+(?:, \w+)*)", line):
            read = tuple(views[1].split(", "))
        elif line.startswith("-- "):
            description.append(line[3:])
        else:
            query.append(line)
    return View(name, "\n".join(query), " ".join(description), columns, read)


def comments_of(view: str, description: str, columns: Mapping[str, str]) -> list[str]:
    """Return the statements that put comments on a view and its columns, of a very wide view on the first ones."""
    items = list(columns.items())
    if len(items) > _MOST_COMMENTED:
        items = items[:_KEYS_COMMENTED]
        description += " (so many columns have no comments of their own: the view features describes them)"
    statements = [f'comment on view "{view}" is {quoted_text(description)}']
    return statements + [
        f'comment on column "{view}".{quoted_name(name)} is {quoted_text(text)}' for name, text in items
    ]


def segment_paths(snapshot: Snapshot, feature_set: str) -> str:
    """Return the local paths of a feature set's segments as SQL lists them.

    In a published file they begin with the variable ``radzoo_store``, or else with the store's folder as it was.
    """
    folder, segments = snapshot.store.segments, snapshot.rows("segments", feature_set=feature_set)
    paths = [str(folder.local(each["path"], sha256=each["sha256"])) for each in segments]
    if not snapshot.is_published:
        return ", ".join(quoted_text(path_pattern(path)) for path in paths)
    root = str(snapshot.store.root)
    named = f"regexp_replace(getvariable('{STORE_VARIABLE}'), '([*?\\[])', '[\\1]', 'g')"
    start = f"coalesce({named}, {quoted_text(path_pattern(root))})"
    return ", ".join(f"{start} || {quoted_text(path_pattern(path.removeprefix(root)))}" for path in paths)


def path_pattern(path: str) -> str:
    """Return a path as a pattern that fits this path alone: DuckDB takes ``*``, ``?`` and ``[`` for parts of one.

    Raises
    ------
    ContractError
        When the path has a backslash too, which DuckDB's patterns cannot have.
    """
    pattern = re.sub(r"[*?\[]", r"[\g<0>]", path)
    if pattern != path and "\\" in path:
        raise ContractError(
            "DuckDB cannot read files below a folder with a backslash and one of * ? [ in its path",
            where=path,
            hint="move the store to a folder of another name, then run the command again",
        )
    return pattern


def segment_file_column(features: Iterable[str]) -> str:
    """Return a name for the column of segments' paths that no feature has; SQL does not tell A from a."""
    taken = {name.lower() for name in features}
    column = SEGMENT_FILE
    while column in taken:
        column += "_"
    return column


def segment_rows(snapshot: Snapshot, feature_set: str, file_column: str = SEGMENT_FILE) -> str:
    """Return what stands behind FROM for the rows of a feature set's segments, empty where it has none.

    Besides the segments' columns there is ``file_column``, from `segment_file_column`.
    """
    paths = segment_paths(snapshot, feature_set)
    return paths and f"read_parquet([{paths}], union_by_name = true, filename = '{file_column}')"


def live_extractions(snapshot: Snapshot, feature_set: str, file_column: str = SEGMENT_FILE) -> str:
    """Return the join of segments with the catalogue that leaves the live rows of a feature set.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    feature_set : str
        ``name@version``.
    file_column : str
        The column in which the query has the path of each row's segment.
    """
    extractions = "catalogue.extractions"
    if snapshot.is_published:
        extractions = f"(from catalogue.extractions where ({_at_its_place(snapshot)}))"
    # Two refreshes at once may both have computed an extraction: the catalogue says whose row counts.
    return (
        f"join {extractions} e on e.feature_set = {quoted_text(feature_set)} "
        f"and e.extraction_id = s.extraction_id and e.segment_id = parse_filename(s.{file_column}, true)"
    )


def _at_its_place(snapshot: Snapshot) -> str:
    """Return a query that is true where the published file lies where it was published, and else an error.

    A copy would read the segments of the store that it was copied from, whatever has become of that.
    """
    file, root = str(snapshot.store.analyst_file), str(snapshot.store.root)
    said = (
        f"this analyst.duckdb was published as {file} and has been moved or copied: its features would be read from "
        f"{root}. Next: radzoo --store FOLDER store publish, in the folder of the store; or say which store to read: "
        f"set variable {STORE_VARIABLE} = 'FOLDER'"
    )
    # Clients before DuckDB 2 show a path as it was typed: a relative one tells nothing.
    return (
        f"select case when getvariable('{STORE_VARIABLE}') is not null or bool_or(path = {quoted_text(file)} "
        f"or not starts_with(path, '/')) then true else error({quoted_text(said)}) end from duckdb_databases()"
    )


def quoted_name(name: str) -> str:
    """Return a name as SQL writes any name: in double quotes, those inside doubled."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Return a text as SQL writes it: in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"
