"""Subgroups: levels from the store, AUCs per level, tests between levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas.errors import ContractError
from schemas.results import PredictionRow
from store.analyst.query import answer
from zoo.benchmark.subgroups import SubgroupLevels, subgroup_comparisons, subgroup_levels, subgroup_rows
from zoo.evaluation.auc import auc, logit_interval
from zoo.evaluation.delong import unpaired_delong
from zoo.evaluation.multiplicity import holm

SUBGROUPS_SQL = Path(__file__).parents[3] / "docs" / "subgroups.sql"
LEVELS = {f"P{n}": ("a", "b", "c")[n % 3] for n in range(30)}
VARIABLE = SubgroupLevels("site", ("a", "b", "c", "d"), LEVELS)


def predicted(model="m", *, seed=0, labels=None, **fields):
    """Return predictions of 30 patients P0 to P29."""
    random = np.random.default_rng(seed)
    given = labels or {f"P{n}": (n // 3) % 2 for n in range(30)}
    common = {"study": "s", "suite": "holdout", "model": model, "cohort": "validation", "threshold": 0.5} | fields
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


def test_out_of_fold_patients_are_ranked_within_their_folds():
    """In the nested-cv suite a level has the AUC over its pairs of one fold; a patient of two repeats counts once."""
    folds = {0: lambda n: (n // 3 + n // 6) % 2, 1: lambda n: 2 + (n // 12) % 2}
    predictions = [
        row.model_copy(update={"repeat": repeat, "fold": fold(int(row.patient[1:]))})
        for repeat, fold in folds.items()
        for row in predicted(seed=5 + repeat, suite="nested-cv", cohort="out_of_fold")
    ]
    own = [row for row in predictions if LEVELS[row.patient] == "a"]
    won = [
        float(one.probability > other.probability)
        for one in own
        for other in own
        if (one.fold, one.label, other.label) == (other.fold, 1, 0)
    ]
    (a, *_) = subgroup_rows(predictions, [VARIABLE])
    assert (a.suite, a.cohort, a.n, a.events) == ("nested-cv", "out_of_fold", 10, 5)
    assert a.auc == pytest.approx(np.mean(won), abs=1e-12)
    assert a.auc_lo < a.auc < a.auc_hi


def test_a_level_whose_folds_hold_one_label_each_has_no_auc():
    """Patients of both labels who never share a fold are in no pair: no AUC and no test."""
    rows = [row.model_copy(update={"fold": row.label}) for row in predicted(suite="nested-cv", cohort="out_of_fold")]
    (a, *_) = subgroup_rows(rows, [VARIABLE])
    assert (a.n, a.events, a.auc, a.auc_lo) == (10, 5, None, None)
    assert subgroup_comparisons(rows, [VARIABLE]) == []


def test_sql_alone_makes_every_subgroup_of_both_suites_again(cohort_of_90):
    """docs/subgroups.sql makes the subgroups' figures again from predictions and clinical values."""
    cohort_of_90.edit('feature_sets = ["quick"]', 'feature_sets = ["quick"]\nsubgroups = ["sex", "afp"]')
    labels = {row["patient"]: row["label"] for row in cohort_of_90.snapshot.rows("labels")}
    rows = predicted(seed=1, labels=dict(list(labels.items())[:40]))
    for fold in range(6):
        rows += [
            row.model_copy(update={"fold": fold, "repeat": fold // 3})
            for number, row in enumerate(predicted(seed=fold, labels=labels, suite="nested-cv", cohort="out_of_fold"))
            if (number * (1 + fold // 3) // (1 + fold // 3 * 2)) % 3 == fold % 3
        ]
    levels = subgroup_levels(cohort_of_90.snapshot, cohort_of_90.study)
    cohort_of_90.put("study_patients", [{"study": "s", "patient": patient} for patient in labels])
    cohort_of_90.put("predictions", [row.model_dump() | {"version": 1} for row in rows])
    cohort_of_90.put("subgroups", [row.model_dump() for row in subgroup_rows(rows, levels)])
    again = answer(cohort_of_90.snapshot, SUBGROUPS_SQL.read_text()).to_pylist()
    stored = answer(
        cohort_of_90.snapshot, "from subgroups order by study, suite, model, cohort, variable, level"
    ).to_pylist()
    assert len(again) == 8
    assert all(row["auc_lo"] < row["auc"] < row["auc_hi"] for row in stored)
    for mine, theirs in zip(again, stored, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9), (mine["suite"], mine["variable"], mine["level"])


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
