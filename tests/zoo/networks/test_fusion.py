"""Fused models: what they read, that selections see training patients only, that no score is a training score."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from builders.fused_tables import QUICK, fused_table
from sklearn.model_selection import StratifiedKFold

from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from zoo.evaluation.auc import auc
from zoo.evaluation.repeated import averaged_placements
from zoo.models.summary import model_summary
from zoo.networks.data import inner_validation
from zoo.networks.fusion import dlrcr
from zoo.networks.late_fusion import late_fusion
from zoo.networks.score_join import ScoreJoin, within_parts
from zoo.radiomics.pipelines import combined, combined_features
from zoo.radiomics.shared_fits import SharedFits

SETTINGS = ModelSettings(network=QUICK)


@pytest.fixture(scope="module")
def fused():
    """Return a fitted fused model with its table and labels."""
    table, labels = fused_table()
    return dlrcr(SETTINGS, random_state=3).fit(table, labels), table, labels


def test_the_last_layer_reads_all_three(fused) -> None:
    """The layer has the trunk's features of each phase and the selected columns, which come with their weights."""
    model, table, _ = fused
    selected = list(model.combined_.get_feature_names_out())
    assert {"AP__f0", "AP__f1", "afp>400"} <= set(selected)
    assert model.network().head.in_features == 2 * 128 + len(selected)
    assert model.tabular_columns_ == [name for name in table.columns if not name.endswith("__region")]
    pairs = model.tabular_coefficients()
    assert {name for name, _ in pairs} == set(selected)
    assert model.embed(table).shape == (40, 2, 128)
    summary = model_summary(model)
    assert [(each["feature"], each["coefficient"]) for each in summary["features"]] == pairs
    assert summary["network"]["trained_weights"] == model.n_weights_ == 683_200 + 2 * (256 + len(selected) + 1)


def test_weights_are_log_odds(fused) -> None:
    """One training standard deviation more of a factor adds its weight to the log odds."""
    model, table, _ = fused
    combine = model.combined_
    factor, position = "afp>400", combine.factors_.index("afp>400")
    step = float(combine.factor_scale_[position])
    moved = table.with_columns(pl.col(factor) + step)
    difference = model.decision_function(moved) - model.decision_function(table)
    np.testing.assert_allclose(difference, dict(model.tabular_coefficients())[factor], atol=1e-5)


def test_selection_is_that_of_the_patients_who_train(fused) -> None:
    """The selections are those fitted to the training fold less the patients who tell when to stop."""
    model, table, labels = fused
    aside = inner_validation(labels, QUICK.validation_fraction, 3)
    rows = np.setdiff1d(np.arange(40), aside)
    alone = combined_features(SETTINGS, random_state=3).fit(
        table[rows.tolist()].select(model.tabular_columns_), labels[rows]
    )
    np.testing.assert_array_equal(model.combined_.get_feature_names_out(), alone.get_feature_names_out())
    np.testing.assert_array_equal(
        model.combined_.transform(table.select(model.tabular_columns_)),
        alone.transform(table.select(model.tabular_columns_)),
    )


def test_a_fold_shares_nothing_it_should_not(fused) -> None:
    """In a fold where fits are shared the fused model has the bits that it has alone."""
    model, table, labels = fused
    shared = SharedFits()
    shared.sharing(combined(SETTINGS, random_state=3)).fit(table.select(model.tabular_columns_), labels)
    assert shared.sharing(dlrcr(SETTINGS, random_state=3)).fit(table, labels).weights_ == model.weights_


def test_a_kind_of_columns_is_missing(fused) -> None:
    """Without regions, radiomics or factors the fused model is refused."""
    _, table, labels = fused
    for kept, message in (("^.*__f.*|afp.*$", "no regions"), ("^.*__region|afp.*$", "needs radiomics")):
        with pytest.raises(ContractError, match=message):
            dlrcr(SETTINGS).fit(table.select(pl.col(kept)), labels)


def test_late_fusion_joins_scores_of_patients_new_to_them() -> None:
    """A patient's columns move the scores of the other part only: the own part's members did not train on them."""
    table, labels = fused_table()
    model = late_fusion(SETTINGS, random_state=3).fit(table, labels)
    changed = pl.concat([table[1:2], table[1:]])
    other = late_fusion(SETTINGS, random_state=3).fit(changed, labels)
    parts = StratifiedKFold(QUICK.inner_folds, shuffle=True, random_state=3).split(labels, labels)
    for training, judged in parts:
        if 0 in training:
            assert (model.scores_[judged] != other.scores_[judged]).all()
        else:
            np.testing.assert_array_equal(model.scores_[judged[1:]], other.scores_[judged[1:]])
            assert (model.scores_[0] != other.scores_[0]).all()

    probabilities = model.predict_proba(table)
    log_odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    np.testing.assert_allclose(log_odds, model.decision_function(table), atol=1e-9)
    assert [each["member"] for each in model_summary(model)["members"]] == ["network", "combined model"]


def drawn_scores(signs: tuple[float, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores of two members, labels and parts: each part's scores have a scale and a level of their own."""
    random = np.random.default_rng(seed)
    parts, labels = np.repeat(np.arange(3), 60), np.tile([0, 1], 90)
    right = random.standard_normal((180, 2)) + np.array(signs) * labels[:, None]
    scale, level = np.array([0.1, 1.0, 20.0]), np.array([-30.0, 0.0, 500.0])
    return right * scale[parts][:, None] + level[parts][:, None], labels, parts


def test_scores_are_joined_part_by_part() -> None:
    """Whatever scale and level each part's scores have, both members that are right weigh alike, and positively."""
    scores, labels, parts = drawn_scores((0.8, 0.8))
    join = ScoreJoin().fit(scores, labels, parts)
    assert join.weights_[0] == join.weights_[1] > 0
    moved = ScoreJoin().fit(scores * 3.0 + parts[:, None], labels, parts)
    np.testing.assert_allclose([*moved.weights_, moved.intercept_], [*join.weights_, join.intercept_], rtol=1e-9)
    z = within_parts(scores, parts)
    np.testing.assert_allclose([z[parts == part].mean(axis=0) for part in range(3)], 0.0, atol=1e-12)
    np.testing.assert_allclose([z[parts == part].std(axis=0) for part in range(3)], 1.0, rtol=1e-12)
    assert auc(labels, join.log_odds(z)) > max(
        averaged_placements(labels, scores.T[[at]], parts[None]).area for at in (0, 1)
    )
    again = join.means_ + join.scales_ * z
    np.testing.assert_allclose(join.decision_function(again), join.log_odds(z), atol=1e-9)
    np.testing.assert_allclose(join.predict_proba(again).sum(axis=1), 1.0)


def test_a_member_no_better_than_chance_has_no_weight() -> None:
    """One that ranks the wrong way round is left out, not turned over; without any, everyone gets the labels' share."""
    scores, labels, parts = drawn_scores((0.8, -0.8))
    join = ScoreJoin().fit(scores, labels, parts)
    assert (join.weights_[0] > 0, join.weights_[1]) == (True, 0.0)
    assert join.aucs_[0] > 0.6 > 0.4 > join.aucs_[1]
    scores, labels, parts = drawn_scores((-0.8, -0.8))
    none = ScoreJoin().fit(scores, labels, parts)
    assert none.weights_.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(none.predict_proba(scores)[:, 1], 0.5)
    constant = ScoreJoin().fit(np.zeros((180, 2)), labels, parts)
    assert (constant.weights_.tolist(), constant.scales_.tolist()) == ([0.0, 0.0], [1.0, 1.0])


def test_the_zoo_joins_part_by_part(fused) -> None:
    """What late fusion keeps of each patient's probability is the join's, of scores within the patient's part."""
    _, table, labels = fused
    model = late_fusion(SETTINGS, random_state=3).fit(table, labels)
    split = StratifiedKFold(QUICK.inner_folds, shuffle=True, random_state=3).split(labels, labels)
    parts = np.empty(len(labels), int)
    for number, (_, judged) in enumerate(split):
        parts[judged] = number
    join = ScoreJoin().fit(model.scores_, labels, parts)
    assert vars(model.join_).keys() == vars(join).keys()
    z = within_parts(model.scores_, parts)
    np.testing.assert_allclose(model.held_out_probabilities_, 1 / (1 + np.exp(-join.log_odds(z))), rtol=1e-12)
    assert (model.join_.weights_ >= 0).all()
