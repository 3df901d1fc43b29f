"""Segmentations and structure sets as masks: real ones against their oracles, and which file is read."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from archives.unpacking import unpack
from builders.dicom.refusals import labelled, mask_refusal
from builders.dicom.written import (
    Place,
    numbered,
    points_mm,
    voxels,
    write_segmentation,
    write_series,
    write_structures,
)
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import generate_uid

from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import Grid, grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
FLIPPED = np.diag([-1.0, 1.0, -1.0])
GRID = Place().grid(np.zeros((5, 7, 9)))
SQUARE = [(1.5, 0.5), (5.5, 0.5), (5.5, 3.5), (1.5, 3.5)]


def dice(one, other):
    """Return the overlap of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize(("name", "least"), [("CT", 1.0), ("MR_T1", 1.0), ("PET", 0.99)])
def test_a_real_structure_set_is_the_mask_that_others_made_of_it(shared_data, name, least):
    """CT and MR agree in each voxel; in the coarse PET ten centres of 555 lie on edges, but for rounding."""
    folder = shared_data("sts_dicom_rtstruct") / "STS_002" / name
    image = read_series(folder / "dicom" / "image", ANY)
    key = frame_of_reference(image)
    mask = read_dicom_mask(folder / "dicom" / "mask", grid_of(image), 1, None, frame_of_reference=key)
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(folder / "nifti" / "mask" / "mask.nii.gz")) > 0
    assert dice(labelled(mask), oracle) >= least
    assert grid_of(mask) == grid_of(image)


def test_a_real_binary_segmentation_is_the_mask_that_others_made_of_it(shared_data):
    """The liver, voxel for voxel."""
    folder = shared_data("dicom_seg_liver_ct")
    image = read_series(folder / "ct-3slice", ANY)
    mask = read_dicom_mask(
        folder / "liver.dcm", grid_of(image), 1, "LIVER", frame_of_reference=frame_of_reference(image)
    )
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(folder / "liver_seg.nrrd")) > 0
    assert oracle.sum() == 107098
    assert np.array_equal(labelled(mask), oracle)


def test_each_real_segment_has_the_bits_of_its_frames(shared_data):
    """Four segments of a prostate on the right slices, counted from the file's own bits."""
    folder = shared_data("qin_prostate_adc_seg") / "QIN-PROSTATE-001"
    grid = grid_of(read_series(folder, ANY))
    file = folder / "seg" / "1-1.dcm"
    header = dcmread(file)
    packed = np.unpackbits(np.frombuffer(header.PixelData, np.uint8), bitorder="little")
    frames = packed[: 80 * 256 * 256].reshape(80, 256, 256)
    numbers = [
        group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for group in header.PerFrameFunctionalGroupsSequence
    ]
    heights = [
        float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        for group in header.PerFrameFunctionalGroupsSequence
    ]
    for number, label in enumerate(("Normal", "Peripheral zone of the prostate", "Lesion", "Prostate"), start=1):
        own = sorted((height, index) for index, height in enumerate(heights) if numbers[index] == number)
        expected = np.stack([frames[index] for _, index in own]) > 0
        assert expected.any()
        assert np.array_equal(labelled(read_dicom_mask(folder, grid, 7, label), 7), expected)
        assert np.array_equal(labelled(read_dicom_mask(file, grid, number, None, number=number), number), expected)
    said = mask_refusal(file, grid, number=5)
    assert "it has 4 segments, and none or several are of number 5: 1 'Normal', 2 'Peripheral" in said


def test_a_real_fractional_segmentation_lies_where_the_agent_is_taken_up(shared_data, tmp_path):
    """A segmentation without ReferencedSeriesSequence, of the breast with its lesion."""
    unpack(shared_data("dce_breast_mr") / "UCSF-BR-06.tar.xz", tmp_path)
    before, early = (read_series(tmp_path, SeriesRule(time=time)) for time in (1, 2))
    segmentation = next(tmp_path.rglob("seg/*.dcm"))
    mask = labelled(read_dicom_mask(tmp_path, grid_of(before), 1, None, frame_of_reference=frame_of_reference(before)))
    uptake = voxels(early).astype(float) - voxels(before)
    assert uptake[mask].mean() > 5 * uptake.mean()
    stored = pixel_array(segmentation)
    assert mask.sum() == np.count_nonzero(stored / 255 >= 0.5)
    all_of_it = labelled(read_dicom_mask(segmentation, grid_of(before), 1, "breast", 1.0))
    assert all_of_it.sum() == np.count_nonzero(stored == 255)


def test_a_mask_of_another_patient_is_refused(tmp_path, segments):
    """Both name a frame of reference, and they differ."""
    files = write_series(tmp_path / "images", numbered(5, 8, 16), AcquisitionDate="20200102")
    image = read_series(tmp_path / "images", ANY)
    grid, key = grid_of(image), frame_of_reference(image)
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, grid)]}, reference=generate_uid())
    write_segmentation(
        tmp_path / "seg.dcm", files, segments[..., :1],
        change=lambda each: setattr(each, "FrameOfReferenceUID", generate_uid()),
    )  # fmt: skip
    for name in ("rs.dcm", "seg.dcm"):
        words = "was drawn on another patient or another examination"
        assert words in mask_refusal(tmp_path / name, grid, frame_of_reference=key)
        assert labelled(read_dicom_mask(tmp_path / name, grid, 1, None)).any()


def test_a_folder_holds_one_mask(tmp_path, series, segments):
    """Of two one is named; a file that is none is said to be none."""
    files, grid = series
    assert "holds no DICOM segmentations" in mask_refusal(tmp_path, grid)
    assert "is neither a DICOM segmentation (SEG) nor a structure set" in mask_refusal(files[0], grid)
    write_segmentation(tmp_path / "seg.dcm", files, segments[..., :1])
    shutil.copy(tmp_path / "seg.dcm", tmp_path / "copy.dcm")
    assert "holds 2 DICOM segmentations (SEG) and structure sets" in mask_refusal(tmp_path, grid)
    assert "next: name the file" in mask_refusal(tmp_path, grid)


def test_a_mask_on_a_larger_grid_than_is_read_is_refused(tmp_path):
    """The bound of images holds for masks."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]})
    huge = Grid((100_000, 100_000, 100_000), *GRID[1:])
    assert "at most" in mask_refusal(tmp_path / "rs.dcm", huge)


@pytest.mark.parametrize("length", range(1, 1400, 57))
@pytest.mark.parametrize("kind", ["seg", "rs"])
def test_a_mask_file_that_was_cut_off_is_refused(tmp_path, series, segments, length, kind):
    """Wherever the copy broke off."""
    files, grid = series
    file = tmp_path / "mask.dcm"
    if kind == "seg":
        write_segmentation(file, files, segments[..., :1])
    else:
        write_structures(file, {"GTV": [points_mm(SQUARE, 1, grid)]})
    file.write_bytes(file.read_bytes()[:-length])
    mask_refusal(file, grid)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(tmp_path, threshold):
    """At 0 every voxel would belong to the segment."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]})
    assert "must be above 0 and at most 1" in mask_refusal(tmp_path / "rs.dcm", GRID, threshold=threshold)
