"""The receipt of an erasure: what it says at first, and its row of the catalogue."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import update

from schemas.documents.erasure_receipt import ErasureReceipt
from schemas.keys import canonical_json
from store.catalogue.connection import is_postgresql
from store.catalogue.migrations import FORMAT_VERSION
from store.catalogue.tables import erasures
from store.history.basis import patient_sha256
from store.home import Store
from store.times import utc_now

__all__ = ["FINISHED", "UNFINISHED", "is_own", "new_receipt", "own_receipt", "receipt_row", "stored_receipt"]

UNFINISHED: Final = "unfinished"
FINISHED: Final = "finished"


def new_receipt(store: Store, patient: str, author: str) -> ErasureReceipt:
    """Return the receipt of an erasure that begins."""
    return {
        "erasure_id": uuid.uuid4().hex,
        "erased_at": utc_now(),
        "author": author,
        "status": UNFINISHED,
        "store_format": FORMAT_VERSION,
        "patient_sha256": patient_sha256(patient),
        "rows_removed": [],
        "texts_changed": [],
        "extractions_removed": 0,
        "extractions_kept_for_others": 0,
        "files_rewritten": [],
        "files_removed": [],
        "missing_files": [],
        "datasets": [],
        "models_marked": [],
        "splits": [],
        "staged_removed": 0,
        "pages_removed": 0,
        "pending": [],
        "what_stays": _what_stays(store),
    }


def _what_stays(store: Store) -> list[str]:
    found = [
        "a split's sha256 is that of the split as it was frozen, with the patient",
        "a dataset keeps its id, although its file is now without the patient's row",
        "marked models were fitted to the patient's values, which some of them hold; figures over many patients stay",
        "study tables, images and masks outside the store: the next ingest brings back a patient who stands there",
        "backups, exported files and copies of analyst.duckdb",
    ]
    if is_postgresql(store.engine):
        found.append("PostgreSQL's write-ahead log, its archives, replicas and statistics until they are replaced")
    if store.files.is_remote:
        found.append("copies of remote files on other machines, and old versions where the bucket keeps them")
    return found


def receipt_row(receipt: ErasureReceipt) -> dict[str, str]:
    """Return the row of the table ``erasures``."""
    named = {name: receipt[name] for name in ("erasure_id", "author", "erased_at")}
    return named | {"receipt": canonical_json(receipt)}


def stored_receipt(receipt: ErasureReceipt) -> Any:
    """Return the statement that brings the receipt's row up to date."""
    return own_receipt(receipt).values(receipt=canonical_json(receipt))


def own_receipt(receipt: ErasureReceipt) -> Any:
    """Return an update of the receipt's row, whose values are still to be given."""
    return update(erasures).where(is_own(receipt))


def is_own(receipt: ErasureReceipt) -> Any:
    """Return the condition of the receipt's row."""
    return erasures.c.erasure_id == receipt["erasure_id"]
