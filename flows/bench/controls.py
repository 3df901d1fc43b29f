"""Negative controls of a benchmark: labels permuted over patients, intensities shuffled over voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.bench.cross_validate import discard_fits, is_current, put_datasets, run_fits
from flows.bench.nested_cv import drawn_folds
from flows.engine.progress import say
from flows.engine.runners.address import LOCAL, Runner
from flows.lineage.runs import record_run
from flows.refresh.run import refresh
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.results import Control, ControlRow, Suite
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.basis import Basis, basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.benchmark.controls import (
    control_row,
    label_donors,
    permuted_labels,
    shuffled_set,
    split_fold,
    with_shuffled_set,
)
from zoo.benchmark.cross_validation import CrossValidation, plan_cross_validation, split_cohorts, split_labels
from zoo.benchmark.folds import Fold
from zoo.models.training import RANDOM_STATE
from zoo.registry import study_spec
from zoo.tables.fits import UnfitError
from zoo.tables.inputs import ModelInputs, model_inputs
from zoo.tables.persons import study_people

__all__ = ["control_rows"]

Labels = Mapping[str, Mapping[str, int]]


def control_rows(
    store: Store,
    study: Study,
    models: Sequence[str],
    *,
    suite: Suite,
    repeats: int,
    folds: int | None,
    workers: int | None = None,
    runner: Runner = LOCAL,
) -> tuple[list[ControlRow], int | None]:
    """Return the negative controls of a suite, and the newest commit that they made or None where nothing changed.

    Models are fitted as the suite fits them: in nested-cv on folds over all labelled patients, in holdout on
    the training cohort, judged on the validation cohort. They are kept apart from the study's models and no figure
    of theirs is an opening of the held-out cohort: a permuted outcome says nothing about the true one, and a
    shuffled image holds less than what the models of the ledger have seen.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study.
    models : sequence of str
        The models.
    suite : {"holdout", "nested-cv"}
        Which suite.
    repeats : int
        Of the nested-cv suite.
    folds : int or None
        As for the nested-cv suite.
    workers : int, optional
        Worker processes.
    runner : Runner
        Where models are fitted, and the shuffled features calculated.
    """
    rows, first = _permuted(store, study, models, suite, repeats, folds, workers, runner)
    more, second = _shuffled(store, study, models, suite, repeats, folds, workers, runner)
    return rows + more, second or first


def _permuted(
    store: Store,
    study: Study,
    models: Sequence[str],
    suite: Suite,
    repeats: int,
    folds: int | None,
    workers: int | None,
    runner: Runner,
) -> tuple[list[ControlRow], int | None]:
    basis = basis_of(store)
    snapshot = Snapshot(store)
    splits = sorted({model_inputs(study, study_spec(study, model)).split for model in models})
    labels, donors = {}, {}
    for split in splits:
        # Within the cohorts of a split both keep their events; over all patients there is one group.
        groups = split_cohorts(snapshot, study, split) if suite == "holdout" else {}
        known = split_labels(snapshot, study, split)
        donors[split] = label_donors(known, groups, seed=RANDOM_STATE)
        labels[split] = permuted_labels(known, groups, seed=RANDOM_STATE)
    drawn = _folds(snapshot, study, labels, suite, repeats, folds)
    person = study_people(snapshot, study).person
    planned = plan_cross_validation(
        snapshot,
        study,
        models,
        labels=labels,
        folds=drawn,
        with_thresholds=False,
        person_of=person,
        donors=donors,
    )
    return _carry_out_control(store, study, suite, "permuted_labels", models, planned, workers, runner, basis)


def _shuffled(
    store: Store,
    study: Study,
    models: Sequence[str],
    suite: Suite,
    repeats: int,
    folds: int | None,
    workers: int | None,
    runner: Runner,
) -> tuple[list[ControlRow], int | None]:
    # A model that also reads clinical factors would keep them, and tell nothing about the voxels.
    readers = [name for name in models if study_spec(study, name).inputs == ("radiomics",)]
    own = {name: model_inputs(study, study_spec(study, name)) for name in readers}
    sets = {name: shuffled_set(study, inputs) for name, inputs in own.items()}
    models = [name for name in readers if sets[name] is not None]
    if without := sorted(set(readers) - set(models)):
        say(f"shuffled voxels: nothing to shuffle for {', '.join(without)}: no features of intensities from images")
    if not models:
        return [], None
    shuffled: dict[str, RadiomicsSettings] = dict(found for found in sets.values() if found is not None)
    derived = study
    for name, settings in shuffled.items():
        derived = with_shuffled_set(derived, name, settings)
        refresh(store, derived, workers=workers, runner=runner)

    def inputs_of(model: str) -> ModelInputs:
        found = sets[model]
        return replace(own[model], feature_set=found[0] if found else None)

    basis = basis_of(store)
    snapshot = Snapshot(store)
    splits = sorted({own[model].split for model in models})
    labels = {split: split_labels(snapshot, study, split) for split in splits}
    drawn = _folds(snapshot, study, labels, suite, repeats, folds)
    # Stable is what is stable unshuffled: the control reads the very columns of the model, shape apart.
    readings_of = {found[0]: str(own[model].feature_set) for model, found in sets.items() if found is not None}
    planned = plan_cross_validation(
        snapshot,
        derived,
        models,
        labels=labels,
        folds=drawn,
        with_thresholds=False,
        inputs_of=inputs_of,
        readings_of=readings_of,
        person_of=study_people(snapshot, study).person,
    )
    return _carry_out_control(store, study, suite, "shuffled_voxels", models, planned, workers, runner, basis)


def _folds(
    snapshot: Snapshot, study: Study, labels: Labels, suite: Suite, repeats: int, folds: int | None
) -> dict[str, list[Fold]]:
    if suite == "holdout":
        return {split: [split_fold(of, split_cohorts(snapshot, study, split))] for split, of in labels.items()}
    person_of = study_people(snapshot, study).person
    return drawn_folds(labels, repeats=repeats, folds=folds, person_of=person_of)


def _carry_out_control(
    store: Store,
    study: Study,
    suite: Suite,
    control: Control,
    models: Sequence[str],
    planned: CrossValidation,
    workers: int | None,
    runner: Runner,
    basis: Basis,
) -> tuple[list[ControlRow], int | None]:
    """Carry out a control's fits, commit its rows and return them; those in the store where nothing changed."""
    snapshot, decided_by = Snapshot(store), planned.sha256
    scope = {"study": study.id, "suite": suite, "control": control}
    stored = {row["model"]: row for row in snapshot.rows("controls", **scope)}
    if list(stored) == list(models) and is_current(snapshot, study, decided_by, suite=suite, control=control):
        names = ControlRow.model_fields
        return [ControlRow.model_validate({name: row[name] for name in names}) for row in stored.values()], None
    with record_run(store, "bench", study.id, scope | {"seed": RANDOM_STATE, "decided_by": decided_by}) as run:
        results = run_fits(store, study, f"control {control} of {study.id}", planned, workers, runner)
        rows, unfit = [], []
        for model in models:
            try:
                rows.append(control_row(study.id, suite, control, model, planned, results))
            except UnfitError as error:
                unfit.append(error.message)
        for reason in unfit:
            say(f"control {control.replace('_', ' ')}: {reason}")
        with commit_to(
            store, f"bench {study.id}: {suite} suite, control {control}", basis=basis, run_id=run.run_id
        ) as commit:
            put_datasets(commit, snapshot, planned)
            commit.put("controls", [row.model_dump() for row in rows], replacing=scope)
        discard_fits(store, study, planned)
        run.summary["runner"] = str(runner)
        run.summary |= {"models": len(rows), "fits": len(planned.tasks), "changed": commit.landed_id is not None}
    return rows, commit.landed_id
