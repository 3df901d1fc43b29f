"""The cohort's first table: clinical variables by cohort, patients with the outcome against those without."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flows.pages.questions import Answer, Questions
from flows.pages.words import EN_DASH, compact, p_value, percent, readable_unit, readable_variable
from zoo.benchmark.characteristics import BETWEEN

__all__ = ["TableOne", "table_one"]

Row = dict[str, Any]

PLUS_MINUS = "\u00b1"
TESTS = {
    "fisher": ("F", "Fisher's exact test"),
    "chi-square-yates": ("Y", "chi-square test with Yates' correction"),
    "chi-square": ("C", "chi-square test"),
    "welch-t": ("T", "Welch's t test"),
    "mann-whitney": ("R", "rank-sum test"),
}
"""The letter of each test on the page, and its name."""


@dataclass(frozen=True)
class ShownTest:
    """A p value with the test's letter and name."""

    p: str
    letter: str
    name: str


@dataclass(frozen=True)
class TableLine:
    """One line: a number, a category's level, a cut point; three cells for each cohort and one for its p."""

    name: str
    unit: str
    description: str
    level: str
    is_first: bool
    """Whether the variable's name stands on this line."""
    levels: int
    """How many lines the test of this line concerns; 0 where an earlier one carries it."""
    cells: list[tuple[str, str]]
    """By cohort: patients with the outcome, patients without."""
    tests: list[tuple[ShownTest, ShownTest] | None]
    """By cohort: the test that fits the data, then the other; None where there is nothing to compare."""


@dataclass(frozen=True)
class TableOne:
    """The first table of a split."""

    answer: Answer
    cohorts: list[tuple[str, int, int]]
    """Each cohort with its patients with the outcome and without; last, both cohorts with the patients of each."""
    lines: list[TableLine]


def table_one(questions: Questions, split: str | None) -> TableOne | None:
    """Return the first table of a split, None where no benchmark has described its cohorts.

    Parameters
    ----------
    questions : Questions
        Asks the store.
    split : str or None
        The split's name.
    """
    answer = questions.ask("table_one", split=split)
    if not answer:
        return None
    sizes = {
        row["cohort"]: (row["known_events"] + row["missing_events"], row["known_others"] + row["missing_others"])
        for row in answer.rows
    }
    cohorts = sorted(sizes, key=lambda each: (each == BETWEEN, each))
    lines: list[TableLine] = []
    before: tuple[str, str] | None = None
    for _, found in groupby(answer.rows, key=lambda row: row["position"]):
        by_cohort = {row["cohort"]: row for row in found}
        first = next(iter(by_cohort.values()))
        same = [row for row in answer.rows if (row["variable"], row["kind"]) == (first["variable"], first["kind"])]
        # A category has one test over all its levels; each cut point has its own.
        has_own_test = first["kind"] != "category" or (first["variable"], first["kind"]) != before
        lines.append(
            TableLine(
                name=readable_variable(first["variable"], first["unit"]),
                unit=readable_unit(first["unit"]),
                description=first["description"] or "",
                level=first["level"],
                is_first=before is None or before[0] != first["variable"],
                levels=(len(same) // len(cohorts) if first["kind"] == "category" else 1) if has_own_test else 0,
                cells=[(_cell(by_cohort[each], "events"), _cell(by_cohort[each], "others")) for each in cohorts],
                tests=[_tests(by_cohort[each]) for each in cohorts],
            )
        )
        before = first["variable"], first["kind"]
    return TableOne(answer, [(each, *sizes[each]) for each in cohorts], lines)


def _cell(row: Row, group: str) -> str:
    if row["kind"] != "number":
        known = row[f"known_{group}"]
        text = f"{row[f'count_{group}']} ({percent(row[f'count_{group}'], known)})" if known else EN_DASH
    elif row[f"mean_{group}"] is None:
        text = EN_DASH
    elif row["test"] == "mann-whitney":
        quartiles = f"{compact(row[f'q1_{group}'])}{EN_DASH}{compact(row[f'q3_{group}'])}"
        text = f"{compact(row[f'median_{group}'])} ({quartiles})"
    else:
        sd = row[f"sd_{group}"]
        text = compact(row[f"mean_{group}"]) + (f" {PLUS_MINUS} {compact(sd)}" if sd is not None else "")
    missing = row[f"missing_{group}"]
    return f"{text} [{missing} missing]" if missing else text


def _tests(row: Row) -> tuple[ShownTest, ShownTest] | None:
    if row["p"] is None:
        return None
    return (
        ShownTest(p_value(row["p"]), *TESTS[row["test"]]),
        ShownTest(p_value(row["other_p"]), *TESTS[row["other_test"]]),
    )
