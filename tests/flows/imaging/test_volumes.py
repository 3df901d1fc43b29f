"""Volumes: what is read, which label is the lesion, when geometries agree, and what a content hash sees."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flows.imaging.grids import geometry_difference
from flows.imaging.labels import lesion_mask
from flows.imaging.volumes import image_sha256, mask_sha256, read_volume
from schemas.errors import ContractError

IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)
TILTED = (math.cos(0.4), -math.sin(0.4), 0, math.sin(0.4), math.cos(0.4), 0, 0, 0, 1)
SMALL_MASKS = arrays.arrays(np.uint8, (2, 3, 5), elements=st.integers(0, 1))


def volume(array=None, *, spacing=(0.7, 0.7, 3.0), origin=(-180.25, 40.5, 12.125), direction=IDENTITY):
    """Return an image of 64 x 64 x 20 voxels, or of the array's."""
    image = sitk.GetImageFromArray(np.zeros((20, 64, 64), np.int16) if array is None else array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd"])
def test_a_volume_keeps_voxels_and_geometry_on_disk(tmp_path, ending):
    """A tilted volume that was written is read back with its voxels and, but for float32, its geometry."""
    array = np.random.default_rng(1).integers(-900, 900, (20, 64, 64)).astype(np.int16)
    written = volume(array, direction=TILTED)
    file = tmp_path / f"volume{ending}"
    sitk.WriteImage(written, str(file))
    read = read_volume(file)
    assert np.array_equal(sitk.GetArrayFromImage(read), array)
    assert geometry_difference(written, read) is None


def test_a_fourth_axis_of_length_one_is_dropped(tmp_path):
    """Some tools write a volume with one time point; it is still a volume."""
    file = tmp_path / "one.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([volume()]), str(file))
    assert read_volume(file).GetSize() == (64, 64, 20)


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (sitk.JoinSeries([volume(), volume()]), "64x64x20x2"),
        (sitk.GetImageFromArray(np.zeros((4, 5), np.uint8)), "5x4"),
        (sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True), "5x4x3"),
    ],
    ids=["series", "slice", "colours"],
)
def test_what_is_no_single_volume_is_refused(tmp_path, image, size):
    """A time series, a single slice and a colour volume are refused, with their size."""
    file = tmp_path / "other.nrrd"
    sitk.WriteImage(image, str(file))
    with pytest.raises(ContractError, match=f"no single-channel volume .size {size}") as error:
        read_volume(file)
    assert error.value.where == str(file)


def test_an_unreadable_file_is_refused_in_one_line(tmp_path):
    """A file that is no image gives one line that names it, not ITK's page of source positions."""
    file = tmp_path / "broken.nii.gz"
    file.write_bytes(b"this is no image")
    with pytest.raises(ContractError, match="cannot be read as an image") as error:
        read_volume(file)
    assert error.value.where == str(file)
    assert "\n" not in error.value.message


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd"])
def test_a_file_that_was_cut_off_is_refused(tmp_path, ending):
    """The first half of a file, as a broken-off copy leaves it, is refused: ITK would read the rest as zeros."""
    array = np.random.default_rng(1).integers(-900, 900, (20, 64, 64)).astype(np.int16)
    file = tmp_path / f"half{ending}"
    sitk.WriteImage(volume(array), str(file))
    content = file.read_bytes()
    for share in (0.5, 0.999):
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ContractError, match=r"incomplete|cannot be read") as error:
            read_volume(file)
        assert error.value.where == str(file)


def test_a_damaged_file_is_refused(tmp_path):
    """A few bytes that changed in a packed file are noticed, by ITK or by the checksum."""
    array = np.random.default_rng(1).integers(-900, 900, (20, 64, 64)).astype(np.int16)
    file = tmp_path / "damaged.nii.gz"
    sitk.WriteImage(volume(array), str(file))
    content = bytearray(file.read_bytes())
    for position in range(len(content) // 2, len(content) // 2 + 8):
        content[position] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(ContractError, match=r"incomplete or damaged|cannot be read"):
        read_volume(file)


def test_a_missing_file_is_refused(tmp_path):
    """A path without a file says that the file is missing."""
    with pytest.raises(ContractError, match="file is missing"):
        read_volume(tmp_path / "none.nii.gz")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_a_lesion_is_the_voxels_of_its_label(kind):
    """Of a label map with two labels only the asked one is left, as ones on the map's grid."""
    labels = np.zeros((4, 5, 6), kind)
    labels[1, 1:3, 2], labels[2, 2, 2:5] = 2, 5
    mask = lesion_mask(volume(labels, direction=TILTED), 5)
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(mask), labels == 5)
    assert mask.GetDirection() == pytest.approx(TILTED)


def test_an_empty_map_and_an_absent_label_are_told_apart():
    """An empty mask says so; one without the label names the labels it has."""
    labels = np.zeros((4, 5, 6), np.uint8)
    with pytest.raises(ContractError, match="mask is empty"):
        lesion_mask(volume(labels), 1)
    labels[1, 1, 1], labels[2, 2, 2] = 3, 7
    with pytest.raises(ContractError, match="label 1 is absent from the mask; it has 3, 7"):
        lesion_mask(volume(labels), 1)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (volume(np.zeros((20, 64, 63), np.int16)), "size"),
        (volume(spacing=(0.7, 0.7, 3.01)), "spacing"),
        (volume(spacing=(0.7, 0.72, 3.0)), "spacing"),
        (volume(origin=(-180.25, 40.5 + 0.2, 12.125)), "origin"),
        (volume(direction=(-1, 0, 0, 0, 1, 0, 0, 0, 1)), "direction"),
        # First and last voxel lie where the image's do; rows and columns are exchanged all the same.
        (volume(direction=(0, 1, 0, 1, 0, 0, 0, 0, 1)), "direction"),
        (volume(direction=TILTED), "direction"),
    ],
    ids=["size", "slice spacing", "row spacing", "a third of a voxel", "mirrored", "transposed", "tilted"],
)
def test_another_geometry_is_seen_and_named(other, reason):
    """Another size, spacing, origin or direction is a difference, seen from both sides, named with both values."""
    difference = geometry_difference(volume(), other)
    assert difference is not None
    assert difference.startswith(reason)
    assert "against the image's" in difference
    assert geometry_difference(other, volume()) is not None


def test_a_large_volume_has_no_more_room_than_a_small_one():
    """Half a voxel's shift is a difference in a volume of 512 voxels a side too."""
    large = np.zeros((1, 512, 512), np.uint8)
    assert geometry_difference(volume(large), volume(large, origin=(-180.25 + 0.35, 40.5, 12.125))) is not None


def test_float32_rounding_is_no_difference(tmp_path):
    """A mask in NIfTI, whose header rounds, lies on the grid of its image in NRRD."""
    image = volume(direction=TILTED, origin=(-180.123456789, 40.987654321, -912.123456789))
    mask_file, image_file = tmp_path / "mask.nii.gz", tmp_path / "image.nrrd"
    sitk.WriteImage(image, str(mask_file))
    sitk.WriteImage(image, str(image_file))
    assert geometry_difference(read_volume(image_file), read_volume(mask_file)) is None


@pytest.mark.parametrize(
    "other",
    [
        volume(spacing=(0.7, 0.7, 3.1)),
        volume(origin=(-180.25, 40.5, 12.25)),
        volume(direction=TILTED),
        volume(np.zeros((20, 64, 64), np.float32)),
        volume(np.zeros((64, 20, 64), np.int16)),
        volume(np.eye(64, dtype=np.int16)[None].repeat(20, axis=0)),
    ],
    ids=["spacing", "origin", "direction", "pixel type", "shape", "voxels"],
)
def test_an_image_hash_sees_voxels_type_and_geometry(other):
    """Whatever could change a feature changes the image's hash."""
    assert image_sha256(volume()) != image_sha256(other)


def test_an_image_hash_does_not_see_the_file(tmp_path):
    """The same content in another place, packed or not, has the same hash."""
    array = np.random.default_rng(2).normal(size=(5, 6, 7)).astype(np.float32)
    names = ("a.nii.gz", "b.nii", "copy/of/a.nii.gz")
    (tmp_path / "copy" / "of").mkdir(parents=True)
    for name in names:
        sitk.WriteImage(volume(array, spacing=(1, 1, 2), origin=(0, 0, 0)), str(tmp_path / name))
    assert len({image_sha256(read_volume(tmp_path / name)) for name in names}) == 1


def test_a_mask_hash_is_of_the_lesion_alone():
    """Label value, pixel type and other labels in the file do not change a lesion's hash."""
    first, second = np.zeros((4, 5, 6), np.uint8), np.zeros((4, 5, 6), np.float32)
    first[1:3, 1:3, 1:3], second[1:3, 1:3, 1:3] = 1, 4
    second[0, 0, 0] = 9
    assert mask_sha256(lesion_mask(volume(first), 1)) == mask_sha256(lesion_mask(volume(second), 4))


@given(SMALL_MASKS, SMALL_MASKS)
def test_mask_hashes_are_equal_for_equal_masks_only(one, other):
    """Two masks have one hash if and only if they have the same voxels."""
    assert (mask_sha256(volume(one)) == mask_sha256(volume(other))) == np.array_equal(one, other)
