"""A study file drafted from folders as archives, tools and people lay them out is one that ingest takes."""

from __future__ import annotations

import json
import os
import shutil
import tomllib

import pytest
from builders.command_line import printed
from builders.drafted_studies import PATIENTS, decided, drafted, ingested, write_table, write_volume, write_volumes

from schemas.errors import ContractError
from schemas.study.text import parsed_study


def test_a_real_cohort_of_nifti_is_ingested_as_it_lies(capsys, shared_data, tmp_path):
    """Three images a patient with masks beside them, and a table: eight patients, 24 scans, 24 masks."""
    report = ingested(capsys, tmp_path, shared_data("sts_cohort"))
    assert (report["patients"], report["labelled"], report["scans"], report["masks"]) == (8, 8, 24, 24)
    study = parsed_study((tmp_path / "study" / "study.toml").read_text(), "study.toml")
    assert {name: phase.modality for name, phase in study.phases.items()} == {
        "CTcrop": "CT",
        "MR_T1": "MR",
        "PET": "PET",
    }
    assert study.feature_sets == ("ct@1", "mr@1")


def test_models_of_several_modalities_read_one_each(capsys, tmp_path):
    """No set of features is meant for CT and MR alike: a model of CT by ct@1, one of MR by mr@1, and none of PET."""
    write_volumes(
        tmp_path / "export", [f"{patient}/{scan}.nii.gz" for patient in PATIENTS for scan in ("CT", "T1", "PET")]
    )
    masks = [f"{patient}/{scan}_seg.nii.gz" for patient in PATIENTS for scan in ("CT", "T1", "PET")]
    write_volumes(tmp_path / "export", masks, labels=(1,))
    code, out, _ = printed(capsys, "init", tmp_path / "new", "--from", tmp_path / "export", "--dry-run")
    # There is no outcome: what stands in comments is read as it would be without their marks.
    models = tomllib.loads("\n".join(line.removeprefix("# ") for line in out[out.index("# [models.") :].splitlines()))
    assert code == 0
    assert models["models"] == {
        "radiomics_lr": {"feature_set": "ct@1", "phases": ["CT"]},
        "radiomics_lr_mr": {"base": "radiomics_lr", "feature_set": "mr@1", "phases": ["T1"]},
    }


def test_a_real_cohort_in_nnunets_layout_is_ingested(capsys, shared_data, tmp_path):
    """A channel is a phase, called and labelled as dataset.json says."""
    source = shared_data("sts_cohort")
    tree = tmp_path / "Dataset001_STS"
    for patient in sorted((source / "nifti").iterdir()):
        for folder, kind, name in (("imagesTr", "image", "_0000"), ("labelsTr", "mask", "")):
            (tree / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(patient / f"MR_T1_{kind}.nii.gz", tree / folder / f"{patient.name}{name}.nii.gz")
    shutil.copy(source / "outcome.csv", tree)
    document = {"channel_names": {"0": "MR T1"}, "labels": {"background": 0, "tumour": 1}, "file_ending": ".nii.gz"}
    (tree / "dataset.json").write_text(json.dumps(document))
    report = ingested(capsys, tmp_path, tree)
    assert (report["patients"], report["labelled"], report["scans"], report["masks"]) == (8, 8, 8, 8)
    study = parsed_study((tmp_path / "study" / "study.toml").read_text(), "study.toml")
    assert [(name, phase.modality, phase.label) for name, phase in study.phases.items()] == [("MR_T1", "MR", 1)]
    assert study.feature_sets == ("mr@1",)


def test_channels_of_nnunet_share_a_mask_whose_labels_are_left_to_decide(capsys, tmp_path):
    """Two channels, two labels: the values are listed with their names, and images for testing are put aside."""
    tree = tmp_path / "tree"
    cases = [f"HCC_{number:03}" for number in range(1, 5)]
    write_volumes(tree, [f"imagesTr/{case}_{channel:04}.nii.gz" for case in cases for channel in (0, 1)])
    write_volumes(tree, [f"labelsTr/{case}.nii.gz" for case in cases], labels=(1, 2))
    write_volumes(tree, ["imagesTs/HCC_009_0000.nii.gz", "imagesTs/HCC_009_0001.nii.gz"])
    document = {"modality": {"0": "AP", "1": "PVP"}, "labels": {"0": "background", "1": "liver", "2": "tumour"}}
    (tree / "dataset.json").write_text(json.dumps(document))
    draft, study = drafted(tmp_path, tree)
    assert list(study.phases) == ["AP", "PVP"]
    assert study.phases["AP"].mask == study.phases["PVP"].mask == "../tree/labelsTr/{patient}.nii.gz"
    assert "label = 1  # to decide: the lesion's value; there are 1 (liver), 2 (tumour)" in draft.text
    assert 'modality = ""' in decided(draft.text)
    assert draft.patients == tuple(cases)
    assert any(len(paths) == 2 for kind, paths in draft.aside.items() if "test set" in kind)
    assert ingested(capsys, tmp_path, tree)["masks"] == 8


def test_bids_of_several_sessions_reads_the_first(capsys, tmp_path):
    """Masks below derivatives belong to the image that they name, and participants.tsv is the cohort."""
    tree = tmp_path / "bids"
    people = [f"sub-{number:02}" for number in range(1, 5)]
    sessions = [(person, f"ses-{session}") for person in people for session in ("01", "02")]
    write_volumes(tree, [f"{p}/{s}/anat/{p}_{s}_{what}.nii.gz" for p, s in sessions for what in ("T1w", "FLAIR")])
    masks = [f"derivatives/lesions/{p}/{s}/anat/{p}_{s}_space-T1w_desc-lesion_mask.nii.gz" for p, s in sessions]
    write_volumes(tree, masks, labels=(1,))
    rows = [f"{person}\t{50 + number}\t{'MF'[number % 2]}" for number, person in enumerate(people)]
    (tree / "participants.tsv").write_text("\n".join(["participant_id\tage\tsex", *rows]) + "\n")
    draft, study = drafted(tmp_path, tree)
    assert list(study.phases) == ["T1w"]
    assert study.phases["T1w"].image == "../bids/{patient}/ses-01/anat/{patient}_ses-01_T1w.nii.gz"
    assert "# one exam of a patient is read, ses-01; there are ses-01, ses-02" in draft.text
    assert study.cohort.patient == "participant_id"
    assert study.outcome is None
    assert study.clinical.variables["sex"].levels == ("F", "M")
    assert '# unit = ""' in decided(draft.text)
    assert ingested(capsys, tmp_path, tree)["masks"] == 4


def test_privacy_is_offered_where_images_are_no_dicom(tmp_path):
    """In comments that are a table of the study file once their marks are gone; nothing of it is on by itself."""
    write_volumes(tmp_path / "tree", [f"{patient}/ct.nrrd" for patient in PATIENTS])
    write_volumes(tmp_path / "tree", [f"{patient}/ct.seg.nrrd" for patient in PATIENTS], labels=(1,))
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert study.privacy is None
    lines = ["[privacy]", 'pseudonyms = "hash"', 'key = "../pseudonyms.key"', 'dates = "shift"']
    text = draft.text
    for line in lines:
        assert f"# {line}\n" in text
        text = text.replace(f"# {line}\n", f"{line}\n")
    assert parsed_study(text, "study.toml").privacy.pseudonyms == "hash"


def test_readers_in_a_tree_of_their_own_become_readings(capsys, tmp_path):
    """Spaces, letters beyond ASCII and endings in capitals stand in patterns as they are; P1 is not P10."""
    tree = tmp_path / "Frei Größe"
    write_volumes(tree, [f"Bilder/{patient}/AP nativ.NII.GZ" for patient in PATIENTS])
    write_volumes(tree, [f"Bilder/{patient}/PVP.nii.gz" for patient in PATIENTS])
    names = [f"{reader}/{patient}_{what}_seg" for reader in "AB" for patient in PATIENTS for what in ("AP", "PVP")]
    write_volumes(tree, [f"Masken/reader{name}.nii.gz" for name in names], labels=(1,))
    write_table(tree / "Tabelle.csv")
    draft, study = drafted(tmp_path, tree)
    assert draft.patients == tuple(sorted(PATIENTS))
    assert study.phases["AP_nativ"].image == "../Frei Größe/Bilder/{patient}/AP nativ.NII.GZ"
    assert study.phases["AP_nativ"].mask == "../Frei Größe/Masken/{reader}/{patient}_AP_seg.nii.gz"
    assert [reading.reader for reading in study.readings] == ["readerA", "readerB"]
    assert ingested(capsys, tmp_path, tree)["masks"] == 16


def test_a_reader_who_lacks_a_patient_is_named(tmp_path):
    """Who lacks a mask of the second reader is said, and where the file can say it is marked."""
    write_volumes(tmp_path / "tree", [f"{patient}/ct.nrrd" for patient in PATIENTS])
    write_volumes(tmp_path / "tree", [f"{patient}/roi_R1.nrrd" for patient in PATIENTS], labels=(1,))
    write_volumes(tmp_path / "tree", [f"{patient}/roi_R2.nrrd" for patient in PATIENTS[:-1]], labels=(1,))
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert study.phases["ct"].mask == "../tree/{patient}/roi_{reader}.nrrd"
    assert draft.readings == ("reading 1 of R1", "reading 1 of R2; without a mask: P11")
    assert '# where = ""' in decided(draft.text)


def test_readings_of_one_reader_are_numbered(tmp_path):
    """reading1 and reading2 are the readings of one person, first and second those of two."""
    for tree, folders in (("numbers", ("reading1", "reading2")), ("words", ("first", "second"))):
        write_volumes(tmp_path / tree, [f"img/{patient}.nii.gz" for patient in PATIENTS])
        masks = [f"seg/{folder}/{patient}.nii.gz" for patient in PATIENTS for folder in folders]
        write_volumes(tmp_path / tree, masks, labels=(1,))
    _, study = drafted(tmp_path, tmp_path / "numbers")
    assert [(reading.reader, reading.reading) for reading in study.readings] == [("R1", 1), ("R1", 2)]
    assert study.phases["image"].mask == "../numbers/seg/reading{reading}/{patient}.nii.gz"
    _, study = drafted(tmp_path, tmp_path / "words")
    assert [(reading.reader, reading.reading) for reading in study.readings] == [("first", 1), ("second", 1)]


def test_folders_of_two_centres_are_no_readers(tmp_path):
    """Masks in folders a and b are of two readers where patients have both."""
    for centre, patients in (("a", PATIENTS[:2]), ("b", PATIENTS[2:])):
        write_volumes(tmp_path / "tree", [f"{centre}/{patient}/ct.nii.gz" for patient in patients])
        write_volumes(tmp_path / "tree", [f"{centre}/{patient}/roi.nii.gz" for patient in patients], labels=(1,))
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert (draft.readings, len(study.phases)) == ((), 2)


def test_ids_with_leading_zeros_stay_as_they_are(capsys, tmp_path):
    """The column whose cells stand in the paths is the patients', and 001 is not 1."""
    ids = [f"{number:03}" for number in range(1, 5)]
    write_volumes(tmp_path / "tree", [f"{patient}/ct.nrrd" for patient in ids])
    write_volumes(tmp_path / "tree", [f"{patient}/ct.seg.nrrd" for patient in ids], labels=(1,))
    write_table(tmp_path / "tree" / "list.csv", ids, "ID")
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert (draft.patients, study.cohort.patient, study.feature_sets) == (tuple(ids), "ID", ("ct@1",))
    assert ingested(capsys, tmp_path, tmp_path / "tree")["labelled"] == 4


def test_a_table_with_other_zeros_is_named(tmp_path):
    """1 in the table is not taken for 001 in the paths: both are shown."""
    ids = [f"{number:03}" for number in range(1, 5)]
    write_volumes(tmp_path / "tree", [f"{patient}/ct.nrrd" for patient in ids])
    write_table(tmp_path / "tree" / "list.csv", ["1", "2", "3", "4"], "ID")
    draft, _ = drafted(tmp_path, tmp_path / "tree")
    assert draft.table is None
    assert any("'1' where files have '001'" in note for note in draft.notes)


def test_of_several_tables_the_one_with_an_outcome_is_the_cohort(tmp_path):
    """A table of features with the same ids is named beside it, and one without the ids is put aside."""
    write_volumes(tmp_path / "tree", [f"{patient}/ct.nrrd" for patient in PATIENTS])
    write_table(tmp_path / "tree" / "zz" / "outcome.csv")
    rows = [f"{patient};{number},5;note {number}" for number, patient in enumerate(PATIENTS)]
    (tmp_path / "tree" / "features.csv").write_text("\n".join(["patient;volume;remark", *rows]) + "\n")
    (tmp_path / "tree" / "scanner.csv").write_text("name,field\nA,1.5\nB,3\n")
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert (draft.table, study.cohort.table) == ("zz/outcome.csv", "../tree/zz/outcome.csv")
    assert '# table = "../tree/features.csv"  # to decide: it has the same ids' in draft.text
    assert draft.aside == {"tables without the patients' ids": ("scanner.csv",)}


def test_masks_without_a_word_are_known_by_their_voxels(tmp_path):
    """Whole numbers of few values are labels, and the only one is the lesion's."""
    write_volumes(tmp_path / "tree", [f"{patient}/a.mha" for patient in PATIENTS])
    write_volumes(tmp_path / "tree", [f"{patient}/b.mha" for patient in PATIENTS], labels=(3,))
    _, study = drafted(tmp_path, tmp_path / "tree")
    assert [(phase.image, phase.mask, phase.label) for phase in study.phases.values()] == [
        ("../tree/{patient}/a.mha", "../tree/{patient}/b.mha", 3)
    ]


def test_who_lacks_a_mask_or_an_image_is_named(tmp_path):
    """A patient without a mask and one of the table without an image are named, each with the phase."""
    write_volumes(tmp_path / "tree", [f"{patient}_T2.nii.gz" for patient in PATIENTS[:3]])
    write_volumes(tmp_path / "tree", [f"{patient}_T2_lesion.nii.gz" for patient in PATIENTS[:2]], labels=(1,))
    write_table(tmp_path / "tree" / "list.csv")
    draft, _ = drafted(tmp_path, tmp_path / "tree")
    (phase,) = draft.phases
    assert (phase.name, phase.images, phase.masks) == ("T2", 3, 2)
    assert (phase.without_mask, phase.without_image) == (("P10",), ("P11",))


def test_two_structures_are_left_to_decide(tmp_path):
    """Of liver and tumour the tumour is written, and the other named."""
    for patient in PATIENTS:
        write_volume(tmp_path / "tree" / patient / "ct.nii.gz")
        write_volume(tmp_path / "tree" / patient / "liver_mask.nii.gz", labels=(1,))
        write_volume(tmp_path / "tree" / patient / "tumour_mask.nii.gz", labels=(1,))
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert study.phases["ct"].mask == "../tree/{patient}/tumour_mask.nii.gz"
    assert "# to decide: or {patient}/liver_mask.nii.gz" in draft.text


@pytest.mark.parametrize("with_masks", [True, False])
def test_images_without_masks_are_a_study_that_says_so(tmp_path, with_masks):
    """Where some phases have masks the others are put aside; where none has, the masks are to be named."""
    write_volumes(tmp_path / "tree", [f"{patient}/{what}.nii.gz" for patient in PATIENTS for what in ("T1", "T2")])
    if with_masks:
        write_volumes(tmp_path / "tree", [f"{patient}/T1seg.nii.gz" for patient in PATIENTS], labels=(1,))
    draft, study = drafted(tmp_path, tmp_path / "tree")
    assert list(study.phases) == (["T1"] if with_masks else ["T1", "T2"])
    assert any("no mask was found" in line for line in draft.text.splitlines()) == (not with_masks)
    assert ("images without a mask" in draft.aside) == with_masks


def test_masked_images_and_names_of_no_encoding_are_seen_for_what_they_are(tmp_path):
    """A skull-stripped image is called masked and is none; a name that is no UTF-8 stays out of the study file."""
    write_volumes(tmp_path / "tree", [f"{patient}/T1_masked.nii.gz" for patient in PATIENTS])
    write_volumes(tmp_path / "tree", [f"{patient}/lesion.nii.gz" for patient in PATIENTS], labels=(1,))
    shutil.copy(tmp_path / "tree" / "P1" / "lesion.nii.gz", os.fsencode(tmp_path) + b"/tree/P1/\xff.nii.gz")
    draft, study = drafted(tmp_path, tmp_path / "tree")
    (phase,) = study.phases.values()
    assert (phase.image, phase.mask) == ("../tree/{patient}/T1_masked.nii.gz", "../tree/{patient}/lesion.nii.gz")
    assert any("no UTF-8" in kind for kind in draft.aside)


def test_folders_of_centres_are_said_to_be_one_phase(tmp_path):
    """No field of a pattern stands for a centre: phases without a patient in common are named."""
    ids = [f"STS_{number:03}" for number in range(6)]
    paths = [f"site{'AB'[number % 2]}/{patient}" for number, patient in enumerate(ids)]
    write_volumes(tmp_path / "tree", [f"{path}/T1.nii.gz" for path in paths])
    write_volumes(tmp_path / "tree", [f"{path}/mask.nii.gz" for path in paths], labels=(1,))
    draft, _ = drafted(tmp_path, tmp_path / "tree")
    assert draft.notes[-1].startswith("no patient has both siteA and siteB")


def test_dates_in_paths_are_no_patients(tmp_path):
    """Where each patient's path has a date of its own no pattern is made up, and an example is shown."""
    for number in range(5):
        write_volume(tmp_path / "tree" / f"STS_{number:03}" / f"2020010{number}" / "T1.nii.gz")
    with pytest.raises(ContractError, match=r"the patient's id alone varies.*STS_000/20200100/T1\.nii\.gz"):
        drafted(tmp_path, tmp_path / "tree")


def test_slicers_names_of_segments_are_shown(tmp_path):
    """What the header of a .seg.nrrd calls each value stands beside it."""
    for patient in PATIENTS:
        write_volume(tmp_path / "tree" / patient / "ct.nrrd")
        file = write_volume(tmp_path / "tree" / patient / "ct.seg.nrrd", labels=(1, 2))
        names = b"\nSegment0_LabelValue:=1\nSegment0_Name:=liver\nSegment1_LabelValue:=2\nSegment1_Name:=tumour\n\n"
        file.write_bytes(file.read_bytes().replace(b"\n\n", names, 1))
    draft, _ = drafted(tmp_path, tmp_path / "tree")
    assert "there are 1 (liver), 2 (tumour)" in draft.text
