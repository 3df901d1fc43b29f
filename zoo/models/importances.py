"""How much each feature counts in a model: coefficients, trees, permutation of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zoo.evaluation.auc import auc
from zoo.models.contributions import LastStep, tree_contributions

__all__ = ["Importance", "permutation_importances", "training_importances"]

ImportanceKind = Literal["coefficient", "tree", "permutation", "permutation_training"]

REPEATS = 100
_SEED = 20260101
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Importance:
    """How much one feature counts in a model, of one kind; see the view ``importances``."""

    kind: ImportanceKind
    feature: str
    value: float
    lower: float | None = None
    upper: float | None = None


def training_importances(step: LastStep, labels: NDArray[np.int64]) -> list[Importance]:
    """Return how much each feature counts, from the training patients: coefficients or trees, and permutation.

    Parameters
    ----------
    step : LastStep
        With the training patients' values.
    labels : ndarray of shape (n_patients,)
        Their labels.
    """
    found: list[Importance] = []
    if step.is_too_wide:
        return found
    if step.coefficients is not None:
        for name, value, scale in zip(step.features, step.coefficients, step.scale, strict=True):
            lower, upper = (step.intervals or {}).get(name, (None, None))
            found.append(
                Importance(
                    "coefficient",
                    name,
                    float(value * scale),
                    _scaled(lower, float(scale)),
                    _scaled(upper, float(scale)),
                )
            )
    if step.booster is not None:
        parts = np.abs(tree_contributions(step.booster, step.values)[:, :-1]).mean(axis=0)
        found += [Importance("tree", name, float(part)) for name, part in zip(step.features, parts, strict=True)]
    return found + permutation_importances(step, labels, kind="permutation_training")


def _scaled(bound: float | None, scale: float) -> float | None:
    # A bound beyond what a float holds is no number that can be stored.
    return None if bound is None or not np.isfinite(bound) else bound * scale


def permutation_importances(
    step: LastStep, labels: NDArray[np.int64], *, kind: ImportanceKind = "permutation", repeats: int = REPEATS
) -> list[Importance]:
    """Return the AUC that a model loses when one feature is shuffled among the patients.

    Only the columns that the last step sees are shuffled: a column that selection left out cannot move a
    probability, its importance is 0 by construction.

    Parameters
    ----------
    step : LastStep
        With the patients' values: those of the validation cohort, for an honest answer.
    labels : ndarray of shape (n_patients,)
        Their labels, both classes present.
    kind : {'permutation', 'permutation_training'}
        Whose patients they are. On training patients the loss is that of a fit to them: it flatters.
    repeats : int
        Shuffles a feature, from one seed. A model that is too wide to be asked so often has no importances.

    Returns
    -------
    list of Importance
        The mean loss over the shuffles with their 2.5th and 97.5th percentiles: the spread of the shuffling, not
        that of patients, which in a small cohort is wider. Features that carry the same information share it,
        and each may look worthless alone.

    References
    ----------
    Breiman L, Mach Learn 2001;45:5, doi:10.1023/A:1010933404324.
    """
    if step.is_too_wide:
        return []
    random = np.random.default_rng(_SEED)
    n = len(labels)
    whole = auc(labels, step.probability(step.values))
    found = []
    for column, name in enumerate(step.features):
        stacked = np.tile(step.values, (repeats, 1))
        stacked[:, column] = np.concatenate([random.permutation(step.values[:, column]) for _ in range(repeats)])
        losses = [whole - auc(labels, part) for part in step.probability(stacked).reshape(repeats, n)]
        lower, upper = np.percentile(losses, _PERCENTILES)
        found.append(Importance(kind, name, float(np.mean(losses)), float(lower), float(upper)))
    return found
