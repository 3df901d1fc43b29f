"""A series at fault is refused with the reason and the file, and never repaired."""

import re
import shutil
import warnings

import numpy as np
import pytest
from builders.dicom.refusals import series_refusal
from builders.dicom.written import PARAMETRIC_MAP, Place, changed, numbered, voxels, write_multiframe, write_series
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from flows.imaging.dicom.volumes import read_series
from schemas.settings import IMAGE_BYTES
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
ARRAY = numbered(4, 3, 5)


def test_a_copy_of_a_file_is_taken_once(tmp_path):
    """The same SOPInstanceUID with the same pixels is the same slice."""
    files = write_series(tmp_path, ARRAY)
    shutil.copy(files[1], tmp_path / "copy.dcm")
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), ARRAY)


def test_another_image_under_the_same_uid_is_refused(tmp_path):
    """Which of the two is meant is not known."""
    files = write_series(tmp_path, ARRAY)
    shutil.copy(files[1], tmp_path / "copy.dcm")
    changed(tmp_path / "copy.dcm", PixelData=(ARRAY[1] + 1).tobytes())
    assert "has the SOPInstanceUID of another file and is another image" in series_refusal(tmp_path)


def test_a_duplicate_under_another_uid_is_refused(tmp_path):
    """A series that was sent twice is no dynamic one."""
    files = write_series(tmp_path, ARRAY)
    for file in files:
        copy = file.with_name(f"copy-{file.name}")
        shutil.copy(file, copy)
        changed(copy, SOPInstanceUID=generate_uid())
    assert "is a duplicate" in series_refusal(tmp_path)


def test_two_slices_at_one_place_are_refused(tmp_path):
    """One of them is of something else."""
    files = write_series(tmp_path, ARRAY)
    copy = tmp_path / "copy.dcm"
    shutil.copy(files[1], copy)
    changed(copy, SOPInstanceUID=generate_uid(), PixelData=(ARRAY[1] + 1).tobytes())
    assert "2 different slices at 1 of its 4 places and fewer at the others" in series_refusal(tmp_path)


def test_a_missing_slice_is_refused_with_its_place(tmp_path):
    """The file after the gap is named."""
    files = write_series(tmp_path, numbered(6, 3, 5))
    files[2].unlink()
    said = series_refusal(tmp_path)
    assert "a slice is missing between the slices 2 and 3 of 5: they lie 5 mm apart, the others 2.5 mm" in said
    assert str(files[3]) in said


def test_uneven_slices_are_refused(tmp_path):
    """A hundredth of their distance is accepted, more is not."""

    def moved(by):
        return lambda k, each: setattr(each, "ImagePositionPatient", Place().position(k + by * (k == 2)))

    write_series(tmp_path / "fine", ARRAY, change=moved(0.008))
    assert read_series(tmp_path / "fine", ANY).GetSize() == (5, 3, 4)
    write_series(tmp_path / "uneven", ARRAY, change=moved(0.05))
    assert "unevenly spaced: 2.625 mm between the slices 2 and 3 of 4" in series_refusal(tmp_path / "uneven")


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    """Positions that run beside the normal make voxels that are no boxes."""

    def tilt(k, dataset):
        x, y, z = Place().position(k)
        dataset.ImagePositionPatient = [x, y + k * 0.5, z]

    write_series(tmp_path, ARRAY, change=tilt)
    said = series_refusal(tmp_path)
    assert "shifted sideways by 1.5 mm (11 degrees; at most 0.07 mm is accepted): the gantry was tilted" in said


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "its slices differ in orientation"),
        ({"PixelSpacing": [0.7, 0.9]}, "its slices differ in pixel spacing in mm: .0.7, 0.9. against .0.7, 0.8."),
        ({"ImagePositionPatient": None}, "its header lacks ImagePositionPatient"),
        ({"ImageOrientationPatient": None}, "its header lacks ImageOrientationPatient"),
        ({"PixelSpacing": None}, "its header lacks PixelSpacing"),
        ({"PixelSpacing": [0.0, 0.8]}, "PixelSpacing must be above 0"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 0.5, 0]}, "is no rotation|differ in orientation"),
        ({"PixelData": None}, "missing, incomplete or damaged"),
        ({"PhotometricInterpretation": "RGB"}, "is an image in colours"),
        ({"SamplesPerPixel": 3}, "is an image in colours"),
        ({"Rows": None}, "its header lacks Rows or Columns"),
        ({"Rows": 2}, "its slices differ in rows and columns"),
        ({"BitsStored": 40}, "BitsAllocated and BitsStored"),
        ({"HighBit": 14}, "HighBit"),
        ({"RescaleSlope": 0}, "RescaleSlope is 0"),
        ({"FrameOfReferenceUID": generate_uid()}, "several frames of reference"),
        ({"AcquisitionTime": "990000"}, "AcquisitionTime is no time of day"),
        ({"SOPInstanceUID": None}, "lacks SeriesInstanceUID or SOPInstanceUID"),
        ({"SOPClassUID": None}, "its DICOM header is cut off or damaged"),
    ],
)
def test_a_slice_that_is_not_like_the_others_is_refused(tmp_path, elements, words):
    """The last file of the series is at fault, and is named."""
    files = write_series(tmp_path, ARRAY, AcquisitionTime="101112")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed(files[-1], **elements)
    assert re.search(words, series_refusal(tmp_path))


def test_a_table_of_values_is_refused(tmp_path):
    """A Modality LUT is not applied, and not left out."""
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "HU", b"\0\0\1\0"
    write_series(tmp_path, ARRAY, ModalityLUTSequence=[table])
    assert "mapped by a table" in series_refusal(tmp_path)


@pytest.mark.parametrize("left", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(tmp_path, left):
    """Wherever the copy broke off: it is never taken for less than it was, and never left out."""
    file = write_series(tmp_path, numbered(4, 30, 50))[-1]
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * left)])
    assert re.search("incomplete|cut off|lacks", series_refusal(tmp_path))


@pytest.mark.parametrize("length", range(1, 900, 37))
def test_a_header_that_was_cut_off_is_refused(tmp_path, length):
    """A header without its end says less, and no slice of the series is lost for that."""
    file = write_series(tmp_path, ARRAY)[-1]
    file.write_bytes(file.read_bytes()[:length])
    series_refusal(tmp_path)


def test_a_single_slice_needs_its_thickness(tmp_path):
    """How thick its voxels are, another slice would say."""
    file = write_series(tmp_path, ARRAY[:1])[0]
    assert read_series(tmp_path, ANY).GetSpacing() == (0.8, 0.7, 2.5)
    assert "is a single slice: name the folder of its series" in series_refusal(file)
    changed(file, SliceThickness=None)
    assert "without SpacingBetweenSlices or SliceThickness" in series_refusal(tmp_path)


def test_a_large_image_is_refused_before_its_pixels_are_read(tmp_path, monkeypatch):
    """The message names the setting that raises the limit."""
    for file in write_series(tmp_path, ARRAY):
        changed(file, PixelData=None)
    monkeypatch.setenv(IMAGE_BYTES.variable, "100")
    assert f"set {IMAGE_BYTES.variable} to more" in series_refusal(tmp_path)


def test_a_parametric_map_of_whole_numbers_is_refused(tmp_path):
    """Its values are no numbers of what it maps."""
    write_multiframe(tmp_path / "1", [ARRAY], sop_class=PARAMETRIC_MAP)
    assert "is a parametric map of whole numbers" in series_refusal(tmp_path)
