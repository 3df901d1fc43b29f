"""A table of the catalogue that is kept by columns: a file that is mapped, and what was written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import StoreBusyError
from store.catalogue.columns import arrow_positions, arrow_scalar

__all__ = ["KeptTable", "rows_at"]

_REMOVED = "removed_commit"


class KeptTable(NamedTuple):
    """All rows of a table, live and ended; it can be pickled, and is small then."""

    file: Path
    ends: Mapping[int, int]
    """By ``row_id``, the commits that have ended rows of the file since it was written."""
    arrived: pa.Table | None
    """Rows that were written since, None where there are none."""

    def rows(self) -> pa.Table:
        """Return the rows in the order in which they were written, ``row_id`` first; those of the file are mapped.

        Raises
        ------
        StoreBusyError
            When the file is gone: somebody was erased, or it was written again twice, since the store was asked.
        """
        try:
            with pa.memory_map(str(self.file)) as source:
                rows = pa.ipc.open_file(source).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreBusyError(
                "the store was written while it was read", where=str(self.file), hint="run the command again"
            ) from error
        rows = _with_ends(rows, self.ends)
        return rows if self.arrived is None else pa.concat_tables([rows, self.arrived])


def _with_ends(rows: pa.Table, ends: Mapping[int, int]) -> pa.Table:
    """Return rows of which some have ended, by their ``row_id``, which rises."""
    if not ends:
        return rows
    removed = _numbers(rows[_REMOVED])
    removed[np.searchsorted(_numbers(rows["row_id"]), np.fromiter(ends, dtype=np.int64))] = list(ends.values())
    return rows.set_column(rows.column_names.index(_REMOVED), _REMOVED, arrow_positions(removed))


def rows_at(rows: pa.Table, row_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the rows of these ``row_id``, which rises, those that there are, in their order."""
    known = _numbers(rows["row_id"])
    places = np.searchsorted(known, np.array(row_ids, dtype=np.int64))
    found = [
        place for place, row_id in zip(places, row_ids, strict=True) if place < len(known) and known[place] == row_id
    ]
    chosen = rows.take(arrow_positions(np.array(found, dtype=np.int64)))
    return list(zip(*(column.to_pylist() for column in chosen.columns), strict=True))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return whole numbers, -1 for NULL; Arrow's own way to numpy loads pandas."""
    import pyarrow.compute as pc

    filled = pc.fill_null(column, arrow_scalar(-1, pa.int64())).combine_chunks()
    return np.frombuffer(filled.buffers()[1], dtype=np.int64)[filled.offset : filled.offset + len(filled)].copy()
