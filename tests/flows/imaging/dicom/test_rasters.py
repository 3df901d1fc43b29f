"""The voxels that contours enclose: by hand, by brute force, and by the rule for edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon

from flows.imaging.dicom.rasters import UNIT, is_enclosing, raster
from schemas.errors import ContractError

SHAPE = (7, 9)

WHOLE = st.integers(-3, 11)
SIXTEENTHS = st.integers(-40, 180).map(lambda n: n / 16)
ANYWHERE = st.floats(-3, 11, allow_nan=False)


def contours_of(number):
    """Return a strategy for a few polygons, crossing themselves and one another."""
    polygon = st.lists(st.tuples(number, number), min_size=3, max_size=8).map(lambda each: np.array(each, dtype=float))
    return st.lists(polygon, min_size=1, max_size=3)


def drawn(*rows):
    """Return a mask from its drawing."""
    return np.array([[each == "#" for each in row] for row in rows])


def mask(*contours, shape=SHAPE):
    """Return the voxels that contours enclose."""
    return raster([np.array(each, dtype=float) for each in contours], shape)


RECTANGLE = drawn(
    ".........",
    "..####...",
    "..####...",
    "..####...",
    ".........",
    ".........",
    ".........",
)


@pytest.mark.parametrize(
    "corners",
    [
        [(1.5, 0.5), (5.5, 0.5), (5.5, 3.5), (1.5, 3.5)],
        [(1.5, 3.5), (5.5, 3.5), (5.5, 0.5), (1.5, 0.5)],
        [(2, 1), (6, 1), (6, 4), (2, 4)],
        [(2, 1), (2, 1), (6, 1), (6, 4), (2, 4), (2, 1)],
    ],
    ids=["between", "backwards", "on centres", "closed twice"],
)
def test_a_rectangle_is_its_voxels(corners):
    """An edge on centres has those at its left and top, and not those at its right and bottom."""
    assert np.array_equal(mask(corners), RECTANGLE)


def test_a_triangle_is_its_voxels():
    """Its slanting edges run through centres: those at the left belong to it, those at the right do not."""
    expected = drawn(
        ".........",
        "...##....",
        "..####...",
        ".######..",
        ".........",
        ".........",
        ".........",
    )
    assert np.array_equal(mask([(4, 0), (8, 4), (0, 4)]), expected)


def test_a_hole_is_left_out_however_it_is_drawn():
    """As an inner contour, in either direction, and joined by a channel that runs there and back."""
    outer = [(0.5, 0.5), (7.5, 0.5), (7.5, 5.5), (0.5, 5.5)]
    inner = [(2.5, 2.5), (5.5, 2.5), (5.5, 3.5), (2.5, 3.5)]
    ring = drawn(
        ".........",
        ".#######.",
        ".#######.",
        ".##...##.",
        ".#######.",
        ".#######.",
        ".........",
    )
    keyhole = [outer[0], *inner, inner[0], *outer]
    assert np.array_equal(mask(outer, inner), ring)
    assert np.array_equal(mask(outer, inner[::-1]), ring)
    assert np.array_equal(mask(keyhole), ring)


def test_two_parts_are_both_there_and_an_island_in_a_hole_too():
    """Each contour further in is inside, outside and inside again."""
    squares = [[(a - 0.5, a - 0.5), (8.5 - a, a - 0.5), (8.5 - a, 8.5 - a), (a - 0.5, 8.5 - a)] for a in (0, 1, 2)]
    rings = mask(*squares, shape=(9, 9))
    assert rings[4, 4]
    assert not rings[1, 1:8].any()
    assert rings[0].all()
    parts = mask([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)], [(5.5, 3.5), (7.5, 3.5), (7.5, 5.5), (5.5, 5.5)])
    assert parts.sum() == 8


def brute_force(contours, shape):
    """Return the even-odd rule at each centre, in fractions: crossings at or left of it, of edges that reach it."""
    inside = np.zeros(shape, dtype=bool)
    for contour in contours:
        points = [(Fraction(round(x * UNIT), UNIT), Fraction(round(y * UNIT), UNIT)) for x, y in contour]
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            for j in range(shape[0]):
                if (y0 <= j) != (y1 <= j):
                    crossing = x0 + (j - y0) * (x1 - x0) / (y1 - y0)
                    inside[j] ^= np.array([crossing <= i for i in range(shape[1])])
    return inside


@settings(deadline=None)  # fractions are slow
@given(contours_of(WHOLE) | contours_of(SIXTEENTHS) | contours_of(ANYWHERE))
def test_any_contours_are_what_counting_crossings_gives(contours):
    """Exactly, also where vertices and edges lie on centres."""
    assert np.array_equal(raster(contours, SHAPE), brute_force(contours, SHAPE))


@given(contours_of(ANYWHERE), st.data())
def test_direction_and_beginning_of_a_contour_do_not_count(contours, data):
    """A contour that runs backwards from elsewhere encloses the same."""
    turned = [np.roll(each, data.draw(st.integers(0, 9)), axis=0)[::-1] for each in contours]
    assert np.array_equal(raster(contours, SHAPE), raster(turned, SHAPE))


@given(st.integers(3, 9), st.floats(0.5, 4), st.floats(0, 6), st.floats(1, 7), st.floats(1, 5))
def test_convex_contours_are_what_matplotlib_gives(count, radius, turn, x, y):
    """But for centres on the very edge, which it gives to neither side or both."""
    angles = turn + 2 * np.pi * np.arange(count) / count
    contour = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    centres = np.stack(np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0])), axis=-1).reshape(-1, 2)
    polygon = Polygon(contour)
    inner, outer = (polygon.contains_points(centres, radius=by).reshape(SHAPE) for by in (-1e-3, 1e-3))
    ours = raster([contour], SHAPE)
    clear = inner == outer
    assert np.array_equal(ours[clear], inner[clear])


@given(st.tuples(WHOLE, WHOLE), st.tuples(WHOLE, WHOLE))
def test_a_shared_edge_has_no_voxel_twice_and_none_left_out(one, other):
    """The two parts of a square that is cut along any line are together the square, and share nothing."""
    square = [(-20.0, -20.0), (30.0, -20.0), (30.0, 30.0), (-20.0, 30.0)]
    left = np.array([square[0], square[1], one, other, square[3]])
    right = np.array([square[1], square[2], square[3], other, one])
    assert (raster([left], SHAPE) ^ raster([right], SHAPE)).all()


@pytest.mark.parametrize(
    ("contour", "encloses"),
    [
        ([(1, 1)], False),
        ([(1, 1), (2, 2)], False),
        ([(1, 1), (2, 2), (1, 1), (2, 2)], False),
        ([(1, 1), (2, 2), (3, 3)], False),
        ([(1, 1), (2, 2), (3, 3.5)], True),
    ],
)
def test_points_and_lines_enclose_nothing(contour, encloses):
    """Three different vertices that are not on one line are needed."""
    assert is_enclosing(np.array(contour, dtype=float)) == encloses


def test_a_point_beyond_what_is_counted_in_is_refused():
    """Whole numbers of 64 bits hold each product below that."""
    far = 32_000.0
    assert mask([(-far, -far), (far, -far), (far, far), (-far, far)]).all()
    with pytest.raises(ContractError, match="32768 voxels away"):
        mask([(0, 0), (1e9, 0), (0, 1e9)])
