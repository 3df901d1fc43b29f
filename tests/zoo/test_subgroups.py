"""Subgroups: levels from the store, AUCs per level, tests between levels."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import ContractError
from schemas.results import PredictionRow
from zoo.evaluation.auc import auc, logit_interval
from zoo.evaluation.delong import unpaired_delong
from zoo.evaluation.multiplicity import holm
from zoo.subgroups import SubgroupLevels, subgroup_comparisons, subgroup_levels, subgroup_rows

LEVELS = {f"P{n}": ("a", "b", "c")[n % 3] for n in range(30)}
VARIABLE = SubgroupLevels("site", ("a", "b", "c", "d"), LEVELS)


def predicted(model="m", *, seed=0, labels=None, **fields):
    """Return predictions of 30 patients P0 to P29."""
    random = np.random.default_rng(seed)
    given = labels or {f"P{n}": (n // 3) % 2 for n in range(30)}
    common = {"study": "s", "suite": "paper", "model": model, "cohort": "validation", "threshold": 0.5} | fields
    return [
        PredictionRow(patient=patient, probability=float(random.uniform()), label=label, **common)
        for patient, label in given.items()
    ]


def of_level(rows, level):
    """Return labels and probabilities of the patients of a level."""
    own = [row for row in rows if LEVELS.get(row.patient) == level]
    return [row.label for row in own], [row.probability for row in own]


def test_each_level_has_the_auc_of_its_own_patients():
    """Count, events, AUC and interval of a level are those of its patients alone; an unused level has none."""
    predictions = predicted()
    rows = {row.level: row for row in subgroup_rows(predictions, [VARIABLE])}
    assert list(rows) == ["a", "b", "c", "d"]
    for level in "abc":
        given = of_level(predictions, level)
        assert (rows[level].n, rows[level].events) == (10, sum(given[0]))
        assert rows[level].auc == auc(*given)
        assert (rows[level].auc_lo, rows[level].auc_hi) == logit_interval(*given)
    assert (rows["d"].n, rows["d"].auc, rows["d"].auc_lo) == (0, None, None)


def test_levels_are_compared_as_independent_patients():
    """Every pair of levels has the unpaired DeLong test, Holm's correction over levels and models of the cohort."""
    models = {name: predicted(name, seed=seed) for name, seed in (("m", 1), ("k", 2))}
    rows = subgroup_comparisons([row for each in models.values() for row in each], [VARIABLE])
    assert [(row.model_a, row.cohort.split(": site ")[1]) for row in rows] == [
        (model, pair) for model in models for pair in ("a - b", "a - c", "b - c")
    ]
    for row in rows:
        a, b = row.cohort.split(": site ")[1].split(" - ")
        expected = unpaired_delong(*of_level(models[row.model_a], a), *of_level(models[row.model_a], b))
        assert (row.kind, row.model_a, row.statistic, row.p) == (
            "subgroup",
            row.model_b,
            expected.statistic,
            expected.p,
        )
    assert [row.p_holm for row in rows] == list(holm([row.p for row in rows]))


def test_cohorts_and_suites_have_families_of_their_own():
    """Each cohort is corrected for its own tests only."""
    two = predicted(seed=3) + predicted(seed=4, cohort="training")
    alone = subgroup_comparisons(predicted(seed=3), [VARIABLE])
    assert [row for row in subgroup_comparisons(two, [VARIABLE]) if row.cohort.startswith("validation")] == alone


def test_a_level_with_one_class_has_no_auc_and_no_test():
    """One class: no AUC; one patient of a class: an AUC without interval; neither is tested."""
    labels = {f"P{n}": (n // 3) % 2 for n in range(30)}
    labels |= {patient: 1 for patient, level in LEVELS.items() if level == "a"}
    labels |= {patient: int(patient != "P1") for patient, level in LEVELS.items() if level == "b"}
    predictions = predicted(labels=labels)
    rows = {row.level: row for row in subgroup_rows(predictions, [VARIABLE])}
    assert (rows["a"].n, rows["a"].events, rows["a"].auc) == (10, 10, None)
    assert rows["b"].auc is not None
    assert rows["b"].auc_lo is rows["b"].auc_hi is None
    assert subgroup_comparisons(predictions, [VARIABLE]) == []


def test_a_patient_predicted_several_times_counts_once():
    """Repeated out-of-fold predictions are averaged; patients without a level are in none."""
    first = predicted(seed=5, suite="honest", cohort="out_of_fold")
    again = [row.model_copy(update={"fold": 1, "probability": row.probability / 2}) for row in first]
    (a, *_) = subgroup_rows(
        [*first, *again], [VARIABLE._replace(of_patient=dict.fromkeys(("P0", "P3", "P6", "P9"), "a"))]
    )
    assert (a.suite, a.cohort, a.n, a.events) == ("honest", "out_of_fold", 4, 2)
    halved = [row.model_copy(update={"probability": 0.75 * row.probability}) for row in first]
    assert a.auc == auc(
        *(
            list(values)
            for values in zip(
                *[(r.label, r.probability) for r in halved if r.patient in ("P0", "P3", "P6", "P9")], strict=True
            )
        )
    )


def test_levels_come_from_the_store(cohort_of_90):
    """A category has its declared levels, a number its different values in order, as text."""
    cohort_of_90.edit('feature_sets = ["quick"]', 'feature_sets = ["quick"]\nsubgroups = ["sex", "afp"]')
    sex, afp = subgroup_levels(cohort_of_90.snapshot, cohort_of_90.study)
    assert (sex.variable, sex.levels) == ("sex", ("female", "male"))
    assert set(sex.of_patient.values()) == {"female", "male"}
    assert len(sex.of_patient) == len(afp.of_patient) == 90
    assert afp.levels == ("50", "800")


def test_a_number_with_many_values_is_refused(cohort_of_90):
    """Age is no subgroup: the error counts its values and says what to do."""
    cohort_of_90.edit('feature_sets = ["quick"]', 'feature_sets = ["quick"]\nsubgroups = ["age"]')
    with pytest.raises(ContractError, match=r"'age' has \d+ different values; at most 5") as error:
        subgroup_levels(cohort_of_90.snapshot, cohort_of_90.study)
    assert "category" in str(error.value.hint)


def test_a_study_without_subgroups_has_none(cohort_of_90):
    """Nothing is asked, nothing is judged."""
    assert subgroup_levels(cohort_of_90.snapshot, cohort_of_90.study) == []
    assert subgroup_rows(predicted(), []) == subgroup_comparisons(predicted(), []) == []
