"""Slices are cut as acquired and shown as readers expect them, compared with SimpleITK's own reorientation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.grids import grid_of
from flows.look.slices import slice_plane

CODES = ["".join(axes) for order in permutations(("LR", "PA", "SI")) for axes in product(*order)]
SHOWN = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIL"}
"""Where columns, rows and slices go in each plane, in ITK's letters."""


def image_of(code: str) -> sitk.Image:
    """Return an image whose voxels all differ and whose axes run as a code says."""
    image = sitk.GetImageFromArray(np.arange(4 * 5 * 6).reshape(4, 5, 6))
    image.SetSpacing((0.5, 0.75, 3.0))
    return sitk.DICOMOrient(image, code)


@pytest.mark.parametrize("code", CODES)
def test_any_order_of_axes_is_shown_alike(code: str) -> None:
    """All 48 orders and directions of axes come out as ITK brings them to the plane's own."""
    image = image_of(code)
    plane = slice_plane(grid_of(image))
    assert plane.name == {"S": "axial", "I": "axial", "P": "coronal", "A": "coronal"}.get(code[2], "sagittal")
    expected = sitk.DICOMOrient(image, SHOWN[plane.name])
    assert np.array_equal(plane.shown(sitk.GetArrayFromImage(image)), sitk.GetArrayFromImage(expected))
    assert (plane.right_mm, plane.down_mm) == expected.GetSpacing()[:2]


def test_an_oblique_scan_is_of_the_nearest_plane() -> None:
    """Turned by 30 degrees about the patient's left-right axis, an axial scan stays one, as it was acquired."""
    image = sitk.GetImageFromArray(np.arange(24).reshape(2, 3, 4))
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    image.SetDirection((1, 0, 0, 0, c, -s, 0, s, c))
    plane = slice_plane(grid_of(image))
    assert plane.name == "axial"
    assert np.array_equal(plane.shown(sitk.GetArrayFromImage(image)), sitk.GetArrayFromImage(image))
