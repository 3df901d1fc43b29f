"""Negative controls: the same benchmark where nothing can be found, to see that nothing is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from schemas.documents.fit_result import FitResults
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetRef, built_in_settings
from schemas.results import Cohort, Control, ControlRow, Suite
from schemas.study.file import Study
from schemas.study.own_sets import FeatureSetSettings
from zoo.benchmark.cross_validation import CrossValidation
from zoo.benchmark.folds import Fold
from zoo.benchmark.nested_cv import refuse_unfit
from zoo.evaluation.auc import logit_bounds
from zoo.evaluation.intervals import Interval
from zoo.evaluation.repeated import OutOfFold, out_of_fold_estimate
from zoo.tables.inputs import ModelInputs

__all__ = ["control_row", "label_donors", "permuted_labels", "shuffled_set", "split_fold", "with_shuffled_set"]


def permuted_labels(labels: Mapping[str, int], groups: Mapping[str, str], *, seed: int) -> dict[str, int]:
    """Return the labels permuted over the patients of each group: no more events, no fewer.

    Parameters
    ----------
    labels : mapping of str to int
        Each patient's label.
    groups : mapping of str to str
        Each patient's group, such as the cohort of a split; patients without one form a group of their own.
    seed : int
        Draws the permutation; the order of the patients does not matter.
    """
    return {patient: labels[donor] for patient, donor in label_donors(labels, groups, seed=seed).items()}


def label_donors(patients: Iterable[str], groups: Mapping[str, str], *, seed: int) -> dict[str, str]:
    """Return whose label each patient is given by `permuted_labels`, of which it takes ``groups`` and ``seed``."""
    random = np.random.default_rng(seed)
    members: dict[str, list[str]] = {}
    for patient in sorted(patients):
        members.setdefault(groups.get(patient, ""), []).append(patient)
    found: dict[str, str] = {}
    for _, group in sorted(members.items()):
        found |= zip(group, (group[at] for at in random.permutation(len(group))), strict=True)
    return found


def split_fold(labels: Mapping[str, int], cohorts: Mapping[str, str]) -> Fold:
    """Return a split as a single fold: its training cohort trains, its validation cohort is judged."""
    of = {cohort: tuple(p for p in sorted(labels) if cohorts.get(p) == cohort) for cohort in ("training", "validation")}
    return Fold(0, 0, of["training"], of["validation"])


def shuffled_set(study: Study, inputs: ModelInputs) -> tuple[str, RadiomicsSettings] | None:
    """Return the feature set that is a model's own with shuffled voxels, or None where there is no such set.

    Shape is left out: it does not depend on intensities, so it would be as informative as ever. A set of shape
    alone, and one that is not extracted from images here, has no such counterpart.

    Parameters
    ----------
    study : Study
        The study.
    inputs : ModelInputs
        What the model reads.

    Returns
    -------
    (str, RadiomicsSettings) or None
        Name, the set's own with ``-shuffled``, and settings.
    """
    if inputs.feature_set is None or study.imported_table(inputs.feature_set) is not None:
        return None
    if study.is_of_network(inputs.feature_set):
        return None
    ref = FeatureSetRef.parse(inputs.feature_set)
    own = study.define.get(ref.name)
    settings = own.settings if own is not None else built_in_settings(ref)[1].settings
    if not isinstance(settings, RadiomicsSettings):
        return None
    families = tuple(family for family in settings.families if family != "shape")
    if not families:
        return None
    shuffled = RadiomicsSettings.model_validate(settings.model_dump() | {"families": families, "shuffled_voxels": True})
    return f"{ref.name}-shuffled", shuffled


def with_shuffled_set(study: Study, name: str, settings: RadiomicsSettings) -> Study:
    """Return the study as it would be if its file asked for a shuffled feature set, and for no other."""
    described = FeatureSetSettings(
        description="negative control: intensities inside each mask shuffled among its voxels, no shape",
        radiomics=settings,
    )
    return study.model_copy(update={"define": {**study.define, name: described}, "feature_sets": (name,)})


def control_row(
    study: str,
    suite: Suite,
    control: Control,
    model: str,
    planned: CrossValidation,
    results: FitResults,
) -> ControlRow:
    """Return the AUC of one model in a control, over the repeats of its folds.

    Raises
    ------
    UnfitError
        When the training patients of a fold do not suffice for the model, or nobody who is judged has its inputs.
    """
    refuse_unfit(model, planned, results)
    split = planned.split_of[model]
    labels, folds = planned.labels[split], planned.folds[split]
    by_repeat: dict[int, dict[str, float]] = {}
    held_out: dict[tuple[int, str], int] = {}
    for fold in folds:
        found = results[planned.task_of[model, fold.number].key][model]["probabilities"]
        by_repeat.setdefault(fold.repeat, {}).update(found)
        held_out |= dict.fromkeys(((fold.repeat, patient) for patient in found), fold.number)
    patients: Sequence[str] = sorted(by_repeat[0])
    truth = np.array([labels[patient] for patient in patients])
    estimate = out_of_fold_estimate(
        OutOfFold(
            truth,
            np.array([[of[patient] for patient in patients] for of in by_repeat.values()]),
            np.array([[held_out[repeat, patient] for patient in patients] for repeat in by_repeat]),
            len({fold.number for fold in folds if fold.repeat == 0}),
        )
    )
    bounds: Interval | tuple[None, None] = (None, None)
    if estimate is not None and estimate.variance is not None:
        bounds = logit_bounds(estimate)
    cohort: Cohort = "out_of_fold" if suite == "nested-cv" else "validation"
    return ControlRow(
        study=study,
        suite=suite,
        control=control,
        model=model,
        cohort=cohort,
        repeats=len(by_repeat),
        n=len(patients),
        events=int(truth.sum()),
        auc=None if estimate is None else estimate.area,
        auc_lo=bounds[0],
        auc_hi=bounds[1],
    )
