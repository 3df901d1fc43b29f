"""docs/leaderboard.sql gives the leaderboard's AUC and intervals of predictions that hardly have any, too."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from schemas.results import PredictionRow
from zoo.benchmark.leaderboard import leaderboard_row

SQL = (Path(__file__).parents[3] / "docs" / "leaderboard.sql").read_text()
BOUNDS = ("auc_lo", "auc_hi", "auc_delong_lo", "auc_delong_hi")
PROBABILITIES = {
    "drawn": lambda random, label: float(random.random()),
    "with ties": lambda random, label: round(float(random.random()), 1),
    "right": lambda random, label: 0.9 if label else 0.1,
    "all alike": lambda random, label: 0.5,
}


def predictions(seed: int, kind: str) -> list[PredictionRow]:
    """Return out-of-fold predictions of 6 to 14 patients: some folds have one patient, or one label."""
    random = np.random.default_rng(seed)
    patients, folds, repeats = (int(random.integers(*of)) for of in ((6, 15), (2, 6), (1, 4)))
    labels = random.integers(0, 2, patients)
    own = {"study": "s", "suite": "nested-cv", "model": "m", "cohort": "out_of_fold", "threshold": 0.5}
    return [
        PredictionRow(
            **own,
            patient=f"P{patient:02}",
            repeat=repeat,
            fold=int(fold) + folds * repeat,
            label=int(label),
            probability=PROBABILITIES[kind](random, label),
        )
        for repeat in range(repeats)
        for patient, (label, fold) in enumerate(
            zip(labels, random.permutation(np.arange(patients) % folds), strict=True)
        )
    ]


@pytest.mark.parametrize("kind", PROBABILITIES)
def test_few_patients_have_the_same_figures_in_sql(kind: str) -> None:
    """Repeats without a variance, folds of one label, one patient of a label: SQL and Python agree, or have no figure.

    Where the variance is 0, Python's interval is Clopper and Pearson's, which the SQL says it does not make.
    """
    for seed in range(25):
        rows = predictions(seed, kind)
        expected = leaderboard_row(rows)
        with duckdb.connect() as connection:
            connection.register("predictions", pa.Table.from_pylist([row.model_dump() for row in rows]))
            (found,) = connection.sql(SQL).to_arrow_table().to_pylist()
        assert found["auc"] == pytest.approx(expected.auc, abs=1e-12), seed
        plain = (expected.auc_delong_lo, expected.auc_delong_hi)
        has_spread = None not in plain and plain[0] < plain[1]
        compared = BOUNDS if has_spread else ("auc_delong_lo", "auc_delong_hi")
        for name in compared:
            assert found[name] == pytest.approx(getattr(expected, name), abs=1e-9), (seed, name)


@pytest.mark.parametrize("offset", [-8.0, 0.0, 8.0])
def test_calibration_in_the_large_is_found_from_afar(offset: float) -> None:
    """Where nearly all predictions are wrong one way, Newton's plain steps would lead away from the shift."""
    random = np.random.default_rng(3)
    log_odds = 2 * random.standard_normal(50)
    labels = (random.random(50) < 1 / (1 + np.exp(-log_odds))).astype(int)
    own = {"study": "s", "suite": "holdout", "model": "m", "cohort": "validation", "threshold": 0.5}
    rows = [
        PredictionRow(**own, patient=f"P{n:02}", label=int(label), probability=float(1 / (1 + np.exp(-value - offset))))
        for n, (label, value) in enumerate(zip(labels, log_odds, strict=True))
    ]
    with duckdb.connect() as connection:
        connection.register("predictions", pa.Table.from_pylist([row.model_dump() for row in rows]))
        (found,) = connection.sql(SQL).to_arrow_table().to_pylist()
    expected = leaderboard_row(rows)
    assert found["calibration_intercept"] == pytest.approx(expected.calibration_intercept, abs=1e-8)
    assert found["calibration_slope"] == pytest.approx(expected.calibration_slope, abs=1e-8)
