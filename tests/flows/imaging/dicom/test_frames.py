"""Multi-frame files and compressed pixels give what plain series give."""

import re

import gdcm
import numpy as np
import pytest
from builders.dicom.refusals import series_refusal
from builders.dicom.written import (
    CT,
    ENHANCED_MR,
    PARAMETRIC_MAP,
    TURNED,
    Place,
    image_dataset,
    item,
    numbered,
    voxels,
    write_multiframe,
    write_series,
)
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless, generate_uid

from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import grid_difference, grid_of
from schemas.study.dicom_parts import SeriesRule

ANY = SeriesRule()
ARRAY = numbered(4, 3, 5)
GDCM_SYNTAXES = {
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
}


@pytest.mark.parametrize("sop_class", [ENHANCED_MR, "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4.4"])
@pytest.mark.parametrize("is_file", [True, False])
def test_a_multiframe_file_is_the_volume_of_its_frames(tmp_path, sop_class, is_file):
    """Frames are in the order of their places, whatever their order in the file is."""
    place = Place(direction=TURNED)
    file = tmp_path / "folder" / "enhanced.dcm"
    write_multiframe(file, [ARRAY], place, sop_class=sop_class)
    image = read_series(file if is_file else file.parent, ANY)
    assert np.array_equal(voxels(image), ARRAY)
    assert grid_difference(place.grid(ARRAY), grid_of(image), 1e-9) is None


def test_frames_are_rescaled(tmp_path):
    """By the PixelValueTransformationSequence that all share."""
    write_multiframe(tmp_path / "1", [ARRAY], slope=0.5, intercept=3)
    assert np.array_equal(voxels(read_series(tmp_path / "1", ANY)), ARRAY * 0.5 + 3)


@pytest.mark.parametrize("by_dimension", [True, False])
def test_a_dynamic_multiframe_file_is_split(tmp_path, by_dimension):
    """By TemporalPositionIndex, or by the dimension that points to it."""
    volumes = [ARRAY + 1000 * t for t in range(3)]
    file = tmp_path / "dynamic.dcm"
    write_multiframe(file, volumes, by_dimension=by_dimension)
    for t, volume in enumerate(volumes):
        assert np.array_equal(voxels(read_series(file, SeriesRule(time=t + 1))), volume)
    assert "dynamic series of 3 times of 4 slices" in series_refusal(file)


@pytest.mark.parametrize("sop_class", [PARAMETRIC_MAP, ENHANCED_MR])
def test_floating_point_pixels_are_read_as_they_are(tmp_path, sop_class):
    """A parametric map stores numbers, and needs no rescaling; one that is not finite is refused."""
    array = np.linspace(-1, 1, 60, dtype=np.float32).reshape(4, 3, 5)
    write_multiframe(tmp_path / "1", [array], sop_class=sop_class)
    read = voxels(read_series(tmp_path / "1", ANY))
    assert read.dtype == np.float32
    assert np.array_equal(read, array)
    array[1, 1, 1] = np.nan
    write_multiframe(tmp_path / "2", [array], sop_class=sop_class)
    assert "voxels that are not finite" in series_refusal(tmp_path / "2")


def test_numbers_of_64_bits_keep_them(tmp_path):
    """DoubleFloatPixelData is not rounded."""
    array = np.linspace(-1, 1, 60).reshape(4, 3, 5)

    def store_doubles(dataset):
        dataset.BitsAllocated, dataset.DoubleFloatPixelData = 64, array.tobytes()
        del dataset.FloatPixelData

    write_multiframe(tmp_path / "1", [array.astype(np.float32)], change=store_doubles)
    read = voxels(read_series(tmp_path / "1", ANY))
    assert read.dtype == np.float64
    assert set(read.ravel()) == set(array.ravel())


def without(keyword):
    """Return a change that takes an element from all frames and from what they share."""

    def change(dataset):
        for group in (*dataset.SharedFunctionalGroupsSequence, *dataset.PerFrameFunctionalGroupsSequence):
            if keyword in group:
                del group[keyword]

    return change


def lose_a_frame(dataset):
    """Describe one frame less than there are."""
    del dataset.PerFrameFunctionalGroupsSequence[0]


def move_a_frame(dataset):
    """Place a frame where another one lies."""
    groups = dataset.PerFrameFunctionalGroupsSequence
    groups[0].PlanePositionSequence = groups[1].PlanePositionSequence


def turn_a_frame(dataset):
    """Give one frame another orientation."""
    turned = item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    dataset.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = turned


def halve_the_pixels(dataset):
    """Leave out half of the pixels."""
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("PlanePositionSequence"), "lacks ImagePositionPatient"),
        (without("PlaneOrientationSequence"), "lacks ImageOrientationPatient"),
        (without("PixelMeasuresSequence"), "lacks PixelSpacing"),
        (lose_a_frame, "counts 4 frames and describes 3"),
        (move_a_frame, "different slices at|unevenly spaced|is missing"),
        (turn_a_frame, "differ in orientation"),
        (halve_the_pixels, "missing, incomplete or damaged"),
        (lambda dataset: delattr(dataset, "NumberOfFrames"), "counts 1 frames and describes 4"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 10**6), "counts 1000000 frames and describes 4"),
    ],
)
def test_a_multiframe_file_at_fault_is_refused(tmp_path, change, words):
    """The same checks hold as for files of one slice."""
    write_multiframe(tmp_path / "1", [ARRAY], change=change)
    assert re.search(words, series_refusal(tmp_path))


def test_frames_that_nothing_describes_are_refused(tmp_path):
    """An old multi-frame file does not say where its frames lie."""
    dataset = image_dataset(CT, ARRAY)
    dataset.NumberOfFrames, dataset.SeriesInstanceUID = 4, generate_uid()
    dataset.save_as(tmp_path / "1")
    assert "its 4 frames have no functional groups" in series_refusal(tmp_path / "1")


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
def test_compressed_series_are_read(tmp_path, syntax, dtype):
    """Run lengths and JPEG-LS, as pydicom's encoders write them."""
    array = numbered(3, 16, 18, dtype=dtype)
    for file in write_series(tmp_path, array, RescaleSlope=1, RescaleIntercept=-5):
        dataset = dcmread(file)
        dataset.compress(syntax)
        dataset.save_as(file)
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), array.astype(int) - 5)


@pytest.mark.parametrize("name", GDCM_SYNTAXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
def test_series_that_gdcm_compressed_are_read(tmp_path, name, dtype):
    """JPEG 2000 and JPEG, without loss."""
    array = numbered(3, 16, 18, dtype=dtype)
    for file in write_series(tmp_path, array):
        compress_by_gdcm(file, GDCM_SYNTAXES[name])
    assert np.array_equal(voxels(read_series(tmp_path, ANY)), array)


def compress_by_gdcm(file, syntax):
    """Write a file again with compressed pixels."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def test_a_compressed_multiframe_file_is_read(tmp_path):
    """Frames are decoded one by one."""
    file = tmp_path / "1"
    write_multiframe(file, [ARRAY, ARRAY + 1000])
    dataset = dcmread(file)
    dataset.compress(RLELossless)
    dataset.save_as(file)
    assert np.array_equal(voxels(read_series(file, SeriesRule(time=2))), ARRAY + 1000)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("left", [0.5, 0.9, 0.99])
def test_a_compressed_file_that_was_cut_off_is_refused(tmp_path, syntax, left):
    """A decoder that fills in what is missing would be believed."""
    array = np.random.default_rng(1).integers(0, 4000, (2, 64, 64)).astype(np.uint16)
    files = write_series(tmp_path, array)
    for file in files:
        if syntax == JPEG2000Lossless:
            compress_by_gdcm(file, GDCM_SYNTAXES["JPEG 2000"])
        else:
            dataset = dcmread(file)
            dataset.compress(syntax)
            dataset.save_as(file)
    content = files[1].read_bytes()
    files[1].write_bytes(content[: int(len(content) * left)])
    assert "the file is incomplete or damaged" in series_refusal(tmp_path)


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (
            "1.2.840.10008.1.2.4.100",
            "its transfer syntax, MPEG2 Main Profile / Main Level, is one that no decoder reads",
        ),
        ("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian, is not read"),
    ],
)
def test_a_transfer_syntax_that_is_not_read_is_named(tmp_path, syntax, words):
    """Video is none of an image; what is packed as a whole could unpack to any length."""
    for file in write_series(tmp_path, ARRAY):
        dataset = dcmread(file)
        content = file.read_bytes()
        old = dataset.file_meta.TransferSyntaxUID.encode()
        new = syntax.encode()
        padded = new + b"\0" * (len(new) % 2)
        position = content.index(old)
        length = len(old) + len(old) % 2
        content = content[: position - 2] + len(padded).to_bytes(2, "little") + padded + content[position + length :]
        group = 140
        size = int.from_bytes(content[group : group + 4], "little") + len(padded) - length
        file.write_bytes(content[:group] + size.to_bytes(4, "little") + content[group + 4 :])
    assert words in series_refusal(tmp_path)
