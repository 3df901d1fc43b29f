"""The fast engine gives pyradiomics' values: of every family on random small volumes, and of whole extractions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from radiomics import imageoperations
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import pdist

from flows.extract.calculators import outcomes
from flows.extract.discretisation import discretisation
from flows.extract.fast.correlation_coefficient import maximal_correlation
from flows.extract.fast.families import MaskFamilies
from flows.extract.fast.hulls import largest_square
from flows.extract.fast.levels import DegenerateMaskError, MaskLevels
from flows.extract.fast.neighbourhoods import neighbourhoods
from flows.extract.fast.shape import shape_features
from flows.extract.process_state import quiet
from flows.extract.radiomics import extract
from schemas.features.grey_levels import MOST_BINS
from schemas.features.radiomics_settings import HCC_CEMRI, RadiomicsSettings

RELATIVE = 1e-9
# Where the value is 0 but for rounding: of a moment of one run length, of an independent texture's correlation.
ABSOLUTE = 1e-12
FAMILIES = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")

settings_of_textures = st.builds(
    RadiomicsSettings,
    weighting_norm=st.sampled_from([None, "manhattan", "euclidean", "infinity", "no_weighting"]),
    symmetrical_glcm=st.booleans(),
    distances_voxels=st.sampled_from([(1,), (2,), (1, 2), (1, 3)]),
    gldm_alpha=st.integers(0, 2),
    force_2d=st.booleans(),
    force_2d_dimension=st.integers(0, 2),
    voxel_array_shift=st.sampled_from([0, 100]),
)


@st.composite
def masked_levels(draw):
    """Draw grey levels in a box, 0 outside a mask that touches all of its sides; parts need not touch each other."""
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    highest = draw(st.sampled_from([1, 2, 3, 10, 60, 300]))
    levels = draw(arrays(np.int64, shape, elements=st.integers(1, highest)))
    if draw(st.booleans()):
        levels = np.sort(levels.ravel()).reshape(shape)  # large zones and long runs
    inside = draw(arrays(np.bool_, shape, elements=st.booleans()) | st.just(np.ones(shape, dtype=bool)))
    assume(inside.any())
    places = np.argwhere(inside)
    box = tuple(slice(low, high + 1) for low, high in zip(places.min(0), places.max(0), strict=True))
    return np.where(inside, levels, 0)[box]


def of_reference(family, levels, settings, spacing_mm):
    """Return what pyradiomics gives of a family: values, or the reasons why there are none."""
    image = sitk.GetImageFromArray(levels * 1.5)
    mask = sitk.GetImageFromArray((levels > 0).astype(np.uint8))
    for each in (image, mask):
        each.SetSpacing(spacing_mm[::-1])
    setting = settings.pyradiomics_parameters()["setting"]
    present = np.unique(levels[levels > 0])
    return dict(outcomes(family, image, mask, setting | {"discretised": (levels, present)}))


@pytest.mark.parametrize("family", FAMILIES)
@given(levels=masked_levels(), settings=settings_of_textures)
def test_each_family_is_pyradiomics_family(family, levels, settings):
    """From one voxel to a full box, of 1 to 300 grey levels, in parts or whole, by every setting."""
    spacing_mm = (2.0, 1.0, 0.5)
    mask = MaskLevels.of_matrix(levels, spacing_mm, settings)
    with quiet():
        expected = of_reference(family, levels, settings, spacing_mm)
        try:
            found = MaskFamilies(mask, levels[levels > 0] * 1.5).features(family)
        except DegenerateMaskError:
            # Then pyradiomics is asked (`flows.extract.radiomics`): it has no value either, or an empty matrix's.
            assert family != "firstorder"
            assert family in ("glcm", "glrlm") or all(isinstance(each, str) for each in expected.values())
            return
    assert found.keys() == expected.keys()
    for name, value in found.items():
        if isinstance(expected[name], str):
            assert not math.isfinite(value), name
        else:
            assert value == pytest.approx(expected[name], rel=RELATIVE, abs=ABSOLUTE), name


@given(levels=masked_levels(), spacing_mm=st.tuples(*[st.sampled_from([0.7, 1.0, 2.5])] * 3))
def test_shape_is_pyradiomics_shape(levels, spacing_mm):
    """Mesh, diameters and axes of any mask, in one part or many; without a volume there is nothing to compare."""
    expected = of_reference("shape", levels, RadiomicsSettings(), spacing_mm)
    assume(not isinstance(expected["MeshVolume"], str) and expected["MeshVolume"] > 1e-9)
    with quiet():
        try:
            found = shape_features(levels > 0, spacing_mm)
        except DegenerateMaskError:
            assert any(isinstance(each, str) for each in expected.values())
            return
    assert found.keys() == expected.keys()
    for name, value in found.items():
        if isinstance(expected[name], str):
            assert not math.isfinite(value), name
        else:
            assert value == pytest.approx(expected[name], rel=RELATIVE), name


@given(
    voxels=arrays(np.float64, st.integers(1, 40), elements=st.floats(-500, 500)),
    width=st.sampled_from([0.1, 0.3, 1.0, 5.0, 25.0]),
)
def test_voxels_are_binned_as_by_a_search_of_the_edges(voxels, width):
    """Values on an edge, or next to one, are in the bin that the edges themselves give them."""
    settings = RadiomicsSettings(bin_width=width)
    on_edges = np.concatenate([voxels, np.round(voxels / width) * width])
    assume((on_edges.max() - on_edges.min()) / width < MOST_BINS - 2)
    edges = imageoperations.getBinEdges(on_edges, binWidth=width)
    found = discretisation(on_edges, settings)
    assert np.array_equal(found.bins, np.digitize(on_edges, edges))


@pytest.mark.parametrize("bins", [32, 256, 1000])
def test_fractions_in_single_precision_are_in_the_bins_of_pyradiomics(bins):
    """The edges are rounded then, and not equally far apart: a voxel may lie two bins from where a quotient says."""
    voxels = (10_000 + np.random.default_rng(1).random(300) * 10).astype(np.float32)
    edges = imageoperations.getBinEdges(voxels, binCount=bins)
    found = discretisation(voxels, RadiomicsSettings(bin_width=None, bin_count=bins))
    assert np.array_equal(found.bins, np.digitize(voxels, edges))


@pytest.mark.parametrize("weight", [1e-20, 1e-12, 1e-9, 1e-6, 1e-3])
def test_levels_that_weigh_next_to_nothing_are_not_the_second_largest(weight):
    """Two levels have no pair with the others: eps takes their eigenvalue of 1, and then the next one counts."""
    P = np.zeros((4, 4))
    P[:2, :2] = [[0.3, 0.2], [0.2, 0.3]]
    P[2, 3] = P[3, 2] = weight
    P /= P.sum()
    px = P.sum(1)[:, None]
    Q = sum(np.outer(P[:, k], P[:, k]) / (px * px[k] + np.spacing(1)) for k in range(4))
    expected = np.sqrt(np.sort(np.linalg.eigvals(Q).real)[-2])
    assert maximal_correlation(P[:, :, None], px, px, is_symmetric=True)[0] == pytest.approx(expected, rel=RELATIVE)


def test_every_grey_level_is_dependent_where_alpha_is_larger_than_all():
    """An alpha beyond 16 bits is one beyond the levels."""
    levels = np.arange(1, 28).reshape(3, 3, 3)
    settings = [RadiomicsSettings(gldm_alpha=alpha) for alpha in (27, 32_768, 10**6)]
    beside = [neighbourhoods(MaskLevels.of_matrix(levels, (1.0, 1.0, 1.0), each)) for each in settings]
    for each in beside[1:]:
        assert np.array_equal(each.dependents, beside[0].dependents)


def test_a_line_longer_than_the_kernels_count_is_left_to_pyradiomics():
    """Neither a run nor a number of neighbours wraps around 16 bits."""
    line = MaskLevels.of_matrix(np.ones((1, 2, 65_536), dtype=int), (1.0, 1.0, 1.0), RadiomicsSettings())
    with pytest.raises(DegenerateMaskError):
        MaskFamilies(line, np.ones(2 * 65_536)).features("glrlm")


def lesion(*, levels: float, spacing_mm=(1.0, 1.0, 2.0)):
    """Return a textured scan and a lesion's mask."""
    random = np.random.default_rng(3)
    noise = gaussian_filter(random.normal(size=(16, 36, 36)), (0.7, 1.3, 1.3))
    z, y, x = np.ogrid[-1:1:16j, -1:1:36j, -1:1:36j]
    inside = x**2 + y**2 + z**2 < 0.4
    images = (
        sitk.GetImageFromArray((noise / noise.std() * levels + 300 + 90 * inside).astype(np.float32)),
        sitk.GetImageFromArray(inside.astype(np.uint8)),
    )
    for each in images:
        each.SetSpacing(spacing_mm)
    return images


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        (HCC_CEMRI, 60.0),
        (RadiomicsSettings(bin_width=1.0), 60.0),
        (RadiomicsSettings(bin_count=16, wavelet="haar", weighting_norm="euclidean"), 60.0),
        (RadiomicsSettings(bin_width=5.0, distances_voxels=(1, 2), symmetrical_glcm=False), 40.0),
        (RadiomicsSettings(bin_width=5.0, force_2d=True), 40.0),
    ],
)
def test_both_engines_give_the_same_extraction(settings, levels):
    """Every column of an extraction is equal, and has a value by both engines or a reason by both."""
    image, mask = lesion(levels=levels)
    fast, reference = (extract(image, mask, settings, engine=engine) for engine in ("fast", "pyradiomics"))
    assert fast.values.keys() == reference.values.keys()
    assert fast.unavailable == reference.unavailable
    assert fast.grey_levels == reference.grey_levels
    assert list(fast.values.values()) == pytest.approx(
        list(reference.values.values()), rel=RELATIVE, abs=ABSOLUTE, nan_ok=True
    )


@given(places=arrays(np.float64, st.tuples(st.integers(2, 40), st.just(3)), elements=st.floats(-1e3, 1e3)))
def test_the_largest_distance_is_scipys_to_the_last_bit(places):
    """Of any places in space; the engine loads without SciPy, whose distances take a seventh of a second to load."""
    assert math.sqrt(largest_square(places)) == pdist(places).max()
