"""``store_verification``: every promise of the store that can be looked at, looked at."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError

from schemas.errors import ContractError, NotFoundError
from store.catalogue.connection import read_transaction
from store.catalogue.tables import commits, versioned_table
from store.erasure.datasets import all_receipts
from store.home import Store
from store.rows.shared_staging import shared_staging
from store.verification.catalogue import catalogue_checks, identity_checks, unfinished_runs
from store.verification.erasures import erasure_check, named_patients, not_to_be_restored, unfinished_erasures
from store.verification.files import (
    FolderHash,
    copies_check,
    dataset_check,
    model_check,
    segment_checks,
    staging_check,
    unnamed,
)
from store.verification.findings import RESTORE_CATALOGUE, Verification
from store.verification.publication import columns_check, publication_check

__all__ = ["store_verification"]

_READ = ("segments", "extractions", "features", "feature_sets", "datasets", "models")


def store_verification(store: Store, *, quick: bool = False, folder_hash: FolderHash | None = None) -> Verification:
    """Return what holds of the store's promises and what does not.

    The catalogue is read in one transaction, so writers at work are no findings. Files are read where
    they lie; nothing is changed.

    Parameters
    ----------
    store : Store
        The store.
    quick : bool
        Compare sizes and numbers of rows, hash no file.
    folder_hash : callable, optional
        What hashes a model's folder (`zoo.saving.persist.folder_sha256`): the store knows no models.

    Raises
    ------
    NotFoundError
        When the data's server does not answer.
    ContractError
        When the catalogue is too damaged to be asked.
    """
    try:
        with read_transaction(store.engine) as connection:
            newest = connection.execute(select(func.max(commits.c.commit_id))).scalar() or 0
            checks = list(catalogue_checks(connection))
            notes = unfinished_runs(connection)
            receipts = all_receipts(connection)
            notes += unfinished_erasures(receipts)
            rows = {
                name: [dict(row) for row in connection.execute(versioned_table(name).select()).mappings()]
                for name in _READ
            }
            named = named_patients(connection)
    except DatabaseError as error:
        raise ContractError(
            f"the catalogue cannot be read: {error.orig}", where=str(store.root), hint=RESTORE_CATALOGUE
        ) from error
    texts = {row["definition"] or "" for row in rows["feature_sets"]}
    hashes = {text: hashlib.sha256(text.encode()).hexdigest() for text in texts}
    checks += identity_checks(rows["extractions"], rows["feature_sets"], hashes)
    segments = {f"segments/{row['path']}": row["sha256"] for row in rows["segments"]}
    datasets = {row["path"]: row["sha256"] for row in rows["datasets"] if row["path"]}
    models = {row["path"] for row in rows["models"] if row["path"]}
    try:
        checks += segment_checks(store.segments, rows["segments"], rows["extractions"], rows["features"], quick=quick)
        checks.append(dataset_check(store, rows["datasets"], quick=quick))
        checks.append(model_check(store, rows["models"], folder_hash, quick=quick))
        checks.append(erasure_check(store, receipts, named, quick=quick))
        notes += unnamed(store, {*segments, *datasets, *models})
        check, waiting = staging_check(store.staging, shared_staging(store))
    except OSError as error:
        raise NotFoundError(
            f"the data cannot be read: {str(error).splitlines()[0]}",
            where=str(store.files),
            hint="see whether the server answers and the credentials of this environment still hold",
        ) from error
    if store.files.is_remote and not quick:
        checks.append(copies_check(store.files, segments | datasets))
    if not quick:
        checks += columns_check(store)
    published, told = publication_check(store, quick=quick)
    checks = not_to_be_restored(checks, receipts, store)
    return Verification(newest, [*checks, check, *published], [*notes, *waiting, *told])
