"""Schedules: a study refreshed and benched at set times by Prefect."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from flows.bench.run import bench
from flows.collect.run import collect
from flows.engine.progress import say
from flows.engine.workflow import Cron, EntrypointType, Flow, Runner, Schedule, State, StateType, flow, get_client
from flows.ingest.run import ingest, read_study
from flows.keep.compact import compact
from flows.monitor.rules import DriftRules
from flows.monitor.run import monitor
from flows.monitor.words import comparison_text, comparison_title, verdict
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh
from flows.report.page import write_report
from flows.serve.artifacts import publish_artifacts
from flows.serve.failure_hook import call_failure_hook
from flows.serve.scheduled_run import Ending, RunOutcome, WorkDone, dated, log_file, run_on_schedule, write_line
from flows.serve.time_zone import named_time_zone
from schemas.errors import UsageError
from schemas.foreign_text import one_line
from store.home import Store

__all__ = [
    "ScheduledFlow",
    "ServedStudy",
    "scheduled_flows",
    "serve_until_stopped",
    "study_flow",
]

_PATIENCE_S = 10.0
"""With a run that is to end, before the next means is tried."""

# What Prefect shows of a run. Rows that fail are data: only a run that could not do its work has failed.
_STATES: dict[Ending, tuple[StateType, str]] = {
    "complete": (StateType.COMPLETED, "Completed"),
    "drift": (StateType.COMPLETED, "Completed with drift"),
    "known failures": (StateType.COMPLETED, "Completed with known failures"),
    "new failures": (StateType.COMPLETED, "Completed with new failures"),
    "broken": (StateType.FAILED, "Broken"),
}


@dataclass(frozen=True)
class ServedStudy:
    """What a schedule is of. A flow has it from here: whoever starts a run cannot name another."""

    file: Path
    """The study's file, which every run ingests again."""
    study: str
    """The study's id."""
    store: Path
    """The store's folder."""
    timezone: str | None = None
    """The IANA name of the time zone of cron texts and lines; this machine's own where absent."""
    on_failure: str | None = None
    """What is called where a run is broken, has new failures or found drift: a command, or an address."""
    report: Path | None = None
    """The file of the report that a bench writes."""
    monitor_by: str = "cohort"
    """Which groups are compared for drift."""


@dataclass(frozen=True)
class ScheduledFlow:
    """A flow without parameters and when it runs."""

    flow: Flow[[], State[Any]]
    name: str
    """Of the deployment: the study's id."""
    description: str
    schedule: Schedule

    @property
    def deployment(self) -> str:
        """What Prefect calls it."""
        return f"{self.flow.name}/{self.name}"


def study_flow(verb: str, served: ServedStudy) -> Flow[[], State[Any]]:
    """Return the flow of a verb: ``refresh``, ``bench``, ``monitor`` or ``compact``.

    Refresh ingests the study file and computes what its study lacks; bench does that, trains what is missing, judges
    the models and writes the report where one is asked for; monitor asks what drifts; compact brings the store's files
    in order. A flow takes no parameter, and its state says how a run ended; a fault of the study is no exception.
    """

    @flow(name=f"{verb}-study", persist_result=False)
    def run() -> State[Any]:
        return _carry_out(verb, served)

    return run


def _carry_out(verb: str, served: ServedStudy) -> State[Any]:
    """Do the work of a run, show and tell how it ended, and return its state; what cannot be told is a line."""
    zone = named_time_zone(served.timezone)
    outcome = run_on_schedule(verb, served.study, served.store, zone, partial(_WORK[verb], served))
    faults = [publish_artifacts(served.store, outcome)]
    if served.on_failure is not None:
        faults.append(call_failure_hook(served.on_failure, outcome))
    for fault in filter(None, faults):
        write_line(f"{dated(zone)} {verb} {outcome.study}: {fault}", log_file(served.store, verb, served.study))
    return _state(outcome)


def _refreshed(served: ServedStudy) -> WorkDone:
    collected = _collected(served)
    ingested = ingest(served.file, served.store)
    done = _work_done(ingested.study, ingested.commit_id, refresh(Store(served.store), ingested.study))
    return replace(done, counts={**collected, **done.counts})


def _collected(served: ServedStudy) -> dict[str, int]:
    """Take what is complete in the study's drop folder, where it has one; return how many were taken or refused."""
    study, _ = read_study(served.file)
    if study.drop is None:
        return {}
    found = collect(study, served.file)
    for each in found.collected:
        if each.ending != "waiting":
            say(f"{each.ending}: {each.name}: {each.reason}")
    counts = {ending: found.count(ending) for ending in ("taken", "quarantined", "failed")}
    counts["quarantined"] += counts.pop("failed")
    return {ending: count for ending, count in counts.items() if count}


def _benched(served: ServedStudy) -> WorkDone:
    refreshed = _refreshed(served)
    found = bench(Store(served.store), refreshed.study)
    if served.report is not None:
        write_report(Store(served.store), refreshed.study, served.report)
    counts = {"models": len(found.trained), "trained": sum(each.trained for each in found.trained)}
    return WorkDone(
        refreshed.study,
        refreshed.feature_sets,
        counts | dict(refreshed.counts),
        found.commit_id if found.commit_id is not None else refreshed.commit_id,
    )


def _monitored(served: ServedStudy) -> WorkDone:
    found = monitor(Store(served.store), served.study, by=served.monitor_by, rules=DriftRules())
    rows = [
        {
            "compared": comparison_title(each),
            "found": comparison_text(each, found),
            "drifts": one_line(", ".join(each.findings)),
        }
        for each in found.compared
    ]
    counts = {"findings": len(found.findings), "tests": found.tests}
    return WorkDone(found.study, None, counts, tables={"drift": rows}, found=verdict(found) if found.findings else "")


def _compacted(served: ServedStudy) -> WorkDone:
    found = compact(Store(served.store))
    counts = {"merged": sum(each.files_before - each.files_after for each in found.feature_sets)}
    return WorkDone(served.study, None, counts | {"removed": len(found.removed)})


_WORK: dict[str, Callable[[ServedStudy], WorkDone]] = {
    "refresh": _refreshed,
    "bench": _benched,
    "monitor": _monitored,
    "compact": _compacted,
}


def _work_done(study: str, ingest_commit: int | None, reports: list[FeatureSetReport]) -> WorkDone:
    commits = [each for each in (ingest_commit, *(report.commit_id for report in reports)) if each is not None]
    return WorkDone(
        study,
        tuple(report.feature_set for report in reports),
        {
            "computed": sum(report.computed for report in reports),
            "reused": sum(report.reused for report in reports),
            "unchanged": sum(report.unchanged for report in reports),
        },
        max(commits, default=None),
    )


def _state(outcome: RunOutcome) -> State[Any]:
    kind, name = _STATES[outcome.ending]
    return State(type=kind, name=name, message=outcome.message)


def scheduled_flows(served: ServedStudy, crons: Mapping[str, str]) -> list[ScheduledFlow]:
    """Return the flows of a study's schedules.

    Parameters
    ----------
    served : ServedStudy
        The study.
    crons : mapping of str to str
        When each verb is to run, as five cron fields.

    Raises
    ------
    UsageError
        When a cron text or the time zone is not one.
    """
    zone = named_time_zone(served.timezone).key
    report = None if served.report is None else served.report.resolve()
    here = replace(served, file=served.file.resolve(), store=served.store.resolve(), timezone=zone, report=report)
    found: list[ScheduledFlow] = []
    for verb, cron in crons.items():
        description = f"radzoo {verb} of {here.study}, into {here.store}"
        try:
            each = ScheduledFlow(study_flow(verb, here), here.study, description, Cron(cron, timezone=zone))
            # Prefect reads a cron text here and there.
            each.flow.to_deployment(each.name, schedule=each.schedule, entrypoint_type=EntrypointType.MODULE_PATH)
        except ValueError as error:
            raise UsageError(
                f"--{verb} '{cron}' is no cron text", hint=f'five fields, such as --{verb} "0 3 * * *"'
            ) from error
        found.append(each)
    return found


def serve_until_stopped(scheduled: list[ScheduledFlow]) -> None:
    """Register flows with the Prefect server of ``PREFECT_API_URL`` and run them until Ctrl-C or SIGTERM.

    What a run does is the flow that this process holds. The server only says when: an entrypoint, steps or parameters
    that somebody gives a deployment there are not looked at, or end the run before it begins.

    One run at a time: the store has one writer. The limit is the process's own, since one of the server's stays taken
    for ever where a process is killed, and then no run would start again.
    """
    # A shell starts what runs in the background with Ctrl-C ignored, and then SIGTERM could not take its way.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runner = _StoppableRunner(limit=1)
    for each in scheduled:
        deployment = runner.add_flow(
            each.flow,
            name=each.name,
            schedule=each.schedule,
            description=each.description,
            # A file's path would put the folder `flows` itself on the import path.
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        _refuse_parameters(cast("UUID", deployment))
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def _refuse_parameters(deployment: UUID) -> None:
    """Have the server itself refuse a run with parameters; its schema of a flow without any allows all."""
    schema = {"title": "Parameters", "type": "object", "properties": {}, "additionalProperties": False}
    with get_client(sync_client=True) as client:
        client.request(
            "PATCH",
            "/deployments/{id}",
            path_params={"id": deployment},
            json={"parameters": {}, "parameter_openapi_schema": schema, "enforce_parameter_schema": True},
        )


class _StoppableRunner(Runner):
    def handle_sigterm(self, *_: Any, **__: Any) -> None:
        """End as after Ctrl-C: Prefect's own answer to SIGTERM leaves a call behind that nobody awaits."""
        # A terminal's Ctrl-C reaches runs too.
        _interrupt_runs()
        os.kill(os.getpid(), signal.SIGINT)

    async def __aexit__(self, *exc_info: Any) -> None:
        """End runs at work, which Prefect would wait for: first as Ctrl-C does, at last by force."""
        for end_runs in (_interrupt_runs, _kill_runs):
            patience = asyncio.get_running_loop().time() + _PATIENCE_S
            while multiprocessing.active_children() and asyncio.get_running_loop().time() < patience:
                await asyncio.sleep(0.1)
            end_runs()
        await super().__aexit__(*exc_info)


def _interrupt_runs() -> None:
    for run in multiprocessing.active_children():
        if run.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(run.pid, signal.SIGINT)


def _kill_runs() -> None:
    for run in multiprocessing.active_children():
        run.kill()
