"""Pipelines of the radiomics models: every step is fitted on the training fold that the pipeline is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from schemas.errors import UsageError
from schemas.study.models import ModelSettings
from zoo.logistic.recalibrated import RecalibratedClassifier
from zoo.radiomics.combat import ComBatHarmoniser, batch_column
from zoo.radiomics.combined import CombinedFeatures
from zoo.radiomics.feasible_folds import FeasibleFolds
from zoo.radiomics.lasso import LassoSelector
from zoo.radiomics.univariable import UnivariableSelector
from zoo.self_description import Score

__all__ = [
    "DEFAULT_SETTINGS",
    "combined",
    "combined_features",
    "combined_pipeline",
    "radiomics_knn",
    "radiomics_lr",
    "radiomics_mlp",
    "radiomics_svm",
    "radiomics_xgb",
    "selected_features",
]

_N_SPLITS = 5
_ITERATIONS = 1000
_PENALTIES = {"C": np.geomspace(1e-4, 10.0, 11).tolist()}

DEFAULT_SETTINGS = ModelSettings()
"""What a model is built with where a study says nothing."""


def radiomics_lr(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted radiomics logistic regression.

    The steps, all fitted in the training fold only: ``impute`` (median of the training patients; a column
    that is missing in all of them becomes 0), ``harmonise`` (ComBat, where the study asks for it), ``variance``
    (constant columns out), ``zscore``, ``univariable`` (p < .05), ``lasso`` (C of the smallest cross-validated
    deviance), ``classifier`` (logistic regression with an L2 penalty, its C out of 11 from 1e-4 to 10). C, and the
    sigmoid that its log odds go through, come from five inner folds in which all steps are fitted again
    (`RecalibratedClassifier`), as they do in every model here.

    Parameters
    ----------
    settings : ModelSettings, optional
        What the study says about the model: ``correction`` for ``univariable`` and ``lasso_rule`` for ``lasso``.
        All builders here take them.
    random_state : int, default=0
        Draws the folds, of the LASSO and of the whole.

    Notes
    -----
    The penalty stays in the last step because tens of features on some fifty patients of the rarer class
    separate them. Selection by agreement between readers needs the repeated segmentations and is made on the
    columns before they come here.

    Examples
    --------
    >>> [name for name, _ in radiomics_lr().estimator.steps]
    ['impute', 'variance', 'zscore', 'univariable', 'lasso', 'classifier']
    """
    classifier = LogisticRegression(max_iter=_ITERATIONS)
    return _after_selection(classifier, _PENALTIES, "decision", settings, random_state)


def combined(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted combined model (RCR): selected radiomics features and clinical factors.

    Both selections are fitted inside the training fold, each as in its own model; the classifier is that of
    the radiomics logistic regression, the best of the paper's five.
    """
    pipeline = Pipeline(
        [
            ("combine", combined_features(settings, random_state)),
            ("classifier", LogisticRegression(max_iter=_ITERATIONS)),
        ]
    )
    return RecalibratedClassifier(pipeline, _PENALTIES, random_state=random_state, batch=_batch(settings))


def combined_pipeline(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> Pipeline:
    """Return the combined model as late fusion joins it: by its scores, which the join scales itself.

    Its penalty is cross-validated after the selection. That leans towards too weak a one: the grid ends at 0.1.
    """
    classifier = LogisticRegressionCV(
        Cs=np.geomspace(1e-4, 1e-1, 10).tolist(),
        l1_ratios=(0.0,),
        cv=FeasibleFolds(_N_SPLITS, shuffle=True, random_state=random_state),
        scoring="neg_log_loss",
        max_iter=_ITERATIONS,
        use_legacy_attributes=False,
    )
    return Pipeline([("combine", combined_features(settings, random_state)), ("classifier", classifier)])


def combined_features(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> CombinedFeatures:
    """Return the unfitted inputs of the combined model: selected radiomics features and clinical factors."""
    return CombinedFeatures(Pipeline(_selection(settings, random_state)), impute=settings.imputes)


def radiomics_svm(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted support vector machine with a radial kernel, on the same selected features.

    Its probabilities come from the sigmoid of decision values (Platt 1999); C and gamma are tuned.
    """
    grid = {"C": (0.1, 1.0, 10.0), "gamma": (0.003, "scale", 0.03)}
    return _after_selection(SVC(), grid, "decision", settings, random_state)


def radiomics_knn(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted nearest-neighbour classifier, on the same selected features; k is tuned.

    Neighbours count alike: weighted by distance, every training patient would be its own infinite weight.
    """
    grid = {"n_neighbors": (31, 21, 15, 9, 5)}
    return _after_selection(KNeighborsClassifier(), grid, "probability", settings, random_state)


def radiomics_xgb(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted gradient-boosted trees (XGBoost), on the same selected features.

    Shallow trees and few rounds: the training folds have some hundred patients.
    """
    trees = XGBClassifier(
        learning_rate=0.05, subsample=0.8, colsample_bytree=0.8, n_jobs=1, random_state=random_state, verbosity=0
    )
    grid = {"max_depth": (1, 2, 3), "n_estimators": (50, 100), "reg_lambda": (10.0, 1.0)}
    return _after_selection(trees, grid, "log_odds", settings, random_state)


def radiomics_mlp(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> RecalibratedClassifier:
    """Return the unfitted perceptron with one hidden layer, on the same selected features.

    Fitted by L-BFGS, which suits so few patients better than stochastic steps; the penalty is tuned and strong.
    """
    network = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=2000, random_state=random_state)
    grid = {"alpha": (30.0, 10.0, 3.0, 1.0)}
    return _after_selection(network, grid, "log_odds", settings, random_state)


def _after_selection(
    classifier: BaseEstimator,
    grid: Mapping[str, Sequence[Any]],
    scores: Score,
    settings: ModelSettings,
    random_state: int,
) -> RecalibratedClassifier:
    """Return the pipeline that all radiomics models share, with their last step, tuned and recalibrated as a whole."""
    pipeline = Pipeline([*_selection(settings, random_state), ("classifier", classifier)])
    return RecalibratedClassifier(pipeline, grid, scores, _N_SPLITS, random_state, _batch(settings))


def _batch(settings: ModelSettings) -> str | None:
    return None if settings.harmonise is None else batch_column(settings.harmonise)


def _selection(settings: ModelSettings, random_state: int) -> list[tuple[str, BaseEstimator]]:
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    harmonise = []
    if settings.harmonise is not None:
        # With names: the batch column is found by its own, and ends here.
        impute.set_output(transform="polars")
        harmonise = [("harmonise", ComBatHarmoniser(batch_column(settings.harmonise)))]
    return [
        ("impute", impute),
        *harmonise,
        ("variance", VarianceThreshold()),
        ("zscore", StandardScaler()),
        ("univariable", UnivariableSelector(correction=settings.correction)),
        ("lasso", LassoSelector(n_splits=_N_SPLITS, rule=settings.lasso_rule, random_state=random_state)),
    ]


def selected_features(pipeline: Pipeline) -> list[tuple[str, float]]:
    """Return the columns with a non-zero coefficient in a fitted pipeline's last step, largest first.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, ending in a binary linear classifier. Names are those of the table it was fitted on.

    Returns
    -------
    list of (str, float)
        Name and coefficient on the scale that the last step sees, log odds per training standard deviation
        after ``zscore``, by falling absolute value and then by name.

    Raises
    ------
    UsageError
        If the last step has no coefficients.
    """
    classifier: BaseEstimator = pipeline[-1]
    if not hasattr(classifier, "coef_"):
        raise UsageError(
            f"{type(classifier).__name__} has no coefficients: the pipeline is not fitted or not linear",
            hint="fit the pipeline, or explain the model by permutation importance",
        )
    names = pipeline[:-1].get_feature_names_out()
    coefficients = np.ravel(classifier.coef_)
    kept = [(str(name), float(value)) for name, value in zip(names, coefficients, strict=True) if value != 0]
    return sorted(kept, key=lambda feature: (-abs(feature[1]), feature[0]))
