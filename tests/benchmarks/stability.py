"""How long the agreement of repeated readings takes: the computation alone, and with reading from a store.

    OMP_NUM_THREADS=1 python tests/benchmarks/stability.py [STORE STUDY SPLIT FEATURE_SET]

The numbers are drawn: 30 tumours read twice, 3 phases of 1037 features.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.evaluation.agreement import icc_agreement
from zoo.tables.stability import stability_rows

PATIENTS, READINGS, FEATURES = 30, 2, 3111
REPETITIONS = 21


def seconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the median time of a piece of work."""
    times = []
    for _ in range(repetitions):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times)


def main() -> None:
    """Print the times."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((PATIENTS, 1, FEATURES))
    ratings = truth + 0.2 * rng.standard_normal((PATIENTS, READINGS, FEATURES))
    alone = seconds(lambda: icc_agreement(ratings), REPETITIONS)
    print(f"ICC(A,1) with bounds, {PATIENTS} patients, {READINGS} readings, {FEATURES} features: {alone * 1000:.1f} ms")
    if len(sys.argv) == 5:
        folder, name, split, feature_set = sys.argv[1:]
        snapshot = Snapshot(Store(Path(folder)))
        study = stored_study(snapshot, name)
        rows = stability_rows(snapshot, study, split, feature_set)
        whole = seconds(lambda: stability_rows(snapshot, study, split, feature_set), 3)
        print(f"read from the store and computed, {len(rows)} ICCs: {whole:.2f} s")


if __name__ == "__main__":
    main()
