"""What a fitted model learned, in a form that is stored and shown: factors, features, coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from schemas.study.networks import NetworkSettings
from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.logistic.events_per_variable import few_events_note
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.fusion import FusionClassifier
from zoo.networks.late_fusion import LateFusionClassifier
from zoo.radiomics.combined import CombinedFeatures
from zoo.radiomics.pipelines import selected_features
from zoo.radiomics.tuned import TunedClassifier
from zoo.staging.estimators import ComparatorClassifier

__all__ = ["model_summary"]


def model_summary(estimator: BaseEstimator, labels: ArrayLike | None = None) -> dict[str, Any]:
    """Return what a fitted model learned, as a JSON-ready mapping.

    A clinical model gives its univariable and multivariable tables; a pipeline the features it kept, their
    coefficients where it is linear (else None), the columns left after each step, and chosen parameters; a
    published stage or score its slope. ``notes`` say what a reader must know.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.
    labels : array-like of shape (n_patients,), optional
        Of the patients that it was fitted to; without them no note says that a pipeline has few events per column.
    """
    if isinstance(estimator, ClinicalLogisticRegression):
        return {
            "intercept": float(estimator.intercept_[0]),
            "univariable": [vars(effect) for effect in estimator.univariable_],
            "multivariable": [vars(effect) for effect in estimator.multivariable_],
            "removed": [vars(step) for step in estimator.steps_],
            "left_out": [vars(factor) for factor in estimator.excluded_],
            "notes": list(estimator.notes_),
        }
    if isinstance(estimator, ComparatorClassifier):
        return {
            "intercept": float(estimator.intercept_),
            "slope": float(estimator.slope_),
            "follows_published_direction": bool(estimator.follows_published_direction_),
        }
    if isinstance(estimator, Pipeline):
        return _pipeline_summary(estimator, labels)
    if isinstance(estimator, LateFusionClassifier):
        # The combined model's features and intercept are its own, not those of the regression that joins.
        tabular = _pipeline_summary(estimator.tabular_, labels)
        own = {"combined": tabular, "notes": tabular.get("notes", [])}
        return estimator.summary() | _network_summary(estimator.network_) | own
    if isinstance(estimator, NetworkClassifier):
        return _network_summary(estimator)
    return {}


def _network_summary(estimator: NetworkClassifier) -> dict[str, Any]:
    found: dict[str, Any] = {
        "network": {
            "architecture": estimator.architecture,
            "trained_weights": estimator.n_weights_,
            "epochs": len(estimator.history_["loss"]),
            "best_epoch": estimator.best_epoch_,
            "patients_fitted": estimator.n_fitted_,
            "patients_for_early_stopping": estimator.n_inner_validation_,
            "settings": (estimator.settings or NetworkSettings()).model_dump(mode="json"),
        }
    }
    if isinstance(estimator, FusionClassifier):
        pairs = estimator.tabular_coefficients()
        found["columns_after"] = _combined_counts(estimator.combined_)
        found["features"] = [{"feature": name, "coefficient": coefficient} for name, coefficient in pairs]
        found["notes"] = list(estimator.combined_.notes_)
    return found


def _pipeline_summary(pipeline: Pipeline, labels: ArrayLike | None) -> dict[str, Any]:
    classifier = pipeline[-1]
    found: dict[str, Any] = {"columns_after": _columns_after(pipeline)}
    if isinstance(classifier, TunedClassifier):
        names = [str(name) for name in pipeline[:-1].get_feature_names_out()]
        found["features"] = [{"feature": name, "coefficient": None} for name in names]
        found["parameters"] = {name: _plain(value) for name, value in classifier.best_params_.items()}
    else:
        pairs = selected_features(pipeline)
        found["features"] = [{"feature": name, "coefficient": coefficient} for name, coefficient in pairs]
        found["intercept"] = float(np.ravel(classifier.intercept_)[0])
    found["notes"] = _pipeline_notes(pipeline, labels)
    return found


def _pipeline_notes(pipeline: Pipeline, labels: ArrayLike | None) -> list[str]:
    is_combined = isinstance(pipeline[0], CombinedFeatures)
    notes = list(pipeline[0].notes_) if is_combined else []
    if labels is not None:
        columns = len(pipeline[:-1].get_feature_names_out())
        entered = f"selected {'features and factors' if is_combined else 'features'} entered the classifier"
        note = few_events_note(columns, labels, entered)
        notes += [] if note is None else [note]
    return notes


def _columns_after(pipeline: Pipeline) -> dict[str, int]:
    steps = pipeline.steps[:-1]
    if steps[0][0] == "combine":
        # The combined model's selection is a pipeline of its own.
        return _combined_counts(pipeline[0])
    return _counts(pipeline, len(steps))


def _combined_counts(combined: CombinedFeatures) -> dict[str, int]:
    inner, factors = combined.selection_, len(combined.factors_)
    return {**_counts(inner, len(inner.steps)), "with_factors": len(inner.get_feature_names_out()) + factors}


def _counts(pipeline: Pipeline, steps: int) -> dict[str, int]:
    return {
        name: len(pipeline[: position + 1].get_feature_names_out())
        for position, (name, _) in enumerate(pipeline.steps[:steps])
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
