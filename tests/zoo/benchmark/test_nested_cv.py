"""The nested-cv suite: who trains and who is judged, what each fold may know, and figures that SQL makes again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from schemas.results import PredictionRow
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.repair.rows import repair_rows
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.benchmark.holdout import judged_model
from zoo.benchmark.leaderboard import former_figures, leaderboard_row
from zoo.benchmark.nested_cv import JudgedOutOfFold, comparisons_out_of_fold, judged_out_of_fold
from zoo.benchmark.recomputed import recomputed_checks, recomputed_rows
from zoo.evaluation.multiplicity import holm
from zoo.models.training import fit_and_save_model, plan_training

MODELS = ("cr", "radiomics_lr", "radiomics_knn")
REPEATS, FOLDS = 2, 2
LEADERBOARD_SQL = Path(__file__).parents[3] / "docs" / "leaderboard.sql"


def planned_on(written, models=MODELS, *, repeats=REPEATS, folds=FOLDS, **options):
    """Return a cross-validation of the written store."""
    labels = {"fixed": split_labels(written.snapshot, written.study, "fixed")}
    drawn = {"fixed": repeated_folds(labels["fixed"], repeats=repeats, folds=folds, seed=1)}
    return plan_cross_validation(written.snapshot, written.study, models, labels=labels, folds=drawn, **options)


@pytest.fixture(scope="module")
def found(pristine_cohort, tmp_path_factory):
    """Return the store of 90 patients, a cross-validation of three models and its results; tests only read it."""
    written = pristine_cohort.copied(tmp_path_factory.mktemp("honest"))
    planned = planned_on(written)
    return written, planned, {task.key: fitted_task(task) for task in planned.tasks}


@pytest.fixture(scope="module")
def judged(found):
    """Return what the cross-validation says about each model."""
    _, planned, results = found
    return {model: judged_out_of_fold("s", model, 1, planned, results) for model in MODELS}


def test_every_patient_of_the_split_is_predicted_once_a_repeat(found, judged):
    """Training and validation patients together, each in one fold a repeat, with the fold's number and threshold."""
    _, planned, _ = found
    for each in judged.values():
        assert len(each.predictions) == REPEATS * 90
        for fold in planned.folds["fixed"]:
            rows = [row for row in each.predictions if row.fold == fold.number]
            assert sorted(row.patient for row in rows) == sorted(fold.judged)
            assert {row.repeat for row in rows} == {fold.repeat}
            assert len({row.threshold for row in rows}) == 1
        assert (each.leaderboard.n, each.leaderboard.cohort, each.leaderboard.threshold) == (90, "out_of_fold", None)


def test_a_fit_holds_the_labels_of_its_training_patients_alone(found):
    """No label of a patient who is judged reaches the process that fits; whom it holds out are training patients."""
    _, planned, results = found
    for (model, number), task in planned.task_of.items():
        fold = planned.folds["fixed"][number]
        assert not set(task.labels) & set(task.judged)
        assert set(task.labels) <= set(fold.training)
        assert set(results[task.key][model]["held_out"]) == set(fold.training)


def test_what_happens_to_held_out_patients_does_not_reach_the_fit(found):
    """Other values of the patients held out leave every other probability, threshold and selection as they are."""
    written, planned, results = found
    task = planned.task_of["cr", 0]
    recipe = task.recipes[1]
    table = pl.read_parquet(recipe.dataset)
    half = task.judged[: len(task.judged) // 2]
    spoilt = table.with_columns(
        pl.when(pl.col("patient").is_in(half)).then(pl.lit(1e3)).otherwise(pl.col(name)).alias(name)
        for name in table.columns[3:]
    )
    file = written.root / "spoilt.parquet"
    spoilt.write_parquet(file)
    again = fitted_task(replace(task, recipes=(replace(recipe, dataset=file),)))[recipe.model]
    before = results[task.key][recipe.model]
    assert again["selected"] == before["selected"]
    rest = [patient for patient in task.judged if patient not in half]
    assert [again["probabilities"][p] for p in rest] == [before["probabilities"][p] for p in rest]
    assert again["probabilities"][half[0]] != before["probabilities"][half[0]]


def test_the_auc_is_the_mean_over_the_folds(judged):
    """The leaderboard's AUC is the mean of scikit-learn's over the folds, by their pairs; the planted signal shows."""
    for each in judged.values():
        aucs, weights = [], []
        for fold in range(REPEATS * FOLDS):
            labels = [row.label for row in each.predictions if row.fold == fold]
            aucs.append(roc_auc_score(labels, [row.probability for row in each.predictions if row.fold == fold]))
            weights.append(sum(labels) * (len(labels) - sum(labels)))
        assert each.leaderboard.auc == pytest.approx(np.average(aucs, weights=weights), abs=1e-12)
        assert each.leaderboard.auc > 0.7


def test_a_folds_threshold_is_youdens_on_inner_probabilities(found, judged):
    """It has the largest Youden index on probabilities of training patients by models that had not seen them."""
    _, planned, results = found
    labels = planned.labels["fixed"]
    pairs = results[planned.task_of["radiomics_lr", 0].key]["radiomics_lr"]["held_out"]
    assert sorted(pairs) == sorted(planned.folds["fixed"][0].training)
    truth, values = np.array([labels[p] for p in pairs]), np.array(list(pairs.values()))
    (threshold,) = {row.threshold for row in judged["radiomics_lr"].predictions if row.fold == 0}
    index = (values >= threshold)[truth == 1].mean() - (values >= threshold)[truth == 0].mean()
    # The cut is one of the model's own: between two of them an out-of-fold probability may lie.
    assert index == pytest.approx(np.subtract(*roc_curve(truth, values)[1::-1]).max(), abs=0.1)


def test_the_selection_frequency_counts_outer_folds(found, judged):
    """The planted columns are selected in every outer fold; counts are those of the fits; a factor counts too."""
    _, planned, results = found
    rows = {row["feature"]: row for row in judged["radiomics_lr"].selection_frequency}
    assert rows["AP__original_shape_Elongation"]["selected"] == REPEATS * FOLDS
    assert {row["folds"] for row in rows.values()} == {REPEATS * FOLDS}
    outer = [results[task.key]["radiomics_lr"]["selected"] for task in planned.tasks]
    assert sum(row["selected"] for row in rows.values()) == sum(len(each) for each in outer)
    assert "afp>400" in {row["feature"] for row in judged["cr"].selection_frequency}


def test_models_are_compared_on_averaged_placements_with_holm(judged):
    """Every pair is tested once, paired, on the out-of-fold cohort; the better model has the positive statistic."""
    rows = comparisons_out_of_fold("s", list(judged.values()))
    assert [(row.model_a, row.model_b) for row in rows] == [
        ("cr", "radiomics_lr"),
        ("cr", "radiomics_knn"),
        ("radiomics_lr", "radiomics_knn"),
    ]
    assert {(row.kind, row.cohort, row.suite) for row in rows} == {("paired", "out_of_fold", "nested-cv")}
    assert [row.p_holm for row in rows] == pytest.approx(list(holm([row.p for row in rows])))
    for row in rows:
        difference = judged[row.model_a].leaderboard.auc - judged[row.model_b].leaderboard.auc
        assert np.sign(row.statistic) == np.sign(difference)


def judged_with_other_folds(model, scores, labels, patients):
    """Return given scores as out-of-fold predictions of some patients, whose folds are drawn for them."""
    folds = repeated_folds({patient: labels[patient] for patient in patients}, repeats=2, folds=3, seed=1)
    own = {"study": "s", "suite": "nested-cv", "model": model, "cohort": "out_of_fold", "threshold": 0.5}
    rows = [
        PredictionRow(
            **own, patient=patient, fold=f.number, repeat=f.repeat, probability=scores[patient], label=labels[patient]
        )
        for f in folds
        for patient in f.judged
    ]
    return JudgedOutOfFold(model, 1, tuple(rows), leaderboard_row(rows), ())


def test_models_are_compared_where_their_folds_agree():
    """Equal scores on equal folds differ by nothing; on folds of another split they are left out, and of the tests."""
    random = np.random.default_rng(3)
    patients = [f"P{number:03}" for number in range(165)]
    labels = {patient: int(number % 5 < 2) for number, patient in enumerate(patients)}
    scores = {patient: float(random.beta(2 + labels[patient], 3)) for patient in patients}
    whole, same, part, rest = (
        judged_with_other_folds(name, scores, labels, of)
        for name, of in (("whole", patients), ("same", patients), ("part", patients[:120]), ("rest", patients[120:]))
    )
    fewer = replace(same, model="fewer", predictions=tuple(r for r in same.predictions if r.patient in patients[:150]))
    rows = comparisons_out_of_fold("s", [whole, same, part, rest, fewer])
    assert {(row.model_a, row.model_b) for row in rows} == {("whole", "same"), ("whole", "fewer"), ("same", "fewer")}
    assert [(row.statistic, row.p, row.p_holm) for row in rows] == [(0.0, 1.0, 1.0)] * 3
    assert comparisons_out_of_fold("s", [whole, part, rest]) == []


def test_sql_alone_makes_every_figure_of_both_suites_again(found, judged):
    """docs/leaderboard.sql, which reads nothing but the predictions, gives the leaderboard of both suites."""
    written, _, _ = found
    paper = []
    for model in MODELS:
        trained = fit_and_save_model(
            written.store, written.study, plan_training(written.snapshot, written.study, model), ""
        )
        written.put("datasets", [vars(trained.dataset)])
        paper.append(judged_model(written.snapshot, trained.row))
    predictions = [row for each in (*paper, *judged.values()) for row in each.predictions]
    leaderboard = [row for each in paper for row in each.leaderboard] + [each.leaderboard for each in judged.values()]
    for table, rows in (("predictions", predictions), ("leaderboard", leaderboard)):
        written.put(table, [row.model_dump() | {"version": 1} for row in rows])
    again = answer(written.snapshot, LEADERBOARD_SQL.read_text()).to_pylist()
    stored = answer(
        written.snapshot, "select * exclude (threshold, is_stale) from leaderboard order by study, suite, model, cohort"
    ).to_pylist()
    assert len(again) == 3 * len(MODELS)
    for mine, theirs in zip(again, stored, strict=True):
        assert mine.keys() == theirs.keys()
        assert mine == pytest.approx(theirs, abs=1e-9), (mine["suite"], mine["model"], mine["cohort"])


def test_intervals_of_a_former_release_are_no_damage(found, judged):
    """`store verify` takes the intervals that releases before wrote for what they are, and any other for an alteration.

    The next bench writes today's.
    """
    written, _, _ = found
    own = judged["radiomics_lr"]
    widened, _, former = former_figures(own.predictions)
    assert own.leaderboard.auc_lo < former["auc_lo"] < own.leaderboard.auc < former["auc_hi"] < own.leaderboard.auc_hi
    assert own.leaderboard.auc_lo != widened["auc_lo"] < former["auc_lo"]
    written.put("predictions", [row.model_dump() | {"version": 1} for row in own.predictions])
    for bounds, findings in (({}, 0), (widened, 0), (former, 0), (former | {"auc_lo": former["auc_lo"] - 0.01}, 1)):
        written.put("leaderboard", [own.leaderboard.model_dump() | bounds | {"version": 1}])
        (check,) = (each for each in recomputed_checks(written.store) if each.name == "leaderboard")
        assert len([each for each in check.findings if "nested-cv" in each.where]) == findings, bounds
    (check,) = (each for each in recomputed_checks(written.store) if each.name == "leaderboard")
    assert [each.what.partition(":")[0] for each in check.findings] == ["auc_lo"]


def test_slopes_of_a_former_release_are_no_damage(found, judged):
    """A slope that is no longer told, since its interval says nothing, may stand where a former release wrote it."""
    written, _, _ = found
    flat = [row.model_copy(update={"probability": 0.58 + 0.001 * row.probability}) for row in judged["cr"].predictions]
    row, (_, slope, _) = leaderboard_row(flat), former_figures(flat)
    assert row.calibration_slope is None
    assert abs(slope["calibration_slope"]) > 20
    written.put("predictions", [each.model_dump() | {"version": 1} for each in flat])
    for former, findings in (({}, 0), (slope, 0), ({"calibration_slope": 7.0}, 1)):
        written.put("leaderboard", [row.model_dump() | former | {"version": 1}])
        (check,) = (each for each in recomputed_checks(written.store) if each.name == "leaderboard")
        assert len([each for each in check.findings if "model cr," in each.where]) == findings, former


@pytest.mark.parametrize("of_release", ["former", "this one"])
def test_an_altered_interval_is_repaired_whoever_wrote_it(found, judged, tmp_path, of_release):
    """The sum of the table tells which of the two releases' figures the row had."""
    own = judged["radiomics_lr"]
    store = Store(tmp_path / "store", create=True)
    bounds = former_figures(own.predictions)[-1] if of_release == "former" else {}
    row = own.leaderboard.model_dump() | bounds | {"version": 1}
    with commit_to(store, "a bench") as commit:
        commit.put("predictions", [each.model_dump() | {"version": 1} for each in own.predictions])
        commit.put("leaderboard", [row])
    store.engine.dispose()
    with closing(sqlite3.connect(store.catalogue_file)) as catalogue, catalogue:
        catalogue.execute("update leaderboard set auc_lo = 0.1, auc = 0.99")
    again = Store(tmp_path / "store")
    assert [each.is_repaired for each in repair_rows(again, [recomputed_rows(again)])] == [True]
    (stored,) = Snapshot(again).rows("leaderboard")
    assert {name: stored[name] for name in row} == row


def test_sql_reads_nothing_but_the_predictions():
    """The SQL that makes the leaderboard again asks no other view."""
    text = LEADERBOARD_SQL.read_text()
    assert text.count("from predictions") == 1
    assert "leaderboard" not in "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def test_models_with_other_patients_are_judged_on_the_same_folds(cohort_of_90):
    """A patient without a factor is missing from one model's folds and nothing else changes; pairs share the rest."""
    cohort_of_90.put("clinical", [], replacing={"patient": "P70", "variable": "afp"})
    planned = planned_on(cohort_of_90, ("cr", "radiomics_lr"), repeats=1)
    results = {task.key: fitted_task(task) for task in planned.tasks}
    cr, radiomics = (judged_out_of_fold("s", model, 1, planned, results) for model in ("cr", "radiomics_lr"))
    assert (cr.leaderboard.n, radiomics.leaderboard.n) == (89, 90)
    folds = {row.patient: row.fold for row in radiomics.predictions}
    assert all(folds[row.patient] == row.fold for row in cr.predictions)
    assert len(comparisons_out_of_fold("s", [cr, radiomics])) == 1


def test_several_rows_of_a_patient_stay_together(tmp_path):
    """A patient's rows train together or are judged together, and give one probability, their mean."""
    random = np.random.default_rng(0)
    patients = [f"P{number:02}" for number in range(20) for _ in range(2)]
    labels = {patient: number % 2 for number, patient in enumerate(dict.fromkeys(patients))}
    table = pl.DataFrame(
        {
            "patient": patients,
            "cohort": "training",
            "label": [labels[patient] for patient in patients],
            "x": random.normal(size=40),
        }
    )
    table.write_parquet(tmp_path / "table.parquet")
    fold = repeated_folds(labels, repeats=1, folds=4, seed=0)[0]
    recipe = Recipe("m", LogisticRegression(), tmp_path / "table.parquet", "")
    task = FitTask(0, {p: labels[p] for p in fold.training}, fold.judged, (recipe,), {})
    got = fitted_task(task)["m"]["probabilities"]
    training = table.filter(pl.col("patient").is_in(fold.training))
    model = LogisticRegression().fit(training.select("x"), training["label"].to_numpy())
    expected = {
        patient: model.predict_proba(table.filter(pl.col("patient") == patient).select("x"))[:, 1].mean()
        for patient in fold.judged
    }
    assert got == pytest.approx(expected)


def test_everything_that_decides_a_fit_is_in_its_key(found):
    """Other labels, patients to judge, dataset, estimator, stable columns or libraries are another unit of work."""
    _, planned, _ = found
    task = planned.tasks[0]
    recipe = task.recipes[0]
    patient = next(iter(task.labels))
    others = [
        replace(task, labels={**task.labels, patient: 1 - task.labels[patient]}),
        replace(task, judged=task.judged[1:]),
        replace(task, recipes=task.recipes[1:]),
        replace(task, recipes=(replace(recipe, dataset_sha256="0"), *task.recipes[1:])),
        replace(task, recipes=(replace(recipe, estimator=LogisticRegression(C=2)), *task.recipes[1:])),
        replace(task, left_out={recipe.model: ("x",)}),
        replace(task, libraries={**task.libraries, "numpy": "0"}),
        replace(task, thresholds={}),
        replace(task, thresholds={**task.thresholds, recipe.model: 0.5}),
        replace(task, person_of={patient: "somebody"}),
    ]
    keys = {task.key, *(other.key for other in others)}
    assert len(keys) == len(others) + 1
    assert replace(task).key == task.key


def test_a_fold_without_both_labels_is_named(found):
    """A model whose training patients all have one label is not fitted: the reason has the fold and the counts."""
    _, planned, _ = found
    task = planned.tasks[0]
    for model, gave in fitted_task(replace(task, labels=dict.fromkeys(task.labels, 1))).items():
        n = len(task.labels)
        assert gave["unfit"]["message"].startswith(f"'{model}' cannot be fitted to {n} training patients, {n} with")
        assert (gave["unfit"]["where"], set(gave)) == ("fold 0", {"unfit"})
