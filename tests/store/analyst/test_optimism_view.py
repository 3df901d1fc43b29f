"""The view optimism counts what rows of resamples say, and tells why it can say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders.resampled import optimism_rows
from builders.store import rows_of

from store.commits.commit import commit_to
from store.home import Store

Row = dict[str, Any]
OWN = {"study": "s", "suite": "bootstrap", "model": "m", "version": 3}


def resamples(count: int, *, without_slope: int = 0, unfit: int = 0, again: int = 0) -> list[Row]:
    """Return the rows of a model, of whose resamples the last ones lack figures."""
    random = np.random.default_rng(8)
    told = {"n": 50, "events": 20}
    rows = [OWN | told | {"cohort": "training", "auc": 0.9, "calibration_slope": 1.2, "brier": 0.15}]
    rows += [OWN | {"cohort": f"resample 1, draw {draw}", "n": 50, "events": 0} for draw in range(1, again + 1)]
    for number in range(1, count + 1):
        own = OWN | {"cohort": f"resample {number}", "n": 50, "events": 22}
        if number > count - unfit:
            rows.append(own)
            continue
        has_slope = number <= count - unfit - without_slope
        for cohort, sign in (("", 1), (" on training", -1)):
            figures = {"auc": 0.85 + sign * 0.03, "brier": 0.2 - sign * 0.02}
            figures |= {"calibration_slope": 1.0 + sign * 0.2 if has_slope or sign < 0 else None}
            drawn = {name: v and v + random.normal(0, 0.01) for name, v in figures.items()}
            rows.append(own | drawn | {"cohort": own["cohort"] + cohort})
        others = {"cohort": own["cohort"] + " on the others", "n": 18, "events": 8, "brier": 0.25}
        rows.append(own | others | {"auc": 0.7 + number / 1000 if number > 1 else None})
    return rows


def test_optimism_is_the_mean_difference_of_a_model_here_and_there() -> None:
    """Mean, and its standard error over the resamples, are numpy's; corrected is apparent less the mean."""
    rows = resamples(40)
    found = {row["figure"]: row for row in optimism_rows(rows)}
    by_cohort = {row["cohort"]: row for row in rows}
    for figure, row in found.items():
        pairs = [(by_cohort[f"resample {at}"], by_cohort[f"resample {at} on training"]) for at in range(1, 41)]
        apart = np.array([own[figure] - everyone[figure] for own, everyone in pairs])
        assert row["optimism"] == pytest.approx(apart.mean(), rel=1e-12)
        assert row["monte_carlo_error"] == pytest.approx(apart.std(ddof=1) / np.sqrt(40), rel=1e-9)
        assert row["corrected"] == pytest.approx(by_cohort["training"][figure] - apart.mean(), rel=1e-12)
        others = [by_cohort[f"resample {at} on the others"].get(figure) for at in range(1, 41)]
        known = [value for value in others if value is not None]
        assert row["left_out"] == (pytest.approx(np.mean(known), rel=1e-12) if known else None)
        assert (row["n"], row["events"], row["version"], row["resamples"], row["with_figure"]) == (50, 20, 3, 40, 40)
        assert (row["unfit"], row["drawn_again"], row["reason"]) == (0, 0, None)
    assert list(found) == ["auc", "calibration_slope", "brier"]


def test_a_tenth_of_the_resamples_may_lack_a_figure_and_no_more() -> None:
    """Where more lack it the mean is of those that happen to have it: none is told, and the reason says how many."""
    few = {row["figure"]: row for row in optimism_rows(resamples(40, without_slope=4))}
    assert (few["calibration_slope"]["with_figure"], few["calibration_slope"]["reason"]) == (36, None)
    many = {row["figure"]: row for row in optimism_rows(resamples(40, without_slope=5))}
    assert (many["calibration_slope"]["corrected"], many["calibration_slope"]["monte_carlo_error"]) == (None, None)
    assert many["calibration_slope"]["reason"].startswith("5 of 40 resamples have no such figure: it cannot be told")
    assert many["calibration_slope"]["apparent"] == 1.2
    assert many["auc"]["reason"] is None


def test_resamples_that_could_not_be_fitted_to_are_counted() -> None:
    """They lack all figures; a draw that was passed over is no resample."""
    some = optimism_rows(resamples(40, unfit=2, again=3))
    counts = {(row["resamples"], row["with_figure"], row["unfit"], row["drawn_again"]) for row in some}
    assert counts == {(40, 38, 2, 3)}
    assert [row["reason"] for row in some] == [None] * 3
    most = optimism_rows(resamples(40, unfit=39))
    reason = "39 of 40 resamples have no such figure: the model cannot be fitted to them"
    assert {(row["corrected"], row["reason"]) for row in most} == {(None, reason)}


def test_one_resample_has_no_error() -> None:
    """A mean of one tells nothing of how far the next lies."""
    assert {row["reason"] for row in optimism_rows(resamples(1))} == {"it takes two resamples"}


def test_figures_of_resamples_are_no_rows_of_the_leaderboard(tmp_path) -> None:
    """The views read one table, each its suite."""
    store = Store(tmp_path / "store", create=True)
    with commit_to(store, "bench") as commit:
        judged = OWN | {"suite": "holdout", "cohort": "validation", "n": 9, "events": 4, "auc": 0.7, "brier": 0.2}
        commit.put("leaderboard", [judged, *resamples(12)])
    assert [row["suite"] for row in rows_of(store, "from leaderboard")] == ["holdout"]
    assert [row["resamples"] for row in rows_of(store, "from optimism")] == [12, 12, 12]
