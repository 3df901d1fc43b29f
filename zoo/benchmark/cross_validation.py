"""A repeated nested cross-validation of a study's models: what has to be fitted, and on whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from schemas.errors import ContractError
from schemas.features.names import PHASE_SEPARATOR, is_phase_indicator
from schemas.keys import canonical_json, sha256_of_json
from schemas.study.file import Study
from schemas.study.models import IccBound
from store.history.snapshot import Snapshot
from store.rows.datasets import PinnedDataset
from zoo.benchmark.fold_fits import FitTask, Recipe
from zoo.benchmark.folds import Fold
from zoo.censoring.follow_up import FollowUp, follow_up
from zoo.censoring.weights import censoring_weights
from zoo.models.training import RANDOM_STATE, library_versions
from zoo.radiomics.landmarks import refuse_judging_who_taught_landmarks
from zoo.registry import study_spec
from zoo.tables.embedding_columns import is_embedding, refuse_trained_embeddings
from zoo.tables.inputs import ModelInputs, bound_inputs, model_inputs
from zoo.tables.model_table import KEY_COLUMNS
from zoo.tables.pinned import pin_table
from zoo.tables.stability import RepeatedReadings, repeated_readings

__all__ = [
    "CrossValidation",
    "ModelInputsOf",
    "plan_cross_validation",
    "refuse_what_knows_the_judged",
    "split_cohorts",
    "split_labels",
]

ModelInputsOf = Callable[[str], ModelInputs]


@dataclass(frozen=True)
class CrossValidation:
    """Every fit of a cross-validation, in the order of the folds."""

    labels: Mapping[str, Mapping[str, int]]
    """By split, each labelled patient's label."""
    split_of: Mapping[str, str]
    """By model, the split whose patients it is judged on."""
    folds: Mapping[str, Sequence[Fold]]
    """By split."""
    tasks: tuple[FitTask, ...]
    task_of: Mapping[tuple[str, int], FitTask]
    """By model and fold; models that read tables share their tasks."""
    datasets: tuple[PinnedDataset, ...]
    networks: frozenset[str]
    """The models that are networks."""

    @property
    def sha256(self) -> str:
        """Return the hash of everything that decides the results."""
        return sha256_of_json([task.key for task in self.tasks])


def split_labels(snapshot: Snapshot, study: Study, split: str) -> dict[str, int]:
    """Return the label of every labelled patient of a split, whichever of its cohorts they are in."""
    labels = {row["patient"]: row["label"] for row in snapshot.rows("labels", study=study.id)}
    patients = split_cohorts(snapshot, study, split)
    return {patient: labels[patient] for patient in sorted(patients) if labels.get(patient) is not None}


def split_cohorts(snapshot: Snapshot, study: Study, split: str) -> dict[str, str]:
    """Return each patient's cohort in a split."""
    return {row["patient"]: row["cohort"] for row in snapshot.rows("split_members", study=study.id, split=split)}


def plan_cross_validation(
    snapshot: Snapshot,
    study: Study,
    models: Sequence[str],
    *,
    labels: Mapping[str, Mapping[str, int]],
    folds: Mapping[str, Sequence[Fold]],
    with_thresholds: bool = True,
    inputs_of: ModelInputsOf | None = None,
    readings_of: Mapping[str, str] | None = None,
    embeds: bool = False,
    person_of: Mapping[str, str] | None = None,
    donors: Mapping[str, Mapping[str, str]] | None = None,
) -> CrossValidation:
    """Plan the fits that judge models on folds: pin the tables, and return who trains and who is judged.

    Columns enter whole: imputation, scaling and every selection are steps of the estimator and see a fold's
    training patients only. The one selection that is made on a table before, by agreement of repeated readings
    (``minimum_icc``), is made again in every fold from the readings of its training patients. Folds inside it, which
    may have too few of them, use the same columns: agreement of readings knows no label.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    models : sequence of str
        Names of the study's models, or of the zoo.
    labels : mapping of str to mapping
        By split, each patient's label.
    folds : mapping of str to sequence of Fold
        By split, who trains and who is judged.
    with_thresholds : bool
        Also choose each fit's threshold.
    inputs_of : callable, optional
        What a model reads; as the study says where absent.
    readings_of : mapping of str to str, optional
        By feature set, the one whose repeated readings say which columns are stable; itself where absent.
    embeds : bool
        Also ask the models, which are networks, for the embeddings of the judged.
    person_of : mapping of str to str, optional
        The person behind each pseudonym that shares one; pseudonyms of one person are held out together.
    donors : mapping of str to mapping, optional
        By split, whose label each patient is given, where labels are permuted: whose follow-up goes with it.

    Raises
    ------
    ContractError
        When a model reads embeddings of networks that learnt from patients whom a fold holds out, or fewer than five
        training patients of a fold have a kind of repeated readings by which columns are to be chosen.
    """
    pinned: dict[str, PinnedDataset] = {}
    recipes: dict[str, list[Recipe]] = {}
    stable: dict[str, _Stable] = {}
    readings: dict[str, RepeatedReadings] = {}
    split_of: dict[str, str] = {}
    specs = {model: study_spec(study, model) for model in models}
    networks = frozenset(model for model, spec in specs.items() if spec.is_network)
    for model in models:
        spec = specs[model]
        inputs = model_inputs(study, spec) if inputs_of is None else inputs_of(model)
        refuse_what_knows_the_judged(snapshot, study, inputs, folds[inputs.split])
        whole = replace(inputs, minimum_icc=None, icc_bound="estimate")
        name = canonical_json(whole.as_dict())
        if name not in pinned:
            _, pinned[name] = pin_table(snapshot, study, whole, with_excluded=False)
        dataset = pinned[name]
        estimator = spec.build(study.settings_of(model), random_state=RANDOM_STATE)
        file = snapshot.store.files.local(dataset.path, sha256=dataset.sha256)
        recipe = Recipe(model, estimator, file, dataset.sha256)
        recipes.setdefault(inputs.split, []).append(recipe)
        split_of[model] = inputs.split
        if inputs.minimum_icc is not None and inputs.feature_set is not None:
            read = (readings_of or {}).get(inputs.feature_set, inputs.feature_set)
            if read not in readings:
                readings[read] = repeated_readings(snapshot, study, read)
            stable[model] = _Stable(readings[read], inputs.minimum_icc, inputs.icc_bound, inputs.phases)
    weighted = frozenset(model for model in models if study.weighs_the_censored(model))
    followed = follow_up(snapshot, study) if weighted else None
    tasks: list[FitTask] = []
    task_of: dict[tuple[str, int], FitTask] = {}
    known = person_of or {}
    for split, of_split in recipes.items():
        for fold in folds[split]:
            left_out, refused = _left_out(of_split, stable, fold)
            weights = _fold_weights(followed, fold, (donors or {}).get(split, {}))
            people = {patient: known[patient] for patient in fold.training if patient in known}
            for together in _fitted_together(of_split, networks):
                names = [recipe.model for recipe in together]
                task = FitTask(
                    fold=fold.number,
                    labels={patient: labels[split][patient] for patient in fold.training},
                    judged=fold.judged,
                    recipes=tuple(together),
                    libraries=library_versions(*(specs[name] for name in names)),
                    left_out={name: left_out[name] for name in names if name in left_out},
                    embeds=embeds,
                    thresholds={name: study.settings_of(name).threshold for name in names if with_thresholds},
                    person_of=people,
                    weights=weights,
                    weighted=weighted.intersection(names) if weights else frozenset(),
                    draws=fold.draws,
                    refused={name: refused[name] for name in names if name in refused},
                )
                tasks.append(task)
                task_of |= {(name, fold.number): task for name in names}
    return CrossValidation(labels, split_of, folds, tuple(tasks), task_of, tuple(pinned.values()), networks)


def _fold_weights(followed: FollowUp | None, fold: Fold, donors: Mapping[str, str]) -> dict[str, float]:
    """Return what a fold's training patients weigh; nothing where nobody lost a label, or no model asks."""
    if followed is None or not followed.censored:
        return {}
    # Of a resample every copy is a patient, also where it is told who is lost when.
    training = [patient for patient in fold.training for _ in range(fold.draws.get(patient, 1))]
    return dict(censoring_weights(followed.of_others(donors), training).by_patient)


def _fitted_together(recipes: Sequence[Recipe], networks: frozenset[str]) -> list[list[Recipe]]:
    """Return the models of each task: all that read tables, which share steps, and every network by itself."""
    alone = [recipe for recipe in recipes if recipe.model in networks]
    tabular = [recipe for recipe in recipes if recipe.model not in networks]
    return [*([tabular] if tabular else []), *([network] for network in alone)]


def refuse_what_knows_the_judged(snapshot: Snapshot, study: Study, inputs: ModelInputs, folds: Sequence[Fold]) -> None:
    """Refuse features that learnt from whom a fold holds out.

    Embeddings of networks that were trained for the split, where folds are not the split's cohorts; standard scales of
    intensities that somebody's images taught who is judged.
    """
    chosen = bound_inputs(snapshot, study, inputs).feature_set
    if chosen is None:
        return
    if not is_embedding(snapshot, chosen):
        judged = {patient for fold in folds for patient in fold.judged}
        refuse_judging_who_taught_landmarks(snapshot, chosen, inputs.phases, judged)
        return
    cohorts = split_cohorts(snapshot, study, inputs.split)
    of_split = all(
        {cohorts[patient] for patient in fold.training} <= {"training"}
        and {cohorts[patient] for patient in fold.judged} <= {"validation"}
        for fold in folds
    )
    if not of_split:
        refuse_trained_embeddings(snapshot, study.id, chosen)


class _Stable(NamedTuple):
    """Which columns of a model count as stable, whoever the training patients are."""

    readings: RepeatedReadings
    minimum_icc: float
    bound: IccBound
    phases: tuple[str, ...]


def _left_out(
    recipes: Sequence[Recipe], stable: Mapping[str, _Stable], fold: Fold
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return each model's columns that are not stable, and why a resample has none that could be.

    A resample has the readings of those who were drawn, each once: a copy is no other reading.
    """
    refused: dict[str, str] = {}
    known: dict[tuple[str, float, IccBound, tuple[str, ...]], set[str]] = {}
    found: dict[tuple[str, float, IccBound, tuple[str, ...], Path], tuple[str, ...]] = {}
    by_model = {}
    for recipe in recipes:
        if recipe.model not in stable:
            continue
        readings, minimum_icc, bound, phases = stable[recipe.model]
        key = (readings.feature_set, minimum_icc, bound, phases)
        if key not in known:
            try:
                known[key] = readings.stable_columns(set(fold.training), minimum_icc, bound, phases)
            except ContractError as error:
                if not fold.draws:
                    raise
                refused[recipe.model] = error.message
                continue
        # One tuple for the models that read one table: it crosses to the workers once.
        place = (*key, recipe.dataset)
        if place not in found:
            found[place] = tuple(
                name
                for name in pl.read_parquet_schema(recipe.dataset)
                if name not in KEY_COLUMNS
                and name.partition(PHASE_SEPARATOR)[0] in phases
                and name not in known[key]
                and not is_phase_indicator(name)
            )
        by_model[recipe.model] = found[place]
    return by_model, refused
