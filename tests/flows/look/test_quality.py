"""What is measured of a mask, against values worked out by hand, and what is flagged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flows.imaging.grids import Grid
from flows.look.quality import flags_of, measures_of
from flows.look.slices import slice_plane

SPACING = (0.5, 2.0, 3.0)
PLANE = slice_plane(Grid((20, 12, 8), SPACING, (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)))


def measured(mask: np.ndarray, voxels: np.ndarray | None = None):
    """Return the measures of a mask on an image of counted voxels."""
    image = np.arange(mask.size).reshape(mask.shape) if voxels is None else voxels
    return measures_of(image, mask, PLANE, SPACING[2])


def box() -> np.ndarray:
    """Return a mask of 4 slices, 5 rows and 9 columns, away from the border."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[2:6, 3:8, 4:13] = True
    return mask


def test_a_box_has_the_measures_of_a_box() -> None:
    """180 voxels of 3 mm3; the diagonal is of 4 rows of 2 mm and 8 columns of 0.5 mm between centres."""
    found = measured(box())
    assert (found.voxels, found.slices, found.parts, found.at_border) == (180, 4, 1, False)
    assert found.volume_ml == pytest.approx(0.54)
    assert found.diameter_mm == pytest.approx(np.hypot(8, 4))
    assert (found.levels, found.lowest, found.highest) == (180, 2 * 240 + 3 * 20 + 4, 5 * 240 + 7 * 20 + 12)
    assert flags_of(found, []) == ()


def test_the_diameter_is_that_of_all_pairs() -> None:
    """Random masks of one slice: the longest distance of any two voxels of it."""
    random = np.random.default_rng(3)
    for share in (0.02, 0.1, 0.5):
        mask = np.zeros((8, 12, 20), dtype=bool)
        mask[4] = random.random((12, 20)) < share
        points = np.argwhere(mask[4]) * (2.0, 0.5)
        expected = max(np.linalg.norm(one - other) for one in points for other in points)
        assert measured(mask).diameter_mm == pytest.approx(expected)


def test_what_is_odd_is_flagged() -> None:
    """Few voxels and slices, parts that touch nowhere, the border, one intensity, another volume than elsewhere."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[0, 5, 5] = True
    found = measured(mask, np.full(mask.shape, 7))
    assert (found.parts, found.levels) == (2, 1)
    assert flags_of(found, [measured(box()), measured(box())]) == (
        "3 voxels: too few for texture",
        "1 slice",
        "2 parts",
        "at the border of the image",
        "one intensity",
        "0.017 times the volume of the other phases",
    )


def test_one_voxel_has_no_diameter() -> None:
    """A single voxel is measured too."""
    mask = np.zeros((8, 12, 20), dtype=bool)
    mask[4, 6, 6] = True
    assert measured(mask).diameter_mm == 0


def test_volumes_up_to_twice_those_of_other_phases_are_no_flag() -> None:
    """The bound is twofold, in either direction."""
    found = measured(box())
    assert flags_of(found, [replace(found, volume_ml=found.volume_ml * 2)]) == ()
    assert len(flags_of(found, [replace(found, volume_ml=found.volume_ml * 2.01)])) == 1
