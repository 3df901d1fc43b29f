"""The check of erasures: who was erased is named nowhere; and why a file that went with a patient is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, select

from schemas.documents.erasure_receipt import ErasureReceipt
from schemas.errors import ContractError
from store.catalogue.tables import VERSIONED
from store.erasure.datasets import erased_files
from store.files import DataFolder
from store.history.basis import patient_sha256
from store.home import Store
from store.rows.shared_staging import shared_records, shared_staging
from store.verification.findings import FROM_A_COPY, Check, Finding

__all__ = ["erasure_check", "named_patients", "not_to_be_restored", "unfinished_erasures"]

_AGAIN = "radzoo store erase PATIENT, once more with the same pseudonym"


def named_patients(connection: Connection) -> dict[str, set[str]]:
    """Return the pseudonyms that each table of the catalogue has, in rows of all commits."""
    return {
        name: set(connection.execute(select(table.c.patient).distinct()).scalars())
        for name, table in VERSIONED.items()
        if "patient" in table.c
    }


def erasure_check(
    store: Store, receipts: Sequence[ErasureReceipt], named: Mapping[str, set[str]], *, quick: bool
) -> Check:
    """Return the check that no row and no dataset is of a patient who was erased and whom nobody brought back.

    Parameters
    ----------
    store : Store
        The store.
    receipts : sequence of ErasureReceipt
        Of all erasures.
    named : mapping of str to set of str
        From `named_patients`, of the same state of the catalogue.
    quick : bool
        Look into no file.
    """
    erased = {receipt["patient_sha256"]: receipt["erasure_id"] for receipt in receipts}
    findings: list[Finding] = []
    if erased:
        there = named["patients"]
        for table, patients in named.items():
            findings += _of(erased, patients - there, f"table {table}")
        # An erasure that is under way, or was interrupted, has files left to remove; it is told as unfinished.
        done = {each["patient_sha256"]: each["erasure_id"] for each in receipts if each["status"] == "finished"}
        for path in () if quick else store.datasets.paths():
            findings += _of(done, _patients(store.datasets, path) - there, f"{store.datasets}/{path}")
        # What a run that was killed after the erasure had staged, here or where all machines find it.
        for file in () if quick else sorted(store.staging.rglob("*.json")):
            findings += _of(done, _staged_patient(file) - there, str(file))
        shared = None if quick else shared_staging(store)
        for path, record in shared_records(shared) if shared is not None else ():
            findings += _of(done, {str(each) for each in record.get("key", ())[:1]} - there, f"{shared}/{path}")
    return Check.of(
        "erasures",
        "who was erased is named in no row and no dataset",
        len(receipts),
        findings,
    )


def _staged_patient(file: Path) -> set[str]:
    try:
        key = json.loads(file.read_text()).get("key")
    except (OSError, ValueError, AttributeError):
        return set()
    return {str(key[0])} if isinstance(key, list) and key else set()


def unfinished_erasures(receipts: Iterable[ErasureReceipt]) -> list[Finding]:
    """Return notes on erasures that were interrupted, or are under way."""
    return [
        Finding(
            "an erasure has not ended: it is under way, or was interrupted",
            f"erasures: {receipt['erasure_id']}, begun {receipt['erased_at']}",
            f"where it was interrupted, {_AGAIN}, finishes it",
        )
        for receipt in receipts
        if receipt["status"] == "unfinished"
    ]


def not_to_be_restored(checks: Iterable[Check], receipts: Iterable[ErasureReceipt], store: Store) -> list[Check]:
    """Return checks that advise nobody to put back a file that went with an erased patient."""
    gone = erased_files(receipts)
    by_place = {f"{store.files}/{path}": receipt["erasure_id"] for path, receipt in gone.items()}

    def corrected(finding: Finding) -> Finding:
        if finding.hint != FROM_A_COPY or finding.where not in by_place:
            return finding
        what = f"{finding.what}: it went with an erased patient, receipt {by_place[finding.where]}"
        return replace(finding, what=what, hint=f"{_AGAIN}: then no row names the file, and models are marked")

    return [replace(check, findings=tuple(map(corrected, check.findings))) for check in checks]


def _of(erased: dict[str, str], patients: Iterable[str], where: str) -> list[Finding]:
    found = [erased[digest] for each in patients if (digest := patient_sha256(each)) in erased]
    return [Finding(f"it names an erased patient, receipt {each}", where, _AGAIN) for each in sorted(set(found))]


def _patients(folder: DataFolder, path: str) -> set[str]:
    try:
        file = folder.local(path)
        names = pq.read_schema(file).names
        return set(pq.read_table(file, columns=["patient"])["patient"].to_pylist()) if "patient" in names else set()
    except (ContractError, OSError, pa.ArrowException):
        return set()  # what is wrong with the file is said where it is looked at
