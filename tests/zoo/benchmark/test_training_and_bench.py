"""Training and judging: versions, pinned inputs, thresholds, and figures that follow from the predictions."""

import json

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import brier_score_loss, roc_auc_score

from schemas.errors import ContractError
from store.analyst.query import answer
from zoo.benchmark.holdout import comparison_rows, corrected_rows, judged_model
from zoo.evaluation.classification import classification
from zoo.evaluation.delong import DeLongTest
from zoo.evaluation.intervals import wilson_interval
from zoo.evaluation.multiplicity import holm
from zoo.models.training import fit_and_save_model, plan_training
from zoo.radiomics.lasso import LassoSelector
from zoo.radiomics.shared_fits import SharedFits
from zoo.saving.folders import local_model_folder
from zoo.saving.persist import load_model

MODELS = ("cr", "radiomics_lr")


def plan_of(written, model):
    """Return the plan of a model's training."""
    return plan_training(written.snapshot, written.study, model)


@pytest.fixture(scope="module")
def pristine(pristine_cohort, tmp_path_factory):
    """Return a store with both models trained, and their rows; tests only read it."""
    written = pristine_cohort.copied(tmp_path_factory.mktemp("trained"))
    return written, {model: written.train(model) for model in MODELS}


@pytest.fixture
def trained(pristine, tmp_path):
    """Return a copy of the store with both models trained, to be changed."""
    written, rows = pristine
    return written.copied(tmp_path), rows


def arrays(judged, cohort):
    """Return labels and probabilities of one cohort."""
    rows = [row for row in judged.predictions if row.cohort == cohort]
    return np.array([row.label for row in rows]), np.array([row.probability for row in rows])


@pytest.mark.parametrize("model", MODELS)
def test_training_again_from_the_same_inputs_is_the_same_version(trained, model):
    """With nothing changed there is nothing to train: the version, the dataset and the folder are those there are."""
    written, rows = trained
    plan = plan_of(written, model)
    assert (plan.current_version, plan.next_version) == (1, 2)
    assert plan.dataset.dataset_id == rows[model]["dataset_id"]
    assert plan.training_sha256 == rows[model]["training_sha256"]


@pytest.mark.parametrize("model", MODELS)
def test_the_same_training_gives_the_same_bytes(cohort_of_90, model):
    """Two fits of the same inputs, under two versions, have one hash and one threshold."""
    first, second = (cohort_of_90.train(model) for _ in range(2))
    assert (first["version"], second["version"]) == (1, 2)
    assert (first["sha256"], first["threshold"]) == (second["sha256"], second["threshold"])


def test_a_changed_cut_point_is_a_new_version_and_the_old_one_stays(trained):
    """Another cut point makes version 2; version 1 can still be loaded and judged."""
    written, rows = trained
    written.edit("above = 400", "above = 40")
    assert plan_of(written, "cr").current_version is None
    second = written.train("cr")
    assert second["version"] == 2
    assert second["path"] != rows["cr"]["path"]
    assert judged_model(written.snapshot, rows["cr"]).version == 1
    written.edit("above = 40 ", "above = 400 ")
    assert plan_of(written, "cr").current_version == 1


def test_a_cut_point_between_the_same_patients_is_a_new_version_too(cohort_of_90):
    """Under a name of its own a factor's cut point may move without moving a patient: the model means another thing."""
    cohort_of_90.edit("above = 400", 'above = 400, name = "AFP high"')
    cohort_of_90.train("cr")
    cohort_of_90.edit("above = 400", "above = 500")
    plan = plan_of(cohort_of_90, "cr")
    assert plan.current_version is None
    assert plan.next_version == 2


def test_a_changed_value_is_a_new_version_for_the_models_that_read_it(trained):
    """One patient's corrected age concerns the clinical model and not the radiomics one."""
    written, _ = trained
    written.clinical("P07", age=99.0)
    assert plan_of(written, "cr").current_version is None
    assert plan_of(written, "radiomics_lr").current_version == 1


def test_a_changed_description_or_title_trains_nothing(trained):
    """What does not decide the model does not train it."""
    written, _ = trained
    written.edit('title = "t"', 'title = "another title"')
    assert [plan_of(written, model).current_version for model in MODELS] == [1, 1]


@pytest.mark.parametrize("model", MODELS)
def test_a_model_does_not_see_the_patients_it_is_judged_on(trained, model):
    """Other values and labels of the validation patients leave the fitted model and its threshold as they are."""
    written, rows = trained
    validation = [f"P{number:02}" for number in range(60, 90)]
    for patient in validation:
        written.clinical(patient, afp=1e5, age=1.0)
    labels = written.snapshot.rows("labels")
    flipped = [row | {"label": 1 - row["label"]} if row["patient"] in validation else row for row in labels]
    written.put("labels", [{k: v for k, v in row.items() if k != "added_commit"} for row in flipped])
    second = written.train(model)
    assert second["version"] == 2
    assert second["threshold"] == rows[model]["threshold"]
    assert json.loads(second["summary"]) == json.loads(rows[model]["summary"])


def test_the_planted_features_are_found(trained):
    """The radiomics model's features are led by the two columns that carry the signal, with the right sign."""
    _, rows = trained
    features = json.loads(rows["radiomics_lr"]["summary"])["features"]
    signs = {row["feature"]: np.sign(row["coefficient"]) for row in features[:2]}
    assert signs == {"AP__original_shape_Elongation": 1.0, "AP__original_shape_Flatness": -1.0}


def test_the_clinical_model_is_that_of_statsmodels(trained):
    """AFP over the cut point, the planted factor, has the coefficient of a plain logistic regression on it."""
    written, rows = trained
    summary = json.loads(rows["cr"]["summary"])
    inputs, labels, _ = plan_of(written, "cr").table.of_cohort("training")
    (effect,) = summary["multivariable"]
    assert effect["factor"] == "afp>400"
    reference = sm.Logit(labels.to_numpy(), sm.add_constant(inputs["afp>400"].to_numpy())).fit(disp=0)
    assert [summary["intercept"], effect["coefficient"]] == pytest.approx(list(reference.params), rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_threshold_is_youdens_on_held_out_training_patients(trained, model):
    """It has the largest sensitivity + specificity of any cut of the probabilities of inner folds."""
    written, rows = trained
    loaded = load_model(local_model_folder(written.store, rows[model]), rows[model]["sha256"])
    probabilities = loaded.estimator.held_out_probabilities_
    labels = plan_of(written, model).table.of_cohort("training")[1].to_numpy()
    assert "by fits that had not seen them" in loaded.metadata["threshold_rule"]
    low, high = loaded.metadata["threshold_spread"]
    assert low <= rows[model]["threshold"] <= high
    own = np.unique(arrays(judged_model(written.snapshot, rows[model]), "training")[1])
    cuts = [own[0], *((own[:-1] + own[1:]) / 2)]
    index = [(probabilities >= cut)[labels == 1].mean() - (probabilities >= cut)[labels == 0].mean() for cut in cuts]
    called = probabilities >= rows[model]["threshold"]
    assert called[labels == 1].mean() - called[labels == 0].mean() == pytest.approx(max(index), abs=1e-12)
    assert rows[model]["threshold"] == pytest.approx(cuts[int(np.argmax(index))])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cohort", ["training", "validation"])
def test_figures_follow_from_the_predictions(trained, model, cohort):
    """AUC and Brier score are those of scikit-learn, the rates those of counting the calls."""
    written, rows = trained
    judged = judged_model(written.snapshot, rows[model])
    (figures,) = [row for row in judged.leaderboard if row.cohort == cohort]
    labels, probabilities = arrays(judged, cohort)
    called = probabilities >= rows[model]["threshold"]
    assert (figures.n, figures.events) == (len(labels), labels.sum())
    assert figures.n == {"training": 60, "validation": 30}[cohort]
    expected = {
        "auc": roc_auc_score(labels, probabilities),
        "brier": brier_score_loss(labels, probabilities),
        "accuracy": (called == labels).mean(),
        "sensitivity": called[labels == 1].mean(),
        "specificity": (~called[labels == 0]).mean(),
        "ppv": labels[called].mean(),
        "npv": 1 - labels[~called].mean(),
    }
    assert {name: getattr(figures, name) for name in expected} == pytest.approx(expected, abs=1e-12)
    assert figures.auc_lo < figures.auc < figures.auc_hi
    assert figures.auc_delong_lo < figures.auc < figures.auc_delong_hi


def test_sql_gives_the_figures_again(trained):
    """From predictions in the store, SQL makes AUC (rank formula), sensitivity and specificity of the leaderboard."""
    written, rows = trained
    judged = [judged_model(written.snapshot, row) for row in rows.values()]
    for table in ("predictions", "leaderboard"):
        written.put(table, [row.model_dump() | {"version": 1} for each in judged for row in getattr(each, table)])
    again = answer(
        written.snapshot,
        """
        select p.model, p.cohort,
            (select avg(case when a.probability > b.probability then 1.0
                             when a.probability = b.probability then 0.5 else 0.0 end)
             from predictions a, predictions b
             where a.label = 1 and b.label = 0 and a.model = p.model and b.model = p.model
               and a.cohort = p.cohort and b.cohort = p.cohort) auc,
            avg((p.probability >= l.threshold)::int) filter (p.label = 1) sensitivity,
            avg((p.probability < l.threshold)::int) filter (p.label = 0) specificity
        from predictions p join leaderboard l using (study, suite, model, cohort)
        group by p.model, p.cohort order by all
        """,
    ).to_pylist()
    stored = answer(
        written.snapshot, "select model, cohort, auc, sensitivity, specificity from leaderboard order by all"
    ).to_pylist()
    assert len(again) == 4
    for mine, theirs in zip(again, stored, strict=True):
        assert (mine.pop("model"), mine.pop("cohort")) == (theirs.pop("model"), theirs.pop("cohort"))
        assert mine == pytest.approx(theirs, abs=1e-12)


def test_the_views_bounds_of_rates_are_wilsons(trained):
    """Sensitivity and specificity have the interval that the library gives for the same counts."""
    written, rows = trained
    judged = [judged_model(written.snapshot, row) for row in rows.values()]
    written.put("leaderboard", [row.model_dump() | {"version": 1} for each in judged for row in each.leaderboard])
    bounds = {(row["model"], row["cohort"]): row for row in answer(written.snapshot, "from leaderboard").to_pylist()}
    assert len(bounds) == 4
    for each in judged:
        for cohort in ("training", "validation"):
            counts = classification(*arrays(each, cohort), rows[each.model]["threshold"])
            for rate in ("sensitivity", "specificity"):
                shown = bounds[each.model, cohort]
                assert (shown[f"{rate}_lo"], shown[f"{rate}_hi"]) == pytest.approx(counts.interval(rate), abs=1e-12)


def test_rates_of_nobody_and_means_over_repeats_have_no_bounds(trained):
    """Rates of 0 and 1 have Wilson's bounds; one without patients, and all of the nested-cv suite, have none."""
    written, rows = trained
    (first, *_) = judged_model(written.snapshot, rows["cr"]).leaderboard
    own = first.model_dump() | {"version": 1, "n": 30, "events": 10, "sensitivity": 1.0, "specificity": 0.0}
    written.put(
        "leaderboard",
        [
            own | {"model": "extreme"},
            own | {"model": "repeated", "suite": "nested-cv", "cohort": "out_of_fold"},
            own | {"model": "without", "events": 0, "sensitivity": None, "specificity": 0.5},
        ],
    )
    asked = "select sensitivity_lo, sensitivity_hi, specificity_lo, specificity_hi from leaderboard order by model"
    extreme, repeated, without = (tuple(row.values()) for row in answer(written.snapshot, asked).to_pylist())
    assert extreme == pytest.approx((*wilson_interval(10, 10), *wilson_interval(0, 20)), abs=1e-12)
    assert repeated == (None, None, None, None)
    assert without[:2] == (None, None)
    assert without[2:] == pytest.approx(wilson_interval(15, 30), abs=1e-12)


def test_a_model_is_judged_on_its_pinned_dataset(trained):
    """Values that changed after the training change none of the old version's figures."""
    written, rows = trained
    before = judged_model(written.snapshot, rows["cr"])
    for number in range(90):
        written.clinical(f"P{number:02}", afp=1e4)
    assert judged_model(written.snapshot, rows["cr"]) == before


def test_a_changed_model_file_is_refused(trained):
    """A model whose folder is not what the catalogue has on record is not loaded."""
    written, rows = trained
    file = written.root / rows["cr"]["path"] / "model.json"
    record = json.loads(file.read_text())
    record["metadata"]["threshold"] = 0.99
    file.write_text(json.dumps(record))
    with pytest.raises(ContractError, match="changed after they were saved") as error:
        judged_model(written.snapshot, rows["cr"])
    assert error.value.exit_code == 4


def test_a_missing_model_folder_is_named(trained):
    """A model whose folder is gone breaks the store's promise: exit code 4, with the place where it was."""
    written, rows = trained
    folder = written.root / rows["cr"]["path"]
    folder.rename(folder.with_name("moved"))
    with pytest.raises(ContractError, match="is missing") as error:
        judged_model(written.snapshot, rows["cr"])
    assert error.value.where == str(folder)


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_knows_what_it_reads(trained, model):
    """The model's folder holds its columns in order, its threshold and its dataset."""
    written, rows = trained
    loaded = load_model(written.root / rows[model]["path"], rows[model]["sha256"])
    assert loaded.metadata["columns"] == plan_of(written, model).table.columns
    assert loaded.metadata["threshold"] == rows[model]["threshold"]
    assert loaded.metadata["dataset_id"] == rows[model]["dataset_id"]


def test_who_was_left_out_is_on_record(cohort_of_90):
    """The model's summary names the patients that were left out, and why; they are not judged either."""
    cohort_of_90.put("clinical", [], replacing={"patient": "P03", "variable": "age"})
    cohort_of_90.put("clinical", [], replacing={"patient": "P70", "variable": "afp"})
    row = cohort_of_90.train("cr")
    assert json.loads(row["summary"])["excluded"] == {"P03": "no clinical factors", "P70": "no clinical factors"}
    judged = judged_model(cohort_of_90.snapshot, row)
    assert [figures.n for figures in judged.leaderboard] == [59, 29]


def test_models_are_compared_on_the_patients_they_share(cohort_of_90):
    """A patient whom one model could not judge is in no paired test; p values are Holm's within kind and cohort."""
    cohort_of_90.put("clinical", [], replacing={"patient": "P70", "variable": "afp"})
    rows = {model: cohort_of_90.train(model) for model in MODELS}
    judged = [judged_model(cohort_of_90.snapshot, row) for row in rows.values()]
    assert [figures.n for each in judged for figures in each.leaderboard if figures.cohort == "validation"] == [29, 30]
    found = comparison_rows("s", "holdout", judged)
    assert [(row.kind, row.cohort, row.model_a, row.model_b) for row in found] == [
        ("paired", "training", "cr", "radiomics_lr"),
        ("paired", "validation", "cr", "radiomics_lr"),
        ("unpaired", "training-validation", "cr", "cr"),
        ("unpaired", "training-validation", "radiomics_lr", "radiomics_lr"),
    ]
    unpaired = [row for row in found if row.kind == "unpaired"]
    assert [row.p_holm for row in unpaired] == pytest.approx(list(holm([row.p for row in unpaired])))
    assert [row.p_holm for row in found[:2]] == [row.p for row in found[:2]]


def test_holms_family_is_the_declared_one():
    """With primary comparisons the others keep their p and have no corrected one; without, all are one family."""
    pairs = {("a", "b"): 0.01, ("a", "c"): 0.02, ("b", "c"): 0.03}
    tests = [(a, b, DeLongTest("paired", 2.0, None, p, 0.7, 0.6)) for (a, b), p in pairs.items()]
    declared = corrected_rows("s", "holdout", "validation", tests, [("c", "a"), ("b", "c")])
    assert [row.p_holm for row in declared] == [None, 0.04, 0.04]
    assert [row.p for row in declared] == [0.01, 0.02, 0.03]
    assert [row.p_holm for row in corrected_rows("s", "holdout", "validation", tests)] == [0.03, 0.04, 0.04]
    assert [row.p_holm for row in corrected_rows("s", "holdout", "validation", tests, [("x", "y")])] == [None] * 3


def test_a_null_feature_is_imputed_and_the_patient_judged(cohort_of_90):
    """A patient with a feature that could not be computed is trained on and judged."""
    rows = {
        ("P05", "AP", "R2"): {"original_shape_Elongation": None},
        ("P65", "AP", "R2"): {"original_shape_Flatness": None},
    }
    cohort_of_90.features(rows)
    masks = cohort_of_90.snapshot.rows("study_masks")
    read_again = {("P05", "AP"), ("P65", "AP")}
    cohort_of_90.put(
        "study_masks",
        [
            {name: value for name, value in row.items() if name != "added_commit"}
            | {"is_primary": int(row["reader"] == "R2" or (row["patient"], row["phase"]) not in read_again)}
            for row in masks
        ],
    )
    row = cohort_of_90.train("radiomics_lr")
    judged = judged_model(cohort_of_90.snapshot, row)
    assert [figures.n for figures in judged.leaderboard] == [60, 30]
    assert all(0 < prediction.probability < 1 for prediction in judged.predictions)


def test_a_model_that_keeps_no_factor_is_judged_as_what_it_is(cohort_of_90):
    """Where no factor passes, everyone has one probability: AUC .5, and rates without a denominator stay open."""
    for number in range(90):
        cohort_of_90.clinical(f"P{number:02}", afp=500.0 if number % 2 else 5.0)
    row = cohort_of_90.train("cr")
    judged = judged_model(cohort_of_90.snapshot, row)
    assert len({row.probability for row in judged.predictions}) == 1
    for figures in judged.leaderboard:
        assert figures.auc == 0.5
        assert {figures.ppv is None, figures.npv is None} == {True, False}
        assert figures.calibration_slope is None


def test_trainings_share_their_selection(cohort_of_90, monkeypatch):
    """Two radiomics models need the LASSO of one, and are saved as they are alone, to the byte."""
    fits = []
    fit = LassoSelector.fit
    monkeypatch.setattr(LassoSelector, "fit", lambda self, X, y: fits.append(1) or fit(self, X, y))
    plans = [plan_of(cohort_of_90, model) for model in ("radiomics_lr", "radiomics_knn")]
    shared = SharedFits()
    store, study = cohort_of_90.store, cohort_of_90.study
    together = [fit_and_save_model(store, study, plan, "", shared).row["sha256"] for plan in plans]
    assert len(fits) == 1 + 5
    assert [fit_and_save_model(store, study, plan, "").row["sha256"] for plan in plans] == together
    assert len(fits) == 3 * (1 + 5)


def test_another_rule_is_another_model(cohort_of_90):
    """The rule of the threshold is in a training's hash, but for the one that models of before have."""
    plans = {}
    for rule in ("youden", "youden-training", "0.5"):
        written = f'threshold = "{rule}"\n' if rule.startswith("youden") else f"threshold = {rule}\n"
        cohort_of_90.edit("[models.cr]\n", f"[models.cr]\n{written}")
        plans[rule] = plan_of(cohort_of_90, "cr").training_sha256
        cohort_of_90.edit(f"[models.cr]\n{written}", "[models.cr]\n")
    assert len(set(plans.values())) == 3
    assert plan_of(cohort_of_90, "cr").training_sha256 == plans["youden"]
