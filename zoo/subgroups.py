"""Subgroups: every model judged again in each level of a clinical variable, such as the field strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.results import Cohort, ComparisonRow, PredictionRow, SubgroupRow, Suite
from schemas.study import Study
from store.snapshot import Snapshot
from zoo.clinical_values import clinical_values
from zoo.evaluation.auc import auc, logit_interval
from zoo.evaluation.delong import DeLongTest, unpaired_delong
from zoo.evaluation.intervals import Interval
from zoo.evaluation.multiplicity import holm

__all__ = ["SubgroupLevels", "subgroup_comparisons", "subgroup_levels", "subgroup_rows"]

MOST_LEVELS = 5
"""A number with more different values than this makes no subgroups."""

FEWEST_OF_A_CLASS = 2
"""Patients of each class that an interval and a test need."""


class SubgroupLevels(NamedTuple):
    """One variable, its levels in order, and the level of each patient who has a value."""

    variable: str
    levels: tuple[str, ...]
    of_patient: Mapping[str, str]


class _Judged(NamedTuple):
    """One model's judgement of the patients of one level of a cohort, each patient once."""

    study: str
    suite: Suite
    model: str
    cohort: Cohort
    variable: str
    level: str
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def smaller_class(self) -> int:
        events = int(self.labels.sum())
        return min(events, len(self.labels) - events)


def subgroup_levels(snapshot: Snapshot, study: Study) -> list[SubgroupLevels]:
    """Return the levels of each variable that the study file names under ``subgroups``.

    A category has the levels it declares; a number has its different values among the study's labelled
    patients, at most five. A patient without a value is in no level.

    Raises
    ------
    ContractError
        When a number has more than five different values: it needs cut points, and those are the study's to set.
    """
    labelled = {row["patient"] for row in snapshot.rows("labels", study=study.id) if row["label"] is not None}
    last = clinical_values(snapshot, study.id) if study.subgroups else {}
    found = []
    for name in study.subgroups:
        rows = {patient: last[patient][name] for patient in sorted(labelled & last.keys()) if name in last[patient]}
        declared = study.clinical.variables[name].levels
        if declared is not None:
            by_level = {patient: str(row["level"]) for patient, row in rows.items() if row["level"] is not None}
            found.append(SubgroupLevels(name, tuple(declared), by_level))
            continue
        numbers = {patient: float(row["value"]) for patient, row in rows.items() if row["value"] is not None}
        different = sorted(set(numbers.values()))
        if len(different) > MOST_LEVELS:
            raise ContractError(
                f"'{name}' has {len(different)} different values; at most {MOST_LEVELS} make subgroups",
                where="subgroups",
                hint="name a category, or add one to the patient table, and ingest again",
            )
        by_level = {patient: f"{value:g}" for patient, value in numbers.items()}
        found.append(SubgroupLevels(name, tuple(f"{value:g}" for value in different), by_level))
    return found


def subgroup_rows(predictions: Sequence[PredictionRow], levels: Sequence[SubgroupLevels]) -> list[SubgroupRow]:
    """Return the AUC of every model in every level of each cohort.

    A patient who was predicted several times counts once, with the mean probability.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        Of any models, cohorts and suites.
    levels : sequence of SubgroupLevels
        From `subgroup_levels`.
    """
    rows = []
    for each in _judged(predictions, levels):
        area = auc(each.labels, each.probabilities) if each.smaller_class else None
        bounds: Interval | tuple[None, None] = (None, None)
        if each.smaller_class >= FEWEST_OF_A_CLASS:
            bounds = logit_interval(each.labels, each.probabilities)
        rows.append(
            SubgroupRow(
                **{name: getattr(each, name) for name in ("study", "suite", "model", "cohort", "variable", "level")},
                n=len(each.labels),
                events=int(each.labels.sum()),
                auc=area,
                auc_lo=bounds[0],
                auc_hi=bounds[1],
            )
        )
    return rows


def subgroup_comparisons(predictions: Sequence[PredictionRow], levels: Sequence[SubgroupLevels]) -> list[ComparisonRow]:
    """Return the unpaired DeLong tests between the levels of each variable, model by model.

    Two levels are compared where both have two patients of each class. Holm's correction runs over all tests of
    a suite and cohort: variables, levels and models.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        As for `subgroup_rows`.
    levels : sequence of SubgroupLevels
        From `subgroup_levels`.
    """
    families: dict[tuple[str, str, str], list[tuple[_Judged, _Judged, DeLongTest]]] = {}
    by_group: dict[tuple[str, ...], list[_Judged]] = {}
    for each in _judged(predictions, levels):
        if each.smaller_class >= FEWEST_OF_A_CLASS:
            by_group.setdefault((each.study, each.suite, each.model, each.cohort, each.variable), []).append(each)
    for group in by_group.values():
        for a, b in combinations(group, 2):
            test = unpaired_delong(a.labels, a.probabilities, b.labels, b.probabilities)
            families.setdefault((a.study, a.suite, a.cohort), []).append((a, b, test))
    return [row for tests in families.values() for row in _corrected(tests)]


def _corrected(tests: Sequence[tuple[_Judged, _Judged, DeLongTest]]) -> Iterator[ComparisonRow]:
    adjusted = holm([test.p for *_, test in tests])
    for (a, b, test), p_holm in zip(tests, adjusted, strict=True):
        yield ComparisonRow(
            study=a.study,
            suite=a.suite,
            cohort=f"{a.cohort}: {a.variable} {a.level} - {b.level}",
            model_a=a.model,
            model_b=a.model,
            kind="subgroup",
            statistic=test.statistic,
            p=test.p,
            p_holm=float(p_holm),
        )


def _judged(predictions: Sequence[PredictionRow], levels: Sequence[SubgroupLevels]) -> Iterator[_Judged]:
    """Yield each model's judgement of each level of each cohort; levels in their order, empty ones too."""
    by_cohort: dict[tuple[str, Suite, str, Cohort], dict[str, list[PredictionRow]]] = {}
    for row in predictions:
        of_cohort = by_cohort.setdefault((row.study, row.suite, row.model, row.cohort), {})
        of_cohort.setdefault(row.patient, []).append(row)
    for key, patients in by_cohort.items():
        for variable, names, of_patient in levels:
            for level in names:
                own = [rows for patient, rows in patients.items() if of_patient.get(patient) == level]
                labels = np.array([rows[0].label for rows in own], dtype=np.int64)
                means = np.array([np.mean([row.probability for row in rows]) for rows in own], dtype=np.float64)
                yield _Judged(*key, variable, level, labels, means)
