"""A pinned dataset made again from the store as of its commit, and what differs from the file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import RadzooError
from schemas.study.file import Study
from store.files import file_sha256
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.rows.datasets import PinnedDataset, writer_versions
from zoo.tables.dataset_sql import dataset_sql
from zoo.tables.inputs import ModelInputs
from zoo.tables.model_table import model_table

__all__ = [
    "CellDifference",
    "RebuiltDataset",
    "TableDifference",
    "as_pinned",
    "rebuild_dataset",
    "rebuilt_sql",
    "table_difference",
]

FileState = Literal["intact", "missing", "damaged", "put back"]
Verdict = Literal["identical", "equal", "different", "failed"]
_SHOWN = 20  # cells named one by one


@dataclass(frozen=True)
class CellDifference:
    """One cell that differs."""

    patient: str
    column: str
    pinned: Any
    rebuilt: Any


@dataclass(frozen=True)
class TableDifference:
    """What two tables differ in; all empty where they hold the same values, bit for bit."""

    columns_lost: tuple[str, ...] = ()
    """Pinned, and not in the table made again."""
    columns_new: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    """Of another type, or all of them where only their order differs."""
    patients_lost: tuple[str, ...] = ()
    patients_new: tuple[str, ...] = ()
    is_reordered: bool = False
    """The same patients in another order."""
    cells: int = 0
    """How many cells differ among the patients and columns that both have."""
    first_cells: tuple[CellDifference, ...] = ()

    @property
    def any(self) -> bool:
        """Return whether anything differs."""
        return self != TableDifference()


@dataclass(frozen=True)
class RebuiltDataset:
    """What became of making a dataset again."""

    dataset_id: str
    study: str
    commit_id: int
    verdict: Verdict
    """``identical``: the same bytes; ``equal``: the same values, bit for bit, in other bytes; ``different``; or
    ``failed``, where it could not be made or compared."""
    reason: str | None
    """Why the bytes are others, or why it failed."""
    sha256: str
    rebuilt_sha256: str | None
    file: FileState
    difference: TableDifference = TableDifference()

    @property
    def holds(self) -> bool:
        """Return whether the store still gives the dataset."""
        return self.verdict in ("identical", "equal")


def as_pinned(store: Store, row: PinnedDataset) -> tuple[Snapshot, Study, ModelInputs]:
    """Return the store and the study as of a dataset's commit, and the inputs that its catalogue row tells.

    Raises
    ------
    NotFoundError
        When the study was not in the store at that commit.
    """
    then = Snapshot(store, row.commit_id)
    study = stored_study(then, row.study)
    inputs = ModelInputs.from_dict(json.loads(row.inputs), study)
    # The version it was, not what the name means by the study's file: a control's set is not in there.
    return then, study, inputs if row.feature_set is None else replace(inputs, feature_set=row.feature_set)


def rebuild_dataset(store: Store, row: PinnedDataset) -> RebuiltDataset:
    """Make a dataset again from the store as of its commit and return whether it is the pinned one.

    A file that is missing or damaged is put back where the table made again has just its bytes.

    Parameters
    ----------
    store : Store
        The store.
    row : PinnedDataset
        The dataset.
    """
    if not row.path:
        return _found(row, "failed", "its file went with a patient who was erased", None, "missing")
    state: FileState = _state(store, row)
    try:
        table = model_table(*as_pinned(store, row)).frame.to_arrow()
    except RadzooError as error:
        return _found(row, "failed", f"the table cannot be made again: {error.message}", None, state)
    written = store.datasets.scratch()
    try:
        pq.write_table(table, written, compression="zstd")
        digest = file_sha256(written)
        if digest == row.sha256:
            if state != "intact":
                store.files.adopt(written, row.path)
                state = "put back"
            return _found(row, "identical", None, digest, state)
        if state != "intact":
            return _found(row, "failed", f"the pinned file is {state}, and there is nothing to compare", digest, state)
        pinned = store.files.local(row.path)
        difference = table_difference(pq.read_table(pinned), pq.read_table(written))
        reason = _other_bytes(row, pinned, written)
    finally:
        written.unlink(missing_ok=True)
    verdict: Verdict = "different" if difference.any else "equal"
    return _found(row, verdict, reason, digest, state, difference)


def rebuilt_sql(store: Store, row: PinnedDataset) -> tuple[str, str]:
    """Return a dataset's SQL and what it gives; worked out again for one of a release that wrote none.

    Raises
    ------
    RadzooError
        When the table cannot be made again.
    """
    if row.sql is not None and row.sql_gives is not None:
        return row.sql, row.sql_gives
    then, study, inputs = as_pinned(store, row)
    table = model_table(then, study, inputs)
    return dataset_sql(then, study, inputs, table)


def table_difference(pinned: pa.Table, rebuilt: pa.Table) -> TableDifference:
    """Return what two tables with a row per patient differ in; numbers are compared by their bits."""
    before, after = pinned.column_names, rebuilt.column_names
    common = [name for name in before if name in set(after)]
    changed = [name for name in common if pinned.schema.field(name).type != rebuilt.schema.field(name).type]
    if not changed and before != after and sorted(before) == sorted(after):
        changed = common
    rows_before, rows_after = ({p: n for n, p in enumerate(t["patient"].to_pylist())} for t in (pinned, rebuilt))
    both = [patient for patient in rows_before if patient in rows_after]
    old = pinned.take([rows_before[patient] for patient in both])
    new = rebuilt.take([rows_after[patient] for patient in both])
    cells = 0
    first: list[CellDifference] = []
    for name in common:
        differs = np.flatnonzero(_bits(old[name]) != _bits(new[name]))
        cells += len(differs)
        first += [
            CellDifference(both[at], name, old[name][at].as_py(), new[name][at].as_py())
            for at in differs[: _SHOWN - len(first)]
        ]
    return TableDifference(
        columns_lost=tuple(name for name in before if name not in set(after)),
        columns_new=tuple(name for name in after if name not in set(before)),
        columns_changed=tuple(changed),
        patients_lost=tuple(patient for patient in rows_before if patient not in rows_after),
        patients_new=tuple(patient for patient in rows_after if patient not in rows_before),
        is_reordered=[p for p in rows_after if p in rows_before] != both,
        cells=cells,
        first_cells=tuple(first),
    )


def _bits(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return a column's values such that equal ones have equal bits: -0 is not 0, a NaN is itself, NULL is neither."""
    if pa.types.is_floating(column.type):
        there = column.is_valid().to_numpy()
        bits = column.fill_null(0.0).to_numpy().astype(np.float64).view(np.int64)
        return np.array([int(each) if known else None for each, known in zip(bits, there, strict=True)], dtype=object)
    return np.array(column.to_pylist(), dtype=object)


def _other_bytes(row: PinnedDataset, pinned: Path, written: Path) -> str:
    """Return why equal values may lie in other bytes: another release of what writes Parquet, or of what was read."""
    before, after = (pq.read_metadata(file).created_by for file in (pinned, written))
    if before != after:
        return f"the file was written by {before}, now by {after}"
    versions = json.loads(row.versions) if row.versions else {}
    others = [
        f"{name} {versions[name]}, now {now}"
        for name, now in writer_versions().items()
        if versions.get(name, now) != now
    ]
    return f"it was made by {'; '.join(others)}" if others else "the same releases wrote both files"


def _state(store: Store, row: PinnedDataset) -> FileState:
    there = store.files.sha256(row.path)
    if there is None:
        return "missing"
    return "intact" if there == row.sha256 else "damaged"


def _found(
    row: PinnedDataset,
    verdict: Verdict,
    reason: str | None,
    digest: str | None,
    state: FileState,
    difference: TableDifference = TableDifference(),
) -> RebuiltDataset:
    return RebuiltDataset(
        dataset_id=row.dataset_id,
        study=row.study,
        commit_id=row.commit_id,
        verdict=verdict,
        reason=reason,
        sha256=row.sha256,
        rebuilt_sha256=digest,
        file=state,
        difference=difference,
    )
