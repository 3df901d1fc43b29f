"""What is measured of a mask, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from flows.scans.measures import MOST_VALUES, measures_of
from schemas.settings import IMAGE_BYTES

SPACING = (0.5, 2.0, 3.0)


def measured(mask: np.ndarray, voxels: np.ndarray | None = None):
    """Return the measures of a mask on an image of counted voxels."""
    image = np.arange(mask.size).reshape(mask.shape) if voxels is None else voxels
    return measures_of(image, mask, SPACING)


def box() -> np.ndarray:
    """Return a mask of 4 slices, 5 rows and 9 columns, away from the border."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[2:6, 3:8, 4:13] = True
    return mask


def test_a_box_has_the_measures_of_a_box() -> None:
    """Of 180 voxels in one part the diagonal is of 4 rows of 2 mm and 8 columns of 0.5 mm between centres."""
    found = measured(box())
    assert found == (180, 1, 180, 0, 4, pytest.approx(np.hypot(8, 4)), 180, 2 * 240 + 3 * 20 + 4, 5 * 240 + 7 * 20 + 12)
    assert "voxels" not in found.columns()


def test_the_diameter_is_that_of_all_pairs() -> None:
    """Random masks of one slice: the longest distance of any two voxels of it."""
    random = np.random.default_rng(3)
    for share in (0.02, 0.1, 0.5):
        mask = np.zeros((8, 12, 20), dtype=bool)
        mask[4] = random.random((12, 20)) < share
        points = np.argwhere(mask[4]) * (2.0, 0.5)
        expected = max(np.linalg.norm(one - other) for one in points for other in points)
        assert measured(mask).diameter_mm == pytest.approx(expected)


def test_parts_that_touch_at_a_corner_are_one() -> None:
    """Two voxels by a corner and one apart: two parts, the larger of two voxels."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[2, 2, 2] = mask[3, 3, 3] = mask[5, 5, 5] = True
    found = measured(mask, np.full(mask.shape, 7))
    assert (found.voxels, found.components, found.largest_component, found.slices) == (3, 2, 2, 3)
    assert (found.distinct_values, found.lowest, found.highest) == (1, 7, 7)


def test_parts_are_those_of_scipy() -> None:
    """Random masks: as many parts as scipy.ndimage.label finds, the largest of as many voxels."""
    random = np.random.default_rng(5)
    for share in (0.01, 0.03, 0.08):
        mask = random.random((8, 12, 20)) < share
        sizes = np.bincount(label(mask, np.ones((3, 3, 3)))[0].ravel())[1:]
        found = measured(mask)
        assert (found.components, found.largest_component) == (len(sizes), sizes.max())


def test_voxels_at_the_border_are_counted_once() -> None:
    """A corner belongs to three faces and is one voxel; an axis of one voxel has no border."""
    mask = np.ones((2, 3, 4), dtype=bool)
    assert measured(mask).border_voxels == 24
    assert measured(np.ones((3, 4, 5), dtype=bool)).border_voxels == 60 - 1 * 2 * 3
    flat = np.zeros((1, 12, 20), dtype=bool)
    flat[0, 5:7, 5:7] = True
    assert measured(flat).border_voxels == 0
    flat[0, 0, 0] = True
    assert measured(flat).border_voxels == 1


def test_one_voxel_has_no_diameter() -> None:
    """A single voxel is measured too."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[4, 6, 6] = True
    assert measured(mask).diameter_mm == 0


def test_what_a_large_lesion_takes_is_bounded(monkeypatch) -> None:
    """Intensities are counted up to a bound, parts where they fit into memory; all else is told of any size."""
    mask = np.ones((3, 300, 300), dtype=bool)
    assert measured(mask).distinct_values == MOST_VALUES
    assert measured(mask, np.full(mask.shape, 7)).distinct_values == 1
    monkeypatch.setenv(IMAGE_BYTES.variable, str(mask.size))
    found = measured(mask)
    assert (found.components, found.largest_component, found.slices) == (None, None, 3)
    assert found.diameter_mm == pytest.approx(np.hypot(299 * 0.5, 299 * 2.0))
    assert (found.lowest, found.highest) == (0, mask.size - 1)
