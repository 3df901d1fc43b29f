"""A segment of a DICOM segmentation on the image's grid, or why it has no place there."""

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.refusals import labelled, mask_refusal
from builders.dicom.written import (
    TURNED,
    Place,
    item,
    numbered,
    write_segmentation,
    write_series,
)
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence as Items

from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
FLIPPED = np.diag([-1.0, 1.0, -1.0])
GRID = Place().grid(np.zeros((5, 7, 9)))
SQUARE = [(1.5, 0.5), (5.5, 0.5), (5.5, 3.5), (1.5, 3.5)]


@pytest.mark.parametrize("direction", [np.eye(3), TURNED, FLIPPED])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_a_written_segment_is_read_back(tmp_path, segments, kind, direction):
    """Of each type, in any orientation, by its label or by its number."""
    place = Place(direction=direction)
    files = write_series(tmp_path / "images", numbered(5, 8, 16), place, AcquisitionDate="20200102")
    # Files by the order of slices along the normal, as the masks are.
    write_segmentation(tmp_path / "seg.dcm", files, segments, ("Liver", "Läsion"), kind=kind)
    image = read_series(tmp_path, ANY)
    for label, segment, number in ((1, None, 0), (2, None, 1), (5, "läsion", 1), (300, "LIVER", 0)):
        mask = read_dicom_mask(
            tmp_path, grid_of(image), label, segment, number=label, frame_of_reference=frame_of_reference(image)
        )
        assert np.array_equal(labelled(mask, label), segments[..., number] > 0)
        assert mask.GetPixelID() == (sitk.sitkUInt8 if label < 256 else sitk.sitkUInt32)


def test_fractions_are_cut_at_the_threshold(tmp_path, series):
    """A voxel of just the threshold belongs to the segment."""
    files, grid = series
    masks = np.linspace(0, 1, 5 * 8 * 16).reshape(5, 8, 16, 1)
    write_segmentation(tmp_path / "seg.dcm", files, masks, kind="FRACTIONAL", max_fractional_value=100)
    stored = pixel_array(tmp_path / "seg.dcm")
    for threshold in (0.01, 0.5, 0.77, 1.0):
        read = labelled(read_dicom_mask(tmp_path / "seg.dcm", grid, 1, None, threshold))
        assert read.sum() == np.count_nonzero(stored >= round(100 * threshold))


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (3, 2), (9, 6), (4, 3), (1, 1)])
def test_frames_that_begin_within_a_byte_are_read(tmp_path, rows, columns):
    """One bit a voxel, packed without padding: a frame of 35 bits begins at any bit."""
    files = write_series(tmp_path / "images", numbered(9, rows, columns), AcquisitionDate="20200102")
    masks = np.random.default_rng(rows).integers(0, 2, (9, rows, columns, 1), np.uint8)
    masks[:, 0, 0] = 1

    def pack(dataset):
        groups = dataset.PerFrameFunctionalGroupsSequence
        heights = [group.PlanePositionSequence[0].ImagePositionPatient[2] for group in groups]
        packed = np.packbits(masks[np.argsort(np.argsort(heights))].ravel(), bitorder="little").tobytes()
        dataset.PixelData = packed + b"\0" * (len(packed) % 2)

    write_segmentation(tmp_path / "seg.dcm", files, masks, change=pack)
    mask = read_dicom_mask(tmp_path / "seg.dcm", Place().grid(masks[..., 0]), 1, None)
    assert np.array_equal(labelled(mask), masks[..., 0] > 0)


@pytest.mark.parametrize(("across", "down"), [(-1, -1), (-1, 1), (1, -1)])
def test_rows_and_columns_that_run_the_other_way_are_put_right(tmp_path, series, segments, across, down):
    """The same lattice, written from another corner."""
    files, grid = series
    extent_x, extent_y = (grid.spacing[axis] * (grid.size[axis] - 1) for axis in (0, 1))

    def flip(dataset):
        frames = pixel_array(dataset)
        shared = dataset.SharedFunctionalGroupsSequence[0]
        shared.PlaneOrientationSequence = item(ImageOrientationPatient=[across, 0, 0, 0, down, 0])
        for group in dataset.PerFrameFunctionalGroupsSequence:
            x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
            corner = [x + extent_x * (across < 0), y + extent_y * (down < 0), z]
            group.PlanePositionSequence[0].ImagePositionPatient = corner
        dataset.PixelData = np.packbits(frames[:, ::down, ::across].ravel(), bitorder="little").tobytes()

    write_segmentation(tmp_path / "seg.dcm", files, segments[..., 1:], change=flip)
    assert np.array_equal(labelled(read_dicom_mask(tmp_path / "seg.dcm", grid, 1, None)), segments[..., 1] > 0)


@pytest.mark.parametrize(
    ("grid_change", "words"),
    [
        ({"size": (16, 9, 5)}, "its frames have 8 rows and 16 columns, and the image's slices 9 and 16"),
        ({"spacing": (0.81, 0.7, 2.5)}, "its pixel spacing in mm .0.7, 0.8. is not the image's .0.7, 0.81."),
        ({"spacing": (0.8, 0.7, 2.6)}, "between the image's slices"),
        ({"origin": (-10.0, 20.5, 32.25)}, "a frame lies between the image's slices, 0.4 of their distance"),
        ({"origin": (-9.6, 20.5, 31.25)}, "0.5 voxels beside the image's slices, and at most 0.05 is accepted"),
        ({"origin": (-10.0, 20.5, 41.25)}, "a frame lies outside of the image: at slice"),
        ({"direction": tuple(TURNED.ravel())}, "oriented otherwise than the image's slices"),
        ({"direction": (0, 1, 0, 1, 0, 0, 0, 0, 1)}, "oriented otherwise than the image's slices"),
    ],
)
def test_a_segmentation_on_another_grid_is_refused_with_what_differs(tmp_path, series, segments, grid_change, words):
    """Nothing is resampled."""
    files, grid = series
    write_segmentation(tmp_path / "seg.dcm", files, segments[..., :1])
    with pytest.raises(ContractError, match=words):
        read_dicom_mask(tmp_path / "seg.dcm", grid._replace(**grid_change), 1, None)


def test_rounded_headers_are_of_one_grid(tmp_path, series, segments):
    """A twentieth of a voxel at the far corner is what six digits and a grid of the writer's own come to."""
    files, grid = series
    write_segmentation(tmp_path / "seg.dcm", files, segments[..., :1])
    close = grid._replace(origin=(-10.002, 20.501, 31.26), spacing=(0.80005, 0.69995, 2.502))
    assert np.array_equal(labelled(read_dicom_mask(tmp_path / "seg.dcm", close, 1, None)), segments[..., 0] > 0)


def test_two_frames_at_one_place_must_be_equal(tmp_path, series, segments):
    """The same frame twice is taken once."""
    files, grid = series

    def repeat(dataset, change=0):
        frames = pixel_array(dataset)
        doubled = np.concatenate([frames, frames[:1] ^ change])
        groups = dataset.PerFrameFunctionalGroupsSequence
        dataset.PerFrameFunctionalGroupsSequence = Items([*groups, groups[0]])
        dataset.NumberOfFrames = len(doubled)
        dataset.PixelData = np.packbits(doubled.ravel(), bitorder="little").tobytes()

    write_segmentation(tmp_path / "same.dcm", files, segments[..., :1], change=repeat)
    assert np.array_equal(labelled(read_dicom_mask(tmp_path / "same.dcm", grid, 1, None)), segments[..., 0] > 0)
    write_segmentation(tmp_path / "other.dcm", files, segments[..., :1], change=lambda each: repeat(each, 1))
    assert "two different frames of the segment at slice" in mask_refusal(tmp_path / "other.dcm", grid)


def forget_segments(dataset):
    """Take from all frames which segment they are of."""
    for group in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
        if "SegmentIdentificationSequence" in group:
            del group.SegmentIdentificationSequence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda each: delattr(each, "SegmentationType"), "its SegmentationType is none of"),
        (lambda each: delattr(each, "SegmentSequence"), "it describes no segments"),
        (lambda each: each.PerFrameFunctionalGroupsSequence.pop(), "counts 5 frames and describes 4"),
        (lambda each: setattr(each, "PixelData", each.PixelData[:20]), "missing, incomplete or damaged"),
        (lambda each: setattr(each, "PixelData", b"\0" * len(each.PixelData)), "the mask is empty"),
        (forget_segments, "does not say which segment it is of"),
    ],
)
def test_a_segmentation_at_fault_is_refused(tmp_path, series, segments, change, words):
    """Each with the file and its reason."""
    files, grid = series
    write_segmentation(tmp_path / "seg.dcm", files, segments[..., :1], change=change)
    assert words in mask_refusal(tmp_path / "seg.dcm", grid)


def test_a_segment_without_frames_is_empty(tmp_path, series, segments):
    """It is described, and drawn nowhere."""
    files, grid = series
    segments[..., 1] = 0
    write_segmentation(tmp_path / "seg.dcm", files, segments, ("Liver", "Lesion"), omit_empty_frames=True)
    assert "the mask is empty" in mask_refusal(tmp_path / "seg.dcm", grid, "lesion")


def test_a_label_that_two_segments_have_is_refused(tmp_path, series, segments):
    """Which of the two is meant is not known."""
    files, grid = series
    write_segmentation(tmp_path / "seg.dcm", files, segments, ("Lesion", "lesion"))
    said = mask_refusal(tmp_path / "seg.dcm", grid, "Lesion")
    assert "2 segments of it have the label 'Lesion'; it has 1 'Lesion', 2 'lesion'" in said
