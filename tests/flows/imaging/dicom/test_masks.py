"""Segments and structures on an image's grid: real ones against their oracles, and what is refused."""

import shutil
import tarfile

import numpy as np
import pytest
import SimpleITK as sitk
from builders.written_dicom import (
    TURNED,
    Place,
    image_dataset,
    item,
    numbered,
    points_mm,
    voxels,
    write_segmentation,
    write_series,
    write_structures,
)
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence as Items
from pydicom.uid import generate_uid

from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import frame_of_reference, read_series
from flows.imaging.grids import Grid, grid_of
from schemas.errors import ContractError
from schemas.study.series_rule import SeriesRule

ANY = SeriesRule()
FLIPPED = np.diag([-1.0, 1.0, -1.0])
GRID = Place().grid(np.zeros((5, 7, 9)))
SQUARE = [(1.5, 0.5), (5.5, 0.5), (5.5, 3.5), (1.5, 3.5)]


def where(mask, label=1):
    """Return where a label map has a label; it has no other."""
    array = voxels(mask)
    assert set(np.unique(array)) <= {0, label}
    return array == label


def refusal(source, grid=GRID, segment=None, label=1, **options):
    """Return what is said of a mask; it tells nothing of the person."""
    with pytest.raises(ContractError) as error:
        read_dicom_mask(source, grid, label, segment, **options)
    said = str(error.value)
    assert str(source) in said
    assert not any(secret in said for secret in ("SECRET", "Secret", "20200102"))
    return said


def dice(one, other):
    """Return the overlap of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


# Real data


@pytest.mark.parametrize(("name", "least"), [("CT", 1.0), ("MR_T1", 1.0), ("PET", 0.99)])
def test_a_real_structure_set_is_the_mask_that_others_made_of_it(shared_data, name, least):
    """CT and MR agree in each voxel; in the coarse PET ten centres of 555 lie on edges, which belong to one side."""
    folder = shared_data("sts_dicom_rtstruct") / "STS_002" / name
    image = read_series(folder / "dicom" / "image", ANY)
    key = frame_of_reference(image)
    mask = read_dicom_mask(folder / "dicom" / "mask", grid_of(image), 1, None, frame_of_reference=key)
    oracle = sitk.GetArrayFromImage(sitk.ReadImage(folder / "nifti" / "mask" / "mask.nii.gz")) > 0
    assert dice(where(mask), oracle) >= least
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
    assert np.array_equal(where(mask), oracle)


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
        assert np.array_equal(where(read_dicom_mask(folder, grid, 7, label), 7), expected)
        assert np.array_equal(where(read_dicom_mask(file, grid, number, None), number), expected)
    assert "it has 4 segments, and none or several of number 5: 1 'Normal', 2 'Peri" in refusal(file, grid, label=5)


def test_a_real_fractional_segmentation_lies_where_the_agent_is_taken_up(shared_data, tmp_path):
    """A segmentation without ReferencedSeriesSequence, of the breast with its lesion."""
    with tarfile.open(shared_data("dce_breast_mr") / "UCSF-BR-06.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    before, early = (read_series(tmp_path, SeriesRule(time=time)) for time in (1, 2))
    segmentation = next(tmp_path.rglob("seg/*.dcm"))
    mask = where(read_dicom_mask(tmp_path, grid_of(before), 1, None, frame_of_reference=frame_of_reference(before)))
    uptake = voxels(early).astype(float) - voxels(before)
    assert uptake[mask].mean() > 5 * uptake.mean()
    stored = pixel_array(segmentation)
    assert mask.sum() == np.count_nonzero(stored / 255 >= 0.5)
    all_of_it = where(read_dicom_mask(segmentation, grid_of(before), 1, "breast", 1.0))
    assert all_of_it.sum() == np.count_nonzero(stored == 255)


# Segmentations that tests write


@pytest.fixture
def series(tmp_path):
    """Give a written series and its grid."""
    array = numbered(5, 8, 16)
    files = write_series(tmp_path / "images", array, AcquisitionDate="20200102")
    return files, Place().grid(array)


@pytest.fixture
def segments():
    """Give two segments, of which the second lies on three slices of five."""
    masks = np.zeros((5, 8, 16, 2), np.uint8)
    masks[:, 1:4, 2:9, 0] = 1
    masks[1:4, 5:7, 3:5, 1] = 1
    masks[2, 6, 11, 1] = 1
    return masks


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
        mask = read_dicom_mask(tmp_path, grid_of(image), label, segment, frame_of_reference=frame_of_reference(image))
        assert np.array_equal(where(mask, label), segments[..., number] > 0)
        assert mask.GetPixelID() == (sitk.sitkUInt8 if label < 256 else sitk.sitkUInt32)


def test_fractions_are_cut_at_the_threshold(tmp_path, series):
    """A voxel of just the threshold belongs to the segment."""
    files, grid = series
    masks = np.linspace(0, 1, 5 * 8 * 16).reshape(5, 8, 16, 1)
    write_segmentation(tmp_path / "seg.dcm", files, masks, kind="FRACTIONAL", max_fractional_value=100)
    stored = pixel_array(tmp_path / "seg.dcm")
    for threshold in (0.01, 0.5, 0.77, 1.0):
        read = where(read_dicom_mask(tmp_path / "seg.dcm", grid, 1, None, threshold))
        assert read.sum() == np.count_nonzero(stored >= round(100 * threshold))


def test_rows_and_columns_that_run_the_other_way_are_put_right(tmp_path, series, segments):
    """The same lattice, written from its other corner."""
    files, grid = series
    extent = [grid.spacing[axis] * (grid.size[axis] - 1) for axis in (0, 1)]

    def flip(dataset):
        frames = pixel_array(dataset)
        dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = item(
            ImageOrientationPatient=[-1, 0, 0, 0, -1, 0]
        )
        for group in dataset.PerFrameFunctionalGroupsSequence:
            x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
            group.PlanePositionSequence[0].ImagePositionPatient = [x + extent[0], y + extent[1], z]
        dataset.PixelData = np.packbits(frames[:, ::-1, ::-1].ravel(), bitorder="little").tobytes()

    write_segmentation(tmp_path / "seg.dcm", files, segments[..., 1:], change=flip)
    assert np.array_equal(where(read_dicom_mask(tmp_path / "seg.dcm", grid, 1, None)), segments[..., 1] > 0)


@pytest.mark.parametrize(
    ("grid_change", "words"),
    [
        ({"size": (16, 9, 5)}, "its frames have 8 rows and 16 columns, and the image's slices 9 and 16"),
        ({"spacing": (0.81, 0.7, 2.5)}, "its pixel spacing in mm .0.7, 0.8. is not the image's .0.7, 0.81."),
        ({"spacing": (0.8, 0.7, 2.6)}, "between the image's slices"),
        ({"origin": (-10.0, 20.5, 32.25)}, "a frame lies between the image's slices, 0.4 of their distance"),
        ({"origin": (-9.6, 20.5, 31.25)}, "0.5 voxels beside the image's slices, and at most 0.01 is accepted"),
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
    assert np.array_equal(where(read_dicom_mask(tmp_path / "same.dcm", grid, 1, None)), segments[..., 0] > 0)
    write_segmentation(tmp_path / "other.dcm", files, segments[..., :1], change=lambda each: repeat(each, 1))
    assert "two different frames of the segment at slice" in refusal(tmp_path / "other.dcm", grid)


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
    assert words in refusal(tmp_path / "seg.dcm", grid)


def test_a_segment_without_frames_is_empty(tmp_path, series, segments):
    """It is described, and drawn nowhere."""
    files, grid = series
    segments[..., 1] = 0
    write_segmentation(tmp_path / "seg.dcm", files, segments, ("Liver", "Lesion"), omit_empty_frames=True)
    assert "the mask is empty" in refusal(tmp_path / "seg.dcm", grid, "lesion")


def test_a_label_that_two_segments_have_is_refused(tmp_path, series, segments):
    """Which of the two is meant is not known."""
    files, grid = series
    write_segmentation(tmp_path / "seg.dcm", files, segments, ("Lesion", "lesion"))
    said = refusal(tmp_path / "seg.dcm", grid, "Lesion")
    assert "2 segments of it have the label 'Lesion'; it has 1 'Lesion', 2 'lesion'" in said


# Structure sets that tests write


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
    assert np.array_equal(where(read_dicom_mask(tmp_path, grid, 4, "gtv"), 4), expected)


def test_a_contour_a_little_off_its_slice_is_taken(tmp_path):
    """A tenth of the distance, or of a millimetre, as planning programs round."""
    contours = [points_mm(SQUARE, k + 0.09, GRID) for k in (1, 2)]
    write_structures(tmp_path / "rs.dcm", {"GTV": contours})
    assert where(read_dicom_mask(tmp_path, GRID, 1, None)).sum() == 24


@pytest.mark.parametrize(
    ("contours", "words"),
    [
        ([(SQUARE, 1.5)], "a contour lies between slices, at slice 2.5 of 5, and at most 0.25 mm off"),
        ([(SQUARE, 1), (SQUARE, 1)], "a contour is drawn twice at slice 2"),
        ([(SQUARE, 1), (SQUARE[2:] + SQUARE[:2], 1)], "a contour is drawn twice at slice 2"),
        ([(SQUARE, 1), ([(i + 1, j + 1) for i, j in SQUARE], 1)], "two contours overlap in part at slice 2"),
        ([(SQUARE, k) for k in (0, 2, 4)], "is drawn on every second slice only"),
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
    assert words in refusal(tmp_path / "rs.dcm")


def test_a_contour_across_the_slices_is_refused(tmp_path):
    """Drawn on a coronal or a tilted plane, it is of another series."""
    square = points_mm(SQUARE, 1, GRID)
    tilted = square + np.outer([0, 0, 1, 1], [0, 0, 3.0])
    coronal = points_mm([(1, 2), (5, 2), (5, 2), (1, 2)], 1, GRID) + np.outer([0, 0, 1, 1], [0, 0, 5.0])
    for number, contour in enumerate((tilted, coronal)):
        write_structures(tmp_path / f"{number}.dcm", {"GTV": [contour]})
        assert "a contour is oblique to the slices" in refusal(tmp_path / f"{number}.dcm")


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"])
def test_points_and_open_lines_enclose_nothing(tmp_path, kind):
    """They mark something beside what is drawn."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]}, kind=kind)
    assert "no contour of the structure encloses anything" in refusal(tmp_path / "rs.dcm")


def test_a_structure_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    """Names are shown, short and printable; of several one must be named."""
    square = [points_mm(SQUARE, 1, GRID)]
    write_structures(tmp_path / "rs.dcm", {"GTV": square, "Läsion": square, "x\x1b[31m": square})
    said = refusal(tmp_path / "rs.dcm", segment="tumour")
    assert "no structure of it has the name 'tumour' (ROIName); it has 'GTV', 'Läsion', 'x\\x1b[31m'" in said
    assert "\x1b" not in said
    assert len(said) < 500
    assert "it has 3 structures (ROIName): 'GTV'" in refusal(tmp_path / "rs.dcm")


def test_points_that_are_no_numbers_are_refused(tmp_path):
    """A coordinate too few, or text among them."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]})
    content = (tmp_path / "rs.dcm").read_bytes()
    first = content.index(b"-8.8")
    (tmp_path / "text.dcm").write_bytes(content[:first] + b"abcd" + content[first + 4 :])
    assert "points (ContourData) that are no numbers" in refusal(tmp_path / "text.dcm")
    (tmp_path / "few.dcm").write_bytes(content[: first + 5] + b"\\" + content[first + 6 :])
    assert "points (ContourData) that are not three finite numbers each" in refusal(tmp_path / "few.dcm")


# Where masks lie


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
        assert words in refusal(tmp_path / name, grid, frame_of_reference=key)
        assert where(read_dicom_mask(tmp_path / name, grid, 1, None)).any()


def test_a_folder_holds_one_mask(tmp_path, series, segments):
    """Of two one is named; a file that is none is said to be none."""
    files, grid = series
    assert "holds no DICOM segmentations" in refusal(tmp_path, grid)
    assert "is neither a DICOM segmentation (SEG) nor a structure set" in refusal(files[0], grid)
    write_segmentation(tmp_path / "seg.dcm", files, segments[..., :1])
    shutil.copy(tmp_path / "seg.dcm", tmp_path / "copy.dcm")
    assert "holds 2 DICOM segmentations (SEG) and structure sets" in refusal(tmp_path, grid)
    assert "next: name the file" in refusal(tmp_path, grid)


def test_a_mask_on_a_larger_grid_than_is_read_is_refused(tmp_path):
    """The bound of images holds for masks."""
    write_structures(tmp_path / "rs.dcm", {"GTV": [points_mm(SQUARE, 1, GRID)]})
    huge = Grid((100_000, 100_000, 100_000), *GRID[1:])
    assert "at most" in refusal(tmp_path / "rs.dcm", huge)


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
    refusal(file, grid)
    image_dataset("1.2.3", segments[0, ..., 0])
