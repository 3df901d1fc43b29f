"""The verb ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context
from flows.engine.progress import say
from flows.ingest.run import read_study
from flows.monitor.groups import refuse_unknown_grouping
from flows.serve.failure_hook import checked_failure_hook
from flows.serve.local_server import prefect_api, running
from flows.serve.scheduled_run import dated, log_file
from flows.serve.time_zone import named_time_zone
from schemas.errors import UsageError

__all__ = ["serve"]


def serve(
    study_file: Path,
    *,
    refresh: str | None = None,
    bench: str | None = None,
    monitor: str | None = None,
    monitor_by: str | None = None,
    compact: str | None = None,
    report: Path | None = None,
    on_failure: str | None = None,
    timezone: str | None = None,
    port: int = 4200,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Register a study's schedules with Prefect and run them until stopped (Ctrl-C).

    At the hours given, the study file is ingested again, then refreshed, or refreshed and judged. Each run writes one
    dated line; the rest of it lies in the store's logs. A run that fails does not end the verb. With PREFECT_API_URL
    set, that server is used; else one is started on this machine.

    Parameters
    ----------
    study_file
        The study's TOML file; it is ingested again at every run.
    refresh
        When to ingest and refresh, as five cron fields.
    bench
        When to refresh, train what is missing and bench, as five cron fields.
    monitor
        When to ask what drifts, as five cron fields.
    monitor_by
        Which groups are compared for that, as radzoo monitor --by names them; cohorts where not given.
    compact
        When to bring the store's files in order, as five cron fields.
    report
        The file of a report that each bench writes again.
    on_failure
        What is called where a run is broken, has failures that are new or found drift: a command, which gets the run's
        line on its standard input and RADZOO_STUDY, RADZOO_VERB and RADZOO_ENDING, or an address that begins with
        https:// or http://, which gets the same as JSON.
    timezone
        The time zone of the cron fields and of the lines, such as Europe/Berlin; this machine's own where not given.
    port
        Where a Prefect server started here listens, on this machine only.

    Examples
    --------
    radzoo serve my-study/study.toml --refresh "0 3 * * *"
    radzoo serve my-study/study.toml --bench "0 4 * * 1" --timezone Europe/Berlin
    radzoo serve my-study/study.toml --refresh "0 3 * * *" --on-failure "mail -s radzoo admin@example.org"
    """
    asked = (("refresh", refresh), ("bench", bench), ("monitor", monitor), ("compact", compact))
    crons = {verb: cron for verb, cron in asked if cron is not None}
    if not crons:
        raise UsageError("nothing to schedule", hint='radzoo serve STUDY.toml --refresh "0 3 * * *"')
    if report is not None and bench is None:
        raise UsageError("--report is written by each bench", hint='--bench "0 4 * * 1"')
    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError("--report names a folder that is not there", where=str(report), hint=f"mkdir {report.parent}")
    if monitor_by is not None and monitor is None:
        raise UsageError("--monitor-by says how --monitor compares", hint='--monitor "0 5 * * 1"')
    hook = None if on_failure is None else checked_failure_hook(on_failure)
    zone = named_time_zone(timezone)
    study, _ = read_study(study_file)
    if monitor_by is not None:
        refuse_unknown_grouping(study, monitor_by)
    with prefect_api(port) as api:
        # Imported here: Prefect reads its settings when it is loaded.
        from flows.serve.schedules import ServedStudy, scheduled_flows, serve_until_stopped

        served = ServedStudy(study_file, study.id, context.store, zone.key, hook, report, monitor_by or "cohort")
        scheduled = scheduled_flows(served, crons)
        with running(api):
            for verb, cron in crons.items():
                say(
                    f"{dated(zone)} {verb} {study.id}: scheduled at '{cron}' in {zone.key}, Prefect {api.url}, "
                    f"log {log_file(context.store.resolve(), verb, study.id)}"
                )
            serve_until_stopped(scheduled)
    say(f"{dated(zone)} stopped")
    return CommandResult("", {"schedules": [each.deployment for each in scheduled]})
