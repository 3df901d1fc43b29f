"""Datasets whose file went with an erased patient, as receipts tell: named no more, and what trained on them marked.

Former releases removed a file that a training under way was about to name; its models then named a missing file, and
bore no mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Connection, select, update

from schemas.documents.erasure_receipt import ErasureReceipt
from store.catalogue.tables import erasures, versioned_table
from store.erasure.rows import add_mark
from store.history.basis import moved_files
from store.home import Store

__all__ = ["all_receipts", "erased_files", "mark_of", "settle_datasets"]


def all_receipts(connection: Connection) -> list[ErasureReceipt]:
    """Return the receipts of all erasures, oldest first."""
    found = connection.execute(select(erasures.c.receipt).order_by(erasures.c.erased_at)).scalars()
    return [json.loads(text) for text in found]


def mark_of(erased_at: str) -> str:
    """Return the mark of a model that was trained on a patient who was erased at a time."""
    return f"trained on a patient erased on {erased_at[:10]}"


def erased_files(receipts: Iterable[ErasureReceipt]) -> dict[str, ErasureReceipt]:
    """Return the files below the store that erasures removed or replaced, each with its newest receipt."""
    found: dict[str, ErasureReceipt] = {}
    for receipt in receipts:
        removed = [*receipt["files_removed"], *(each["path"] for each in receipt["files_rewritten"])]
        found |= dict.fromkeys(removed, receipt)
    return found


def settle_datasets(store: Store, connection: Connection) -> list[str]:
    """Let no dataset name a file that went with an erased patient, mark what was fitted to one, and return the models.

    A dataset whose file was rewritten names the new one. Of one that was removed nothing is left: its row stays and
    has no file.
    """
    receipts = all_receipts(connection)
    gone, moved = erased_files(receipts), moved_files(receipts)
    table, models = versioned_table("datasets"), versioned_table("models")
    marked: list[str] = []
    rows = connection.execute(select(table).where(table.c.path.is_not(None))).mappings().all()
    for row in rows:
        if row["path"] not in gone or store.files.size(row["path"]) is not None:
            continue
        receipt = gone[row["path"]]
        values = _left_of(store, moved.get(row["path"]))
        connection.execute(update(table).where(table.c.row_id == row["row_id"]).values(**values))
        if moved.get(row["path"], {}).get("trained", True):
            is_fitted = (models.c.dataset_id == row["dataset_id"]) & (models.c.study == row["study"])
            marked += add_mark(connection, mark_of(receipt["erased_at"]), is_fitted)
    return marked


def _left_of(store: Store, moved: Mapping[str, Any] | None) -> dict[str, Any]:
    path = None if moved is None else moved["new_path"]
    if moved is None or path is None or store.files.size(path) is None:
        return {"path": None, "sha256": None}
    patients = pq.read_metadata(store.files.local(path)).num_rows
    return {"path": path, "sha256": moved["new_sha256"], "patients": patients}
