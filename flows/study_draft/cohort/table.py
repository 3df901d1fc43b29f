"""The table of a folder that has one row per patient: its ids are those that stand in the paths of images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from flows.study_draft.cohort.columns import CohortColumns, cohort_columns, is_outcome_name
from flows.study_draft.cohort.header import HeaderRow, table_below_titles
from flows.study_draft.listing import WORKBOOKS, FolderListing
from flows.study_draft.patient_paths import ids_in_paths, is_of_the_field, possible_ids
from flows.tables.patient_ids import KnownIds, with_ids
from flows.tables.text_table import TextTable
from flows.tables.workbook import sheet_names
from schemas.errors import ContractError

__all__ = ["CohortTable", "cohort_table"]

_MOST_TABLES: Final = 50
_MOST_BYTES: Final = 20_000_000
_MOST_COLUMNS: Final = 2_000
_MANY: Final = 200
"""Columns: a table with more is probably one of features."""
_LOOKED_AT: Final = 4_000
"""Paths."""
_ID = re.compile(r"(patient|participant|subject|case|sub|pat|pseudonym|id|name)s?", re.IGNORECASE)
_TELLING = re.compile(r"[A-Za-z].*[0-9]|[0-9].*[A-Za-z]|.{4}")
_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True)
class CohortTable:
    """The table that becomes the cohort."""

    path: str
    """Below the folder."""
    patient: str
    """The column with the pseudonym."""
    ids: tuple[str, ...]
    is_repeated: bool
    """Whether a patient has several rows."""
    columns: CohortColumns
    others: tuple[str, ...]
    """Other tables with the same ids."""
    notes: tuple[str, ...]
    """How it was read, where that is not what its name says."""
    sheet: str | None = None
    """Of a workbook with several sheets."""
    header: HeaderRow | None = None
    """Where titles stand above it."""


@dataclass(frozen=True)
class _Column:
    path: str
    sheet: str | None
    table: TextTable
    header: HeaderRow | None
    name: str
    cells: tuple[str, ...]
    found: int
    """How many of its ids stand in paths."""

    @property
    def rank(self) -> tuple[int, bool, bool, bool, bool]:
        distinct = len({*self.cells})
        columns = self.table.frame.columns
        has_outcome = any(map(is_outcome_name, columns))
        return self.found, _is_named(self.name), has_outcome, len(columns) <= _MANY, distinct == len(self.cells)


class _PathIds:
    """What may be ids in the paths of a folder."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths[:: len(paths) // _LOOKED_AT + 1]
        self._possible = possible_ids(paths)
        self.known = KnownIds(self._possible)

    def among(self, cells: Sequence[str]) -> frozenset[str]:
        """Return the ids among some cells that stand in paths."""
        return frozenset(each for each in {*cells} if each in self._possible and not is_of_the_field(each))

    def is_of_all(self, ids: frozenset[str]) -> bool:
        """Return whether some ids are those of the folder's patients, be there as many more in the table as there may.

        They stand in most paths, and are about as many as the paths tell of. An id alone is no plain number: that may
        be part of any name.
        """
        if not ids or (len(ids) == 1 and not any(map(_TELLING.search, ids))):
            return False
        having = sum(not ids.isdisjoint(possible_ids([path])) for path in self._paths)
        return having * 2 > len(self._paths) and len(ids) * 2 > self._told

    @cached_property
    def _told(self) -> int:
        return len(ids_in_paths(self._paths))


def cohort_table(listing: FolderListing, paths: list[str]) -> CohortTable | None:
    """Return the table whose column has most of the patients in paths, None where no table has any.

    Parameters
    ----------
    listing : FolderListing
        The folder's; tables that are not used are put aside in it.
    paths : list of str
        Of images and masks.
    """
    folder = _PathIds(paths)
    columns: list[_Column] = []
    for path in listing.tables[:_MOST_TABLES]:
        for found in _tables_of(listing, path, folder):
            columns += _columns_of_ids(listing, path, found, folder)
    best = max(columns, key=lambda each: each.rank, default=None)
    others = {each.path for each in columns if best is not None and each.path != best.path}
    for path in listing.tables:
        if best is None or path not in {best.path, *others}:
            listing.put_aside("tables without the patients' ids", path)
    if best is None:
        return None
    table = best.table
    return CohortTable(
        best.path,
        best.name,
        tuple(dict.fromkeys(best.cells)),
        len({*best.cells}) < len(best.cells),
        cohort_columns(table, best.name),
        tuple(sorted(others)),
        table.notes,
        best.sheet,
        best.header,
    )


class _Table(NamedTuple):
    sheet: str | None
    table: TextTable
    header: HeaderRow | None


def _tables_of(listing: FolderListing, path: str, folder: _PathIds) -> list[_Table]:
    """Return the tables of a file: of a workbook with several sheets each one, with its name."""
    file = listing.folder / path
    found: list[_Table] = []
    try:
        if file.stat().st_size > _MOST_BYTES:
            listing.notes.append(f"{path} was not looked at: it has more than {_MOST_BYTES // 10**6} MB")
            return []
        names = sheet_names(file, file.read_bytes()) if path.lower().endswith(WORKBOOKS) else ()
        sheets: tuple[str | None, ...] = names if len(names) > 1 else (None,)
        found.extend(_Table(each, *table_below_titles(Path(file), path, each, folder.among)) for each in sheets)
    except ContractError as error:
        listing.notes.append(f"{path} cannot be read as a table: {error.message}")
    except OSError as error:
        listing.notes.append(f"{path} cannot be read: {error.strerror}")
    return found


def _columns_of_ids(listing: FolderListing, path: str, read: _Table, folder: _PathIds) -> list[_Column]:
    sheet, table, header = read
    found = []
    nearly: tuple[str, str, str] | None = None
    for name in table.frame.columns[:_MOST_COLUMNS]:
        cells = _ids(table, name)
        if cells is None or not cells:
            continue
        there = folder.among(cells)
        # One id alone may be there by chance.
        is_most = len(there) > (0 if _is_named(name) else 1) and len(there) * 2 > len({*cells})
        if is_most or (_is_named(name) and folder.is_of_all(there)):
            found.append(_Column(path, sheet, table, header, name, cells, len(there)))
        elif _is_named(name) and nearly is None and (alike := folder.known.like(cells[0])) is not None:
            nearly = (name, cells[0], alike)
    if not found and nearly is not None:
        listing.notes.append(
            f"{path}: column '{nearly[0]}' has '{nearly[1]}' where files have '{nearly[2]}': capitals, blanks and "
            "leading zeros count; correct one of them"
        )
    return found


def _is_named(column: str) -> bool:
    return any(_ID.fullmatch(word) for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", column))


def _ids(table: TextTable, name: str) -> tuple[str, ...] | None:
    """Return the ids of a column, None where it has other cells."""
    try:
        series = with_ids(table, name).frame[name]
    except ContractError:
        return None
    cells = [str(each).strip() for each in series if each is not None]
    cells = [each for each in cells if each]
    return tuple(cells) if all(_PSEUDONYM.fullmatch(each) for each in cells) else None
