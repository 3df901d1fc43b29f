"""What readers would repair without a word: refused, with the place, in every format alike."""

import gzip
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.image_files import data_files
from flows.imaging.labels import LABEL_ROUNDING, lesion_mask
from flows.imaging.volumes import is_unoriented, read_volume
from schemas.errors import ContractError

VOXELS = np.random.default_rng(4).normal(100, 20, (4, 5, 6))
SINGLE = VOXELS.astype(np.float32)
FORMATS = ["A.nii", "A.nii.gz", "A.nrrd", "A.nhdr", "A.mha", "A.mhd", "A.hdr"]


def refusal(file):
    """Return why a file is refused."""
    with pytest.raises(ContractError) as error:
        read_volume(file)
    assert error.value.where == str(file)
    return error.value.message


def nifti(folder, *edits, voxels=SINGLE):
    """Write a NIfTI file with parts of its header overwritten: (offset, struct format, value)."""
    file = folder / "A.nii"
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(file))
    content = bytearray(file.read_bytes())
    for offset, form, value in edits:
        struct.pack_into(f"<{form}", content, offset, value)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_is_refused_with_its_place(tmp_path, name, kind, value):
    """NaN and infinity are refused in every format, with the count and the first place: ITK makes them 0 in NIfTI."""
    voxels = VOXELS.astype(kind)
    voxels[2, 3, 1] = voxels[3, 0, 5] = value
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / name))
    assert refusal(tmp_path / name) == ("2 voxels are not finite (NaN or infinity), the first at (i, j, k) = (1, 3, 2)")


def test_bytes_the_other_way_round_are_checked_alike(tmp_path):
    """In a big-endian NIfTI file the NaN is found where it is, and a sound one is read."""
    file = nifti(tmp_path)
    little = file.read_bytes()
    fields = "i10s18sihcc8hfffhhhh8ffffhccffffii80s24shhffffff12f16s4s"
    for place, expected in ((None, None), (7, "(1, 1, 0)")):
        voxels = np.frombuffer(little[352:], "<f4").copy()
        if place is not None:
            voxels[place] = np.nan
        header = struct.pack(f">{fields}", *struct.unpack(f"<{fields}", little[:348]))
        file.write_bytes(header + little[348:352] + voxels.astype(">f4").tobytes())
        if expected is None:
            assert np.array_equal(sitk.GetArrayFromImage(read_volume(file)).ravel(), voxels)
        else:
            assert refusal(file).endswith(expected)


def test_a_scale_that_overflows_is_refused(tmp_path):
    """Voxels that become infinite by the header's own scale are not finite either."""
    assert "not finite" in refusal(nifti(tmp_path, (112, "f", 1e38)))


HEADERS = {
    "no thickness": ([(88, "f", 0.0)], "the spacing is missing: pixdim is (1, 1, 0)"),
    "negative": ([(80, "f", -1.0)], "the spacing is missing: pixdim is (-1, 1, 1)"),
    "spacing NaN": ([(84, "f", np.nan)], "the spacing is missing"),
    "spacing infinite": ([(84, "f", np.inf)], "the spacing is missing"),
    "spacing twice": (
        [(280, "f", -2.0)],
        "the spacing contradicts itself: (1, 1, 1) by pixdim, (2, 1, 1) by the sform",
    ),
    "sheared": ([(284, "f", -0.5), (252, "h", 0)], "the axes are not at right angles"),
    "a little sheared": ([(284, "f", -0.0009), (252, "h", 0)], "the axes are not at right angles"),
    "sform zero": ([(280 + 4 * place, "f", 0.0) for place in range(12)], "the orientation (sform) has an axis"),
    "sform NaN": ([(292, "f", np.nan)], "the orientation (sform) has numbers that are not finite"),
    "qform NaN": ([(268, "f", np.nan)], "the orientation (qform) has numbers that are not finite"),
    "slope infinite": ([(112, "f", np.inf)], "scl_slope is inf"),
    "slope too small": ([(112, "f", 1e-20)], "scl_slope is 1e-20"),
    "intercept alone": ([(112, "f", 0.0), (116, "f", 5.0)], "scl_slope is 0 and scl_inter 5"),
    "intercept NaN": ([(112, "f", 2.0), (116, "f", np.nan)], "scl_slope is 2 and scl_inter nan"),
    "voxels in the header": ([(108, "f", 0.0)], "vox_offset is 0"),
    "voxels beyond the file": ([(108, "f", 1e9)], "file is incomplete"),
    "offset NaN": ([(108, "f", np.nan)], "vox_offset is nan"),
    "axes": ([(42, "h", -3)], "the header's dimensions cannot be right"),
    "huge": ([(42, "h", 30000), (44, "h", 30000), (46, "h", 30000)], "file is incomplete"),
    "unknown type": ([(70, "h", 77)], "the header's datatype 77"),
    "complex": ([(70, "h", 32)], "is no single-channel volume (size 6x5x4): a complex image"),
    "RGB": ([(70, "h", 128)], "is no single-channel volume (size 6x5x4): an RGB image, 3 components a voxel"),
}


@pytest.mark.parametrize(("edits", "words"), HEADERS.values(), ids=list(HEADERS))
def test_a_header_is_not_repaired(tmp_path, edits, words):
    """What a NIfTI header lacks, or says twice, is refused in words: ITK takes 1 mm, no scale, or zeros."""
    assert refusal(nifti(tmp_path, *edits)).startswith(words)


def test_no_scale_is_written_in_several_ways(tmp_path):
    """A slope of 0, or NaN with an intercept of NaN, means no scale, as the format and its writers have it."""
    for slope, intercept in ((0.0, 0.0), (np.nan, np.nan), (1.0, 0.0)):
        file = nifti(tmp_path, (112, "f", slope), (116, "f", intercept))
        assert np.array_equal(sitk.GetArrayFromImage(read_volume(file)), VOXELS.astype(np.float32))
    doubled = nifti(tmp_path, (112, "f", 2.0))
    assert sitk.GetArrayFromImage(read_volume(doubled)) == pytest.approx(2 * VOXELS, rel=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_units_of_length_become_millimetres(tmp_path, unit, factor):
    """Metres and microns are converted, a unit that is not given is taken for mm."""
    assert read_volume(nifti(tmp_path, (123, "B", unit))).GetSpacing() == pytest.approx((factor,) * 3)


def test_an_image_without_orientation_is_read_and_known_for_it(tmp_path):
    """With qform and sform of 0 the axes are taken as they come, and ingest can say so; another file has one."""
    assert not is_unoriented(read_volume(nifti(tmp_path)))
    assert is_unoriented(read_volume(nifti(tmp_path, (252, "h", 0), (254, "h", 0))))


NRRD = "NRRD0004\ntype: float\ndimension: 3\nsizes: 6 5 4\nencoding: raw\nendian: little\n"
META = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 6 5 4\n"
META_END = "ElementType = MET_FLOAT\nElementDataFile = LOCAL\n"
TEXTS = {
    "NRRD without spacing": (f"{NRRD}\n", "the spacing is missing"),
    "NRRD spacing NaN": (f"{NRRD}spacings: 1 1 nan\n\n", "the spacing is missing"),
    "NRRD spacing negative": (f"{NRRD}spacings: 1 1 -2\n\n", "the spacing is missing"),
    "NRRD spacing 0": (f"{NRRD}spacings: 1 1 0\n\n", "the spacing is missing"),
    "NRRD axis of no length": (
        f"{NRRD}space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,0,0)\n\n",
        "the spacing",
    ),
    "NRRD sheared": (
        f"{NRRD}space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,.3,1)\n\n",
        "the axes are not at",
    ),
    "NRRD in microns": (f'{NRRD}spacings: 1 1 2\nunits: "um" "um" "um"\n\n', "the spacing is in 'um'"),
    "NRRD bzip2": (f"{NRRD.replace('raw', 'bzip2')}spacings: 1 1 2\n\n", "the voxels are stored as 'bzip2'"),
    "MetaImage without spacing": (f"{META}{META_END}", "the spacing is missing"),
    "MetaImage spacing 0": (f"{META}ElementSpacing = 1 1 0\n{META_END}", "the spacing is missing"),
    "MetaImage spacing negative": (f"{META}ElementSpacing = 1 1 -2\n{META_END}", "the spacing is missing"),
    "MetaImage offset NaN": (f"{META}ElementSpacing = 1 1 2\nOffset = 0 nan 0\n{META_END}", "the orientation (offset)"),
}


@pytest.mark.parametrize(("text", "words"), TEXTS.values(), ids=list(TEXTS))
def test_a_text_header_is_not_repaired(tmp_path, text, words):
    """The same rule holds for NRRD and MetaImage: no spacing is made up, none is turned round."""
    file = tmp_path / "A.dat"
    file.write_bytes(text.encode() + VOXELS.astype("<f4").tobytes())
    assert refusal(file).startswith(words)


def test_a_metaimage_that_was_cut_off_is_refused(tmp_path):
    """A MetaImage with fewer bytes than its header counts is incomplete, and is said to be."""
    file = tmp_path / "A.mha"
    file.write_bytes(f"{META}ElementSpacing = 1 1 2\n{META_END}".encode() + VOXELS.astype("<f4").tobytes()[:-8])
    assert refusal(file) == "file is incomplete: 472 of 480 bytes of voxels, as its header counts them"


@pytest.mark.parametrize("name", ["A.mha", "A.mhd", "A.nrrd", "A.nhdr"])
def test_packed_voxels_that_were_cut_off_or_damaged_are_refused(tmp_path, name):
    """Voxels packed within NRRD or MetaImage are refused where bytes are missing or changed: MetaIO would go on."""
    header = tmp_path / name
    sitk.WriteImage(sitk.GetImageFromArray(SINGLE), str(header), True)
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(header)), SINGLE)
    (data,) = data_files(header) or (header,)
    content = data.read_bytes()
    changed = bytearray(content)
    changed[len(content) * 3 // 4] ^= 0xFF
    for damaged in (content[: len(content) * 4 // 5], content[:-2], changed):
        data.write_bytes(damaged)
        assert "incomplete" in refusal(header)


def metaimage(folder, fields="", *, size=None, packed=True):
    """Write a MetaImage of short integers by hand, packed or not; return the file and its voxels."""
    voxels = np.random.default_rng(1).integers(0, 200, (40, 64, 64)).astype("<i2")
    body = zlib.compress(voxels.tobytes()) if packed else voxels.tobytes()
    if size is not None:
        fields += f"CompressedDataSize = {len(body) + size}\n"
    lines = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    lines += f"CompressedData = {packed}\n{fields}Offset = 0 0 0\nElementSpacing = 1 1 1\nDimSize = 64 64 40\n"
    file = folder / "A.mha"
    file.write_bytes(f"{lines}ElementType = MET_SHORT\nElementDataFile = LOCAL\n".encode() + body)
    return file, voxels


@pytest.mark.parametrize("size", [None, 0, -500, 7])
def test_packed_voxels_are_those_of_the_file_whatever_length_the_header_gives(tmp_path, size):
    """Without the packed length, or with a wrong one, MetaIO gives memory for voxels; here the voxels are unpacked."""
    file, voxels = metaimage(tmp_path, size=size)
    assert (sitk.GetArrayFromImage(read_volume(file)) == voxels).all()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("DistanceUnits = cm\n", "the spacing is in 'cm'"),
        ("ElementToIntensityFunctionSlope = 2\n", "a scale that no reader applies"),
        ("ElementToIntensityFunctionOffset = -1024\n", "a scale that no reader applies"),
        ("HeaderSize = 10\n", "HeaderSize is 10: the voxels would begin within the header"),
    ],
)
def test_fields_of_a_metaimage_that_itk_leaves_aside_are_refused(tmp_path, fields, words):
    """Units, a scale and a length of the header are not passed over."""
    assert words in refusal(metaimage(tmp_path, fields, packed=False)[0])
    neutral = "DistanceUnits = mm\nElementToIntensityFunctionSlope = 1\nElementToIntensityFunctionOffset = 0\n"
    assert read_volume(metaimage(tmp_path, neutral)[0]).GetSize() == (64, 64, 40)


def test_a_reason_is_the_same_every_time(tmp_path):
    """No reason names an object in memory: else each ingest of a broken file would be a commit."""
    file = tmp_path / "A.nrrd"
    file.write_text("NRRD0004\ntype: block\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\nencoding: raw\n\n" + "x" * 64)
    assert "0x" not in refusal(file)
    assert refusal(file) == refusal(file)


def labels(*values):
    """Return a label map with one voxel of each value."""
    voxels = np.zeros((2, 3, 8), np.float64)
    voxels[1, 2, : len(values)] = values
    return sitk.GetImageFromArray(voxels)


def test_labels_off_by_rounding_are_labels():
    """Values within the stated rounding of a label are that label, and no voxel of the lesion is lost."""
    near = lesion_mask(labels(1, 0.9999999, 1 + 0.99 * LABEL_ROUNDING, 2.0, 1e-7), 1)
    assert int(sitk.GetArrayFromImage(near).sum()) == 3


def test_fractions_are_no_labels():
    """Values further from a whole number are refused, with their count, the first one and its place."""
    with pytest.raises(ContractError) as error:
        lesion_mask(labels(1, 1.01 + LABEL_ROUNDING, 0.5), 1)
    assert error.value.message.startswith(
        "2 voxels have values that are no label, the first 1.011 at (i, j, k) = (1, 2, 1)"
    )


def test_labels_of_any_range_are_compared(tmp_path):
    """Negative labels and those beyond 32 bits are labels like others, named where the asked one is absent."""
    with pytest.raises(ContractError, match="it has -1, 3000000000"):
        lesion_mask(labels(-1, 3e9), 1)
    wide = np.zeros((2, 3, 4), np.int64)
    wide[0, 0, 0], wide[1, 1, 1] = -(2**40), 5
    sitk.WriteImage(sitk.GetImageFromArray(wide), str(tmp_path / "A.nii.gz"))
    assert int(sitk.GetArrayFromImage(lesion_mask(read_volume(tmp_path / "A.nii.gz"), 5)).sum()) == 1


def test_a_mask_scaled_by_its_header_has_its_labels(tmp_path):
    """A mask stored as 255 with a slope of 1/255, which gives 1 but for rounding, is read as label 1."""
    stored = (VOXELS > 100).astype(np.uint8) * 255
    file = nifti(tmp_path, (112, "f", 1 / 255), voxels=stored)
    assert np.array_equal(sitk.GetArrayFromImage(lesion_mask(read_volume(file), 1)), stored > 0)


def test_a_nan_in_a_mask_is_refused(tmp_path):
    """Masks are read under the same rule as images: NaN is no background."""
    voxels = np.full((4, 5, 6), np.nan, np.float32)
    voxels[1:3, 1:3, 1:3] = 1
    (tmp_path / "A.nii.gz").write_bytes(gzip.compress(nifti(tmp_path, voxels=voxels).read_bytes()))
    assert refusal(tmp_path / "A.nii.gz").startswith("112 voxels are not finite")
