"""The verb ``serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import Context, Outcome
from flows.ingest import read_study
from flows.local_server import prefect_api, running
from flows.progress import said
from schemas.errors import UsageError

__all__ = ["serve"]


def serve(
    study_file: Path,
    *,
    refresh: str | None = None,
    bench: str | None = None,
    port: int = 4200,
    context: Annotated[Context, Parameter(parse=False)],
) -> Outcome:
    """Register a study's schedules with Prefect and run them until stopped (Ctrl-C).

    With PREFECT_API_URL set, that server is used; else one is started on this machine.

    Parameters
    ----------
    study_file
        The study's TOML file; it is ingested again at every run.
    refresh
        When to ingest and refresh, as five cron fields.
    bench
        When to refresh, train what is missing and bench, as five cron fields.
    port
        Where a Prefect server started here listens, on this machine only.
    """
    if refresh is None and bench is None:
        raise UsageError("nothing to schedule", hint='radzoo serve STUDY.toml --refresh "0 3 * * *"')
    study, _ = read_study(study_file)
    with prefect_api(port) as api:
        # Imported here: Prefect reads its settings when it is loaded.
        from flows.serving import deployments, served

        scheduled = deployments(study_file, study.id, context.store, refresh_cron=refresh, bench_cron=bench)
        with running(api):
            for each in scheduled:
                said(f"scheduled {each.flow_name}/{each.name} at {api.url}")
            served(scheduled)
    return Outcome("stopped", {"schedules": [f"{each.flow_name}/{each.name}" for each in scheduled]})
