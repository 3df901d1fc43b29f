"""What the columns of a table may be to a study."""

from __future__ import annotations

import polars as pl
import pytest

from flows.study_draft.cohort.columns import cohort_columns
from flows.study_draft.cohort.table import CohortTable
from flows.study_draft.cohort.text import clinical_lines, cohort_lines, outcome_lines
from flows.tables.text_table import TextTable
from schemas.study.text import parsed_study

COLUMNS = {
    "ID": [f"P{number}" for number in range(8)],
    "Age at scan": ["61", "62", "63.5", "NA", "70", "71", "72", "73"],
    "sex": ["m", "f"] * 4,
    "Child-Pugh": ["A", "B", "C", "A", "B", "A", "A", "B"],
    "MRI date": ["2020-01-02"] * 7 + ["2021-03-04"],
    "recurrence": ["1", "0", "0", "1", "0", "1", "0", ""],
    "cirrhosis": ["yes", "no"] * 4,
    "days": ["100", "200", "300", "400", "500", "600", "700", "800"],
    "cohort": ["train", "train", "train", "train", "train", "test", "test", "test"],
    "MRN": ["Ada", "Bea", "Cid", "Dov", "Eva", "Fay", "Gus", "Hal"],
    "remark": ["long", "text", "that", "is", "no", "category", "at", "all"],
    "constant": ["x"] * 8,
}


def table(columns: dict[str, list[str]]) -> CohortTable:
    """Return a table as it is recognised."""
    read = TextTable("t.csv", pl.DataFrame(columns))
    ids = tuple(columns["ID"])
    return CohortTable("t.csv", "ID", ids, len({*ids}) < len(ids), cohort_columns(read, "ID"), (), ())


def text(found: CohortTable) -> str:
    """Return the lines about a table as a study file."""
    head = ['[study]\nid = "s"\ntitle = "t"\n[phases.CT]\nimage = "i"\nmask = "m"']
    return "\n".join(
        [*head, *cohort_lines("", found), *clinical_lines("", found), *outcome_lines(found, ["[models.radiomics_lr]"])]
    )


def test_each_kind_of_column_is_recognised():
    """Numbers, categories, dates, an outcome, a split, personal data, and what is none of them."""
    found = cohort_columns(TextTable("t.csv", pl.DataFrame(COLUMNS)), "ID")
    assert (found.numbers, found.times, found.dates) == (["Age at scan"], ["days"], ["MRI date"])
    assert found.categories == {"sex": ("f", "m"), "Child-Pugh": ("A", "B", "C"), "cirrhosis": ("no", "yes")}
    assert [(each.name, each.positive, each.negative, each.is_known) for each in found.outcomes] == [
        ("recurrence", "1", "0", True)
    ]
    assert (found.splits, found.personal) == ({"cohort": ("train", "test")}, ["MRN"])
    assert (found.others, found.missing) == (["remark", "constant"], ("NA",))


def test_the_lines_about_a_table_parse_and_guess_no_unit():
    """Categories have levels, numbers wait for their unit, dates and times are named."""
    written = text(table(COLUMNS))
    study = parsed_study(written, "study.toml")
    assert {*study.clinical.variables} == {"sex", "Child_Pugh", "cirrhosis"}
    assert study.clinical.variables["Child_Pugh"].column == "Child-Pugh"
    assert '# [clinical.variables.Age_at_scan]\n# column = "Age at scan"\n# unit = ""  # to decide' in written
    assert '# exam_date = "MRI date"  # to decide' in written
    assert (study.outcome.column, study.splits["main"].training) == ("recurrence", "train")
    assert "Ada" not in written


def test_times_of_an_outcome_are_no_variables_and_every_column_left_out_is_named():
    """What follow-up measures is known after the outcome; an age in years is a number of a patient."""
    times = dict.fromkeys(("recurrence_free_months", "OS", "fu_days"), COLUMNS["days"])
    texts = {f"remark {number}": COLUMNS["remark"] for number in range(30)}
    written = text(table(COLUMNS | times | {"age_years": COLUMNS["days"], "pack_years": COLUMNS["days"]} | texts))
    assert '# Left out, as they may be the time of the outcome, which is known only after it: "days",' in written
    assert all(f"[clinical.variables.{name}]" not in written for name in ("days", *times))
    assert all(f"# [clinical.variables.{name}]" in written for name in ("age_years", "pack_years"))
    names = written.partition("# Not used: ")[2].partition("\n\n")[0]
    assert all(f'"{name}"' in names for name in ("remark", "constant", *texts))
    assert all(len(line) <= 120 for line in names.splitlines())


@pytest.mark.parametrize(
    ("values", "positive", "is_known"),
    [
        (("Yes", "No"), "Yes", True),
        (("dead", "alive"), "dead", True),
        (("1.0", "0.0"), "1.0", True),
        (("a", "b"), "b", False),
        (("2", "1"), "2", False),
    ],
)
def test_the_level_that_is_the_event_is_known_or_left_to_decide(values, positive, is_known):
    """Only words whose meaning is plain say which level is label 1; 1 beside 2 does not."""
    found = table({"ID": COLUMNS["ID"], "status": [*values] * 4})
    (outcome,) = found.columns.outcomes
    assert (outcome.positive, outcome.is_known) == (positive, is_known)
    assert ("which level is label 1" in text(found)) == (not is_known)


def test_several_outcomes_are_left_to_decide():
    """The first is written, with the others beside it; neither becomes a variable."""
    columns = {"ID": COLUMNS["ID"], "death": ["1", "0"] * 4, "relapse": ["0", "1"] * 4, "hbv": ["1", "0"] * 4}
    written = text(table(columns))
    study = parsed_study(written, "study.toml")
    assert 'column = "death"  # to decide: or "relapse"' in written
    assert {*study.clinical.variables} == {"hbv"}


def test_columns_in_which_a_patients_rows_differ_are_left_out():
    """Of a repeated table only what is the same in all rows of a patient is a variable."""
    columns = {"ID": ["A", "A", "B", "B", "C", "C"], "sex": list("mmffmm"), "lesion": list("xyxyxy")}
    found = table(columns)
    study = parsed_study(text(found), "study.toml")
    assert (study.cohort.repeated, {*study.clinical.variables}) == (True, {"sex"})


def test_a_column_may_be_called_anything():
    """Quotes, line breaks and names that differ in signs only stay keys of their own."""
    columns = {"ID": COLUMNS["ID"], 'a "b"\nc': list("xyzxyzxy"), "T-1": list("xyzxyzxy"), "T 1": list("xyzxyzxy")}
    study = parsed_study(text(table(columns)), "study.toml")
    assert {name: each.column for name, each in study.clinical.variables.items()} == {
        "a_b_c": 'a "b"\nc',
        "T_1": "T-1",
        "T_1_2": "T 1",
    }
