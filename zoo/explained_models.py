"""Explanations of models of the store, from the dataset that each was trained from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from schemas.errors import NotFoundError
from store.snapshot import Snapshot
from zoo.explain import contributions, last_step
from zoo.importances import permutation_importances
from zoo.prediction import part_of
from zoo.region_columns import region_columns
from zoo.saved_models import SavedModel, pinned_rows, stored_model

__all__ = ["patient_explanation", "validation_importances"]


def validation_importances(snapshot: Snapshot, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return rows of ``importances``: the AUC that a model loses on its validation cohort, feature by feature.

    They are counted once a version: where the store has them, what it has is returned. A network has none: what it
    makes of regions is explained by maps (`zoo.attention`).

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    """
    named = {name: row[name] for name in ("study", "model", "version")}
    if known := snapshot.rows("importances", **named, kind="permutation"):
        return known
    saved = stored_model(snapshot, row)
    if region_columns(saved.inputs.columns):
        return []
    frame = _dataset(snapshot, row, saved).filter(pl.col("cohort") == "validation")
    step = last_step(saved.loaded.estimator, frame.select(saved.inputs.columns), saved.references)
    return [named | vars(each) for each in permutation_importances(step, frame["label"].to_numpy())]


def patient_explanation(snapshot: Snapshot, row: Mapping[str, Any], patient: str) -> dict[str, Any]:
    """Return what each feature contributed for a patient of the model's own dataset.

    Raises
    ------
    NotFoundError
        If the patient is not in the dataset.
    """
    saved = stored_model(snapshot, row)
    own = _dataset(snapshot, row, saved).filter(pl.col("patient") == patient)
    if own.is_empty():
        raise NotFoundError(
            f"patient '{patient}' is not in the dataset of {saved.name}",
            hint=f"radzoo predict {saved.study}/{saved.name} --study S --patient {patient} --explain",
        )
    table = own.select(saved.inputs.columns)
    parts = contributions(last_step(saved.loaded.estimator, table, saved.references))
    probability = float(saved.loaded.estimator.predict_proba(table)[0, 1])
    return {
        "patient": patient,
        "cohort": own["cohort"][0],
        "probability": probability,
        "positive": probability >= saved.threshold,
        "kind": parts.kind,
        "unit": parts.unit,
        "contributions": part_of(parts, 0),
    }


def _dataset(snapshot: Snapshot, row: Mapping[str, Any], saved: SavedModel) -> pl.DataFrame:
    frame = pinned_rows(snapshot, row["dataset_id"])
    if frame is None:
        raise NotFoundError(
            f"the dataset {row['dataset_id']} of {saved.name} is not in the store",
            where=str(snapshot.store.root),
            hint=f"radzoo train {saved.model} --study {saved.study}",
        )
    return frame
