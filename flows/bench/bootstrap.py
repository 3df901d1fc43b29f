"""The bootstrap suite: the figures of a study's models on their training patients, less their optimism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.bench.cross_validate import discard_fits, is_current, put_datasets, run_fits
from flows.engine.runners.address import LOCAL, Runner
from flows.lineage.runs import record_run
from schemas.keys import sha256_of_json
from schemas.results import OptimismRow
from schemas.study.file import Study
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.basis import basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.benchmark.optimism import Resampled, plan_resampling, resampled_model
from zoo.models.training import RANDOM_STATE
from zoo.tables.fits import UnfitError

__all__ = ["FAR_ABOVE", "BootstrapReport", "run_bootstrap"]

FAR_ABOVE = 0.1
"""A corrected AUC that is further above that of patients who were not drawn is not to be believed (docs/adr/0061)."""


@dataclass(frozen=True)
class BootstrapReport:
    """What the bootstrap suite found."""

    optimism: tuple[OptimismRow, ...]
    """As the view ``optimism`` has it."""
    commit_id: int | None
    failures: Mapping[str, str]
    """By model of which nothing can be told, the reason."""
    notes: tuple[str, ...]


def run_bootstrap(
    store: Store,
    study: Study,
    versions: Mapping[str, int],
    *,
    resamples: int,
    workers: int | None = None,
    runner: Runner = LOCAL,
) -> BootstrapReport:
    """Run the bootstrap suite and return the optimism of each model; where nothing changed, what is on record.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study.
    versions : mapping of str to int
        The models, in the zoo's order, each with the version that the same recipe has when it is trained.
    resamples : int
        How often the training patients are drawn.
    workers : int, optional
        Worker processes.
    runner : Runner
        Where models are fitted to folds.
    """
    basis = basis_of(store)
    snapshot = Snapshot(store)
    resampling = plan_resampling(snapshot, study, list(versions), resamples=resamples)
    planned = resampling.planned
    scope = {"study": study.id, "suite": "bootstrap"}
    decided_by = sha256_of_json([planned.sha256, dict(versions)])
    if is_current(snapshot, study, decided_by, suite="bootstrap"):
        return _report(store, study, versions, None, {})
    parameters = scope | {"resamples": resamples, "seed": RANDOM_STATE, "decided_by": decided_by}
    with record_run(store, "bench", study.id, parameters) as run:
        results = run_fits(store, study, f"resampling {study.id}", planned, workers, runner)
        judged: list[Resampled] = []
        errors: dict[str, str] = {}
        for model, version in versions.items():
            try:
                judged.append(resampled_model(study.id, model, version, resampling, results))
            except UnfitError as error:
                errors[model] = error.message
        with commit_to(store, f"bench {study.id}: bootstrap suite", basis=basis, run_id=run.run_id) as commit:
            put_datasets(commit, snapshot, planned)
            commit.put("leaderboard", [row for each in judged for row in each.rows], replacing=scope)
        discard_fits(store, study, planned)
        run.summary |= {"models": len(judged), "fits": len(planned.tasks), "changed": commit.landed_id is not None}
        run.summary["runner"] = str(runner)
        if unfit := {each.model: _unfit_words(each) for each in judged if each.unfit}:
            run.summary["unfit"] = unfit
    return _report(store, study, versions, commit.landed_id, errors)


def _is_flattered(row: OptimismRow) -> bool:
    """Return whether a corrected AUC is further above that of who was not drawn than fewer patients explain."""
    return row.corrected is not None and row.left_out is not None and row.corrected - row.left_out > FAR_ABOVE


def _unfit_words(found: Resampled) -> str:
    """Return how many resamples a model could not be fitted to, and why it was not the first time."""
    number, reason = next(iter(found.unfit.items()))
    return f"{len(found.unfit)} resamples, the first of them number {number}: {reason}"


def _report(
    store: Store, study: Study, versions: Mapping[str, int], commit_id: int | None, errors: Mapping[str, str]
) -> BootstrapReport:
    """Return what the store has of the suite now: the view counts, and says what cannot be told."""
    order = list(versions)
    asked = answer(Snapshot(store), "from optimism where study = $study", {"study": study.id}).to_pylist()
    rows = sorted((OptimismRow.model_validate(row) for row in asked), key=lambda row: order.index(row.model))
    told = {row.model for row in rows}
    untold = "it cannot be fitted to its training patients"
    failures = {model: f"'{model}': {errors.get(model, untold)}" for model in versions if model not in told}
    notes = []
    for row in rows:
        if row.figure == "auc" and row.corrected is None:
            failures[row.model] = f"'{row.model}': its optimism cannot be told: {row.reason}"
        if row.figure == "auc" and _is_flattered(row):
            notes.append(
                f"'{row.model}' has a corrected AUC of {row.corrected:.3f}, and one of {row.left_out:.3f} on patients "
                "who were not drawn: it knows its patients by heart and the correction is too small; quote --suite "
                "nested-cv"
            )
        if row.figure == "auc" and row.unfit:
            notes.append(f"'{row.model}' could not be fitted to {row.unfit} of {row.resamples} resamples")
    return BootstrapReport(tuple(rows), commit_id, failures, tuple(notes))
