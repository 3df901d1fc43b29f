"""Embeddings by networks that a study brings along: what regions lack one, computed once, and committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.engine.progress import progress_bar
from flows.expect.commits import look_at_features
from flows.lineage.runs import record_run
from flows.privacy.places import network_file
from flows.refresh.feature_sets import settled_version
from flows.refresh.report import FeatureSetReport
from schemas.errors import ContractError, NotFoundError
from schemas.features.sets import FeatureSetRef, NetworkDefinition
from schemas.keys import MaskKey, canonical_json, extraction_id, sha256_of_json
from schemas.study.file import Study
from schemas.study.own_sets import NetworkFileSettings
from store.commits.commit import commit_to
from store.commits.writer import append_records
from store.history.basis import basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.regions import region_ids, stored_regions
from store.rows.segments import EmbeddingRecord, write_embeddings
from zoo.networks.external import network_libraries
from zoo.networks.process import NetworkProcess
from zoo.tables.feature_columns import stored_feature_set

__all__ = ["refresh_network_set"]

Row = dict[str, Any]

_AT_ONCE = 256
"""Regions that are read from the store together: about 200 MB of three slices of 256 x 256 pixels."""


_MOST_BYTES = 1 << 30
"""Of a network's file."""


@dataclass(frozen=True)
class _Planned:
    """One region's embedding."""

    extraction_id: str
    region_id: str
    key: MaskKey
    image_sha256: str
    mask_sha256: str
    context_sha256: str


@dataclass(frozen=True)
class _NetworkSet:
    """A feature set that a network's file makes of regions, its version settled, and what of it is there."""

    feature_set: str
    name: str
    version: int
    description: str
    settings: NetworkFileSettings
    definition: NetworkDefinition
    content: bytes
    regions: str
    size: int
    """Numbers of an embedding; 0 where none was made yet."""
    unchanged: Sequence[_Planned]
    reused: Sequence[_Planned]
    missing: Sequence[_Planned]
    known_failures: Sequence[_Planned]
    has_outdated_rows: bool
    """Rows or failures are on record of regions that the study no longer has."""

    @property
    def is_current(self) -> bool:
        """Return whether nothing has to be done."""
        return not (self.missing or self.reused or self.has_outdated_rows)


def refresh_network_set(
    store: Store, study: Study, ref: FeatureSetRef, *, dry_run: bool = False, retry_failed: bool = False
) -> FeatureSetReport:
    """Compute the embeddings that a study's regions lack by one network and return what was done.

    An embedding is named by its region, by the file's content and by how regions are given to it: what is in the
    store is not computed again, whichever study or path asked for it.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study, whose file says where the network lies.
    ref : FeatureSetRef
        One of the study's sets ``[define.NAME.network]``.
    dry_run : bool
        Count, compute nothing.
    retry_failed : bool
        Compute again what failed before on the same region.

    Raises
    ------
    NotFoundError
        When the network's file is not there, or its regions have not been computed.
    ContractError
        When the file is another than the study file says, or cannot be read.
    """
    basis = basis_of(store)
    snapshot = Snapshot(store)
    planned = _network_set(snapshot, study, ref, retry_failed=retry_failed)
    if dry_run or planned.is_current:
        return _report(study.id, planned, planned.size, 0, None)
    parameters = {"feature_set": planned.feature_set}
    with record_run(store, "refresh", study.id, parameters) as run:
        numbers = _computed(snapshot, planned) if planned.missing else {}
        failures = {each.key: found for each in planned.missing if isinstance(found := numbers[each.region_id], str)}
        records = [
            _record(planned, each, numbers[each.region_id]) for each in planned.missing if each.key not in failures
        ]
        size = len(records[0].embedding) if records else planned.size
        own = {"study": study.id, "feature_set": planned.feature_set}
        with commit_to(store, f"refresh {study.id} {planned.feature_set}", basis=basis, run_id=run.run_id) as commit:
            # Asked under the writer's lock: who was erased meanwhile must not be written back.
            there = {MaskKey.of(row) for row in Snapshot(store).rows("study_masks", study=study.id)}
            if size:
                commit.put("feature_sets", [_catalogue_row(planned, size)])
                kept = [record for record in records if record.key in there]
                written = partial(write_embeddings, store.segments, planned.feature_set, size)
                append_records(commit, planned.feature_set, kept, written)
            current = [each for each in (*planned.unchanged, *planned.reused, *planned.missing) if each.key in there]
            links = [own | {"extraction_id": each.extraction_id} for each in current if each.key not in failures]
            commit.put("study_extractions", links, replacing=own)
            scope = own | {"stage": "refresh"}
            commit.put("failures", _failure_rows(snapshot, planned, scope, failures), replacing=scope)
            expected = look_at_features(commit, store, study)
        report = replace(_report(study.id, planned, size, len(failures), commit.landed_id), expectations=expected)
        run.summary |= {name: getattr(report, name) for name in ("computed", "reused", "failed", "unchanged")}
    return report


def _network_set(snapshot: Snapshot, study: Study, ref: FeatureSetRef, *, retry_failed: bool) -> _NetworkSet:
    own = study.define[ref.name]
    settings = own.network
    if settings is None:
        raise TypeError(f"'{ref.name}' is no set of a network")
    content = _file_content(snapshot, study, ref.name, settings)
    regions = stored_feature_set(snapshot, study, settings.regions)
    definition = NetworkDefinition(
        settings=settings.deciding(),
        file_sha256=hashlib.sha256(content).hexdigest(),
        regions_sha256=snapshot.row("feature_sets", feature_set=regions)["definition_sha256"],
        libraries=network_libraries(settings),
    )
    version = settled_version(ref, definition.sha256, definition.libraries, snapshot.rows("feature_sets"))
    feature_set = f"{ref.name}@{version}"
    stored = snapshot.rows("feature_sets", feature_set=feature_set)
    size = stored[0]["features"] if stored else 0
    in_store = {row["extraction_id"] for row in snapshot.rows("extractions", feature_set=feature_set)}
    linked = {
        row["extraction_id"] for row in snapshot.rows("study_extractions", study=study.id, feature_set=feature_set)
    }
    failed_since = {
        MaskKey.of(row): row["added_commit"]
        for row in snapshot.rows("failures", stage="refresh", study=study.id, feature_set=feature_set)
    }
    extracted = {row["extraction_id"]: row for row in snapshot.rows("extractions", feature_set=regions)}
    keys = {(key.patient, key.phase): key for key in _primary(snapshot, study.id)}
    wanted = [
        _planned(keys[patient, phase], extracted[identity], definition)
        for patient, of_patient in region_ids(snapshot, study.id, regions).items()
        for phase, identity in of_patient.items()
    ]
    unchanged, reused, known_failures, missing = [], [], [], []
    for each in sorted(wanted, key=lambda each: each.key):
        if each.extraction_id in linked:
            unchanged.append(each)
        elif each.extraction_id in in_store:
            reused.append(each)
        elif not retry_failed and failed_since.get(each.key, -1) >= extracted[each.region_id]["added_commit"]:
            known_failures.append(each)
        else:
            missing.append(each)
    has_outdated = bool(
        linked - {each.extraction_id for each in wanted} or failed_since.keys() - {e.key for e in wanted}
    )
    return _NetworkSet(
        *(feature_set, ref.name, version, own.description, settings, definition, content, regions, size),
        *(unchanged, reused, missing, known_failures, has_outdated),
    )


def _primary(snapshot: Snapshot, study: str) -> list[MaskKey]:
    """Return the masks of the first reading, which regions are made of."""
    return [MaskKey.of(row) for row in snapshot.rows("study_masks", study=study, is_primary=1)]


def _planned(key: MaskKey, region: Mapping[str, Any], definition: NetworkDefinition) -> _Planned:
    context = sha256_of_json([region["extraction_id"], definition.file_sha256])
    return _Planned(
        extraction_id=extraction_id(region["image_sha256"], region["mask_sha256"], definition.sha256, context),
        region_id=region["extraction_id"],
        key=key,
        image_sha256=region["image_sha256"],
        mask_sha256=region["mask_sha256"],
        context_sha256=context,
    )


def _file_content(snapshot: Snapshot, study: Study, name: str, settings: NetworkFileSettings) -> bytes:
    """Return the network's file, after its hash was compared with the one in the study file."""
    file, study_file = network_file(snapshot, study.id, name, settings.file)
    if not file.is_file():
        raise NotFoundError(
            "the network's file is not there", where=str(file), hint=f"correct 'file' in {study_file} and ingest again"
        )
    if file.stat().st_size > _MOST_BYTES:
        raise ContractError(
            f"the network's file has {file.stat().st_size} bytes; {_MOST_BYTES} are read at most", where=str(file)
        )
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if settings.sha256 is not None and digest != settings.sha256:
        raise ContractError(
            f"the network's file is another than the study file says: sha256 {digest}, stated {settings.sha256}",
            where=str(file),
            hint=f"restore the file, or state the new hash in {study_file} and ingest again: that is a new version",
        )
    return content


def _computed(snapshot: Snapshot, planned: _NetworkSet) -> dict[str, NDArray[np.float32] | str]:
    """Return each missing region's embedding, or why there is none, by the region's id."""
    ids = list(dict.fromkeys(each.region_id for each in planned.missing))
    found: dict[str, NDArray[np.float32] | str] = {}
    with (
        NetworkProcess(planned.content, planned.settings) as network,
        progress_bar(f"embedding by {planned.feature_set}", len(ids), "regions") as advance,
    ):
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            arrays = stored_regions(snapshot, planned.regions, some)
            pixels = np.stack([arrays[identity] for identity in some])
            found |= dict(zip(some, network.embeddings(pixels), strict=True))
            advance(len(some))
    return found


def _record(planned: _NetworkSet, each: _Planned, numbers: NDArray[np.float32] | str) -> EmbeddingRecord:
    if isinstance(numbers, str):
        raise TypeError("a failure is no embedding")
    return EmbeddingRecord(
        extraction_id=each.extraction_id,
        key=each.key,
        image_sha256=each.image_sha256,
        mask_sha256=each.mask_sha256,
        context_sha256=each.context_sha256,
        embedding=numbers.tolist(),
        network=planned.name,
        weights_sha256=planned.definition.file_sha256,
        # NULL where it saw no label of this store: then there is nothing that a split could hide.
        in_training=True if planned.settings.trained_on == "these patients" else None,
    )


def _failure_rows(snapshot: Snapshot, planned: _NetworkSet, scope: Row, failures: Mapping[MaskKey, str]) -> list[Row]:
    settled = {each.key for each in planned.known_failures}
    rows = [row for row in snapshot.rows("failures", **scope) if MaskKey.of(row) in settled]
    return rows + [scope | key._asdict() | {"feature": "", "reason": reason} for key, reason in failures.items()]


def _catalogue_row(planned: _NetworkSet, size: int) -> Row:
    return {
        "feature_set": planned.feature_set,
        "name": planned.name,
        "version": planned.version,
        "kind": planned.definition.kind,
        "features": size,
        "description": planned.description
        or f"what the network in {Path(planned.settings.file).name} makes of regions",
        "definition": canonical_json(planned.definition.canonical()),
        "definition_sha256": planned.definition.sha256,
    }


def _report(study: str, planned: _NetworkSet, size: int, failed: int, commit_id: int | None) -> FeatureSetReport:
    return FeatureSetReport(
        study=study,
        feature_set=planned.feature_set,
        features=size,
        computed=len(planned.missing) - failed,
        reused=len(planned.reused),
        failed=failed + len(planned.known_failures),
        unchanged=len(planned.unchanged),
        commit_id=commit_id,
    )
