"""What verbs take over the size of a store: 10^4, 10^5 and 10^6 masks.

    python tests/benchmarks/refresh/masks.py [--masks 10000 100000 1000000] [--repeats 3] [--folder DIR]

A study of 300 patients is real: images, features, models, a leaderboard. The other masks are rows of the catalogue and
of segments, as ingest and refresh write them, of a study `big` and of studies of 1,000 masks each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from overhead import ingested, radzoo

from schemas.keys import MaskKey, extraction_id, sha256_of_json
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import write_segment
from store.rows.staging import ExtractionRecord

STUDY = """feature_sets = ["few@1"]
[study]
id = "small"
title = "A study among many"
[cohort]
table = "patients.csv"
[outcome]
kind = "binary"
name = "outcome"
column = "outcome"
[phases.AP]
modality = "MR"
image = "images/{patient}_image.nii.gz"
mask = "images/{patient}_mask.nii.gz"
[define.few]
radiomics = { families = ["shape", "firstorder"] }
[splits.main]
kind = "stratified"
validation_fraction = 0.3
seed = 1
[models.radiomics_lr]
[models.radiomics_knn]
"""
REAL = 300
A_COMMIT = 10_000
A_STUDY = 1_000
REPEATS = 3
Row = dict[str, Any]


def small_study(folder: Path) -> Path:
    """Write, ingest, refresh, train and judge a study of tiny lesions; return the store."""
    store = ingested(folder, REAL, STUDY)
    for verb in ("refresh", "train", "bench"):
        radzoo(store, verb)
    return store


class Rest:
    """All that is not the small study: rows as its own are, under other names."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        snapshot = Snapshot(self.store)
        self.study, self.scan, self.mask, self.extraction = (
            _bare(snapshot.rows(table)[0]) for table in ("studies", "scans", "masks", "extractions")
        )
        self.feature_set = snapshot.rows("feature_sets")[0]
        self.columns = snapshot.column("features", "feature", feature_set=self.feature_set["feature_set"])

    def add_study(self, name: str) -> None:
        """Write a study of the same definition under another name."""
        text = self.study["definition"].replace('"id":"small"', f'"id":"{name}"')
        row = self.study | {"study": name, "definition": text, "definition_sha256": sha256_of_json(json.loads(text))}
        with commit_to(self.store, f"ingest {name}") as commit:
            commit.put("studies", [row])

    def add_masks(self, first: int, number: int) -> float:
        """Write so many masks with their features: all of `big`, each thousand of a study too; return the seconds."""
        tables: dict[str, list[Row]] = {}
        records = []
        random = np.random.default_rng(first)
        for each in range(first, first + number):
            record = self._record(each, random)
            records.append(record)
            for table, row in self._rows(each, record):
                tables.setdefault(table, []).append(row)
        began = time.perf_counter()
        name = self.feature_set["feature_set"]
        segment = write_segment(self.store.segments, name, self.columns, records)
        with commit_to(self.store, "more masks") as commit:
            commit.put("segments", [vars(segment)])
            tables["extractions"] = [row | {"segment_id": segment.segment_id} for row in tables["extractions"]]
            for table, rows in tables.items():
                commit.put(table, rows)
        return time.perf_counter() - began

    def _record(self, number: int, random: np.random.Generator) -> ExtractionRecord:
        key = MaskKey.of(self.mask)._replace(patient=f"R{number:07}")
        image, mask = (sha256_of_json([what, number]) for what in ("image", "mask"))
        values = dict(zip(self.columns, random.standard_normal(len(self.columns)).tolist(), strict=True))
        identity = extraction_id(image, mask, self.feature_set["definition_sha256"])
        details = {"grey_levels": {"original": 60.0}, "zero_fraction": {"original": 0.0}}
        return ExtractionRecord(identity, key, image, mask, values, details=details)

    def _rows(self, number: int, record: ExtractionRecord) -> Iterator[tuple[str, Row]]:
        patient, key = {"patient": record.key.patient}, record.key._asdict()
        content = {"image_sha256": record.image_sha256, "mask_sha256": record.mask_sha256}
        yield "patients", patient
        yield "exams", patient | {"exam": record.key.exam, "acquired_on": None}
        yield "scans", self.scan | patient | {"image_sha256": record.image_sha256}
        yield "masks", self.mask | key | content
        yield "extractions", self.extraction | content | {"extraction_id": record.extraction_id}
        own = {"feature_set": self.feature_set["feature_set"], "extraction_id": record.extraction_id}
        for study in ("big", f"s{number // A_STUDY:05}"):
            yield "study_patients", {"study": study} | patient
            yield "study_masks", {"study": study, "is_primary": 1} | key
            yield "study_extractions", {"study": study} | own


def filled_store(folder: Path, masks: int) -> Path:
    """Make a store of so many masks."""
    root = small_study(folder)
    rest = Rest(root)
    rest.add_study("big")
    for number in range(math.ceil((masks - REAL) / A_STUDY)):
        rest.add_study(f"s{number:05}")
    for first in range(0, masks - REAL, A_COMMIT):
        rest.add_masks(first, min(A_COMMIT, masks - REAL - first))
    rest.store.engine.dispose()
    return root


def measured(root: Path, repeats: int = REPEATS) -> dict[str, float]:
    """Return what each verb takes in a filled store, the median of some runs."""
    rest = Rest(root)
    found = {"commit of 3 masks": statistics.median(rest.add_masks(10**7 + 3 * n, 3) for n in range(repeats))}
    rest.store.engine.dispose()
    of_small = "from few join study_masks using (patient, exam, phase, lesion, reader, reading) where study = 'small'"
    verbs = {
        "publish after it": ("store", "publish"),
        "refresh of all masks, nothing to do": ("refresh", "--study", "big"),
        "refresh of 300, nothing to do": ("refresh", "--study", "small"),
        "plan of all masks": ("refresh", "--study", "big", "--dry-run"),
        "plan of 300": ("refresh", "--study", "small", "--dry-run"),
        "sql, features of 300": ("sql", f"select avg(original_shape_MeshVolume) {of_small}"),
        "sql, leaderboard": ("sql", "from leaderboard"),
        "sql, masks counted": ("sql", "select count(*) from masks"),
        "train of 300, nothing to do": ("train", "--study", "small"),
    }
    for what, arguments in verbs.items():
        taken = [radzoo(root, *arguments)[:3] for _ in range(repeats)]
        for unit, values in zip(("s", "CPU s", "MB"), zip(*taken, strict=True), strict=True):
            found[f"{what}, {unit}"] = statistics.median(values)
    found["catalogue, MB"] = sum(file.stat().st_size for file in root.glob("catalogue.sqlite*")) / 1e6
    found["published file, MB"] = (root / "analyst.duckdb").stat().st_size / 1e6
    return found


def exponents(found: dict[int, dict[str, float]]) -> dict[str, float]:
    """Return by which power of the number of masks each figure grows from the smallest store to the largest."""
    first, last = min(found), max(found)
    return {what: math.log(found[last][what] / found[first][what]) / math.log(last / first) for what in found[first]}


def _bare(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "added_commit"}


def main() -> None:
    """Measure stores of the sizes that are asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the stores are made; a temporary folder where not given")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of each verb")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = {}
    for masks in asked.masks:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            found[masks] = measured(filled_store(Path(folder) / "size", masks), asked.repeats)
        print(masks, json.dumps(found[masks]), flush=True)
    growth = exponents(found) if len(found) > 1 else {}
    print("| |", " | ".join(f"{masks:,} masks" for masks in found), "| exponent |")
    print("|---|" + "---|" * (len(found) + 1))
    for what in found[asked.masks[0]]:
        values = " | ".join(f"{own[what]:.3g}" for own in found.values())
        print(f"| {what} | {values} | {growth.get(what, math.nan):.2f} |")


if __name__ == "__main__":
    main()
