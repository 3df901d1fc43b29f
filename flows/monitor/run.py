"""Monitor: who is compared with whom, in what, and what of it drifts; nothing is written to the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flows.engine.progress import progress_bar
from flows.monitor.groups import Comparison, Groups, comparisons, grouped_patients
from flows.monitor.model import ModelAnswers, answers_for_others, judged_comparisons
from flows.monitor.report import Compared, DriftReport
from flows.monitor.rules import DriftRules
from flows.monitor.values import FeatureValues, feature_values, joined_values, one_row_a_person
from schemas.errors import NotFoundError
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.history.tags import snapshot_as_of
from store.home import Store
from zoo.drift.features import features_drift
from zoo.drift.labels import calibration_drift, outcome_drift, too_few_for_calibration
from zoo.drift.relabelling import draws_for
from zoo.drift.scores import score_drift
from zoo.models.saved import stored_model
from zoo.saving.named_model import model_row
from zoo.tables.feature_columns import stored_feature_set

__all__ = ["FEWEST", "monitor"]

FEWEST = 10
"""Patients of a group below which it is not compared."""

_SEED = 20261129
_Test = Callable[[int, int], Compared]
"""Makes a comparison, given how many tests there are and how many exchanges."""


@dataclass(frozen=True)
class _Planned:
    """A comparison to be made, and how many tests it has."""

    tests: int
    make: _Test


def monitor(
    store: Store,
    study: str | None = None,
    *,
    feature_set: str | None = None,
    model: str | None = None,
    by: str = "cohort",
    reference: str | None = None,
    split: str | None = None,
    rules: DriftRules,
    as_of: int | str | None = None,
) -> DriftReport:
    """Return what drifts between groups of a study's patients.

    Parameters
    ----------
    store : Store
        The store.
    study : str, optional
        The study's id; may be left out where the store has one study.
    feature_set : str, optional
        A name or ``name@N``; the study's first where neither it nor a model is named.
    model : str, optional
        ``[STUDY/]MODEL[@VERSION]`` whose predictions are compared, and their calibration where there are labels.
    by : str
        cohort, study, scanner, month, commit, or a clinical variable that has levels.
    reference : str, optional
        The group that the others are compared with, as `flows.monitor.groups.comparisons` takes it.
    split : str, optional
        Whose cohorts count; the study's first where not given.
    rules : DriftRules
        What is called drift.
    as_of : int or str, optional
        The commit; the newest where not given.

    Raises
    ------
    NotFoundError
        When there is no such study, set, model, split, group or commit.
    ContractError
        When the groups cannot be told or compared.
    """
    snapshot = snapshot_as_of(store, as_of)
    own = stored_study(snapshot, study)
    asked = feature_set or (None if model is not None else own.first_feature_set)
    if asked is None and model is None:
        raise NotFoundError(
            f"study '{own.id}' asks for no features", hint="--feature-set NAME, or --model NAME, says what to compare"
        )
    stored = None if asked is None else stored_feature_set(snapshot, own, asked)
    values = None if stored is None else feature_values(snapshot, own, stored, split)
    if by == "study":
        others = _other_studies(snapshot, own, stored)
        of = {p: each.id for each in (*others, own) for p in _patients(snapshot, each)}
        groups = Groups(by, of)
        reference = reference or own.id
        for each in others:
            if values is not None and stored is not None:
                values = joined_values(values, feature_values(snapshot, each, stored, None))
    else:
        others = []
        groups = grouped_patients(snapshot, own, by, split=split, feature_set=stored)
    studies = [own, *others]
    compared = comparisons(groups, reference)
    notes = list(_notes(snapshot, own, groups, values))
    if not compared:
        is_one = len(set(groups.of.values())) == 1
        why = f"all patients whose {by} is known are in one group" if is_one else f"no {by} comes after '{reference}'"
        notes.append(f"{why}: --by or --reference names others")
    kept = one_row_a_person(snapshot, studies, groups.of)
    if twice := len(groups.of) - len(kept):
        notes.append(f"left out: {twice} pseudonyms of persons who are compared under another one")
    compared = [_of_persons(each, kept) for each in compared]
    labels = _labels(snapshot, studies)
    planned: list[_Planned | Compared] = []
    if values is not None:
        planned += [_features(each, values, rules) for each in compared]
    if labels:
        planned += [_outcome(each, labels, rules) for each in compared]
    named = None
    if model is not None:
        saved = stored_model(snapshot, model_row(snapshot, model))
        named = f"{saved.study}/{saved.name}"
        answers = [answers_for_others(snapshot, each, saved, _of_study(snapshot, each, kept)) for each in studies]
        judged = judged_comparisons(compared, by)
        probabilities = {p: value for each in answers for p, value in each.probabilities.items()}
        notes += _notes_of_model(answers, judged)
        planned += [_predictions(each, probabilities, rules) for each in judged]
        if labels:
            planned += [_calibration(each, probabilities, labels, rules) for each in judged]
    tests = sum(each.tests for each in planned if isinstance(each, _Planned))
    draws = draws_for(rules.alpha, tests)
    found = []
    with progress_bar(f"comparing {own.id}", len(planned), "comparisons") as advance:
        for step in planned:
            found.append(step.make(tests, draws) if isinstance(step, _Planned) else step)
            advance()
    return DriftReport(
        study=own.id,
        commit_id=snapshot.commit_id,
        by=by,
        feature_set=stored,
        phases=() if values is None else values.phases,
        model=named,
        rules=rules,
        tests=tests,
        draws=draws,
        seed=_SEED,
        compared=tuple(found),
        notes=tuple(notes),
    )


def _features(each: Comparison, values: FeatureValues, rules: DriftRules) -> _Planned | Compared:
    (old, old_rows), (new, new_rows) = (values.of(who) for who in (each.reference_patients, each.current_patients))

    def made(tests: int, draws: int) -> Compared:
        found = features_drift(
            np.vstack([old_rows, new_rows]),
            values.columns,
            np.repeat([False, True], [len(old), len(new)]),
            tests=tests,
            draws=draws,
            seed=_SEED,
        )
        drifting = tuple(f for f in found.features if f.p <= rules.alpha and f.psi >= rules.least_psi)
        findings = [f"{len(drifting):,} of {len(found.features):,} features"] if drifting else []
        if found.auc_p <= rules.alpha:
            findings.append(f"all features together (AUC {found.auc:.3f})")
        return Compared(
            "features", each.reference, each.current, len(old), len(new), found, None, drifting, tuple(findings)
        )

    return _planned("features", each, old, new, 2, made)


def _outcome(each: Comparison, labels: Mapping[str, int], rules: DriftRules) -> _Planned | Compared:
    old, new = (tuple(p for p in who if p in labels) for who in (each.reference_patients, each.current_patients))

    def made(tests: int, _: int) -> Compared:
        found = outcome_drift([labels[p] for p in old], [labels[p] for p in new], tests=tests)
        findings = ("the rate of label 1",) if found.p <= rules.alpha else ()
        return Compared("outcome", each.reference, each.current, len(old), len(new), found, findings=findings)

    return _planned("outcome", each, old, new, 1, made)


def _predictions(each: Comparison, probabilities: Mapping[str, float], rules: DriftRules) -> _Planned | Compared:
    old, new = (tuple(p for p in who if p in probabilities) for who in (each.reference_patients, each.current_patients))

    def made(tests: int, draws: int) -> Compared:
        found = score_drift(
            [probabilities[p] for p in old], [probabilities[p] for p in new], tests=tests, draws=draws, seed=_SEED
        )
        findings = ("predictions",) if found.p <= rules.alpha else ()
        return Compared("predictions", each.reference, each.current, len(old), len(new), found, findings=findings)

    return _planned("predictions", each, old, new, 1, made)


def _calibration(
    each: Comparison, probabilities: Mapping[str, float], labels: Mapping[str, int], rules: DriftRules
) -> _Planned | Compared:
    old, new = (
        tuple(p for p in who if p in probabilities and p in labels)
        for who in (each.reference_patients, each.current_patients)
    )
    given = [[of[p] for p in who] for who in (old, new) for of in (labels, probabilities)]

    def made(tests: int, _: int) -> Compared:
        found = calibration_drift(*given, tests=tests)
        named = {"calibration in the large": found.intercept_p, "calibration slope": found.slope_p}
        findings = tuple(name for name, p in named.items() if p is not None and p <= rules.alpha)
        return Compared(
            "calibration", each.reference, each.current, len(old), len(new), found, found.reason, findings=findings
        )

    if reason := too_few_for_calibration(given[0], given[2]):
        return Compared("calibration", each.reference, each.current, len(old), len(new), None, reason)
    return _Planned(2, made)


def _planned(
    what: str, each: Comparison, old: Sequence[str], new: Sequence[str], tests: int, made: _Test
) -> _Planned | Compared:
    if min(len(old), len(new)) >= FEWEST:
        return _Planned(tests, made)
    reason = f"fewer than {FEWEST} patients in a group"
    return Compared(what, each.reference, each.current, len(old), len(new), None, reason)


def _of_persons(each: Comparison, kept: set[str]) -> Comparison:
    return Comparison(
        each.reference,
        each.current,
        tuple(p for p in each.reference_patients if p in kept),
        tuple(p for p in each.current_patients if p in kept),
    )


def _patients(snapshot: Snapshot, study: Study) -> list[str]:
    return sorted(snapshot.column("study_patients", "patient", study=study.id))


def _of_study(snapshot: Snapshot, study: Study, kept: set[str]) -> list[str]:
    return [patient for patient in _patients(snapshot, study) if patient in kept]


def _labels(snapshot: Snapshot, studies: Sequence[Study]) -> dict[str, int]:
    """Return the label of each patient who has one; of another study only those of an outcome of the same name."""
    outcome = None if studies[0].outcome is None else studies[0].outcome.name
    found: dict[str, int] = {}
    for study in reversed(studies):
        for row in snapshot.rows("labels", study=study.id):
            if row["label"] is not None and row["outcome"] == outcome:
                found[row["patient"]] = row["label"]
    return found


def _other_studies(snapshot: Snapshot, study: Study, feature_set: str | None) -> list[Study]:
    """Return the other studies of the store, those that have rows of a feature set where one is asked for."""
    ids = {row["study"] for row in snapshot.rows("studies")} - {study.id}
    if feature_set is not None:
        ids &= {row["study"] for row in snapshot.rows("study_extractions", feature_set=feature_set)}
    if not ids:
        raise NotFoundError(
            f"no other study of the store has rows of '{feature_set}'" if feature_set else "the store has one study",
            hint="radzoo features coverage shows which study has which",
        )
    return [stored_study(snapshot, each) for each in sorted(ids)]


def _notes(snapshot: Snapshot, study: Study, groups: Groups, values: FeatureValues | None) -> list[str]:
    found = []
    if unknown := len(set(_patients(snapshot, study)) - set(groups.of)):
        found.append(f"left out: {unknown} patients whose {groups.by} is not known")
    if values is not None and values.left_out is not None:
        found.append(f"left out: {values.left_out}")
    return found


def _notes_of_model(answers: Sequence[ModelAnswers], judged: Sequence[Comparison]) -> list[str]:
    found = []
    if trained := sum(each.left_out for each in answers):
        found.append(
            f"left out of predictions: {trained} patients that the model was trained on, "
            "for whom its answers are too good"
        )
    if failed := sum(each.failed for each in answers):
        found.append(f"left out of predictions: {failed} patients for whom the model has no answer")
    found += dict.fromkeys(warning for each in answers for warning in each.warnings)
    if not judged:
        found.append(
            "predictions: there is one group of patients besides those that the model was trained on; --by names others"
        )
    return found
