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
from flows.serve.verbs import BY_HAND, ServedVerb
from schemas.errors import UsageError

__all__ = ["serve"]


def serve(
    study_file: Path,
    *,
    ingest: str | None = None,
    refresh: str | None = None,
    train: str | None = None,
    bench: str | None = None,
    report: str | None = None,
    monitor: str | None = None,
    expect: str | None = None,
    compact: str | None = None,
    monitor_by: str | None = None,
    report_file: Path | None = None,
    on_failure: str | None = None,
    timezone: str | None = None,
    port: int = 4200,
    work_pool: str | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Register a study's schedules with Prefect and run them until stopped (Ctrl-C).

    Each verb named becomes a deployment: it runs at the hours of five cron fields, or with by-hand in their place when
    somebody starts it on Prefect's page. Each run writes one dated line; the rest of it lies in the store's logs. A run
    that fails does not end the verb. With PREFECT_API_URL set, that server is used; else one is started on this
    machine.

    Parameters
    ----------
    study_file
        The study's TOML file.
    ingest
        When to take what is complete in the drop folder and to ingest the study file.
    refresh
        When to ingest and refresh.
    train
        When to train what is missing, from the store as it is.
    bench
        When to ingest, refresh, train what is missing and judge the models.
    report
        When to write the report of the store as it is.
    monitor
        When to ask what drifts.
    expect
        When to say which expectations do not hold, as the last ingest or refresh found them.
    compact
        When to bring the store's files in order.
    monitor_by
        Which groups are compared for drift, as radzoo monitor --by names them; where not given what [monitor] of the
        study file asks, else cohorts.
    report_file
        The file of the report: each report writes it, and each bench too. Where not given report writes
        report/STUDY.html in the store's folder, and bench none.
    on_failure
        What is called where a run is broken, has failures that are new, found drift or an expectation that does not
        hold: a command, which gets the run's line on its standard input and RADZOO_STUDY, RADZOO_VERB and
        RADZOO_ENDING, or an address that begins with https:// or http://, which gets the same as JSON.
    timezone
        The time zone of the cron fields and of the lines, such as Europe/Berlin; this machine's own where not given.
    port
        Where a Prefect server started here listens, on this machine only.
    work_pool
        Register in this work pool of the server that PREFECT_API_URL names, and end: the pool's workers run what is
        due. They need this installation, and study file and store under the same paths.

    Examples
    --------
    radzoo serve my-study/study.toml --refresh "0 3 * * *" --train by-hand --report by-hand
    radzoo serve my-study/study.toml --bench "0 4 * * 1" --timezone Europe/Berlin
    radzoo serve my-study/study.toml --refresh "0 3 * * *" --on-failure "mail -s radzoo admin@example.org"
    radzoo serve my-study/study.toml --refresh "0 3 * * *" --work-pool imaging
    """
    asked: dict[ServedVerb, str | None] = {
        "ingest": ingest,
        "refresh": refresh,
        "train": train,
        "bench": bench,
        "report": report,
        "monitor": monitor,
        "expect": expect,
        "compact": compact,
    }
    crons = {verb: cron for verb, cron in asked.items() if cron is not None}
    if not crons:
        raise UsageError("nothing to serve", hint='radzoo serve STUDY.toml --refresh "0 3 * * *", or --refresh by-hand')
    _refuse_report(report, report_file, bench)
    if monitor_by is not None and monitor is None:
        raise UsageError("--monitor-by says how --monitor compares", hint='--monitor "0 5 * * 1"')
    if work_pool is not None and not work_pool.strip():
        raise UsageError("--work-pool names no pool", hint="--work-pool NAME, of those of prefect work-pool ls")
    hook = None if on_failure is None else checked_failure_hook(on_failure)
    zone = named_time_zone(timezone)
    study, _ = read_study(study_file)
    if monitor_by is not None:
        refuse_unknown_grouping(study, monitor_by)
    with prefect_api(port) as api:
        if work_pool is not None and api.port is not None:
            raise UsageError(
                "a work pool is of a Prefect server of your own", hint="PREFECT_API_URL=http://HOST:4200/api names it"
            )
        # Imported here: Prefect reads its settings when it is loaded.
        from flows.serve.schedules import scheduled_flows, serve_until_stopped
        from flows.serve.work import ServedStudy

        served = ServedStudy(study_file, study.id, context.store, zone.key, hook, report_file, monitor_by)
        scheduled = scheduled_flows(served, crons)
        names = [each.deployment for each in scheduled]
        with running(api):
            place = ""
            if work_pool is not None:
                from flows.serve.work_pool import register_in_pool

                place = f", work pool {work_pool}, queue {register_in_pool(scheduled, work_pool)}"
            for verb, cron in crons.items():
                when = "to be started by hand" if cron == BY_HAND else f"scheduled at '{cron}' in {zone.key}"
                say(
                    f"{dated(zone)} {verb} {study.id}: {when}, Prefect {api.url}{place}, "
                    f"log {log_file(context.store.resolve(), verb, study.id)}"
                )
            if work_pool is not None:
                return CommandResult(
                    f"registered {', '.join(names)}; next: prefect worker start --pool {work_pool}, where none runs",
                    {"schedules": names, "work_pool": work_pool},
                )
            serve_until_stopped(scheduled)
    say(f"{dated(zone)} stopped")
    return CommandResult("", {"schedules": names})


def _refuse_report(report: str | None, file: Path | None, bench: str | None) -> None:
    if report is not None and report.endswith(".html"):
        raise UsageError(
            "--report says when the report is written", hint=f"--report-file {report} says where; --report by-hand"
        )
    if file is None:
        return
    if report is None and bench is None:
        raise UsageError("--report-file is written by report and bench", hint='--report "0 6 * * *"')
    if not file.absolute().parent.is_dir():
        raise UsageError("--report-file names a folder that is not there", where=str(file), hint=f"mkdir {file.parent}")
