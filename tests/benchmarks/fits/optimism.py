"""What optimism-corrected figures come to on average, against the population that the patients were drawn from.

``OMP_NUM_THREADS=1 PYTHONPATH=tests python tests/benchmarks/fits/optimism.py``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from builders.resampled import optimism_rows, resampled_table
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression

from schemas.study.models import ModelSettings
from zoo.evaluation.auc import auc
from zoo.evaluation.calibration import brier, calibration_line
from zoo.registry import model_spec
from zoo.tables.fits import UnfitError, fit_model, label_probabilities

FIGURES = ("auc", "calibration_slope", "brier")


def drawn(seed: int, patients: int, columns: int, effect: float) -> pl.DataFrame:
    """Return patients with normal columns, five of which tell of the label."""
    random = np.random.default_rng([seed, patients, columns])
    values = random.standard_normal((patients, columns))
    labels = (random.random(patients) < expit(effect * values[:, :5].sum(axis=1))).astype(int)
    table = pl.DataFrame(values, schema=[f"AP__f{at:04}" for at in range(columns)])
    names = [f"p{at:05}" for at in range(patients)]
    return table.with_columns(pl.Series("patient", names), pl.Series("label", labels))


def measured(estimator: BaseEstimator, sets: int, resamples: int, patients: int, columns: int, effect: float) -> None:
    """Print apparent, corrected and true figures, means over data sets, and the time a resample takes."""
    new = drawn(10**6, 4000, columns, effect)
    inputs, theirs = new.drop("patient", "label"), new["label"].to_numpy()
    rows, true, began = [], {}, time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(sets):
            name, table = f"s{number:03}", drawn(number, patients, columns, effect)
            seen, labels = table.drop("patient", "label"), table["label"].to_numpy()
            try:
                rows += resampled_table(Path(folder), name, table, estimator, resamples=resamples).rows
                people = table["patient"].to_list()
                fitted = fit_model(clone(estimator), seen, labels, model="m", place="", hint="", people=people)
            except UnfitError as error:
                print(f"  {name}: {error.message}")
                continue
            values = label_probabilities(fitted, inputs, model="m", place="")
            true[name] = (auc(theirs, values), calibration_line(theirs, values).slope, brier(theirs, values))
    seconds = (time.process_time() - began) / (sets * (resamples + 1))
    told = {(row["study"], row["figure"]): row for row in optimism_rows(rows)}
    for at, figure in enumerate(FIGURES):
        found = [
            (*(told[name, figure][column] for column in ("apparent", "corrected", "left_out")), of_name[at])
            for name, of_name in true.items()
            if None not in (told[name, figure]["corrected"], told[name, figure]["left_out"], of_name[at])
        ]
        if len(found) < 2:
            print(f"  {figure}: told of {len(found)} data sets")
            continue
        apparent, corrected, left_out, truth = np.array(found).T
        error = (corrected - truth).std(ddof=1) / np.sqrt(len(found))
        print(
            f"  {figure}: told of {len(found)}, apparent {apparent.mean():.3f}, corrected {corrected.mean():.3f}, "
            f"left out {left_out.mean():.3f}, true {truth.mean():.3f}; "
            f"corrected less true {(corrected - truth).mean():+.3f} (error {error:.3f}), "
            f"spread {(corrected - truth).std(ddof=1):.3f}"
        )
    print(f"  {seconds:.2f} s of processor time a resample", flush=True)


def main() -> None:
    """Measure a logistic model of few columns, and a model that selects."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--resamples", type=int, default=25)
    parser.add_argument("--only", default="", help="a part of a setting's name")
    options = parser.parse_args()
    plain = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    selecting = model_spec("radiomics_lr").build(ModelSettings(), random_state=0)
    for what, estimator, patients, columns, effect in (
        ("logistic regression, 100 patients, 10 columns", plain, 100, 10, 0.5),
        ("radiomics_lr, 100 patients, 60 columns", selecting, 100, 60, 0.5),
        ("radiomics_lr, 100 patients, 600 columns", selecting, 100, 600, 0.5),
        ("radiomics_lr, 100 patients, 600 columns, nothing to find", selecting, 100, 600, 0.0),
    ):
        if options.only not in what:
            continue
        print(what, flush=True)
        measured(estimator, options.sets, options.resamples, patients, columns, effect)


if __name__ == "__main__":
    main()
