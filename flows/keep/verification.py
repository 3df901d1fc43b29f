"""Every promise of a store checked, from bytes to leaderboards, and what is broken repaired where that is proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from schemas.errors import NotFoundError, RadzooError
from store.analyst.publish import publish_snapshot
from store.history.snapshot import Snapshot
from store.home import Store
from store.repair.files import remove_staged_trash, repair_files, repair_models
from store.repair.rows import Repair, repair_rows
from store.verification.findings import Verification
from store.verification.verify import store_verification
from zoo.benchmark.recomputed import recomputed_checks, recomputed_rows, remade_dataset
from zoo.models.remade import remade_model
from zoo.saving.persist import folder_sha256

__all__ = ["repair_store", "verified_store"]


def verified_store(store: Store, *, quick: bool = False) -> Verification:
    """Return what holds of a store's promises, what of models and cohorts follows from the rest included.

    Parameters
    ----------
    store : Store
        The store.
    quick : bool
        Compare sizes and numbers of rows, hash no file.
    """
    found = store_verification(store, quick=quick, folder_hash=folder_sha256)
    return replace(found, checks=[*found.checks, *recomputed_checks(store)])


def repair_store(store: Store, backup: Path | None = None) -> list[Repair]:
    """Put back what is broken and can be, and tell of each: rows first, for files are made again from them.

    Parameters
    ----------
    store : Store
        The store.
    backup : Path, optional
        A backup of it, whose rows and files are taken where the store's sums and hashes say that they are its own.

    Raises
    ------
    NotFoundError
        When there is no such folder.
    """
    if backup is not None and not backup.is_dir():
        raise NotFoundError("there is no such folder", where=str(backup), hint="name a backup of this store")
    repairs = repair_rows(store, [recomputed_rows(store)], backup)
    repairs += repair_files(store, remade_dataset(store), backup)
    repairs += repair_models(store, folder_sha256, lambda row: remade_model(store, row), backup)
    # What reads models and datasets may say now what it could not before.
    if any(not each.is_repaired for each in repairs):
        repairs = [each for each in repairs if each.is_repaired] + [
            *repair_rows(store, [recomputed_rows(store)], backup),
            *(each for each in repairs if not each.is_repaired and "/" in each.where),
        ]
    repairs += remove_staged_trash(store)
    if repairs and store.analyst_file.exists():
        try:
            publish_snapshot(Snapshot(store))
        except RadzooError as error:
            repairs.append(
                Repair(str(store.analyst_file), f"is not published again: {error.message}", is_repaired=False)
            )
    return repairs
