"""What each commit did to each table, counted."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from store.catalogue.columns import arrow_columns
from store.catalogue.tables import KEYS, VERSIONED
from store.history.questions import rows_by_columns
from store.history.snapshot import Snapshot

__all__ = ["NO_CHANGES", "commit_changes"]

_KINDS = {"commit_id": pa.int64(), "table_name": pa.string()} | {
    name: pa.int64() for name in ("added", "changed", "removed")
}

NO_CHANGES = arrow_columns(_KINDS, [])
"""What `commit_changes` gives of a store without a commit."""


def commit_changes(snapshot: Snapshot) -> pa.Table:
    """Return the rows that each commit up to a snapshot's added, changed and removed, by table.

    A row that ends in the commit that begins another one with the same key is a change.
    """
    with snapshot.one_state() as unchanging:
        kept = {name: table.rows() for name in VERSIONED if (table := unchanging.kept(name)) is not None}
        others = [name for name in VERSIONED if name not in kept]
        with unchanging.reading(*others) as connection:
            found = [tuple(row) for row in connection.exec_driver_sql(_query(others)).fetchall()] if others else []
    if kept:
        found += rows_by_columns(kept, _query(kept))
    counts: dict[tuple[int, str], list[int]] = {}
    for table, commit, added, removed, changed in found:
        if commit <= snapshot.commit_id:
            each = counts.setdefault((int(commit), table), [0, 0, 0])
            for place, number in enumerate((added, removed, changed)):
                each[place] += int(number)
    rows = [
        (commit, table, added - changed, changed, gone - changed)
        for (commit, table), (added, gone, changed) in sorted(counts.items())
    ]
    return arrow_columns(_KINDS, rows)


def _of_table(name: str) -> str:
    same = " and ".join(f'n."{key}" = o."{key}"' for key in KEYS[name])
    return (
        f"select '{name}', added_commit, count(*), 0, 0 from {name} group by added_commit union all "
        f"select '{name}', removed_commit, 0, count(*), 0 from {name} where removed_commit is not null "
        f"group by removed_commit union all "
        f"select '{name}', o.removed_commit, 0, 0, count(*) from {name} o join {name} n on {same} "
        f"and n.added_commit = o.removed_commit where o.removed_commit is not null group by o.removed_commit"
    )


def _query(tables: Iterable[str]) -> str:
    return " union all ".join(map(_of_table, tables))
