"""The classifier that is to tell two groups apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from zoo.drift.classifier import FOLDS, classifier_aucs, normal_scores
from zoo.drift.relabelling import relabelled


def drawn(patients=40, features=12, seed=0):
    """Return features that hang together."""
    random = np.random.default_rng(seed)
    return random.normal(size=(patients, 3)) @ random.normal(size=(3, features)) + random.normal(
        size=(patients, features)
    )


def test_the_auc_is_that_of_ridge_regression():
    """scikit-learn's Ridge on the same normal scores in the same folds, its AUC for held-out patients."""
    values, is_current = drawn(), np.arange(40) < 15
    labellings = relabelled(is_current, 3, seed=1)
    scores = normal_scores(values)
    scores /= np.sqrt((scores**2).sum(axis=1).mean())
    fold_of = np.random.default_rng(5).permutation(np.arange(40) % FOLDS)
    expected = []
    for labels in labellings:
        answers = np.empty(40)
        for fold in range(FOLDS):
            own = fold_of != fold
            ridge = Ridge(alpha=0.1, fit_intercept=False).fit(scores[own], labels[own] - labels[own].mean())
            answers[~own] = ridge.predict(scores[~own])
        expected.append(roc_auc_score(labels, answers))
    assert classifier_aucs(values, labellings, seed=5) == pytest.approx(expected)


def test_many_labellings_are_answered_as_few_are():
    """More than are held in memory at once: each has the AUC that it has alone."""
    values, labellings = drawn(), relabelled(np.arange(40) < 15, 2100, seed=2)
    found = classifier_aucs(values, labellings, seed=5)
    assert found.shape == (2101,)
    for at in (0, 1999, 2000, 2100):
        assert classifier_aucs(values, labellings[at : at + 1], seed=5) == pytest.approx(found[at])


def test_normal_scores_are_those_of_the_ranks():
    """Of 10, 30 and 20 the quantiles 1/4, 3/4 and 1/2; equal values share one, a missing one is the last."""
    z = float(stats.norm.ppf(0.75))
    assert normal_scores([[10, 1], [30, 1], [20, np.nan]])[:, 0] == pytest.approx([-z, z, 0])
    tied = normal_scores([[1.0], [1.0], [np.nan]])[:, 0]
    assert tied[0] == tied[1] < tied[2]
    assert tied.mean() == pytest.approx(0)


def test_features_that_tell_nothing_give_one_half():
    """Equal values alone: every answer is the same."""
    assert classifier_aucs(np.ones((12, 3)), relabelled(np.arange(12) < 4, 2, seed=0), seed=0) == pytest.approx(
        [0.5] * 3
    )


def test_a_difference_of_all_features_is_told():
    """A small move of every feature by its own amount, too small for one of them, is told by all."""
    random = np.random.default_rng(3)
    values, is_current = random.normal(size=(80, 100)), np.arange(80) < 40
    values[is_current] += random.normal(0, 0.5, 100)
    aucs = classifier_aucs(values, relabelled(is_current, 99, seed=1), seed=1)
    assert aucs[0] > 0.9
    assert aucs[0] > aucs[1:].max()
