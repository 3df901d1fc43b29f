"""What the honest suite, and selection outside the folds, find in pure noise of a real study's size.

    OMP_NUM_THREADS=1 python tests/benchmarks/noise.py [--datasets 1] [--first 0] [--repeats 5] [--models ...]

165 patients, 96 of them with label 1, 3,111 standard normal columns: nothing to find, so the true AUC of every model
is one half. Each further data set draws other noise.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline

from schemas.study import ModelSettings
from zoo.evaluation.auc import auc, auc_variance, component_variance
from zoo.evaluation.repeated import averaged_placements
from zoo.fold_fits import FitTask, Recipe, fitted_task
from zoo.folds import Fold, repeated_folds
from zoo.registry import model_spec
from zoo.training import RANDOM_STATE

MODELS = ("radiomics_lr", "radiomics_svm", "radiomics_knn", "radiomics_xgb", "radiomics_mlp")
PATIENTS, EVENTS, COLUMNS = 165, 96, 3111


def noise(seed: int, folder: Path) -> tuple[dict[str, int], Path, pl.DataFrame]:
    """Return labels, and a table of standard normal columns as the file of a pinned dataset and as a frame."""
    labels = {f"N{number:03}": int(number < EVENTS) for number in range(PATIENTS)}
    values = np.random.default_rng(seed).standard_normal((PATIENTS, COLUMNS))
    frame = pl.DataFrame(values, schema=[f"AP__noise{n}" for n in range(COLUMNS)], orient="row")
    keys = {"patient": list(labels), "cohort": ["training"] * PATIENTS, "label": list(labels.values())}
    table = pl.DataFrame(keys).hstack(frame)
    file = folder / f"noise-{seed}.parquet"
    table.write_parquet(file)
    return labels, file, frame


def inside(labels: dict[str, int], file: Path, folds: list[Fold], models: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return out-of-fold probabilities of repeats by patients, everything fitted inside the folds."""
    build = {name: model_spec(name).build(ModelSettings(), random_state=RANDOM_STATE) for name in models}
    recipes = tuple(Recipe(name, estimator, file, "") for name, estimator in build.items())
    patients = list(labels)
    found = {name: np.empty((folds[-1].repeat + 1, len(patients))) for name in models}
    for fold in folds:
        task = FitTask(fold.number, None, {p: labels[p] for p in fold.training}, fold.judged, recipes, {})
        for name, result in fitted_task(task).items():
            for patient, value in result["probabilities"].items():
                found[name][fold.repeat, patients.index(patient)] = value
        print(".", end="", flush=True)
    print()
    return found


def outside(labels: dict[str, int], frame: pl.DataFrame, folds: list[Fold]) -> np.ndarray:
    """Return out-of-fold probabilities where the selection has seen all patients, the fault that the suite excludes."""
    truth = np.array(list(labels.values()))
    whole = model_spec("radiomics_lr").build(ModelSettings(), random_state=RANDOM_STATE)
    selected = Pipeline(whole.steps[:-1]).fit_transform(frame, truth)
    classifier = Pipeline([("variance", VarianceThreshold()), whole.steps[-1]])
    patients = list(labels)
    found = np.empty((folds[-1].repeat + 1, len(patients)))
    for fold in folds:
        training = [patients.index(p) for p in fold.training]
        judged = [patients.index(p) for p in fold.judged]
        classifier.fit(selected[training], truth[training])
        found[fold.repeat, judged] = classifier.predict_proba(selected[judged])[:, 1]
    return found


def main() -> None:
    """Print AUC and standard error of every model on every data set, and of selection outside the folds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    asked = parser.parse_args()
    areas: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.first, asked.first + asked.datasets):
            seed = RANDOM_STATE + number
            labels, file, frame = noise(seed, Path(folder))
            truth = np.array(list(labels.values()))
            folds = repeated_folds(labels, repeats=asked.repeats, folds=5, seed=RANDOM_STATE)
            print(f"noise of seed {seed}, {asked.repeats} repeats of 5 folds")
            print(f"{'outside the folds':20} {averaged_placements(truth, outside(labels, frame, folds)).area:.3f}")
            for name, scores in inside(labels, file, folds, tuple(asked.models)).items():
                counts = averaged_placements(truth, scores)
                areas.setdefault(name, []).append(counts.area)
                error = component_variance(*counts) ** 0.5
                single = ", ".join(f"{auc(truth, row):.3f}" for row in scores)
                once = auc_variance(truth, scores[0]) ** 0.5
                print(
                    f"{name:20} {counts.area:.3f}  SE {error:.3f} (one repeat {once:.3f})  repeats {single}", flush=True
                )
    for name, found in areas.items():
        if len(found) > 1:
            spread = np.std(found, ddof=1)
            mean, error = np.mean(found), spread / len(found) ** 0.5
            print(f"{name:20} mean of {len(found)} data sets {mean:.3f}, its SE {error:.3f}, spread {spread:.3f}")


if __name__ == "__main__":
    main()
