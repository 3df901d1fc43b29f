"""Explanations of models of the store, from the dataset that each was trained from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from store.history.snapshot import Snapshot
from zoo.models.contributions import contributions, last_step
from zoo.models.importances import permutation_importances
from zoo.models.prediction import part_of
from zoo.models.saved import patient_of, stored_model, trained_from
from zoo.registry import recorded_spec
from zoo.saving.folders import version_key

__all__ = ["patient_explanation", "validation_importances"]


def validation_importances(snapshot: Snapshot, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return rows of ``importances``: the AUC that a model loses on its validation cohort, feature by feature.

    They are counted once a version: where the store has them, what it has is returned. A network has none: what it
    makes of regions is explained by maps (`zoo.attention.scores`). Neither has a model whose validation cohort has one
    class.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    """
    named = version_key(row)
    if known := snapshot.rows("importances", **named, kind="permutation"):
        return known
    if recorded_spec(row).is_network:
        return []
    saved = stored_model(snapshot, row)
    frame = trained_from(snapshot, row).filter(pl.col("cohort") == "validation")
    if frame["label"].n_unique() < 2:
        return []
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
    own = patient_of(
        trained_from(snapshot, row),
        row,
        patient,
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
