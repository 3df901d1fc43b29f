"""The files' part of an erasure: segments and datasets without the patient's rows, and what else named the patient."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StoreBusyError
from schemas.keys import MaskKey
from schemas.settings import BUSY_TIMEOUT_S
from store.catalogue.connection import LOCK_NOT_AVAILABLE, is_postgresql
from store.erasure.mentions import is_named_in, mention_of
from store.erasure.plan import AffectedFile, ErasurePlan
from store.files import is_being_written
from store.home import Store
from store.rows.datasets import PinnedDataset, pin_dataset
from store.rows.segments import Segment, store_segment
from store.rows.shared_staging import shared_records, shared_staging

__all__ = ["clear_folders", "naming_files", "remove_staged", "scrub_catalogue", "without_rows"]

_RADZOOS = ("segments", "datasets", "copies", "catalogue.sqlite", "columns", "analyst.duckdb")


def without_rows(store: Store, plan: ErasurePlan) -> tuple[dict[str, Segment | None], dict[str, PinnedDataset]]:
    """Rewrite the affected segments and datasets and return the new ones by the former path.

    A row of an image and mask that another patient has too stays, under that patient's key. Nothing names the
    new files yet. Datasets that no row names are among them: a training that is under way will name them, and finds
    by the receipt what became of them.
    """
    segments = {each.path: _rewritten_segment(store, each, plan) for each in plan.segments}
    datasets = {each.path: _rewritten_dataset(store, each, plan.patient) for each in (*plan.datasets, *plan.unpinned)}
    return segments, datasets


def _rewritten_segment(store: Store, affected: AffectedFile, plan: ErasurePlan) -> Segment | None:
    table = pq.read_table(store.segments.local(affected.path, sha256=affected.sha256))
    is_gone = pc.is_in(table["extraction_id"], pa.array(sorted(plan.extraction_ids), pa.string()))
    table = table.filter(pc.invert(is_gone))
    if table.num_rows == 0:
        return None
    keys = table.select([*MaskKey._fields, "image_sha256", "mask_sha256"]).to_pylist()
    new = [
        plan.shared[row["image_sha256"], row["mask_sha256"]] if row["patient"] == plan.patient else MaskKey.of(row)
        for row in keys
    ]
    for name in MaskKey._fields:
        at, kind = table.schema.get_field_index(name), table.schema.field(name).type
        table = table.set_column(at, name, pa.array([getattr(key, name) for key in new], kind))
    return store_segment(store.segments, affected.feature_set, table)


def _rewritten_dataset(store: Store, affected: AffectedFile, patient: str) -> PinnedDataset:
    table = pq.read_table(store.files.local(affected.path, sha256=affected.sha256))
    kept = table.filter(pc.not_equal(table["patient"], patient))
    return pin_dataset(store, kept, study="", split="", inputs={}, commit_id=0)


def remove_staged(store: Store, plan: ErasurePlan) -> int:
    """Remove staged rows and units that are of the patient, or name the patient, and return how many.

    What a unit of a cross-validation held of other patients is computed again.
    """
    found = 0
    for file in sorted(each for each in store.staging.rglob("*") if each.is_file()):
        if file.name.endswith(".partial") and is_being_written(file):
            continue  # what comes of it is looked through when the run ends
        try:
            content = json.loads(file.read_text())
        except (ValueError, OSError):
            content = {"patients": [plan.patient]}  # half-written: what it holds cannot be told
        if file.stem in plan.extraction_ids | plan.shared_ids or _is_of(content, plan.patient):
            file.unlink(missing_ok=True)
            found += 1
    if (shared := shared_staging(store)) is not None:
        for path, record in shared_records(shared):
            name = path.rpartition("/")[2].removesuffix(".json")
            if name in plan.extraction_ids | plan.shared_ids or not record or _is_of(record, plan.patient):
                shared.remove(path)
                found += 1
    return found


def _is_of(content: Any, patient: str) -> bool:
    if isinstance(content, dict) and "extraction_id" in content:
        key = content.get("key")
        if isinstance(key, list) and key:
            return bool(key[0] == patient)
    return is_named_in(content, patient)


def clear_folders(store: Store) -> int:
    """Remove pages, spilled data and half-written files, all of which can be made again, and return how many.

    A page shows a figure for each patient, mostly without the name, so that none can be told to be free of one.
    """
    found = 0
    for folder in (store.root / "report", store.root / "spill"):
        found += sum(each.is_file() for each in folder.rglob("*"))
        shutil.rmtree(folder, ignore_errors=True)
    half = [each for part in (store.segments, store.datasets) for each in part.half_written(before=datetime.now(UTC))]
    # Half-written published files are not among them: publishing removes those of others, when it is alone.
    for path in half:
        path.unlink(missing_ok=True)
        found += 1
    return found


def naming_files(store: Store, patient: str) -> list[str]:
    """Return the text files below the store that are not radzoo's and name the patient still."""
    pattern, found = mention_of(patient), []
    for file in sorted(each for each in store.root.rglob("*") if each.is_file()):
        name = file.relative_to(store.root).as_posix()
        if name.startswith(_RADZOOS):
            continue
        try:
            content = file.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        if pattern.search(content) or pattern.search(name):
            found.append(name)
    return found


def scrub_catalogue(store: Store, tables: Sequence[str]) -> None:
    """Overwrite what deleted rows leave in the catalogue's own files.

    SQLite: the file is rebuilt and its log emptied. PostgreSQL: the tables are rebuilt; its log, archives of
    that, and copies on other servers are beyond a client's reach.

    Parameters
    ----------
    store : Store
        The store.
    tables : sequence of str
        Those that lost or changed rows.

    Raises
    ------
    StoreBusyError
        When a reader or writer keeps the catalogue from being rebuilt: the erasure is unfinished.
    """
    if is_postgresql(store.engine):
        _rebuild_tables(store, tables)
    else:
        _rebuild_file(store)


def _rebuild_tables(store: Store, tables: Sequence[str]) -> None:
    pooled = store.engine.raw_connection()
    driver: Any = pooled.driver_connection
    try:
        # The pool's own test of the connection may have left a transaction, in which nothing can be rebuilt.
        driver.rollback()
        driver.autocommit = True
        cursor = driver.cursor()
        cursor.execute(f"SET lock_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
        for name in tables:
            cursor.execute(f"VACUUM (FULL, ANALYZE) {name}")
        cursor.execute("RESET lock_timeout")
    except store.engine.dialect.loaded_dbapi.Error as error:
        if LOCK_NOT_AVAILABLE in str(error):
            raise _unfinished(store) from error
        raise
    finally:
        pooled.invalidate()


def _rebuild_file(store: Store) -> None:
    connection = sqlite3.connect(store.catalogue_file, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        # The rebuilt copy must not lie in a folder for temporary files, where its blocks stay readable.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("VACUUM")
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        raise _unfinished(store) from error
    finally:
        connection.close()
    if is_busy:
        raise _unfinished(store)


def _unfinished(store: Store) -> StoreBusyError:
    return StoreBusyError(
        "the patient is in no answer any more, but a reader keeps the catalogue's old pages",
        where=str(store.root),
        hint="wait for it to finish, then run the same erase again: it goes on from here",
    )
