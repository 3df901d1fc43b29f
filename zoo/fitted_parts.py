"""The estimators that a fitted model is made of, and pipelines whose last step sees the table's own columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from zoo.self_description import Combining, Composed

__all__ = ["log_odds_line", "parts_of", "sees_standardised_columns"]


def parts_of(estimator: Any) -> Iterator[Any]:
    """Yield a fitted estimator and all that it is made of: the steps of pipelines, and what composed ones name."""
    yield estimator
    if isinstance(estimator, Pipeline):
        below = [step for _, step in estimator.steps]
    else:
        below = list(estimator.fitted_parts()) if isinstance(estimator, Composed) else []
    for part in below:
        yield from parts_of(part)


def sees_standardised_columns(estimator: BaseEstimator) -> bool:
    """Return whether a fitted pipeline's last step sees columns of the table, on the training patients' scale.

    So it is where all that follows a `StandardScaler` selects columns, and where the one step before the last combines
    selections. Then a coefficient is one of a column, and a column at its training mean is 0. Any other pipeline
    (components, interactions) is explained as a whole.
    """
    if not isinstance(estimator, Pipeline) or len(estimator.steps) < 2:
        return False
    before = [step for _, step in estimator.steps[:-1]]
    if len(before) == 1 and isinstance(before[0], Combining):
        return True
    scalers = [at for at, step in enumerate(before) if isinstance(step, StandardScaler)]
    if not scalers or not (before[scalers[-1]].with_mean and before[scalers[-1]].with_std):
        return False
    if not all(hasattr(step, "get_support") for step in before[scalers[-1] + 1 :]):
        return False
    try:
        names = getattr(estimator, "feature_names_in_", None)
        given = {f"x{at}" for at in range(estimator.n_features_in_)} if names is None else {str(each) for each in names}
        return {str(name) for name in estimator[:-1].get_feature_names_out()} <= given
    except (AttributeError, ValueError):  # a step without names
        return False


def log_odds_line(classifier: Any, columns: int) -> tuple[NDArray[np.float64], float] | None:
    """Return coefficients and intercept of a fitted classifier whose log odds they are, None of any other.

    A machine with a linear kernel has coefficients too, which are no log odds: what the classifier says of three
    made-up patients tells.
    """
    coefficients = np.ravel(getattr(classifier, "coef_", ()))
    intercept = np.ravel(getattr(classifier, "intercept_", ()))
    if coefficients.size != columns or intercept.size != 1:
        return None
    made_up = np.sin(1 + 12.9898 * np.arange(3 * columns)).reshape(3, columns)
    says = np.asarray(classifier.predict_proba(made_up), dtype=np.float64)[:, 1]
    if not np.allclose(says, expit(made_up @ coefficients + intercept[0]), atol=1e-9):
        return None
    return coefficients, float(intercept[0])
