"""Boosted trees that are trees: XGBoost follows a child's number wherever it points.

It checks no file against itself: a number past a tree's end reads memory of something else, one that points back never
ends. A probability that comes of that is whatever lay there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import BaseEstimator
from xgboost import XGBClassifier

from schemas.errors import ContractError
from zoo.saving.files import RESTORE

__all__ = ["refuse_broken_trees"]


def refuse_broken_trees(estimator: BaseEstimator) -> None:
    """Refuse boosted trees with branches that lead nowhere, back or to a column that is not there.

    Raises
    ------
    ContractError
        If a fitted model holds such trees.
    """
    for classifier in _boosted(estimator):
        booster = classifier.get_booster()
        learner = json.loads(bytes(booster.save_raw("json")))["learner"]
        columns = int(classifier.n_features_in_)
        try:
            if int(learner["learner_model_param"]["num_feature"]) != columns:
                raise ValueError("of other columns than the model")
            for tree in learner["gradient_booster"]["model"]["trees"]:
                _refuse_broken_tree(tree, columns)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ContractError(
                f"the boosted trees are damaged: {error}",
                hint=RESTORE,
            ) from error


def _boosted(estimator: BaseEstimator) -> Iterator[XGBClassifier]:
    """Yield the fitted boosted trees anywhere in a model: a package's estimator may hold them where it likes."""
    waiting, met = [estimator], set()
    while waiting:
        each = waiting.pop()
        if id(each) in met:
            continue
        met.add(id(each))
        if isinstance(each, XGBClassifier):
            if each.__sklearn_is_fitted__():
                yield each
        elif isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, BaseEstimator):
            waiting += vars(each).values()


def _refuse_broken_tree(tree: Mapping[str, Any], columns: int) -> None:
    left, right = tree["left_children"], tree["right_children"]
    if tree["categories_nodes"] or any(tree["split_type"]):
        raise ValueError("a split by categories, which the zoo's trees do not have")
    met, waiting = set(), [0]
    while waiting:
        node = waiting.pop()
        if not 0 <= node < len(left) or node in met:
            raise ValueError(f"a branch leads to node {node}, of {len(left)}, or there twice")
        met.add(node)
        if not math.isfinite(tree["split_conditions"][node]) or not math.isfinite(tree["base_weights"][node]):
            raise ValueError(f"node {node} holds NaN or infinity")
        if (left[node] == -1) != (right[node] == -1):
            raise ValueError(f"node {node} has one branch")
        if left[node] != -1:
            if not 0 <= tree["split_indices"][node] < columns:
                raise ValueError(f"node {node} asks for a column that is not there")
            waiting += [left[node], right[node]]
