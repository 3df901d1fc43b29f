"""A study of DICOM: the values of its NIfTI twin, what is read again, what is refused and what is never stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.written import Place, changed, points_mm, write_segmentation, write_series, write_structures
from builders.study import SmallStudy, counts
from pydicom.uid import generate_uid

PLACE = Place((1.0, 1.0, 2.0), (-6.0, 4.0, 10.0))
DESCRIPTIONS = {"AP": "t1 vibe ARTERIAL", "DP": "t1 vibe delayed"}
BOX = [(2.5, 2.5), (8.5, 2.5), (8.5, 7.5), (2.5, 7.5)]
AS_DICOM = {
    """image = "images/{patient}_AP.nii.gz"
mask = "masks/{patient}_AP.nii.gz"
""": """image = "dicom/{patient}"
series = { description = "*arterial*" }
mask = "segments/{patient}.dcm"
segment = "lesion"
""",
    """image = "images/{patient}_DP.nii.gz"
mask = "masks/{patient}_DP.nii.gz"
""": """image = "dicom/{patient}"
series = { description = "*delayed*" }
mask = "structures/{patient}.dcm"
""",
}


def write_patient(study: SmallStudy, patient: str) -> None:
    """Write a patient's images and masks as NIfTI, and again as DICOM: two series, a SEG and an RTSTRUCT."""
    reference = generate_uid()
    identity = {"PatientID": f"MRN-{patient}", "PatientName": "Doe^Jane", "FrameOfReferenceUID": reference}
    identity["StudyInstanceUID"] = generate_uid()
    for number, phase in enumerate(study.phases, start=1):
        voxels = np.rint(sitk.GetArrayFromImage(study.image(patient, phase))).astype(np.int16)
        image = sitk.GetImageFromArray(voxels)
        image.CopyInformation(study.image(patient, phase))
        study.write_image(patient, phase, image=image)
        folder = study.folder / "dicom" / patient / f"series{number}"
        description = DESCRIPTIONS[phase]
        files = write_series(folder, voxels, PLACE, number=number, SeriesDescription=description, **identity)
        if phase == "AP":
            mask = sitk.GetArrayFromImage(study.mask(patient, phase))
            write_segmentation(study.folder / "segments" / f"{patient}.dcm", files, mask[..., None])
        else:
            contours = [points_mm(BOX, k, PLACE.grid(voxels)) for k in range(2, 6)]
            write_structures(study.folder / "structures" / f"{patient}.dcm", {"GTV": contours}, reference=reference)


@pytest.fixture
def dicom_study(tmp_path: Path) -> SmallStudy:
    """Return a study whose images and masks are DICOM; their NIfTI twins lie beside them."""
    study = SmallStudy.below(tmp_path)
    for patient in study.patients:
        write_patient(study, patient)
    for nifti, dicom in AS_DICOM.items():
        study.edit(nifti, dicom)
    return study


def values(study: SmallStudy) -> list[dict[str, object]]:
    """Return every feature of every mask."""
    return study.sql("select * exclude (extraction_id) from quick order by patient, phase")


def test_features_are_those_of_the_same_voxels_as_nifti(dicom_study, tmp_path, prefect_server):
    """Series, segments and structures give the very values of their NIfTI twins, and nothing is computed twice."""
    report = dicom_study.ingest()
    assert (report.scans, report.masks, report.failures) == (8, 8, ())
    assert counts(dicom_study.refresh_without_prefect())[:3] == (0, 8, 0)
    found = values(dicom_study)
    again = dicom_study.ingest()
    assert again.commit_id is None

    for nifti, dicom in AS_DICOM.items():
        dicom_study.edit(dicom, nifti)
    twin = SmallStudy(dicom_study.folder, tmp_path / "twin")
    twin.ingest()
    twin.refresh_without_prefect()
    for row, expected in zip(found, values(twin), strict=True):
        assert row.keys() == expected.keys()
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-12) if isinstance(value, float) else row[name] == value


def test_a_changed_slice_is_read_again(dicom_study):
    """Another voxel of one slice is another image; a file that is only touched is none."""
    dicom_study.ingest()
    before = {(row["patient"], row["phase"]): row["image_sha256"] for row in dicom_study.sql("from scans")}
    file = next((dicom_study.folder / "dicom" / "P2" / "series1").iterdir())
    file.touch()
    dicom_study.ingest()
    assert {(r["patient"], r["phase"]): r["image_sha256"] for r in dicom_study.sql("from scans")} == before
    pixels = bytearray(changed(file).PixelData)
    pixels[0] ^= 1
    changed(file, PixelData=bytes(pixels))
    report = dicom_study.ingest()
    after = {(row["patient"], row["phase"]): row["image_sha256"] for row in dicom_study.sql("from scans")}
    assert [key for key in before if before[key] != after[key]] == [("P2", "AP")]
    assert report.failures == ()


def reasons(study: SmallStudy) -> dict[tuple[str, str], str]:
    """Return the reason of every failure of an ingest."""
    return {(row["patient"], row["phase"]): row["reason"] for row in study.ingest().failures}


def test_each_fault_costs_its_own_mask(dicom_study):
    """A mask of somebody else, a structure that is not there, a series that is missing and one that is ambiguous."""
    folder = dicom_study.folder
    (folder / "structures" / "P2.dcm").write_bytes((folder / "structures" / "P1.dcm").read_bytes())
    for file in (folder / "dicom" / "P3" / "series1").iterdir():
        file.unlink()
    for file in (folder / "dicom" / "P4" / "series2").iterdir():
        changed(file, SeriesDescription="arterial, too")
    found = reasons(dicom_study)
    assert found.keys() == {("P2", "DP"), ("P3", "AP"), ("P4", "AP"), ("P4", "DP")}
    assert "was drawn on another patient or another examination" in found["P2", "DP"]
    assert "none of its 1 series fits description = '*arterial*'" in found["P3", "AP"]
    assert "2 series fit description = '*arterial*', and one must be left" in found["P4", "AP"]
    assert "none of its 2 series fits description = '*delayed*'" in found["P4", "DP"]


def test_a_segment_that_is_not_there_is_named_with_those_that_are(dicom_study):
    """The failure lists what could be meant."""
    dicom_study.edit('segment = "lesion"', 'segment = "tumour"')
    found = reasons(dicom_study)
    assert {phase for _, phase in found} == {"AP"}
    assert all("'tumour'" in reason and "Lesion" in reason for reason in found.values())


def test_a_part_is_chosen_of_dicom_alone(small_study):
    """``series`` and ``segment`` of a NIfTI file are refused: they would choose nothing."""
    small_study.edit('image = "images/{patient}_AP.nii.gz"', 'image = "images/{patient}_AP.nii.gz"\nseries = {}')
    small_study.edit('mask = "masks/{patient}_DP.nii.gz"', 'mask = "masks/{patient}_DP.nii.gz"\nsegment = "a"')
    found = reasons(small_study)
    assert {phase for _, phase in found} == {"AP", "DP"}
    assert "series under [phases.NAME] chooses a part of DICOM, and this is none" in found["P1", "AP"]
    assert "segment under [phases.NAME] chooses a part of DICOM, and this is none" in found["P1", "DP"]


def test_no_header_reaches_the_store(dicom_study, prefect_server):
    """Names, ids and UIDs of the headers are in no file of the store."""
    dicom_study.ingest()
    dicom_study.refresh_without_prefect()
    stored = b"".join(file.read_bytes() for file in dicom_study.store_root.rglob("*") if file.is_file())
    for text in ("Doe^Jane", "MRN-P1", "SECRET", "1.2.826.0.1"):
        assert text.encode() not in stored


def test_segments_named_by_lesion_are_its_lesions(dicom_study):
    """One SEG holds every lesion as a segment; a patient need not have all of them, but one."""
    dicom_study.edit(
        'table = "patients.csv"\n', 'table = "patients.csv"\n\n[lesions]\neach = ["A", "B"]\nuse = "union"\n'
    )
    dicom_study.edit('segment = "lesion"', 'segment = "lesion {lesion}"')
    text = dicom_study.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical")
    dicom_study.file.write_text(text[:start] + text[end:])
    labels = {"P1": ("Lesion A", "Lesion B"), "P2": ("Lesion A",), "P3": ("Lesion B",), "P4": ("Liver",)}
    for patient, names in labels.items():
        files = sorted((dicom_study.folder / "dicom" / patient / "series1").iterdir())
        mask = sitk.GetArrayFromImage(dicom_study.mask(patient, "AP"))
        parts = np.zeros((*mask.shape, len(names)), np.uint8)
        for number in range(len(names)):
            # Cut in two, each lesion has its half.
            parts[..., number] = mask
            parts[:, :, 6:, number] = 0 if number == 0 else mask[:, :, 6:]
            parts[:, :, :6, number] = mask[:, :, :6] if number == 0 else 0
        write_segmentation(dicom_study.folder / "segments" / f"{patient}.dcm", files, parts, names)
    assert reasons(dicom_study) == {
        ("P4", "AP"): "mask segments/P4.dcm: no segment of it has the label 'lesion A'; it has 1 'Liver'"
    }
    found = dicom_study.sql("select patient, lesion, lesion_voxels from masks order by all")
    half, whole = 4 * 5 * 3, 4 * 5 * 6
    assert [tuple(row.values()) for row in found] == [
        *[("P1", "A", half), ("P1", "B", half), ("P1", "union", whole)],
        *[("P2", "A", half), ("P2", "union", half)],
        *[("P3", "B", half), ("P3", "union", half)],
    ]
