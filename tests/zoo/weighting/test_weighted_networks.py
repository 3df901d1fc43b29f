"""Networks with weights of patients: the loss, the labels' weights, the selections beside them, what joins them."""

from __future__ import annotations

import numpy as np
import torch
from builders.fused_tables import QUICK, fused_table
from builders.synthetic_regions import region_table
from torch.nn import functional

from schemas.study.models import ModelSettings
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.data import NetworkData, class_weights, inner_validation
from zoo.networks.fusion import dlrcr
from zoo.networks.late_fusion import late_fusion
from zoo.networks.training import _weighted_loss, train_network
from zoo.radiomics.pipelines import combined_features

SETTINGS = ModelSettings(network=QUICK)


def test_labels_weigh_by_the_patients_that_have_them() -> None:
    """As if each patient stood there as often as the weight says."""
    labels, weights = np.array([0, 0, 0, 1, 1]), np.array([1.0, 2.0, 3.0, 1.0, 1.0])
    assert np.allclose(class_weights(labels, weights), class_weights(np.repeat(labels, weights.astype(int))))
    assert np.allclose(class_weights(labels, np.ones(5)), class_weights(labels))


def test_batches_add_up_to_the_loss_of_repeated_patients() -> None:
    """In whatever batches of one composition: a heavy patient counts as much beside heavy ones as beside light ones."""
    random = torch.Generator().manual_seed(0)
    scores = torch.randn((8, 2), generator=random, dtype=torch.float64)
    labels, counts = torch.tensor([0, 1] * 4), torch.tensor([3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]) / 2
    of_labels = torch.tensor([0.7, 1.6], dtype=torch.float64)
    repeated = torch.repeat_interleave(torch.arange(8), (2 * counts).long())
    expected = functional.cross_entropy(scores[repeated], labels[repeated], weight=of_labels)
    whole = _weighted_loss(scores, labels, of_labels, counts.double())
    assert torch.allclose(whole, expected)
    for batches in (((0, 1, 2, 3), (4, 5, 6, 7)), ((0, 1, 4, 5), (2, 3, 6, 7))):
        each = [_weighted_loss(scores[list(b)], labels[list(b)], of_labels, counts[list(b)].double()) for b in batches]
        assert torch.allclose(sum(each) / 2, expected)
    assert torch.equal(
        _weighted_loss(scores, labels, of_labels, None), functional.cross_entropy(scores, labels, weight=of_labels)
    )


def test_a_network_is_trained_by_weight() -> None:
    """Its prior is the weighted share; other weights are another network, none the one without."""
    table, labels = region_table(20, phases=2)
    weights = np.where(labels == 0, 3.0, 1.0) * np.where(np.arange(20) < 10, 1.0, 2.0)
    fits = {
        name: NetworkClassifier("resnet10", QUICK, 2).fit(table, labels, each)
        for name, each in (("weighted", weights), ("again", weights), ("plain", None))
    }
    fitted = np.setdiff1d(np.arange(20), fits["weighted"].held_out_rows_)
    events = weights[fitted][labels[fitted] == 1].sum()
    assert np.isclose(fits["weighted"].prior_log_odds_, np.log(events / (weights[fitted].sum() - events)))
    assert fits["weighted"].weights_ == fits["again"].weights_ != fits["plain"].weights_
    assert fits["plain"].weights_ == NetworkClassifier("resnet10", QUICK, 2).fit(table, labels).weights_


def test_early_stopping_looks_at_the_weighted_loss() -> None:
    """Weights of those set aside alone change what is told of them, and not the first epoch's training."""
    draw = np.random.default_rng(3)
    images, labels = draw.normal(size=(12, 1, 3, 16, 16)).astype(np.float32), np.arange(12) % 2
    training = NetworkData(images, labels, weights=np.ones(12))
    found = [
        train_network(training, NetworkData(images[:4], labels[:4], weights=each), "resnet10", QUICK, 0).history
        for each in (np.ones(4), np.array([5.0, 1.0, 1.0, 5.0]))
    ]
    assert np.array_equal(found[0]["loss"], found[1]["loss"])
    assert not np.array_equal(found[0]["validation_loss"], found[1]["validation_loss"])


def test_selections_beside_a_network_and_its_join_take_weights() -> None:
    """Those of the fused model are of the patients who move the weights; late fusion's join is that of its scores."""
    table, labels = fused_table()
    weights = np.where(labels == 0, 2.0, 1.0) * (1.0 + np.arange(40) % 3)
    fused = dlrcr(SETTINGS, random_state=3).fit(table, labels, weights)
    rows = np.setdiff1d(np.arange(40), inner_validation(labels, QUICK.validation_fraction, 3))
    own = combined_features(SETTINGS, random_state=3).fit(
        table[rows.tolist()].select(fused.tabular_columns_), labels[rows], weights[rows]
    )
    tabular = table.select(fused.tabular_columns_)
    np.testing.assert_array_equal(fused.combined_.transform(tabular), own.transform(tabular))
    joined = late_fusion(SETTINGS, random_state=3).fit(table, labels, weights)
    share = float(np.average(joined.held_out_probabilities_, weights=weights))
    assert abs(share - np.average(labels, weights=weights)) < 0.02
