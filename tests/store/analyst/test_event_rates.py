"""The view event_rates against statsmodels' Kaplan-Meier estimate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders.store import view_rows
from scipy.stats import norm
from statsmodels.duration.survfunc import SurvfuncRight

from schemas.study.outcomes import EventOutcome

HORIZON = 24.0
OUTCOME = {"kind": "time_to_event", "name": "o", "event": "e", "time": "t", "unit": "mo", "horizon": HORIZON}


def rates(events: list[int | None], times: list[float | None], cohorts: list[str]) -> dict[str | None, dict[str, Any]]:
    """Return the view's rows by cohort; an empty one is none."""
    rule = EventOutcome.model_validate(OUTCOME)
    names = [f"P{number}" for number in range(len(events))]
    labels = [
        None if event is None or time is None else rule.label(event=bool(event), time=time)[0]
        for event, time in zip(events, times, strict=True)
    ]
    own = {"study": ["s"] * len(names), "patient": names}
    tables = {
        "studies": pa.table({"study": ["s", "other"], "definition": [json.dumps({"outcome": OUTCOME}), "{}"]}),
        "labels": pa.table(own | {"outcome": ["o"] * len(names), "label": pa.array(labels, pa.int64())}),
        "outcomes": pa.table(
            {
                "patient": names,
                "outcome": ["o"] * len(names),
                "event": pa.array(events, pa.int64()),
                "time": pa.array(times, pa.float64()),
                "time_unit": ["mo"] * len(names),
            }
        ),
        "split_members": pa.table(own | {"split": ["fixed"] * len(names), "cohort": cohorts}).filter(
            pa.array([cohort != "" for cohort in cohorts])
        ),
    }
    return {row["cohort"]: row for row in view_rows("event_rates", tables)}


@pytest.mark.parametrize("seed", range(4))
def test_rates_are_those_of_statsmodels(seed: int) -> None:
    """Estimate and log-log interval at the horizon, of all patients and each cohort, with ties and censoring."""
    random = np.random.default_rng(seed)
    times = np.ceil(random.exponential(30, 120)).clip(1, 60)
    times[:3] = HORIZON
    events = (random.random(120) < 0.5).astype(int)
    cohorts = np.where(random.random(120) < 0.7, "training", "validation")
    found = rates(events.tolist(), times.tolist(), cohorts.tolist())
    assert found.keys() == {None, "training", "validation"}
    for cohort, row in found.items():
        own = np.ones(120, dtype=bool) if cohort is None else cohorts == cohort
        curve = SurvfuncRight(times[own], events[own])
        last = np.flatnonzero(curve.surv_times <= HORIZON)[-1]
        survival, error = curve.surv_prob[last], curve.surv_prob_se[last]
        assert row["rate"] == pytest.approx(1 - survival, abs=1e-12)
        half = norm.isf(0.025) * error / (survival * abs(np.log(survival)))
        bounds = sorted(1 - survival ** np.exp(np.array([half, -half])))
        assert [row["lower"], row["upper"]] == pytest.approx(bounds, abs=1e-9)
        censored = int(((events == 0) & (times < HORIZON))[own].sum())
        assert (row["patients"], row["censored"], row["labelled"]) == (own.sum(), censored, own.sum() - censored)
        assert row["complete_case_rate"] == row["events"] / row["labelled"] > row["rate"]


def test_the_order_of_the_rows_changes_no_bit() -> None:
    """Steps are multiplied in the order of their times."""
    random = np.random.default_rng(9)
    times, events = random.exponential(20, 60), (random.random(60) < 0.6).astype(int)
    first = rates(events.tolist(), times.tolist(), ["training"] * 60)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        assert rates(events[order].tolist(), times[order].tolist(), ["training"] * 60) == first


def test_without_censoring_both_rates_are_one() -> None:
    """Everybody followed to the horizon: the estimate is the share; a missing event or time counts nowhere."""
    found = rates([1, 0, 1, 0, None, 1], [3.0, 30.0, 12.0, 24.0, 9.0, None], ["training"] * 6)
    row = found[None]
    assert (row["patients"], row["censored"], row["labelled"], row["events"]) == (4, 0, 4, 2)
    assert row["rate"] == row["complete_case_rate"] == 0.5
    assert row["lower"] < 0.5 < row["upper"]


@pytest.mark.parametrize(("events", "times"), [([0, 0, 0], [1.0, 2.0, 3.0]), ([1, 0, 0], [2.0, 5.0, 6.0])])
def test_past_the_last_who_is_followed_there_is_no_rate(events: list[int], times: list[float]) -> None:
    """Nobody was watched until the horizon: what happened there is not known."""
    row = rates(events, times, ["training"] * 3)[None]
    assert (row["rate"], row["lower"], row["upper"]) == (None, None, None)
    assert row["reason"] == "nobody is followed to the horizon"


@pytest.mark.parametrize(("events", "rate"), [([0, 0, 0], 0.0), ([1, 1, 1], 1.0)])
def test_nobody_and_everybody_have_a_rate_without_bounds(events: list[int], rate: float) -> None:
    """The log-log scale ends there."""
    row = rates(events, [30.0, 30.0, 30.0] if rate == 0 else [1.0, 2.0, 3.0], ["training"] * 3)[None]
    assert (row["rate"], row["lower"], row["upper"]) == (rate, None, None)


def test_a_split_without_the_censored_has_no_rate() -> None:
    """Its members are the patients with a label: their estimate would be the share of complete cases."""
    events, times = [1, 0, 1, 0, 0], [3.0, 30.0, 12.0, 5.0, 24.0]
    found = rates(events, times, ["training", "training", "training", "", "training"])
    assert (found["training"]["rate"], found["training"]["lower"], found["training"]["upper"]) == (None, None, None)
    assert found["training"]["reason"] == "the split holds only patients with a label"
    assert found["training"]["complete_case_rate"] == 0.5
    assert found[None]["rate"] == pytest.approx(1 - 4 / 5 * 2 / 3)
