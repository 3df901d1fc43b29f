"""The inventory of images and masks: each fault its own reason, the other rows untouched, no file read twice."""

import os

import numpy as np
import pytest
import SimpleITK as sitk

from flows.ingest.images import image_inventory
from flows.study.tables import study_tables
from schemas.study.text import parsed_study


def inventory_of(study, *, scans=(), masks=()):
    """Return a small study's inventory, given the rows that a store knows."""
    text = study.file.read_text()
    parsed = parsed_study(text, str(study.file))
    return image_inventory(
        parsed,
        study.folder,
        study_tables(parsed, text, study.file).patients,
        known_scans={row["source"]: row for row in scans},
        known_masks=masks,
        tolerance=1e-6,
        advance=lambda: None,
        workers=2,
    )


def changed(image, *, spacing=None, origin=None, direction=None):
    """Return an image with another geometry."""
    other = sitk.Image(image)
    if spacing:
        other.SetSpacing(spacing)
    if origin:
        other.SetOrigin(origin)
    if direction:
        other.SetDirection(direction)
    return other


def remove_mask(study):
    """Delete the mask file."""
    study.mask_file("P2").unlink()


def empty_mask(study):
    """Write a mask without a lesion."""
    study.write_mask("P2", mask=study.mask("P2", label=0))


def other_label(study):
    """Write a mask that has label 3 only."""
    study.write_mask("P2", mask=study.mask("P2", label=3))


def other_size(study):
    """Write a mask of one slice less."""
    study.write_mask("P2", mask=study.mask("P2")[:, :, 1:])


def other_spacing(study):
    """Write a mask of thicker slices."""
    study.write_mask("P2", mask=changed(study.mask("P2"), spacing=(1.0, 1.0, 2.5)))


def shifted_origin(study):
    """Write a mask half a voxel aside."""
    study.write_mask("P2", mask=changed(study.mask("P2"), origin=(-5.5, 4.0, 10.0)))


def flipped_direction(study):
    """Write a mask whose rows run the other way, through the same voxel centres."""
    mirrored = changed(study.mask("P2"), origin=(-6.0 + 11.0, 4.0, 10.0), direction=(-1, 0, 0, 0, 1, 0, 0, 0, 1))
    study.write_mask("P2", mask=mirrored)


def broken_mask(study):
    """Write something else into the mask file."""
    study.mask_file("P2").write_bytes(b"nothing that is an image")


def broken_image(study):
    """Write something else into the image file."""
    study.image_file("P2").write_bytes(b"nothing that is an image")


def half_an_image(study):
    """Leave the first half of the image file, as a copy that was broken off does."""
    content = study.image_file("P2").read_bytes()
    study.image_file("P2").write_bytes(content[: len(content) // 2])


def remove_image(study):
    """Delete the image file."""
    study.image_file("P2").unlink()


def coloured_image(study):
    """Write an image with three channels."""
    voxels = np.zeros((8, 10, 12, 3), np.uint8)
    study.write_image("P2", image=sitk.GetImageFromArray(voxels, isVector=True))


FAULTS = {
    remove_mask: "mask masks/P2_AP.nii.gz: file is missing",
    empty_mask: "mask masks/P2_AP.nii.gz: mask is empty",
    other_label: "mask masks/P2_AP.nii.gz: label 1 is absent from the mask; it has 3",
    other_size: "mask masks/P2_AP.nii.gz: other geometry: size",
    other_spacing: "mask masks/P2_AP.nii.gz: other geometry: spacing",
    shifted_origin: "mask masks/P2_AP.nii.gz: other geometry: origin",
    flipped_direction: "mask masks/P2_AP.nii.gz: other geometry: origin",
    broken_mask: "mask masks/P2_AP.nii.gz: cannot be read as an image",
    broken_image: "image images/P2_AP.nii.gz: cannot be read as an image",
    half_an_image: "image images/P2_AP.nii.gz: file is incomplete",
    remove_image: "image images/P2_AP.nii.gz: file is missing",
    coloured_image: "image images/P2_AP.nii.gz: is no single-channel volume",
}


def rows_without(rows, patient, phase):
    """Return the rows of all other scans, each without where and when its file was written."""
    return [
        {name: value for name, value in row.items() if name != "source_stat"}
        for row in rows
        if (row["patient"], row["phase"]) != (patient, phase)
    ]


@pytest.mark.parametrize(("damage", "reason"), FAULTS.items(), ids=[damage.__name__ for damage in FAULTS])
def test_a_fault_is_one_row_with_its_reason_and_the_others_go_on(small_study, damage, reason):
    """Each fault of one mask or image is that row's failure, told in one line; all other rows are as without it."""
    sound = inventory_of(small_study)
    assert sound.failures == []
    damage(small_study)
    found = inventory_of(small_study)
    (failure,) = found.failures
    assert {name: failure[name] for name in ("stage", "study", "patient", "phase", "reader", "reading")} == {
        "stage": "ingest",
        "study": "small",
        "patient": "P2",
        "phase": "AP",
        "reader": "R1",
        "reading": 1,
    }
    assert failure["reason"].startswith(reason)
    assert "\n" not in failure["reason"]
    assert rows_without(found.masks, "P2", "AP") == rows_without(sound.masks, "P2", "AP")
    assert rows_without(found.scans, "P2", "AP") == rows_without(sound.scans, "P2", "AP")
    assert len(found.masks) == len(found.study_masks) == 7


def test_a_broken_image_fails_each_of_its_masks(small_study):
    """Both readings of a scan that cannot be read are failures."""
    small_study.edit("[clinical.variables.afp]", "[[readings]]\n[[readings]]\nreading = 2\n\n[clinical.variables.afp]")
    remove_image(small_study)
    found = inventory_of(small_study)
    assert [(row["phase"], row["reading"]) for row in found.failures] == [("AP", 1), ("AP", 2)]


def test_the_first_reading_that_a_patient_has_is_primary(small_study):
    """Models read one mask a scan: of the first reading listed, or of the first one that is the patient's own."""
    small_study.edit("[cohort]", '[[readings]]\nwhere = "first"\n[[readings]]\nreader = "R2"\n\n[cohort]')
    table = small_study.folder / "patients.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0] + ",first", lines[1] + ",yes", *(line + ",no" for line in lines[2:])]))
    found = inventory_of(small_study)
    primary = {(r["patient"], r["phase"]): r["reader"] for r in found.study_masks if r["is_primary"]}
    expected = {(p, phase): "R1" if p == "P1" else "R2" for p in small_study.patients for phase in small_study.phases}
    assert primary == expected
    assert len(found.study_masks) == 10


def test_rows_hold_what_the_files_hold(small_study):
    """Voxels, spacing, lesion size and volume are the files' own."""
    found = inventory_of(small_study)
    scan = next(row for row in found.scans if (row["patient"], row["phase"]) == ("P1", "DP"))
    assert (scan["voxels"], scan["spacing_mm"], scan["modality"]) == (12 * 10 * 8, "1 x 1 x 2", "MR")
    mask = next(row for row in found.masks if (row["patient"], row["phase"]) == ("P1", "DP"))
    assert (mask["lesion_voxels"], mask["volume_mm3"]) == (4 * 5 * 6, 4 * 5 * 6 * 2.0)
    assert mask["image_sha256"] == scan["image_sha256"]
    assert mask["source"] == str(small_study.mask_file("P1", "DP").resolve())


def overwritten_unnoticed(file):
    """Put other bytes into a file of the same size and time of change."""
    stat = file.stat()
    file.write_bytes(b"x" * stat.st_size)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_known_files_are_not_read_again(small_study):
    """Files whose size and time are as known are not opened: not even when they hold no image any more."""
    first = inventory_of(small_study)
    for folder in ("images", "masks"):
        for file in (small_study.folder / folder).iterdir():
            overwritten_unnoticed(file)
    again = inventory_of(small_study, scans=first.scans, masks=first.masks)
    assert (again.scans, again.masks, again.failures) == (first.scans, first.masks, [])


@pytest.mark.parametrize("which", ["image_file", "mask_file"])
def test_a_touched_file_is_read_again(small_study, which):
    """A file with a new time of change is read, whatever it holds."""
    first = inventory_of(small_study)
    file = getattr(small_study, which)("P3")
    overwritten_unnoticed(file)
    os.utime(file)
    again = inventory_of(small_study, scans=first.scans, masks=first.masks)
    (failure,) = again.failures
    assert failure["patient"] == "P3"
    assert "cannot be read as an image" in failure["reason"]


def test_a_changed_image_checks_its_known_mask_again(small_study):
    """A mask that was right for the old image fails when the new image has another grid."""
    first = inventory_of(small_study)
    small_study.write_image("P3", image=small_study.image("P3")[:, :, 1:])
    again = inventory_of(small_study, scans=first.scans, masks=first.masks)
    (failure,) = again.failures
    assert failure["reason"].startswith("mask masks/P3_AP.nii.gz: other geometry: size")


def test_a_known_scan_has_the_modality_that_the_study_declares_now(small_study):
    """A corrected modality reaches the rows of files that did not change."""
    first = inventory_of(small_study)
    text = small_study.file.read_text()
    small_study.file.write_text(text.replace('modality = "MR"', 'modality = "CT"'))
    again = inventory_of(small_study, scans=first.scans, masks=first.masks)
    assert {row["modality"] for row in again.scans} == {"CT"}


def test_another_label_of_a_known_file_is_another_mask(small_study):
    """A new label is looked for in the file, although the file is known."""
    first = inventory_of(small_study)
    small_study.edit('mask = "masks/{patient}_DP.nii.gz"', 'mask = "masks/{patient}_DP.nii.gz"\nlabel = 2')
    again = inventory_of(small_study, scans=first.scans, masks=first.masks)
    assert {row["reason"] for row in again.failures} == {
        f"mask masks/{patient}_DP.nii.gz: label 2 is absent from the mask; it has 1" for patient in small_study.patients
    }
