"""The view performance against statsmodels, the package's own statistics and formulas written down here."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit
from statsmodels.stats.proportion import proportion_confint

from store.analyst.view_parts import fixed_view
from zoo.evaluation.calibration import brier, calibration_in_the_large, calibration_line
from zoo.evaluation.classification import classification

Z = 1.959963984540054
COUNTS = ("tp", "fp", "tn", "fn")
RATES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def figures(predictions: list[dict[str, Any]], suite: str = "holdout") -> dict[str, dict[str, Any]]:
    """Return the view's rows of one model by figure."""
    return {row["figure"]: row for row in view_rows(predictions, suite)}


def view_rows(predictions: list[dict[str, Any]], suite: str) -> list[dict[str, Any]]:
    """Return the view's rows of one model, or of those that predictions name."""
    own = {"study": "s", "suite": suite, "model": "m", "cohort": "validation", "fold": 0, "repeat": 0, "threshold": 0.5}
    stored = pa.Table.from_pylist([own | row for row in predictions])
    area = pa.table({name: [own[name]] for name in ("study", "suite", "model", "cohort")})
    with duckdb.connect() as connection:
        connection.sql("create schema catalogue")
        connection.register("stored", stored)
        connection.register("area", area)
        connection.sql("create table catalogue.predictions as from stored")
        connection.sql(
            "create table catalogue.leaderboard as select *, .7 as auc, .6 as auc_lo, .8 as auc_hi from area"
        )
        return list(connection.sql(fixed_view("performance").query).to_arrow_table().to_pylist())


def bounds(row: dict[str, Any]) -> tuple[float, float]:
    """Return a figure's lower and upper bound."""
    return row["lower"], row["upper"]


def drawn(seed: int, patients: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, both present, and probabilities that say too much."""
    random = np.random.default_rng(seed)
    log_odds = 0.3 + spread * random.standard_normal(patients)
    labels = (random.random(patients) < expit(log_odds)).astype(int)
    labels[:2] = 0, 1
    return labels, expit(1.5 * log_odds)


def rows_of(labels: np.ndarray, probabilities: np.ndarray, **columns: Any) -> list[dict[str, Any]]:
    """Return predictions as rows."""
    return [
        {"patient": f"P{number}", "label": int(label), "probability": float(probability)} | columns
        for number, (label, probability) in enumerate(zip(labels, probabilities, strict=True))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_one_model_on_one_cohort_has_the_textbooks_figures(seed: int) -> None:
    """Counts, rates with Wilson's bounds, Brier score, calibration and O/E are those of independent formulas."""
    labels, probabilities = drawn(seed, 33)
    found = figures(rows_of(labels, probabilities))
    calls = classification(labels, probabilities, 0.5)
    assert {name: found[name]["value"] for name in COUNTS} == {name: getattr(calls, name) for name in COUNTS}
    tried = {"sensitivity": (calls.tp, calls.fn), "specificity": (calls.tn, calls.fp)}
    tried |= {"ppv": (calls.tp, calls.fp), "npv": (calls.tn, calls.fn)}
    tried |= {"accuracy": (calls.tp + calls.tn, calls.fp + calls.fn)}
    for name, (right, wrong) in tried.items():
        wilson = proportion_confint(right, right + wrong, method="wilson")
        assert found[name]["value"] == pytest.approx(right / (right + wrong), abs=1e-12)
        assert bounds(found[name]) == pytest.approx(wilson, abs=1e-9)
    errors = (probabilities - labels) ** 2
    half = Z * errors.std(ddof=1) / np.sqrt(len(errors))
    assert found["brier"]["value"] == pytest.approx(brier(labels, probabilities), abs=1e-12)
    assert bounds(found["brier"]) == pytest.approx((errors.mean() - half, errors.mean() + half), abs=1e-12)
    prevalence = labels.mean()
    assert found["scaled_brier"]["value"] == pytest.approx(1 - errors.mean() / (prevalence * (1 - prevalence)))
    line, large = calibration_line(labels, probabilities), calibration_in_the_large(labels, probabilities)
    assert found["calibration_slope"]["value"] == pytest.approx(line.slope, abs=1e-8)
    assert bounds(found["calibration_slope"]) == pytest.approx(line.slope_interval, abs=1e-6)
    assert found["calibration_intercept"]["value"] == pytest.approx(large.intercept, abs=1e-8)
    assert bounds(found["calibration_intercept"]) == pytest.approx(large.interval, abs=1e-6)
    ratio, error = labels.sum() / probabilities.sum(), np.sqrt((1 - prevalence) / labels.sum())
    assert (found["observed"]["value"], found["expected"]["value"]) == (
        labels.sum(),
        pytest.approx(probabilities.sum()),
    )
    assert found["observed_expected"]["value"] == pytest.approx(ratio)
    assert bounds(found["observed_expected"]) == pytest.approx((ratio / np.exp(Z * error), ratio * np.exp(Z * error)))
    assert (found["auc"]["value"], *bounds(found["auc"])) == (0.7, 0.6, 0.8)
    assert not any(row["reason"] for row in found.values())


def test_the_order_of_the_rows_changes_no_bit() -> None:
    """A repair may put rows elsewhere: sums of doubles would differ in their last bits."""
    labels, probabilities = drawn(2, 80)
    rows = rows_of(labels, probabilities)
    for seed in range(5):
        shuffled = [rows[position] for position in np.random.default_rng(seed).permutation(len(rows))]
        assert figures(shuffled) == figures(rows)


def test_out_of_fold_an_interval_is_that_of_one_repeat_widened_for_shared_training() -> None:
    """Said five times, predictions tell no more than once: the error is 1.6 times one repeat's, 2.1 of Brier's."""
    labels, probabilities = drawn(1, 60)
    once = figures(rows_of(labels, probabilities))
    repeated = [
        row | {"fold": 5 * repeat + number % 5, "repeat": repeat}
        for repeat in range(5)
        for number, row in enumerate(rows_of(labels, probabilities))
    ]
    found = figures(repeated, "nested-cv")
    wider = np.sqrt(1.14 * (1 + 5 / 4))
    for name in found:
        assert found[name]["value"] == pytest.approx(once[name]["value"], abs=1e-9), name
    for name in ("brier", "calibration_slope", "calibration_intercept"):
        widened = np.sqrt(2 * (1 + 5 / 4)) if name == "brier" else wider
        asked, own = (each["upper"] - each["lower"] for each in (found[name], once[name]))
        assert asked == pytest.approx(widened * own, rel=1e-6), name
    asked, own = (
        np.log(each["upper"] / each["lower"]) for each in (found["observed_expected"], once["observed_expected"])
    )
    assert asked == pytest.approx(wider * own)
    for name in RATES:
        tried = {"sensitivity": labels.sum(), "specificity": (1 - labels).sum(), "accuracy": len(labels)}
        tried |= {"ppv": (probabilities >= 0.5).sum(), "npv": (probabilities < 0.5).sum()}
        size = tried[name] / wider**2
        wilson = proportion_confint(found[name]["value"] * size, size, method="wilson")
        assert bounds(found[name]) == pytest.approx(wilson, abs=1e-9), name


def thresholds_apart(seed: int, patients: int, repeats: int) -> list[dict[str, Any]]:
    """Return predictions out of fold of scores that say nothing, each fold's threshold anywhere."""
    random = np.random.default_rng(seed)
    labels = (random.random(patients) < 0.5).astype(int)
    rows = []
    for repeat in range(repeats):
        fold = 5 * repeat + random.permutation(patients) % 5
        threshold = random.random(5 * repeats)
        rows += [
            row | {"fold": int(part), "repeat": repeat, "threshold": float(threshold[part])}
            for row, part in zip(rows_of(labels, random.random(patients)), fold, strict=True)
        ]
    return rows


@pytest.mark.parametrize("repeats", [1, 5])
def test_where_the_folds_differ_by_more_than_patients_the_interval_is_theirs(repeats: int) -> None:
    """Thresholds apart make rates apart: the variance between J folds, (1 / J + .05) of it, as of a t distribution."""
    rows = thresholds_apart(3, 400, repeats)
    found, folds = figures(rows, "nested-cv"), 5 * repeats
    called = np.array([row["probability"] >= row["threshold"] for row in rows])
    labels, fold = (np.array([row[name] for row in rows]) for name in ("label", "fold"))
    for name, tried, right in (
        ("sensitivity", labels == 1, called),
        ("specificity", labels == 0, ~called),
        ("ppv", called, labels == 1),
        ("npv", ~called, labels == 0),
        ("accuracy", np.ones(len(rows), bool), called == labels),
    ):
        share = right[tried].mean()
        excess = [
            (right & tried & (fold == each)).sum() - share * (tried & (fold == each)).sum() for each in range(folds)
        ]
        between = np.var(excess, ddof=1) / (tried.sum() / folds) ** 2 * (folds - 1) / (folds - 3)
        sizes = (tried.sum() / repeats / (1.14 * 2.25), share * (1 - share) / (between * (1 / folds + 0.05)))
        wilson = proportion_confint(share * min(sizes), min(sizes), method="wilson")
        assert bounds(found[name]) == pytest.approx(wilson, abs=1e-9), name
        if name in ("sensitivity", "specificity"):
            assert sizes[1] < sizes[0] / 2


def test_intervals_of_rates_cover_where_thresholds_come_out_anywhere() -> None:
    """Of 100 data sets 95 % of the intervals are to hold a half; counting patients alone, some 60 % would.

    The bounds are those of chance at 100 draws. With models, and thresholds that inner folds choose, the table is made
    by tests/benchmarks/interval_coverage.py.
    """
    rows = [row | {"model": f"{seed}"} for seed in range(100) for row in thresholds_apart(seed, 400, 1)]
    found = [row for row in view_rows(rows, "nested-cv") if row["figure"] in RATES]
    held = {name: [row["lower"] <= 0.5 <= row["upper"] for row in found if row["figure"] == name] for name in RATES}
    assert {name: len(each) for name, each in held.items()} == dict.fromkeys(RATES, 100)
    assert min(np.mean(each) for each in held.values()) > 0.88
    size = 200 / (1.14 * 2.25)
    by_patients = [proportion_confint(row["value"] * size, size, method="wilson") for row in found]
    alone = [
        bounds[0] <= 0.5 <= bounds[1]
        for row, bounds in zip(found, by_patients, strict=True)
        if row["figure"] == "sensitivity"
    ]
    assert np.mean(alone) < 0.75


def test_three_folds_make_no_interval_of_a_rate() -> None:
    """What differs between folds cannot be told of three; the value stands, with the reason."""
    labels, probabilities = drawn(1, 60)
    rows = [row | {"fold": number % 3} for number, row in enumerate(rows_of(labels, probabilities))]
    every = figures(rows, "nested-cv")
    for name in RATES:
        found = every[name]
        assert found["value"] is not None
        assert (bounds(found), found["reason"]) == ((None, None), "an interval needs four folds")


@pytest.mark.parametrize(
    ("labels", "probabilities", "figure", "reason"),
    [
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.25], "ppv", "no patient is called positive"),
        ([0, 1, 0, 1], [0.6, 0.7, 0.8, 0.75], "npv", "no patient is called negative"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "sensitivity", "no patient has label 1"),
        ([0, 0, 0], [0.1, 0.2, 0.3], "observed_expected", "no patient has label 1"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "specificity", "no patient has label 0"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8], "calibration_slope", "the probabilities separate the two labels"),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], "calibration_slope", "all probabilities are equal"),
        ([0, 1, 0, 1], [0.0, 0.4, 0.6, 0.5], "calibration_slope", "a probability is exactly 0 or 1"),
        ([0, 1, 0, 1], [0.0, 0.4, 0.6, 0.5], "calibration_intercept", "a probability is exactly 0 or 1"),
        ([0, 1, 0, 1, 1], [0.579, 0.58, 0.581, 0.579, 0.581], "calibration_slope", "hardly differ between patients"),
        ([1, 1, 1], [0.1, 0.2, 0.3], "scaled_brier", "it needs patients of both labels"),
        ([1], [0.2], "brier", "an interval needs two patients"),
    ],
)
def test_what_cannot_be_told_has_a_reason(
    labels: list[int], probabilities: list[float], figure: str, reason: str
) -> None:
    """No value, or no bounds, and words that say why."""
    found = figures(rows_of(np.array(labels), np.array(probabilities)))[figure]
    assert found["reason"] is not None
    assert reason in found["reason"]
    assert bounds(found) == (None, None)
    assert (found["value"] is None) == (figure != "brier")


@pytest.mark.parametrize("offset", [-9.0, -4.0, 4.0, 9.0])
def test_a_shift_from_afar_is_found(offset: float) -> None:
    """Newton's first steps would lead too far where nearly all predictions are wrong one way."""
    random = np.random.default_rng(3)
    log_odds = 2 * random.standard_normal(60)
    labels = (random.random(60) < expit(log_odds)).astype(int)
    probabilities = expit(log_odds + offset)
    found = figures(rows_of(labels, probabilities))["calibration_intercept"]
    large = calibration_in_the_large(labels, probabilities)
    assert found["value"] == pytest.approx(large.intercept, abs=1e-7)
    assert bounds(found) == pytest.approx(large.interval, abs=1e-6)


def test_rows_of_the_first_format_have_what_they_tell() -> None:
    """Without a threshold there are no calls, and without a repeat's number each patient still counts once a repeat."""
    labels, probabilities = drawn(1, 60)
    rows = [
        row | {"fold": 5 * repeat + number % 5}
        for repeat in range(5)
        for number, row in enumerate(rows_of(labels, probabilities))
    ]
    complete = figures([row | {"repeat": row["fold"] // 5} for row in rows], "nested-cv")
    found = figures([row | {"repeat": None, "threshold": None} for row in rows], "nested-cv")
    for name, row in found.items():
        if name in (*COUNTS, *RATES):
            assert (row["value"], row["lower"], row["reason"]) == (None, None, "there is no threshold"), name
        else:
            assert row == complete[name]


def test_where_no_event_is_expected_there_is_no_ratio() -> None:
    """A sum of probabilities of 0 divides nothing."""
    row = figures(rows_of(np.array([0, 1, 0]), np.zeros(3)))["observed_expected"]
    assert (row["value"], row["lower"], row["upper"]) == (None, None, None)
    assert row["reason"] == "no event is expected"


def test_probabilities_next_to_0_and_1_break_nothing() -> None:
    """Of log odds beyond 30 the line is Python's, or neither has one."""
    random = np.random.default_rng(7)
    for _ in range(40):
        labels = np.concatenate([[0, 1], random.integers(0, 2, 8)])
        probabilities = np.clip(expit(random.normal(0, 25, 10)), 1e-300, 1 - 1e-16)
        found, line = figures(rows_of(labels, probabilities)), calibration_line(labels, probabilities)
        slope = found["calibration_slope"]["value"]
        assert (slope is None) == (line.slope is None)
        if slope is not None:
            assert slope == pytest.approx(line.slope, rel=1e-5)
        assert found["brier"]["value"] == pytest.approx(brier(labels, probabilities))
