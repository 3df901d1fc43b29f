"""One person under several pseudonyms: named at ingest, kept together, refused in both cohorts of a split."""

from __future__ import annotations

import numpy as np
import pytest

from flows.ingest.run import ingest
from flows.train.run import train
from schemas.errors import ContractError
from schemas.study.file import Study
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.benchmark.folds import repeated_folds
from zoo.tables.persons import study_people

TABLE_STUDY = """[study]
id = "borrowed"
title = "t"

[cohort]
table = "table.csv"
{cohort}

[imported.elsewhere]
table = "table.csv"
columns = {{ include = ["f*"] }}

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.main]
{split}

[models.radiomics_lr]
"""
BY_COLUMN = 'kind = "column"\ncolumn = "cohort"'
DRAWN = 'kind = "stratified"\nvalidation_fraction = 0.25'


@pytest.fixture
def borrowed(tmp_path):
    """Return a function that writes a table of eight patients' features under 32 pseudonyms, and ingests it."""
    values = np.random.default_rng(0).normal(size=(8, 6)).round(4)
    lines = ["patient,o,cohort,who," + ",".join(f"f{k}" for k in range(6))]
    for number in range(32):
        cohort = "training" if number < 24 else "validation"
        lines.append(f"P{number:02},{number % 2},{cohort},Q{number % 8}," + ",".join(map(str, values[number % 8])))
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")

    def write(split=BY_COLUMN, cohort=""):
        (tmp_path / "study.toml").write_text(TABLE_STUDY.format(split=split, cohort=cohort))
        return ingest(tmp_path / "study.toml", tmp_path / "store", workers=1)

    return write


def same_scan(study, *patients, image_only=False):
    """Give patients the first one's images, and masks of their own or the first one's."""
    for phase in study.phases:
        for number, patient in enumerate(patients):
            study.write_image(patient, phase, image=study.image(patients[0], phase))
            study.write_mask(patient, phase, mask=study.mask(patients[0], phase, grow=number if image_only else 1))


def test_one_scan_under_two_pseudonyms_is_refused_across_a_split(small_study):
    """Both patients are named with what they share, and nothing is written."""
    same_scan(small_study, "P1", "P3")
    with pytest.raises(ContractError, match="patients 'P1' in training and 'P3' in validation have the same AP image"):
        ingest(small_study.file, small_study.store_root, workers=1)
    assert not small_study.store_root.exists()


def test_one_mask_under_two_pseudonyms_is_refused_across_a_split(small_study):
    """Lesions drawn by hand do not coincide: one of the files, or of the pseudonyms, is another's."""
    for number, patient in enumerate(small_study.patients):
        for phase in small_study.phases:
            small_study.write_mask(patient, phase, mask=small_study.mask(patient, phase, grow=number % 3))
    with pytest.raises(ContractError, match="patients 'P1' in training and 'P4' in validation have the same AP mask"):
        ingest(small_study.file, small_study.store_root, workers=1)


def test_a_mask_that_most_patients_share_is_named_and_no_more(small_study):
    """A box around everything tells nothing about who somebody is, nor about the lesion's shape."""
    report = ingest(small_study.file, small_study.store_root, workers=1)
    (text,) = report.warnings
    assert text.startswith("4 of 4 patients have the same AP mask, as no lesions drawn by hand do")
    assert study_people(small_study.snapshot, stored_study(small_study.snapshot, None)).person == {}


def test_one_scan_within_a_cohort_is_named(small_study):
    """There the study goes on: a warning names the patients and how to declare them one person."""
    same_scan(small_study, "P1", "P2", image_only=True)
    first, *_ = ingest(small_study.file, small_study.store_root, workers=1).warnings
    assert first.startswith("patients 'P1', 'P2' have the same AP image and DP image: they are kept together")
    assert "same_person" in first


def test_a_person_whom_the_study_declares_may_stand_in_both_cohorts(small_study):
    """The warning then says that validation figures flatter; pseudonyms that the table lacks are refused by line."""
    same_scan(small_study, "P1", "P3")
    for phase in small_study.phases:
        small_study.write_mask("P4", phase, mask=small_study.mask("P4", phase, grow=2))
    small_study.edit('table = "patients.csv"', 'table = "patients.csv"\nsame_person = [["P1", "P9"]]')
    with pytest.raises(ContractError, match="same_person names 'P9'") as error:
        ingest(small_study.file, small_study.store_root, workers=1)
    assert error.value.where.endswith(f"study.toml:{small_study.line_of('same_person')}")
    small_study.edit('"P9"', '"P3"')
    report = ingest(small_study.file, small_study.store_root, workers=1)
    assert any("in training as 'P1' and in validation as 'P3'" in text for text in report.warnings)


def test_phases_that_are_one_image_are_named(small_study):
    """Two phases with one file are a slip in a pattern."""
    for patient in small_study.patients:
        small_study.write_image(patient, "DP", image=small_study.image(patient, "AP"))
    assert "phases AP and DP are the same image in 4 patients, the first 'P1'" in (
        ingest(small_study.file, small_study.store_root, workers=1).warnings
    )


def test_a_patient_of_another_study_under_another_pseudonym_is_named(small_study):
    """The store knows the scan: both pseudonyms and the other study are named."""
    ingest(small_study.file, small_study.store_root, workers=1)
    other = small_study.another()
    (other.folder / "patients.csv").write_text((other.folder / "patients.csv").read_text().replace("P", "Q"))
    other.patients = ("Q1", "Q2", "Q3", "Q4")
    for patient in other.patients:
        for phase in other.phases:
            other.write_image(patient, phase)
            other.write_mask(patient, phase, mask=other.mask(patient, phase, grow=1))
    other.write_image("Q2", "AP", image=other.image("P3", "AP"))
    warnings = ingest(other.file, other.store_root, workers=1).warnings
    assert "patients 'P3', 'Q2' have the same AP image: 'P3' in study 'small', the others in this one" in warnings


@pytest.mark.parametrize("what", ["image", "mask"])
def test_one_file_for_all_patients_is_refused(small_study, what):
    """A pattern without {patient} gives everybody the same file: its line is named."""
    small_study.edit(f'{what} = "{what}s/{{patient}}_AP.nii.gz"', f'{what} = "{what}s/P1_AP.nii.gz"')
    with pytest.raises(ContractError, match=f"is one {what} for all 4 patients: it has no {{patient}}") as error:
        ingest(small_study.file, small_study.store_root, workers=1)
    assert error.value.where.endswith(f"study.toml:{small_study.line_of(f'{what}s/P1_AP')}")


def test_eight_patients_under_32_pseudonyms_are_refused(borrowed):
    """What looked like a validation AUC of .78 was the memory of eight patients."""
    with pytest.raises(ContractError, match="'P00' in training and 'P24' in validation have the same row of 'els") as e:
        borrowed()
    assert "(23 more such pairs)" in e.value.message
    assert "give both one cohort in column 'cohort'" in e.value.hint


@pytest.mark.parametrize("cohort", ["", 'person = "who"'])
def test_drawn_splits_and_folds_keep_them_together(borrowed, tmp_path, cohort):
    """A drawn split has whole people on each side, and so have the folds, declared or found."""
    report = borrowed(DRAWN, cohort)
    assert sum("have the same row of 'elsewhere'" in text for text in report.warnings) == (0 if cohort else 8)
    snapshot = Snapshot(Store(tmp_path / "store"))
    members = answer(snapshot, "from splits").to_pylist()
    sides = {(int(row["patient"][1:]) % 8, row["cohort"]) for row in members}
    assert len(sides) == 8
    people = study_people(snapshot, stored_study(snapshot, None))
    labels = {row["patient"]: row["label"] for row in snapshot.rows("labels")}
    for fold in repeated_folds(labels, repeats=1, folds=4, seed=1, person_of=people.person):
        assert not {int(p[1:]) % 8 for p in fold.training} & {int(p[1:]) % 8 for p in fold.judged}


def test_a_store_of_before_is_refused_when_models_are_trained(borrowed, tmp_path):
    """A split that an older release froze with one person on both sides trains nothing, and says what to do."""
    borrowed(DRAWN)
    store = Store(tmp_path / "store")
    with commit_to(store, "as an older release drew it") as commit:
        commit.put("split_members", [{"study": "borrowed", "split": "main", "patient": "P00", "cohort": "training"}])
        commit.put("split_members", [{"study": "borrowed", "split": "main", "patient": "P08", "cohort": "validation"}])
    with pytest.raises(ContractError, match=r"'P00' in training and 'P08' in validation") as error:
        train(store, None)
    assert "another seed in [splits.main]" in error.value.hint


def test_erasing_a_patient_takes_the_declaration_out_too(borrowed, tmp_path):
    """In every version of the study: nobody else's declaration is touched, and a person of one name is none."""
    declared = 'prefix = "x-"\nsame_person = [["P00", "P08", "P16"], ["P01", "P00"], ["P03", "P11"]]'
    borrowed(DRAWN, declared)
    store = Store(tmp_path / "store")
    receipt = erase_patient(store, "x-P00")
    (row,) = Snapshot(store).rows("studies")
    assert "P00" not in row["definition"]
    assert Study.model_validate_json(row["definition"]).cohort.same_person == (("P08", "P16"), ("P03", "P11"))
    assert {"column": "studies.definition", "rows": 1} in receipt["texts_changed"]
