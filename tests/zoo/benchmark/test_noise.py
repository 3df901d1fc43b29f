"""Pure noise: nothing is found inside the folds, and no door leads outside them."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.train.run import train
from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from schemas.study.text import parsed_study
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.evaluation.repeated import averaged_placements
from zoo.radiomics.pipelines import DEFAULT_SETTINGS
from zoo.registry import model_spec
from zoo.tables.inputs import model_inputs
from zoo.tables.model_table import KEY_COLUMNS, model_table

PATIENTS, EVENTS, COLUMNS, DATASETS, FOLDS = 80, 47, 400, 4, 3
MODELS = ("radiomics_lr", "radiomics_knn")
# A single AUC of such noise spreads by some .10 about one half (1.5 of DeLong's errors, as docs/benchmarks.md measures
# at a real study's size, where all five models are asked): the mean of four lies within three of its errors.
WITHIN = 3 * 0.10 / DATASETS**0.5


def noise(seed: int, folder: Path) -> tuple[dict[str, int], Path]:
    """Return labels and the file of a pinned dataset of standard normal columns."""
    labels = {f"N{number:03}": int(number < EVENTS) for number in range(PATIENTS)}
    values = np.random.default_rng(seed).standard_normal((PATIENTS, COLUMNS))
    keys = {"patient": list(labels), "cohort": ["training"] * PATIENTS, "label": list(labels.values())}
    names = [f"AP__noise{n}" for n in range(COLUMNS)]
    pl.DataFrame(keys).hstack(pl.DataFrame(values, schema=names, orient="row")).write_parquet(
        folder / f"{seed}.parquet"
    )
    return labels, folder / f"{seed}.parquet"


def out_of_fold(labels: dict[str, int], file: Path, seed: int) -> dict[str, float]:
    """Return each model's AUC over the folds, everything fitted inside them."""
    recipes = tuple(Recipe(name, model_spec(name).build(DEFAULT_SETTINGS, random_state=0), file, "") for name in MODELS)
    patients, areas = list(labels), {}
    folds = np.empty((1, PATIENTS), dtype=int)
    scores = {name: np.empty((1, PATIENTS)) for name in MODELS}
    for fold in repeated_folds(labels, repeats=1, folds=FOLDS, seed=seed):
        folds[0, [patients.index(p) for p in fold.judged]] = fold.number
        task = FitTask(fold.number, {p: labels[p] for p in fold.training}, fold.judged, recipes, {})
        for name, result in fitted_task(task).items():
            for patient, value in result["probabilities"].items():
                scores[name][0, patients.index(patient)] = value
    for name, values in scores.items():
        areas[name] = averaged_placements(list(labels.values()), values, folds).area
    return areas


def selected_outside(labels: dict[str, int], file: Path, seed: int) -> float:
    """Return the AUC over the folds of a classifier whose columns were selected with all patients in sight."""
    frame, truth = pl.read_parquet(file).drop(KEY_COLUMNS), np.array(list(labels.values()))
    pipeline = model_spec("radiomics_lr").build(DEFAULT_SETTINGS, random_state=0).estimator
    columns = pipeline[:-1].fit_transform(frame, truth)
    drawn = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(pipeline[-1], columns, truth, cv=drawn, scoring="roc_auc").mean())


@pytest.mark.slow
def test_in_pure_noise_nothing_is_found(tmp_path) -> None:
    """Over four data sets the mean AUC is one half within its error; selection outside the folds finds what is not."""
    found: dict[str, list[float]] = {name: [] for name in (*MODELS, "outside")}
    for seed in range(DATASETS):
        labels, file = noise(seed, tmp_path)
        for name, value in out_of_fold(labels, file, seed).items():
            found[name].append(value)
        found["outside"].append(selected_outside(labels, file, seed))
    for name in MODELS:
        assert abs(np.mean(found[name]) - 0.5) < WITHIN, (name, found[name])
    assert np.mean(found["outside"]) - 0.5 > 2 * WITHIN, found["outside"]


@pytest.mark.parametrize("key", ["features", "columns", "selected", "keep", "drop", "selected_features"])
def test_a_study_file_takes_no_list_of_columns(key) -> None:
    """A model's table in the study file has no key for preselected columns: the study is refused with the line."""
    text = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "t.csv"\n[phases.AP]\nimage = "i"\nmask = "m"\n'
    written = f'{text}[models.radiomics_lr]\n{key} = ["AP__original_shape_Flatness"]\n'
    with pytest.raises(ContractError, match=key):
        parsed_study(written, "study.toml")


def test_the_verbs_and_functions_take_no_columns(tmp_path, capsys) -> None:
    """Train and bench know no argument for columns; the command line refuses one as a fault of usage."""
    for function in (bench, train):
        assert not {"columns", "features", "selected", "table", "frame"} & set(inspect.signature(function).parameters)
    for option in ("--features", "--columns", "--selected"):
        assert exit_code(["--store", str(tmp_path), "bench", option, "AP__x"]) == 2
        assert exit_code(["--store", str(tmp_path), "train", "radiomics_lr", option, "AP__x"]) == 2
    capsys.readouterr()


def test_what_a_model_may_be_told_chooses_no_column_by_label() -> None:
    """Everything a study can set about a model is on this list; a new setting has to be thought about here."""
    blind_to_labels = {"feature_set", "regions", "phases", "split", "variables", "words", "harmonise", "missing_phases"}
    blind_to_labels |= {"base", "single_over_5cm_is_b"}
    fitted_inside = {"correction", "lasso_rule", "missing", "network", "threshold"}
    # Weights for the censored are told from a fold's training patients and from those who have no label.
    fitted_inside |= {"censoring"}
    # Factors are the analyst's choice of clinical variables, and ICC masks are computed again in every fold.
    chosen_beforehand, made_again = {"factors"}, {"minimum_icc", "icc_bound"}
    assert set(ModelSettings.model_fields) == blind_to_labels | fitted_inside | chosen_beforehand | made_again


def test_all_columns_enter_every_fold(pristine_cohort) -> None:
    """What the folds read is the whole table, however few columns the trained model came to use."""
    snapshot, study = pristine_cohort.snapshot, pristine_cohort.study
    labels = {"fixed": split_labels(snapshot, study, "fixed")}
    folds = {"fixed": repeated_folds(labels["fixed"], repeats=1, folds=3, seed=0)}
    planned = plan_cross_validation(snapshot, study, ["radiomics_lr"], labels=labels, folds=folds)
    whole = model_table(snapshot, study, model_inputs(study, model_spec("radiomics_lr"))).columns
    for task in planned.tasks:
        table = pl.read_parquet_schema(task.recipes[0].dataset)
        assert [name for name in table if name not in ("patient", "cohort", "label")] == whole
        assert task.left_out == {}


def test_a_stability_written_into_the_store_decides_nothing(pristine_cohort, tmp_path) -> None:
    """Rows of ``stability`` that favour chosen columns do not reach a fold: agreement is computed from its readings."""
    written = pristine_cohort.copied(tmp_path)
    written.edit("[models.radiomics_lr]\n", "[models.radiomics_lr]\nminimum_icc = 0.9\n")
    favoured = {"study": "s", "split": "fixed", "feature_set": "quick@1", "phase": "AP", "kind": "intra"}
    written.put("stability", [favoured | {"feature": "original_shape_Elongation", "patients": 30, "icc": 1.0}])
    labels = {"fixed": split_labels(written.snapshot, written.study, "fixed")}
    folds = {"fixed": repeated_folds(labels["fixed"], repeats=1, folds=3, seed=0)}
    with pytest.raises(ContractError, match="has no repeated readings"):
        plan_cross_validation(written.snapshot, written.study, ["radiomics_lr"], labels=labels, folds=folds)
