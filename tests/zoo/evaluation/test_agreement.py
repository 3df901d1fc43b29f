"""Intraclass correlation and kappa."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score

from schemas.errors import ContractError
from zoo.evaluation.agreement import cohen_kappa, icc_agreement, icc_consistency, icc_one_way

# Four judges on six targets: Shrout and Fleiss, Psychol Bull 1979;86:420, table 2.
JUDGED = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)[
    :, :, None
]
RATINGS = hnp.arrays(
    float,
    st.tuples(st.integers(2, 12), st.integers(2, 4), st.integers(1, 3)),
    elements=st.integers(-50, 50).map(float),
)


def test_icc_of_shrout_and_fleiss():
    """The three single-rating forms have the values of R's psych; Shrout and Fleiss print .17 .29 .71."""
    assert icc_one_way(JUDGED) == pytest.approx([0.165741768405476], abs=1e-6)
    assert icc_agreement(JUDGED).value == pytest.approx([0.289763779527559], abs=1e-6)
    assert icc_consistency(JUDGED) == pytest.approx([0.714840714840715], abs=1e-6)


def test_bounds_are_those_of_psych():
    """McGraw and Wong's bounds of ICC2 are those that psych 2.2.9 prints for the same table."""
    estimate = icc_agreement(JUDGED)
    assert estimate.lower == pytest.approx([0.018786513374712], abs=1e-6)
    assert estimate.upper == pytest.approx([0.761084369648953], abs=1e-6)


def test_icc_of_the_oracle(shared_data, oracle):
    """The stored table gives the stored values and bounds."""
    path = shared_data("statistics_oracles/shrout_fleiss.csv")
    ratings = np.loadtxt(path, delimiter=",", skiprows=1)[:, :, None]
    expected = {row["type"]: row for row in oracle["icc_shrout_fleiss"]}
    estimate = icc_agreement(ratings)
    assert estimate.value[0] == pytest.approx(expected["ICC2"]["ICC"], abs=1e-6)
    assert estimate.lower[0] == pytest.approx(expected["ICC2"]["lower bound"], abs=1e-6)
    assert estimate.upper[0] == pytest.approx(expected["ICC2"]["upper bound"], abs=1e-6)
    assert icc_one_way(ratings)[0] == pytest.approx(expected["ICC1"]["ICC"], abs=1e-6)
    assert icc_consistency(ratings)[0] == pytest.approx(expected["ICC3"]["ICC"], abs=1e-6)


@settings(deadline=None)
@given(RATINGS)
def test_bounds_hold_the_estimate(ratings):
    """Wherever there is an ICC it is at most 1 and lies within finite bounds; elsewhere all three are NaN."""
    value, lower, upper = icc_agreement(ratings)
    defined = ~np.isnan(value)
    assert np.isfinite(lower[defined]).all()
    assert np.isfinite(upper[defined]).all()
    assert (value[defined] <= 1 + 1e-12).all()
    assert (lower[defined] <= value[defined] + 1e-9).all()
    assert (value[defined] <= upper[defined] + 1e-9).all()
    assert np.isnan(lower[~defined]).all()
    assert np.isnan(upper[~defined]).all()


@settings(deadline=None)
@given(RATINGS)
def test_features_are_judged_one_by_one(ratings):
    """Many features at once give what each gives alone."""
    together = icc_agreement(ratings)
    for at in range(ratings.shape[2]):
        alone = icc_agreement(ratings[:, :, [at]])
        for whole, part in zip(together, alone, strict=True):
            assert whole[at] == pytest.approx(part[0], abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-200, 1e-3, 7.0, 1e150]), st.floats(-100, 100))
def test_icc_has_no_unit(seed, scale, shift):
    """Scaling a feature, even near the ends of floats, or moving its origin leaves the ICC alone."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(10, 1, 2)) + 0.5 * rng.normal(size=(10, 2, 2))
    before, after = icc_agreement(ratings), icc_agreement((ratings + shift) * scale)
    for one, other in zip(before, after, strict=True):
        assert other == pytest.approx(one, abs=1e-6)


def test_an_offset_between_readers_costs_agreement_but_not_consistency():
    """A reader who always measures 2 more keeps ICC3 at 1 and lowers ICC2."""
    first = np.arange(10.0)
    ratings = np.stack([first, first + 2], axis=1)[:, :, None]
    assert icc_consistency(ratings) == pytest.approx([1])
    assert 0.7 < icc_agreement(ratings).value[0] < 0.95


def test_readers_who_agree_perfectly_have_icc_1():
    """Identical readings give 1 with both bounds at 1, not a division by zero."""
    ratings = np.repeat(np.arange(6.0)[:, None, None], 2, axis=1)
    for part in icc_agreement(ratings):
        assert part == pytest.approx([1])


def test_a_feature_without_variation_or_with_a_gap_has_no_icc():
    """A constant and an incomplete feature are undefined and pass no threshold; their neighbour is intact."""
    good = np.repeat(np.arange(6.0)[:, None, None], 2, axis=1)
    constant = np.full_like(good, 0.1)
    gap = good.copy()
    gap[3, 1, 0] = np.nan
    estimate = icc_agreement(np.concatenate([constant, good, gap], axis=2))
    assert estimate.defined.tolist() == [False, True, False]
    assert (estimate.value > 0.9).tolist() == [False, True, False]


@pytest.mark.parametrize("shape", [(6, 2), (1, 2, 3), (6, 1, 3)])
def test_ratings_of_another_shape_are_refused(shape):
    """Two axes, a single subject or a single rater are an error that shows the shape."""
    with pytest.raises(ContractError, match=r"ratings: expected \(subjects, raters, features\)"):
        icc_agreement(np.zeros(shape))


def test_kappa_of_a_worked_example():
    """50 grants, 20 both yes, 15 both no, 5 and 10 split: (.7 - .5) / (1 - .5) = .4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_kappa_is_that_of_scikit_learn(pairs):
    """Kappa equals scikit-learn's, is symmetric, and is None where only one category was ever used."""
    first, second = (list(column) for column in zip(*pairs, strict=True))
    kappa = cohen_kappa(first, second)
    if len({*first, *second}) == 1:
        assert kappa is None
    else:
        assert kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
        assert kappa == cohen_kappa(second, first)


@pytest.mark.parametrize(
    ("first", "second", "where"),
    [
        ([1], [1, 2], "second"),
        ([], [], "first"),
        ([1, None], [1, 2], r"first\[1\]"),
        ([1], [np.nan], r"second\[0\]"),
    ],
)
def test_kappa_needs_a_category_of_each_reader_for_each_subject(first, second, where):
    """Unequal lengths, no subjects and missing categories are errors that say where."""
    with pytest.raises(ContractError, match=f"^{where}:"):
        cohen_kappa(first, second)
