"""Reference dates and exam windows at ingest: an exam outside is a failure with its reason, not a row of the study."""

import pytest

from flows.cli.main import exit_code
from schemas.errors import ContractError

DATES = {  # MRI, surgery; the window is 14 days
    "P1": ("2020-03-01", "2020-03-15"),
    "P2": ("2020-03-01", "2020-03-01"),
    "P3": ("2020-02-20", "2020-03-10"),
    "P4": ("2020-03-12", "2020-03-10"),
}
WINDOW = "exam_window_days = [-14, 0]\n"


@pytest.fixture
def dated_study(small_study):
    """Return a study with the dates of MRI and surgery, of which two pairs lie in the window of 14 days."""
    table = small_study.folder / "patients.csv"
    header, *rows = table.read_text().splitlines()
    dated = [f"{row},{','.join(DATES[row.split(',')[0]])}" for row in rows]
    table.write_text("\n".join([f"{header},mri,surgery", *dated]) + "\n")
    dates = f'exam_date = "mri"\nreference_date = "surgery"\n{WINDOW}'
    small_study.edit('table = "patients.csv"\n', f'table = "patients.csv"\n{dates}')
    return small_study


def reasons(report):
    """Return the reasons of a report's failures, by patient."""
    return {row["patient"]: row["reason"] for row in report.failures}


def test_an_exam_outside_the_window_is_a_failure_and_none_of_the_studys_images(dated_study):
    """Both ends belong to the window; an exam before or after it costs its images, and says how far it lies."""
    report = dated_study.ingest()
    assert reasons(report) == {
        "P3": "exam of 2020-02-20 is 19 days before surgery (2020-03-10), window 14 days",
        "P4": "exam of 2020-03-12 is 2 days after surgery (2020-03-10)",
    }
    assert (report.scans, report.masks) == (4, 4)
    used = dated_study.sql("select distinct patient from study_masks order by all")
    assert used == [{"patient": "P1"}, {"patient": "P2"}]
    # The patients stay in the study: what was not read is their images.
    assert len(dated_study.sql("from labels")) == 4
    assert dated_study.sql("select patient, reason from failures where stage = 'ingest' order by all") == [
        {"patient": patient, "reason": reason} for patient, reason in reasons(report).items()
    ]


def test_the_verb_says_it_once_a_patient_and_leaves_with_five(dated_study, capsys):
    """An exam outside the window is one line on stdout, not one a phase, and exit code 5."""
    assert exit_code(["--store", str(dated_study.store_root), "ingest", str(dated_study.file)]) == 5
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed:")]
    assert lines == [
        "failed: P3: exam of 2020-02-20 is 19 days before surgery (2020-03-10), window 14 days",
        "failed: P4: exam of 2020-03-12 is 2 days after surgery (2020-03-10)",
    ]


def test_a_window_that_is_added_later_takes_the_rows_out_and_a_mended_date_puts_them_back(dated_study):
    """Masks that were the study's leave it with the window, and return when the date was a slip."""
    dated_study.edit(WINDOW, "")
    assert reasons(dated_study.ingest()) == {"P4": "exam of 2020-03-12 is 2 days after surgery (2020-03-10)"}
    assert len(dated_study.sql("from study_masks")) == 6
    dated_study.edit('reference_date = "surgery"\n', f'reference_date = "surgery"\n{WINDOW}')
    with pytest.raises(ContractError, match="2 of 6 masks"):
        dated_study.ingest()
    assert set(reasons(dated_study.ingest(allow_removals=True))) == {"P3", "P4"}
    assert len(dated_study.sql("from study_masks")) == len(dated_study.sql("from masks")) == 4
    dated_study.edit("2020-02-20", "2020-02-25", file="patients.csv")
    dated_study.edit("2020-03-12", "2020-03-10", file="patients.csv")
    assert dated_study.ingest().failures == ()
    assert len(dated_study.sql("from study_masks")) == 8


@pytest.mark.parametrize(("dates", "column"), [(",2020-03-10", "mri"), ("2020-02-20,", "surgery")])
def test_a_window_that_cannot_be_checked_is_not_met(dated_study, dates, column):
    """An exam without its date, or without the reference date, is no exam within 14 days of it."""
    dated_study.edit("2020-02-20,2020-03-10", dates, file="patients.csv")
    found = reasons(dated_study.ingest())["P3"]
    assert found == f"no date in column '{column}', and the exam's window before surgery is 14 days"


def test_patients_outside_the_window_do_not_hide_a_wrong_path(dated_study):
    """A pattern that fits nobody is refused although some patients' images were not looked for."""
    dated_study.edit("images/{patient}_DP", "images/{patient}_XX")
    with pytest.raises(ContractError, match="no patient has the image"):
        dated_study.ingest()


def test_reference_dates_are_kept_and_leave_with_their_column(dated_study):
    """The catalogue has each patient's reference date: the column's, else the exam's, else none."""
    dated_study.ingest()
    stored = {row["patient"]: row["reference_on"] for row in dated_study.snapshot.rows("reference_dates")}
    assert stored == {patient: surgery for patient, (_, surgery) in DATES.items()}
    dated_study.edit(f'reference_date = "surgery"\n{WINDOW}', "")
    dated_study.ingest()
    stored = {row["patient"]: row["reference_on"] for row in dated_study.snapshot.rows("reference_dates")}
    assert stored == {patient: mri for patient, (mri, _) in DATES.items()}
    dated_study.edit('exam_date = "mri"\n', "")
    assert dated_study.ingest().removed == 4
    assert dated_study.snapshot.rows("reference_dates") == []


def test_the_windows_of_a_study_are_kept_with_its_variables(dated_study):
    """A variable's own window comes before the study's, and SQL shows which counts."""
    own = 'unit = "[IU]/mL"\nwindow_days = [-60, -1]'
    dated_study.edit('unit = "[IU]/mL"', own)
    dated_study.edit(
        "[clinical.variables.afp]",
        '[clinical]\nobserved_at = "mri"\nwindow_days = [-30, 0]\n\n[clinical.variables.afp]',
    )
    dated_study.ingest()
    assert dated_study.sql("select variable, window_first, window_last from clinical_variables order by all") == [
        {"variable": "afp", "window_first": -60, "window_last": -1},
        {"variable": "sex", "window_first": -30, "window_last": 0},
    ]
    shown = dated_study.sql("select patient, variable, value, days_before from clinical_at_reference order by all")
    assert shown == [
        {"patient": "P1", "variable": "afp", "value": 12.0, "days_before": 14},
        {"patient": "P1", "variable": "sex", "value": None, "days_before": 14},
        {"patient": "P2", "variable": "sex", "value": None, "days_before": 0},
        {"patient": "P3", "variable": "afp", "value": 8.5, "days_before": 19},
        {"patient": "P3", "variable": "sex", "value": None, "days_before": 19},
    ]
