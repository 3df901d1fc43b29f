"""Train: the models of a study that the store does not have from just these inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flows.commits.erased_meanwhile import carry_out
from flows.engine.broken_packages import warn_of_broken_packages
from flows.engine.progress import progress_bar
from flows.lineage.runs import record_run
from flows.train.patients_left_out import PatientsLeftOut, patients_left_out
from flows.train.read_by_models import ReadByModels, keep_read, read_by_models, with_read
from flows.train.stability import keep_stability
from flows.train.unfit_models import put_unfit_models, record_unfit_models
from flows.train.work import training_work
from schemas.errors import ContractError
from schemas.persons import People
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.basis import Basis
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.rows.datasets import PinnedDataset
from zoo.models.training import TrainingPlan, library_versions, plan_training
from zoo.registry import ModelSpec, model_names, study_spec
from zoo.tables.fits import UnfitError
from zoo.tables.inputs import model_inputs
from zoo.tables.model_table import ModelTable
from zoo.tables.persons import refuse_people_in_both_cohorts, study_people

__all__ = ["TrainReport", "train"]


@dataclass(frozen=True)
class TrainReport:
    """What training did for one model."""

    study: str
    model: str
    version: int | None
    """None where the model cannot be fitted now."""
    trained: bool
    """False where the store had this model from exactly these inputs, or it cannot be fitted."""
    patients: int
    """In its table: labelled, in its split, with all its inputs."""
    excluded: int
    """Patients of the split left out, an input of whom is missing."""
    left_out: tuple[PatientsLeftOut, ...] = ()
    """Every patient of the study who is not in the table, counted by reason."""
    failure: str | None = None
    """Why the model cannot be fitted."""
    hint: str | None = field(default=None, repr=False)
    """What to do about it."""


def train(store: Store, study: str | None, models: Sequence[str] = ()) -> list[TrainReport]:
    """Train models on a study's training patients and return what was done.

    A model is trained again only when its inputs, its settings or the libraries changed; then it is a
    new version and the old one stays.

    Parameters
    ----------
    store : Store
        The store.
    study : str or None
        The study's id; None where the store has one study.
    models : sequence of str
        Names of the study's models, or of the zoo; all models of the study file where empty.

    Raises
    ------
    ContractError
        When a split has one person in both cohorts, and the study file does not declare it.
    """
    return carry_out(store, lambda basis: _train(store, study, models, basis))


def _train(store: Store, study: str | None, models: Sequence[str], basis: Basis) -> list[TrainReport]:
    asked = stored_study(Snapshot(store), study)
    # A library that is not installed is missed before anything is computed.
    library_versions(*_specs(asked, models or study_models(asked)))
    _compute_stability(store, asked, models or study_models(asked))
    snapshot = Snapshot(store)
    # As of the snapshot: a study file ingested meanwhile would make the datasets' commit a false witness.
    asked = stored_study(snapshot, asked.id)
    names = list(dict.fromkeys(models or study_models(asked)))
    splits = [model_inputs(asked, spec).split for spec in _specs(asked, names)]
    people = study_people(snapshot, asked)
    refuse_people_in_both_cohorts(snapshot, asked, people, splits)
    plans, errors = _plans(snapshot, asked, names, people)
    missing = [plan for plan in plans if plan.current_version is None]
    # Hashed before anything is fitted: of what the tables were read from.
    read = read_by_models(snapshot, asked.id, plans)
    if missing:
        errors |= _carry_out(store, asked, missing, read, basis)
    keep_read(store, asked.id, read, basis)
    record_unfit_models(store, asked.id, "train", names, errors, basis)
    planned = {plan.model: plan for plan in plans}
    return [_report(snapshot, asked, name, planned.get(name), errors.get(name)) for name in names]


def _plans(
    snapshot: Snapshot, study: Study, models: Iterable[str], people: People
) -> tuple[list[TrainingPlan], dict[str, UnfitError]]:
    """Return what each model would read, a table that several of them read built once, and why some read nothing."""
    tables: dict[str, tuple[ModelTable, PinnedDataset]] = {}
    plans, errors = [], {}
    for model in models:
        try:
            plans.append(plan_training(snapshot, study, model, tables, people))
        except UnfitError as error:
            errors[model] = UnfitError(f"'{model}': {error.message}", where=error.where, hint=error.hint)
    return plans, errors


def _compute_stability(store: Store, study: Study, models: Sequence[str]) -> None:
    """Commit the ICC of repeated readings for every split and feature set that one of the models reads."""
    if len(study.readings) < 2:
        return
    inputs = [model_inputs(study, spec) for spec in _specs(study, models) if "radiomics" in spec.inputs]
    keep_stability(store, study, ((each.split, str(each.feature_set)) for each in inputs))


def study_models(study: Study) -> list[str]:
    """Return the names of a study's models, in the zoo's order; variants stand behind their base, by name.

    Raises
    ------
    ContractError
        When the study file names none.
    """
    warn_of_broken_packages()
    order = {name: position for position, name in enumerate(model_names())}
    base_of = {spec.name: spec.base or spec.name for spec in _specs(study, study.models)}
    asked = sorted(study.models, key=lambda name: (order[base_of[name]], name != base_of[name], name))
    if not asked:
        raise ContractError(
            f"study '{study.id}' names no model",
            hint="add a table [models.NAME] to the study file and ingest again",
        )
    return asked


def _specs(study: Study, models: Iterable[str]) -> list[ModelSpec]:
    return [study_spec(study, name) for name in models]


def _carry_out(
    store: Store, study: Study, plans: Sequence[TrainingPlan], read: ReadByModels, basis: Basis
) -> dict[str, UnfitError]:
    """Train and commit models, and return why some of them cannot be fitted."""
    # Imported here: with nothing to train, Prefect is not even loaded.
    from flows.train.flow import train_models

    with record_run(store, "train", study.id, {"models": [plan.model for plan in plans]}) as run:
        work = [training_work(study, plan.model) for plan in plans]
        with progress_bar(f"training {study.id}", len(plans), "models", work=sum(work)) as advance:
            found = train_models(store, study, plans, work, advance)
        trained = [each for each in found if not isinstance(each, UnfitError)]
        errors = {plan.model: e for plan, e in zip(plans, found, strict=True) if isinstance(e, UnfitError)}
        names = ", ".join(plan.model for plan in plans if plan.model not in errors)
        message = f"train {study.id}: {names or 'no model could be fitted'}"
        with commit_to(store, message, basis=basis, run_id=run.run_id) as commit:
            commit.put("datasets", [vars(each.dataset) for each in trained])
            commit.put("models", [with_read(each.row, read) for each in trained])
            commit.put("importances", [row for each in trained for row in each.importances])
            put_unfit_models(commit, study.id, "train", [plan.model for plan in plans], errors)
        run.summary |= {"trained": len(trained)} | ({"failed": len(errors)} if errors else {})
    return errors


def _report(
    snapshot: Snapshot, study: Study, model: str, plan: TrainingPlan | None, error: UnfitError | None
) -> TrainReport:
    excluded: Mapping[str, str] = plan.table.excluded if plan is not None else {}
    version = None if plan is None else plan.current_version
    if plan is not None and error is None and version is None:
        version = plan.next_version
    return TrainReport(
        study=study.id,
        model=model,
        version=version,
        trained=plan is not None and error is None and plan.current_version is None,
        patients=plan.table.frame.height if plan is not None else 0,
        excluded=len(excluded),
        left_out=patients_left_out(snapshot, study, model_inputs(study, study_spec(study, model)).split, excluded),
        failure=None if error is None else f"{error.where}: {error.message}",
        hint=None if error is None else error.hint,
    )
