"""Findings of readers as models read them: one value of each patient, by the rule that the study file names."""

from __future__ import annotations

from typing import Any

from flows.ingest.cases.exam_choice import chosen_exams
from flows.study.patients import StudyTables
from schemas.cases.findings import SAME
from schemas.study.file import Study

__all__ = ["read_findings"]

Row = dict[str, Any]


def read_findings(study: Study, tables: StudyTables) -> list[Row]:
    """Return the rows of ``clinical`` that a study's findings make.

    They have no date of their own: they are of the exam. Of an exam that the study may not use, because it is of after
    the reference date or outside its window, no finding is read either.

    Parameters
    ----------
    study : Study
        The study.
    tables : StudyTables
        Every reader's findings.
    """
    if study.findings is None:
        return []
    usable = {each.patient for each in tables.patients if chosen_exams(study, each).used}
    found: dict[tuple[str, str], Row] = {}
    for row in tables.findings:
        if row["patient"] in usable and study.findings.use in (SAME, row["reader"]):
            value = {name: row[name] for name in ("patient", "variable", "value", "level", "unit")}
            found.setdefault((row["patient"], row["variable"]), value | {"observed_at": ""})
    return list(found.values())
