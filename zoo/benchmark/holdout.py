"""Benchmark: every model judged on the same frozen split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from schemas.results import Cohort, ComparisonRow, LeaderboardRow, PredictionRow, Suite
from store.history.snapshot import Snapshot
from zoo.benchmark.leaderboard import leaderboard_row
from zoo.evaluation.auc import FEWEST_OF_A_CLASS
from zoo.evaluation.delong import DeLongTest, paired_delong, unpaired_delong
from zoo.evaluation.multiplicity import holm
from zoo.models.saved import trained_from
from zoo.saving.folders import local_model_folder
from zoo.saving.persist import load_model
from zoo.tables.fits import label_probabilities

__all__ = ["JudgedModel", "comparison_rows", "corrected_rows", "judged_model"]

Pairs = Sequence[tuple[str, str]]
_COHORTS: tuple[Cohort, ...] = ("training", "validation")


@dataclass(frozen=True)
class JudgedModel:
    """One model's predictions and its rows of the leaderboard."""

    model: str
    version: int
    predictions: tuple[PredictionRow, ...]
    leaderboard: tuple[LeaderboardRow, ...]

    def scores(self, cohort: str) -> dict[str, tuple[int, float]]:
        """Return label and probability of each patient of a cohort."""
        return {p.patient: (p.label, p.probability) for p in self.predictions if p.cohort == cohort}


def judged_model(snapshot: Snapshot, row: Mapping[str, Any], suite: Suite = "holdout") -> JudgedModel:
    """Return a trained model's predictions and figures on the cohorts of its split.

    The model is loaded from its folder, whose hash the catalogue knows, and reads the pinned dataset it
    was trained from: no patient's values can have changed in between. A cohort without a patient who has all inputs
    has no row.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The model's row of the catalogue.
    suite : {"holdout", "nested-cv"}
        Under which heading the rows go.
    """
    loaded = load_model(local_model_folder(snapshot.store, row), row["sha256"])
    frame = trained_from(snapshot, row)
    columns = [str(name) for name in loaded.metadata["columns"]]  # type: ignore[union-attr]
    predictions: list[PredictionRow] = []
    figures: list[LeaderboardRow] = []
    for cohort in _COHORTS:
        rows = frame.filter(pl.col("cohort") == cohort)
        if not rows.height:
            continue
        probabilities = label_probabilities(
            loaded.estimator, rows.select(columns), model=row["model"], place=f"{cohort} cohort"
        )
        of_cohort = [
            PredictionRow(
                study=row["study"],
                suite=suite,
                model=row["model"],
                patient=patient,
                cohort=cohort,
                threshold=row["threshold"],
                probability=float(probability),
                label=int(label),
            )
            for patient, probability, label in zip(rows["patient"], probabilities, rows["label"], strict=True)
        ]
        predictions += of_cohort
        figures.append(leaderboard_row(of_cohort))
    return JudgedModel(row["model"], row["version"], tuple(predictions), tuple(figures))


def comparison_rows(
    study: str, suite: Suite, models: Sequence[JudgedModel], primary: Pairs = ()
) -> list[ComparisonRow]:
    """Return every DeLong test of a benchmark, with Holm's correction within kind and cohort.

    Where a study declares primary comparisons, the family of the paired tests is theirs, and the others have no
    corrected p.

    Two models are compared on the patients that both could judge; a model's training and validation
    cohorts are compared as independent samples. Where a class has fewer than two patients there is no test.
    """
    rows: list[ComparisonRow] = []
    for cohort in _COHORTS:
        tests = []
        for a, b in combinations(models, 2):
            of_a, of_b = a.scores(cohort), b.scores(cohort)
            shared = sorted(of_a.keys() & of_b.keys())
            if not _can_be_tested([of_a[patient][0] for patient in shared]):
                continue
            test = paired_delong(
                [of_a[patient][0] for patient in shared],
                [of_a[patient][1] for patient in shared],
                [of_b[patient][1] for patient in shared],
            )
            tests.append((a.model, b.model, test))
        rows += corrected_rows(study, suite, cohort, tests, primary)
    tests = []
    for each in models:
        training, validation = (list(zip(*each.scores(cohort).values(), strict=True)) for cohort in _COHORTS)
        if not all(of and _can_be_tested(of[0]) for of in (training, validation)):
            continue
        tests.append((each.model, each.model, unpaired_delong(*training, *validation)))
    return rows + corrected_rows(study, suite, "training-validation", tests)


def _can_be_tested(labels: Sequence[int]) -> bool:
    return min(sum(labels), len(labels) - sum(labels)) >= FEWEST_OF_A_CLASS


def corrected_rows(
    study: str, suite: Suite, cohort: str, tests: Sequence[tuple[str, str, DeLongTest]], primary: Pairs = ()
) -> list[ComparisonRow]:
    """Return the rows of tests of one kind and cohort, with Holm's correction over them, or over the primary ones."""
    declared = {frozenset(pair) for pair in primary}
    family = [at for at, (a, b, _) in enumerate(tests) if not declared or {a, b} in declared]
    adjusted: dict[int, float] = {}
    if family:
        adjusted = dict(zip(family, map(float, holm([tests[at][2].p for at in family])), strict=True))
    return [
        ComparisonRow(
            study=study,
            suite=suite,
            cohort=cohort,
            model_a=a,
            model_b=b,
            kind=test.kind,
            statistic=test.statistic,
            p=test.p,
            p_holm=adjusted.get(at),
        )
        for at, (a, b, test) in enumerate(tests)
    ]
