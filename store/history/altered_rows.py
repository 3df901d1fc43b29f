"""Rows of the catalogue that nobody committed: refused before they are read."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from schemas.errors import ContractError
from store.catalogue.connection import catalogue_place, is_postgresql
from store.catalogue.read_only import file_state
from store.catalogue.row_sums import stored_sums, sum_of
from store.home import Store

__all__ = ["ALTERED", "refuse_altered_rows"]

ALTERED = (
    "radzoo store verify --repair computes again what can be; else restore the catalogue from a backup of the store"
)
"""The next step where rows of the catalogue are not those that were committed."""


def refuse_altered_rows(store: Store, connection: Connection, tables: Iterable[str]) -> None:
    """Refuse tables whose rows are not those that the writers left.

    All rows of a table are read once as long as the catalogue's file, or in PostgreSQL the table's sum, stays what
    it is.

    Raises
    ------
    ContractError
        When a table has another sum.
    """
    state = () if is_postgresql(store.engine) else file_state(store.catalogue_file)
    if state and all(store.believed.get(name, ())[:-1] == state for name in tables):
        return
    left = stored_sums(connection)
    for name in tables:
        known = (*state, left[name])
        if store.believed.get(name) == known:
            continue
        if sum_of(connection, name) != left[name]:
            raise ContractError(
                f"rows of the catalogue's table '{name}' are not those that were committed",
                where=catalogue_place(store.engine),
                hint=ALTERED,
            )
        store.believed[name] = known
