"""Whose file a path is, with a table's ids and without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.study_draft.patient_paths import ids_in_paths, patient_files, possible_ids
from flows.study_draft.words import mask_words

STS = [f"STS_{number:03}" for number in range(2, 8)]


@pytest.mark.parametrize(
    ("patterns", "ids"),
    [
        (["nifti/{}/CTcrop_image.nii.gz", "nifti/{}/MR_T1_mask.nii.gz"], STS),
        (["{}_T1.nii.gz", "{}_T1_mask.nii.gz", "{}_T2.nii.gz"], STS),
        (["CT/{}.nii.gz", "CT_mask/{}.nii.gz"], STS),
        (["imagesTr/{}_0000.nii.gz", "labelsTr/{}.nii.gz"], STS),
        (["{}/{}-t1c.nii.gz", "{}/{}-seg.nii.gz"], [f"BraTS-GLI-{number:05}-000" for number in range(4)]),
        (["{}/ses-1/anat/{}_ses-1_T1w.nii.gz"], ["sub-01", "sub-02", "sub-10"]),
        (["image_{}.nrrd", "label_{}.nrrd"], ["001", "002", "003"]),
        (["Patient {}/T1.nii.gz", "Patient {}/mask.nii.gz"], ["1", "2", "10"]),
        (["{}/early.mha", "{}/late.mha", "{}/late_seg.mha"], ["anna", "bert"]),
        (["{}/t2.nii.gz", "{}/seg.nii.gz"], ["UPENN-GBM-00002"]),
    ],
)
def test_ids_are_what_varies_over_files_that_are_alike(patterns, ids):
    """Words for masks, modalities and times after contrast are nobody's ids."""
    paths = [pattern.replace("{}", each) for pattern in patterns for each in ids]
    assert ids_in_paths(paths) == frozenset(ids)
    files, unplaced = patient_files(paths, ids)
    assert files == {
        pattern.replace("{}", "{patient}"): {each: pattern.replace("{}", each) for each in ids} for pattern in patterns
    }
    assert not unplaced.without_id
    assert not unplaced.unwritable


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        ([f"P{n}/01-0{n}-2000-NA-{n}/{n}.000000-T1-1{n}/." for n in range(1, 4)], {"P1", "P2", "P3"}),
        (
            [f"manifest-1/COLL/C-{n}/2001-0{n}-01/{s}.0-ax-{n}{s}/." for n in range(1, 4) for s in (1, 2)],
            {"C-1", "C-2", "C-3"},
        ),
        ([f"coll/P{n}/." for n in range(1, 4)], {"P1", "P2", "P3"}),
        ([f"{m}/P{n}/." for n in range(1, 4) for m in ("CT", "PET")], {"P1", "P2", "P3"}),
        ([f"STS_002/{m}/dicom/{k}/." for m in ("CT", "MR_T1", "PET") for k in ("image", "mask")], {"STS_002"}),
    ],
)
def test_folders_of_dicom_are_of_the_patient_above_them(paths, ids):
    """Studies and series have names of their own below a patient, and collections above."""
    assert ids_in_paths(paths) == ids


def test_an_id_that_begins_another_is_not_found_in_it():
    """P1 is no part of P10, and the longer of two ids that fit is meant."""
    files, _ = patient_files(["P1/T1.nii", "P10/T1.nii", "P1_2/T1.nii"], ["P1", "P10", "P1_2"])
    assert files == {"{patient}/T1.nii": {"P1": "P1/T1.nii", "P10": "P10/T1.nii", "P1_2": "P1_2/T1.nii"}}


def test_a_number_that_is_an_id_elsewhere_is_the_patients_where_it_varies():
    """Ids 1 to 4 stand in T1 and ses-2 too, and are the patients' in the folder's name."""
    paths = [f"Pat{patient}/ses-2/T_1.nii" for patient in "1234"]
    files, _ = patient_files(paths, list("1234"))
    assert list(files) == ["Pat{patient}/ses-2/T_1.nii"]


def test_paths_that_no_pattern_can_write_are_told_apart():
    """A brace of its own has no place in a pattern."""
    _, unplaced = patient_files(["{x}/P1.nii", "other.nii"], ["P1"])
    assert (unplaced.unwritable, unplaced.without_id) == (["{x}/P1.nii"], ["other.nii"])


def test_every_run_of_words_may_be_an_id():
    """A number behind letters may be one too."""
    assert possible_ids(["Pat12/A_b-3.nii.gz"]) == {"Pat12", "12", "A", "A_b", "A_b-3", "b", "b-3", "3"}


@given(
    # What says mask is nobody's id, MSK00 neither.
    ids=st.sets(
        st.from_regex(r"[A-Z]{2,3}-?[0-9]{2,4}", fullmatch=True).filter(lambda each: not mask_words(each)),
        min_size=3,
        max_size=8,
    ),
    phases=st.sets(st.sampled_from(["T1", "ADC", "PVP", "CT"]), min_size=1, max_size=3),
)
def test_ids_of_folders_are_found_whatever_they_are(ids, phases):
    """A folder a patient with an image and a mask of each phase gives each id, and nothing else."""
    paths = [f"data/{each}/{phase}{mask}.nii.gz" for each in ids for phase in phases for mask in ("", "_mask")]
    assert ids_in_paths(paths) == ids
