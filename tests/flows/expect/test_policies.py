"""What becomes of a commit whose rows break an expectation: refused, without them, or warned of; and who comes back."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from builders.cohorts import bright_study
from builders.models import train
from builders.study import SmallStudy

from schemas.errors import ContractError
from store.history.snapshot import newest_commit
from store.history.studies import stored_study

AFP = """
[expectations.afp]
variable = "afp"
high = 400
description = "values above come from another assay"
policy = "{policy}"
"""
VOLUME = """
[expectations.volume]
sql = "select patient, exam, phase, lesion, reader, reading, volume_mm3 from masks where volume_mm3 > 300"
policy = "{policy}"
"""


def expecting(study: SmallStudy, *rules: str, policy: str) -> SmallStudy:
    """Add rules of one policy to a study file."""
    study.file.write_text(study.file.read_text() + "".join(each.format(policy=policy) for each in rules))
    return study


def labels(study: SmallStudy) -> dict[str, int | None]:
    """Return each patient's label."""
    return {row["patient"]: row["label"] for row in study.sql("select patient, label from labels")}


def cohorts(study: SmallStudy) -> dict[str, str]:
    """Return each patient's cohort of the only split."""
    return {row["patient"]: row["cohort"] for row in study.sql("select patient, cohort from splits")}


def unread(study: SmallStudy) -> set[tuple[str, str]]:
    """Return patient and phase of the masks that no model reads."""
    rows = study.sql("select patient, phase from study_masks where not is_primary")
    return {(row["patient"], row["phase"]) for row in rows}


def left_out(study: SmallStudy) -> set[tuple[str, str, str]]:
    """Return expectation, patient and phase of those who are left out."""
    rows = study.sql("select expectation, patient, phase from failures where stage = 'expectation'")
    return {(row["expectation"], row["patient"], row["phase"]) for row in rows}


def test_a_broken_rule_that_refuses_lets_nothing_land(small_study, capsys) -> None:
    """Both broken rules are named with their lines and first rows, and the store stays at its commit."""
    small_study.ingest()
    small_study.write_mask("P3", mask=small_study.mask("P3", grow=3))
    expecting(small_study, AFP, VOLUME, policy="refuse")
    code, _, err = small_study.ask(capsys, "ingest", small_study.file)
    assert (code, newest_commit(small_study.store)) == (ContractError.exit_code, 1)
    for said in (
        f"{small_study.file}:{small_study.line_of('[expectations.afp]')}: expectation 'afp' is broken by 1 row",
        "values above come from another assay",
        "patient P2, variable afp, value 420",
        f"{small_study.file}:{small_study.line_of('[expectations.volume]')}: expectation 'volume' is broken by 1 row",
        "patient P3, exam baseline, phase AP",
        "nothing was written",
    ):
        assert said in err
    assert small_study.sql("from expectations") == []
    # The rows are for whoever runs the verb: what is kept of the run, and sent to a hook, names nobody.
    with pytest.raises(ContractError) as caught:
        small_study.ingest()
    assert "afp" in caught.value.message
    assert "P2" not in caught.value.message + str(caught.value.hint)
    assert not any("P2" in (row["summary"] or "") for row in small_study.snapshot.arrow("runs").to_pylist())
    small_study.edit("420", "42", file="patients.csv")
    small_study.write_mask("P3")
    assert {each.status for each in small_study.ingest().expectations} == {"held"}


def test_a_dry_run_says_what_would_be_refused_and_who_would_be_left_out(small_study, capsys) -> None:
    """Nothing is written, and --check leaves with 5."""
    expecting(small_study, AFP, policy="refuse")
    expecting(small_study, VOLUME, policy="quarantine")
    small_study.write_mask("P3", mask=small_study.mask("P3", grow=3))
    code, out, _ = small_study.ask(capsys, "ingest", small_study.file, "--check")
    assert (code, small_study.store_root.exists()) == (5, False)
    assert "would be refused: expectation 'afp' is broken by 1 row" in out
    assert "quarantine: expectation 'volume' is broken by 1 row, left out: 1 mask" in out


def test_a_patient_whom_a_row_names_is_left_out_and_comes_back_to_the_same_cohort(small_study, capsys) -> None:
    """No label, in no split, a row of failures with the words of the rule; corrected, all of it is as before."""
    small_study.ingest()
    before = labels(small_study), cohorts(small_study)
    expecting(small_study, AFP, policy="quarantine")
    code, out, _ = small_study.ask(capsys, "ingest", small_study.file)
    assert (code, "left out: 1 patient" in out, "3 labelled" in out) == (5, True, True)
    assert labels(small_study) == before[0] | {"P2": None}
    assert cohorts(small_study) == {patient: each for patient, each in before[1].items() if patient != "P2"}
    assert left_out(small_study) == {("afp", "P2", "")}
    (row,) = small_study.sql("select reason from labels where label is null")
    assert row["reason"] == "left out by expectation afp: values above come from another assay"
    assert small_study.ask(capsys, "store", "verify")[0] == 0
    assert small_study.ingest().commit_id is None

    small_study.edit("420", "42", file="patients.csv")
    report = small_study.ingest()
    assert (report.failures, left_out(small_study)) == ((), set())
    assert (labels(small_study), cohorts(small_study)) == before
    assert small_study.ask(capsys, "store", "verify")[0] == 0


def test_a_mask_that_a_row_names_is_left_out_and_the_patients_others_are_not(small_study) -> None:
    """The mask stays in the study, computed and shown, and models read the patient's other phase alone."""
    small_study.write_mask("P3", mask=small_study.mask("P3", grow=3))
    expecting(small_study, VOLUME, policy="quarantine").ingest()
    assert (unread(small_study), left_out(small_study)) == ({("P3", "AP")}, {("volume", "P3", "AP")})
    assert labels(small_study)["P3"] == 1
    assert len(small_study.sql("from study_masks")) == 8
    small_study.write_mask("P3")
    small_study.ingest()
    assert (unread(small_study), left_out(small_study)) == (set(), set())


def test_a_warning_leaves_everybody_in(small_study, capsys) -> None:
    """It is said and on record; exit code, labels and masks are those of a study without expectations."""
    expecting(small_study, AFP, policy="warn")
    code, out, _ = small_study.ask(capsys, "ingest", small_study.file)
    assert (code, "warning: expectation 'afp' is broken by 1 row" in out) == (0, True)
    assert None not in labels(small_study).values()
    assert left_out(small_study) == set()


def test_two_rules_leave_a_mask_out_until_both_hold(small_study) -> None:
    """A mask that two rules name comes back when the second is corrected, not the first."""
    small_study.write_mask("P3", mask=small_study.mask("P3", grow=3))
    expecting(small_study, VOLUME, VOLUME.replace("volume]", "large]").replace("> 300", "> 250"), policy="quarantine")
    small_study.ingest()
    assert left_out(small_study) == {("volume", "P3", "AP"), ("large", "P3", "AP")}
    small_study.write_mask("P3", mask=small_study.mask("P3", grow=1))
    small_study.ingest()
    assert (unread(small_study), left_out(small_study)) == ({("P3", "AP")}, {("large", "P3", "AP")})
    small_study.write_mask("P3")
    small_study.ingest()
    assert unread(small_study) == set()


def test_a_drawn_split_takes_a_patient_back_where_they_were(tmp_path) -> None:
    """The cohort of a drawn split is remembered over a quarantine, not drawn again by a hash."""
    study = bright_study(tmp_path, "drawn", "[]", "")
    study.edit('kind = "column"\ncolumn = "cohort"', 'kind = "stratified"\nvalidation_fraction = 0.3\nseed = 3')
    study.ingest()
    before = cohorts(study)
    validation = sorted(patient for patient, cohort in before.items() if cohort == "validation")
    named = ", ".join(f"'{patient}'" for patient in validation)
    plain = study.file.read_text()
    study.file.write_text(
        f'{plain}\n[expectations.out]\npolicy = "quarantine"\n'
        f'sql = "select patient from patients where patient in ({named})"\n'
    )
    study.ingest()
    assert set(cohorts(study).values()) == {"training"}
    study.file.write_text(plain)
    study.ingest()
    assert cohorts(study) == before


def test_no_model_reads_whom_an_expectation_leaves_out(tmp_path) -> None:
    """A training table lacks the patient of a broken rule and, of a mask alone, the patient who lacks that phase."""
    study = bright_study(tmp_path, "trained", '["quick"]', "\n[models.radiomics_knn]\n")
    study.ingest()
    study.refresh_without_prefect()
    patients = sorted(labels(study))
    expected = (
        '\n[expectations.one]\npolicy = "quarantine"\n'
        f"sql = \"select patient from patients where patient = '{patients[0]}'\"\n"
        '\n[expectations.two]\npolicy = "quarantine"\n'
        f"sql = \"select patient, phase from masks where patient = '{patients[1]}' and phase = 'AP'\"\n"
    )
    study.file.write_text(study.file.read_text() + expected)
    study.ingest()
    train(study.store, stored_study(study.snapshot, "trained"))
    (dataset,) = study.snapshot.rows("datasets")
    rows = pq.read_table(study.store.files.local(dataset["path"])).column("patient").to_pylist()
    assert sorted(rows) == patients[2:]


def test_a_mask_that_could_not_be_read_counts(small_study) -> None:
    """It is of no list of masks: a rule over failures finds it all the same, whichever columns it answers with."""
    small_study.mask_file("P4", "DP").write_bytes(b"rubbish")
    rule = """
[expectations.readable]
sql = "from failures where stage = 'ingest'"
policy = "{policy}"
"""
    expecting(small_study, rule, policy="refuse")
    with pytest.raises(ContractError, match="expectation 'readable' is broken by 1 row"):
        small_study.ingest()


def test_what_a_row_does_not_say_is_not_asked_for(small_study) -> None:
    """A NULL in a column of the key, as a left join gives it, means any; 1.0 is reading 1."""
    rules = """
[expectations.null]
sql = "select patient, null::varchar as exam from masks where patient = 'P1'"
policy = "{policy}"

[expectations.double]
sql = "select patient, phase, reading::double as reading from masks where patient = 'P3' and phase = 'AP'"
policy = "{policy}"
"""
    expecting(small_study, rules, policy="quarantine")
    small_study.ingest()
    assert labels(small_study)["P1"] is None
    assert unread(small_study) == {("P3", "AP")}


@pytest.mark.parametrize("column", ["null::varchar as patient", "patient, 'late' as phase"])
def test_a_quarantine_that_would_leave_out_nobody_is_refused(small_study, column) -> None:
    """A gate that cannot tell stays shut."""
    rule = f"""
[expectations.nobody]
sql = "select {column} from masks"
policy = "quarantine"
"""
    small_study.file.write_text(small_study.file.read_text() + rule)
    with pytest.raises(ContractError, match="nobody would be left out"):
        small_study.ingest()
