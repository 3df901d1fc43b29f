"""What a fitted model learned, in a form that is stored and shown: factors, features, coefficients."""

from __future__ import annotations

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline

from schemas.documents.model_summary import ModelSummary
from zoo.fitted_parts import log_odds_line, parts_of, sees_standardised_columns
from zoo.logistic.events_per_variable import few_events_note
from zoo.radiomics.pipelines import selected_features
from zoo.self_description import Combining, Penalised, Recalibrated, Summarised

__all__ = ["chosen_penalties", "model_summary"]


def model_summary(estimator: BaseEstimator, labels: ArrayLike | None = None) -> ModelSummary:
    """Return what a fitted model learned, as a JSON-ready mapping.

    An estimator says it itself (`zoo.self_description.Summarised`): a clinical model gives its univariable and
    multivariable tables, a published stage or score its slope, a network how it was trained. A pipeline gives the
    features it kept, their coefficients where it is linear (else None), the columns left after each step, and what
    its last step says. A model that joins a pipeline with others has the pipeline's part under ``combined``.
    ``notes`` say what a reader must know.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.
    labels : array-like of shape (n_patients,), optional
        Of the patients that it was fitted to; without them no note says that a pipeline has few events per column.
    """
    if isinstance(estimator, Recalibrated):
        return _recalibrated_summary(estimator, labels)
    if isinstance(estimator, Pipeline):
        return _pipeline_summary(estimator, labels)
    found: ModelSummary = estimator.summary(labels) if isinstance(estimator, Summarised) else {}
    if "members" in found:
        for part in parts_of(estimator):
            if isinstance(part, Pipeline) and sees_standardised_columns(part):
                # Its features and intercept are its own, not those of the model that joins it with others.
                combined = _pipeline_summary(part, labels)
                return found | {"combined": combined, "notes": combined["notes"]}
    return found


def _recalibrated_summary(estimator: Recalibrated, labels: ArrayLike | None) -> ModelSummary:
    """Return what the model behind a recalibration learned; coefficients are those of the recalibrated log odds.

    Effects of a clinical model stay as they were estimated and tested: odds ratios, not shrunken ones.
    """
    line = estimator.recalibration()
    found = model_summary(line.estimator, labels)
    own: ModelSummary = estimator.summary(labels) if isinstance(estimator, Summarised) else {}
    if "features" in found and "intercept" in found:
        found["intercept"] = line.intercept + line.slope * found["intercept"]
        found["features"] = [
            {"feature": each["feature"], "coefficient": line.slope * (each["coefficient"] or 0.0)}
            for each in found["features"]
        ]
    return found | own | {"notes": [*found.get("notes", []), *own.get("notes", [])]}


def _pipeline_summary(pipeline: Pipeline, labels: ArrayLike | None) -> ModelSummary:
    classifier = pipeline[-1]
    own: ModelSummary = classifier.summary(labels) if isinstance(classifier, Summarised) else {}
    if not sees_standardised_columns(pipeline):
        return own
    found: ModelSummary = {"columns_after": _columns_after(pipeline)}
    names = [str(name) for name in pipeline[:-1].get_feature_names_out()]
    line = log_odds_line(classifier, len(names))
    if line is not None:
        pairs = selected_features(pipeline)
        found["features"] = [{"feature": name, "coefficient": coefficient} for name, coefficient in pairs]
        found["intercept"] = line[1]
    else:
        found["features"] = [{"feature": name, "coefficient": None} for name in names]
    return found | own | {"notes": [*own.get("notes", []), *_pipeline_notes(pipeline, labels)]}


def _pipeline_notes(pipeline: Pipeline, labels: ArrayLike | None) -> list[str]:
    is_combined = isinstance(pipeline[0], Combining)
    notes = list(pipeline[0].notes_) if is_combined else []
    if labels is not None:
        columns = len(pipeline[:-1].get_feature_names_out())
        entered = f"selected {'features and factors' if is_combined else 'features'} entered the classifier"
        note = few_events_note(columns, labels, entered)
        notes += [] if note is None else [note]
    return notes


def _columns_after(pipeline: Pipeline) -> dict[str, int]:
    if isinstance(pipeline[0], Combining):
        # The combined model's selection is a pipeline of its own.
        return pipeline[0].column_counts()
    return {
        name: len(pipeline[: position + 1].get_feature_names_out())
        for position, (name, _) in enumerate(pipeline.steps[:-1])
    }


def chosen_penalties(estimator: BaseEstimator) -> dict[str, float]:
    """Return the penalties that a fitted model chose by cross-validation, empty where it chose none.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.

    Returns
    -------
    dict
        ``lasso``: C of the LASSO that selects features, the inverse of its penalty; ``classifier``: C of a logistic
        regression's L2 penalty.
    """
    found: dict[str, float] = {}
    for part in parts_of(estimator):
        if isinstance(part, Penalised):
            found |= part.penalties()
        elif isinstance(part, LogisticRegressionCV):  # scikit-learn's own, which has no such method
            found["classifier"] = float(part.C_)
    return found
