"""Training: one model on the training patients of one frozen split, its threshold frozen with it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from schemas.keys import canonical_json, sha256_of_json
from schemas.study import Study
from store.datasets import PinnedDataset, pinned_dataset
from store.home import Store
from store.snapshot import Snapshot
from zoo.classifiers import selected_features
from zoo.clinical import ClinicalLogisticRegression
from zoo.evaluation.threshold import youden_threshold
from zoo.matrix import ModelTable, model_inputs, model_table
from zoo.persist import save_model
from zoo.registry import model_spec

__all__ = ["RANDOM_STATE", "TrainedModel", "TrainingPlan", "trained_model", "training_plan"]

RANDOM_STATE = 20260101
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "statsmodels")


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


def training_plan(snapshot: Snapshot, study: Study, model: str) -> TrainingPlan:
    """Return what training a model means now: the table it would read, and whether that was done before.

    Parameters
    ----------
    snapshot : Snapshot
        The store as it is.
    study : Study
        The study.
    model : str
        A name of the zoo.
    """
    spec = model_spec(model)
    inputs = model_inputs(study, spec)
    table = model_table(snapshot, study, inputs)
    dataset = pinned_dataset(
        snapshot.store,
        table.frame.to_arrow(),
        study=study.id,
        split=inputs.split,
        inputs=inputs.as_dict(),
        commit_id=snapshot.commit_id,
    )
    decided_by = {
        "dataset": dataset.sha256,
        "inputs": inputs.as_dict(),
        "estimator": repr(spec.build(random_state=RANDOM_STATE)),
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
    estimator = spec.build(random_state=RANDOM_STATE)
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


def model_summary(estimator: BaseEstimator) -> dict[str, Any]:
    """Return what a fitted model learned, as a JSON-ready mapping: coefficients of features or factors."""
    if isinstance(estimator, ClinicalLogisticRegression):
        return {
            "intercept": float(estimator.intercept_[0]),
            "univariable": [vars(effect) for effect in estimator.univariable_],
            "multivariable": [vars(effect) for effect in estimator.multivariable_],
            "removed": [vars(step) for step in estimator.steps_],
            "left_out": [vars(factor) for factor in estimator.excluded_],
        }
    if isinstance(estimator, Pipeline):
        features = selected_features(estimator)
        counts = {
            name: len(estimator[: position + 1].get_feature_names_out())
            for position, (name, _) in enumerate(estimator.steps[:-1])
        }
        return {
            "intercept": float(np.ravel(estimator[-1].intercept_)[0]),
            "features": [{"feature": name, "coefficient": coefficient} for name, coefficient in features],
            "columns_after": counts,
        }
    return {}


def _library_versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}
