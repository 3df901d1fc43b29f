"""How long what is planned would take: from the runs that the store has on record, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flows.plans.plan import Estimate, PlannedSet, StaleModel
from store.history.snapshot import Snapshot

__all__ = ["estimates"]


class _Run(NamedTuple):
    """A run that ended as it should."""

    flow: str
    study: str | None
    parameters: Mapping[str, Any]
    summary: Mapping[str, Any]
    seconds: float


def estimates(
    snapshot: Snapshot | None,
    study: str,
    sets: Iterable[PlannedSet],
    models: Sequence[StaleModel],
    untrained: Sequence[str] = (),
) -> tuple[Estimate, ...]:
    """Return how long each step of a plan takes.

    An extraction takes as long as it did in all earlier refreshes of a set of this name, with as many workers as those
    had. A model takes its share of the newest training that it was in. A suite of the benchmark takes as long as its
    newest run that fitted or judged something.

    Parameters
    ----------
    snapshot : Snapshot or None
        The store with its runs; None where there is none yet.
    study : str
        The study's id.
    sets : iterable of PlannedSet
        The extractions that would be computed.
    models : sequence of StaleModel
        The models that would be fitted again.
    untrained : sequence of str
        The study's models that would be fitted for the first time.
    """
    runs = [] if snapshot is None else list(_runs(snapshot))
    found = [_of_extractions(runs, each) for each in sets if each.computed]
    of_study = [*(each.model for each in models if each.study == study), *untrained]
    if of_study:
        found.append(_of_training(runs, study, of_study))
        found += _of_suites(runs, study)
    return tuple(found)


def _runs(snapshot: Snapshot) -> Iterator[_Run]:
    """Yield the runs that are done, oldest first."""
    rows = sorted(snapshot.arrow("runs").to_pylist(), key=lambda row: row["started_at"])
    for row in rows:
        if row["status"] == "done" and row["ended_at"] is not None:
            began, ended = (datetime.fromisoformat(row[name]) for name in ("started_at", "ended_at"))
            parameters, summary = (json.loads(row[name] or "{}") for name in ("parameters", "summary"))
            yield _Run(row["flow"], row["study"], parameters, summary, (ended - began).total_seconds())


def _of_extractions(runs: Iterable[_Run], planned: PlannedSet) -> Estimate:
    name = planned.feature_set.partition("@")[0]
    measured = [
        run
        for run in runs
        if run.flow == "refresh"
        and run.summary.get("computed")
        and str(run.parameters.get("feature_set")).partition("@")[0] == name
    ]
    step = f"extracting {planned.feature_set}"
    if not (number := sum(run.summary["computed"] for run in measured)):
        return Estimate(step, None, f"no run has computed '{name}' here")
    seconds = sum(run.seconds for run in measured) / number * planned.computed
    return Estimate(step, seconds, f"{number} extractions of earlier runs")


def _of_training(runs: Sequence[_Run], study: str, models: Sequence[str]) -> Estimate:
    shares: dict[str, float] = {}
    for run in runs:
        named = run.parameters.get("models", []) if run.flow == "train" and run.study == study else []
        shares |= {model: run.seconds / len(named) for model in named}
    step = f"training {len(models)} model{'' if len(models) == 1 else 's'}"
    if lacking := [model for model in models if model not in shares]:
        return Estimate(step, None, f"no run of radzoo train has measured {', '.join(lacking)} here")
    return Estimate(step, sum(shares[model] for model in models), "the newest training of each")


def _of_suites(runs: Iterable[_Run], study: str) -> list[Estimate]:
    newest: dict[str, float] = {}
    for run in runs:
        suite = run.parameters.get("suite")
        # A control suite names what it controls; a run that found everything as it was measured nothing.
        is_suite = run.flow == "bench" and run.study == study and "control" not in run.parameters
        if is_suite and suite and (run.summary.get("changed") or run.summary.get("fits")):
            newest[suite] = run.seconds
    return [
        Estimate(f"bench --suite {suite}", seconds, "its newest run, all models")
        for suite, seconds in sorted(newest.items())
    ]
