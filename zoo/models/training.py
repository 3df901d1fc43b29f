"""Training: one model on the training patients of one frozen split, its threshold frozen with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from sklearn.base import BaseEstimator, clone

from schemas.documents.model_summary import ModelSummary
from schemas.errors import ContractError
from schemas.keys import canonical_json, sha256_of_json
from schemas.persons import People
from schemas.study.file import Study
from schemas.study.networks import NetworkSettings
from schemas.study.outcomes import EventOutcome
from store.history.snapshot import Snapshot
from store.home import Store
from store.installed import installed_version
from store.rows.datasets import PinnedDataset
from zoo.censoring.weights import CensoringWeights, split_weights
from zoo.evaluation.auc import auc
from zoo.models.card import model_card
from zoo.models.contributions import column_references, last_step
from zoo.models.example_answers import example_answers
from zoo.models.importances import training_importances
from zoo.models.operating_point import operating_point
from zoo.models.summary import chosen_penalties, model_summary
from zoo.radiomics.landmarks import refuse_judging_who_taught_landmarks
from zoo.radiomics.shared_fits import SharedFits
from zoo.registry import ModelSpec, study_spec
from zoo.saving.folders import put_model_folder
from zoo.saving.package import package_record
from zoo.saving.persist import save_model
from zoo.tables.fits import TOO_FEW, UnfitError, fit_model, label_probabilities, plain_numerics
from zoo.tables.inputs import ModelInputs, bound_inputs, model_inputs
from zoo.tables.model_table import ModelTable
from zoo.tables.persons import study_people
from zoo.tables.pinned import pin_table

__all__ = [
    "RANDOM_STATE",
    "TrainedModel",
    "TrainingPlan",
    "fit_and_save_model",
    "library_versions",
    "plan_training",
    "plan_trainings",
]

RANDOM_STATE = 20260101
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "statsmodels", "xgboost-cpu")
_OF_NETWORKS = ("torch", "monai")


@dataclass(frozen=True)
class TrainingPlan:
    """A model's pinned inputs, and whether the store has just this model already."""

    model: str
    table: ModelTable
    dataset: PinnedDataset
    training_sha256: str
    """Hash of all that decides the fitted model: dataset and what its columns mean, estimator, seed, libraries."""
    current_version: int | None
    """The version trained from exactly this, if there is one."""
    next_version: int
    feature_set: dict[str, str] | None = None
    """The ``name@N`` that the study's feature set is bound to, and its definition's hash; None without features."""
    person_of: Mapping[str, str] = field(default_factory=dict)
    """The person behind each pseudonym of a training patient that shares one."""
    regions: dict[str, Any] | None = None
    """The same of the regions that a network reads, and their settings."""
    censoring: CensoringWeights | None = None
    """What training patients weigh; None where the study does not ask for weights."""


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model on disk and its row of the catalogue."""

    row: dict[str, Any]
    dataset: PinnedDataset
    excluded: dict[str, str]
    importances: tuple[dict[str, Any], ...] = ()
    """Rows of ``importances``, from the training patients."""


def plan_trainings(snapshot: Snapshot, study: Study, models: Iterable[str]) -> list[TrainingPlan]:
    """Plan the training of each model; a table that several of them read is built and pinned once."""
    tables: dict[str, tuple[ModelTable, PinnedDataset]] = {}
    people = study_people(snapshot, study)
    return [plan_training(snapshot, study, model, tables, people) for model in models]


def plan_training(
    snapshot: Snapshot,
    study: Study,
    model: str,
    tables: dict[str, tuple[ModelTable, PinnedDataset]] | None = None,
    people: People | None = None,
) -> TrainingPlan:
    """Pin the table that a model would read now and return the plan: whether that was done before, and as what.

    Parameters
    ----------
    snapshot : Snapshot
        The store as it is.
    study : Study
        The study.
    model : str
        A model of the study, or a name of the zoo.
    tables : dict, optional
        Tables that were built before, by their inputs; the plan's own is added.
    people : People, optional
        Which of the study's pseudonyms stand for one person; looked for where absent.
    """
    spec = study_spec(study, model)
    inputs = model_inputs(study, spec)
    known, key = ({} if tables is None else tables), canonical_json(inputs.as_dict())
    if key not in known:
        known[key] = pin_table(snapshot, study, inputs)
    table, dataset = known[key]
    bound = bound_inputs(snapshot, study, inputs)
    if bound.feature_set is not None:
        held_out = table.of_cohort("validation")[2]
        refuse_judging_who_taught_landmarks(snapshot, bound.feature_set, inputs.phases, held_out)
    decided_by = {
        "dataset": dataset.sha256,
        "inputs": inputs.as_dict(),
        # In full: scikit-learn's own repr leaves out the middle of a long pipeline.
        "estimator": _unfitted(study, spec).__repr__(N_CHAR_MAX=1_000_000),
        "libraries": library_versions(spec),
    }
    # Models of before there were rules have the training patients' own.
    if (rule := study.settings_of(model).threshold) != "youden-training":
        decided_by["threshold"] = rule if isinstance(rule, str | float) else rule.model_dump(mode="json")
    censoring = split_weights(snapshot, study, model, inputs.split)
    if censoring is not None:
        decided_by["censoring"] = censoring.by_patient
    person_of: dict[str, str] = {}
    if not spec.is_network:  # a network sets patients aside by itself
        training = set(table.of_cohort("training")[2])
        of_study = study_people(snapshot, study) if people is None else people
        person_of = {each: person for each, person in of_study.person.items() if each in training}
    if person_of:
        decided_by["people"] = person_of
    digest = sha256_of_json(decided_by)
    versions = {row["version"]: row["training_sha256"] for row in snapshot.rows("models", study=study.id, model=model)}
    same = [number for number, known in versions.items() if known == digest]
    return TrainingPlan(
        model=model,
        table=table,
        dataset=dataset,
        training_sha256=digest,
        current_version=max(same, default=None),
        next_version=max(versions, default=0) + 1,
        person_of=person_of,
        feature_set=None if bound.feature_set is None else _definition(snapshot, bound.feature_set),
        regions=None if bound.regions is None else _definition(snapshot, bound.regions, with_settings=True),
        censoring=censoring,
    )


def _unfitted(study: Study, spec: ModelSpec) -> BaseEstimator:
    """Return a model's unfitted estimator; a package that cannot build its own leaves the other models alone."""
    try:
        return spec.build(study.settings_of(spec.name), random_state=RANDOM_STATE)
    except ContractError as error:
        if spec.added_by is None:
            raise
        raise UnfitError(error.message, where=f"package {spec.package}", hint=error.hint) from error


def _definition(snapshot: Snapshot, feature_set: str, *, with_settings: bool = False) -> dict[str, Any]:
    """Return a feature set's name and the hash of its definition; of regions, what prediction needs of that too."""
    row = snapshot.row("feature_sets", feature_set=feature_set)
    found = {"feature_set": feature_set, "definition_sha256": row["definition_sha256"]}
    return found | ({"settings": json.loads(row["definition"])["settings"]} if with_settings else {})


def fit_and_save_model(
    store: Store, study: Study, plan: TrainingPlan, trained_at: str, shared: SharedFits | None = None
) -> TrainedModel:
    """Fit a model on the training patients, save it below the store with its threshold, and return it.

    Parameters
    ----------
    store : Store
        Where the model's folder goes.
    study : Study
        The study.
    plan : TrainingPlan
        The pinned inputs.
    trained_at : str
        The time, ISO 8601.
    shared : SharedFits, optional
        Selections that models trained before have fitted to the same patients.

    Raises
    ------
    UnfitError
        When the training patients do not suffice for this model.
    """
    spec = study_spec(study, plan.model)
    inputs, labels, patients = plan.table.of_cohort("training")
    target = labels.to_numpy()
    people = [plan.person_of.get(patient, patient) for patient in patients]
    unfitted = _unfitted(study, spec)
    place = f"split '{model_inputs(study, spec).split}'"
    sharing = clone(unfitted) if shared is None else shared.sharing(unfitted)
    weights = None if plan.censoring is None else plan.censoring.of(patients)
    estimator = fit_model(
        sharing, inputs, target, model=plan.model, place=place, hint=TOO_FEW, people=people, weights=weights
    )
    estimator = SharedFits.released(estimator)
    with plain_numerics():
        probabilities = label_probabilities(estimator, inputs, model=plan.model, place=place)
        point = operating_point(
            study.settings_of(plan.model).threshold,
            unfitted,
            estimator,
            inputs,
            target,
            own=probabilities,
            people=people,
            model=plan.model,
            place=place,
            hint=TOO_FEW,
            weights=weights,
        )
        # What a network makes of regions is explained by maps, not column by column.
        references = {} if spec.is_network else column_references(estimator, inputs)
        examples = example_answers(estimator, inputs, references)
        summary = model_summary(estimator, target)
        if penalties := chosen_penalties(estimator):
            summary["penalties"] = penalties
        if plan.censoring is not None:
            summary["censoring"] = plan.censoring.record(list(patients), target, estimator)
    if spec.is_network:
        summary["network"]["device"] = _device(study.settings_of(plan.model).network)
    metadata = _metadata(study, spec, plan) | {
        **point.as_dict(),
        "training_auc": auc(target, probabilities),
        "references": references,
        "examples": examples,
        **({"censoring": summary["censoring"]} if "censoring" in summary else {}),
    }
    local = store.models.scratch()
    sha256 = save_model(local, estimator, metadata, model_card(spec, metadata, summary))
    # Named by its content: what an interrupted training left behind is no obstacle, whatever wrote it.
    folder = f"models/{study.id}/{plan.model}/v{plan.next_version}-{sha256[:12]}"
    put_model_folder(store, local, folder)
    named = {"study": study.id, "model": plan.model, "version": plan.next_version}
    row = named | {
        "dataset_id": plan.dataset.dataset_id,
        "training_sha256": plan.training_sha256,
        "threshold": point.threshold,
        "path": folder,
        "sha256": sha256,
        "trained_at": trained_at,
        "versions": canonical_json(library_versions(spec)),
        "summary": canonical_json(_stored_summary(spec, plan, summary)),
    }
    found = [] if spec.is_network else training_importances(last_step(estimator, inputs, references), target)
    return TrainedModel(row, plan.dataset, plan.table.excluded, tuple(named | vars(each) for each in found))


def _stored_summary(spec: ModelSpec, plan: TrainingPlan, summary: ModelSummary) -> ModelSummary:
    """Return what the catalogue keeps: what the model learned, who was left out, and whose member it is."""
    stored: ModelSummary = {**summary, "excluded": plan.table.excluded}
    if spec.base is not None:
        stored["base"] = spec.base
    if record := package_record(spec.added_by):
        stored["package"] = record["package"]
    return stored


def _device(settings: NetworkSettings | None) -> str:
    # PyTorch is imported only where a network was trained.
    from zoo.networks.runtime import decided_by

    on = decided_by(settings or NetworkSettings())
    return f"{on['name']} ({on['device']})" if "name" in on else str(on["device"])


def _metadata(study: Study, spec: ModelSpec, plan: TrainingPlan) -> dict[str, Any]:
    """Return what a folder says of its model beside the fit; no patient is named, for it may leave the store."""
    asked = model_inputs(study, spec)
    cohorts = {cohort: plan.table.of_cohort(cohort)[1] for cohort in ("training", "validation")}
    return {
        "study": study.id,
        "title": study.study.title,
        "question": study.study.question,
        "outcome": _outcome(study),
        "model": plan.model,
        **_base(spec),
        **package_record(spec.added_by),
        "training_sha256": plan.training_sha256,
        "inputs": asked.as_dict(),
        "settings": study.settings_of(plan.model).model_dump(mode="json"),
        "feature_set": plan.feature_set,
        "regions": plan.regions,
        "variables": read_variables(study, asked),
        "columns": list[JsonValue](plan.table.columns),
        "dataset_id": plan.dataset.dataset_id,
        "dataset_sha256": plan.dataset.sha256,
        "commit_id": plan.dataset.commit_id,
        "cohorts": {
            cohort: {"patients": len(labels), "events": int(labels.sum())} for cohort, labels in cohorts.items()
        },
        "excluded": len(plan.table.excluded),
        "libraries": library_versions(spec) | {"radzoo": installed_version("radzoo")},
    }


def _base(spec: ModelSpec) -> dict[str, str]:
    """Return what a variant's record says of its base; nothing where the model is a member under its own name."""
    return {} if spec.base is None else {"base": spec.base}


def read_variables(study: Study, inputs: ModelInputs) -> dict[str, dict[str, Any]]:
    """Return kind, unit and levels of each clinical variable that a model reads, as its study declares them."""
    names = [rule.variable for rule in inputs.factors]
    if inputs.comparator is not None:
        names += [inputs.variables.get(name, name) for name in inputs.comparator.inputs]
    if inputs.harmonise is not None:
        names.append(inputs.harmonise)
    declared = study.clinical.variables
    return {
        name: {
            "kind": declared[name].kind,
            "unit": declared[name].unit,
            "levels": list(declared[name].levels or ()) or None,
        }
        for name in dict.fromkeys(names)
        if name in declared
    }


def _outcome(study: Study) -> str:
    outcome = study.outcome
    if outcome is None:
        return ""
    if isinstance(outcome, EventOutcome):
        return f"{outcome.name} within {outcome.horizon:g} {outcome.unit}"
    return outcome.name


def library_versions(*specs: ModelSpec) -> dict[str, str]:
    """Return the versions of the libraries that decide fitted models of these members."""
    are_networks = any(spec.is_network for spec in specs)
    added_by = [spec.added_by for spec in specs if spec.added_by is not None]
    libraries = {name: installed_version(name) for name in (*_LIBRARIES, *(_OF_NETWORKS if are_networks else ()))}
    return libraries | {each.package: each.version for each in added_by}
