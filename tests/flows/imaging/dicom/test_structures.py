"""A structure of a structure set as the voxels that its contours enclose, or why they enclose none."""

import numpy as np
import pytest
from builders.dicom.refusals import labelled, mask_refusal
from builders.dicom.written import (
    TURNED,
    Place,
    points_mm,
    write_structures,
)

from flows.imaging.dicom.masks import read_dicom_mask
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
FLIPPED = np.diag([-1.0, 1.0, -1.0])
GRID = Place().grid(np.zeros((5, 7, 9)))
SQUARE = [(1.5, 0.5), (5.5, 0.5), (5.5, 3.5), (1.5, 3.5)]


@pytest.mark.parametrize("direction", [np.eye(3), TURNED, FLIPPED])
def test_contours_are_the_voxels_that_they_enclose(tmp_path, direction):
    """A square with a hole, another part, and a slice without any, in any orientation."""
    grid = Place(direction=direction).grid(np.zeros((5, 7, 9)))
    expected = np.zeros((5, 7, 9), dtype=bool)
    expected[1:4, 1:4, 2:6] = True
    expected[2, 2, 3] = False
    expected[3, 5, 7:9] = True
    contours = [points_mm(SQUARE, k, grid) for k in (1, 2, 3)]
    contours.append(points_mm([(2.5, 1.5), (3.5, 1.5), (3.5, 2.5), (2.5, 2.5)], 2, grid))
    contours.append(points_mm([(6.5, 4.5), (20, 4.5), (20, 5.5), (6.5, 5.5)], 3, grid))
    write_structures(tmp_path / "rs.dcm", {"GTV": contours, "Skin": contours[:1]})
    assert np.array_equal(labelled(read_dicom_mask(tmp_path, grid, 4, "gtv"), 4), expected)


def test_a_contour_a_little_off_its_slice_is_taken(tmp_path):
    """A tenth of the distance, or of a millimetre, as planning programs round."""
    contours = [points_mm(SQUARE, k + 0.09, GRID) for k in (1, 2)]
    write_structures(tmp_path / "rs.dcm", {"GTV": contours})
    assert labelled(read_dicom_mask(tmp_path, GRID, 1, None)).sum() == 24


def test_a_contour_between_thin_slices_is_refused(tmp_path):
    """A tenth of a millimetre is a whole slice there, and still not just between two."""
    grid = Place(spacing=(0.8, 0.7, 0.1)).grid(np.zeros((5, 7, 9)))
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 4.49, grid)]})
    assert "a contour lies between slices" in mask_refusal(tmp_path / "rs.dcm", grid)


@pytest.mark.parametrize(
    ("contours", "words"),
    [
        ([(SQUARE, 1.5)], "a contour lies between slices, at slice 2.5 of 5, and at most 0.25 mm off"),
        ([(SQUARE, 1), (SQUARE, 1)], "a contour is drawn twice at slice 2"),
        ([(SQUARE, 1), (SQUARE[2:] + SQUARE[:2], 1)], "a contour is drawn twice at slice 2"),
        ([(SQUARE, 1), ([(i + 1, j + 1) for i, j in SQUARE], 1)], "two contours overlap in part at slice 2"),
        ([(SQUARE, k) for k in (0, 2, 4)], "is drawn on every second slice only"),
        ([(SQUARE, k) for k in (1, 3)], "is drawn on slices 2 and 4 and not on the slice between"),
        ([(SQUARE, k) for k in (0, 4)], "is drawn on slices 1 and 5 and not on the 3 slices between"),
        ([([(1, 1), (2, 2)], 1)], "encloses anything"),
        ([([(1, 1), (2, 2), (3, 3)], 1)], "encloses anything"),
        ([([(2.1, 2.1), (2.2, 2.1), (2.2, 2.2)], 1)], "the mask is empty"),
        ([(SQUARE, 1), (SQUARE, 7), (SQUARE, -3)], "2 of its 3 contours lie outside of the image"),
        ([([(i + 30, j) for i, j in SQUARE], 1)], "1 of its 1 contours lie outside of the image"),
    ],
)
def test_contours_that_make_no_mask_are_refused(tmp_path, contours, words):
    """Each with the file and its reason."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(each, k, GRID) for each, k in contours]})
    assert words in mask_refusal(tmp_path / "rs.dcm", GRID)


def test_two_parts_on_two_slices_are_two_parts(tmp_path):
    """What lies beside each other may well be two lesions of a slice each."""
    file = tmp_path / "rs.dcm"
    beside = [(i, j + 3) for i, j in SQUARE]
    write_structures(file, {"GTV": [points_mm(SQUARE, 1, GRID), points_mm(beside, 3, GRID)]})
    assert labelled(read_dicom_mask(file, GRID, 1, None)).any(axis=(1, 2)).tolist() == [False, True, False, True, False]


def test_a_contour_across_the_slices_is_refused(tmp_path):
    """Drawn on a coronal or a tilted plane, it is of another series."""
    square = points_mm(SQUARE, 1, GRID)
    tilted = square + np.outer([0, 0, 1, 1], [0, 0, 3.0])
    coronal = points_mm([(1, 2), (5, 2), (5, 2), (1, 2)], 1, GRID) + np.outer([0, 0, 1, 1], [0, 0, 5.0])
    for number, contour in enumerate((tilted, coronal)):
        write_structures(tmp_path / f"{number}.dcm", {"GTV": [contour]})
        assert "a contour is oblique to the slices" in mask_refusal(tmp_path / f"{number}.dcm", GRID)


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"])
def test_points_and_open_lines_enclose_nothing(tmp_path, kind):
    """They mark something beside what is drawn."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]}, kind=kind)
    assert "no contour of the structure encloses anything" in mask_refusal(tmp_path / "rs.dcm", GRID)


def test_a_structure_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    """Names are shown, short and printable; of several one must be named."""
    square = [points_mm(SQUARE, 1, GRID)]
    write_structures(tmp_path / "rs.dcm", {"GTV": square, "Läsion": square, "x\x1b[31m": square})
    said = mask_refusal(tmp_path / "rs.dcm", GRID, segment="tumour")
    assert "no structure of it has the name 'tumour' (ROIName); it has 'GTV', 'Läsion', 'x\\x1b[31m'" in said
    assert "\x1b" not in said
    assert len(said) < 500
    assert "it has 3 structures (ROIName): 'GTV'" in mask_refusal(tmp_path / "rs.dcm", GRID)


def test_points_that_are_no_numbers_are_refused(tmp_path):
    """A coordinate too few, or text among them."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]})
    content = (tmp_path / "rs.dcm").read_bytes()
    first = content.index(b"-8.8")
    (tmp_path / "text.dcm").write_bytes(content[:first] + b"abcd" + content[first + 4 :])
    assert "points (ContourData) that are no numbers" in mask_refusal(tmp_path / "text.dcm", GRID)
    (tmp_path / "few.dcm").write_bytes(content[: first + 5] + b"\\" + content[first + 6 :])
    assert "points (ContourData) that are not three finite numbers each" in mask_refusal(tmp_path / "few.dcm", GRID)
