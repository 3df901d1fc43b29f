"""What the nested-cv suite, and selection outside the folds, find in pure noise of a real study's size.

    OMP_NUM_THREADS=1 python tests/benchmarks/noise.py [--datasets 24] [--first 0] [--repeats 1] [--keep FOLDER]

165 patients, 96 of them with label 1, 3,111 standard normal columns: nothing to find, so the true AUC of every model
is one half. Each data set draws other noise. With ``--keep`` the out-of-fold probabilities of a data set stay in a
folder, and a data set that is there is not computed again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline

from schemas.study.models import ModelSettings
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task
from zoo.benchmark.folds import Fold, repeated_folds
from zoo.evaluation.auc import auc, component_variance
from zoo.evaluation.repeated import averaged_placements
from zoo.models.training import RANDOM_STATE
from zoo.registry import model_spec

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


def fold_numbers(patients: list[str], folds: list[Fold]) -> np.ndarray:
    """Return the fold that each patient was held out of, repeats by patients."""
    found = np.empty((folds[-1].repeat + 1, len(patients)), dtype=np.int64)
    for fold in folds:
        found[fold.repeat, [patients.index(patient) for patient in fold.judged]] = fold.number
    return found


def scores_of(number: int, repeats: int, models: tuple[str, ...], keep: Path) -> dict[str, np.ndarray]:
    """Return a data set's out-of-fold probabilities by model, and those of selection outside the folds."""
    file = keep / f"{number}-{repeats}-{'-'.join(models)}.npz"
    if not file.exists():
        labels, table, frame = noise(RANDOM_STATE + number, keep)
        folds = repeated_folds(labels, repeats=repeats, folds=5, seed=RANDOM_STATE)
        found = {"outside the folds": outside(labels, frame, folds)} | inside(labels, table, folds, models)
        table.unlink()
        np.savez(file, **found)
    with np.load(file) as stored:
        return dict(stored)


def main() -> None:
    """Print AUC and standard error of every model on every data set, and what all data sets say of each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=24)
    parser.add_argument("--first", type=int, default=0, help="number of the first data set")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--keep", type=Path, help="a folder for the probabilities of finished data sets")
    asked = parser.parse_args()
    labels = {f"N{number:03}": int(number < EVENTS) for number in range(PATIENTS)}
    truth = np.array(list(labels.values()))
    folds = fold_numbers(list(labels), repeated_folds(labels, repeats=asked.repeats, folds=5, seed=RANDOM_STATE))
    areas: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        keep = asked.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        for number in range(asked.first, asked.first + asked.datasets):
            print(f"noise of seed {RANDOM_STATE + number}, {asked.repeats} repeats of 5 folds", flush=True)
            for name, scores in scores_of(number, asked.repeats, tuple(asked.models), keep).items():
                counts = averaged_placements(truth, scores, folds)
                error = component_variance(*counts) ** 0.5
                pooled = float(np.mean([auc(truth, row) for row in scores]))
                areas.setdefault(name, []).append((counts.area, error, pooled))
                print(f"{name:20} {counts.area:.3f}  DeLong's error {error:.3f}, ranks pooled {pooled:.3f}", flush=True)
    print(
        "| | data sets | mean AUC | its error | spread | DeLong's error | .5 within 1 | 1.96 | pooled: mean | error |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, found in areas.items():
        values, errors, pooled = np.array(found).T
        count = len(found)
        spreads = [each.std(ddof=1) if count > 1 else np.nan for each in (values, pooled)]
        within = [int((np.abs(values - 0.5) <= width * errors).sum()) for width in (1, 1.96)]
        print(
            f"| {name} | {count} | {values.mean():.3f} | {spreads[0] / count**0.5:.3f} | {spreads[0]:.3f} "
            f"| {errors.mean():.3f} | {within[0]} | {within[1]} | {pooled.mean():.3f} | {spreads[1] / count**0.5:.3f} |"
        )


if __name__ == "__main__":
    main()
