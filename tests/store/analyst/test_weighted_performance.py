"""The view weighted_performance against scikit-survival's numbers, numbers worked by hand, and the truth of draws."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders.store import view_rows
from statsmodels.duration.survfunc import SurvfuncRight

from schemas.study.outcomes import EventOutcome
from zoo.evaluation.auc import auc, logit_interval
from zoo.evaluation.calibration import brier
from zoo.evaluation.repeated import averaged_placements

HORIZON = 24.0
OUTCOME = {"kind": "time_to_event", "name": "o", "event": "e", "time": "t", "unit": "mo", "horizon": HORIZON}
RULE = EventOutcome.model_validate(OUTCOME)

Row = dict[str, Any]
Study = tuple[Sequence[int], Sequence[float], Sequence[float]]
"""Events, times and probabilities of all patients; only those with a label are judged."""


def labels_of(events: Sequence[int], times: Sequence[float]) -> list[int | None]:
    """Return the label of each patient at the horizon."""
    return [RULE.label(event=bool(event), time=time)[0] for event, time in zip(events, times, strict=True)]


def predictions_of(study: Study, name: str = "s", **columns: Any) -> list[Row]:
    """Return the predictions of one model for those with a label."""
    own = {"study": name, "suite": "holdout", "model": "m", "cohort": "validation", "fold": 0, "repeat": 0}
    return [
        own | columns | {"patient": f"{name}{number}", "label": label, "probability": float(study[2][number])}
        for number, label in enumerate(labels_of(*study[:2]))
        if label is not None
    ]


def asked(studies: dict[str, Study], predictions: list[Row]) -> list[Row]:
    """Return the view's rows."""
    people: list[Row] = [
        {"study": name, "patient": f"{name}{number}", "outcome": "o", "label": label, "event": event, "time": time}
        for name, (events, times, _) in studies.items()
        for number, (event, time, label) in enumerate(zip(events, times, labels_of(events, times), strict=True))
    ]
    everyone = pa.Table.from_pylist([each | {"event": int(each["event"]), "time_unit": "mo"} for each in people])
    definitions = [json.dumps({"outcome": OUTCOME})] * len(studies)
    tables = {
        "studies": pa.table({"study": [*studies, "other"], "definition": [*definitions, '{"outcome":{"kind":"x"}}']}),
        "labels": everyone.select(["study", "patient", "outcome", "label"]),
        "outcomes": everyone.select(["patient", "outcome", "event", "time", "time_unit"]),
        "predictions": pa.Table.from_pylist(predictions),
    }
    return view_rows("weighted_performance", tables)


def judged(study: Study, predictions: list[Row] | None = None) -> Row:
    """Return the one row of one model in one study."""
    (row,) = asked({"s": study}, predictions_of(study) if predictions is None else predictions)
    return row


def drawn(seed: int, patients: int = 120, censoring: float = 30.0) -> Study:
    """Return patients who end at whole months with the event, at half ones without, with tied probabilities."""
    random = np.random.default_rng(seed)
    risk = np.round(random.random(patients) * 40) / 40
    until_event = np.ceil(random.exponential(60 * np.exp(-2 * risk)))
    until_censoring = np.ceil(random.exponential(censoring, patients)) - 0.5
    events = (until_event <= until_censoring).astype(int)
    return events.tolist(), np.minimum(until_event, until_censoring).tolist(), (0.1 + 0.8 * risk).tolist()


# scikit-survival 0.28.0: cumulative_dynamic_auc(s, s, probability, [24]) and brier_score(s, s, 1 - probability, [24])
# of the patients of `drawn` with these seeds. It weighs an event by 1 / G(T), not 1 / G(T-): no event and censoring
# share a time there, nobody is censored at the horizon, and the two are equal.
SCIKIT_SURVIVAL = {
    0: (0.8190878522169083, 0.18483504699856568),
    1: (0.7911273463978343, 0.19571321059235552),
    2: (0.7264629651793718, 0.25027367591545546),
    3: (0.8336999616577675, 0.18214786482369935),
}


@pytest.mark.parametrize("seed", SCIKIT_SURVIVAL)
def test_auc_and_brier_score_are_those_of_scikit_survival(seed: int) -> None:
    """Heavy censoring, ties of times and of probabilities."""
    study = drawn(seed)
    row = judged(study)
    assert (row["auc"], row["brier"]) == pytest.approx(SCIKIT_SURVIVAL[seed], rel=1e-9)
    predictions = predictions_of(study)
    labels, scores = ([each[name] for each in predictions] for name in ("label", "probability"))
    assert row["complete_case_auc"] == pytest.approx(auc(labels, scores), rel=1e-12)
    assert row["complete_case_brier"] == pytest.approx(brier(labels, scores), rel=1e-12)
    assert (row["n"], row["events"], row["followed"]) == (len(labels), sum(labels), 120)
    assert row["censored_before_horizon"] == 120 - row["n"] > 40
    assert row["auc_lo"] < row["auc"] < row["auc_hi"]
    assert (row["horizon"], row["time_unit"], row["reason"]) == (HORIZON, "mo", None)


def test_six_patients_by_hand() -> None:
    """Two are censored before the horizon, one with an event at the same time, which comes first.

    A: event at 6. B: censored at 10. C: event at 12. D: censored at 12. E: free at 24, the horizon. F: free at 30.
    At 10 five are at risk, G = 4/5; at 12 D, E and F are once C has left, G = 4/5 x 2/3 = 8/15. E's end is no step.
    Weights: A 1, C 1 / G(12-) = 5/4, E and F 15/8 each; they add up to six.
    """
    row = judged(([1, 0, 1, 0, 0, 0], [6, 10, 12, 12, 24, 30], [0.9, 0.5, 0.4, 0.5, 0.4, 0.2]))
    assert (row["n"], row["events"], row["followed"], row["censored_before_horizon"]) == (4, 2, 6, 2)
    assert row["lowest_g"] == pytest.approx(8 / 15)
    # A beats both, C ties with E and beats F: (1 x 2 + 5/4 x 1.5) / (9/4 x 2), unweighted 3.5 of 4.
    assert row["auc"] == pytest.approx((2 + 1.25 * 1.5) / 4.5)
    assert row["complete_case_auc"] == 3.5 / 4
    squares = 0.01 + 1.25 * 0.36 + 15 / 8 * (0.16 + 0.04)
    assert row["brier"] == pytest.approx(squares / 6)
    assert row["complete_case_brier"] == pytest.approx((0.01 + 0.36 + 0.16 + 0.04) / 4)
    assert (row["rate"], row["complete_case_rate"]) == (pytest.approx(2.25 / 6), 0.5)
    # Patients' influence: A beats 1 of 1, C .75; E loses to A alone and half of C, F to both.
    theta = row["auc"]
    events = (1 * (1 - theta) ** 2 + 1.25**2 * (0.75 - theta) ** 2) / 2.25**2 * 2
    others = (((1 + 0.625) / 2.25 - theta) ** 2 + (1 - theta) ** 2) / 2
    half = 1.959963984540054 * np.sqrt(events + others) / (theta * (1 - theta))
    odds = np.log(theta / (1 - theta))
    assert [row["auc_lo"], row["auc_hi"]] == pytest.approx(
        [1 / (1 + np.exp(half - odds)), 1 / (1 + np.exp(-half - odds))]
    )


def test_without_censoring_weights_change_nothing() -> None:
    """Figures are those of complete cases, the interval is DeLong's on the logit scale."""
    study = drawn(5, 60, censoring=1e6)
    row = judged(study)
    labels, scores = labels_of(*study[:2]), study[2]
    assert row["auc"] == row["complete_case_auc"] == pytest.approx(auc(labels, scores))
    assert row["brier"] == row["complete_case_brier"]
    assert row["rate"] == row["complete_case_rate"]
    assert (row["lowest_g"], row["censored_before_horizon"]) == (1.0, 0)
    assert (row["auc_lo"], row["auc_hi"]) == pytest.approx(logit_interval(labels, scores), rel=1e-9)


def test_out_of_fold_pairs_are_those_of_one_fold() -> None:
    """Without censoring the AUC is that of the nested-cv suite; with it each event's pairs have its weight."""
    for censoring in (1e6, 30.0):
        study = drawn(6, 90, censoring)
        once = predictions_of(study, suite="nested-cv", cohort="out_of_fold")
        random = np.random.default_rng(1)
        repeats = [
            [
                row | {"fold": 3 * repeat + number % 3, "repeat": repeat, "probability": random.random()}
                for number, row in enumerate(once)
            ]
            for repeat in range(2)
        ]
        row = judged(study, repeats[0] + repeats[1])
        labels = [each["label"] for each in once]
        scores, folds = ([[each[name] for each in part] for part in repeats] for name in ("probability", "fold"))
        assert row["complete_case_auc"] == pytest.approx(averaged_placements(labels, scores, folds).estimate.area)
        assert (row["n"], row["events"], row["reason"]) == (len(labels), sum(labels), None)
        if censoring > HORIZON**2:
            assert row["auc"] == row["complete_case_auc"]
        else:
            assert row["auc"] == pytest.approx(weighted_by_pairs(study, labels, scores, folds), rel=1e-12)
        assert (row["auc_lo"], row["auc_hi"]) == (None, None)


def weighted_by_pairs(study: Study, labels: list[int], scores: list[list[float]], folds: list[list[int]]) -> float:
    """Return the weighted AUC out of fold, pair by pair, with statsmodels' estimate of the censoring."""
    events, times = np.array(study[0]), np.array(study[1])
    curve = SurvfuncRight(times, 1 - events)
    known = [number for number, label in enumerate(labels_of(*study[:2])) if label is not None]
    # Nobody has the event at a time at which another is censored: before a time is below it.
    g = [np.prod([p for t, p in steps_of(curve) if t < min(times[number], HORIZON)]) for number in known]
    won = pairs = 0.0
    for of_repeat, in_folds in zip(scores, folds, strict=True):
        for i in np.flatnonzero(labels):
            for j in np.flatnonzero(1 - np.array(labels)):
                if in_folds[i] == in_folds[j]:
                    pairs += 1 / g[i]
                    won += (of_repeat[i] > of_repeat[j]) / g[i]
    return won / pairs


def steps_of(curve: SurvfuncRight) -> list[tuple[float, float]]:
    """Return the times of an estimate and the factor by which each lowers it."""
    return list(zip(curve.surv_times, 1 - curve.n_events / curve.n_risk, strict=True))


def test_the_order_of_the_rows_changes_no_bit() -> None:
    """A repair may put rows elsewhere."""
    events, times, probabilities = drawn(3)
    first = judged((events, times, probabilities))
    predictions = predictions_of((events, times, probabilities))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(predictions))
        assert judged((events, times, probabilities), [predictions[number] for number in order]) == first


@pytest.mark.parametrize(
    ("study", "known", "reason"),
    [
        (([1, 1, 0], [1, 2, 3], [0.1, 0.2, 0.3]), set(), "nobody is followed to the horizon"),
        (([1, 1, 1], [1, 2, 3], [0.1, 0.2, 0.3]), {"brier", "rate"}, "the AUC needs patients of both labels"),
        (([0, 0, 0], [1, 30, 30], [0.1, 0.2, 0.3]), {"brier", "rate"}, "the AUC needs patients of both labels"),
        (([1, 0, 0], [1, 30, 30], [0.5, 0.2, 0.6]), {"auc", "brier", "rate"}, "an interval of the AUC needs two"),
        (([1, 1, 0, 0], [1, 2, 30, 30], [0.8, 0.9, 0.2, 0.3]), {"auc", "brier", "rate"}, "all pairs are ranked alike"),
        (([1, 1, 0, 0], [1, 2, 30, 30], [0.1, 0.2, 0.8, 0.9]), {"auc", "brier", "rate"}, "all pairs are ranked alike"),
        (([1, 1, 0, 0], [1, 2, 30, 30], [0.4] * 4), {"auc", "brier", "rate"}, "all pairs are ranked alike"),
    ],
)
def test_what_cannot_be_told_has_a_reason(study: Study, known: set[str], reason: str) -> None:
    """No value, or no bounds, and words that say why."""
    row = judged(study)
    assert {name for name in ("auc", "brier", "rate") if row[name] is not None} == known
    assert (row["auc_lo"], row["auc_hi"]) == (None, None)
    assert reason in row["reason"]


def test_labels_that_changed_since_have_no_weights() -> None:
    """Predictions of another horizon: a weight by today's follow-up would be another patient's."""
    study = drawn(1)
    predictions = predictions_of(study)
    predictions[4] = predictions[4] | {"label": 1 - predictions[4]["label"]}
    row = judged(study, predictions)
    assert row["reason"] == "labels have changed since the model was judged"
    assert {row[name] for name in ("auc", "auc_lo", "brier", "rate", "lowest_g")} == {None}
    assert row["complete_case_auc"] is not None


def test_a_study_without_times_has_no_row() -> None:
    """A binary outcome is known for everyone or not at all."""
    study = drawn(1, 20)
    assert [row["study"] for row in asked({"s": study}, predictions_of(study) + predictions_of(study, "other"))] == [
        "s"
    ]


def until_event(random: np.random.Generator, risk: np.ndarray) -> np.ndarray:
    """Return times to the event, of two causes: an early one that follows the risk, a late one that does not."""
    share = random.exponential(1, len(risk)) / (0.25 * np.exp(1.5 * risk))
    early = np.where(share < 1, -4 * np.log1p(-np.minimum(share, 0.999)), np.inf)
    return np.minimum(early, 30 * random.exponential(1, len(risk)) ** 0.25)


def true_probability(risk: np.ndarray) -> np.ndarray:
    """Return the probability of the event by the horizon."""
    early = 0.25 * np.exp(1.5 * risk) * -np.expm1(-HORIZON / 4)
    return -np.expm1(-early - (HORIZON / 30) ** 4)


def test_weights_find_what_complete_cases_miss() -> None:
    """Most are censored, whatever their risk: on average of 150 draws weighted figures are nearly the truth.

    Without weights whoever has the event early is seen more often than who has it late or never. The rate is far too
    high, and early events are those that the risk tells, so that the AUC is too high as well; the Brier score of the
    true probabilities is wrong with the rate.
    """
    random = np.random.default_rng(11)
    risk = random.standard_normal(400_000)
    labels = (until_event(random, risk) <= HORIZON).astype(int)
    truth = {"auc": auc(labels, true_probability(risk)), "brier": brier(labels, true_probability(risk))}
    truth["rate"] = labels.mean()
    studies = {}
    for number in range(150):
        own = random.standard_normal(400)
        event, censoring = until_event(random, own), random.exponential(20, 400)
        studies[f"s{number}-"] = ((event <= censoring).astype(int), np.minimum(event, censoring), true_probability(own))
    rows = asked(studies, [row for name, study in studies.items() for row in predictions_of(study, name)])
    assert len(rows) == 150
    assert np.mean([row["censored_before_horizon"] for row in rows]) > 160
    for name, value in truth.items():
        weighted, unweighted = (
            np.mean([row[prefix + name] for row in rows]) - value for prefix in ("", "complete_case_")
        )
        assert abs(weighted) < 0.006 < 0.03 < abs(unweighted), name
