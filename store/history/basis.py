"""What something was computed from: the erasures that had been carried out by then, and the patients there were.

A receipt does not name its patient, and an erased patient is named nowhere. So whoever computes something from the
store keeps, from before the first row is read, the receipts and the pseudonyms there were. At the commit, under the
writer's lock, they tell who was erased since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from schemas.documents.erasure_receipt import ErasureReceipt
from store.catalogue.connection import read_transaction
from store.catalogue.tables import erasures, versioned_table
from store.home import Store

__all__ = ["Basis", "basis_of", "erased_among", "moved_files", "patient_sha256", "receipts_since"]


@dataclass(frozen=True)
class Basis:
    """The state of erasures that a piece of work began with; the empty one is that before there was a store."""

    erasures: frozenset[tuple[str, str]] = frozenset()
    """Id and time of each receipt. The time is that at which rows were taken out last."""
    patients: frozenset[str] = frozenset()
    """The pseudonyms that the store had."""


def basis_of(store: Store) -> Basis:
    """Return what work that begins now is based on; to be called before the first row is read."""
    patients = versioned_table("patients")
    with read_transaction(store.engine) as connection:
        known = connection.execute(select(erasures.c.erasure_id, erasures.c.erased_at)).all()
        names = connection.execute(select(patients.c.patient).distinct()).scalars().all()
        return Basis(frozenset((row[0], row[1]) for row in known), frozenset(names))


def receipts_since(connection: Connection, basis: Basis) -> list[ErasureReceipt]:
    """Return the receipts of erasures that were carried out since, oldest first."""
    known = connection.execute(select(erasures.c.erasure_id, erasures.c.erased_at).order_by(erasures.c.erased_at))
    new = [row[0] for row in known.all() if (row[0], row[1]) not in basis.erasures]
    found = [
        connection.execute(select(erasures.c.receipt).where(erasures.c.erasure_id == each)).scalar_one() for each in new
    ]
    return [json.loads(text) for text in found]


def erased_among(receipts: Iterable[ErasureReceipt], patients: Iterable[str]) -> dict[str, ErasureReceipt]:
    """Return those of some patients whom one of the receipts is of, with the newest of these.

    Parameters
    ----------
    receipts : iterable of ErasureReceipt
        Oldest first.
    patients : iterable of str
        Pseudonyms; of none who was brought back by a later ingest, which was somebody's decision.
    """
    by_sha256 = {receipt["patient_sha256"]: receipt for receipt in receipts}
    if not by_sha256:
        return {}
    return {name: by_sha256[digest] for name in patients if (digest := patient_sha256(name)) in by_sha256}


def moved_files(receipts: Iterable[ErasureReceipt]) -> Mapping[str, Mapping[str, Any]]:
    """Return what became of the datasets' files that erasures rewrote, by their former path below the store.

    Parameters
    ----------
    receipts : iterable of ErasureReceipt
        Oldest first: what one erasure wrote the next may have rewritten.
    """
    found: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        for entry in receipt["files_rewritten"]:
            if not entry["path"].startswith("datasets/"):
                continue
            for former in found.values():
                if former["new_path"] == entry["path"]:
                    # Former releases did not say it: then it may have been so.
                    trained = former.get("trained", True) or entry.get("trained", True)
                    former |= {**entry, "path": former["path"], "trained": trained}
            found[entry["path"]] = dict(entry) | {"erased_at": receipt["erased_at"]}
    return found


def patient_sha256(patient: str) -> str:
    """Return the hash by which a receipt knows its patient."""
    return hashlib.sha256(patient.encode()).hexdigest()
