"""Criteria of inclusion and exclusion: who counts where, what holds them, what is refused."""

import json

import pytest
from builders.command_line import printed
from builders.store import rows_of

from flows.ingest.run import ingest
from schemas.errors import ContractError
from store.catalogue.tables import versioned_table
from store.erasure.erase import erase_patient
from store.home import Store
from store.verification.verify import store_verification

STUDY = """
[study]
id = "chosen"
title = "Who is in it"

[cohort]
table = "patients.csv"
reference_date = "surgery"

[[criteria]]
name = "pathology confirms it"
include = { column = "pathology", equals = "yes" }

[[criteria]]
name = "no lesion below 10 mm"
exclude = { column = "size", below = 10 }
missing = "exclude"

[[criteria]]
name = "no portal thrombus"
exclude = { column = "thrombus", one_of = ["main", "branch"] }

[[criteria]]
name = "MRI within two weeks"
include = { column = "mri", days_from_reference = [-14, 0] }
missing = "keep"

[[criteria]]
name = "laboratory values are there"
exclude = { column = "afp", missing = true }

[clinical.variables.afp]
unit = "[IU]/mL"

[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"

[splits.fixed]
kind = "column"
column = "cohort"
"""

TABLE = """patient,pathology,size,thrombus,surgery,mri,afp,recurrence,cohort
A0,yes,20,none,2020-03-01,2020-02-20,5,0,training
A,yes,20,none,2020-03-01,2020-02-20,5,1,training
B,no,,,,,,,
C,yes,9.9,main,2020-03-01,2020-01-01,,maybe,nowhere
D,yes,10,branch,2020-03-01,2020-02-20,5,0,training
E,yes,30,none,2020-03-01,2020-02-15,5,0,training
F,yes,30,none,2020-03-01,2020-03-02,7,0,training
G,yes,,none,2020-03-01,2020-02-20,5,1,training
H,yes,30,none,2020-03-01,,,0,training
I,yes,30,none,2020-03-01,,8,1,validation
J,yes,30,none,2020-03-01,2020-02-16,8,0,validation
"""
"""Each patient's first criterion, worked out by hand: B 1; C 2 (of 2, 3, 4 and 5); G 2, for its size is missing; D 3;
E 4 (15 days before) and F 4 (a day after); H 5. A0, A, I (whose MRI is missing) and J (14 days before) are kept."""

STEPS = [
    (1, "pathology confirms it", "include", 11, 1, 10),
    (2, "no lesion below 10 mm", "exclude", 10, 2, 8),
    (3, "no portal thrombus", "exclude", 8, 1, 7),
    (4, "MRI within two weeks", "include", 7, 2, 5),
    (5, "laboratory values are there", "exclude", 5, 1, 4),
]


LABORATORY = '[clinical]\ntable = "lab.csv"\n[clinical.variables.ast]\nunit = "U/L"'


class Chosen:
    """A study of a table alone, with criteria."""

    def __init__(self, folder) -> None:
        self.file, self.table, self.root = folder / "study.toml", folder / "patients.csv", folder / "store"
        self.file.write_text(STUDY)
        self.table.write_text(TABLE)

    def edit(self, old, new, *, table=False):
        """Replace a text that stands once."""
        file = self.table if table else self.file
        text = file.read_text()
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new))

    def ingest(self, **options):
        """Ingest with one thread."""
        return ingest(self.file, self.root, workers=1, **options)

    def sql(self, query):
        """Return the rows that answer a question."""
        return rows_of(Store(self.root), query)


@pytest.fixture
def chosen(tmp_path):
    """Return the study, not yet ingested."""
    return Chosen(tmp_path)


def refusal(study):
    """Return the error of an ingest that is refused, after seeing that nothing was written."""
    with pytest.raises(ContractError) as error:
        study.ingest()
    assert not study.root.exists()
    return error.value


def test_a_patient_counts_at_the_first_criterion_that_excludes_them(chosen):
    """The flow in SQL, in the report of ingest and in the rows of exclusions is the one worked out by hand."""
    report = chosen.ingest()
    flow = chosen.sql("select * from flow")
    assert [tuple(row.values())[1:] for row in flow] == STEPS
    assert {row["study"] for row in flow} == {"chosen"}
    assert [(s.criterion, s.before, s.excluded, s.left) for s in report.flow] == [
        (step[1], *step[3:]) for step in STEPS
    ]
    gone = chosen.sql("select patient, position, criterion from exclusions order by patient")
    assert [(row["patient"], row["position"]) for row in gone] == [
        *(("B", 1), ("C", 2), ("D", 3), ("E", 4), ("F", 4), ("G", 2), ("H", 5))
    ]
    assert {row["criterion"] for row in gone if row["patient"] == "G"} == {"no lesion below 10 mm"}


def test_who_is_excluded_is_in_nothing_else(chosen):
    """Labels, splits, values and the cohort have those who are kept; an excluded row's other cells are not asked."""
    report = chosen.ingest()
    assert (report.patients, report.labelled, report.events) == (4, 4, 2)
    for view in ("cohort", "labels", "splits", "clinical", "patients"):
        assert {row["patient"] for row in chosen.sql(f"from {view}")} == {"A0", "A", "I", "J"}, view
    assert {row["patient"] for row in chosen.sql("from catalogue.patients")} >= {"B", "H"}
    assert store_verification(Store(chosen.root)).is_clean


def test_ingest_prints_the_counts_step_by_step(chosen, capsys):
    """Each criterion is a line before the counts of the study, and an entry of the JSON."""
    code, out, _ = printed(capsys, "--store", chosen.root, "ingest", chosen.file)
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "criterion 'pathology confirms it': 1 of 11 excluded, 10 left"
    assert lines[4] == "criterion 'laboratory values are there': 1 of 5 excluded, 4 left"
    assert lines[5].startswith("chosen: 4 patients (4 labelled, 2 events)")
    code, out, _ = printed(capsys, "--json", "--store", chosen.root, "ingest", chosen.file)
    assert json.loads(out)["flow"][1] == {
        "criterion": "no lesion below 10 mm",
        "before": 10,
        "excluded": 2,
        "left": 8,
    }


def test_a_criterion_without_anybody_is_a_step(chosen):
    """A criterion that excludes nobody has a row with 0, and is warned of where cells have nearly its level."""
    chosen.edit('["main", "branch"]', '["mian"]')
    chosen.edit("2020-02-20,5,0,training\nE", "2020-02-20,,0,training\nE", table=True)
    report = chosen.ingest()
    assert (report.flow[2].excluded, report.flow[4].excluded) == (0, 2)
    assert [row["excluded"] for row in chosen.sql("from flow order by position")] == [1, 2, 0, 2, 2]
    (warning,) = report.warnings
    assert warning == (
        "criterion 'no portal thrombus': no patient's 'thrombus' is 'mian'; nearest: main; there are branch, main, none"
    )


def test_an_empty_cell_is_never_kept_or_dropped_unasked(chosen):
    """Where a criterion does not say what becomes of an empty cell, its line is named, and what to write."""
    chosen.edit('missing = "exclude"\n', "")
    error = refusal(chosen)
    assert error.where == f"{chosen.table}:9"
    assert error.message == (
        "column 'size': the cell is empty, and criterion 'no lesion below 10 mm' does not say what becomes of such a "
        "patient"
    )
    assert 'missing = "keep" or missing = "exclude"' in error.hint


def test_a_patient_without_a_reference_date_has_no_days_from_it(chosen):
    """A date cannot be placed without the reference date: that is a missing value like an empty cell."""
    chosen.edit("J,yes,30,none,2020-03-01", "J,yes,30,none,", table=True)
    chosen.edit('missing = "keep"\n', "")
    error = refusal(chosen)
    assert [(fault.where, fault.message.partition(", and")[0]) for fault in error.faults] == [
        (f"{chosen.table}:10", "column 'mri': the cell is empty"),
        (f"{chosen.table}:11", "column 'mri': the cell is empty"),
        (f"{chosen.table}:12", "column 'mri': the patient has no surgery"),
    ]


def test_all_faults_of_criteria_are_told_together(chosen):
    """A column that is not there, a cell that is no number and one that is no date have their lines in one error."""
    chosen.edit('column = "pathology"', 'column = "patology"')
    chosen.edit("E,yes,30", "E,yes,large", table=True)
    chosen.edit("2020-03-02", "02.03.2020", table=True)
    where = {fault.where: fault.message for fault in refusal(chosen).faults}
    assert "nearest: pathology" in where[f"{chosen.file}:12"]
    assert "'large' is no number" in where[f"{chosen.table}:7"]
    assert "it looks like DD.MM.YYYY" in where[f"{chosen.table}:8"]


def test_criteria_that_leave_nobody_are_refused(chosen):
    """A study without patients is a mistake in its criteria."""
    chosen.edit("below = 10", "above = 1")
    error = refusal(chosen)
    assert "the criteria exclude all 11 patients of patients.csv" in error.message


def test_a_criterion_on_the_outcome_is_warned_of(chosen):
    """Who is excluded by what came later is no random part of the patients."""
    chosen.edit('{ column = "afp", missing = true }', '{ column = "recurrence", missing = true }')
    chosen.edit("H,yes,30,none,2020-03-01,,,0", "H,yes,30,none,2020-03-01,,1,", table=True)
    (warning,) = chosen.ingest().warnings
    assert warning.startswith("criterion 'laboratory values are there' asks 'recurrence', a column of the outcome")


def test_other_tables_may_have_the_excluded(chosen):
    """Rows of excluded patients in the clinical and in imported tables are passed by; a stranger's is a fault."""
    laboratory, features = chosen.table.parent / "lab.csv", chosen.table.parent / "features.csv"
    laboratory.write_text("patient,ast\nA,30\nC,none\nI,40\n")
    rows = {"A0": 1.5, "A": 2.25, "B": 9.0, "C": 9.5, "I": 3.5, "J": 4.75}
    features.write_text("patient,mean\n" + "".join(f"{name},{value}\n" for name, value in rows.items()))
    chosen.edit(
        '[clinical.variables.afp]\nunit = "[IU]/mL"',
        LABORATORY,
    )
    chosen.file.write_text(chosen.file.read_text() + '\n[imported.texture]\ntable = "features.csv"\n')
    chosen.ingest()
    assert {row["patient"]: row["value"] for row in chosen.sql("from clinical")} == {"A": 30, "I": 40}
    kept = chosen.sql("select patient, value from radiomics_long order by patient")
    assert {row["patient"]: row["value"] for row in kept} == {name: rows[name] for name in ("A0", "A", "I", "J")}
    laboratory.write_text("patient,ast\nA,30\nX,40\n")
    with pytest.raises(ContractError, match="'X' is not in the cohort table"):
        chosen.ingest()


def test_a_new_criterion_is_a_decision_and_an_emptied_column_is_not(chosen):
    """Patients whom a changed study file takes out go; with the same criteria their loss asks for --allow-removals."""
    text = chosen.file.read_text()
    criteria = text[text.index("[[criteria]]") : text.index("[clinical.")]
    small = '[[criteria]]\nname = "size"\nexclude = { column = "size", below = 1 }\nmissing = "exclude"\n\n'
    chosen.file.write_text(text.replace(criteria, small))
    chosen.table.write_text(
        chosen.table.read_text()
        .replace("maybe,nowhere", "0,training")
        .replace("B,no,,,,,,,", "B,no,30,,,,3,1,training")
    )
    assert chosen.ingest().patients == 10
    chosen.edit("below = 1 ", "below = 25 ")
    assert chosen.ingest().patients == 6
    before = chosen.table.read_text()
    for name in ("E", "F"):
        chosen.edit(f"{name},yes,30,", f"{name},yes,,", table=True)
    with pytest.raises(ContractError, match=r"2 of 6 patients \(33%\): E, F"):
        chosen.ingest()
    chosen.table.write_text(before)
    assert chosen.ingest().commit_id is None


def test_who_is_kept_again_is_excluded_no_more(chosen):
    """Each ingest says anew who is excluded; the former answer stays in the snapshot of its commit."""
    chosen.ingest()
    chosen.edit("no,,,,,,,", "yes,30,none,2020-03-01,2020-02-20,5,1,training", table=True)
    chosen.ingest()
    assert "B" not in {row["patient"] for row in chosen.sql("from exclusions")}
    assert "B" in {row["patient"] for row in chosen.sql("from cohort")}
    assert "B" in {row["patient"] for row in rows_of(Store(chosen.root), "from exclusions", as_of=1)}
    assert store_verification(Store(chosen.root)).is_clean


def test_an_excluded_patient_can_be_erased(chosen):
    """An erasure finds who is only excluded, in all commits, and the flow counts one patient less."""
    chosen.ingest()
    store = Store(chosen.root)
    erase_patient(store, "C")
    assert "C" not in {row["patient"] for row in rows_of(store, "from catalogue.exclusions")}
    assert "C" not in {row["patient"] for row in rows_of(store, "from catalogue.patients")}
    assert [row["excluded"] for row in chosen.sql("from flow order by position")] == [1, 1, 1, 2, 1]
    assert store_verification(store).is_clean
    chosen.ingest()  # the table still has the patient, and brings them back
    assert "C" in {row["patient"] for row in chosen.sql("from exclusions")}
    assert store_verification(store).is_clean


def test_verify_finds_who_is_in_a_study_and_excluded_from_it(chosen):
    """A row that names a member of the study, or a patient whom nobody knows, breaks a promise of the format."""
    chosen.ingest()
    store = Store(chosen.root)
    table = versioned_table("exclusions")
    with store.engine.begin() as connection:
        for patient in ("A", "stranger"):
            row = {"study": "chosen", "patient": patient, "position": 1, "criterion": "x", "added_commit": 1}
            connection.execute(table.insert().values(row))
    broken = {check.name: [finding.rows for finding in check.findings] for check in store_verification(store).checks}
    assert broken["exclusions"] == [("study chosen, patient A",)]
    assert broken["exclusions -> patients"] == [("study chosen, patient stranger",)]


def test_images_of_the_excluded_are_no_strangers(small_study):
    """Their files are neither read nor warned of: they stand in the cohort table."""
    criterion = '\n[[criteria]]\nname = "AFP is known"\nexclude = { column = "afp", missing = true }\n'
    small_study.edit("P3,1,validation,8.5", "P3,1,validation,", file="patients.csv")
    small_study.edit("P2,0,training", "P2,0,validation", file="patients.csv")
    small_study.edit("P4,0,validation,,male", "P4,1,validation,3,male\nP5,0,training,3,male", file="patients.csv")
    small_study.file.write_text(small_study.file.read_text() + criterion)
    report = small_study.ingest()
    assert [each for each in report.warnings if "not in the cohort table" in each] == []
    assert {row["patient"] for row in small_study.sql("from scans")} == {"P1", "P2", "P4"}
