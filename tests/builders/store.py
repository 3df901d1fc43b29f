"""A small store filled through the writer itself: three patients, two phases, one feature set, one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from schemas.keys import MaskKey, canonical_json, extraction_id, sha256_of_json
from store.address import StoreAddress, write_address
from store.analyst.layout import copy_catalogue
from store.analyst.query import answer
from store.analyst.view_parts import fixed_view
from store.commits.commit import Commit, commit_to
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import Segment, write_segment
from store.rows.staging import ExtractionRecord

FEATURE_SET = "two-features@1"
DEFINITION = {"about": "two-features"}
COLUMNS = ("original_firstorder_Mean", "wavelet-LLH_glcm_Idm")
PATIENTS = ("p1", "p2", "p3")
EXCLUDED = "p0"
CRITERION = '{"criteria":[{"name":"no prior treatment","exclude":{"column":"treated","equals":"yes"}}]}'

Row = dict[str, Any]


def key_of(patient: str, phase: str = "AP") -> MaskKey:
    """Return the key of a patient's only mask of a phase."""
    return MaskKey(patient, "baseline", phase, "1", "R1", 1)


MASK_KEYS = tuple(key_of(patient, phase) for patient in PATIENTS for phase in ("AP", "PVP"))


def rows_of(store: Store, query: str, as_of: int | None = None) -> list[Row]:
    """Return the rows that answer a question."""
    rows: list[Row] = answer(Snapshot(store, as_of), query).to_pylist()
    return rows


def view_rows(view: str, tables: Mapping[str, pa.Table]) -> list[Row]:
    """Return the rows of a view of every store over tables of the schema ``catalogue``, without a store."""
    with duckdb.connect() as connection:
        copy_catalogue(connection, tables.items())
        rows: list[Row] = connection.sql(fixed_view(view).query).to_arrow_table().to_pylist()
    return rows


def record_of(key: MaskKey, mean: float | None = 1.5, idm: float | None = 0.25) -> ExtractionRecord:
    """Return the finished extraction of a mask; image and mask content follow from its key."""
    image, mask = sha256_of_json([key.patient, key.phase]), sha256_of_json(list(key))
    return ExtractionRecord(
        extraction_id(image, mask, sha256_of_json(DEFINITION)),
        key,
        image,
        mask,
        dict(zip(COLUMNS, (mean, idm), strict=True)),
        details={
            "grey_levels": {"original": 60, "wavelet-LLH": 41},
            "zero_fraction": {"original": 0.0, "wavelet-LLH": 0.1},
        },
    )


def put_features(
    commit: Commit,
    feature_set: str = FEATURE_SET,
    columns: Sequence[str] = COLUMNS,
    definition: Mapping[str, Any] = DEFINITION,
) -> None:
    """Write a feature set and its dictionary."""
    name, _, version = feature_set.partition("@")
    commit.put(
        "feature_sets",
        [
            {
                "feature_set": feature_set,
                "name": name,
                "version": int(version),
                "kind": "radiomics",
                "features": len(columns),
                "description": "the reader's choice",
                "definition": canonical_json(definition),
                "definition_sha256": sha256_of_json(definition),
                "deviations": "{}",
            }
        ],
    )
    commit.put(
        "features",
        [
            {
                "feature_set": feature_set,
                "position": position,
                "feature": column,
                "image_type": column.partition("_")[0],
                "family": "firstorder",
                "name": column.rpartition("_")[2],
                "ibsi_id": "Q4LE" if position == 0 else None,
                "ibsi_compliant": int(position == 0),
                "deviation": None if position == 0 else "not in the standard",
                "unit": "1",
                "definition": f"what {column} measures",
            }
            for position, column in enumerate(columns)
        ],
    )


def clinical_rows(
    patient: str, values: Mapping[str, float | str], units: Mapping[str, str | None], observed_at: str = ""
) -> list[Row]:
    """Return the rows of a patient's clinical values: a text is a level, a number has its variable's unit if any."""
    return [
        {
            "patient": patient,
            "variable": name,
            "observed_at": observed_at,
            "value": None if isinstance(value, str) else value,
            "level": value if isinstance(value, str) else None,
            "unit": None if isinstance(value, str) else units.get(name),
        }
        for name, value in values.items()
    ]


def put_segment(
    store: Store,
    commit: Commit,
    records: Sequence[ExtractionRecord],
    feature_set: str = FEATURE_SET,
    columns: Sequence[str] = COLUMNS,
) -> Segment:
    """Write records as one segment, with their masks and extractions."""
    segment = write_segment(store.segments, feature_set, columns, records)
    commit.put("segments", [vars(segment)])
    content = [{"image_sha256": each.image_sha256, "mask_sha256": each.mask_sha256} for each in records]
    commit.put(
        "extractions",
        [
            sums | {"feature_set": feature_set, "extraction_id": each.extraction_id, "segment_id": segment.segment_id}
            for each, sums in zip(records, content, strict=True)
        ],
    )
    commit.put(
        "masks",
        [
            sums | each.key._asdict() | {"mask_label": 1, "lesion_voxels": 900, "volume_mm3": 812.5, "source": "m.nii"}
            for each, sums in zip(records, content, strict=True)
        ],
    )
    return segment


def fill(store: Store) -> None:
    """Write a whole small study: its cohort, features, split, model, figures and one failure."""
    study: Row = {"study": "er"}
    labels = dict(zip(PATIENTS, (1, 0, None), strict=True))
    with (
        record_run(store, "ingest", "er", {"file": "er.toml"}) as run,
        commit_to(store, "ingest er", run_id=run.run_id) as c,
    ):
        c.put(
            "studies",
            [study | {"title": "ER", "question": "?", "outcome": "er", "definition": CRITERION, "file": "er.toml"}],
        )
        c.put("patients", [{"patient": each} for each in (*PATIENTS, EXCLUDED)])
        c.put(
            "expectations",
            [
                study
                | {
                    "expectation": "size",
                    "policy": "warn",
                    "status": "held",
                    "rows": 0,
                    "detail": "",
                    "definition": "{}",
                }
            ],
        )
        c.put("exclusions", [study | {"patient": EXCLUDED, "position": 1, "criterion": "no prior treatment"}])
        c.put("study_patients", [study | {"patient": each} for each in PATIENTS])
        c.put("exams", [{"patient": each, "exam": "baseline", "acquired_on": "2020-01-31"} for each in PATIENTS])
        c.put(
            "scans",
            [
                {"patient": k.patient, "exam": k.exam, "phase": k.phase, "modality": "MR", "image_sha256": "0" * 64}
                for k in MASK_KEYS
            ],
        )
        c.put("study_masks", [study | k._asdict() | {"is_primary": 1} for k in MASK_KEYS])
        c.put("acquisitions", [{"patient": "p1", "exam": "baseline", "phase": "AP", "field_strength_t": 3.0}])
        c.put("findings", [study | {"patient": "p1", "variable": "capsule", "reader": "R1", "level": "present"}])
        c.put(
            "clinical",
            [
                {"patient": "p1", "variable": "afp", "observed_at": "2020-01-02", "value": 412.0, "unit": "[IU]/mL"},
                {"patient": "p1", "variable": "sex", "observed_at": "", "level": "male"},
            ],
        )
        c.put("reference_dates", [study | {"patient": "p1", "reference_on": "2020-01-10"}])
        c.put("variables", [study | {"variable": "afp", "kind": "number", "unit": "[IU]/mL", "low": 0.0, "high": 5e6}])
        c.put(
            "outcomes",
            [
                {"patient": p, "outcome": "er", "event": labels[p] or 0, "time": 20.0, "time_unit": "mo"}
                for p in PATIENTS
            ],
        )
        c.put("labels", [study | {"patient": p, "outcome": "er", "label": labels[p]} for p in PATIENTS])
        c.put("splits", [study | {"split": "main", "kind": "column", "sha256": "5" * 64, "patients": 3}])
        cohorts = zip(PATIENTS, ("training", "training", "validation"), strict=True)
        c.put("split_members", [study | {"split": "main", "patient": p, "cohort": cohort} for p, cohort in cohorts])
        failure = (
            study | MASK_KEYS[5]._asdict() | {"stage": "refresh", "feature_set": FEATURE_SET, "feature": COLUMNS[1]}
        )
        c.put("failures", [failure | {"reason": "one grey level"}])
    with record_run(store, "refresh", "er", {}) as run, commit_to(store, "refresh er", run_id=run.run_id) as c:
        put_features(c)
        put_segment(
            store, c, [record_of(k, mean=float(n), idm=None if n == 5 else 0.25) for n, k in enumerate(MASK_KEYS)]
        )
        of_mask = {"components": 1, "largest_component": 900, "border_voxels": 0, "slices": 9, "distinct_values": 60}
        c.put("mask_measures", [k._asdict() | of_mask | {"diameter_mm": 12.5} for k in MASK_KEYS])
        own = [record_of(key).extraction_id for key in MASK_KEYS]
        c.put("study_extractions", [study | {"feature_set": FEATURE_SET, "extraction_id": each} for each in own])
        reading = study | {"split": "main", "feature_set": FEATURE_SET, "phase": "AP", "feature": COLUMNS[0]}
        c.put("stability", [reading | {"kind": "intra", "patients": 30, "icc": 0.95, "lower": 0.9, "upper": 0.97}])
    with record_run(store, "bench", "er", {}) as run, commit_to(store, "bench er", run_id=run.run_id) as c:
        named = {
            "tag": "filled",
            "commit_id": 2,
            "description": "",
            "author": "tests",
            "tagged_at": "2020-03-01T00:00:00+00:00",
        }
        c.put("tags", [named])
        said = {"owner": "Liver group", "tags": '["liver"]', "description": "a small study"}
        c.put("descriptions", [{"kind": "study", "name": "er"} | said])
        judged = study | {"suite": "holdout", "model": "cr", "cohort": "training"}
        c.put(
            "datasets",
            [
                study
                | {"dataset_id": "d" * 20, "split": "main", "inputs": "{}", "commit_id": 2, "patients": 2, "columns": 4}
            ],
        )
        c.put(
            "models",
            [
                study
                | {"model": "cr", "version": 1, "dataset_id": "d" * 20, "threshold": 0.5, "trained_at": "t"}
                | {"summary": '{"univariable":[{"factor":"afp>400","odds_ratio":2.0,"p":0.1}],"removed":[]}'}
            ],
        )
        weight = {"kind": "coefficient", "feature": "afp>400", "value": 0.6, "lower": 0.2, "upper": 1.0}
        c.put("importances", [study | {"model": "cr", "version": 1} | weight])
        c.put("predictions", [judged | {"patient": "p1", "fold": 0, "version": 1, "probability": 0.7, "label": 1}])
        c.put("leaderboard", [judged | {"version": 1, "n": 2, "events": 1, "auc": 0.75, "auc_lo": 0.6, "auc_hi": 0.9}])
        c.put("openings", [study | {"split": "main", "cohort": "validation", "model": "cr", "version": 1}])
        c.put("controls", [judged | {"control": "permuted_labels", "repeats": 1, "n": 2, "events": 1, "auc": 0.5}])
        c.put(
            "selection_frequency",
            [study | {"suite": "nested-cv", "model": "cr", "feature": "age", "folds": 4, "selected": 3}],
        )
        look = {"cohort": "training", "label": 1, "probability": 0.7, "energy_inside": 0.4, "map": "[[0.0,1.0]]"}
        c.put("attention", [study | {"model": "cr", "version": 1, "patient": "p1", "phase": "AP"} | look])
        c.put("subgroups", [judged | {"variable": "sex", "level": "male", "n": 1, "events": 1}])
        line = study | {"split": "main", "cohort": "training", "variable": "sex", "level": "male"}
        c.put("characteristics", [line | {"position": 0, "known_events": 1, "count_events": 1}])
        test = study | {"suite": "holdout", "cohort": "training", "model_a": "cr", "model_b": "radiomics_lr"}
        c.put("comparisons", [test | {"kind": "paired", "statistic": 1.0, "p": 0.3, "p_holm": 0.3}])


def opened_at(address: StoreAddress, root: Path) -> Iterator[Store]:
    """Give an empty store at an address; its connections are closed afterwards."""
    write_address(root, address)
    opened = Store(root, create=True)
    yield opened
    opened.engine.dispose()
