"""Plain DICOM files, read without pydicom's parser: what is found in them is what pydicom finds, or nothing is said."""

import random
import struct
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.written import CT, Place, changed, item, numbered, write_multiframe, write_series
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from flows.imaging.dicom.frames import frames_of
from flows.imaging.dicom.headers import complete_dataset, dataset_of, largest_file, text_of
from flows.imaging.dicom.pixels import decoded_frames, voxels_of
from flows.imaging.dicom.plain.elements import plain_file
from flows.imaging.dicom.plain.values import tags_of
from flows.imaging.dicom.series import SERIES_TAGS
from flows.imaging.dicom.slices.alike import frames_of_series
from flows.imaging.dicom.slices.stored import PlainFrames
from schemas.errors import ContractError

ARRAY = numbered(1, 5, 6)
WANTED = tags_of(SERIES_TAGS)


def rich(_, dataset):
    """Add what real headers have: private blocks, nested sequences of known and unknown length, other characters."""
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SeriesDescription, dataset.ManufacturerModelName = "Übersicht", "Gerät"
    inner = item(CodeValue="T-04000", CodeMeaning="x" * 64)
    inner[0].is_undefined_length_sequence_item = True
    inner.is_undefined_length = True
    outer = item(PurposeOfReferenceCodeSequence=inner, ReferencedSOPInstanceUID="1.2.3")
    outer[0].is_undefined_length_sequence_item = True
    dataset.ReferencedImageSequence = outer
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.RequestAttributesSequence = Items([Dataset(), *item(RequestedProcedureID="7")])
    dataset.OtherPatientIDsSequence = Items()
    dataset["OtherPatientIDsSequence"].is_undefined_length = True
    block = dataset.private_block(0x0019, "VENDOR", create=True)
    block.add_new(1, "OB", bytes(range(256)) * 4)
    block.add_new(2, "SQ", item(CodeValue="1"))
    dataset[0x00191002].is_undefined_length = True
    dataset.WindowCenter, dataset.RescaleSlope, dataset.RescaleIntercept = [40, 400], "1", "-1024"


def written(folder, change=rich, array=ARRAY, implicit=False, **elements):
    """Write a file of one slice and return it."""
    (file,) = write_series(folder, array, change=change, sop_class=CT, **elements)
    if implicit:
        dataset = dcmread(file)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(file, implicit_vr=True, little_endian=True, enforce_file_format=True)
    return file


def plain(content):
    """Return what is found in a whole file's header."""
    return plain_file(content, WANTED, is_whole=True, to_pixels=True)


def stands_twice(content):
    """Return whether a file is refused for an element that it has twice."""
    try:
        plain(content)
    except ContractError as error:
        return "stands in it twice" in error.message
    return False


def of_pydicom(file):
    """Return what pydicom's own parser makes of each element of a file's header, or of the file None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(file, specific_tags=list(SERIES_TAGS), stop_before_pixels=True)
            known = dict.fromkeys(SERIES_TAGS, "")
            for keyword in SERIES_TAGS:
                try:
                    known[keyword] = text_of(dataset, keyword)
                except ContractError as error:
                    known[keyword] = error
            return {keyword: str(value) for keyword, value in known.items()} if known["SOPClassUID"] else None
        except Exception:
            return None


def of_radzoo(file):
    """Return what `of_pydicom` does, as it is read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dataset_of(file, SERIES_TAGS)
        except ContractError:
            return None
        known = {}
        for keyword in SERIES_TAGS:
            try:
                known[keyword] = text_of(dataset, keyword)
            except ContractError as error:
                known[keyword] = str(error)
        return known


@pytest.mark.parametrize("implicit", [False, True])
def test_a_plain_header_is_what_pydicom_reads(tmp_path, implicit):
    """Each value is equal, of both encodings, behind sequences of unknown length, private ones and other characters."""
    file = written(tmp_path, implicit=implicit)
    found = plain(file.read_bytes())
    assert found is not None
    assert found.is_implicit == implicit
    assert of_radzoo(file) == of_pydicom(file)
    assert of_radzoo(file)["SeriesDescription"] == "Übersicht"


def test_a_longer_header_is_read_to_its_end(tmp_path):
    """Elements behind a private block that is larger than the first bytes that are looked at are found."""

    def change(_, dataset):
        dataset.private_block(0x0019, "VENDOR", create=True).add_new(1, "OB", bytes(100_000))

    file = written(tmp_path, change)
    assert plain_file(file.read_bytes()[: 1 << 15], WANTED, is_whole=False, to_pixels=True) is None
    assert of_radzoo(file) == of_pydicom(file)
    assert of_radzoo(file)["Columns"] == "6"


def test_what_has_more_than_one_reading_is_left_to_pydicom(tmp_path):
    """Big endian, no preamble, a private syntax, a VR that is none, a length beyond the file, an end within a value."""
    content = written(tmp_path / "plain").read_bytes()
    assert plain(content) is not None
    big = written(tmp_path / "big", None)
    dataset = dcmread(big)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(big, dataset, implicit_vr=False, little_endian=False)
    rows = content.index(struct.pack("<HH2s", 0x0028, 0x0010, b"US"))
    syntax = content.index(b"1.2.840.10008.1.2.1\0")
    for other in (
        big.read_bytes(),
        content[132:],
        content[:syntax] + b"1.2.840.99999.1.2.1\0" + content[syntax + 20 :],
        content[: rows + 4] + b"ZZ" + content[rows + 6 :],
        content[: rows + 6] + b"\xff\xff" + content[rows + 8 :],
        content[: rows + 9],
    ):
        assert plain(other) is None


def element_of(content, group, number):
    """Return where an element of explicit VR begins, and its bytes."""
    at = content.index(struct.pack("<HH2s", group, number, b"DS"))
    return at, content[at : at + 8 + struct.unpack_from("<H", content, at + 6)[0]]


def test_an_element_that_stands_twice_is_refused(tmp_path):
    """Pydicom takes the last, ITK the first: neither is taken for what the scanner meant."""
    file = written(tmp_path, None, RescaleSlope="2", RescaleIntercept="-7")
    content = file.read_bytes()
    at, slope = element_of(content, 0x0028, 0x1053)
    file.write_bytes(content[:at] + slope.replace(b"2 ", b"5 ") + content[at:])
    assert dcmread(file).RescaleSlope == 2
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(file))), ARRAY * 5 - 7)
    with pytest.raises(ContractError, match="RescaleSlope stands in it twice"):
        dataset_of(file, SERIES_TAGS)


@pytest.mark.parametrize(
    ("moved", "message"), [(True, "RescaleSlope stands behind the pixels"), (False, "RescaleSlope stands in it twice")]
)
def test_what_scales_pixels_is_not_looked_for_behind_them(tmp_path, moved, message):
    """Moved there, or standing there a second time: other readers apply it, so the file is not read without it."""
    file = written(tmp_path, None, RescaleSlope="2", RescaleIntercept="-7")
    content = file.read_bytes()
    at, slope = element_of(content, 0x0028, 0x1053)
    rest = content[:at] + content[at + len(slope) :] if moved else content
    file.write_bytes(rest + slope.replace(b"2 ", b"2 " if moved else b"5 "))
    (frame,) = frames_of(dataset_of(file, SERIES_TAGS), file)
    with pytest.raises(ContractError, match=message):
        voxels_of([frame])


@pytest.mark.parametrize("implicit", [False, True])
def test_damaged_headers_are_read_or_refused_as_pydicom_does(tmp_path, implicit):
    """Of 250 files with bytes changed, cut out, put in or cut off, each has the values that pydicom's parser finds."""
    content = written(tmp_path, implicit=implicit).read_bytes()
    draw = random.Random(5)  # noqa: S311  (damage that can be repeated)
    file, are_plain, are_read = tmp_path / "damaged.dcm", 0, 0
    words = [b"\xff\xff\xff\xff", *(struct.pack("<HH", 0xFFFE, each) for each in (0xE000, 0xE00D, 0xE0DD))]
    words += [b"UN", b"SQ", b"OB", b"zz", b"\0\0\0\0", b"\x08\0\x05\0", b"\xe0\x7f\x10\0", b"\1", b"\xff"]
    for _ in range(250):
        damaged = bytearray(content)
        for _ in range(draw.choice((1, 1, 2))):
            at = draw.randrange(132, len(damaged) - 60)
            word = draw.choice(words)
            kind = draw.randrange(4)
            damaged[at : at + (0 if kind == 0 else len(word))] = b"" if kind == 1 else word
        if draw.randrange(8) == 0:
            del damaged[draw.randrange(132, len(damaged)) :]
        file.write_bytes(damaged)
        if stands_twice(bytes(damaged)):  # of two readings none is taken
            assert of_radzoo(file) is None
            continue
        known = of_pydicom(file)
        assert of_radzoo(file) == known
        are_plain += plain(bytes(damaged)) is not None
        are_read += known is not None
    assert 60 < are_plain < 240
    assert are_read >= are_plain


@pytest.mark.parametrize(
    ("dtype", "elements", "shape"),
    [
        (np.int16, {}, (5, 6)),
        (np.uint16, {"BitsStored": 12, "HighBit": 11}, (5, 6)),
        (np.uint8, {}, (5, 7)),
        (np.int32, {"RescaleIntercept": "-7"}, (5, 6)),
        (np.int16, {"RescaleSlope": "0.5", "RescaleIntercept": "3.25"}, (5, 6)),
        (np.uint16, {"RescaleIntercept": "-1024"}, (5, 6)),
    ],
)
@pytest.mark.parametrize("implicit", [False, True])
def test_plain_pixels_are_what_pydicom_decodes(tmp_path, dtype, elements, shape, implicit):
    """Of each type, with fewer bits than they take and with a padded end; voxels are those of the other reader too."""
    array = np.random.default_rng(3).integers(0, 100, (1, *shape)).astype(dtype)
    file = written(tmp_path, None, array, implicit, **elements)
    (frame,) = frames_of(dataset_of(file, SERIES_TAGS), file)
    stored = PlainFrames(largest_file()).stored(frame)
    (decoded,) = decoded_frames(complete_dataset(file), [0], file)
    assert stored is not None
    assert stored.dtype == decoded.dtype == dtype
    assert np.array_equal(stored, decoded)
    slope, intercept = float(elements.get("RescaleSlope", 1)), float(elements.get("RescaleIntercept", 0))
    assert np.array_equal(voxels_of([frame])[0], decoded.astype(np.float64) * slope + intercept)


def test_pixels_that_are_not_plain_are_left_to_pydicom(tmp_path):
    """Cut off, followed by other bytes, compressed, of bits that are not used, of another size by now: None is read."""
    array = numbered(1, 5, 6, dtype=np.uint16)
    file = written(tmp_path, None, array, BitsStored=12, HighBit=11)
    (frame,) = frames_of(dataset_of(file, SERIES_TAGS), file)
    reader = PlainFrames(largest_file())
    content = file.read_bytes()
    assert reader.stored(frame) is not None
    assert PlainFrames(len(content) - 1).stored(frame) is None
    for other in (content[:-2], content + b"\0" * 6, content[:-1] + b"\xf0", content[:128] + b"XXXX" + content[132:]):
        file.write_bytes(other)
        assert reader.stored(frame) is None
    for name, value in (("Rows", 6), ("PixelRepresentation", 1), ("BitsStored", 11), ("SamplesPerPixel", 3)):
        file.write_bytes(content)
        changed(file, **{name: value})
        assert reader.stored(frame) is None
    file.write_bytes(content)
    dataset = dcmread(file)
    dataset.compress(RLELossless)
    dataset.save_as(file)
    assert reader.stored(frame) is None


def test_bits_that_are_not_used_are_passed_over_as_ever(tmp_path):
    """A slice whose pixels have such bits set is decoded by pydicom, which shifts them out (PS3.5, section 8.1.1)."""
    array = numbered(1, 5, 6, dtype=np.uint16) | 0xF000
    file = written(tmp_path, None, array, BitsStored=12, HighBit=11)
    (frame,) = frames_of(dataset_of(file, SERIES_TAGS), file)
    assert np.array_equal(voxels_of([frame])[0], array[0] & 0x0FFF)


def test_frames_made_out_once_are_those_of_each_header(tmp_path):
    """Slices that differ in scale, time, number and place have what is theirs; several frames of a file are as ever."""

    def change(k, dataset):
        dataset.RescaleSlope, dataset.AcquisitionTime, dataset.AcquisitionNumber = 1 + k % 2, f"10111{k}", k
        dataset.ContrastBolusStartTime = "101100"

    files = write_series(tmp_path / "series", numbered(6, 4, 5), change=change)
    several = tmp_path / "several.dcm"
    write_multiframe(several, [numbered(3, 4, 5)])
    headers = [(file, dataset_of(file, SERIES_TAGS)) for file in (*files, several, several)]
    made = list(frames_of_series(headers))
    assert made == [frames_of(header, file) for file, header in headers]
    assert [frames[0].slope for frames in made[:6]] == [1, 2, 1, 2, 1, 2]
    assert len({frames[0].instance for frames in made[:6]}) == 6
    assert len(made[-1]) == 3


def test_a_slice_without_a_place_is_refused_among_others(tmp_path):
    """What the other slices have in common does not stand for the position that one of them lacks, or has wrong."""
    files = write_series(tmp_path, numbered(3, 4, 5), Place())
    for value, words in ((None, "lacks ImagePositionPatient"), ([1, 2], "ImagePositionPatient has 2 numbers")):
        changed(files[1], ImagePositionPatient=value)
        headers = [(file, dataset_of(file, SERIES_TAGS)) for file in files]
        with pytest.raises(ContractError, match=words) as caught:
            list(frames_of_series(headers))
        assert caught.value.where == str(files[1])
