"""Bench: every model of a study judged alike, into leaderboard, comparisons, predictions."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.bench.attention import example_rows
from flows.bench.bootstrap import run_bootstrap
from flows.bench.controls import control_rows
from flows.bench.nested_cv import fold_notes, run_nested_cv
from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_changed
from flows.engine.runners.address import LOCAL, Runner
from flows.lineage.runs import record_run
from flows.train.run import TrainReport, study_models, train
from schemas.errors import NotFoundError, UsageError
from schemas.results import FOLDS, REPEATS, RESAMPLES, ControlRow, LeaderboardRow, OptimismRow, Suite
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.basis import Basis, basis_of
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.times import utc_now
from zoo.benchmark.characteristics import characteristic_rows
from zoo.benchmark.holdout import comparison_rows, judged_model
from zoo.benchmark.openings import new_openings, times_opened
from zoo.benchmark.optimism import not_resampled
from zoo.benchmark.subgroups import subgroup_comparisons, subgroup_levels, subgroup_rows
from zoo.models.explained import validation_importances
from zoo.registry import study_spec
from zoo.tables.inputs import model_inputs
from zoo.tables.persons import one_person_in_both, study_people

__all__ = ["FOLDS", "REPEATS", "BenchReport", "bench"]


@dataclass(frozen=True)
class BenchReport:
    """What a benchmark found."""

    study: str
    suite: str
    trained: tuple[TrainReport, ...]
    leaderboard: tuple[LeaderboardRow, ...]
    commit_id: int | None
    """The commit it made; None where every figure was there already."""
    times_opened: dict[str, int]
    """By split, how many model versions have been judged on its held-out cohort so far."""
    controls: tuple[ControlRow, ...] = ()
    """The negative controls, where they were asked for."""
    failures: dict[str, str] = field(default_factory=dict)
    """By model that could not be trained or judged, the reason; the others' figures stand."""
    optimism: tuple[OptimismRow, ...] = ()
    """Of the bootstrap suite, which has no leaderboard."""
    notes: tuple[str, ...] = ()
    """What was done otherwise than usual, or should be known when the figures are read."""


def bench(
    store: Store,
    study: str | None = None,
    *,
    models: Sequence[str] = (),
    suite: Suite = "holdout",
    repeats: int = REPEATS,
    folds: int | None = None,
    controls: bool = False,
    control_repeats: int = 1,
    resamples: int = RESAMPLES,
    workers: int | None = None,
    runner: Runner = LOCAL,
) -> BenchReport:
    """Judge a study's models and return the leaderboard.

    Models that are missing or out of date are trained first. The holdout suite judges the trained models on the
    two cohorts of their split and computes its figures again each time; the nested-cv suite judges the same recipes by
    repeated nested cross-validation over all labelled patients, and only where something changed. The bootstrap suite
    judges the same recipes on the training patients and takes off the optimism that resamples of them show, also only
    where something changed; networks are left out of it, before they are trained. Where no figure differs, no commit
    is made.

    Parameters
    ----------
    store : Store
        The store.
    study : str, optional
        The study's id; may be left out where the store has one study.
    models : sequence of str
        Names of the zoo; all models of the study file where empty. The leaderboard of a suite holds the models that
        were judged together, so others leave it.
    suite : {"holdout", "nested-cv", "bootstrap"}
        How models are judged.
    repeats : int
        Of the nested-cv suite.
    folds : int, optional
        Of the nested-cv suite and its controls; 5 where absent, or as many as the rarer label has patients.
    controls : bool
        Also run the negative controls of the suite.
    control_repeats : int
        Repeats of the nested-cv suite's controls.
    resamples : int
        Of the bootstrap suite.
    workers : int, optional
        Worker processes; as many as the machine has cores where absent. Of a cluster, how many fits it is given at
        once; two for each place of its workers where absent.
    runner : Runner
        Where the nested-cv and bootstrap suites and the controls fit models. Models are trained on this machine.

    Raises
    ------
    NotFoundError
        When the study names no such model, or a cluster does not answer.
    UsageError
        When the bootstrap suite is asked for negative controls, or only for models that it leaves out.
    """
    if suite == "bootstrap" and controls:
        raise UsageError(
            "the bootstrap suite has no negative controls",
            hint="radzoo bench --suite nested-cv --controls has those of models that are fitted again and again",
        )

    def work(_: Basis) -> BenchReport:
        return _bench(
            store, study, models, suite, repeats, folds, controls, control_repeats, resamples, workers, runner
        )

    return carry_out(store, work)


def _bench(
    store: Store,
    study: str | None,
    models: Sequence[str],
    suite: Suite,
    repeats: int,
    folds: int | None,
    controls: bool,
    control_repeats: int,
    resamples: int,
    workers: int | None,
    runner: Runner,
) -> BenchReport:
    asked = stored_study(Snapshot(store), study)
    chosen = [name for name in study_models(asked) if not models or name in models]
    if unknown := sorted(set(models) - set(chosen)):
        raise NotFoundError(
            f"study '{asked.id}' names no model '{unknown[0]}'", hint=f"its models: {', '.join(study_models(asked))}"
        )
    notes: list[str] = []
    if suite == "bootstrap":
        chosen, left_out = _resampled(store, asked, chosen)
        notes += left_out
    trained = train(store, asked.id, chosen)
    failures = {report.model: report.failure for report in trained if report.failure is not None}
    versions = {report.model: report.version for report in trained if report.version is not None}
    versions = {model: version for model, version in versions.items() if model not in failures}
    leaderboard: list[LeaderboardRow] = []
    commit_id: int | None = None
    optimism: tuple[OptimismRow, ...] = ()
    if suite == "holdout":
        leaderboard, commit_id = _paper_suite(store, asked, versions, workers)
    elif versions and suite == "bootstrap":
        found_optimism = run_bootstrap(store, asked, versions, resamples=resamples, workers=workers, runner=runner)
        optimism, commit_id = found_optimism.optimism, found_optimism.commit_id
        failures |= found_optimism.failures
        notes += found_optimism.notes
    elif versions:
        leaderboard, commit_id, unfit = run_nested_cv(
            store, asked, versions, repeats=repeats, folds=folds, workers=workers, runner=runner
        )
        failures |= unfit
        notes += fold_notes(Snapshot(store), asked, versions, folds)
    found: list[ControlRow] = []
    if controls and (judged := [model for model in versions if model not in failures]):
        found, control_commit = control_rows(
            store, asked, judged, suite=suite, repeats=control_repeats, folds=folds, workers=workers, runner=runner
        )
        commit_id = control_commit or commit_id
    publish_changed(store)
    snapshot = Snapshot(store)
    splits = [model_inputs(asked, study_spec(asked, model)).split for model in versions]
    if suite == "holdout":
        notes += one_person_in_both(snapshot, asked, study_people(snapshot, asked), splits)
    opened = times_opened(snapshot, asked.id)
    return BenchReport(
        study=asked.id,
        suite=suite,
        trained=tuple(trained),
        leaderboard=tuple(leaderboard),
        commit_id=commit_id,
        times_opened=opened,
        controls=tuple(found),
        failures=failures,
        optimism=optimism,
        notes=tuple(notes),
    )


def _resampled(store: Store, study: Study, models: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the models that can be fitted again to resamples, and a sentence for each reason why others cannot."""
    why = not_resampled(Snapshot(store), study, models)
    kept = [model for model in models if model not in why]
    of_reason: dict[str, list[str]] = {}
    for model, reason in why.items():
        of_reason.setdefault(reason, []).append(model)
    notes = [f"left out of the bootstrap: {', '.join(named)}: {reason}" for reason, named in of_reason.items()]
    if not kept:
        reason = "; ".join(notes) or f"study '{study.id}' names no model"
        raise UsageError(reason, hint="name a model that reads tables: radzoo models zoo lists them")
    return kept, notes


def _paper_suite(
    store: Store, study: Study, trained: Mapping[str, int], workers: int | None
) -> tuple[list[LeaderboardRow], int | None]:
    """Judge trained models on the cohorts of their split, enter them in the ledger, and return the leaderboard."""
    basis = basis_of(store)
    snapshot = Snapshot(store)
    versions = {(row["model"], row["version"]): row for row in snapshot.rows("models", study=study.id)}
    current = [versions[model, version] for model, version in trained.items()]
    with record_run(store, "bench", study.id, {"suite": "holdout"}) as run:
        judged = [judged_model(snapshot, row) for row in current]
        version_of = {each.model: each.version for each in judged}
        scope: dict[str, Any] = {"study": study.id, "suite": "holdout"}
        looked_at = example_rows(snapshot, current, workers=workers)  # before the commit: networks take their time
        with commit_to(store, f"bench {study.id}: holdout suite", basis=basis, run_id=run.run_id) as commit:
            for table in ("predictions", "leaderboard"):
                rows = [row.model_dump() for each in judged for row in getattr(each, table)]
                commit.put(table, [row | {"version": version_of[row["model"]]} for row in rows], replacing=scope)
            levels = subgroup_levels(snapshot, study)
            predictions = [row for each in judged for row in each.predictions]
            within = subgroup_rows(predictions, levels)
            commit.put("subgroups", [row.model_dump() for row in within], replacing=scope)
            comparisons = comparison_rows(study.id, "holdout", judged, study.primary_comparisons)
            comparisons += subgroup_comparisons(predictions, levels)
            commit.put("comparisons", [row.model_dump() for row in comparisons], replacing=scope)
            commit.put("importances", [each for row in current for each in validation_importances(snapshot, row)])
            commit.put("attention", looked_at)
            commit.put("characteristics", characteristic_rows(snapshot, study), replacing={"study": study.id})
            openings = new_openings(
                snapshot, current, suite="holdout", run_id=run.run_id, opened_at=utc_now(), author=getpass.getuser()
            )
            commit.put("openings", openings)
        run.summary |= {"models": len(judged), "changed": commit.landed_id is not None, "opened": len(openings)}
    return [row for each in judged for row in each.leaderboard], commit.landed_id
