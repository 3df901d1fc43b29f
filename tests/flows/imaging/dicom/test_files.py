"""Which files of a folder are DICOM, and what shows that one of them changed."""

import os

import pytest
from builders.dicom.written import numbered, write_series

from flows.imaging.dicom import files
from flows.imaging.dicom.files import dicom_files, dicom_stat
from flows.imaging.image_files import source_stat
from schemas.errors import ContractError


def test_files_are_found_by_their_content_in_the_order_of_their_names(tmp_path):
    """Whatever they are called, in all folders below; links to files are followed, links to folders are not."""
    first, second = sorted(write_series(tmp_path / "a", numbered(2, 2, 2)))
    plain = first.rename(first.with_name("0-no-ending"))
    (tmp_path / "a" / "notes.txt").write_text("text")
    (tmp_path / "a" / "numbers.bin").write_bytes(b"\x08\0\0\0" * 500)
    (tmp_path / "z").mkdir()
    link = tmp_path / "z" / "link"
    link.symlink_to(second)
    (tmp_path / "z" / "round").symlink_to(tmp_path)
    assert dicom_files(tmp_path) == (plain, second, link)
    assert dicom_files(second) == (second,)


def test_a_file_that_is_named_like_dicom_and_is_none_is_refused(tmp_path):
    """A copy that broke off at its first byte would be a slice less at the end of a volume."""
    write_series(tmp_path, numbered(2, 2, 2))
    (tmp_path / "x.dcm").write_bytes(b"")
    with pytest.raises(ContractError, match="is named like a DICOM file and is none") as error:
        dicom_files(tmp_path)
    assert error.value.where == str(tmp_path / "x.dcm")


def test_what_is_left_of_a_copy_that_broke_off_is_refused(tmp_path):
    """Beside DICOM a file without an ending and shorter than any is one; texts, hidden files and others are not."""
    write_series(tmp_path, numbered(2, 2, 2))
    for name in (".hidden", "notes.txt", "DICOMDIR.md"):
        (tmp_path / name).write_bytes(b"")
    assert len(dicom_files(tmp_path)) == 2
    for name in ("IM0003", "IM.3"):
        (tmp_path / name).write_bytes(bytes(100))
        with pytest.raises(ContractError, match="empty or cut off, beside DICOM files") as error:
            dicom_files(tmp_path)
        assert error.value.where == str(tmp_path / name)
        (tmp_path / name).unlink()


def test_a_link_to_a_folder_elsewhere_is_refused(tmp_path):
    """It is not followed, and the slices in it would be missed without a word."""
    write_series(tmp_path / "here", numbered(2, 2, 2))
    write_series(tmp_path / "there", numbered(2, 2, 2))
    (tmp_path / "here" / "more").symlink_to(tmp_path / "there")
    with pytest.raises(ContractError, match="a link to a folder elsewhere, which is not followed"):
        dicom_files(tmp_path / "here")


def test_a_folder_of_too_many_files_is_refused(tmp_path, monkeypatch):
    """A whole archive is not looked through."""
    monkeypatch.setattr(files, "MOST_FILES", 1)
    write_series(tmp_path, numbered(2, 2, 2))
    for function in (dicom_files, dicom_stat):
        with pytest.raises(ContractError, match="has more than 1 files"):
            function(tmp_path)


def test_a_path_that_names_nothing_is_refused(tmp_path):
    """As a file that is missing."""
    for function in (dicom_files, dicom_stat):
        with pytest.raises(ContractError, match="file is missing"):
            function(tmp_path / "nothing")


def test_the_stat_of_a_folder_changes_with_any_file(tmp_path):
    """Another size, time, name or file, and not the same folder elsewhere."""
    first, second = write_series(tmp_path / "a" / "b", numbered(2, 2, 2))
    seen = [dicom_stat(tmp_path / "a")]
    os.utime(first, ns=(1, 1))
    seen.append(dicom_stat(tmp_path / "a"))
    second.rename(second.with_name("other"))
    seen.append(dicom_stat(tmp_path / "a"))
    (tmp_path / "a" / "notes.txt").write_text("text")
    seen.append(dicom_stat(tmp_path / "a"))
    assert len(set(seen)) == 4
    (tmp_path / "a").rename(tmp_path / "moved")
    assert dicom_stat(tmp_path / "moved") == seen[-1]
    assert dicom_stat(first.parent.parent.parent / "moved" / "b" / first.name) == source_stat(
        tmp_path / "moved" / "b" / first.name
    )
