"""Regions: what networks see of an exam, one array a phase, with how it was registered and cropped.

Arrays are kept as 16-bit floats: of intensities with deviation 1 they lose less than a thousandth, which is far
below an image's noise, and take half the room. They are given as 32-bit floats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import select

from schemas.errors import ContractError, NotFoundError
from schemas.features.region_settings import RegionSettings
from schemas.keys import MaskKey, extraction_id, joint_context
from store.catalogue.tables import versioned_table
from store.files import DataFolder
from store.history.snapshot import Snapshot, refuse_unknown_study
from store.history.studies import stored_study
from store.kinds.every import REGIONS
from store.rows.region_record import RegionRecord
from store.rows.segments import Segment, key_arrays, store_segment

__all__ = ["REGION_COLUMNS", "region_ids", "stored_region_masks", "stored_regions", "write_regions"]

REGION_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "context_sha256": (pa.string(), "hash of all images and masks that the region was made of"),
    "first_slice": (pa.int64(), "index of the region's first slice in the fixed phase's image"),
    "side_mm": (pa.float64(), "side of the square that was cropped"),
    "registration": (pa.string(), "fixed (this is the fixed phase), applied, or identity: the transform did not help"),
    "similarity_before": (pa.float64(), "normalised mutual information with the fixed phase before registration"),
    "similarity_after": (
        pa.float64(),
        "the same with the transform that was found, applied or not; NULL where none was found",
    ),
    "rotation_x_degrees": (pa.float64(), "turn about x that was applied, R_z R_x R_y"),
    "rotation_y_degrees": (pa.float64(), "turn about y"),
    "rotation_z_degrees": (pa.float64(), "turn about z"),
    "shift_x_mm": (pa.float64(), "shift of the fixed image's middle along x that was applied"),
    "shift_y_mm": (pa.float64(), "shift along y"),
    "shift_z_mm": (pa.float64(), "shift along z"),
}
"""What a row of a set of regions tells besides its array: type and meaning of each column."""


def write_regions(folder: DataFolder, feature_set: str, size: int, records: Sequence[RegionRecord]) -> Segment:
    """Write regions as one segment and return it.

    Parameters
    ----------
    folder : DataFolder
        The store's segments.
    feature_set : str
        ``name@version`` of a set of kind ``regions``.
    size : int
        How many numbers each region of the set has.
    records : sequence of RegionRecord
        In any order.

    Raises
    ------
    ContractError
        When a region has another size.
    """
    ordered = sorted(records, key=lambda record: (record.key, record.extraction_id))
    arrays = [record.flat() for record in ordered]
    for record, array in zip(ordered, arrays, strict=True):
        if len(array) != size:
            raise ContractError(
                f"a region of {feature_set} has {len(array)} numbers, not {size}", where=str(record.key)
            )
    told = [dict(record.told) | {"context_sha256": record.context_sha256} for record in ordered]
    columns = {name: pa.array([row.get(name) for row in told], type=kind) for name, (kind, _) in REGION_COLUMNS.items()}
    region = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(arrays)), size)
    masks = np.concatenate([record.flat_mask(size) for record in ordered])
    mask = pa.FixedSizeListArray.from_arrays(pa.array(masks), size)
    rows = {**key_arrays(ordered), **columns, "region": region, "mask": mask}
    return store_segment(folder, feature_set, pa.table(rows))


def stored_regions(
    snapshot: Snapshot, feature_set: str, extraction_ids: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return regions by their extraction id, each of shape (slices, size, size).

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    feature_set : str
        ``name@version`` of a set of kind ``regions``.
    extraction_ids : sequence of str
        Which ones, as `region_ids` gives them.

    Raises
    ------
    NotFoundError
        When the set is none of regions, or lacks one of the ids.
    ContractError
        When a segment lacks a row that the catalogue says it holds.
    """
    found = _stored(snapshot, feature_set, extraction_ids, "region")
    return {identity: array.astype(np.float32) for identity, array in found.items()}


def stored_region_masks(
    snapshot: Snapshot, feature_set: str, extraction_ids: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Return where the lesion lies in regions, by their extraction id: arrays of the regions' shape.

    Parameters and errors are those of `stored_regions`.
    """
    return _stored(snapshot, feature_set, extraction_ids, "mask")


def _stored(
    snapshot: Snapshot, feature_set: str, extraction_ids: Sequence[str], column: str
) -> dict[str, NDArray[Any]]:
    wanted = set(extraction_ids)
    # Where rows lie may change between two reads, when somebody compacts.
    with snapshot.one_state() as unchanging:
        shape = _definition(unchanging, feature_set)[0].shape
        rows, segments = (unchanging.rows(name, feature_set=feature_set) for name in ("extractions", "segments"))
        of_segment: dict[str, list[str]] = {}
        for row in rows:
            if row["extraction_id"] in wanted:
                of_segment.setdefault(row["segment_id"], []).append(row["extraction_id"])
        found: dict[str, NDArray[Any]] = {}
        for segment in segments:
            if own := of_segment.get(segment["segment_id"]):
                file = unchanging.store.segments.local(segment["path"], sha256=segment["sha256"])
                found |= _arrays(pq.ParquetFile(file, memory_map=True), own, column, shape)
    located = {identity for own in of_segment.values() for identity in own}
    if lacking := sorted(located - found.keys()):
        raise ContractError(
            f"the segments of {feature_set} lack {len(lacking)} of the rows that the catalogue says they hold",
            where=str(snapshot.store.segments),
            hint="radzoo store verify lists what is damaged",
        )
    if unknown := sorted(wanted - located):
        raise NotFoundError(
            f"{feature_set} has no region {unknown[0]}" + (f" and {len(unknown) - 1} others" if unknown[1:] else ""),
            where=str(snapshot.store.root),
            hint="radzoo refresh computes the regions that the studies ask for",
        )
    return {identity: found[identity] for identity in extraction_ids}


def _arrays(
    file: pq.ParquetFile, identities: Sequence[str], column: str, shape: tuple[int, int, int]
) -> dict[str, NDArray[Any]]:
    """Return arrays of one segment; row groups without any of them are not read."""
    found: dict[str, NDArray[Any]] = {}
    wanted = pa.array(identities)
    for group in range(file.num_row_groups):
        is_wanted = pc.is_in(file.read_row_group(group, columns=["extraction_id"])["extraction_id"], wanted)
        if not pc.any(is_wanted).as_py():
            continue
        rows = file.read_row_group(group, columns=["extraction_id", column]).filter(is_wanted)
        numbers = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        arrays = numbers.reshape(rows.num_rows, *shape)
        found |= dict(zip(rows["extraction_id"].to_pylist(), arrays, strict=True))
    return found


def region_ids(snapshot: Snapshot, study_id: str, feature_set: str) -> dict[str, dict[str, str]]:
    """Return the extraction id of each region that a study's networks read, by patient and phase.

    That is the first reading's. A patient of whom a phase is missing, failed or not yet computed, has no entry
    for it.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study_id : str
        The study.
    feature_set : str
        ``name@version`` of a set of kind ``regions``.

    Raises
    ------
    NotFoundError
        When the store has no such study, or the set is none of regions.
    ContractError
        When a patient has several exams or lesions.
    """
    with snapshot.one_state() as unchanging:
        settings, digest = _definition(unchanging, feature_set)
        refuse_unknown_study(unchanging, study_id)
        study = stored_study(unchanging, study_id)
        phases = settings.ordered_phases(tuple(study.phases))
        contents = {MaskKey.of(row): (row["image_sha256"], row["mask_sha256"]) for row in unchanging.rows("masks")}
        primary = [MaskKey.of(row) for row in unchanging.rows("study_masks", study=study_id, is_primary=1)]
        linked = unchanging.rows("study_extractions", study=study_id, feature_set=feature_set)
    there = {row["extraction_id"] for row in linked}
    units: dict[tuple[str, str, str], dict[str, tuple[str, str]]] = {}
    for key in primary:
        units.setdefault((key.patient, key.exam, key.lesion), {})[key.phase] = contents[key]
    found: dict[str, dict[str, str]] = {}
    for (patient, _, _), own in sorted(units.items()):
        if patient in found:
            raise ContractError(
                f"patient '{patient}' has several exams or lesions; a network reads one",
                where=f"study '{study_id}'",
                hint='use = "largest" or "union" under [lesions], and one exam under [exams]; then ingest again',
            )
        # Which phases were there decides what the id is of.
        together = [own[phase] for phase in phases if phase in own]
        ids = {phase: extraction_id(*own[phase], digest, joint_context(together)) for phase in phases if phase in own}
        found[patient] = {phase: identity for phase, identity in ids.items() if identity in there}
    return found


def _definition(snapshot: Snapshot, feature_set: str) -> tuple[RegionSettings, str]:
    table = versioned_table("feature_sets")
    query = select(table.c.kind, table.c.definition, table.c.definition_sha256)
    with snapshot.reading("feature_sets") as connection:
        row = connection.execute(query.where(table.c.feature_set == feature_set, snapshot.is_live(table))).one_or_none()
    if row is None or row.kind != REGIONS.name:
        raise NotFoundError(
            f"'{feature_set}' is no feature set of regions" if row is not None else f"no feature set '{feature_set}'",
            where=str(snapshot.store.root),
            hint="radzoo features list shows the store's feature sets and their kinds",
        )
    return RegionSettings.model_validate(json.loads(row.definition)["settings"]), str(row.definition_sha256)
