"""Findings of two readers: both are kept, their agreement is a view, and one value of each is read."""

import numpy as np
import pytest
from builders.store import rows_of
from html_page import Page
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from flows.ingest.run import ingest
from flows.report.page import write_report
from schemas.errors import ContractError
from store.home import Store
from store.verification.verify import store_verification

STUDY = """
[study]
id = "read"
title = "Read twice"

[cohort]
table = "patients.csv"

[findings]
table = "findings.csv"
use = "R1"

[findings.variables]
capsule = { levels = ["absent", "present"] }
grade = { column = "conspicuity", levels = ["1", "2", "3", "4"], weights = "linear" }
width = { unit = "mm" }

[models.cr]
factors = [{ variable = "capsule", equals = "present" }, { variable = "width", above = 20 }]
"""
FINDINGS = """patient,reader,capsule,conspicuity,width
A,R1,present,1,10
A,R2,absent,2,11
B,R1,present,4.0,
B,R2,present,4,30
C,R2,absent,3,12
C,R1,,3,14
"""


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a study of three patients, each read by R1 and R2."""
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "patients.csv").write_text("patient\nA\nB\nC\n")
    (tmp_path / "findings.csv").write_text(FINDINGS)
    return tmp_path


def edit(folder, old, new, file="study.toml"):
    """Replace a text that stands once."""
    text = (folder / file).read_text()
    assert text.count(old) == 1, old
    (folder / file).write_text(text.replace(old, new))


def read_in(folder):
    """Ingest, and return what asks the store."""
    ingest(folder / "study.toml", folder / "store", workers=1)
    return lambda query: rows_of(Store(folder / "store"), query)


def refusal(folder):
    """Return the error of an ingest that is refused."""
    with pytest.raises(ContractError) as error:
        ingest(folder / "study.toml", folder / "store", workers=1)
    assert not (folder / "store").exists()
    return error.value


def test_both_readers_are_kept_and_one_is_read(folder):
    """The view findings has every reader's value; clinical has those of the reader whom the study names."""
    sql = read_in(folder)
    rows = sql("select patient, variable, reader, value, level, unit, is_read from findings")
    assert len(rows) == 16
    assert {"patient": "C", "variable": "width", "reader": "R2", "value": 12, "level": None} | {
        "unit": "mm",
        "is_read": False,
    } in rows
    read = {
        (row["patient"], row["variable"]): row["level"] or row["value"] for row in sql("from clinical_at_reference")
    }
    assert read == {
        ("A", "capsule"): "present",
        ("A", "grade"): "1",
        ("A", "width"): 10,
        ("B", "capsule"): "present",
        ("B", "grade"): "4",
        ("C", "grade"): "3",
        ("C", "width"): 14,
    }
    assert {row["variable"]: row["kind"] for row in sql("from clinical_variables")} == {
        "capsule": "category",
        "grade": "category",
        "width": "number",
    }
    assert store_verification(Store(folder / "store")).is_clean


def test_a_table_a_reader_says_the_same(folder):
    """With a table of each reader the store has what one table with a column of readers gives it."""
    together = read_in(folder)("from findings")
    header, *lines = [line.split(",") for line in FINDINGS.splitlines()]
    for reader in ("R1", "R2"):
        own = [line for line in (header, *lines) if line[1] in ("reader", reader)]
        (folder / f"{reader}.csv").write_text("".join(",".join([p, *rest]) + "\n" for p, _, *rest in own))
    edit(folder, 'table = "findings.csv"', 'tables = { R1 = "R1.csv", R2 = "R2.csv" }')
    assert read_in(folder)("from findings") == together


def test_consensus_is_read_and_is_no_rater(folder):
    """Rows of the reader consensus are what models read, and of its agreement with others nothing is said."""
    with (folder / "findings.csv").open("a") as file:
        file.write("A,consensus,absent,1,10\n")
    edit(folder, 'use = "R1"', 'use = "consensus"')
    sql = read_in(folder)
    assert [row["level"] for row in sql("from clinical where variable = 'capsule'")] == ["absent"]
    assert {(row["reader_a"], row["reader_b"]) for row in sql("from agreement")} == {("R1", "R2")}


def test_readers_who_differ_are_refused_where_they_must_not(folder):
    """With use = "same" each difference is a fault that names patient, readers and values; else the value is read."""
    edit(folder, 'use = "R1"', 'use = "same"')
    error = refusal(folder)
    assert "'capsule' of patient 'A' is 'present' by reader 'R1' and 'absent' by reader 'R2'" in error.message
    assert len(error.faults) == 4
    (folder / "findings.csv").write_text("patient,reader,capsule,conspicuity,width\nA,R1,present,1,\nA,R2,present,,9\n")
    read = read_in(folder)("from clinical")
    assert sorted((row["variable"], row["level"] or row["value"]) for row in read) == [
        *(("capsule", "present"), ("grade", "1"), ("width", 9.0))
    ]


def test_faults_of_findings_have_their_lines(folder):
    """A stranger, a second row, a level nobody declared, an empty reader and a name used twice are told together."""
    with (folder / "findings.csv").open("a") as file:
        file.write("X,R1,absent,1,1\nA,R1,absent,1,1\nB,,absent,1,1\nC,R3,perhaps,1,1\n")
    edit(folder, "[models.cr]", '[clinical.variables.width]\nunit = "mm"\n\n[models.cr]')
    found = {fault.where.removeprefix(f"{folder}/"): fault.message for fault in refusal(folder).faults}
    assert "'X' is not in the cohort table" in found["findings.csv:8"]
    assert "a second row for 'A' by reader 'R1'" in found["findings.csv:9"]
    assert "'' is no reader's name" in found["findings.csv:10"]
    assert "'perhaps' is none of absent, present" in found["findings.csv:11"]
    assert [each for where, each in found.items() if where.startswith("study.toml")] == [
        "'width' is a finding and a variable of [clinical] too"
    ]


def test_a_reader_who_read_nothing_cannot_be_read(folder):
    """The reader whom the study names is one of the table's."""
    edit(folder, 'use = "R1"', 'use = "R9"')
    assert refusal(folder).message == "use names 'R9', and the findings are of R1, R2"


def with_ratings(folder, ratings, levels, weights):
    """Ingest a study in which R1 and R2 give these levels, and return the rows of agreement by weighting."""
    lines = [f"P{number:03},R1,{a}\nP{number:03},R2,{b}" for number, (a, b) in enumerate(ratings)]
    (folder / "patients.csv").write_text("patient\n" + "".join(f"P{n:03}\n" for n in range(len(ratings))))
    (folder / "findings.csv").write_text("patient,reader,grade\n" + "\n".join(lines) + "\n")
    declared = f"levels = {[str(each) for each in levels]}" + (f", weights = '{weights}'" if weights else "")
    (folder / "study.toml").write_text(f"{STUDY[: STUDY.index('capsule =')]}grade = {{ {declared} }}\n")
    return {row["weighting"]: row for row in read_in(folder)("from agreement")}


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_kappa_and_its_error_are_those_of_other_programs(folder, weights):
    """scikit-learn has the same kappa, statsmodels the same standard error and interval, weighted and not."""
    random = np.random.default_rng(5)
    first = random.integers(1, 5, 80)
    second = np.clip(first + random.integers(-1, 2, 80), 1, 5)  # the level 5 is one reader's alone
    found = with_ratings(folder, list(zip(first, second, strict=True)), [1, 2, 3, 4, 5], weights)
    table = np.zeros((5, 5))
    np.add.at(table, (first - 1, second - 1), 1)
    assert found.keys() == {"unweighted", weights}
    for name, row in found.items():
        given = None if name == "unweighted" else name
        expected = cohens_kappa(table, wt={None: None, "linear": "linear", "quadratic": "fc"}[given])
        assert row["kappa"] == pytest.approx(cohen_kappa_score(first, second, weights=given), abs=1e-12)
        assert row["kappa"] == pytest.approx(expected.kappa, abs=1e-12)
        assert row["standard_error"] == pytest.approx(expected.std_kappa, abs=1e-12)
        assert (row["lower"], row["upper"]) == pytest.approx((expected.kappa_low, expected.kappa_upp), abs=1e-9)
    assert found["unweighted"]["agreement"] == pytest.approx(np.mean(first == second))
    assert found["unweighted"]["patients"] == 80


@pytest.mark.parametrize(
    ("counts", "agreement", "expected", "kappa"),
    [
        # Cohen (1968), 200 patients; .492 is quoted in the documentation of psych::cohen.kappa (R).
        (((88, 14, 18), (10, 40, 10), (2, 6, 12)), 0.70, 0.41, 0.492),
        # Fleiss, Cohen and Everitt (1969), from there too: (.70 - .475) / (1 - .475), by hand.
        (((106, 10, 4), (22, 28, 10), (2, 12, 6)), 0.70, 0.475, 0.429),
    ],
)
def test_kappa_of_published_tables(folder, counts, agreement, expected, kappa):
    """The tables by which kappa and its error were introduced have the printed kappa, and statsmodels' error."""
    ratings = [(i + 1, j + 1) for i, row in enumerate(counts) for j, count in enumerate(row) for _ in range(count)]
    row = with_ratings(folder, ratings, [1, 2, 3], None)["unweighted"]
    assert round(row["kappa"], 3) == kappa
    assert (row["agreement"], row["expected"]) == pytest.approx((agreement, expected))
    assert row["standard_error"] == pytest.approx(cohens_kappa(np.array(counts)).std_kappa, abs=1e-12)


def test_the_report_shows_kappa(folder):
    """The report's table has a line for each finding and weighting, with the view's numbers."""
    found = with_ratings(folder, [(1, 1)] * 9 + [(2, 2)] * 7 + [(1, 2), (2, 3), (3, 3)], [1, 2, 3], "quadratic")
    page = Page(write_report(Store(folder / "store"), "read").read_text())
    table = page.table("Agreement of readers")
    assert [row[2] for row in table.rows[1:]] == ["unweighted", "quadratic"]
    for row in table.rows[1:]:
        assert row[5].startswith(f"{found[row[2]]['kappa']:.3f}")


def test_agreement_without_a_doubt_has_no_interval(folder):
    """Readers who always agree have a kappa of 1 and no interval; who say one level of all have no kappa."""
    row = with_ratings(folder, [(1, 1), (2, 2), (2, 2)], [1, 2], None)["unweighted"]
    assert (row["kappa"], row["standard_error"], row["lower"], row["upper"]) == (1, 0, None, None)
    row = with_ratings(folder, [(1, 1), (1, 1), (1, 1)], [1, 2], None)["unweighted"]
    assert (row["agreement"], row["kappa"], row["lower"]) == (1, None, None)
    assert row["reason"] == "both readers give all patients the same level"
