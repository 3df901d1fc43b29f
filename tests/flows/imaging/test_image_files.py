"""Which bytes an image's name means: twins, links, packed or not, headers and their data files."""

import gzip
import os

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.image_files import data_files, source_path, source_stat
from flows.imaging.volumes import image_sha256, read_volume
from schemas.errors import ContractError

VOXELS = np.random.default_rng(3).normal(100, 20, (4, 5, 6)).astype(np.float32)


def written(file, *, shift=0.0, kind=np.float32):
    """Write the test's volume and return its file."""
    sitk.WriteImage(sitk.GetImageFromArray((VOXELS + shift).astype(kind)), str(file))
    return file


def mean_of(file):
    """Return the mean of the voxels that are read, less the test volume's."""
    return round(float(sitk.GetArrayFromImage(read_volume(file)).mean() - VOXELS.mean()), 1)


TWINS = [
    ("A.nii.gz", "A.nii"),
    ("A.nii", "A.nii.gz"),
    ("A.nii", "A.hdr"),
    ("A.nii.gz", "A.hdr"),
    ("A.hdr", "A.nii"),
    ("A.nii.gz", "A.nia"),
    ("A.nrrd", "A.nhdr"),
    ("A.mhd", "A.nhdr"),
]


@pytest.mark.parametrize(("named", "twin"), TWINS, ids=[f"{named} beside {twin}" for named, twin in TWINS])
def test_a_twin_beside_a_file_is_not_read(tmp_path, named, twin):
    """The voxels are those of the file that is named, whatever file of the same stem lies beside it."""
    written(tmp_path / named)
    (tmp_path / "other").mkdir()
    written(tmp_path / "other" / twin.replace(".nia", ".nii"), shift=1000)
    for file in (tmp_path / "other").iterdir():
        target = tmp_path / file.name
        if not target.exists():
            file.rename(target if not twin.endswith(".nia") else tmp_path / twin)
    assert mean_of(tmp_path / named) == 0.0


def test_two_halves_that_could_both_be_meant_are_refused(tmp_path):
    """A header beside A.img and A.img.gz is refused with both names: nobody says which is its own."""
    written(tmp_path / "A.hdr")
    (tmp_path / "A.img.gz").write_bytes(gzip.compress((tmp_path / "A.img").read_bytes()))
    with pytest.raises(ContractError, match=r"A\.img and A\.img\.gz could both be its other half"):
        read_volume(tmp_path / "A.hdr")


@pytest.mark.parametrize("name", ["A.NII.GZ", "A.nii", "A.Nii.Gz", "A", "0123456789", "A.nrrd"])
def test_a_packed_file_is_known_by_its_bytes(tmp_path, name):
    """A NIfTI file that is packed is read under any name: the ending decides nothing."""
    written(tmp_path / "x.nii.gz").rename(tmp_path / name)
    assert mean_of(tmp_path / name) == 0.0


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_an_ending_that_promises_packing_is_not_believed(tmp_path, ending):
    """A file that was unpacked and kept its .nii.gz is read, and so is one that was packed as a whole."""
    plain = written(tmp_path / f"x{ending}")
    (tmp_path / "packed.dat").write_bytes(gzip.compress(plain.read_bytes()))
    plain.rename(tmp_path / "A.nii.gz")
    assert mean_of(tmp_path / "A.nii.gz") == mean_of(tmp_path / "packed.dat") == 0.0


def test_a_link_into_a_cache_is_read_under_either_name(tmp_path):
    """A link to a file without an ending is read, and the path that the catalogue keeps leads to it."""
    (tmp_path / "cache").mkdir()
    written(tmp_path / "x.nii.gz").rename(tmp_path / "cache" / "0123")
    (tmp_path / "A.nii.gz").symlink_to("cache/0123")
    assert source_path(tmp_path / "A.nii.gz") == str((tmp_path / "cache" / "0123").resolve())
    assert image_sha256(read_volume(tmp_path / "A.nii.gz")) == image_sha256(read_volume(tmp_path / "cache" / "0123"))


@pytest.mark.parametrize("ending", [".nhdr", ".mhd", ".hdr"])
def test_linked_headers_find_their_data_beside_the_link(tmp_path, ending):
    """Header and data file that lead to a cache one by one are one image under the header's own name."""
    header = written(tmp_path / f"A{ending}")
    (tmp_path / "cache").mkdir()
    for number, file in enumerate(sorted(tmp_path.glob("A.*"))):
        file.rename(tmp_path / "cache" / f"{number}")
        file.symlink_to(f"cache/{number}")
    assert source_path(header) == str(tmp_path.resolve() / header.name)
    assert mean_of(header) == 0.0


@pytest.mark.parametrize("ending", [".nhdr", ".mhd", ".hdr", ".img"])
def test_the_identity_of_a_header_covers_its_data(tmp_path, ending):
    """A data file that changes, or goes, changes what ingest compares; the header itself is as it was."""
    written(tmp_path / f"A{ending.replace('.img', '.hdr')}")
    header = tmp_path / f"A{ending}"
    (data,) = data_files(header)
    first = source_stat(header)
    assert first == source_stat(header)
    os.utime(data, ns=(0, 0))
    assert source_stat(header) != first
    data.unlink()
    assert source_stat(header) != first
    with pytest.raises(ContractError, match="is missing"):
        read_volume(header)


def nrrd_text(fields, data):
    """Return the text of a NRRD header with a spacing, other fields and where its data are."""
    head = "NRRD0004\ntype: float\ndimension: 3\nsizes: 6 5 4\nspacings: 1 1 2\nencoding: raw\nendian: little\n"
    return f"{head}{fields}data file: {data}\n"


def meta_text(data):
    """Return the text of a MetaImage header with a spacing and where its data are."""
    return (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"ElementSpacing = 1 1 2\nDimSize = 6 5 4\nElementType = MET_FLOAT\nElementDataFile = {data}\n"
    )


SLICES = "\n".join(f"s{number}.raw" for number in range(4))
LISTS = {
    "a.nhdr": nrrd_text("", f"LIST\n{SLICES}"),
    "b.nhdr": nrrd_text("", "s%d.raw 0 3 1"),
    "c.mhd": meta_text(f"LIST\n{SLICES}"),
    "d.mhd": meta_text("s%d.raw 0 3 1"),
}


@pytest.mark.parametrize(("name", "text"), LISTS.items(), ids=list(LISTS))
def test_slices_in_files_of_their_own_are_read_and_watched(tmp_path, name, text):
    """A header that lists a file a slice, or their pattern, is one image; each of its files is part of its identity."""
    for number, voxels in enumerate(VOXELS):
        (tmp_path / f"s{number}.raw").write_bytes(voxels.tobytes())
    header = tmp_path / name
    header.write_text(text)
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(header)), VOXELS)
    first = source_stat(header)
    os.utime(tmp_path / "s2.raw", ns=(0, 0))
    assert source_stat(header) != first
    (tmp_path / "s2.raw").unlink()
    with pytest.raises(ContractError, match=r"data file 's2\.raw' is missing"):
        read_volume(header)


def test_data_that_could_be_two_files_are_refused(tmp_path):
    """A linked header whose data file lies beside the link and, another one, beside its target names both."""
    (tmp_path / "archive").mkdir()
    written(tmp_path / "archive" / "A.nhdr")
    (tmp_path / "A.nhdr").symlink_to("archive/A.nhdr")
    assert mean_of(tmp_path / "A.nhdr") == 0.0
    (tmp_path / "A.raw").write_bytes((VOXELS + 1000).tobytes())
    with pytest.raises(ContractError, match=r"two files could be meant by 'A\.raw'"):
        read_volume(tmp_path / "A.nhdr")
