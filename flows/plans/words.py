"""Plans in words, for the answers of verbs."""

from __future__ import annotations

from collections.abc import Mapping

from flows.plans.plan import Plan
from store.commits.commit import Changes

__all__ = ["change_lines", "duration", "plan_lines"]


def change_lines(changes: Mapping[str, Changes]) -> list[str]:
    """Return a line for each table of the catalogue that an ingest would change."""
    return [
        f"{table}: {_counted(each.added, 'row')} to be added, {each.changed} superseded, {each.removed} removed"
        for table, each in changes.items()
    ]


def plan_lines(plan: Plan, *, with_sets: bool = True) -> list[str]:
    """Return what would follow, a line each.

    Parameters
    ----------
    plan : Plan
        The plan.
    with_sets : bool
        Say the extractions too; a refresh has lines of its own for them.
    """
    lines: list[str] = []
    if with_sets:
        lines += [
            f"{plan.study} {each.feature_set}: {each.computed} extractions to be computed, {each.reused} to be reused"
            for each in plan.sets
            if each.computed or each.reused
        ]
    for each in plan.models:
        since = "stale already" if each.is_stale_already else "becomes stale"
        lines.append(f"{since}: model {each.study}/{each.model}@{each.version} ({', '.join(each.because)})")
    if plan.untrained:
        lines.append(f"never trained: {', '.join(plan.untrained)}")
    lines += [f"stale: dataset {each.dataset_id}, of {', '.join(each.models)}" for each in plan.datasets]
    lines += [f"stale: report {each.file}, made from commit {each.commit_id}" for each in plan.reports]
    if plan.untold:
        lines.append(
            f"not known whether stale: {', '.join(plan.untold)}, trained by an earlier release; radzoo train looks"
        )
    fits = _counted(len(plan.models) + len(plan.untrained), "model")
    lines.append(
        f"to be computed: {_counted(plan.extractions, 'extraction')}, {'up to ' if plan.models else ''}{fits} to fit, "
        f"{_counted(len(plan.reports), 'report')}"
    )
    for step in plan.estimates:
        if step.seconds is None:
            lines.append(f"time of {step.step}: not known, {step.measured}")
        else:
            lines.append(f"time of {step.step}: about {duration(step.seconds)} ({step.measured})")
    if plan.seconds is not None and len(plan.estimates) > 1:
        lines.append(f"time of all: about {duration(plan.seconds)}")
    return [*lines, *(f"note: {note}" for note in plan.notes)]


def duration(seconds: float) -> str:
    """Return a duration in minutes, below one minute in seconds."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
