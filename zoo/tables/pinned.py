"""A model's table, pinned: built from the store, or read from its file where nothing it holds can have changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from schemas.features.sets import FeatureSetRef
from schemas.keys import canonical_json
from schemas.study.file import Study
from store.files import file_sha256
from store.history.changes import changed_since
from store.history.snapshot import Snapshot
from store.rows.datasets import PinnedDataset, pin_dataset, writer_versions
from zoo.tables.dataset_sql import dataset_sql
from zoo.tables.inputs import BoundInputs, ModelInputs, bound_inputs
from zoo.tables.model_table import ModelTable, model_table
from zoo.tables.stability import refuse_few_readings

__all__ = ["known_dataset", "pin_built_table", "pin_table", "table_reads"]


def pin_table(
    snapshot: Snapshot, study: Study, inputs: ModelInputs, *, with_excluded: bool = True
) -> tuple[ModelTable, PinnedDataset]:
    """Pin the table of a model's inputs as the store has them and return it, with its dataset.

    The file of an earlier dataset of these inputs is read instead where no row that the table is made of changed
    since its commit, the same versions of the libraries wrote it, and its hash is the catalogue's.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    inputs : ModelInputs
        What the table holds.
    with_excluded : bool
        Whether ``excluded`` is asked for: a file does not tell it, a model that was trained from it does.

    Raises
    ------
    ContractError
        When columns are to be chosen by agreement, and too few training patients have a kind of repeated readings.
        Asked here, not where a table is made: one that a former release pinned can still be made again.
    """
    if inputs.minimum_icc is not None and inputs.feature_set is not None:
        refuse_few_readings(snapshot, study, inputs.split, inputs.feature_set, inputs.phases)
    bound = bound_inputs(snapshot, study, inputs)
    for dataset in _candidates(snapshot, study, bound) if _is_as_stored(snapshot, study, inputs) else []:
        if changed_since(snapshot, dataset.commit_id, table_reads(study, inputs, dataset.feature_set)):
            continue
        excluded = _excluded(snapshot, dataset) if with_excluded else {}
        frame = _intact_frame(snapshot, dataset)
        if frame is not None and excluded is not None:
            return ModelTable(frame, excluded, bound.feature_set, bound.regions, inputs.phases), dataset
    return pin_built_table(snapshot, study, inputs)


def pin_built_table(snapshot: Snapshot, study: Study, inputs: ModelInputs) -> tuple[ModelTable, PinnedDataset]:
    """Make the table of a model's inputs from the store's rows, pin it, and return it with its dataset."""
    table = model_table(snapshot, study, inputs)
    sql, gives = dataset_sql(snapshot, study, inputs, table)
    dataset = pin_dataset(
        snapshot.store,
        table.frame.to_arrow(),
        study=study.id,
        split=inputs.split,
        inputs=inputs.as_dict(),
        commit_id=snapshot.commit_id,
        feature_set=table.feature_set,
        sql=sql,
        sql_gives=gives,
    )
    # A dataset that was pinned before is the one read then: its commit is part of what a model's card says.
    rows = snapshot.rows("datasets", dataset_id=dataset.dataset_id)
    return table, known_dataset(rows[0]) if rows else dataset


def known_dataset(row: dict[str, Any]) -> PinnedDataset:
    """Return a row of the catalogue's ``datasets`` as what it was written from."""
    return PinnedDataset(**{each.name: row[each.name] for each in fields(PinnedDataset)})


def table_reads(study: Study, inputs: ModelInputs, feature_set: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tables of the catalogue that a model's table is made of, and which of their rows.

    Parameters
    ----------
    study : Study
        The study.
    inputs : ModelInputs
        What the table holds.
    feature_set : str or None
        The ``name@N`` that the inputs' feature set means.
    """
    own = {"study": study.id}
    yield "studies", own
    yield "split_members", own | {"split": inputs.split}
    yield "labels", own
    if inputs.factors or inputs.comparator is not None or inputs.harmonise is not None:
        yield "clinical", {}
        yield "variables", own
        yield "reference_dates", own
    for name in filter(None, (inputs.feature_set, inputs.regions)):
        # Of the name, whatever the version: a new one may be what the name means from now on.
        yield "feature_sets", {"name": FeatureSetRef.parse(name).name}
    if inputs.feature_set is not None:
        for table in ("features", "extractions", "segments"):
            yield table, {"feature_set": feature_set}
    if inputs.feature_set is not None or inputs.regions is not None:
        # Which extractions a study has of its regions says all: they are named by their content.
        yield "study_extractions", own
        yield "study_masks", own
        yield "masks", {}
    if inputs.minimum_icc is not None:
        yield "stability", own | {"split": inputs.split}


def _is_as_stored(snapshot: Snapshot, study: Study, inputs: ModelInputs) -> bool:
    """Return whether the store has the levels that number the batches: a study may be given that it has not."""
    if inputs.harmonise is None:
        return True
    for row in snapshot.rows("studies", study=study.id):
        variables = Study.model_validate_json(row["definition"]).clinical.variables
        return variables.get(inputs.harmonise) == study.clinical.variables[inputs.harmonise]
    return False


def _candidates(snapshot: Snapshot, study: Study, bound: BoundInputs) -> list[PinnedDataset]:
    wanted = {
        "study": study.id,
        "split": bound.inputs.split,
        "inputs": canonical_json(bound.inputs.as_dict()),
        "feature_set": bound.feature_set,
        "versions": canonical_json(writer_versions()),
    }
    rows = snapshot.rows("datasets", **wanted)
    return [known_dataset(row) for row in sorted(rows, key=lambda row: row["commit_id"], reverse=True)]


def _excluded(snapshot: Snapshot, dataset: PinnedDataset) -> dict[str, str] | None:
    """Return who was left out of a dataset and why, as a model that was trained from it says; None without one."""
    for row in snapshot.rows("models", study=dataset.study, dataset_id=dataset.dataset_id):
        excluded: dict[str, str] | None = json.loads(row["summary"]).get("excluded")
        if excluded is not None:
            return excluded
    return None


def _intact_frame(snapshot: Snapshot, dataset: PinnedDataset) -> pl.DataFrame | None:
    files = snapshot.store.files
    if files.size(dataset.path) is None:
        return None
    file = files.local(dataset.path)
    return pl.DataFrame(pq.read_table(file)) if file_sha256(file) == dataset.sha256 else None
