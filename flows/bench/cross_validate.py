"""A cross-validation carried out: what is staged is taken over, what is missing is computed by a Prefect flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flows.engine.progress import progress_bar, say
from flows.engine.runners.address import LOCAL, Runner
from flows.engine.runners.cluster import pieces_at_once
from flows.engine.runners.opened import opened_cluster
from schemas.documents.fit_result import FitResults
from schemas.study.file import Study
from store.commits.commit import Commit
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.staged_units import discard_units, staged_keys, staged_unit, units_folder
from zoo.benchmark.cross_validation import CrossValidation

__all__ = ["discard_fits", "is_current", "put_datasets", "run_fits"]


def run_fits(
    store: Store, study: Study, what: str, planned: CrossValidation, workers: int | None, runner: Runner = LOCAL
) -> FitResults:
    """Carry out every fit of a cross-validation and return the results by the fits' keys.

    Finished fits lie staged on disk until `discard_fits`: a killed run resumes from there.
    """
    staging = _staging(store, study)
    there = staged_keys(staging)
    missing = [task for task in planned.tasks if task.key not in there]
    if taken := len(planned.tasks) - len(missing):
        say(f"{what}: {taken} fits of an interrupted run are taken over")
    if missing:
        # Imported here: with nothing to compute, Prefect is not even loaded.
        from flows.bench.flow import fit_folds

        networks = any(recipe.model in planned.networks for task in missing for recipe in task.recipes)
        with opened_cluster(runner) as cluster, progress_bar(what, len(missing), "fits") as advance:
            workers = pieces_at_once(cluster, workers)
            fit_folds(what, missing, staging, workers=workers, networks=networks, advance=advance, cluster=cluster)
    return {task.key: staged_unit(staging, task.key) for task in planned.tasks}


def discard_fits(store: Store, study: Study, planned: CrossValidation) -> None:
    """Remove the staged results that a commit has taken over."""
    discard_units(_staging(store, study), [task.key for task in planned.tasks])


def is_current(snapshot: Snapshot, study: Study, decided_by: str, **scope: str) -> bool:
    """Return whether the newest finished benchmark of a scope was decided by just this.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    decided_by : str
        Hash of everything that decides the results.
    **scope : str
        What the benchmark was: ``suite``, and ``control`` where it was one.
    """
    newest: dict[str, Any] = {}
    for row in sorted(snapshot.arrow("runs").to_pylist(), key=lambda row: row["ended_at"] or ""):
        if (row["flow"], row["study"], row["status"]) == ("bench", study.id, "done"):
            parameters = json.loads(row["parameters"])
            if (parameters.get("suite"), parameters.get("control")) == (scope["suite"], scope.get("control")):
                newest = parameters
    return newest.get("decided_by") == decided_by


def put_datasets(commit: Commit, snapshot: Snapshot, planned: CrossValidation) -> None:
    """Put the pinned tables on record that are not there yet."""
    known = {row["dataset_id"] for row in snapshot.rows("datasets")}
    commit.put("datasets", [vars(each) for each in planned.datasets if each.dataset_id not in known])


def _staging(store: Store, study: Study) -> Path:
    return units_folder(store.staging, study.id)
