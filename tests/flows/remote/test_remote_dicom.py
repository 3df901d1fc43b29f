"""DICOM in a bucket: folders of series and masks of one object are what they are on a disk."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from buckets.study import Bucket, copies
from builders.dicom.written import Place, write_segmentation, write_series
from builders.study import SmallStudy
from pydicom.uid import generate_uid

PLACE = Place((1.0, 1.0, 2.0), (-6.0, 4.0, 10.0))


@pytest.fixture
def dicom_study(small_study: SmallStudy, bucket: Bucket) -> tuple[SmallStudy, SmallStudy]:
    """Return a study of one patient and phase in DICOM on this disk, and the same one in a bucket."""
    small_study.keep("P1")
    text = small_study.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical.variables.afp]")
    phase = 'image = "dicom/{patient}"\nmask = "segments/{patient}.dcm"\n'
    text = (text[:start] + text[end:]).replace(
        'image = "images/{patient}_AP.nii.gz"\nmask = "masks/{patient}_AP.nii.gz"\n', phase
    )
    small_study.file.write_text(text)
    folder = small_study.folder
    voxels = np.rint(sitk.GetArrayFromImage(small_study.image("P1"))).astype(np.int16)
    identity = {"PatientID": "MRN-1", "FrameOfReferenceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
    files = write_series(folder / "dicom" / "P1" / "series1", voxels, PLACE, number=1, **identity)
    write_segmentation(folder / "segments" / "P1.dcm", files, sitk.GetArrayFromImage(small_study.mask("P1"))[..., None])
    far = SmallStudy(shutil.copytree(folder, folder.parent / "far"), folder.parent / "far-store")
    for name in ("dicom", "segments"):
        bucket.put_folder(far.folder / name, name)
        shutil.rmtree(far.folder / name)
    far.edit('"dicom/{patient}"', f'"{bucket.of("dicom/{patient}/")}"')
    far.edit('"segments/{patient}.dcm"', f'"{bucket.of("segments/{patient}.dcm")}"')
    return small_study, far


def test_a_folder_of_a_bucket_is_a_folder(dicom_study, bucket, cache, tmp_path, capsys):
    """Image, mask and features are those of the disk; the folder is known again until an object of it changes."""
    near, far = dicom_study
    for each in dicom_study:
        report = each.ingest()
        assert [row["reason"] for row in report.failures] == []
        assert report.masks == 1
        each.refresh_without_prefect()
        assert each.ask(capsys, "dicom", each.store_root.with_suffix(".dicom"))[0] == 0
    assert far.sql("from quick_v1") == near.sql("from quick_v1")
    assert far.sql("select image_sha256 from scans") == near.sql("select image_sha256 from scans")
    assert len(list(tmp_path.glob("*.dicom/P1/baseline/AP/*_seg.dcm"))) == 2
    assert len(copies(cache)) == 2
    shutil.rmtree(cache)
    assert far.ingest().commit_id is None
    assert not cache.exists()
    bucket.put("dicom/P1/series1/notes.txt", b"not read, and a change all the same")
    assert [row["reason"] for row in far.ingest().failures] == []
    assert len(copies(cache)) >= 1


def test_a_key_that_is_no_path_is_written_nowhere(dicom_study, bucket, monkeypatch):
    """An object whose key would lead out of the folder of copies is refused with all that lies beside it."""
    _, far = dicom_study
    bucket.put_raw("dicom/P1/../../../stray.dcm", b"stray")
    (failure,) = far.ingest().failures
    assert "has an object whose key is no path of a file" in failure["reason"]
