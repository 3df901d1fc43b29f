"""Published feature tables and a clinical table, ingested and judged by the honest suite, with permuted labels.

``python tests/benchmarks/real_tables.py [--repeats 1] [--only Song2020 ...] [--data DIR]`` prints the table of
docs/benchmarks.md: each model's AUC out of fold with its 95 % interval, and the same with the labels permuted.
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

from flows.bench import bench
from flows.ingest import ingest
from flows.table_study import TableOfFeatures, study_text
from store.home import Store

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


def main() -> None:
    """Print one line a model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--control-repeats", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[*TABLES, CLINICAL])
    parser.add_argument("--models", nargs="*", default=[], help="of the radiomics tables; all where not given")
    default = os.environ.get("RADZOO_TEST_DATA", HERE.parents[3] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    asked = parser.parse_args()
    print(
        "| table | patients (label 1) | model | AUC out of fold | labels permuted |\n|---|---|---|---|---|", flush=True
    )
    for name in asked.only:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            ingest(written_study(name, asked.data, root / name, asked.models), root / "store")
            found = bench(
                Store(root / "store"),
                suite="honest",
                repeats=asked.repeats,
                controls=True,
                control_repeats=asked.control_repeats,
                workers=1,
            )
        permuted = {row.model: row for row in found.controls if row.control == "permuted_labels"}
        for row in found.leaderboard:
            control = permuted[row.model]
            figures = [f"{each.auc:.3f} ({each.auc_lo:.3f}-{each.auc_hi:.3f})" for each in (row, control)]
            print(f"| {name} | {row.n} ({row.events}) | {row.model} | {' | '.join(figures)} |", flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
