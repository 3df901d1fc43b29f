"""Expectations as a study file writes them: one rule each, and every fault with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.keys import sha256_of_json
from schemas.study.file import Study
from schemas.study.text import study_reading

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "p.csv"

[clinical.variables.afp]
unit = "[IU]/mL"

[clinical.variables.site]
levels = ["north", "south"]

"""


def faults(rule: str) -> list[str]:
    """Return the faults of a study file with one expectation, each with its line."""
    found = study_reading(f"{STUDY}[expectations.it]\n{rule}\n", "study.toml").faults
    return [f"{each.where}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ('sql = "from masks"', "sql"),
        ('variable = "afp"\nhigh = 5', "range"),
        ('variable = "site"\nmissing = 0', "missing"),
        ('count = "site"\nat_least = 2', "count"),
        ('count = "scanner_model"\nat_least = 2', "count"),
        ("grey_levels = 2", "grey_levels"),
        ("spacing_mm = [0.5, 3]", "spacing_mm"),
        ("same_spacing = 0.05", "same_spacing"),
        ("volume_ratio = 2", "volume_ratio"),
        ('duplicates = "masks"', "duplicates"),
    ],
)
def test_each_kind_of_rule_is_told_by_its_key(rule, kind) -> None:
    """A rule of each kind is read, and is a warning where nothing else is said."""
    study, found = study_reading(f"{STUDY}[expectations.it]\n{rule}\n", "study.toml")
    assert (found, study.expectations["it"].kind, study.expectations["it"].policy) == ([], kind, "warn")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('description = "nothing"', "study.toml:14: expectations.it: give exactly one of sql, variable"),
        ('sql = "from masks"\ngrey_levels = 3', "give exactly one of sql, variable"),
        ('variable = "afp"', "of a variable give low or high or both, or missing"),
        ('variable = "afp"\nlow = 1\nmissing = 0.1', "of a variable give low or high or both, or missing"),
        ('variable = "afp"\nlow = 3\nhigh = 1', "low = 3 is above high = 1"),
        ("grey_levels = 3\nlow = 1", "low, high and missing belong to variable"),
        ('count = "site"', "count and at_least belong together"),
        ('count = "site"\nat_least = 2\npolicy = "quarantine"', "'count' is a matter of the whole study"),
        ('variable = "afp"\nmissing = 0.1\npolicy = "quarantine"', "'missing' is a matter of the whole study"),
        ("spacing_mm = [3, 1]", "[3.0, 1.0] is upside down"),
        ('grey_levels = 3\npolicy = "stop"', "study.toml:16: expectations.it.policy: Input should be 'refuse'"),
        ('variable = "afb"\nhigh = 1', "study.toml:15: expectations.it.variable: 'afb' is no variable of [clinical]"),
        ('variable = "site"\nhigh = 1', "'site' is a category and has no range"),
        ('count = "afp"\nat_least = 2', "study.toml:15: expectations.it.count: patients are counted by a variable"),
        ('grey_levels = 3\ndescription = "red \\u001b[31m"', "it has"),
    ],
)
def test_a_faulty_rule_is_refused_with_its_line(rule, said) -> None:
    """Each fault of an expectation names its place and says what would do."""
    (fault,) = faults(rule)
    assert fault.startswith("study.toml:")
    assert said in fault


def test_the_pages_example_is_part_of_a_study_file() -> None:
    """The example of docs/expectations.md parses, and shows every policy."""
    page = (Path(__file__).parents[3] / "docs" / "expectations.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    study, found = study_reading(STUDY + example, "study.toml")
    assert (found, {each.policy for each in study.expectations.values()}) == ([], {"refuse", "quarantine", "warn"})


def test_a_study_without_expectations_is_on_record_as_it_was_before() -> None:
    """The definition of a study that expects nothing has no such key, so its hash is that of earlier releases."""
    study = study_reading(STUDY, "study.toml").study
    recorded = study.model_dump(mode="json")
    assert "expectations" not in recorded
    assert sha256_of_json(recorded) == sha256_of_json(Study.model_validate(recorded).model_dump(mode="json"))
