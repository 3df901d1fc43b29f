"""Subgroups: every model judged again in each level of a clinical variable, such as the field strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from schemas.errors import ContractError
from schemas.results import Cohort, ComparisonRow, PredictionRow, SubgroupRow, Suite
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.benchmark.leaderboard import scores_of
from zoo.evaluation.auc import AreaEstimate, logit_bounds
from zoo.evaluation.delong import DeLongTest, unpaired_test
from zoo.evaluation.intervals import Interval
from zoo.evaluation.multiplicity import holm
from zoo.evaluation.repeated import out_of_fold_estimate
from zoo.tables.clinical_values import clinical_values

__all__ = ["SubgroupLevels", "subgroup_comparisons", "subgroup_levels", "subgroup_rows"]

MOST_LEVELS = 5
"""A number with more different values than this makes no subgroups."""


class SubgroupLevels(NamedTuple):
    """One variable, its levels in order, and the level of each patient who has a value."""

    variable: str
    levels: tuple[str, ...]
    of_patient: Mapping[str, str]


class _Judged(NamedTuple):
    """One model's judgement of the patients of one level of a cohort."""

    study: str
    suite: Suite
    model: str
    cohort: Cohort
    variable: str
    level: str
    patients: int
    events: int
    estimate: AreaEstimate | None
    """None where no fold has patients of both labels."""

    @property
    def can_be_tested(self) -> bool:
        return self.estimate is not None and self.estimate.variance is not None


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

    Patients are ranked as in the leaderboard, those of a level among themselves: in the nested-cv suite within each
    fold, over all repeats. Who is in no fold with a patient of the level and the other label is not ranked.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        Of any models, cohorts and suites.
    levels : sequence of SubgroupLevels
        From `subgroup_levels`.
    """
    rows = []
    for each in _judged(predictions, levels):
        area = None if each.estimate is None else each.estimate.area
        bounds: Interval | tuple[None, None] = (None, None)
        if each.estimate is not None and each.can_be_tested:
            bounds = logit_bounds(each.estimate)
        rows.append(
            SubgroupRow(
                **{name: getattr(each, name) for name in ("study", "suite", "model", "cohort", "variable", "level")},
                n=each.patients,
                events=each.events,
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
        if each.can_be_tested:
            by_group.setdefault((each.study, each.suite, each.model, each.cohort, each.variable), []).append(each)
    for group in by_group.values():
        for a, b in combinations(group, 2):
            test = unpaired_test(_known(a), _known(b))
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
    by_cohort: dict[tuple[str, Suite, str, Cohort], list[PredictionRow]] = {}
    for row in predictions:
        by_cohort.setdefault((row.study, row.suite, row.model, row.cohort), []).append(row)
    for key, of_cohort in by_cohort.items():
        parts = scores_of(of_cohort).parts
        for variable, names, of_patient in levels:
            for level in names:
                own = [row for row in of_cohort if of_patient.get(row.patient) == level]
                if not own:
                    yield _Judged(*key, variable, level, 0, 0, None)
                    continue
                found = scores_of(own, parts)
                estimate = out_of_fold_estimate(found)
                yield _Judged(*key, variable, level, len(found.labels), int(found.labels.sum()), estimate)


def _known(judged: _Judged) -> AreaEstimate:
    if judged.estimate is None:
        raise ValueError(f"{judged.level}: a level without pairs is not tested")
    return judged.estimate
