"""Erasure: a patient is taken out of every snapshot and every file, and a receipt says so.

This is the one operation that changes history: rows of all commits go, and every snapshot, however old, answers
as if the patient had never been in it. Commits stay, so that their numbers mean what they meant.

The order makes a kill harmless. Under the writer's lock the affected files are rewritten, without the patient;
nothing names them yet. One transaction then deletes and changes rows, lets the catalogue name the new files, and
keeps a receipt that is marked unfinished and lists the old files. Only then the published file is replaced, old files
go, and the catalogue's free pages are overwritten; the receipt is finished last. A store that cannot be published, for
one of its files is lost, keeps no published file: the rest goes on, and the fault is said at the end. A kill before the
transaction leaves the store as it was and some files that name nobody; a kill behind it, a store that answers
without the patient and whose unfinished receipt makes the same command go on.

Work that is under way meanwhile was computed with the patient, and lands later. Its commit takes the patient out of
what it brings (`take_out_again`, in the same transaction), and when it ends the store is looked through again: the
same erasure, carried out once more. That can be done at any time, by anyone who knows the pseudonym.

What stays, and the receipt says so: the sha256 of a split, which is the hash of the split as it was frozen; a
dataset's id, although its file is another; figures over many patients (leaderboard, comparisons, importances);
and trained models, marked as trained on a patient who was erased.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from schemas.documents.erasure_receipt import ErasureReceipt, RewrittenFile
from schemas.errors import ContractError
from schemas.keys import canonical_json
from store.analyst.publish import publish_snapshot
from store.catalogue.connection import read_transaction, write_transaction
from store.catalogue.tables import erasures, versioned_table
from store.compaction.leftovers import unnamed_files
from store.erasure.datasets import all_receipts, mark_of, settle_datasets
from store.erasure.files import clear_folders, remove_staged, scrub_catalogue, without_rows
from store.erasure.plan import ErasurePlan, erasure_plan, unknown_patient
from store.erasure.receipts import FINISHED, UNFINISHED, is_own, new_receipt, own_receipt, receipt_row, stored_receipt
from store.erasure.rows import (
    add_mark,
    delete_patient_rows,
    mark_models,
    redact_texts,
    replace_datasets,
    replace_segments,
)
from store.faults import disk_faults
from store.history.basis import Basis, erased_among, patient_sha256, receipts_since
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.datasets import PinnedDataset
from store.times import utc_now

__all__ = ["ErasureReceipt", "erase_patient", "mark_fitted", "planned_erasure", "repeat_erasures", "take_out_again"]


def planned_erasure(store: Store, patient: str) -> ErasurePlan:
    """Return what erasing a patient would take out; an empty plan where a former erasure is only looked after.

    Raises
    ------
    NotFoundError
        When the store has no such patient.
    """
    with read_transaction(store.engine) as connection:
        plan = erasure_plan(store, connection, patient)
        if plan.is_empty and _former(connection, plan) is None:
            raise unknown_patient(store, connection, patient)
    return plan


def erase_patient(store: Store, patient: str, *, author: str | None = None) -> ErasureReceipt:
    """Take a patient out of the store and return the receipt, which does not name the patient.

    Of a patient who was erased before, and whom nobody brought back, the store is looked through again: an erasure
    that was interrupted is finished, and what work under way has left of the patient since goes. The receipt is that
    of before, brought up to date.

    Parameters
    ----------
    store : Store
        The store. Its writers wait until the rows are gone.
    patient : str
        The pseudonym.
    author : str, optional
        Who asks for it; the user of the process where absent.

    Raises
    ------
    NotFoundError
        When the store has no such patient, and has erased none of that name.
    StoreBusyError
        When others hold the catalogue; where its old pages are the only thing left, the next call goes on.
    ContractError
        When the patient is erased, and the store cannot be published without the patient.
    """
    receipt, fault = _erased(store, patient, author)
    if fault is not None:
        raise fault
    return receipt


def _erased(store: Store, patient: str, author: str | None) -> tuple[ErasureReceipt, ContractError | None]:
    """Erase a patient and return the receipt, and why the store is not published."""
    with write_transaction(store.engine) as connection:
        plan = erasure_plan(store, connection, patient)
        receipt = _former(connection, plan)
        if receipt is None:
            if plan.is_empty:
                raise unknown_patient(store, connection, patient)
            receipt = new_receipt(store, patient, author or getpass.getuser())
            connection.execute(insert(erasures).values(**receipt_row(receipt)))
        elif not plan.is_empty:
            # Work that began since the last time was computed with what goes now.
            connection.execute(own_receipt(receipt).values(erased_at=utc_now()))
        _take_out(store, connection, plan, receipt)
        connection.execute(stored_receipt(receipt))
        left = canonical_json(receipt)
    fault = _clear_away(store, plan, receipt)
    receipt["status"] = FINISHED
    receipt["finished_at"] = utc_now()
    del receipt["pending"]
    with write_transaction(store.engine) as connection:
        # A commit that landed meanwhile may have been rid of the patient too, and have left files to remove.
        is_done = connection.execute(select(erasures.c.receipt).where(is_own(receipt))).scalar_one() == left
        if is_done:
            connection.execute(stored_receipt(receipt))
    return (receipt, fault) if is_done else _erased(store, patient, author)


def repeat_erasures(store: Store, basis: Basis) -> int:
    """Erase once more the patients who were erased since some work began, and return how many erasures there were.

    Parameters
    ----------
    store : Store
        The store.
    basis : Basis
        What the work was based on.
    """
    with read_transaction(store.engine) as connection:
        since = receipts_since(connection, basis)
        there = set(connection.execute(select(versioned_table("patients").c.patient).distinct()).scalars())
    found = [_erased(store, patient, None) for patient in sorted(erased_among(since, basis.patients - there))]
    for _, fault in found:
        if fault is not None:
            raise fault
    return len(since)


def take_out_again(store: Store, connection: Connection, patient: str, receipt: ErasureReceipt) -> None:
    """Take an erased patient out of what an open commit brings, which was computed before the erasure.

    The receipt is unfinished afterwards: what only the commit's end lets go, the next call of `erase_patient` removes.

    Parameters
    ----------
    store : Store
        The store.
    connection : Connection
        Of the commit's transaction.
    patient : str
        The pseudonym, which nobody has brought back since.
    receipt : ErasureReceipt
        Of the erasure.
    """
    _take_out(store, connection, erasure_plan(store, connection, patient), receipt)
    connection.execute(stored_receipt(receipt))


def mark_fitted(connection: Connection, commit_id: int, fitted: Mapping[str, str]) -> None:
    """Mark the models of a commit that were fitted to datasets which had an erased patient then.

    Parameters
    ----------
    connection : Connection
        Of the commit's transaction.
    commit_id : int
        The commit.
    fitted : mapping of str to str
        When the patient was erased, by dataset.
    """
    models = versioned_table("models")
    for dataset, erased_at in fitted.items():
        is_fitted = (models.c.dataset_id == dataset) & (models.c.added_commit == commit_id)
        add_mark(connection, mark_of(erased_at), is_fitted)


def _take_out(store: Store, connection: Connection, plan: ErasurePlan, receipt: ErasureReceipt) -> None:
    segments, datasets = without_rows(store, plan)
    rows = delete_patient_rows(connection, plan)
    redacted = redact_texts(connection, plan.patient)
    replace_segments(connection, segments)
    changed = replace_datasets(connection, datasets)
    marked = mark_models(connection, plan, mark_of(receipt["erased_at"])) + settle_datasets(store, connection)
    receipt["status"] = UNFINISHED
    receipt.setdefault("pending", [])
    before = {each.path: each for each in (*plan.segments, *plan.datasets, *plan.unpinned)}
    for path, new in (*segments.items(), *datasets.items()):
        folder = "segments/" if path in segments else ""
        rewritten: RewrittenFile = {
            "path": f"{folder}{path}",
            "sha256": before[path].sha256,
            "new_path": None if new is None else f"{folder}{new.path}",
            "new_sha256": None if new is None else new.sha256,
        }
        if isinstance(new, PinnedDataset):
            rewritten["patients"], rewritten["trained"] = new.patients, before[path].trained
        if rewritten not in receipt["files_rewritten"]:
            receipt["files_rewritten"].append(rewritten)
        receipt["pending"].append(f"{folder}{path}")
    receipt["pending"] = sorted({*receipt["pending"], *plan.unnamed})
    receipt["files_removed"] = sorted({*receipt["files_removed"], *plan.unnamed})
    receipt["missing_files"] = sorted({*receipt["missing_files"], *plan.missing})
    removed = _summed({each["table"]: each["rows"] for each in receipt["rows_removed"]}, rows)
    receipt["rows_removed"] = [{"table": table, "rows": count} for table, count in removed]
    texts = _summed({each["column"]: each["rows"] for each in receipt["texts_changed"]}, redacted)
    receipt["texts_changed"] = [{"column": column, "rows": count} for column, count in texts]
    receipt["extractions_removed"] += len(plan.extraction_ids)
    receipt["extractions_kept_for_others"] += len(plan.shared_ids)
    receipt["datasets"] += changed
    receipt["models_marked"] = sorted({*receipt["models_marked"], *marked})
    receipt["splits"] += [each for each in plan.splits if each not in receipt["splits"]]


def _clear_away(store: Store, plan: ErasurePlan, receipt: ErasureReceipt) -> ContractError | None:
    fault = _publish_or_withdraw(store)
    _remove_pending(store, receipt)
    receipt["staged_removed"] += remove_staged(store, plan)
    receipt["pages_removed"] += clear_folders(store)
    touched = {each["table"] for each in receipt["rows_removed"]}
    touched |= {each["column"].partition(".")[0] for each in receipt["texts_changed"]}
    scrub_catalogue(store, sorted(touched | {"segments", "extractions", "datasets", "models"}))
    return fault


def _publish_or_withdraw(store: Store) -> ContractError | None:
    """Publish the store, or where it cannot be read remove the former file, which has the patient; return the fault."""
    with disk_faults(store.columns.folder):
        store.columns.remove()
    try:
        publish_snapshot(Snapshot(store))
    except ContractError as error:
        if not store.analyst_file.is_dir():
            store.analyst_file.unlink(missing_ok=True)
        return ContractError(
            f"the patient is erased, and the receipt is kept; analyst.duckdb is not published: {error.message}",
            where=error.where,
            hint=error.hint,
        )
    return None


def _remove_pending(store: Store, receipt: ErasureReceipt) -> None:
    # Under the lock: a file that is named again meanwhile, by equal content, must stay.
    with write_transaction(store.engine) as connection:
        for name in ("segments", "datasets"):
            folder = store.files.below(name)
            unnamed = set(unnamed_files(connection, folder, name))
            for path in receipt["pending"]:
                if path.removeprefix(f"{name}/") in unnamed and path.startswith(f"{name}/"):
                    folder.remove(path.removeprefix(f"{name}/"))
            for path in set(folder.copies()) & unnamed:
                folder.forget_copy(path)


def _former(connection: Connection, plan: ErasurePlan) -> ErasureReceipt | None:
    """Return the receipt that an erasure goes on with: unfinished, or of a patient whom no ingest brought back."""
    digest = patient_sha256(plan.patient)
    receipts = [each for each in all_receipts(connection) if each["patient_sha256"] == digest]
    unfinished = [each for each in receipts if each["status"] == UNFINISHED]
    if unfinished or not receipts:
        return unfinished[-1] if unfinished else None
    return receipts[-1] if "patients" not in plan.rows else None


def _summed(known: Mapping[str, int], more: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted((key, known.get(key, 0) + more.get(key, 0)) for key in known.keys() | more.keys())
