"""Deployments: a study's verbs run at set times, or where somebody starts one, by Prefect."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast
from uuid import UUID

from flows.engine.workflow import Cron, EntrypointType, Flow, Runner, Schedule, State, StateType, flow, get_client
from flows.serve.artifacts import publish_artifacts
from flows.serve.failure_hook import call_failure_hook
from flows.serve.scheduled_run import Ending, RunOutcome, dated, log_file, run_on_schedule, write_line
from flows.serve.time_zone import named_time_zone
from flows.serve.verbs import BY_HAND, ServedVerb
from flows.serve.work import ServedStudy, work_of
from schemas.errors import UsageError

__all__ = [
    "ScheduledFlow",
    "carry_out_run",
    "fix_deployment",
    "scheduled_flows",
    "serve_until_stopped",
    "study_flow",
]

_CRON_FIELDS = 5
_PATIENCE_S = 10.0
"""With a run that is to end, before the next means is tried."""

# What Prefect shows of a run. Rows that fail are data: only a run that could not do its work has failed.
_STATES: dict[Ending, tuple[StateType, str]] = {
    "complete": (StateType.COMPLETED, "Completed"),
    "drift": (StateType.COMPLETED, "Completed with drift"),
    "unmet expectations": (StateType.COMPLETED, "Completed with unmet expectations"),
    "known failures": (StateType.COMPLETED, "Completed with known failures"),
    "new failures": (StateType.COMPLETED, "Completed with new failures"),
    "broken": (StateType.FAILED, "Broken"),
}


@dataclass(frozen=True)
class ScheduledFlow:
    """A flow without parameters and when it runs."""

    verb: ServedVerb
    served: ServedStudy
    flow: Flow[[], State[Any]]
    name: str
    """Of the deployment: the study's id."""
    description: str
    schedule: Schedule | None
    """None where it runs when somebody starts it."""

    @property
    def deployment(self) -> str:
        """What Prefect calls it."""
        return f"{self.flow.name}/{self.name}"


def study_flow(verb: ServedVerb, served: ServedStudy) -> Flow[[], State[Any]]:
    """Return the flow of a verb for a served study (`flows.serve.work.work_of` says what it does).

    A flow takes no parameter, and its state says how a run ended; a fault of the study is no exception.
    """

    @flow(name=f"{verb}-study", persist_result=False)
    def run() -> State[Any]:
        return carry_out_run(verb, served)

    return run


def carry_out_run(verb: ServedVerb, served: ServedStudy) -> State[Any]:
    """Do the work of a run, show and tell how it ended, and return its state; what cannot be told is a line.

    Called within the run's flow.

    Parameters
    ----------
    verb : str
        What is run.
    served : ServedStudy
        Of which study, in which store.
    """
    zone = named_time_zone(served.timezone)
    outcome = run_on_schedule(verb, served.study, served.store, zone, partial(work_of(verb), served))
    faults = [publish_artifacts(served.store, outcome)]
    if served.on_failure is not None:
        faults.append(call_failure_hook(served.on_failure, outcome))
    for fault in filter(None, faults):
        write_line(f"{dated(zone)} {verb} {outcome.study}: {fault}", log_file(served.store, verb, served.study))
    return _state(outcome)


def _state(outcome: RunOutcome) -> State[Any]:
    kind, name = _STATES[outcome.ending]
    return State(type=kind, name=name, message=outcome.message)


def scheduled_flows(served: ServedStudy, crons: Mapping[ServedVerb, str]) -> list[ScheduledFlow]:
    """Return the flows of a study's deployments.

    Parameters
    ----------
    served : ServedStudy
        The study.
    crons : mapping of str to str
        When each verb is to run, as five cron fields; ``by-hand`` where somebody will start it.

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
            if cron != BY_HAND and len(cron.split()) != _CRON_FIELDS:
                # Prefect would take a sixth for seconds: sixty runs within a minute.
                raise ValueError(f"not {_CRON_FIELDS} fields")
            schedule = None if cron == BY_HAND else Cron(cron, timezone=zone)
            each = ScheduledFlow(verb, here, study_flow(verb, here), here.study, description, schedule)
            # Prefect reads a cron text here and there.
            each.flow.to_deployment(each.name, schedule=each.schedule, entrypoint_type=EntrypointType.MODULE_PATH)
        except ValueError as error:
            raise UsageError(
                f"--{verb} '{cron}' is no cron text",
                hint=f'five fields, such as --{verb} "0 3 * * *", or --{verb} {BY_HAND}',
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
        fix_deployment(cast("UUID", deployment), {}, has_schedule=each.schedule is not None, work_pool_name=None)
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def fix_deployment(
    deployment: UUID, parameters: Mapping[str, Any], *, has_schedule: bool, **settings: str | int | None
) -> None:
    """Have the server itself refuse a run with other parameters; its schema of a flow without any allows all.

    What an earlier deployment of this name was given, a schedule or a work pool, does not stay.

    Parameters
    ----------
    deployment : UUID
        The deployment.
    parameters : mapping
        All that a run has.
    has_schedule : bool
        It was given one just now.
    **settings : str, int or None
        Of the deployment, as Prefect's API calls them.
    """
    schema = {
        "title": "Parameters",
        "type": "object",
        "properties": {name: {"title": name, "enum": [value]} for name, value in parameters.items()},
        "additionalProperties": False,
    }
    fixed = {"parameters": dict(parameters), "parameter_openapi_schema": schema, "enforce_parameter_schema": True}
    cleared: dict[str, list[Any]] = {} if has_schedule else {"schedules": []}
    with get_client(sync_client=True) as client:
        client.request(
            "PATCH", "/deployments/{id}", path_params={"id": deployment}, json={**fixed, **cleared, **settings}
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
