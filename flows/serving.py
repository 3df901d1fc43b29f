"""Schedules: a study refreshed and benched at set times by Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.bench import bench
from flows.ingest import ingest
from flows.refresh import refresh
from flows.workflow import EntrypointType, RunnerDeployment, flow, serve_deployments
from schemas.errors import UnfinishedError, UsageError
from store.home import Store

__all__ = ["bench_study", "deployments", "refresh_study", "served"]


@flow(name="refresh-study", persist_result=False)
def refresh_study(study_file: str, store: str) -> dict[str, int]:
    """Ingest a study file, compute what its study lacks, and return the counts.

    Raises
    ------
    UnfinishedError
        When rows failed: the run is marked as failed, and everything that could be computed is committed.
    """
    ingested = ingest(Path(study_file), Path(store))
    reports = refresh(Store(Path(store)), ingested.study)
    counts = {
        name: sum(getattr(report, name) for report in reports) for name in ("computed", "reused", "failed", "unchanged")
    }
    if counts["failed"]:
        raise UnfinishedError(
            f"{counts['failed']} rows failed",
            where=ingested.study,
            hint=f"radzoo --store {store} sql 'from failures' tells why",
        )
    return counts


@flow(name="bench-study", persist_result=False)
def bench_study(study_file: str, store: str) -> dict[str, Any]:
    """Refresh a study, judge its models, training what is missing, and return how many were judged."""
    ingested = ingest(Path(study_file), Path(store))
    refresh(Store(Path(store)), ingested.study)
    found = bench(Store(Path(store)), ingested.study)
    return {"models": len(found.trained), "commit": found.commit_id}


def deployments(
    study_file: Path, study: str, store: Path, *, refresh_cron: str | None, bench_cron: str | None
) -> list[RunnerDeployment]:
    """Return the Prefect deployments of a study's schedules.

    Entrypoints are module paths: a file path would put the folder ``flows`` itself on the import path and
    load its modules twice. One run at a time: the store has one writer.

    Raises
    ------
    UsageError
        When a cron text is not one.
    """
    parameters = {"study_file": str(study_file.resolve()), "store": str(store.resolve())}
    wanted = [(refresh_study, "refresh", refresh_cron), (bench_study, "bench", bench_cron)]
    found: list[RunnerDeployment] = []
    for scheduled, verb, cron in wanted:
        if cron is None:
            continue
        try:
            deployment = scheduled.to_deployment(
                name=study,
                cron=cron,
                parameters=parameters,
                concurrency_limit=1,
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


def served(scheduled: list[RunnerDeployment]) -> None:
    """Register deployments with the Prefect server of ``PREFECT_API_URL`` and run them until stopped."""
    serve_deployments(*scheduled, print_starting_message=False)
