"""Embeddings as rows of the store: by the networks of the folds, and by the trained network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.documents.fit_result import FitResults
from schemas.errors import ContractError
from schemas.keys import MaskKey, extraction_id, sha256_of_json
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.rows.segments import EmbeddingRecord
from zoo.benchmark.cross_validation import CrossValidation
from zoo.registry import study_spec
from zoo.saving.folders import local_model_folder
from zoo.saving.persist import load_model
from zoo.tables.embedding_columns import split_hash
from zoo.tables.feature_columns import primary_extractions, stored_feature_set
from zoo.tables.inputs import ModelInputs, model_inputs
from zoo.tables.model_table import model_table

__all__ = ["EmbeddingNetwork", "embedding_network", "out_of_fold_records", "trained_records"]


@dataclass(frozen=True)
class EmbeddingNetwork:
    """A model of the zoo that can embed: what it reads, and its trained version."""

    model: str
    inputs: ModelInputs
    regions: str
    """``name@N`` of the regions that it reads."""
    estimator: Any
    split_sha256: str


def embedding_network(snapshot: Snapshot, study: Study, model: str) -> EmbeddingNetwork:
    """Return the newest trained version of a network that embeds each phase by itself.

    Parameters
    ----------
    snapshot : Snapshot
        The store, with at least one version of the model.
    study : Study
        Whose model.
    model : str
        Its name.

    Raises
    ------
    ContractError
        If its phases have one embedding together.
    """
    inputs = model_inputs(study, study_spec(study, model))
    row = max(snapshot.rows("models", study=study.id, model=model), key=lambda each: each["version"])
    estimator: Any = load_model(local_model_folder(snapshot.store, row), row["sha256"]).estimator
    settings = study.settings_of(model).network
    if settings is not None and settings.fusion == "early":
        raise ContractError(
            f"'{model}' joins the phases before its first layer: they have one embedding together, and none a phase",
            hint=f'models.{model}.network.fusion = "shared", then radzoo ingest and radzoo embed {model} again',
        )
    regions = stored_feature_set(snapshot, study, str(inputs.regions))
    return EmbeddingNetwork(model, inputs, regions, estimator, split_hash(snapshot, study.id, inputs.split))


def out_of_fold_records(
    snapshot: Snapshot,
    study: Study,
    network: EmbeddingNetwork,
    planned: CrossValidation,
    results: FitResults,
    definition_sha256: str,
) -> Iterator[EmbeddingRecord]:
    """Yield each training patient's embeddings, by the network of the fold that this patient was held out of.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients.
    network : EmbeddingNetwork
        What was fitted in every fold.
    planned : CrossValidation
        The fits.
    results : mapping of str to mapping
        What became of them, by task and model.
    definition_sha256 : str
        Of the set of embeddings.
    """
    for task in planned.tasks:
        found = results[task.key][network.model]
        embedded = {patient: np.asarray(numbers, dtype=np.float32) for patient, numbers in found["embeddings"].items()}
        yield from _records(
            snapshot, study, network, definition_sha256, embedded, found["weights_sha256"], task.fold, in_training=False
        )


def trained_records(
    snapshot: Snapshot, study: Study, network: EmbeddingNetwork, definition_sha256: str, *, in_training: bool
) -> Iterator[EmbeddingRecord]:
    """Yield the trained model's embeddings of the patients it did not train on, and of the others if asked for.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients.
    network : EmbeddingNetwork
        The trained model.
    definition_sha256 : str
        Of the set of embeddings.
    in_training : bool
        Whether to embed the patients too whose labels it saw.
    """
    table = model_table(snapshot, study, network.inputs)
    weights = hashlib.sha256(network.estimator.weights_).hexdigest()
    for cohort, trained_on in (("validation", False), ("training", True)):
        if trained_on and not in_training:
            continue
        inputs, _, patients = table.of_cohort(cohort)
        embedded = dict(zip(patients, network.estimator.embed(inputs), strict=True))
        yield from _records(
            snapshot, study, network, definition_sha256, embedded, weights, None, in_training=trained_on
        )


def _records(
    snapshot: Snapshot,
    study: Study,
    network: EmbeddingNetwork,
    definition_sha256: str,
    embedded: Mapping[str, NDArray[np.float32]],
    weights_sha256: str,
    fold: int | None,
    *,
    in_training: bool,
) -> Iterator[EmbeddingRecord]:
    regions = primary_extractions(snapshot, study.id, network.regions)
    for patient, numbers in embedded.items():
        for phase, of_phase in zip(network.estimator.phases_, numbers, strict=True):
            row = regions[patient, phase]
            context = sha256_of_json([row["extraction_id"], weights_sha256])
            yield EmbeddingRecord(
                extraction_id=extraction_id(row["image_sha256"], row["mask_sha256"], definition_sha256, context),
                key=MaskKey.of(row),
                image_sha256=row["image_sha256"],
                mask_sha256=row["mask_sha256"],
                embedding=of_phase.tolist(),
                network=network.model,
                weights_sha256=weights_sha256,
                split_sha256=network.split_sha256,
                fold=fold,
                in_training=in_training,
                context_sha256=context,
            )
