"""Numbers of a class activation map: bounds, cases that can be worked out, and what a better map must give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo.attention.scores import (
    PixelCurve,
    attention_scores,
    blurred,
    energy_share,
    margin_band,
    replacement_curve,
)

SHAPE = (9, 11)
MAPS = arrays(np.float64, SHAPE, elements=st.floats(0, 1, width=32))
MASKS = arrays(np.bool_, SHAPE)


def disc(size: int, radius: float) -> np.ndarray:
    """Return a disc in the middle of a square."""
    ys, xs = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(ys, xs) <= radius


@given(MAPS, MASKS)
def test_energies_of_a_region_and_its_rest_make_one(attention, mask):
    """The share lies between 0 and 1, and with that of all other pixels it is 1; a zero map has none."""
    share, rest = energy_share(attention, mask), energy_share(attention, ~mask)
    if attention.sum() == 0:
        assert np.isnan(share)
    else:
        assert 0 <= share <= 1
        assert share + rest == pytest.approx(1)


@given(MAPS, MASKS, MASKS, st.floats(0.01, 100))
def test_energy_grows_with_the_region_and_ignores_the_maps_scale(attention, mask, more, scale):
    """A larger region has no less energy; a map in another unit has the same."""
    if attention.sum() > 0:
        assert energy_share(attention, mask | more) >= energy_share(attention, mask) - 1e-12
        assert energy_share(scale * attention, mask) == pytest.approx(energy_share(attention, mask))


def test_a_flat_maps_energy_is_the_regions_area():
    """Of a map that is the same everywhere a region has its share of the pixels; of a map inside it, all."""
    mask = disc(40, 10)
    assert energy_share(np.full((40, 40), 0.3), mask) == pytest.approx(mask.mean())
    assert energy_share(mask.astype(float), mask) == 1
    assert energy_share((~mask).astype(float), mask) == 0


@given(MASKS, st.floats(0, 30), st.floats(0, 30))
def test_the_band_is_that_of_the_outline(mask, width, more):
    """A mask and its complement have one outline and one band; a wider band contains a narrower one."""
    band = margin_band(mask, width)
    np.testing.assert_array_equal(band, margin_band(~mask, width))
    assert not (band & ~margin_band(mask, width + more)).any()
    if mask.all() or not mask.any() or width < 2:
        assert not band.any()


def test_bands_of_known_masks():
    """Along a straight outline the band is width / 2 pixels on either side; spacing turns pixels into millimetres."""
    half = np.zeros((12, 20), dtype=bool)
    half[:, :10] = True
    expected = np.zeros_like(half)
    expected[:, 7:13] = True
    np.testing.assert_array_equal(margin_band(half, 6), expected)
    np.testing.assert_array_equal(margin_band(half, 3, (0.5, 0.5)), expected)
    # Pixels 2 mm wide across the outline: half of 6 mm reaches over one of them.
    expected[:] = False
    expected[:, 9:11] = True
    np.testing.assert_array_equal(margin_band(half, 6, (1.0, 2.0)), expected)
    # A ring about a disc of radius 20: 2 pi r w, within the error of its pixels.
    assert margin_band(disc(64, 20), 6).sum() == pytest.approx(2 * np.pi * 20 * 6, rel=0.05)


def additive(weights: np.ndarray):
    """Return a network whose probability is a weighted sum of its pixels."""
    return lambda images: (images[:, 0] * weights).sum(axis=(1, 2))


@given(arrays(np.float64, SHAPE, elements=st.floats(0, 1)), MAPS, st.integers(1, 120))
def test_curves_stay_between_the_extremes(weights, attention, steps):
    """A curve runs over the whole range of pixels, and its area is between its lowest and highest point."""
    image = np.ones((1, *SHAPE))
    curve = replacement_curve(image, np.zeros_like(image), attention, additive(weights), steps=steps)
    assert (curve.replaced[0], curve.replaced[-1]) == (0, 1)
    assert len(curve.replaced) == min(steps, 99) + 1
    assert (np.diff(curve.replaced) > 0).all()
    np.testing.assert_allclose(curve.probability[[0, -1]], [weights.sum(), 0], atol=1e-12)
    # Taking away what counts for the class never raises its probability.
    assert (np.diff(curve.probability) <= 1e-9).all()
    assert curve.probability.min() - 1e-9 <= curve.area <= curve.probability.max() + 1e-9


@given(arrays(np.float64, SHAPE, elements=st.floats(0, 1)), MAPS)
def test_no_map_beats_the_truth(weights, attention):
    """Where pixels add up, the map of their weights has the highest insertion area and the lowest deletion area."""
    full, empty = np.ones((1, *SHAPE)), np.zeros((1, *SHAPE))
    network = additive(weights / max(1.0, weights.sum()))

    def areas(by: np.ndarray) -> tuple[float, float]:
        return (
            replacement_curve(empty, full, by, network, steps=99).area,
            replacement_curve(full, empty, by, network, steps=99).area,
        )

    insertion, deletion = areas(attention)
    best, lowest = areas(weights)
    assert insertion <= best + 1e-9
    assert deletion >= lowest - 1e-9
    # What one removes the other keeps: of an additive network both areas make the whole.
    assert insertion + deletion == pytest.approx(network(full[None])[0])


def test_areas_of_known_curves():
    """One pixel of ten carries the class: found first it is gone after a tenth, found last it stays to the end."""
    image = np.ones((2, 2, 5))
    right, wrong = np.zeros((2, 5)), np.ones((2, 5))
    right[1, 2], wrong[1, 2] = 1.0, 0.0

    def network(images: np.ndarray) -> np.ndarray:
        return images[:, :, 1, 2].mean(axis=1)

    first = replacement_curve(image, np.zeros_like(image), right, network)
    last = replacement_curve(image, np.zeros_like(image), wrong, network)
    np.testing.assert_array_equal(first.probability, [1] + 10 * [0])
    assert (first.area, last.area) == (pytest.approx(0.05), pytest.approx(0.95))
    assert PixelCurve(np.array([0.0, 0.25, 1.0]), np.array([0.0, 1.0, 1.0])).area == pytest.approx(0.875)


def test_blurring_takes_detail_and_keeps_the_mean():
    """Noise loses nearly all of its spread, each slice by itself; a constant slice stays as it is."""
    image = np.random.default_rng(0).normal(size=(2, 224, 224))
    image[1] = 4.0
    found = blurred(image)
    # A Gaussian of s pixels leaves 1 / (2 s sqrt(pi)) of white noise's spread; here s = 5.
    assert found[0].std() == pytest.approx(1 / (10 * np.sqrt(np.pi)), rel=0.15)
    np.testing.assert_allclose(found[1], 4.0)


def test_scores_of_a_map_that_lies_on_the_margin():
    """All energy is on the band, none inside; of a flat map the energies are the areas; nothing is counted twice."""
    mask, image = disc(32, 9), np.random.default_rng(1).normal(size=(3, 32, 32))
    band = margin_band(mask, 4)

    def network(images: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-images.std(axis=(1, 2, 3))))

    found = attention_scores(image, mask, band.astype(float), network, margin=4)
    assert (found.energy_inside, found.energy_margin) == (0, 1)
    assert found.area_margin == pytest.approx(band.mean())
    assert found.area_inside == pytest.approx((mask & ~band).mean())
    assert 0 < found.deletion_auc < network(image[None])[0]
    flat = attention_scores(image, mask, np.ones((32, 32)), network, margin=4)
    assert (flat.energy_inside, flat.energy_margin) == (
        pytest.approx(flat.area_inside),
        pytest.approx(flat.area_margin),
    )
