"""What a patient's erasure will take out, counted before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, func, select

from schemas.documents.erasure_receipt import FrozenSplit
from schemas.errors import ContractError, NotFoundError
from schemas.keys import MaskKey
from store.catalogue.lookups import are_among
from store.catalogue.tables import VERSIONED, versioned_table
from store.compaction.leftovers import unnamed_files
from store.files import DataFolder, file_sha256
from store.home import Store

__all__ = ["AffectedFile", "ErasurePlan", "erasure_plan", "in_batches", "unknown_patient"]

Content = tuple[str, str]
_BATCH = 200  # values per statement: SQLite's limit on bound variables, with room


@dataclass(frozen=True)
class AffectedFile:
    """A file of the catalogue that has rows of the patient."""

    path: str
    sha256: str
    rows: int
    """How many rows of it are the patient's, or are kept under another patient's key."""
    feature_set: str = ""
    """Of a segment; the first release did not write it into the file."""
    trained: bool = False
    """Of a dataset: whether the patient is in its training cohort."""


@dataclass
class ErasurePlan:
    """What is to be taken out; nothing of it is stored, for it names the patient."""

    patient: str
    rows: dict[str, int] = field(default_factory=dict)
    """Rows of the catalogue by table, of all commits."""
    extraction_ids: set[str] = field(default_factory=set)
    """Extractions of images and masks that no other patient has."""
    shared: dict[Content, MaskKey] = field(default_factory=dict)
    """Image and mask that another patient has too -> the key under which their rows stay."""
    shared_ids: set[str] = field(default_factory=set)
    studies_of_shared: dict[Content, set[str]] = field(default_factory=dict)
    segments: list[AffectedFile] = field(default_factory=list)
    datasets: list[AffectedFile] = field(default_factory=list)
    unpinned: list[AffectedFile] = field(default_factory=list)
    """Datasets that the catalogue does not name: a training that is under way, or was killed, has written them."""
    unnamed: list[str] = field(default_factory=list)
    """Other files of the patient that the catalogue does not name, below the store."""
    missing: list[str] = field(default_factory=list)
    """Files that the catalogue names and that are not there."""
    models: list[tuple[str, str, int]] = field(default_factory=list)
    """Study, model and version of those that were trained on the patient."""
    splits: list[FrozenSplit] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Return whether the store has nothing of the patient."""
        return not (self.rows or self.segments or self.datasets or self.unpinned or self.unnamed)


def erasure_plan(store: Store, connection: Connection, patient: str) -> ErasurePlan:
    """Return what erasing a patient takes out; every segment's and dataset's patients are read for it.

    A row of the catalogue goes where its column ``patient`` is the pseudonym, of whatever commit, and where it
    is about an extraction of the patient. Where another patient has the same image and mask, the extraction stays
    and is kept under that patient's key.

    Parameters
    ----------
    store : Store
        The store.
    connection : Connection
        Of the catalogue: the plan holds for the state that it sees.
    patient : str
        The pseudonym.
    """
    plan = ErasurePlan(patient)
    for name, table in VERSIONED.items():
        if "patient" in table.c:
            query = select(func.count()).select_from(table).where(table.c.patient == patient)
            if rows := connection.execute(query).scalar():
                plan.rows[name] = rows
    _contents(connection, plan)
    _segments(store, connection, plan)
    for name in ("extractions", "study_extractions"):
        table = versioned_table(name)
        query = select(func.count()).select_from(table)
        rows = sum(
            connection.execute(query.where(table.c.extraction_id.in_(batch))).scalar() or 0
            for batch in in_batches(sorted(plan.extraction_ids))
        )
        if rows:
            plan.rows[name] = rows
    _datasets(store, connection, plan)
    members, splits = versioned_table("split_members"), versioned_table("splits")
    query = select(splits.c.study, splits.c.split, splits.c.sha256).distinct()
    query = query.join(members, (members.c.study == splits.c.study) & (members.c.split == splits.c.split))
    found = connection.execute(query.where(members.c.patient == patient)).all()
    plan.splits = [FrozenSplit(study=study, split=split, sha256=sha256) for study, split, sha256 in found]
    return plan


def unknown_patient(store: Store, connection: Connection, patient: str) -> NotFoundError:
    """Return the error that names the nearest of the store's patients."""
    known: set[str] = set()
    for table in VERSIONED.values():
        if "patient" in table.c:
            known |= set(connection.execute(select(table.c.patient).distinct()).scalars())
    by_lower = {name.lower(): name for name in sorted(known)}
    nearest = [by_lower[each] for each in get_close_matches(patient.lower(), by_lower, n=3)]
    return NotFoundError(
        f"the store has no patient '{patient}'",
        where=str(store.root),
        hint=f"the nearest: {', '.join(nearest)}" if nearest else 'radzoo sql "from patients" lists them',
    )


def in_batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values, some hundred at a time."""
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _contents(connection: Connection, plan: ErasurePlan) -> None:
    """Find the extractions by the content of the patient's images and masks, and who else has it."""
    masks, extractions, links = (versioned_table(name) for name in ("masks", "extractions", "study_masks"))
    content = (masks.c.image_sha256, masks.c.mask_sha256)
    own = [tuple(row) for row in connection.execute(select(*content).where(masks.c.patient == plan.patient).distinct())]
    keys = [masks.c[name] for name in MaskKey._fields]
    for batch in in_batches(own):
        others = select(*keys, *content, masks.c.removed_commit).where(*are_among(content, batch))
        holders: dict[Content, list[tuple[bool, MaskKey]]] = {}
        for row in connection.execute(others.where(masks.c.patient != plan.patient)).mappings():
            key = (row["removed_commit"] is not None, MaskKey.of(dict(row)))
            holders.setdefault((row["image_sha256"], row["mask_sha256"]), []).append(key)
        for each, found in holders.items():
            plan.shared[each] = min(found)[1]
            plan.studies_of_shared[each] = {
                study
                for _, key in found
                for study in connection.execute(
                    select(links.c.study).where(*(links.c[name] == value for name, value in key._asdict().items()))
                ).scalars()
            }
        of_content = (extractions.c.image_sha256, extractions.c.mask_sha256)
        query = select(extractions.c.extraction_id, extractions.c.image_sha256, extractions.c.mask_sha256)
        for identity, *pair in connection.execute(query.where(*are_among(of_content, batch))):
            (plan.shared_ids if tuple(pair) in plan.shared else plan.extraction_ids).add(identity)


def _segments(store: Store, connection: Connection, plan: ErasurePlan) -> None:
    table = versioned_table("segments")
    columns = ["extraction_id", "patient", "image_sha256", "mask_sha256"]
    rows = {row["path"]: row for row in connection.execute(table.select().order_by(table.c.row_id)).mappings()}
    found: list[tuple[str, Any]] = []
    for path, row in rows.items():
        if (file := _local(store.segments, path, row["sha256"], plan)) is not None:
            held = pq.read_table(file, columns=columns)
            found.append((path, held))
            for each in held.filter(pc.equal(held["patient"], plan.patient)).to_pylist():
                # Rows of an imported table, and of masks that a correction replaced, are known only by their key.
                if (each["image_sha256"], each["mask_sha256"]) not in plan.shared:
                    plan.extraction_ids.add(each["extraction_id"])
    gone = sorted(plan.extraction_ids)
    for path, held in found:
        is_own = pc.or_(
            pc.equal(held["patient"], plan.patient), pc.is_in(held["extraction_id"], pa.array(gone, pa.string()))
        )
        if rows_of_patient := pc.sum(is_own).as_py():
            row = rows[path]
            plan.segments.append(AffectedFile(path, row["sha256"], rows_of_patient, row["feature_set"]))
    plan.unnamed += _unnamed_segments(store.segments, connection, plan.patient)


def _datasets(store: Store, connection: Connection, plan: ErasurePlan) -> None:
    datasets, models, members = (versioned_table(name) for name in ("datasets", "models", "split_members"))
    query = select(members.c.study, members.c.split).where(
        members.c.patient == plan.patient, members.c.cohort == "training"
    )
    in_training = {tuple(row) for row in connection.execute(query)}
    affected: dict[str, AffectedFile] = {}
    trained: set[tuple[str, str]] = set()
    for row in connection.execute(datasets.select().order_by(datasets.c.row_id)).mappings():
        file = None
        if row["path"] is not None:
            file = _local(store.files, row["path"], row["sha256"], plan)
        if file is None:
            # Without the file, the split is all that tells who trained.
            if (row["study"], row["split"]) in in_training:
                trained.add((row["study"], row["dataset_id"]))
            continue
        if (found := _dataset(file, row["path"], row["sha256"], plan.patient)) is not None:
            affected[row["path"]] = found
            if found.trained:
                trained.add((row["study"], row["dataset_id"]))
    plan.datasets = list(affected.values())
    rows = connection.execute(select(models.c.study, models.c.model, models.c.version, models.c.dataset_id))
    plan.models = sorted({(row[0], row[1], row[2]) for row in rows if (row[0], row[3]) in trained})
    for name in unnamed_files(connection, store.datasets, "datasets"):
        if not name.endswith(".parquet"):
            continue
        try:
            affected_file = _dataset(store.datasets.local(name), f"datasets/{name}", "", plan.patient)
        except (OSError, pa.ArrowException):
            plan.unnamed.append(f"datasets/{name}")  # unreadable, and nobody's: what it holds cannot be told
        except ContractError:
            continue  # removed meanwhile
        else:
            plan.unpinned += [affected_file] if affected_file is not None else []


def _dataset(file: Path, path: str, sha256: str, patient: str) -> AffectedFile | None:
    """Return a dataset's file as one that has the patient, None where it has not."""
    names = [name for name in ("patient", "cohort") if name in pq.read_schema(file).names]
    if "patient" not in names:
        return None
    held = pq.read_table(file, columns=names)
    own = held.filter(pc.equal(held["patient"], patient))
    if not own.num_rows:
        return None
    trained = "cohort" not in names or "training" in own["cohort"].to_pylist()
    return AffectedFile(path, sha256 or file_sha256(file), own.num_rows, trained=trained)


def _unnamed_segments(folder: DataFolder, connection: Connection, patient: str) -> list[str]:
    found = []
    for path in unnamed_files(connection, folder, "segments"):
        if not path.endswith(".parquet"):
            continue
        try:
            file = folder.local(path)
            names = pq.read_schema(file).names
            held = pq.read_table(file, columns=["patient"])["patient"].to_pylist() if "patient" in names else []
        except ContractError:
            continue  # removed meanwhile
        except (OSError, pa.ArrowException):
            held = [patient]  # unreadable, and nobody's: what it holds cannot be told
        if patient in held:
            found.append(f"segments/{path}")
    return found


def _local(folder: DataFolder, path: str, sha256: str, plan: ErasurePlan) -> Any:
    try:
        return folder.local(path, sha256=sha256)
    except ContractError:
        # A file that is lost must not keep the rest of the patient in the store.
        plan.missing.append(path)
        return None
