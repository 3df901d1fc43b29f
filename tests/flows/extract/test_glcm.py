"""The fast engine's GLCM against pyradiomics' own, the reference for every value here."""

import logging
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from radiomics.glcm import RadiomicsGLCM

from flows.extract.fast import kernels
from flows.extract.fast.glcm import glcm_features
from flows.extract.fast.levels import DegenerateMaskError, MaskLevels
from schemas.features.radiomics_settings import RadiomicsSettings


def _image(array):
    return sitk.GetImageFromArray(array)


def _features(levels, inside, **setting):
    """Return all features as pyradiomics' ``execute`` leaves them: NaN where a calculation fails."""
    logger = logging.getLogger("radiomics")
    logger.setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        glcm = RadiomicsGLCM(_image(levels), _image(inside.astype(np.uint8)), **{"binWidth": 1} | setting)
        glcm.logger = logger
        return {name: float(np.squeeze(value)) for name, value in glcm.execute().items()}


def _mask_levels(levels, inside, **setting):
    """Return the mask as the fast engine takes it, in the bins of pyradiomics."""
    binned = RadiomicsGLCM(_image(levels), _image(inside.astype(np.uint8)), **{"binWidth": 1} | setting)
    settings = RadiomicsSettings(
        symmetrical_glcm=setting.get("symmetricalGLCM", True),
        weighting_norm=setting.get("weightingNorm"),
        force_2d=setting.get("force2D", False),
        distances_voxels=tuple(setting.get("distances", (1,))),
    )
    matrix = np.where(inside, binned.imageArray, 0).astype(int)
    return MaskLevels.of_matrix(matrix, (1.0, 1.0, 1.0), settings)


def _fast_features(levels, inside, **setting):
    """Return what the fast engine gives; of a mask without neighbours pyradiomics is asked, as in `engines`."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return glcm_features(_mask_levels(levels, inside, **setting))
        except DegenerateMaskError:
            return _features(levels, inside, **setting)


def _assert_equal_features(levels, inside, **setting):
    expected = _features(levels, inside, **setting)
    found = _fast_features(levels, inside, **setting)
    assert found.keys() == expected.keys()
    fast = {name: found[name] for name in expected}
    # Odd moments of a symmetric distribution are 0 but for rounding, hence an absolute tolerance as well.
    absolute = 1e-14 * float(np.ptp(levels) + 1) ** 4
    np.testing.assert_allclose(
        list(fast.values()), list(expected.values()), rtol=1e-9, atol=absolute, err_msg=str(list(fast))
    )


def _textured(seed, shape, n_levels):
    random = np.random.default_rng(seed)
    return random.integers(1, n_levels + 1, shape).astype(float)


@st.composite
def _small_regions(draw):
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(2, 4)))
    n_voxels = int(np.prod(shape))
    levels = draw(st.lists(st.integers(1, 6), min_size=n_voxels, max_size=n_voxels))
    inside = draw(st.lists(st.booleans(), min_size=n_voxels, max_size=n_voxels))
    return np.reshape(levels, shape).astype(float), np.reshape(inside, shape)


@settings(max_examples=200, deadline=None)
@given(
    region=_small_regions(),
    symmetrical=st.booleans(),
    weighting=st.sampled_from([None, None, "no_weighting", "euclidean"]),
    force_2d=st.booleans(),
)
def test_small_regions_have_the_values_of_pyradiomics(region, symmetrical, weighting, force_2d):
    """Every feature of any small region equals pyradiomics', undefined ones included."""
    levels, inside = region
    inside.flat[0] = True
    _assert_equal_features(levels, inside, symmetricalGLCM=symmetrical, weightingNorm=weighting, force2D=force_2d)


@pytest.mark.parametrize("n_levels", [2, 12, 80])
def test_textured_regions_have_the_values_of_pyradiomics(n_levels):
    """A textured region with few or many grey levels equals pyradiomics."""
    _assert_equal_features(_textured(n_levels, (12, 13, 14), n_levels), np.ones((12, 13, 14), bool))


def test_absent_grey_levels_are_skipped():
    """Grey levels that no voxel has leave gaps in i + j and |i - j| as in pyradiomics."""
    levels = np.choose(_textured(5, (8, 8, 8), 4).astype(int) - 1, [1.0, 2.0, 9.0, 40.0])
    _assert_equal_features(levels, np.ones(levels.shape, bool))


def test_distances_beyond_the_region_give_empty_angles():
    """Angles without a pair of voxels are left out of every mean."""
    _assert_equal_features(_textured(6, (2, 6, 6), 5), np.ones((2, 6, 6), bool), distances=[1, 3])


def test_one_grey_level_has_the_conventional_values():
    """A flat region has correlation 1, MCC 1 and no contrast, by pyradiomics' convention."""
    inside = np.ones((3, 3, 3), bool)
    flat = _fast_features(np.full((3, 3, 3), 4.0), inside)
    assert (flat["Correlation"], flat["MCC"], flat["Contrast"]) == (1.0, 1.0, 0.0)
    _assert_equal_features(np.full((3, 3, 3), 4.0), inside)


@pytest.mark.parametrize("other", [(0, 0, 1), (2, 2, 2)], ids=["neighbours", "apart"])
def test_two_voxels_have_the_values_of_pyradiomics(other):
    """Two voxels share one angle, or none, and then no feature has a value."""
    inside = np.zeros((3, 3, 3), bool)
    inside[0, 0, 0] = inside[other] = True
    levels = _textured(7, (3, 3, 3), 2)
    _assert_equal_features(levels, inside)


@pytest.mark.parametrize(("one", "two"), [(1, 6), (2, 7), (3, 2), (4, 3), (5, 4), (7, 1)])
def test_independent_neighbours_keep_pyradiomics_rounding(one, two):
    """Where i and j are independent, MCC and IMC2 are rounding alone and yet those of pyradiomics.

    A row of voxels whose pairs (1, 1), (1, 2) and (2, 2) are as one**2 to one * two to two**2 has a matrix of
    rank one: the second eigenvalue is 0, and the sign of its rounding decides whether MCC exists.
    """
    scale = 1 if one % 2 == two % 2 == 0 else 2
    n_runs = scale * one * two + 1
    lengths = np.ones(n_runs, int)
    lengths[:2] += (two**2 * scale // 2, one**2 * scale // 2)
    levels = np.repeat(np.where(np.arange(n_runs) % 2, 1.0, 2.0), lengths)[None, None]
    inside = np.ones(levels.shape, bool)
    expected, fast = _features(levels, inside), _fast_features(levels, inside)
    for name in ("MCC", "Imc1", "Imc2"):
        np.testing.assert_equal(fast[name], expected[name], err_msg=name)


def test_haralicks_example_has_the_matrix_counted_by_hand():
    """The horizontal matrix and contrast of Haralick's 4 x 4 image are those of the paper.

    Haralick et al. 1973 (doi:10.1109/TSMC.1973.4309314), figure 3: a 4 x 4 image with levels 0 to 3; the
    horizontal matrix has 24 pairs, the largest entry 6, and squared differences that sum to 14.
    """
    levels = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]]], float) + 1
    mask = _mask_levels(levels, np.ones(levels.shape, bool))
    pairs = kernels.pair_counts(mask.ranks, mask.layout.rows, mask.offsets(mask.angles()), 4, False)
    horizontal = pairs + pairs.transpose(1, 0, 2)
    counts = np.array([[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]])
    angles = [angle for angle in range(4) if np.allclose(horizontal[:, :, angle], counts)]
    assert len(angles) == 1
    i = mask.grey
    squared = np.sum((i[:, None] - i) ** 2 * horizontal[:, :, angles[0]] / 24)
    assert squared == pytest.approx(14 / 24)
