"""Schedules: a study refreshed and benched at set times by Prefect."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from flows.bench import bench
from flows.ingest import ingest
from flows.refresh import FeatureSetReport, refresh
from flows.scheduled_run import Ending, RunOutcome, WorkDone, run_on_schedule
from flows.time_zone import named_time_zone
from flows.workflow import Cron, EntrypointType, Runner, RunnerDeployment, State, StateType, flow
from schemas.errors import UsageError
from store.home import Store

__all__ = ["bench_study", "deployments", "refresh_study", "serve_until_stopped"]

# What Prefect shows of a run. Rows that fail are data: only a run that could not do its work has failed.
_STATES: dict[Ending, tuple[StateType, str]] = {
    "complete": (StateType.COMPLETED, "Completed"),
    "known failures": (StateType.COMPLETED, "Completed with known failures"),
    "new failures": (StateType.COMPLETED, "Completed with new failures"),
    "broken": (StateType.FAILED, "Broken"),
}


@flow(name="refresh-study", persist_result=False)
def refresh_study(study_file: str, store: str, study: str, timezone: str | None = None) -> State[Any]:
    """Ingest a study file, compute what its study lacks, and return how that ended; a fault of it is no exception."""
    work = partial(_refreshed, Path(study_file), Path(store))
    return _state(run_on_schedule("refresh", study, Path(store), named_time_zone(timezone), work))


@flow(name="bench-study", persist_result=False)
def bench_study(study_file: str, store: str, study: str, timezone: str | None = None) -> State[Any]:
    """Refresh a study, judge its models, training what is missing, and return how that ended."""
    work = partial(_benched, Path(study_file), Path(store))
    return _state(run_on_schedule("bench", study, Path(store), named_time_zone(timezone), work))


def _refreshed(study_file: Path, store: Path) -> WorkDone:
    ingested = ingest(study_file, store)
    return _work_done(ingested.study, ingested.commit_id, refresh(Store(store), ingested.study))


def _benched(study_file: Path, store: Path) -> WorkDone:
    refreshed = _refreshed(study_file, store)
    found = bench(Store(store), refreshed.study)
    counts = {"models": len(found.trained), "trained": sum(each.trained for each in found.trained)}
    return WorkDone(
        refreshed.study,
        refreshed.feature_sets,
        counts | dict(refreshed.counts),
        found.commit_id if found.commit_id is not None else refreshed.commit_id,
    )


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


def deployments(
    study_file: Path,
    study: str,
    store: Path,
    *,
    refresh_cron: str | None,
    bench_cron: str | None,
    timezone: str | None = None,
) -> list[RunnerDeployment]:
    """Return the Prefect deployments of a study's schedules.

    Entrypoints are module paths: a file path would put the folder ``flows`` itself on the import path and
    load its modules twice.

    Parameters
    ----------
    study_file : Path
        The study's file, which every run ingests again.
    study : str
        The study's id.
    store : Path
        The store's folder.
    refresh_cron, bench_cron : str or None
        When to run, as five cron fields.
    timezone : str, optional
        The IANA name of the time zone that these are read in; this machine's own where absent.

    Raises
    ------
    UsageError
        When a cron text or the time zone is not one.
    """
    zone = named_time_zone(timezone).key
    parameters = {
        "study_file": str(study_file.resolve()),
        "store": str(store.resolve()),
        "study": study,
        "timezone": zone,
    }
    wanted = [(refresh_study, "refresh", refresh_cron), (bench_study, "bench", bench_cron)]
    found: list[RunnerDeployment] = []
    for scheduled, verb, cron in wanted:
        if cron is None:
            continue
        try:
            deployment = scheduled.to_deployment(
                name=study,
                schedule=Cron(cron, timezone=zone),
                parameters=parameters,
                description=f"radzoo {verb} of {study}, into {store.resolve()}",
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
        except ValueError as error:
            raise UsageError(
                f"--{verb} '{cron}' is no cron text", hint=f'five fields, such as --{verb} "0 3 * * *"'
            ) from error
        if isinstance(deployment, RunnerDeployment):
            found.append(deployment)
    return found


def serve_until_stopped(scheduled: list[RunnerDeployment]) -> None:
    """Register deployments with the Prefect server of ``PREFECT_API_URL`` and run them until Ctrl-C or SIGTERM.

    One run at a time: the store has one writer. The limit is the process's own, since one of the server's stays taken
    for ever where a process is killed, and then no run would start again.
    """
    # A shell starts what runs in the background with Ctrl-C ignored, and then SIGTERM could not take its way.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runner = _StoppableRunner(limit=1)
    for each in scheduled:
        runner.add_deployment(each)
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


class _StoppableRunner(Runner):
    def handle_sigterm(self, *_: Any, **__: Any) -> None:
        """End as after Ctrl-C: Prefect's own answer to SIGTERM leaves a call behind that nobody awaits."""
        os.kill(os.getpid(), signal.SIGINT)
