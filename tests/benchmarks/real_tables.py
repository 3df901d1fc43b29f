"""Published feature tables and a clinical table, ingested and judged by the nested-cv suite, with permuted labels.

``python tests/benchmarks/real_tables.py [--repeats 5] [--permutations 10] [--only Song2020 ...] [--data DIR]`` prints
the table of docs/benchmarks.md: each model's AUC out of fold with its 95 % interval, calibration slope and Brier score
beside that of giving everyone the prevalence, and mean AUC, its standard error and spread over permutations of the
labels, each of five folds with everything fitted inside them.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

# Read by Prefect when it is imported.
os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "WARNING"}

import numpy as np

from flows.bench.run import FOLDS, bench
from flows.ingest.run import ingest
from flows.study.of_table import TableOfFeatures, study_text
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.benchmark.controls import control_row, permuted_labels
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.models.training import RANDOM_STATE
from zoo.registry import model_spec
from zoo.tables.inputs import model_inputs

HERE = Path(__file__).resolve()
TABLES = {
    "Song2020": {"file": "Song2020.gz", "patient": "ID", "outcome": "Target", "phases": ("ADC", "DWI", "T2")},
    "Granata2021": {"file": "Granata2021.gz", "patient": "ID", "outcome": "Target"},
    # logit_0 and logit_1 are the output of a network that knew the outcome: no features.
    "HarvardRT": {"file": "HarvardRT.csv.xz", "patient": "id", "outcome": "surv2yr", "drop": ("logit_*",)},
}
CLINICAL = "hcc-survival"


def written_study(name: str, data: Path, folder: Path, models: list[str]) -> Path:
    """Write a table's study file and return it."""
    folder.mkdir(parents=True)
    if name == CLINICAL:
        lines = (data / "uci_hcc_survival" / "hcc-data.txt").read_text().splitlines()
        with (folder / "patients.csv").open("w", newline="") as stream:
            rows = csv.reader(lines)
            csv.writer(stream).writerows(
                [f"H{number:03d}" if number else "patient", *row] for number, row in enumerate(rows)
            )
        example = HERE.parents[2] / "docs" / "examples" / CLINICAL / "study.toml"
        shutil.copy(example, folder / "study.toml")
    else:
        given = dict(TABLES[name])
        file = data / "radiomics_tables" / str(given.pop("file"))
        table = TableOfFeatures(file, positive="1", id=name, models=models, **given)  # type: ignore[arg-type]
        (folder / "study.toml").write_text(study_text(table, folder))
    return folder / "study.toml"


def permuted_areas(store: Store, study_id: str, models: list[str], draws: int) -> dict[str, list[float]]:
    """Return each model's AUC under permutations of the labels, one a draw."""
    snapshot = Snapshot(store)
    study = stored_study(snapshot, study_id)
    (split,) = {model_inputs(study, model_spec(model)).split for model in models}
    labels = split_labels(snapshot, study, split)
    areas: dict[str, list[float]] = {model: [] for model in models}
    for draw in range(draws):
        permuted = {split: permuted_labels(labels, {}, seed=RANDOM_STATE + draw)}
        folds = {split: repeated_folds(permuted[split], repeats=1, folds=FOLDS, seed=RANDOM_STATE + draw)}
        planned = plan_cross_validation(snapshot, study, models, labels=permuted, folds=folds, with_thresholds=False)
        results = {task.key: fitted_task(task) for task in planned.tasks}
        for model, found in areas.items():
            found.append(control_row(study_id, "nested-cv", "permuted_labels", model, planned, results).auc)
        print(f"{study_id}, permutation {draw}: {areas}", file=sys.stderr, flush=True)
    return areas


def summary(areas: list[float]) -> str:
    """Return mean, error of the mean, spread and number of AUCs as cells of a table."""
    if len(areas) < 2:
        return f"{np.mean(areas):.3f} | | | {len(areas)}" if areas else "| | | 0"
    spread = np.std(areas, ddof=1)
    return f"{np.mean(areas):.3f} | {spread / len(areas) ** 0.5:.3f} | {spread:.3f} | {len(areas)}"


def main() -> None:
    """Print one line a model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--permutations", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[*TABLES, CLINICAL])
    parser.add_argument("--models", nargs="*", default=[], help="of the radiomics tables; all where not given")
    default = os.environ.get("RADZOO_TEST_DATA", HERE.parents[3] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    asked = parser.parse_args()
    heading = "slope | Brier score | of the prevalence | permuted: mean AUC | its error | spread | draws |"
    print(f"| table | patients (label 1) | model | AUC out of fold | {heading}")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in asked.only:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            study = ingest(written_study(name, asked.data, root / name, asked.models), root / "store").study
            store = Store(root / "store")
            found = bench(store, suite="nested-cv", repeats=asked.repeats, workers=1)
            print(f"{name} judged: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            permuted = permuted_areas(store, study, [row.model for row in found.leaderboard], asked.permutations)
        for row in found.leaderboard:
            area = f"{row.auc:.3f} ({row.auc_lo:.3f}-{row.auc_hi:.3f})"
            slope = "" if row.calibration_slope is None else f"{row.calibration_slope:.2f}"
            prevalence = row.events / row.n
            cells = [name, f"{row.n} ({row.events})", row.model, area, slope, f"{row.brier:.4f}"]
            cells += [f"{prevalence * (1 - prevalence):.4f}", summary(permuted[row.model])]
            print(f"| {' | '.join(cells)} |", flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
