"""Training: one model on the training patients of one frozen split, its threshold frozen with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from schemas.keys import canonical_json, sha256_of_json
from schemas.study import Study
from store.datasets import PinnedDataset, pinned_dataset
from store.home import Store
from store.snapshot import Snapshot
from zoo.evaluation.threshold import youden_threshold
from zoo.matrix import ModelInputs, ModelTable, model_inputs, model_table
from zoo.persist import save_model
from zoo.registry import model_spec
from zoo.summary import model_summary

__all__ = ["RANDOM_STATE", "TrainedModel", "TrainingPlan", "trained_model", "training_plan", "training_plans"]

RANDOM_STATE = 20260101
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "statsmodels", "xgboost-cpu")


@dataclass(frozen=True)
class TrainingPlan:
    """A model's pinned inputs, and whether the store has just this model already."""

    model: str
    table: ModelTable
    dataset: PinnedDataset
    training_sha256: str
    """Hash of all that decides the fitted model: dataset and what its columns mean, estimator, seed, libraries."""
    current_version: int | None
    """The version trained from exactly this, if there is one."""
    next_version: int


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model on disk and its row of the catalogue."""

    row: dict[str, Any]
    dataset: PinnedDataset
    excluded: dict[str, str]


def training_plans(snapshot: Snapshot, study: Study, models: Iterable[str]) -> list[TrainingPlan]:
    """Return the plan of each model; a table that several of them read is built and pinned once."""
    tables: dict[str, tuple[ModelTable, PinnedDataset]] = {}
    return [training_plan(snapshot, study, model, tables) for model in models]


def training_plan(
    snapshot: Snapshot, study: Study, model: str, tables: dict[str, tuple[ModelTable, PinnedDataset]] | None = None
) -> TrainingPlan:
    """Return what training a model means now: the table it would read, and whether that was done before.

    Parameters
    ----------
    snapshot : Snapshot
        The store as it is.
    study : Study
        The study.
    model : str
        A name of the zoo.
    tables : dict, optional
        Tables that were built before, by their inputs; the plan's own is added.
    """
    spec = model_spec(model)
    inputs = model_inputs(study, spec)
    known, key = ({} if tables is None else tables), canonical_json(inputs.as_dict())
    if key not in known:
        known[key] = _pinned_table(snapshot, study, inputs)
    table, dataset = known[key]
    decided_by = {
        "dataset": dataset.sha256,
        "inputs": inputs.as_dict(),
        # In full: scikit-learn's own repr leaves out the middle of a long pipeline.
        "estimator": spec.build(study.settings_of(model), random_state=RANDOM_STATE).__repr__(N_CHAR_MAX=1_000_000),
        "libraries": _library_versions(),
    }
    digest = sha256_of_json(decided_by)
    versions = {row["version"]: row["training_sha256"] for row in snapshot.rows("models", study=study.id, model=model)}
    same = [number for number, known in versions.items() if known == digest]
    return TrainingPlan(
        model=model,
        table=table,
        dataset=dataset,
        training_sha256=digest,
        current_version=max(same, default=None),
        next_version=max(versions, default=0) + 1,
    )


def _pinned_table(snapshot: Snapshot, study: Study, inputs: ModelInputs) -> tuple[ModelTable, PinnedDataset]:
    table = model_table(snapshot, study, inputs)
    dataset = pinned_dataset(
        snapshot.store,
        table.frame.to_arrow(),
        study=study.id,
        split=inputs.split,
        inputs=inputs.as_dict(),
        commit_id=snapshot.commit_id,
    )
    return table, dataset


def trained_model(store: Store, study: Study, plan: TrainingPlan, trained_at: str) -> TrainedModel:
    """Fit a model on the training patients and return it, saved below the store.

    The threshold maximises Youden's index on the training patients and is saved with the model.

    Parameters
    ----------
    store : Store
        Where the model's folder goes.
    study : Study
        The study.
    plan : TrainingPlan
        The pinned inputs.
    trained_at : str
        The time, ISO 8601.
    """
    spec = model_spec(plan.model)
    inputs, labels, _ = plan.table.of_cohort("training")
    estimator = spec.build(study.settings_of(plan.model), random_state=RANDOM_STATE)
    estimator.fit(inputs, labels.to_numpy())
    probabilities = np.asarray(estimator.predict_proba(inputs))[:, 1]
    threshold = youden_threshold(labels.to_numpy(), probabilities)
    folder = Path("models") / study.id / plan.model / f"v{plan.next_version}-{plan.training_sha256[:12]}"
    summary = model_summary(estimator)
    sha256 = save_model(
        store.root / folder,
        estimator,
        {
            "study": study.id,
            "model": plan.model,
            "columns": list[JsonValue](plan.table.columns),
            "threshold": threshold,
            "dataset_id": plan.dataset.dataset_id,
            "training_sha256": plan.training_sha256,
        },
    )
    row = {
        "study": study.id,
        "model": plan.model,
        "version": plan.next_version,
        "dataset_id": plan.dataset.dataset_id,
        "training_sha256": plan.training_sha256,
        "threshold": threshold,
        "path": str(folder),
        "sha256": sha256,
        "trained_at": trained_at,
        "versions": canonical_json(_library_versions()),
        "summary": canonical_json(summary | {"excluded": plan.table.excluded}),
    }
    return TrainedModel(row, plan.dataset, plan.table.excluded)


def _library_versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}
