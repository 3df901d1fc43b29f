"""A DICOM series as a volume: its voxels and grid, and what is refused instead of repaired."""

import re
import shutil
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from builders.written_dicom import (
    CT,
    PT,
    TURNED,
    Place,
    changed,
    image_dataset,
    numbered,
    voxels,
    write_series,
)
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, generate_uid

from flows.imaging.dicom.volumes import frame_of_reference, read_series
from flows.imaging.grids import grid_difference, grid_of
from schemas.errors import ContractError
from schemas.settings import IMAGE_BYTES
from schemas.study.series_rule import SeriesRule

ANY = SeriesRule()
ARRAY = numbered(4, 3, 5)
SHARED = [
    "sts_dicom_rtstruct/STS_002/CT/dicom/image",
    "sts_dicom_rtstruct/STS_002/MR_T1/dicom/image",
    "sts_dicom_rtstruct/STS_002/PET/dicom/image",
    "dicom_seg_liver_ct/ct-3slice",
]


def refusal(source, rule=ANY):
    """Return the message with which a source is refused; it repeats nothing of the person."""
    with pytest.raises(ContractError) as error:
        read_series(source, rule)
    said = str(error.value)
    assert error.value.where is not None
    assert not any(secret in said.replace(str(source), "") for secret in ("SECRET", "Secret", "20200102", "101112"))
    return said


@pytest.mark.parametrize("name", SHARED)
def test_a_real_series_is_what_simpleitk_reads(shared_data, name):
    """Voxels are equal and the grid is the same, for real CT, MR and PET."""
    folder = shared_data(name)
    image = read_series(folder, ANY)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    expected = reader.Execute()
    assert np.array_equal(voxels(image), voxels(expected))
    assert image.GetPixelID() == expected.GetPixelID()
    for ours, theirs in zip(grid_of(image), grid_of(expected), strict=True):
        assert np.allclose(ours, theirs, rtol=0, atol=1e-6)


def test_a_real_oblique_series_lies_where_simpleitk_places_it(shared_data):
    """Its header has six digits: the direction of slices is the normal's here, that of the positions there."""
    folder = shared_data("qin_prostate_adc_seg/QIN-PROSTATE-001/ADC")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    expected = reader.Execute()
    image = read_series(folder, ANY)
    assert np.array_equal(voxels(image), voxels(expected))
    assert grid_difference(grid_of(expected), grid_of(image)) is None


@pytest.mark.parametrize("direction", [np.eye(3), TURNED])
def test_slices_are_in_the_order_of_their_places(tmp_path, direction):
    """Neither names nor InstanceNumber count, and the grid is the one that was written."""
    place = Place(direction=direction)
    write_series(tmp_path, ARRAY, place, change=lambda k, each: setattr(each, "InstanceNumber", 9 - k))
    image = read_series(tmp_path, ANY)
    assert np.array_equal(voxels(image), ARRAY)
    assert grid_difference(place.grid(ARRAY), grid_of(image), 1e-9) is None


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "kind"),
    [
        (np.int16, 1, 0, np.int16),
        (np.uint16, 1, -1024, np.int32),
        (np.uint8, 1, 0, np.uint8),
        (np.uint8, 1, 1000, np.uint16),
        (np.int16, 1, 0.5, np.float64),
        (np.int16, 0.25, -3, np.float64),
        (np.uint32, 1, 0, np.uint32),
        (np.uint32, 1, -1, np.float64),
    ],
)
def test_values_are_rescaled_into_the_smallest_type_that_holds_them(tmp_path, stored, slope, intercept, kind):
    """Value times slope plus intercept, in whole numbers where all are whole."""
    array = numbered(2, 3, 4, dtype=stored)
    write_series(tmp_path, array, sop_class=CT, RescaleSlope=slope, RescaleIntercept=intercept)
    read = voxels(read_series(tmp_path, ANY))
    assert read.dtype == kind
    assert np.array_equal(read, array.astype(float) * slope + intercept)


def test_each_slice_has_its_own_rescaling(tmp_path):
    """A PET series has another slope in each slice."""
    write_series(tmp_path, ARRAY, sop_class=PT, change=lambda k, each: setattr(each, "RescaleSlope", 0.5 + k))
    slopes = 0.5 + np.arange(len(ARRAY))[:, None, None]
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), ARRAY * slopes)


def test_twelve_stored_bits_make_a_small_type(tmp_path):
    """The type follows from what the header lets a pixel be, so that it is one for all patients of a scanner."""

    def store_twelve_bits(_, dataset):
        dataset.BitsStored, dataset.HighBit = 12, 11

    array = numbered(2, 3, 4, dtype=np.uint16)
    write_series(tmp_path, array, sop_class=CT, change=store_twelve_bits, RescaleSlope=1, RescaleIntercept=-1024)
    read = voxels(read_series(tmp_path, ANY))
    assert read.dtype == np.int16
    assert np.array_equal(read, array.astype(int) - 1024)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_plain_encodings_are_read(tmp_path, syntax):
    """Implicit VR, and the retired big endian."""
    for file in write_series(tmp_path, ARRAY):
        dataset = dcmread(file)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(file, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), ARRAY)


def test_files_without_a_preamble_are_read(tmp_path):
    """Old archives store the data set alone."""
    for file in write_series(tmp_path, ARRAY):
        dataset = dcmread(file)
        plain = Dataset()
        plain.update(dataset)
        dcmwrite(file, plain, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), ARRAY)


def test_what_else_lies_in_the_folder_does_not_count(tmp_path):
    """Texts, pictures, files of macOS, links that lead nowhere, folders below and a name that is not ASCII."""
    folder = tmp_path / "Übersicht 患者"
    write_series(folder / "a" / "b", ARRAY)
    (folder / "notes.txt").write_text("no image")
    (folder / "._1.dcm").write_bytes(b"\0\5\x16\7")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    report = image_dataset("1.2.840.10008.5.1.4.1.1.88.11", ARRAY[0])
    report.save_as(folder / "report.dcm")
    before = sorted(folder.rglob("*"))
    assert np.array_equal(voxels(read_series(folder, ANY)), ARRAY)
    assert sorted(folder.rglob("*")) == before


def test_warnings_of_pydicom_are_not_shown(tmp_path):
    """They would quote the header between progress and results."""
    for file in write_series(tmp_path, ARRAY):
        # A code has 16 characters at the most, and no lower case.
        file.write_bytes(file.read_bytes().replace(b"AXIAL", b"axial").replace(b"T1 post", b"T1\x80post"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_series(tmp_path, SeriesRule(number=5))


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
    assert "has the SOPInstanceUID of another file and is another image" in refusal(tmp_path)


def test_a_duplicate_under_another_uid_is_refused(tmp_path):
    """A series that was sent twice is no dynamic one."""
    files = write_series(tmp_path, ARRAY)
    for file in files:
        copy = file.with_name(f"copy-{file.name}")
        shutil.copy(file, copy)
        changed(copy, SOPInstanceUID=generate_uid())
    assert "is a duplicate" in refusal(tmp_path)


def test_two_slices_at_one_place_are_refused(tmp_path):
    """One of them is of something else."""
    files = write_series(tmp_path, ARRAY)
    copy = tmp_path / "copy.dcm"
    shutil.copy(files[1], copy)
    changed(copy, SOPInstanceUID=generate_uid(), PixelData=(ARRAY[1] + 1).tobytes())
    assert "2 different slices at 1 of its 4 places and fewer at the others" in refusal(tmp_path)


def test_a_missing_slice_is_refused_with_its_place(tmp_path):
    """The file after the gap is named."""
    files = write_series(tmp_path, numbered(6, 3, 5))
    files[2].unlink()
    said = refusal(tmp_path)
    assert "a slice is missing between the slices 2 and 3 of 5: they lie 5 mm apart, the others 2.5 mm" in said
    assert str(files[3]) in said


def test_uneven_slices_are_refused(tmp_path):
    """A hundredth of their distance is accepted, more is not."""

    def moved(by):
        return lambda k, each: setattr(each, "ImagePositionPatient", Place().position(k + by * (k == 2)))

    write_series(tmp_path / "fine", ARRAY, change=moved(0.008))
    assert read_series(tmp_path / "fine", ANY).GetSize() == (5, 3, 4)
    write_series(tmp_path / "uneven", ARRAY, change=moved(0.05))
    assert "unevenly spaced: 2.625 mm between the slices 2 and 3 of 4" in refusal(tmp_path / "uneven")


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    """Positions that run beside the normal make voxels that are no boxes."""

    def tilt(k, dataset):
        x, y, z = Place().position(k)
        dataset.ImagePositionPatient = [x, y + k * 0.5, z]

    write_series(tmp_path, ARRAY, change=tilt)
    assert "shifted sideways by 1.5 mm (11 degrees; at most 0.07 mm is accepted): the gantry was tilted" in refusal(
        tmp_path
    )


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
    with pytest.raises(ContractError, match=words):
        read_series(tmp_path, ANY)
    refusal(tmp_path)


def test_a_table_of_values_is_refused(tmp_path):
    """A Modality LUT is not applied, and not left out."""
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "HU", b"\0\0\1\0"
    write_series(tmp_path, ARRAY, ModalityLUTSequence=[table])
    assert "mapped by a table" in refusal(tmp_path)


@pytest.mark.parametrize("left", [0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(tmp_path, left):
    """Wherever the copy broke off: it is never taken for less than it was, and never left out."""
    file = write_series(tmp_path, numbered(4, 30, 50))[-1]
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * left)])
    assert re.search("incomplete|cut off|lacks", refusal(tmp_path))


@pytest.mark.parametrize("length", range(1, 900, 37))
def test_a_header_that_was_cut_off_is_refused(tmp_path, length):
    """A header without its end says less, and no slice of the series is lost for that."""
    file = write_series(tmp_path, ARRAY)[-1]
    file.write_bytes(file.read_bytes()[:length])
    refusal(tmp_path)


def test_a_single_slice_needs_its_thickness(tmp_path):
    """How thick its voxels are, another slice would say."""
    file = write_series(tmp_path, ARRAY[:1])[0]
    assert read_series(tmp_path, ANY).GetSpacing() == (0.8, 0.7, 2.5)
    assert "is a single slice: name the folder of its series" in refusal(file)
    changed(file, SliceThickness=None)
    assert "without SpacingBetweenSlices or SliceThickness" in refusal(tmp_path)


def test_a_large_image_is_refused_before_its_pixels_are_read(tmp_path, monkeypatch):
    """The message names the setting that raises the limit."""
    for file in write_series(tmp_path, ARRAY):
        changed(file, PixelData=None)
    monkeypatch.setenv(IMAGE_BYTES.variable, "100")
    assert f"set {IMAGE_BYTES.variable} to more" in refusal(tmp_path)


def test_the_frame_of_reference_is_known_of_an_image_and_not_shown(tmp_path):
    """Its key is that of every series of the examination, and is no UID."""
    write_series(tmp_path / "one", ARRAY)
    write_series(tmp_path / "two", ARRAY, number=6)
    write_series(tmp_path / "none", ARRAY, number=7, change=lambda _, each: delattr(each, "FrameOfReferenceUID"))
    one, two, none = (frame_of_reference(read_series(tmp_path / each, ANY)) for each in ("one", "two", "none"))
    assert one == two
    assert none is None
    assert one is not None
    assert len(one) == 16


def test_what_is_no_image_is_said(tmp_path):
    """An empty folder, a folder of reports, a text, a path that names nothing."""
    (tmp_path / "empty").mkdir()
    assert "holds no DICOM files" in refusal(tmp_path / "empty")
    (tmp_path / "reports").mkdir()
    image_dataset("1.2.840.10008.5.1.4.1.1.88.11", ARRAY[0]).save_as(tmp_path / "reports" / "1")
    assert "none of them is an image of CT, MR or PET" in refusal(tmp_path / "reports")
    (tmp_path / "text").write_text("no image")
    assert "is no DICOM file" in refusal(tmp_path / "text")
    assert "file is missing" in refusal(tmp_path / "nothing")
