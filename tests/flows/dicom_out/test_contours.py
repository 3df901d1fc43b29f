"""Contours along the edges of voxels enclose just these voxels, whatever the mask."""

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.written import STRAIGHT, TURNED, Place, numbered, write_series
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from flows.dicom_out.contours import is_hole, outlines
from flows.dicom_out.references import references_of
from flows.dicom_out.structure_set import structure_set_of
from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.rasters import raster
from flows.imaging.dicom.volumes import read_series_with_frames
from flows.imaging.grids import grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.keys import MaskKey
from schemas.study.dicom_parts import SeriesRule

KEY = MaskKey("P1", "baseline", "AP", "1", "R1", 1)


@settings(max_examples=200)
@given(npst.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_outlines_enclose_just_the_mask(mask):
    """Any mask: holes, islands in holes, voxels that touch at a corner."""
    assert np.array_equal(raster(outlines(mask), mask.shape), mask)


def test_an_outline_has_corners_alone():
    """A box has four, whatever its size; they are halves."""
    mask = np.zeros((6, 9), bool)
    mask[2:5, 3:8] = True
    (outline,) = outlines(mask)
    assert sorted(map(tuple, outline)) == [(2.5, 1.5), (2.5, 4.5), (7.5, 1.5), (7.5, 4.5)]


def test_voxels_that_touch_at_a_corner_are_apart_and_a_hole_is_a_hole():
    """Two contours for the one, an outer and an inner one for the other."""
    assert len(outlines(np.eye(2, dtype=bool))) == 2
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert sorted(is_hole(each) for each in outlines(ring)) == [False, True]


@pytest.mark.parametrize("direction", [STRAIGHT, TURNED, np.diag([-1.0, 1.0, -1.0])])
def test_a_structure_set_has_the_voxels_that_it_was_drawn_around(tmp_path, direction):
    """Of masks with holes and islands, on straight and oblique grids."""
    random = np.random.default_rng(7)
    lesion = random.random((6, 11, 13)) < 0.6
    lesion[0] = lesion[5] = False
    write_series(tmp_path / "images", numbered(*lesion.shape), Place(direction=direction), AcquisitionDate="20200102")
    image, frames = read_series_with_frames(tmp_path / "images", SeriesRule())
    references = references_of(frames, image.GetSpacing()[2], "P1", "2026-01-02T03:04:05+00:00")
    found = structure_set_of(lesion, grid_of(image), references, KEY)
    found.save_as(tmp_path / "set.dcm", enforce_file_format=True)
    mask = read_dicom_mask(
        tmp_path / "set.dcm", grid_of(image), 1, "lesion 1", frame_of_reference=frame_of_reference(image)
    )
    assert np.array_equal(sitk.GetArrayFromImage(mask) > 0, lesion)
