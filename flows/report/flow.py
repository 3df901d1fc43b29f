"""The flow chart of a study's patients: assessed, excluded with reasons, included, and the cohorts of its split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.pages.questions import Answer, Questions
from flows.pages.words import plural, readable_name
from zoo.figures.flow_chart import FlowBox, FlowChart, counted_words, flow_chart

__all__ = ["PatientFlow", "patient_flow"]

Row = dict[str, Any]


@dataclass(frozen=True)
class PatientFlow:
    """The chart, and the answers that it is drawn from."""

    svg: str
    steps: Answer
    groups: Answer


def patient_flow(questions: Questions, split: str | None, outcome: str | None) -> PatientFlow | None:
    """Return a study's flow chart, None where nobody was excluded from anything and nobody is in a cohort.

    Parameters
    ----------
    questions : Questions
        Asks the store.
    split : str or None
        The split whose cohorts are the last boxes.
    outcome : str or None
        What label 1 is, in words; None where the study has no outcome.
    """
    steps, groups = questions.ask("flow"), questions.ask("flow_groups", split=split)
    chart = _chart(steps.rows, groups.rows, split, outcome)
    if chart.excluded is None and not chart.groups:
        return None
    return PatientFlow(flow_chart(chart, key="patient-flow", label=_spoken(chart)), steps, groups)


def _chart(steps: Sequence[Row], groups: Sequence[Row], split: str | None, outcome: str | None) -> FlowChart:
    included = sum(row["patients"] for row in groups)
    gone = sum(row["excluded"] for row in steps)
    excluded = FlowBox("Excluded", gone, [_reason(row) for row in steps]) if steps else None
    cohorts = [row for row in groups if row["cohort"] is not None]
    apart = [row for row in groups if row["cohort"] is None]
    boxes = [
        FlowBox(
            readable_name(row["cohort"]).capitalize(),
            row["patients"],
            [f"{row['events']} with {outcome}", f"{row['without_event']} without"] if outcome else [],
        )
        for row in cohorts
    ]
    left_over = FlowBox(
        f"In no cohort of the split '{split}'",
        sum(row["patients"] for row in apart),
        [counted_words("no label" if row["apart"] == "no label" else "with a label", row["patients"]) for row in apart],
    )
    return FlowChart(
        assessed=FlowBox("Assessed" if steps else "In the study", included + gone),
        excluded=excluded,
        included=FlowBox("Included", included),
        apart=left_over if apart and cohorts else None,
        groups=boxes,
    )


def _reason(row: Row) -> str:
    """Return a criterion as a reason; one of inclusion says what is asked for, and who lacks that is excluded."""
    name = row["criterion"] if row["kind"] == "exclude" else f"not met: {row['criterion']}"
    return counted_words(name, row["excluded"])


def _spoken(chart: FlowChart) -> str:
    parts = [f"{plural(chart.assessed.patients, 'patient')} {chart.assessed.heading.lower()}"]
    if chart.excluded is not None:
        parts.append(f"{chart.excluded.patients} excluded: {', '.join(chart.excluded.lines)}")
        parts.append(f"{chart.included.patients} included")
    boxes = [chart.apart] if chart.apart is not None else []
    parts += [f"{box.heading} {box.patients}: {', '.join(box.lines)}" for box in (*boxes, *chart.groups)]
    return "Flow of patients. " + "; ".join(parts)
