"""Models as they were saved: the estimator, and what it reads with every definition and unit pinned."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.documents.model_record import ModelManifest, ModelRecord, record_faults
from schemas.documents.strict_json import strict_json
from schemas.errors import ContractError, NotFoundError
from schemas.features.names import PHASE_SEPARATOR
from schemas.plain_keys import Combination
from schemas.study.models import FactorRule, Missing, MissingPhases
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from zoo.logistic.imputation import INDICATOR
from zoo.models.contributions import column_references
from zoo.models.foreign import ForeignFiles
from zoo.models.training import read_variables
from zoo.networks.region_columns import is_region_column
from zoo.radiomics.combat import batch_column
from zoo.registry import recorded_spec
from zoo.saving.archive import checked_archive
from zoo.saving.files import ESTIMATOR, MANIFEST, RECORD, RESTORE, read_model_file
from zoo.saving.folders import local_model_folder
from zoo.saving.package import package_types
from zoo.saving.persist import LoadedModel, checked_contents, load_model, loaded_record
from zoo.staging.bclc import bclc_comparator
from zoo.staging.description import Comparator
from zoo.staging.frame import COMPARATORS
from zoo.tables.feature_columns import stored_feature_set
from zoo.tables.inputs import ModelInputs, model_inputs

__all__ = [
    "PinnedInputs",
    "SavedModel",
    "exported_model",
    "patient_of",
    "pinned_rows",
    "stored_model",
    "trained_from",
]


@dataclass(frozen=True)
class PinnedInputs:
    """What a saved model reads: the columns in order, and what each of them means."""

    columns: tuple[str, ...]
    feature_set: str | None
    """``name@N`` where it was trained; another store may number the same definition otherwise."""
    definition_sha256: str | None
    phases: tuple[str, ...]
    factors: tuple[FactorRule, ...]
    comparator: Comparator | None
    renamed: Mapping[str, str]
    """For a published stage or score: its input and the study's variable."""
    words: Mapping[str, Mapping[str, str]]
    harmonise: str | None
    """The variable that says which batch of ComBat a patient is of."""
    missing: Missing
    """What becomes of a patient who lacks a clinical factor."""
    missing_phases: MissingPhases
    """What becomes of a patient who has features in some of the phases."""
    combination: Combination
    """How the rows of several lesions or exams of a patient become one."""
    case_rule: str
    """What a row stands for: a model answers for studies of the same rule."""
    regions: str | None
    """``name@N`` of the regions that a network reads, where it was trained."""
    regions_sha256: str | None
    variables: Mapping[str, Mapping[str, Any]]
    """Kind, unit and levels of each clinical variable, as the model's study declared them."""


@dataclass(frozen=True)
class SavedModel:
    """A model that was loaded, and what else is known of it."""

    study: str
    model: str
    version: int | None
    """None for an exported folder whose manifest is all that is known."""
    threshold: float
    mark: str | None
    """Later events, such as the erasure of a patient it was trained on."""
    loaded: LoadedModel
    inputs: PinnedInputs
    references: Mapping[str, Any]
    cohorts: Mapping[str, str] | None
    """The cohort of each patient of the dataset it was trained from; None where this store has not got it."""
    examples: Mapping[str, Any] | None = None
    """What it said of made-up patients when it was saved; None where a former release saved it."""
    foreign: ForeignFiles | None = None
    """The files of a model from elsewhere; None for one of the store, whose hash the catalogue has."""
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the model as people write it, ``name@version``."""
        return self.model if self.version is None else f"{self.model}@{self.version}"


def stored_model(snapshot: Snapshot, row: Mapping[str, Any]) -> SavedModel:
    """Return a model of the store, its hash compared with the catalogue's.

    A model that was saved before folders held definitions and units gets them from the catalogue, as of the
    commit that its dataset was read at.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.

    Raises
    ------
    ContractError
        If the folder is not what the catalogue has on record, or holds a type that is not trusted.
    """
    folder = local_model_folder(snapshot.store, row)
    loaded = load_model(folder, row["sha256"])
    frame = pinned_rows(snapshot, row["dataset_id"])
    metadata = dict(loaded.metadata)
    if "inputs" not in metadata:
        if frame is None:
            raise NotFoundError(
                f"the dataset {row['dataset_id']} of model '{row['model']}' is not in the store, and only with it "
                "could be told what the columns of this old model mean",
                where=str(snapshot.store.root),
                hint=f"radzoo train {row['model']} --study {row['study']}",
            )
        metadata |= _as_trained(snapshot, row)
        training = frame.filter(pl.col("cohort") == "training")
        columns = [str(name) for name in metadata["columns"]]  # type: ignore[union-attr]
        metadata["references"] = column_references(loaded.estimator, training.select(columns))
    return _saved(metadata, loaded, row["version"], row["mark"], frame, folder / RECORD)


def exported_model(snapshot: Snapshot, folder: Path) -> SavedModel:
    """Return a model of an exported folder, its hash compared with the manifest's.

    Its estimator is not made in this process (`zoo.models.foreign`): the hash beside a folder does not keep anybody
    from writing both. Whether patients were in its training cohort can be told only where the store has the model's
    dataset.

    Raises
    ------
    NotFoundError
        If the folder has no manifest.
    ContractError
        If the folder is not what the manifest says, or the model is of a format without pinned definitions.
    """
    file = folder / MANIFEST
    if not os.path.lexists(file):
        raise NotFoundError(
            "there is no exported model here", where=str(folder), hint=f"radzoo models export MODEL {folder} makes one"
        )
    manifest = _manifest(file)
    contents = checked_contents(folder, manifest.sha256, beside=(MANIFEST,))
    if manifest.files is not None and manifest.files != {
        name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
    }:
        raise ContractError("the manifest names other files", where=str(file), hint=_EXPORT_AGAIN)
    record = loaded_record(contents, folder)
    metadata = record["metadata"]
    if "inputs" not in metadata:
        raise ContractError(
            "the model was saved by an older release and does not say what its columns mean",
            where=str(folder),
            hint="apply it in the store that trained it, or train it again there",
        )
    # Reading alone; the estimator itself is made elsewhere.
    types = package_types(metadata, str(folder / RECORD))
    checked_archive(contents[ESTIMATOR], contents, folder, finite=True, types=types)
    frame = pinned_rows(snapshot, str(metadata.get("dataset_id")))
    loaded = LoadedModel(None, metadata, record["libraries"], manifest.sha256)
    saved = _saved(metadata, loaded, manifest.version, manifest.mark, frame, folder / RECORD)
    if manifest.format > 1 and (manifest.study, manifest.model) != (saved.study, saved.model):
        raise ContractError("the manifest is that of another model", where=str(file), hint=_EXPORT_AGAIN)
    unsealed = f"the manifest of {saved.name} is of an older release: nothing tells whether its mark was taken out"
    return replace(saved, foreign=ForeignFiles(contents, folder), warnings=(unsealed,) if manifest.format == 1 else ())


_EXPORT_AGAIN = "export the model again: radzoo models export MODEL FOLDER"


def _manifest(file: Path) -> ModelManifest:
    try:
        manifest = ModelManifest.model_validate(strict_json(read_model_file(file)))
    except ValidationError as error:
        reason = f"the manifest cannot be read: {record_faults(error)}"
        raise ContractError(reason, where=str(file), hint=_EXPORT_AGAIN) from error
    except ValueError as error:
        raise ContractError(f"the manifest cannot be read: {error}", where=str(file), hint=_EXPORT_AGAIN) from error
    if not manifest.is_whole:
        raise ContractError(
            "the manifest changed after it was written: its hash is another", where=str(file), hint=_EXPORT_AGAIN
        )
    return manifest


def pinned_rows(snapshot: Snapshot, dataset_id: str) -> pl.DataFrame | None:
    """Return the rows of a pinned dataset, None where the store has none of this id, or its file was erased."""
    rows = snapshot.rows("datasets", dataset_id=dataset_id)
    if not rows or rows[0]["path"] is None:
        return None
    file = snapshot.store.files.local(rows[0]["path"], sha256=rows[0]["sha256"])
    return pl.DataFrame(pq.read_table(file))


def trained_from(snapshot: Snapshot, row: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of the dataset that a model of the store was trained from, all cohorts.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.

    Raises
    ------
    NotFoundError
        If the store has not got the dataset.
    """
    frame = pinned_rows(snapshot, row["dataset_id"])
    if frame is None:
        raise NotFoundError(
            f"the dataset {row['dataset_id']} of {row['model']}@{row['version']} is not in the store",
            where=str(snapshot.store.root),
            hint=f"radzoo train {row['model']} --study {row['study']}",
        )
    return frame


def patient_of(frame: pl.DataFrame, row: Mapping[str, Any], patient: str, *, hint: str) -> pl.DataFrame:
    """Return a patient's row of a model's dataset.

    Parameters
    ----------
    frame : polars.DataFrame
        The dataset.
    row : mapping
        The model's row of the catalogue.
    patient : str
        The pseudonym.
    hint : str
        What to do where the dataset has no such patient.

    Raises
    ------
    NotFoundError
        If the dataset has no such patient.
    """
    own = frame.filter(pl.col("patient") == patient)
    if own.is_empty():
        raise NotFoundError(
            f"patient '{patient}' is not in the dataset of {row['model']}@{row['version']}",
            hint=hint,
        )
    return own


def _saved(
    metadata: Mapping[str, Any],
    loaded: LoadedModel,
    version: int | None,
    mark: str | None,
    frame: pl.DataFrame | None,
    where: Path,
) -> SavedModel:
    try:
        record = ModelRecord.model_validate(metadata)
    except ValidationError as error:
        reason = f"the record does not say what the model reads: {record_faults(error)}"
        raise ContractError(reason, where=str(where), hint=RESTORE) from error
    inputs = _pinned_inputs(record, str(where))
    return SavedModel(
        study=record.study,
        model=record.model,
        version=version,
        threshold=record.threshold,
        mark=mark,
        loaded=loaded,
        inputs=inputs,
        references={name: reference.model_dump() for name, reference in record.references.items()},
        cohorts=None if frame is None else dict(frame.select("patient", "cohort").iter_rows()),
        examples=record.examples,
    )


def _pinned_inputs(record: ModelRecord, where: str) -> PinnedInputs:
    inputs, features, regions = record.inputs, record.feature_set, record.regions
    comparator = None
    if inputs.comparator is not None:
        comparator = COMPARATORS.get(inputs.comparator)
        if comparator is None:
            raise ContractError(f"no release knows a score '{inputs.comparator}'", where=where, hint=RESTORE)
        if record.settings.get("single_over_5cm_is_b"):
            comparator = bclc_comparator(single_over_5cm_is_b=True)
    pinned = PinnedInputs(
        columns=record.columns,
        feature_set=features.feature_set if features else None,
        definition_sha256=features.definition_sha256 if features else None,
        phases=inputs.phases,
        factors=inputs.factors,
        comparator=comparator,
        renamed=inputs.variables,
        words=inputs.words,
        harmonise=inputs.harmonise,
        missing=inputs.missing,
        missing_phases=inputs.missing_phases,
        combination=inputs.combination,
        case_rule=inputs.case_rule,
        variables={name: variable.model_dump(mode="json") for name, variable in record.variables.items()},
        regions=regions.feature_set if regions else None,
        regions_sha256=regions.definition_sha256 if regions else None,
    )
    if orphans := _orphan_columns(pinned):
        raise ContractError(f"nothing in the record gives its column '{orphans[0][:120]}'", where=where, hint=RESTORE)
    return pinned


def _orphan_columns(inputs: PinnedInputs) -> list[str]:
    """Return the columns that neither a factor, a score, a feature set, regions nor a batch gives."""
    labels = {rule.label for rule in inputs.factors}
    given = labels | {f"{rule.variable}{INDICATOR}" for rule in inputs.factors}
    given |= {inputs.comparator.name} if inputs.comparator is not None else set()
    given |= {batch_column(inputs.harmonise)} if inputs.harmonise is not None else set()
    return [
        name
        for name in inputs.columns
        if name not in given
        and not (is_region_column(name) and inputs.regions is not None)
        and not (PHASE_SEPARATOR in name and inputs.feature_set is not None and not is_region_column(name))
    ]


def _as_trained(snapshot: Snapshot, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what today's folders hold of a model's inputs, from the catalogue as it was at the training."""
    dataset = snapshot.row("datasets", dataset_id=row["dataset_id"])
    then = Snapshot(snapshot.store, dataset["commit_id"])
    study = stored_study(then, row["study"])
    inputs: ModelInputs = model_inputs(study, recorded_spec(row))
    pinned = json.loads(dataset["inputs"])
    features = None
    if pinned["feature_set"] is not None:
        name = stored_feature_set(then, study, pinned["feature_set"])
        definition = then.row("feature_sets", feature_set=name)["definition_sha256"]
        features = {"feature_set": name, "definition_sha256": definition}
    return {
        "inputs": pinned,
        "settings": study.settings_of(row["model"]).model_dump(mode="json"),
        "feature_set": features,
        "variables": read_variables(study, inputs),
    }
