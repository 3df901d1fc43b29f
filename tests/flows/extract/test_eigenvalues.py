"""The eigenvalue of the maximal correlation coefficient, and the sums over pairs, against those of numpy."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from flows.extract.fast import joint
from flows.extract.fast.correlation_coefficient import maximal_correlation
from flows.extract.fast.eigenvalues import second_eigenvalues
from flows.extract.radiomics import extract
from schemas.features.radiomics_settings import HCC_CEMRI

EPS = np.spacing(1)


def reference(P):
    """Return the second largest eigenvalue of Haralick's Q, which LAPACK finds among all."""
    px = P.sum(1)
    Q = (P / (np.outer(px, px) + EPS)) @ P.T
    used = px > 0
    return np.sort(np.linalg.eigvals(Q[used][:, used]).real)[-2]


def found(P):
    """Return ours, NaN where it is left to LAPACK."""
    return second_eigenvalues(P[:, :, None], EPS, 1e-6, 1e-6, 1e-11)[0]


def mcc(P):
    """Return the coefficient, whichever way finds it."""
    px = P.sum(1)[:, None]
    return maximal_correlation(P[:, :, None], px, px, is_symmetric=True)[0]


def symmetric(counts):
    """Return the shares of pairs, each counted both ways."""
    both = counts + counts.T
    return both / both.sum()


@settings(deadline=None, max_examples=60)
@given(
    n_levels=st.integers(2, 150),
    pairs_a_level=st.sampled_from([0.3, 1, 3, 30, 1000]),
    width=st.sampled_from([0.0, 1.0, 5.0, 1000.0]),
    seed=st.integers(0, 999),
)
def test_it_is_that_of_all_eigenvalues(n_levels, pairs_a_level, width, seed):
    """Of textures rough or smooth, levels that are rare, missing, or without a pair with the others."""
    random = np.random.default_rng(seed)
    n_pairs = int(n_levels * pairs_a_level) + 1
    first = np.clip(random.normal(n_levels / 2, n_levels / 4, n_pairs), 0, n_levels - 1).astype(int)
    second = np.clip(np.round(first + random.normal(0, width + 1e-9, n_pairs)), 0, n_levels - 1).astype(int)
    counts = np.zeros((n_levels, n_levels))
    np.add.at(counts, (first, second), 1)
    P = symmetric(counts)
    if np.count_nonzero(P.sum(1)) < 2:
        return
    if not np.isnan(ours := found(P)):
        assert ours == pytest.approx(reference(P), rel=1e-9)
    if reference(P) > 1e-6:
        assert mcc(P) == pytest.approx(np.sqrt(reference(P)), rel=1e-9)


@pytest.mark.parametrize("pairs", [1, 20])
def test_levels_apart_are_found_without_all_eigenvalues(pairs):
    """Two parts make an eigenvalue 1 twice; levels that pair with each other only by turns make two parts as well."""
    random = np.random.default_rng(1)
    counts = np.zeros((60, 60))
    counts[:50, :50] = random.integers(0, 5, (50, 50))
    counts[50:55, 55:] = pairs * random.integers(1, 5, (5, 5))
    P = symmetric(counts)
    assert found(P) == pytest.approx(reference(P), rel=1e-12)
    assert 1 - 1e-6 < found(P) < 1


@pytest.mark.parametrize("seed", range(12))
def test_an_eigenvalue_below_zero_is_not_missed(seed):
    """Rows of levels that pair with the next, and levels that pair by turns: the largest size is at either end."""
    random = np.random.default_rng(seed)
    counts = random.poisson(0.02, (90, 90)).astype(float)
    first = random.integers(0, 40, 4000)
    np.add.at(counts, (first, np.clip(first + random.integers(-9, 10, 4000), 0, 39)), 1)
    turn = random.integers(40, 65, 4000)
    np.add.at(counts, (turn, np.clip(turn + 25 + random.integers(-9, 10, 4000), 65, 89)), 1)
    P = symmetric(counts)
    assert mcc(P) == pytest.approx(np.sqrt(reference(P)), rel=1e-9)


def test_a_texture_whose_second_largest_settles_last_has_pyradiomics_value():
    """At one angle of this texture +.9549 settles while -.9555, at the other end, is not found yet."""
    random = np.random.default_rng(1)
    shape = tuple(random.integers(14, 40, 3))
    blob = gaussian_filter(random.normal(size=shape), random.uniform(1.5, 4))
    inside = blob > np.quantile(blob, random.uniform(0.7, 0.97))
    noise = gaussian_filter(random.normal(size=shape), random.uniform(0, 1.5))
    array = 300 + noise / noise.std() * random.uniform(5, 150) + 80 * inside
    images = sitk.GetImageFromArray(np.round(array).astype(np.int16)), sitk.GetImageFromArray(inside.astype(np.uint8))
    spacing_mm = [float(each) for each in random.choice([0.8, 1.0, 1.4, 3.0], 3)]
    for image in images:
        image.SetSpacing(spacing_mm)
    options = HCC_CEMRI.model_copy(update={"wavelet": None, "log_sigma_mm": (), "families": ("glcm",)})
    ours, expected = (extract(*images, options, engine=engine).values for engine in ("fast", "pyradiomics"))
    assert ours["original_glcm_MCC"] == pytest.approx(expected["original_glcm_MCC"], rel=1e-9)


def test_equal_eigenvalues_are_left_to_the_whole_matrix():
    """Where every level has the same share of pairs with itself, all eigenvalues but the first are one."""
    P = symmetric(np.eye(9) + 0.5)
    assert np.isnan(found(P))
    assert mcc(P) == pytest.approx(np.sqrt(reference(P)), rel=1e-9)


def test_a_long_chain_of_levels_is_left_to_the_whole_matrix():
    """Each of 700 levels has pairs with the next alone: the eigenvalues lie too close for the recursion."""
    chain = np.diag(np.ones(699), 1) + 0.5 * np.eye(700)
    P = symmetric(chain)
    assert np.isnan(found(P))
    assert mcc(P) == pytest.approx(np.sqrt(reference(P)), rel=1e-9)


def test_angles_are_found_each_for_itself():
    """In whatever order the angles lie in memory, and whatever was found before, the bits are the same."""
    random = np.random.default_rng(4)
    each = [symmetric(random.integers(0, 4, (40, 40)).astype(float)) for _ in range(5)]
    alone = [found(P) for P in each]
    assert second_eigenvalues(np.stack(each, axis=2), EPS, 1e-6, 1e-6, 1e-11).tolist() == alone
    beside = np.stack(each[::-1]).transpose(1, 2, 0)
    assert second_eigenvalues(beside, EPS, 1e-6, 1e-6, 1e-11).tolist() == alone[::-1]


@settings(deadline=None)
@given(
    n_levels=st.integers(1, 40),
    n_angles=st.integers(2, 14),
    gaps=st.booleans(),
    first_moves_fastest=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_over_pairs_have_the_bits_of_numpy(n_levels, n_angles, gaps, first_moves_fastest, seed):
    """Where rounding decides a feature, the order of the sums is numpy's, for either order in memory."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 3, (n_levels, n_levels, n_angles)).astype(float)
    counts += counts.transpose(1, 0, 2)
    counts[0, 0] += 1
    P = counts / counts.sum((0, 1))
    if first_moves_fastest:
        P = np.ascontiguousarray(P.transpose(1, 0, 2)).transpose(1, 0, 2)
    present = np.cumsum(random.integers(1, 4 if gaps else 2, n_levels))
    ours = joint.pair_sums(P, present, is_symmetric=True)
    of_numpy = joint._by_numpy(P, present)
    for name, one, other in zip(ours._fields, ours, of_numpy, strict=True):
        if name == "product":
            np.testing.assert_allclose(one, other, rtol=1e-13, err_msg=name)
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)
