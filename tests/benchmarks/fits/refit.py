"""Models of a store fitted again, one after another in this process: whether they are the same, and what they cost.

``python tests/benchmarks/fits/refit.py STORE [MODEL ...]``, on a copy of a store: the fits are saved beside those that
it has, no row names them, and ``radzoo store compact`` removes them. Each line has the processor seconds of the fit and
whether the folder's hash is the stored one. Models with networks of other models have other bytes in one process.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.models.training import fit_and_save_model, plan_training


def processor_seconds() -> float:
    """Return what this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Fit the models and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("models", nargs="*")
    asked = parser.parse_args()
    store = Store(asked.store)
    snapshot = Snapshot(store)
    study = stored_study(snapshot, None)
    for row in snapshot.rows("models"):
        if asked.models and row["model"] not in asked.models:
            continue
        plan = plan_training(snapshot, study, row["model"])
        before = processor_seconds()
        made = fit_and_save_model(store, study, plan, row["trained_at"])
        seconds = processor_seconds() - before
        print(f"{row['model']:20} {seconds:6.1f} s  {'same' if made.row['sha256'] == row['sha256'] else 'other'} bytes")


if __name__ == "__main__":
    main()
