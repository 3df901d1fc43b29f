"""How often intervals hold the true figure: the AUC's of a small cohort, and those of performance and its weighted kin.

    OMP_NUM_THREADS=1 python tests/benchmarks/interval_coverage.py [--datasets 200] [--patients 80 165] [--only nested]

AUC: scores are normal in both labels with equal variance, so the true AUC is known.

Nested cross-validation, five repeats of five folds: 311 standard normal columns of which ten tell the label, or none; a
model is that of nested_cv_coverage.py, its scores turned into probabilities, and its threshold chosen, by what inner
folds held out. A figure's true value is its mean over the data sets: that of models made from such data.

Added value: how often the likelihood-ratio test tells a second model of noise from nothing where both models' scores
are means over the repeats of nested cross-validation: why the report makes it on held-out patients alone.

Holdout: one model, its probabilities too extreme by a half, judged on draws of patients; the true values are those of a
million.

Weighted AUC: patients are censored at random before a horizon; the view weighted_performance judges given scores by
those who have a label, and should say how well they rank all.
"""

from __future__ import annotations

import argparse
import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from nested_cv_coverage import EVENTS, FOLDS, discriminant_scores
from scipy.special import expit
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from store.analyst.view_parts import fixed_view
from zoo.evaluation.added_value import added_likelihood
from zoo.evaluation.auc import delong_interval, logit_interval, placements
from zoo.evaluation.threshold import youden_threshold
from zoo.logistic.sigmoid import rising_sigmoid

POSITIVES, NEGATIVES = 18, 15
REPETITIONS = 4000
COLUMNS, TELLING, REPEATS = 311, 10, 5
SHIFTS = {80: (0.0, 0.5, 0.7), 165: (0.0, 0.36, 0.53), 400: (0.0, 0.25, 0.41)}
"""Of a telling column between the labels, by the number of patients: for AUCs of about .5, .65 and .8."""
HORIZON = 24.0
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


def followed(random: np.random.Generator, score: np.ndarray, separation: float, until_end: float) -> pa.Table:
    """Return patients whose hazard rises with a standard normal score; label -1 where they are censored too early."""
    until_event = 45 * (random.exponential(1, len(score)) * np.exp(-separation * score)) ** (1 / 1.5)
    until_end = random.exponential(until_end, len(score))
    event, time = (until_event <= until_end).astype(int), np.minimum(until_event, until_end)
    label = np.where((event == 1) & (time <= HORIZON), 1, np.where(time > HORIZON, 0, -1))
    return pa.table({"event": event, "time": time, "label": label})


def weighted_areas(everyone: pa.Table, judged: pa.Table) -> list[tuple[float, ...]]:
    """Return AUC, bounds, AUC of complete cases, patients and events of each study, from weighted_performance."""
    outcome = {"kind": "time_to_event", "name": "o", "unit": "mo", "horizon": HORIZON}
    definition = json.dumps({"outcome": outcome})
    tables = {
        "studies": f"select distinct study, '{definition}'::json as definition from everyone",
        "labels": "select study, patient, 'o' as outcome, nullif(label, -1) as label from everyone",
        "outcomes": "select patient, 'o' as outcome, event, time, 'mo' as time_unit from everyone",
        "predictions": "select 'holdout' as suite, 'm' as model, 'c' as cohort, * from judged",
    }
    with duckdb.connect() as connection:
        connection.sql("create schema catalogue")
        for name, stored in tables.items():
            connection.sql(f"create table catalogue.{name} as {stored}")
        view = fixed_view("weighted_performance").query
        figures = "auc, auc_lo, auc_hi, complete_case_auc, n, events"
        rows: list[tuple[float, ...]] = connection.sql(f"select {figures} from ({view})").fetchall()
    return rows


def weighted(patients: int, draws: int) -> None:
    """Print a row for each separation and censoring of given scores."""
    own = {"study": np.repeat(np.arange(draws), patients), "patient": np.arange(draws * patients)}
    for separation in (0.0, 0.6, 1.3):
        random = np.random.default_rng(patients)
        score = random.standard_normal(1_000_000)
        truth = placements(followed(random, score, separation, 1e9)["label"].to_numpy(), score).estimate.area
        for until_end in (60.0, 20.0):
            score = random.standard_normal(draws * patients)
            drawn = followed(random, score, separation, until_end)
            columns = own | {"probability": expit(score), "fold": 0 * own["study"]}
            judged = pa.table({name: column[drawn["label"].to_numpy() >= 0] for name, column in columns.items()})
            judged = judged.append_column("label", drawn["label"].filter(pc.greater_equal(drawn["label"], 0)))
            everyone = pa.table(own | {name: drawn[name] for name in drawn.column_names})
            rows = weighted_areas(everyone, judged)
            told = [row for row in rows if row[1] is not None]
            area, of_complete, n, events = (np.mean([row[place] for row in told]) for place in (0, 3, 4, 5))
            cells = [f"{n:.0f}", f"{events:.0f}", *(f"{each:.3f}" for each in (truth, area, of_complete))]
            cells += [covered([row[:3] for row in told], truth), f"{1 - len(told) / draws:.3f}"]
            print(f"| {patients} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--patients", type=int, nargs="+", default=list(SHIFTS), choices=list(SHIFTS))
    parser.add_argument("--only", nargs="+", default=list(TABLES), choices=list(TABLES))
    asked = parser.parse_args()
    if "areas" in asked.only:
        areas()
    for name, (table, heading, smallest, factor) in TABLES.items():
        if name in asked.only and table is not None:
            print(f"\n| {heading} |\n|{'---|' * (1 + heading.count('|'))}")
            for patients in (*smallest, *asked.patients):
                table(patients, factor * asked.datasets)


TABLES = {
    "areas": (None, "", (), 0),
    "weighted": (
        weighted,
        "patients | judged | events | AUC | weighted | complete cases | covered | no interval",
        (),
        10,
    ),
    "holdout": (holdout, f"judged | spread of log odds | {' | '.join(FIGURES)}", (33,), 10),
    "nested": (nested, f"patients | shift | folds | {' | '.join(FIGURES)}", (), 1),
    "added": (told_apart, "patients | AUC .5 | .65 | .8: a second model of noise told apart", (), 1),
}
"""Each with what prints its rows, its heading, further numbers of patients, and draws by data set asked for."""


if __name__ == "__main__":
    main()
