"""Which patients of a network are looked at, and which models have a network to look through."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from zoo.attention.scores import AttentionScores
from zoo.attention.stored import attention_panels, example_patients, network_of
from zoo.registry import model_spec


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), max_size=12))
def test_examples_are_the_surest_of_either_label_and_the_most_wrong(patients):
    """At most three different patients: the best answer for 1, the best for 0, and no other is farther off."""
    names = [f"P{number:02}" for number in range(len(patients))]
    labels, probabilities = [label for label, _ in patients], [each for _, each in patients]
    chosen = example_patients(names, labels, probabilities)
    assert len(chosen) == len(set(chosen)) == min(len(set(labels)) + (len(patients) > len(set(labels))), 3)
    miss = {name: abs(label - each) for name, label, each in zip(names, labels, probabilities, strict=True)}
    for label in set(labels):
        assert min(miss[name] for name, of in zip(names, labels, strict=True) if of == label) in (
            miss[name] for name in chosen
        )
    others = [name for name in names if name not in chosen]
    if others:
        assert max(miss[name] for name in others) <= miss[chosen[-1]]


def test_equal_answers_are_told_apart_by_name():
    """Among patients of one probability the first pseudonym is taken, whatever the order given."""
    assert example_patients(["c", "b", "a", "d"], [1, 1, 1, 0], [0.7, 0.7, 0.7, 0.2]) == ["a", "d", "b"]


def test_a_model_without_a_network_has_no_maps():
    """Networks are found in themselves; a clinical model is refused."""
    network = model_spec("dl_resnet10").build(ModelSettings(), random_state=0)
    assert network_of(network) is network
    with pytest.raises(ContractError, match="has no network"):
        network_of(model_spec("cr").build(ModelSettings(), random_state=0))


def test_panels_hold_the_rows_numbers_and_the_upsampled_map():
    """A number that the catalogue has as NULL is none; the map gets the image's size."""
    numbers = dict.fromkeys(AttentionScores.__dataclass_fields__, 0.5) | {"energy_inside": None}
    row = {"phase": "AP", "map": json.dumps([[0.0, 1.0], [0.0, 1.0]])} | numbers
    (panel,) = attention_panels([row], {"AP": np.zeros((8, 8)).tolist()}, {"AP": np.eye(8).tolist()})
    assert np.isnan(panel.scores.energy_inside)
    assert panel.scores.deletion_auc == 0.5
    assert panel.attention.shape == (8, 8)
    assert (panel.attention[:, 0] == 0).all()
    assert (panel.attention[:, -1] == 1).all()
    assert panel.mask.sum() == 8
