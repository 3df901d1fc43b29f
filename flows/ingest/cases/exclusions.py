"""Who is excluded from a study: step by step as a flow chart counts, and as rows of the catalogue."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from flows.study.patients import StudyTables
from schemas.study.file import Study
from store.history.snapshot import Snapshot

__all__ = ["FlowStep", "decided_exclusions", "exclusion_rows", "flow_steps"]

Row = dict[str, Any]


@dataclass(frozen=True)
class FlowStep:
    """One criterion of a study, in its order."""

    criterion: str
    before: int
    """Patients whom no earlier criterion excludes."""
    excluded: int
    left: int


def flow_steps(study: Study, tables: StudyTables) -> tuple[FlowStep, ...]:
    """Return what each criterion does; one that excludes nobody has a step too.

    Parameters
    ----------
    study : Study
        The study.
    tables : StudyTables
        Who is in it and who is not.
    """
    counts = Counter(each.position for each in tables.excluded)
    left = len(tables.patients) + len(tables.excluded)
    steps = []
    for position, criterion in enumerate(study.criteria, start=1):
        steps.append(FlowStep(criterion.name, left, counts[position], left - counts[position]))
        left -= counts[position]
    return tuple(steps)


def exclusion_rows(study: Study, tables: StudyTables) -> list[Row]:
    """Return the rows of ``exclusions``."""
    return [
        {
            "study": study.id,
            "patient": each.patient.patient,
            "position": each.position,
            "criterion": study.criteria[each.position - 1].name,
        }
        for each in tables.excluded
    ]


def decided_exclusions(study: Study, before: Snapshot, tables: StudyTables) -> set[str]:
    """Return the excluded patients whom a change of the study's criteria takes out: a decision, no loss.

    With the criteria that the store knows a patient is excluded because the table changed, and a column that was
    emptied looks the same: these count among what an ingest would remove.

    Parameters
    ----------
    study : Study
        The study as its file says it now.
    before : Snapshot
        The store before this ingest.
    tables : StudyTables
        What its tables say now.
    """
    stored = before.rows("studies", study=study.id)
    former = json.loads(stored[0]["definition"] or "{}").get("criteria") or [] if stored else []
    if former == study.model_dump(mode="json").get("criteria", []):
        return set()
    return {each.patient.patient for each in tables.excluded}
