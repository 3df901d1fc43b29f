"""How often intervals hold the true figure: the AUC's of a small cohort, and all others of the view performance.

    OMP_NUM_THREADS=1 python tests/benchmarks/interval_coverage.py [--datasets 200] [--patients 80 165 400]

AUC: scores are normal in both labels with equal variance, so the true AUC is known.

Nested cross-validation, five repeats of five folds: 311 standard normal columns of which ten tell the label, or none; a
model is that of nested_cv_coverage.py, its scores turned into probabilities, and its threshold chosen, by what inner
folds held out. A figure's true value is its mean over the data sets: that of models made from such data.

Added value: how often the likelihood-ratio test tells a second model of noise from nothing where both models' scores
are means over the repeats of nested cross-validation: why the report makes it on held-out patients alone.

Holdout: one model, its probabilities too extreme by a half, judged on draws of patients; the true values are those of a
million.
"""

from __future__ import annotations

import argparse

import duckdb
import numpy as np
import pyarrow as pa
from nested_cv_coverage import EVENTS, FOLDS, discriminant_scores
from scipy.special import expit
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from store.analyst.view_parts import fixed_view
from zoo.evaluation.added_value import added_likelihood
from zoo.evaluation.auc import delong_interval, logit_interval
from zoo.evaluation.threshold import youden_threshold
from zoo.logistic.sigmoid import rising_sigmoid

POSITIVES, NEGATIVES = 18, 15
REPETITIONS = 4000
COLUMNS, TELLING, REPEATS = 311, 10, 5
SHIFTS = {80: (0.0, 0.5, 0.7), 165: (0.0, 0.36, 0.53), 400: (0.0, 0.25, 0.41)}
"""Of a telling column between the labels, by the number of patients: for AUCs of about .5, .65 and .8."""
FIGURES = (
    *("sensitivity", "specificity", "ppv", "npv", "accuracy", "brier"),
    *("calibration_slope", "calibration_intercept", "observed_expected"),
)


def areas() -> None:
    """Print the coverage of the plain and the logit interval at several true AUCs."""
    labels = np.repeat([1, 0], [POSITIVES, NEGATIVES])
    print(f"{POSITIVES} against {NEGATIVES} patients, {REPETITIONS} draws, 95 % asked for")
    print("AUC   plain  logit")
    for true_auc in (0.6, 0.7, 0.8, 0.9, 0.95):
        rng = np.random.default_rng(0)
        shift = np.sqrt(2) * norm.ppf(true_auc)
        covered = np.zeros(2)
        for _ in range(REPETITIONS):
            scores = rng.standard_normal(len(labels)) + shift * labels
            for position, interval in enumerate((delong_interval, logit_interval)):
                lower, upper = interval(labels, scores)
                covered[position] += lower <= true_auc <= upper
        plain, logit = covered / REPETITIONS
        print(f"{true_auc:.2f}  {plain:.3f}  {logit:.3f}")


def out_of_fold(seed: int, patients: int, shift: float) -> dict[str, np.ndarray]:
    """Return the predictions of one data set by column, repeat by repeat."""
    random = np.random.default_rng(seed)
    y = (random.random(patients) < EVENTS).astype(int)
    X = random.standard_normal((patients, COLUMNS))
    X[:, :TELLING] += shift * y[:, None]
    shape = (REPEATS, patients)
    probability, threshold, fold = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.int64)
    for repeat in range(REPEATS):
        outer = StratifiedKFold(FOLDS, shuffle=True, random_state=100 * seed + repeat)
        for part, (training, judged) in enumerate(outer.split(X, y)):
            of_training, known = X[training], y[training]
            held_out = np.empty(len(training))
            inner = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
            for inside, outside in inner.split(of_training, known):
                held_out[outside] = discriminant_scores(of_training[inside], known[inside], of_training[outside])
            own = discriminant_scores(of_training, known, of_training)
            sigmoid = rising_sigmoid(held_out, own, known)
            asked = discriminant_scores(of_training, known, X[judged])
            probability[repeat, judged] = expit(sigmoid.log_odds(asked))
            threshold[repeat, judged] = youden_threshold(known, expit(sigmoid.log_odds(held_out)))
            fold[repeat, judged] = FOLDS * repeat + part
    return {"label": np.tile(y, (REPEATS, 1)), "probability": probability, "threshold": threshold, "fold": fold}


def performance(suite: str, drawn: list[dict[str, np.ndarray]], repeats: int) -> dict[str, list[tuple[float, ...]]]:
    """Return the view's values and bounds by figure, one of each data set where there is one."""
    columns = {name: np.concatenate([each[name][:repeats].ravel() for each in drawn]) for name in drawn[0]}
    counts = [each["label"][:repeats].shape for each in drawn]
    columns["model"] = np.repeat([f"{number:05}" for number in range(len(drawn))], [a * b for a, b in counts])
    columns["patient"] = np.concatenate([np.tile(np.arange(shape[1]), shape[0]) for shape in counts])
    columns["repeat"] = np.concatenate([np.repeat(np.arange(shape[0]), shape[1]) for shape in counts])
    predictions = pa.table(columns)  # noqa: F841  (DuckDB finds it by its name)
    with duckdb.connect() as connection:
        connection.sql("create schema catalogue")
        stored = f"select 's' as study, '{suite}' as suite, 'c' as cohort, * from predictions"
        connection.sql(f"create table catalogue.predictions as {stored}")
        area = "select study, suite, model, cohort, null as auc, null as auc_lo, null as auc_hi"
        connection.sql(f"create table catalogue.leaderboard as {area} from catalogue.predictions limit 0")
        rows = connection.sql(f"select figure, value, lower, upper from ({fixed_view('performance').query})").fetchall()
    return {name: [row[1:] for row in rows if row[0] == name and row[1] is not None] for name in FIGURES}


def covered(found: list[tuple[float, ...]], truth: float) -> str:
    """Return the share of intervals that hold the true value."""
    return f"{np.mean([lower <= truth <= upper for _, lower, upper in found]):.3f}"


def nested(patients: int, datasets: int) -> None:
    """Print a row for each AUC and number of repeats."""
    for shift in SHIFTS[patients]:
        drawn = [out_of_fold(seed, patients, shift) for seed in range(datasets)]
        for repeats in (1, REPEATS):
            found = performance("nested-cv", drawn, repeats)
            cells = [covered(found[name], float(np.mean([value for value, *_ in found[name]]))) for name in FIGURES]
            print(f"| {patients} | {shift} | {repeats} x {FOLDS} | {' | '.join(cells)} |", flush=True)


def told_apart(patients: int, datasets: int) -> None:
    """Print how often, by AUC of the first model, a second one that knows nothing seems to add something."""
    shares = []
    for shift in SHIFTS[patients]:
        told = 0
        for seed in range(datasets):
            random = np.random.default_rng(seed)
            y = (np.arange(patients) < round(EVENTS * patients)).astype(int)
            X = random.standard_normal((2, patients, COLUMNS))
            X[0, :, :TELLING] += shift * y[:, None]
            scores = np.zeros((2, patients))
            for repeat in range(REPEATS):
                outer = StratifiedKFold(FOLDS, shuffle=True, random_state=100 * seed + repeat)
                for training, judged in outer.split(X[0], y):
                    for model, table in enumerate(X):
                        scores[model, judged] += discriminant_scores(table[training], y[training], table[judged])
            p = added_likelihood(y, *expit(scores / scores.std(axis=1, keepdims=True))).p
            told += p is not None and p < 0.05
        shares.append(f"{told / datasets:.3f}")
    print(f"| {patients} | {' | '.join(shares)} |", flush=True)


def judged_once(seed: int, patients: int, separation: float) -> dict[str, np.ndarray]:
    """Return the predictions of a model that says too much, on other patients."""
    random = np.random.default_rng(seed)
    log_odds = 0.3 + separation * random.standard_normal((1, patients))
    label = (random.random((1, patients)) < expit(log_odds)).astype(int)
    whole = np.zeros((1, patients), dtype=np.int64)
    return {"label": label, "probability": expit(1.5 * log_odds), "threshold": whole + 0.55, "fold": whole}


def holdout(patients: int, draws: int) -> None:
    """Print a row for each separation of the probabilities."""
    for separation in (0.3, 0.8, 1.6):
        truth = performance("holdout", [judged_once(0, 1_000_000, separation)], 1)
        found = performance("holdout", [judged_once(1 + seed, patients, separation) for seed in range(draws)], 1)
        cells = [covered(found[name], truth[name][0][0]) for name in FIGURES]
        print(f"| {patients} | {separation} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--patients", type=int, nargs="+", default=list(SHIFTS), choices=list(SHIFTS))
    asked = parser.parse_args()
    areas()
    print(f"\n| judged | spread of log odds | {' | '.join(FIGURES)} |\n|{'---|' * (2 + len(FIGURES))}")
    for patients in (33, *asked.patients):
        holdout(patients, 10 * asked.datasets)
    print(f"\n| patients | shift | folds | {' | '.join(FIGURES)} |\n|{'---|' * (3 + len(FIGURES))}")
    for patients in asked.patients:
        nested(patients, asked.datasets)
    print("\n| patients | AUC .5 | .65 | .8: a second model of noise told apart |\n|---|---|---|---|")
    for patients in asked.patients:
        told_apart(patients, asked.datasets)


if __name__ == "__main__":
    main()
