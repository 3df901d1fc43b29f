"""The views that tell what a study has of its features, and what a model was made of."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.store import COLUMNS, FEATURE_SET, MASK_KEYS, rows_of

from store.analyst.query import snapshot_connection
from store.commits.commit import commit_to
from store.dictionary.coverage import study_coverage
from store.files import file_sha256
from store.history.snapshot import Snapshot
from store.home import Store


def train(store: Store, *, phases: list[str], excluded: dict[str, str], model: str = "rad", commit_id: int = 2) -> None:
    """Write a model and its dataset, as training does."""
    inputs = {"feature_set": "two-features", "phases": phases, "split": "main"}
    with commit_to(store, "train") as commit:
        own = {"study": "er", "dataset_id": model}
        given = {"split": "main", "inputs": json.dumps(inputs), "commit_id": commit_id, "patients": 3 - len(excluded)}
        commit.put("datasets", [own | given | {"columns": 5}])
        commit.put("models", [own | {"model": model, "version": 1, "summary": json.dumps({"excluded": excluded})}])


def lineage(store: Store, model: str = "rad") -> dict[str, Any]:
    """Return a model's row."""
    (row,) = rows_of(store, f"from lineage where model = '{model}'")
    return row


def test_lineage_leads_from_a_model_to_its_images(filled: Store) -> None:
    """A model of two phases and three patients was made of six images, six rows and the one segment that has them."""
    train(filled, phases=["AP", "PVP"], excluded={})
    (segment,) = rows_of(filled, "from catalogue.segments")
    row = lineage(filled)
    assert (row["feature_set"], row["phases"], row["commit_id"]) == (FEATURE_SET, ["AP", "PVP"], 2)
    assert (row["patients"], row["images"], row["masks"], row["extractions"], row["segments"]) == (3, 6, 6, 6, 1)
    assert row["segment_sha256"] == [segment["sha256"]]
    assert row["as_trained"] is True


def test_lineage_counts_only_what_the_dataset_has(filled: Store) -> None:
    """Patients left out of the dataset and phases that it does not read bring no image."""
    train(filled, phases=["PVP"], excluded={"p3": "no two-features in PVP"})
    row = lineage(filled)
    assert (row["patients"], row["images"], row["extractions"]) == (2, 2, 2)


def test_lineage_of_a_model_without_features_ends_at_its_dataset(filled: Store) -> None:
    """A clinical model has a dataset and predictions, and no image."""
    row = lineage(filled, "cr")
    assert (row["dataset_id"], row["patients"], row["predictions"]) == ("d" * 20, 2, 1)
    assert (row["feature_set"], row["images"], row["segments"], row["as_trained"]) == (None, 0, 0, None)


def test_lineage_tells_when_an_image_was_replaced(filled: Store) -> None:
    """A mask that changed after the dataset was read makes the model's row say so."""
    train(filled, phases=["AP"], excluded={})
    assert lineage(filled)["as_trained"] is True
    (mask,) = rows_of(filled, "select * from catalogue.masks where patient = 'p1' and phase = 'AP'")
    with commit_to(filled, "redrawn") as commit:
        commit.put("masks", [mask | {"lesion_voxels": 1}])
    assert lineage(filled)["as_trained"] is False


def test_lineage_tells_what_a_network_reads(filled: Store) -> None:
    """A network's regions are named and their images, masks and rows counted, beside those of its features."""
    own = {"study": "er", "feature_set": "boxes@1"}
    # Of another kind, for which no view of the store opens a file.
    kind = {"name": "boxes", "version": 1, "kind": "clinical", "features": 0, "definition": "{}"}
    masks = [row for row in rows_of(filled, "from catalogue.masks") if row["phase"] == "PVP"]
    named = [
        {"extraction_id": f"{context}{row['mask_sha256'][1:]}", "context_sha256": context * 64}
        | {name: row[name] for name in ("image_sha256", "mask_sha256")}
        for row in masks
        for context in "ab"
    ]
    file = filled.segments.local_root / "x"
    pq.write_table(pa.table({"extraction_id": [row["extraction_id"] for row in named]}), file)
    sha256 = file_sha256(file)
    with commit_to(filled, "regions") as commit:
        commit.put("feature_sets", [{"feature_set": "boxes@1"} | kind])
        commit.put("segments", [{"segment_id": "s" * 20, "feature_set": "boxes@1", "path": "x", "sha256": sha256}])
        commit.put("extractions", [{"feature_set": "boxes@1", "segment_id": "s" * 20} | row for row in named])
        # Another phase was replaced: of each mask's two regions the study uses one.
        used = [row["extraction_id"] for row in named if row["context_sha256"].startswith("b")]
        commit.put("study_extractions", [own | {"extraction_id": each} for each in used])
    with commit_to(filled, "train") as commit:
        for model, features in (("net", None), ("fused", "two-features")):
            inputs = {"feature_set": features, "regions": "boxes", "phases": ["PVP"], "split": "main"}
            told = {"split": "main", "inputs": json.dumps(inputs), "commit_id": 4, "patients": 3, "columns": 5}
            commit.put("datasets", [{"study": "er", "dataset_id": model} | told])
            row = {"study": "er", "dataset_id": model, "model": model, "version": 1, "summary": "{}"}
            commit.put("models", [row])
    counts = ("feature_set", "regions", "images", "masks", "extractions", "segments", "as_trained")
    assert [lineage(filled, "net")[name] for name in counts] == [None, "boxes@1", 3, 3, 3, 1, True]
    assert [lineage(filled, "fused")[name] for name in counts] == [FEATURE_SET, "boxes@1", 3, 3, 6, 2, True]
    assert lineage(filled, "net")["segment_sha256"] == [sha256]


def test_coverage_counts_rows_failures_and_single_values(filled: Store) -> None:
    """Each phase has its masks and rows; a value that could not be computed is counted in its phase."""
    found = rows_of(filled, "from coverage order by phase")
    assert [tuple(row.values()) for row in found] == [
        ("er", FEATURE_SET, False, "AP", 3, 3, 3, 0, 0, 0, 0),
        ("er", FEATURE_SET, False, "PVP", 3, 3, 3, 0, 0, 0, 1),
    ]


def test_coverage_knows_what_a_study_asks_for(filled: Store) -> None:
    """A set the study file names is covered, by name as by version; one that nobody computed lacks every mask."""
    study = {"study": "er", "title": "ER", "question": "?", "outcome": "er", "file": "er.toml"}
    definition = json.dumps({"feature_sets": ["two-features", "later@1"]})
    refused = {"stage": "ingest", "study": "er"} | MASK_KEYS[0]._replace(phase="DP")._asdict()
    failed = {"stage": "refresh", "study": "er", "feature_set": FEATURE_SET} | MASK_KEYS[0]._asdict()
    with commit_to(filled, "asks for more") as commit:
        commit.put("studies", [study | {"definition": definition}])
        commit.put(
            "failures",
            [
                refused | {"feature_set": "", "feature": "", "reason": "file is missing"},
                failed | {"feature": "", "reason": "mask has one voxel"},
            ],
        )
    found = {(row["feature_set"], row["phase"]): row for row in rows_of(filled, "from coverage")}
    assert found[FEATURE_SET, "AP"]["is_asked"] is True
    assert found[FEATURE_SET, "AP"]["failed"] == 1
    later = found["later@1", "AP"]
    assert (later["masks"], later["extractions"], later["missing"], later["failed"]) == (3, 0, 3, 0)
    dp = found[FEATURE_SET, "DP"]
    assert (dp["masks"], dp["refused"], dp["missing"]) == (0, 1, 0)


@pytest.mark.parametrize("study", ["er", None])
def test_coverage_of_one_study_or_all(filled: Store, study: str | None) -> None:
    """Coverage and its reasons can be asked for one study."""
    with snapshot_connection(Snapshot(filled)) as connection:
        found = study_coverage(connection, study)
    assert len(found.rows) == 2
    assert [(row["reason"], row["feature"], row["masks"]) for row in found.reasons] == [
        ("one grey level", COLUMNS[1], 1)
    ]
