"""A study drafted from DICOM: phases by folder, by description or by time, masks by what they were drawn on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from archives.unpacking import unpack
from builders.dicom.written import (
    CT,
    MR,
    PT,
    Place,
    points_mm,
    write_multiframe,
    write_segmentation,
    write_series,
    write_structures,
)
from builders.drafted_studies import decided, drafted, ingested, write_table, write_volumes
from pydicom.uid import generate_uid

from schemas.study.text import parsed_study

PLACE = Place()


def volume(seed: int) -> np.ndarray:
    """Return slices that differ from patient to patient."""
    return np.random.default_rng(seed).integers(0, 500, (4, 12, 10)).astype(np.int16)


def cube() -> np.ndarray:
    """Return a mask of one segment."""
    mask = np.zeros((4, 12, 10, 1), np.uint8)
    mask[1:3, 3:8, 3:8] = 1
    return mask


def test_a_real_export_with_structure_sets_is_ingested(capsys, shared_data, tmp_path):
    """Each phase has a folder, and its structure set the folder beside it, though it names series that are gone."""
    report = ingested(capsys, tmp_path, shared_data("sts_dicom_rtstruct"))
    assert (report["patients"], report["scans"], report["masks"]) == (1, 3, 3)
    draft, study = drafted(tmp_path / "again", shared_data("sts_dicom_rtstruct"))
    assert {name: phase.modality for name, phase in study.phases.items()} == {"CT": "CT", "MR_T1": "MR", "PET": "PET"}
    assert all(phase.mask.endswith(f"{{patient}}/{name}/dicom/mask") for name, phase in study.phases.items())
    assert draft.phases[0].without_mask == ()


def test_a_real_dynamic_series_becomes_a_phase_a_time(capsys, shared_data, tmp_path):
    """180 images at 60 places are three times, with one mask; that it is fractional is said."""
    unpack(shared_data("dce_breast_mr") / "UCSF-BR-06.tar.xz", tmp_path / "export")
    draft, study = drafted(tmp_path, tmp_path / "export")
    assert {name: phase.series.time for name, phase in study.phases.items()} == {"time1": 1, "time2": 2, "time3": 3}
    assert "# a fractional segmentation" in draft.text
    report = ingested(capsys, tmp_path, tmp_path / "export")
    assert (report["scans"], report["masks"]) == (3, 3)


def test_one_of_several_real_segments_is_left_to_decide(shared_data, tmp_path):
    """The segments that all masks have are named; one that is called a lesion is written."""
    draft, study = drafted(tmp_path, shared_data("qin_prostate_adc_seg"))
    assert study.phases["ADC"].segment == "Lesion"
    assert 'segment = "Lesion"' in decided(draft.text)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return a folder of three patients with two series each in folders named by UIDs, and masks of one of them."""
    root = tmp_path / "Export 1"
    for number, patient in enumerate(("P1", "P2", "P10")):
        at = root / patient / generate_uid()
        series = write_series(at / generate_uid(), volume(number), number=3, SeriesDescription="t1_vibe Post")
        write_series(at / generate_uid(), volume(10 + number), number=4, SeriesDescription="T2 TSE")
        if patient == "P1":
            write_series(at / generate_uid(), volume(20), number=9, SeriesDescription="once only")
            write_series(at / generate_uid(), volume(21), number=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        if patient != "P10":
            write_segmentation(at / "seg" / "1.dcm", series, cube())
    (root / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (root / "P1" / "._hidden.dcm").write_bytes(b"\0")
    (root / "P2" / "broken.dcm").write_bytes(b"cut")
    write_table(root / "list.csv", ("P1", "P2", "P10"))
    return root


def test_series_of_one_folder_are_chosen_by_what_they_are_called(export, tmp_path):
    """Descriptions that most patients have once are phases; folders of UIDs are in no pattern."""
    draft, study = drafted(tmp_path, export)
    assert [(name, phase.image, phase.series.description) for name, phase in study.phases.items()] == [
        ("t1_vibe_Post", "../Export 1/{patient}", "t1_vibe Post")
    ]
    assert any(note.startswith("phase T2_TSE is left out: no mask was drawn on it") for note in draft.notes)
    (phase,) = draft.phases
    assert (phase.images, phase.masks, phase.without_mask) == (3, 2, ("P10",))
    assert any("'once only': 1 of 3 patients have it" in note for note in draft.notes)
    assert draft.aside["DICOMDIR, which is not needed"] == ("DICOMDIR",)
    assert draft.aside["localizers"]
    assert draft.aside["files that are named like DICOM and are none"] == ("P2/broken.dcm",)


def test_chosen_series_are_ingested(capsys, export, tmp_path):
    """Of several series in one folder the chosen ones are ingested."""
    (export / "P2" / "broken.dcm").unlink()
    shutil.rmtree(export / "P10")
    write_table(export / "list.csv", ("P1", "P2"))
    report = ingested(capsys, tmp_path, export)
    assert (report["scans"], report["masks"]) == (2, 2)


def test_a_file_of_several_frames_is_one_volume(tmp_path):
    """Its frames' places are not in the header's top level: it is no dynamic series for that."""
    for number, patient in enumerate(("A-1", "A-2")):
        folder = tmp_path / "e" / patient / "MR"
        folder.mkdir(parents=True)
        write_multiframe(folder / "1.dcm", [volume(number)])
    _, study = drafted(tmp_path, tmp_path / "e")
    assert [(name, phase.series) for name, phase in study.phases.items()] == [("MR", None)]


def test_nothing_of_a_header_that_names_a_patient_is_told(export, tmp_path):
    """PatientID and PatientName of the files are nowhere; folders' names are."""
    draft, _ = drafted(tmp_path, export)
    assert "SECRET" not in repr(draft).upper()


def test_a_structure_that_all_have_is_chosen(tmp_path):
    """Of several structures the one common to all patients is written; the only common one is no question."""
    for number, patient in enumerate(("A-1", "A-2")):
        files = write_series(tmp_path / "e" / patient / "CT", volume(number), sop_class=CT)
        assert files
        square = points_mm([(2, 2), (7, 2), (7, 7), (2, 7)], 1, PLACE.grid(volume(0)))
        names = ("GTV-1", f"other {number}")
        write_structures(tmp_path / "e" / patient / "RT" / "rs.dcm", {name: [square] for name in names})
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert (study.phases["CT"].mask, study.phases["CT"].segment) == ("../e/{patient}/RT", "GTV-1")
    assert "segment = " not in "".join(decided(draft.text))
    assert study.feature_sets == ("ct@1",)


def test_sets_of_features_for_ct_mr_and_pet_are_left_to_decide(tmp_path):
    """Each set is computed in all phases: which it is not meant for is said. PET may become uptake values."""
    for number, patient in enumerate(("A-1", "A-2")):
        for name, sop_class in (("CT", CT), ("MR", MR), ("PET", PT)):
            write_series(tmp_path / "e" / patient / name, volume(number), sop_class=sop_class)
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert study.feature_sets == ("ct@1", "mr@1")
    (line,) = [each for each in draft.text.splitlines() if each.startswith("feature_sets = ")]
    assert line.endswith(
        "# to decide: which; each set is computed in all phases: ct@1 is not meant for MR, PET; mr@1 is not meant for "
        "CT, PET"
    )
    assert '# series = { suv = "body-weight" }' in decided(draft.text)
    text = draft.text.replace("# series = { suv", "series = { suv")
    assert parsed_study(text, "study.toml").phases["PET"].series.suv == "body-weight"


def test_structure_sets_of_two_readers_are_readings(tmp_path):
    """Files that differ by the reader alone are one mask with a field; the tumour is written."""
    for number, patient in enumerate(("A-1", "A-2")):
        write_series(tmp_path / "e" / patient / "CT", volume(number), sop_class=CT)
        square = points_mm([(2, 2), (7, 2), (7, 7), (2, 7)], 1, PLACE.grid(volume(0)))
        for reader in ("R1", "R2"):
            write_structures(tmp_path / "e" / patient / "RT" / f"{reader}.dcm", {"Liver": [square], "HCC": [square]})
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert (study.phases["CT"].mask, study.phases["CT"].segment) == ("../e/{patient}/RT/{reader}.dcm", "HCC")
    assert [reading.reader for reading in study.readings] == ["R1", "R2"]
    assert 'segment = "HCC"' in decided(draft.text)


def test_masks_in_another_format_belong_to_images_in_dicom(tmp_path):
    """A NIfTI mask beside a folder of DICOM is that phase's mask."""
    for number, patient in enumerate(("A-1", "A-2")):
        write_series(tmp_path / "e" / patient / "MR", volume(number))
    write_volumes(tmp_path / "e", [f"{patient}/tumor.nii.gz" for patient in ("A-1", "A-2")], labels=(2,))
    _, study = drafted(tmp_path, tmp_path / "e")
    (phase,) = study.phases.values()
    assert (phase.image, phase.mask, phase.label) == ("../e/{patient}/MR", "../e/{patient}/tumor.nii.gz", 2)
