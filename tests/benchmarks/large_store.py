"""Large stores of random features for the measurements, written as ingest and refresh write them."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.features.names import column_names
from schemas.features.radiomics_settings import HCC_CEMRI
from schemas.keys import MaskKey, extraction_id, sha256_of_json
from store.commits.commit import commit_to
from store.commits.writer import append_features
from store.home import Store
from store.rows.segments import store_segment
from store.rows.staging import ExtractionRecord

SET = "hcc-cemri@1"
COLUMNS = column_names(HCC_CEMRI.image_types(), HCC_CEMRI.families)
DEFINITION = sha256_of_json("benchmark")
PHASES = ("AP", "PVP", "DP")


def keys_of(first: int, rows: int) -> list[MaskKey]:
    """Return mask keys, three phases a patient."""
    return [MaskKey(f"P{n // 3:06}", "baseline", PHASES[n % 3], "1", "R1", 1) for n in range(first, first + rows)]


def rows_of(keys: list[MaskKey], seed: int) -> pa.Table:
    """Return a segment's table with random values for these keys."""
    random = np.random.default_rng(seed)
    images = [sha256_of_json(["image", *key]) for key in keys]
    masks = [sha256_of_json(["mask", *key]) for key in keys]
    details = [{"original": 60.0}] * len(keys)
    head = {
        "extraction_id": [extraction_id(i, m, DEFINITION) for i, m in zip(images, masks, strict=True)],
        **{name: [getattr(key, name) for key in keys] for name in MaskKey._fields},
        "image_sha256": images,
        "mask_sha256": masks,
        "grey_levels": details,
        "zero_fraction": details,
    }
    values = {name: random.standard_normal(len(keys)) for name in COLUMNS}
    return pa.table({**head, **values})


def put_catalogue(commit, keys: list[MaskKey], rows: pa.Table, segment_id: str, study: str) -> None:
    """Write what ingest and refresh write of these rows."""
    content = [
        {"image_sha256": i, "mask_sha256": m}
        for i, m in zip(rows["image_sha256"].to_pylist(), rows["mask_sha256"].to_pylist(), strict=True)
    ]
    named = [key._asdict() for key in keys]
    day = date(2020, 1, 1)
    patients = sorted({key.patient for key in keys})
    commit.put("masks", [k | c for k, c in zip(named, content, strict=True)])
    commit.put("study_masks", [{"study": study, "is_primary": 1} | k for k in named])
    commit.put(
        "exams",
        [{"patient": p, "exam": "baseline", "acquired_on": str(day + timedelta(hash_day(p)))} for p in patients],
    )
    identities = rows["extraction_id"].to_pylist()
    own = {"feature_set": SET, "segment_id": segment_id}
    commit.put("extractions", [own | {"extraction_id": e} | c for e, c in zip(identities, content, strict=True)])
    commit.put("study_extractions", [{"study": study, "feature_set": SET, "extraction_id": e} for e in identities])


def hash_day(patient: str) -> int:
    """Return a day between 0 and 999 that follows from a pseudonym."""
    return int(sha256_of_json(patient)[:8], 16) % 1000


def filled_store(root: Path, parts: list[tuple[str, int, int]]) -> Store:
    """Return a store with a commit and a segment for each (study, first row, number of rows)."""
    store = Store(root, create=True)
    with commit_to(store, "feature set") as commit:
        name, _, version = SET.partition("@")
        about = {"feature_set": SET, "name": name, "version": int(version), "kind": "radiomics", "description": ""}
        commit.put("feature_sets", [about | {"features": len(COLUMNS), "definition_sha256": DEFINITION}])
        rows = [{"feature_set": SET, "position": at, "feature": each} for at, each in enumerate(COLUMNS)]
        commit.put("features", rows)
    for study, first, number in parts:
        add_rows(store, study, first, number)
    return store


def add_rows(store: Store, study: str, first: int, number: int) -> None:
    """Refresh a study with so many rows, ten thousand a commit."""
    for start in range(first, first + number, 10_000):
        keys = keys_of(start, min(10_000, first + number - start))
        rows = rows_of(keys, seed=start)
        with commit_to(store, f"refresh {study}") as commit:
            segment = store_segment(store.segments, SET, rows)
            commit.put("segments", [vars(segment)])
            put_catalogue(commit, keys, rows, segment.segment_id, study)


def append_seconds(store: Store, number: int) -> float:
    """Return how long a commit of three more rows takes, from finished records to the landed commit."""
    keys = [MaskKey(f"N{number:06}", "baseline", phase, "1", "R1", 1) for phase in PHASES]
    rows = rows_of(keys, seed=number)
    records = [
        ExtractionRecord(
            row["extraction_id"], key, row["image_sha256"], row["mask_sha256"], {name: row[name] for name in COLUMNS}
        )
        for key, row in zip(keys, rows.to_pylist(), strict=True)
    ]
    started = time.perf_counter()
    with commit_to(store, "three more") as commit:
        segment = append_features(commit, store, SET, COLUMNS, records)
        assert segment is not None
        put_catalogue(commit, keys, rows, segment.segment_id, "all")
    return time.perf_counter() - started
