"""What patients with a label weigh: by hand, as the analysts' view has it, and without a look at who is judged."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders.store import view_rows

from schemas.study.outcomes import EventOutcome
from zoo.censoring.follow_up import FollowUp
from zoo.censoring.weights import censoring_weights, fit_weights
from zoo.weighting.sums import effective_size

HORIZON = 24.0
OUTCOME = {"kind": "time_to_event", "name": "o", "event": "e", "time": "t", "unit": "mo", "horizon": HORIZON}
RULE = EventOutcome.model_validate(OUTCOME)

Ends = list[tuple[int, float]]


def followed(ends: Ends) -> tuple[FollowUp, dict[str, int]]:
    """Return the follow-up of patients of given events and times, and the labels there are."""
    labels = {f"P{number}": RULE.label(event=bool(event), time=time)[0] for number, (event, time) in enumerate(ends)}
    known = {patient: label for patient, label in labels.items() if label is not None}
    times = {f"P{number}": time for number, (_, time) in enumerate(ends)}
    censored = sorted(times[patient] for patient, label in labels.items() if label is None)
    return FollowUp({patient: times[patient] for patient in known}, tuple(censored)), known


def drawn(seed: int, patients: int = 200, censoring: float = 25.0) -> tuple[Ends, np.ndarray]:
    """Return patients who end at whole months, events and censorings at the same ones, and their risk."""
    random = np.random.default_rng(seed)
    risk = random.random(patients)
    event, lost = np.ceil(random.exponential(60 * np.exp(-2 * risk))), np.ceil(random.exponential(censoring, patients))
    ends = [(int(e <= c), float(min(e, c))) for e, c in zip(event, lost, strict=True)]
    return ends, risk


def test_six_patients_by_hand() -> None:
    """Two are censored before the horizon, one with an event at the same time, which comes first.

    A: event at 6. B: censored at 10. C: event at 12. D: censored at 12. E: free at 24, the horizon. F: free at 30.
    Where all with a label train: at 10 five are at risk, at 12 three once C has left: G is 4/5 and 8/15. Where A, C and
    E do, three of four, each censored patient counts three quarters: at 10 two train and are at risk, and 3/4 x 2
    others; at 12 one and 3/4 of D.
    """
    ends = [(1, 6.0), (0, 10.0), (1, 12.0), (0, 12.0), (0, 24.0), (0, 30.0)]
    known, labels = followed(ends)
    assert known.censored == (10.0, 12.0)
    assert known.chances(list(labels)) == pytest.approx([1, 4 / 5, 8 / 15, 8 / 15])
    first = 1 - 0.75 / (2 + 0.75 * 2)
    assert known.chances(["P0", "P2", "P4"]) == pytest.approx([1, first, first * (1 - 0.75 / (1 + 0.75))])
    # C drawn twice: at 10 three train and are at risk, at 12 one.
    twice = 1 - 0.75 / (3 + 0.75 * 2)
    assert known.chances(["P2", "P2", "P4"]) == pytest.approx([twice, twice, twice * (1 - 0.75 / (1 + 0.75))])
    weights = censoring_weights(known, list(labels))
    assert sum(weights.by_patient.values()) == pytest.approx(6)
    scaled = weights.of(labels)
    assert scaled is not None
    assert scaled.sum() == pytest.approx(effective_size([1, 5 / 4, 15 / 8, 15 / 8]))
    assert scaled / scaled[0] == pytest.approx([1, 5 / 4, 15 / 8, 15 / 8])


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_all_patients_are_those_of_the_view(seed: int) -> None:
    """Lowest G and weighted rate of weighted_performance, with ties of events and censorings."""
    ends, _ = drawn(seed)
    known, labels = followed(ends)
    weights = censoring_weights(known, list(labels)).by_patient
    patients: list[dict[str, Any]] = [
        {"study": "s", "patient": f"P{n}", "outcome": "o", "event": e, "time": t, "time_unit": "mo"}
        for n, (e, t) in enumerate(ends)
    ]
    outcomes = pa.Table.from_pylist([{**each, "label": labels.get(each["patient"])} for each in patients])
    judged = [
        {"study": "s", "suite": "holdout", "model": "m", "cohort": "v", "fold": 0, "repeat": 0, "patient": p}
        | {"label": label, "probability": 0.5}
        for p, label in labels.items()
    ]
    tables = {
        "studies": pa.table({"study": ["s"], "definition": [json.dumps({"outcome": OUTCOME})]}),
        "labels": outcomes,
        "outcomes": outcomes,
        "predictions": pa.Table.from_pylist(judged),
    }
    (row,) = view_rows("weighted_performance", tables)
    assert row["lowest_g"] == pytest.approx(1 / max(weights.values()), rel=1e-12)
    values = np.array([weights[patient] for patient in labels])
    assert row["rate"] == pytest.approx(np.average(list(labels.values()), weights=values), rel=1e-12)
    assert row["censored_before_horizon"] == len(known.censored) > 40


def test_weights_do_not_depend_on_the_ends_of_who_does_not_train() -> None:
    """Other times and labels of the other half of those with a label: the same bits."""
    ends, _ = drawn(3)
    known, labels = followed(ends)
    training = list(labels)[::2]
    others = {patient: 6.0 if patient not in training else end for patient, end in known.ends.items()}
    assert censoring_weights(known, training) == censoring_weights(FollowUp(others, known.censored), training)


def test_a_draw_of_patients_has_the_weights_of_all_but_for_chance() -> None:
    """Each censored patient counts as much as the draw is a share of those with a label: nobody is lost too often."""
    ends, _ = drawn(4, patients=6000)
    known, labels = followed(ends)
    of_all = censoring_weights(known, list(labels)).by_patient
    half = np.random.default_rng(0).permutation(list(labels))[: len(labels) // 2].tolist()
    of_half = censoring_weights(known, half).by_patient
    assert max(of_half.values()) == pytest.approx(max(of_all.values()), rel=0.1)
    assert max(of_all.values()) > 2


def test_a_control_gives_patients_the_weight_with_the_label() -> None:
    """Whose label a patient is given gives the follow-up too."""
    known, labels = followed(drawn(5)[0])
    patients = list(labels)
    donors = dict(zip(patients, np.random.default_rng(1).permutation(patients).tolist(), strict=True))
    permuted = censoring_weights(known.of_others(donors), patients).by_patient
    own = censoring_weights(known, patients).by_patient
    assert permuted == pytest.approx({patient: own[donors[patient]] for patient in patients})


def test_where_nobody_is_lost_there_are_no_weights() -> None:
    """All weigh one, and a fit is given none."""
    known, labels = followed([(1, 5.0), (0, 30.0), (0, 24.0), (1, 24.0)])
    weights = censoring_weights(known, list(labels))
    assert set(weights.by_patient.values()) == {1.0}
    assert weights.of(labels) is None
    assert fit_weights({}, []) is None
