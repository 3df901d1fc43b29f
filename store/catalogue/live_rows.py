"""The catalogue's most frequent question, its live rows, as text: compiling one takes longer than most answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, TextClause, text

from store.catalogue.tables import versioned_table

__all__ = ["live_rows"]


def live_rows(
    connection: Connection, table: str, columns: Sequence[str], equal: Mapping[str, Any], as_of: int | None = None
) -> CursorResult[Any]:
    """Return a versioned table's live rows, in the order in which they were written.

    Parameters
    ----------
    connection : Connection
        On the catalogue.
    table : str
        A versioned table.
    columns : sequence of str
        Of it.
    equal : mapping of str to value
        Only rows whose columns have these values.
    as_of : int, optional
        Rows that were live at this commit; those that no commit has ended where absent.
    """
    values = {name: value for name, value in equal.items() if value is not None}
    statement = _statement(table, tuple(columns), tuple(values), tuple(equal.keys() - values), as_of is not None)
    bound = {f"is_{name}": value for name, value in values.items()}
    return connection.execute(statement, bound if as_of is None else bound | {"as_of": as_of})


@lru_cache(maxsize=1024)
def _statement(
    table: str, columns: tuple[str, ...], equal: tuple[str, ...], absent: tuple[str, ...], has_time: bool
) -> TextClause:
    # Names that the table has: they stand in the text.
    known = versioned_table(table).c
    listed = ", ".join(f'"{known[name].name}"' for name in columns)
    conditions = [f'"{known[name].name}" = :is_{name}' for name in equal]
    conditions += [f'"{known[name].name}" is null' for name in absent]
    if has_time:
        conditions += ["added_commit <= :as_of", "(removed_commit is null or removed_commit > :as_of)"]
    else:
        conditions += ["removed_commit is null"]
    return text(f'select {listed} from "{table}" where {" and ".join(conditions)} order by row_id')
