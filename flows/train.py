"""Train: the models of a study that the store does not have from just these inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.progress import narrated
from flows.refresh import stored_study
from flows.stability import keep_stability
from schemas.errors import ContractError
from schemas.study import Study
from store.commit import commit_to
from store.home import Store
from store.runs import recorded_run
from store.snapshot import Snapshot
from zoo.model_inputs import model_inputs
from zoo.registry import model_names, model_spec
from zoo.training import TrainingPlan, library_versions, training_plans

__all__ = ["TrainReport", "train"]


@dataclass(frozen=True)
class TrainReport:
    """What training did for one model."""

    study: str
    model: str
    version: int
    trained: bool
    """False where the store had this model from exactly these inputs."""
    patients: int
    excluded: int
    """Patients of the split left out, for want of an input."""


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
        Names of the zoo; all models of the study file where empty.
    """
    asked = stored_study(Snapshot(store), study)
    # A library that is not installed is missed before anything is computed.
    library_versions(*(models or study_models(asked)))
    _compute_stability(store, asked, models or study_models(asked))
    snapshot = Snapshot(store)
    # As of the snapshot: a study file ingested meanwhile would make the datasets' commit a false witness.
    asked = stored_study(snapshot, asked.id)
    plans = training_plans(snapshot, asked, list(dict.fromkeys(models or study_models(asked))))
    missing = [plan for plan in plans if plan.current_version is None]
    if missing:
        _carry_out(store, asked, missing)
    return [_report(asked, plan) for plan in plans]


def _compute_stability(store: Store, study: Study, models: Sequence[str]) -> None:
    """Commit the ICC of repeated readings for every split and feature set that one of the models reads."""
    if len(study.readings) < 2:
        return
    specs = [model_spec(name) for name in models]
    inputs = [model_inputs(study, spec) for spec in specs if "radiomics" in spec.inputs]
    keep_stability(store, study, ((each.split, str(each.feature_set)) for each in inputs))


def study_models(study: Study) -> list[str]:
    """Return the names of a study's models, in the zoo's order.

    Raises
    ------
    ContractError
        When the study file names none.
    """
    for name in study.models:
        model_spec(name)
    asked = [name for name in model_names() if name in study.models]
    if not asked:
        raise ContractError(
            f"study '{study.id}' names no model",
            hint="add a table [models.NAME] to the study file and ingest again",
        )
    return asked


def _carry_out(store: Store, study: Study, plans: Sequence[TrainingPlan]) -> None:
    # Imported here: with nothing to train, Prefect is not even loaded.
    from flows.training_flow import trained_models

    with recorded_run(store, "train", study.id, {"models": [plan.model for plan in plans]}) as run:
        with narrated(f"training {study.id}", len(plans), "models") as advance:
            trained = trained_models(store, study, plans, advance)
        names = ", ".join(plan.model for plan in plans)
        with commit_to(store, f"train {study.id}: {names}", run_id=run.run_id) as commit:
            commit.put("datasets", [vars(each.dataset) for each in trained])
            commit.put("models", [each.row for each in trained])
            commit.put("importances", [row for each in trained for row in each.importances])
        run.summary |= {"trained": len(trained)}


def _report(study: Study, plan: TrainingPlan) -> TrainReport:
    is_trained = plan.current_version is None
    return TrainReport(
        study=study.id,
        model=plan.model,
        version=plan.next_version if plan.current_version is None else plan.current_version,
        trained=is_trained,
        patients=plan.table.frame.height,
        excluded=len(plan.table.excluded),
    )
