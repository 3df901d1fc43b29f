"""A store whose features and clinical values a test decides, written without images."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from schemas.keys import MaskKey, canonical_json, sha256_of_json
from schemas.study.file import Study
from schemas.study.text import parsed_study
from store.commits.commit import commit_to
from store.commits.writer import append_records
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import EmbeddingRecord, write_embeddings, write_segment
from store.rows.staging import ExtractionRecord

STUDY = """feature_sets = ["quick"]

[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"

[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"

[phases.DP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"

[clinical.variables]
afp = { unit = "[IU]/mL" }
age = { unit = "a" }
sex = { levels = ["female", "male"] }

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[define.quick.radiomics]
families = ["shape"]

[models.cr]
factors = [{ variable = "afp", above = 400 }, { variable = "sex", equals = "male" }, { variable = "age" }]

[models.radiomics_lr]
"""

_MORE_VARIABLES = """
site = { levels = ["A", "B", "C"] }
neutros = { unit = "10*9/L" }
lymphocytes = { unit = "10*9/L" }
"""

_MODELS_OF_EVERY_TABLE = """[models.radiomics_lr]

[models.radiomics_knn]
minimum_icc = 0.9

[models.radiomics_svm]
harmonise = "site"

[models.rcr]
missing = "indicate"

[models.nlr]
variables = { neutrophils = "neutros" }
"""

LIBRARIES = {"pyradiomics": "3.0.1"}
SHAPE = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("shape",)), LIBRARIES)


@dataclass
class WrittenStore:
    """A store that is written row by row through its own commit."""

    root: Path
    text: str = STUDY
    mask_number: int = 0

    @property
    def study(self) -> Study:
        """Return the study."""
        return parsed_study(self.text, "study.toml")

    @property
    def store(self) -> Store:
        """Return the opened store."""
        return Store(self.root, create=True)

    @property
    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""
        return Snapshot(self.store)

    def copied(self, folder: Path) -> WrittenStore:
        """Return a copy of the store and its study below a folder."""
        shutil.copytree(self.root, folder / "store")
        return replace(self, root=folder / "store")

    def edit(self, old: str, new: str) -> None:
        """Replace a text that stands once in the study file."""
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)

    def put(self, table: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> None:
        """Write rows in one commit."""
        with commit_to(self.store, f"put {table}") as commit:
            commit.put(table, rows, **options)

    def put_study(self) -> None:
        """Write the study as it is now."""
        self.put("studies", [{"study": "s", "definition": self.study.model_dump_json()}])

    def cohort(self, labels: Mapping[str, int], cohorts: Mapping[str, str]) -> None:
        """Write the labels and the split of the study."""
        own = {"study": "s"}
        self.put("labels", [own | {"patient": p, "outcome": "o", "label": label} for p, label in labels.items()])
        self.put("split_members", [own | {"split": "fixed", "patient": p, "cohort": c} for p, c in cohorts.items()])

    def clinical(self, patient: str, observed_at: str = "", **values: float | str) -> None:
        """Write clinical values of a patient."""
        self.put(
            "clinical",
            [
                {
                    "patient": patient,
                    "variable": name,
                    "observed_at": observed_at,
                    "value": None if isinstance(value, str) else value,
                    "level": value if isinstance(value, str) else None,
                    "unit": None if isinstance(value, str) else self.study.clinical.variables[name].unit,
                }
                for name, value in values.items()
            ],
        )

    def features(
        self,
        rows: Mapping[tuple[Any, ...], Mapping[str, float | None]],
        *,
        feature_set: str = "quick@1",
        definition: FeatureSetDefinition = SHAPE,
        study: str | None = "s",
        primary: bool = True,
    ) -> None:
        """Write extractions, each keyed by patient and phase, and by reader where it is not R1; other values are 0."""
        name, version = feature_set.split("@")
        records, masks = [], []
        for (patient, phase, *reader), given in rows.items():
            self.mask_number += 1
            key = MaskKey(patient, "baseline", phase, "1", reader[0] if reader else "R1", 1)
            image, mask = f"image {patient} {phase}", f"mask {self.mask_number}"
            values = dict.fromkeys(definition.columns, 0.0) | dict(given)
            masks.append(key._asdict() | {"image_sha256": image, "mask_sha256": mask, "mask_label": 1})
            records.append(
                ExtractionRecord(
                    f"{feature_set} {self.mask_number}",
                    key,
                    image,
                    mask,
                    values,
                    details={"grey_levels": {"original": 9}, "zero_fraction": {"original": 0.0}},
                )
            )
        segment = write_segment(self.store.segments, feature_set, definition.columns, records)
        with commit_to(self.store, f"features {feature_set}") as commit:
            commit.put(
                "feature_sets",
                [
                    {
                        "feature_set": feature_set,
                        "name": name,
                        "version": int(version),
                        "kind": "radiomics",
                        "features": len(definition.columns),
                        "description": "",
                        "definition": canonical_json(definition.canonical()),
                        "definition_sha256": sha256_of_json(definition.canonical()),
                    }
                ],
            )
            commit.put(
                "features",
                [
                    {"feature_set": feature_set, "position": position, "feature": column}
                    for position, column in enumerate(definition.columns)
                ],
            )
            commit.put("segments", [vars(segment)])
            commit.put(
                "extractions",
                [
                    {
                        "feature_set": feature_set,
                        "extraction_id": r.extraction_id,
                        "image_sha256": r.image_sha256,
                        "mask_sha256": r.mask_sha256,
                        "segment_id": segment.segment_id,
                    }
                    for r in records
                ],
            )
            commit.put("masks", masks)
            if study is not None:
                commit.put(
                    "study_masks",
                    [{"study": study, "is_primary": int(primary), **record.key._asdict()} for record in records],
                )

    def embeddings(
        self, rows: Iterable[tuple[str, str, Sequence[float], Mapping[str, Any]]], *, feature_set: str = "net@1"
    ) -> None:
        """Write embeddings of primary masks: patient, phase, numbers, and what their network had seen."""
        name, version = feature_set.split("@")
        records, masks = [], {}
        for number, (patient, phase, numbers, seen) in enumerate(rows):
            key = MaskKey(patient, "baseline", phase, "1", "R1", 1)
            image, mask = f"image {patient} {phase}", f"mask {patient} {phase}"
            masks[key] = key._asdict() | {"image_sha256": image, "mask_sha256": mask, "mask_label": 1}
            records.append(
                EmbeddingRecord(f"{feature_set} {number}", key, image, mask, numbers, "resnet10", "weights", **seen)
            )
        size = len(records[0].embedding)
        own = {"feature_set": feature_set}
        with commit_to(self.store, f"embeddings {feature_set}") as commit:
            described = {"name": name, "version": int(version), "kind": "embedding", "features": size}
            commit.put(
                "feature_sets",
                [own | described | {"description": "", "definition": "{}", "definition_sha256": feature_set}],
            )
            append_records(
                commit, feature_set, records, lambda new: write_embeddings(self.store.segments, feature_set, size, new)
            )
            links = [{"study": "s", "feature_set": feature_set, "extraction_id": r.extraction_id} for r in records]
            commit.put("study_extractions", links)
            commit.put("masks", masks.values())
            commit.put("study_masks", [{"study": "s", "is_primary": 1, **key._asdict()} for key in masks])


@pytest.fixture
def written_store(tmp_path: Path) -> WrittenStore:
    """Return an empty store with a study of clinical and radiomics models."""
    return WrittenStore(tmp_path / "store")


@pytest.fixture(scope="session")
def pristine_cohort(tmp_path_factory: pytest.TempPathFactory) -> WrittenStore:
    """Return a store of 90 patients, 60 of them in training, whose values carry a signal of known columns."""
    written_store = WrittenStore(tmp_path_factory.mktemp("cohort") / "store")
    random = np.random.default_rng(20)
    patients = [f"P{number:02}" for number in range(90)]
    labels = {patient: int(random.random() < 0.5) for patient in patients}
    written_store.cohort(labels, {p: "training" if n < 60 else "validation" for n, p in enumerate(patients)})
    clinical, rows = [], {}
    for patient, label in labels.items():
        values = {
            "afp": 800.0 if random.random() < 0.15 + 0.65 * label else 50.0,
            "age": float(np.round(random.normal(58, 10))),
            "sex": "male" if random.random() < 0.5 else "female",
        }
        clinical += [
            {
                "patient": patient,
                "variable": name,
                "observed_at": "",
                "value": None if isinstance(value, str) else value,
                "level": value if isinstance(value, str) else None,
            }
            for name, value in values.items()
        ]
        for phase in ("AP", "DP"):
            drawn = dict(zip(SHAPE.columns, random.normal(size=len(SHAPE.columns)), strict=True))
            if phase == "AP":
                drawn["original_shape_Elongation"] += 1.5 * label
                drawn["original_shape_Flatness"] -= 1.2 * label
            rows[patient, phase] = drawn
    written_store.put("clinical", clinical)
    written_store.features(rows)
    return written_store


@pytest.fixture
def cohort_of_90(pristine_cohort: WrittenStore, tmp_path: Path) -> WrittenStore:
    """Return a copy of the store of 90 patients, to be changed."""
    return pristine_cohort.copied(tmp_path)


@pytest.fixture(scope="session")
def tables_of_12(tmp_path_factory: pytest.TempPathFactory) -> WrittenStore:
    """Return a store of 12 patients and a study whose models read every kind of table; tests only read it.

    P12 has no value of one factor, P11 no row in a phase, P10 a feature without a value, P09 a value of after the
    reference date.
    """
    written = WrittenStore(tmp_path_factory.mktemp("tables") / "store")
    written.edit('sex = { levels = ["female", "male"] }', f'sex = {{ levels = ["female", "male"] }}{_MORE_VARIABLES}')
    written.edit("[models.radiomics_lr]\n", _MODELS_OF_EVERY_TABLE)
    patients = [f"P{number:02}" for number in range(1, 13)]
    labels = {patient: number % 2 for number, patient in enumerate(patients)}
    written.cohort(labels, {p: "training" if n < 6 else "validation" for n, p in enumerate(patients)})
    own = {"study": "s"}
    written.put("study_patients", [own | {"patient": patient} for patient in patients])
    written.put("splits", [own | {"split": "fixed", "kind": "column", "patients": 12}])
    written.put("reference_dates", [own | {"patient": p, "reference_on": "2020-06-01"} for p in patients])
    written.put("variables", [own | {"variable": "age", "kind": "number", "window_first": -90, "window_last": 0}])
    written.put_study()
    random = np.random.default_rng(7)
    rows = {}
    for number, patient in enumerate(patients):
        age = {} if patient == "P12" else {"age": float(random.normal(60, 9))}
        cells = {"neutros": float(random.uniform(2, 7)), "lymphocytes": float(random.uniform(1, 3))}
        written.clinical(patient, "2020-05-01", afp=float(random.uniform(1, 900)), **age, **cells)
        written.clinical(patient, sex=("male", "female")[number % 2], site="ABC"[number % 3])
        for phase in ("AP", "DP"):
            rows[patient, phase] = dict(zip(SHAPE.columns, random.normal(size=len(SHAPE.columns)), strict=True))
    written.clinical("P09", "2020-07-01", afp=5000.0)
    rows["P10", "DP"]["original_shape_Flatness"] = None
    del rows["P11", "DP"]
    written.features(rows)
    agreed = {"original_shape_Flatness": 0.95, "original_shape_Elongation": 0.9, "original_shape_MeshVolume": 0.5}
    of = own | {"split": "fixed", "feature_set": "quick@1", "phase": "AP", "kind": "intra", "patients": 6}
    written.put("stability", [of | {"feature": feature, "icc": icc} for feature, icc in agreed.items()])
    return written
