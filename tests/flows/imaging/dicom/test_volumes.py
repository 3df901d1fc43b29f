"""A DICOM series as a volume: its voxels and its grid are those that were stored."""

import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.refusals import series_refusal
from builders.dicom.written import (
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
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import grid_difference, grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
ARRAY = numbered(4, 3, 5)
SHARED = [
    "sts_dicom_rtstruct/STS_002/CT/dicom/image",
    "sts_dicom_rtstruct/STS_002/MR_T1/dicom/image",
    "sts_dicom_rtstruct/STS_002/PET/dicom/image",
    "dicom_seg_liver_ct/ct-3slice",
]


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


def test_what_old_scanners_kept_in_unused_bits_is_no_value(tmp_path):
    """The four bits above twelve held overlays."""

    def add_an_overlay(_, dataset):
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.PixelData = (np.frombuffer(dataset.PixelData, np.uint16) | 0x8000).tobytes()

    array = numbered(2, 3, 4, dtype=np.uint16)
    write_series(tmp_path, array, sop_class=CT, change=add_an_overlay)
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), array)


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


def test_padding_after_the_pixels_is_read_over(tmp_path):
    """DataSetTrailingPadding fills up a block of tape."""
    for file in write_series(tmp_path, ARRAY):
        changed(file, DataSetTrailingPadding=b"\0" * 100)
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), ARRAY)
    file.write_bytes(file.read_bytes()[:-50])
    assert "the file is incomplete or damaged" in series_refusal(tmp_path)


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
    assert "holds no DICOM files" in series_refusal(tmp_path / "empty")
    (tmp_path / "reports").mkdir()
    image_dataset("1.2.840.10008.5.1.4.1.1.88.11", ARRAY[0]).save_as(tmp_path / "reports" / "1")
    assert "none of them is an image of CT, MR or PET" in series_refusal(tmp_path / "reports")
    (tmp_path / "text").write_text("no image")
    assert "is no DICOM file" in series_refusal(tmp_path / "text")
    assert "file is missing" in series_refusal(tmp_path / "nothing")
