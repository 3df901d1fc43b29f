"""Files that cannot be read, and files that are something else: one failure row each, in true words."""

import gzip
import os
import socket
import struct
import tempfile

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.volumes import read_volume
from schemas.errors import ContractError


def written(study, content):
    """Put bytes into the place of an image."""
    study.image_file("P2").write_bytes(content)


def in_its_place(make):
    """Return a damage that removes the image and makes something else of its name."""

    def damage(study):
        study.image_file("P2").unlink()
        make(study.image_file("P2"))

    return damage


def dicom_folder(file):
    """Make a folder with one DICOM file."""
    (file / "series").mkdir(parents=True)
    (file / "series" / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(64))


def shortcut_only(file):
    """Write a Windows shortcut of the image's name."""
    file.with_name(f"{file.name}.lnk").write_bytes(b"\x4c\x00\x00\x00\x01\x14\x02\x00")


IN_ITS_PLACE = {
    "loop": (
        in_its_place(lambda file: file.symlink_to(file.name)),
        "cannot be opened: Too many levels of symbolic links",
    ),
    "pipe": (in_its_place(os.mkfifo), "is a named pipe, not a file"),
    "device": (in_its_place(lambda file: file.symlink_to("/dev/zero")), "is a device, not a file"),
    "folder": (in_its_place(lambda file: file.mkdir()), "is a folder, not a file"),
    "DICOM folder": (in_its_place(dicom_folder), "is a folder, not a file"),
    "broken link": (in_its_place(lambda file: file.symlink_to("x/y")), "is a link to 'x/y', which is missing"),
    "annex link": (
        in_its_place(lambda file: file.symlink_to(".git/annex/objects/a/b")),
        "is a link to '.git/annex/objects/a/b', which is missing: run git annex get",
    ),
    "shortcut beside": (in_its_place(shortcut_only), "file is missing: there is only a Windows shortcut"),
    "empty": (lambda study: written(study, b""), "file is empty (0 bytes)"),
    "DICOM": (lambda study: written(study, bytes(128) + b"DICM" + bytes(64)), "is a DICOM file"),
    "LFS": (lambda study: written(study, b"version https://git-lfs.github.com/spec/v1\n"), "is a Git LFS pointer"),
    "annex": (lambda study: written(study, b"/annex/objects/MD5E-s1--a.nii.gz\n"), "is a git-annex pointer"),
    "HTML": (lambda study: written(study, b"<!DOCTYPE html>\n<html>404</html>"), "is a web page"),
    "zip": (lambda study: written(study, b"PK\x03\x04" + bytes(64)), "is a zip archive: unpack it"),
    "shortcut": (lambda study: written(study, b"\x4c\0\0\0\x01\x14\x02\0" + bytes(64)), "is a Windows shortcut"),
    "AppleDouble": (lambda study: written(study, b"\0\x05\x16\x07" + bytes(64)), "is what macOS stores beside a file"),
    "packed nothing": (lambda study: written(study, gzip.compress(b"")), "cannot be read as an image"),
    "NIfTI-2": (lambda study: written(study, struct.pack("<i", 540) + bytes(600)), "is a NIfTI-2 file"),
    "Analyze header": (
        lambda study: written(study, struct.pack("<i", 348) + bytes(344)),
        "is a header whose voxels lie in another file",
    ),
}


@pytest.mark.parametrize(("damage", "words"), IN_ITS_PLACE.values(), ids=list(IN_ITS_PLACE))
def test_whatever_lies_in_an_images_place_costs_one_row(small_study, damage, words):
    """What is no image is named for what it is, on one line with its patient; the seven other masks are ingested."""
    damage(small_study)
    report = small_study.ingest()
    (failure,) = report.failures
    assert (failure["patient"], failure["phase"]) == ("P2", "AP")
    assert failure["reason"].startswith(f"image images/P2_AP.nii.gz: {words}")
    assert "\n" not in failure["reason"]
    assert report.masks == 7


def test_a_socket_is_no_image(tmp_path, monkeypatch):
    """A socket in an image's place is named, not waited for."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as each:
        each.bind("A.nii.gz")
    with pytest.raises(ContractError, match="is a socket, not a file"):
        read_volume(tmp_path / "A.nii.gz")


def test_a_path_that_no_file_can_have_is_a_failure_in_words(small_study):
    """A pattern that gives paths below a file fails row by row in the system's words, printable and stored."""
    small_study.edit("images/{patient}_AP.nii.gz", "patients.csv/{patient}")
    report = small_study.ingest()
    assert len(report.failures) == report.masks == 4
    assert all(
        row["reason"].endswith("cannot be opened: Not a directory") and row["reason"].isprintable()
        for row in report.failures
    )


@pytest.mark.parametrize("locked", ["image", "folder"])
def test_what_may_not_be_read_says_so(small_study, locked):
    """No permission is said to be that, and not that the file is missing."""
    path = small_study.image_file("P2") if locked == "image" else small_study.folder / "images"
    path.chmod(0)
    try:
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        report = small_study.ingest()
    finally:
        path.chmod(0o755)
    assert len(report.failures) == (1 if locked == "image" else 8)
    assert all(row["reason"].endswith("Permission denied") for row in report.failures)


def test_without_room_to_read_in_the_row_says_what_to_set(small_study, monkeypatch, tmp_path):
    """A temporary folder that cannot be used is a failure that names TMPDIR, not a traceback."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    report = small_study.ingest()
    assert len(report.failures) == 8
    assert all("no temporary folder" in row["reason"] and "TMPDIR" in row["reason"] for row in report.failures)


DIMENSIONS = {
    "RGB": (np.zeros((4, 5, 6, 3), np.uint8), True, "an RGB image, 3 components a voxel"),
    "vectors": (np.zeros((4, 5, 6, 2), np.float32), True, "a vector image, 2 components a voxel"),
    "series": (np.zeros((3, 4, 5, 6), np.float32), False, "a series of 3 volumes: split it into phases"),
    "slice": (np.zeros((5, 6), np.float32), False, "an image of 2 dimensions"),
    "complex": (np.zeros((4, 5, 6), np.complex64), False, "a complex image"),
}


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(("array", "is_vector", "words"), DIMENSIONS.values(), ids=list(DIMENSIONS))
def test_another_kind_of_image_is_named(tmp_path, ending, array, is_vector, words):
    """Colours, vectors, series, slices and complex numbers are named as what they are, in every format."""
    if array.dtype.kind == "c" and ending == ".mha":
        pytest.skip("MetaImage has no complex numbers")
    file = tmp_path / f"A{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=is_vector), str(file))
    with pytest.raises(ContractError, match="is no single-channel volume") as error:
        read_volume(file)
    assert error.value.message.endswith(words)
