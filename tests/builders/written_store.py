"""A store whose features and clinical values a test decides, written without images."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builders.store import clinical_rows, key_of, put_features, put_segment
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import FeatureSetDefinition, RegionDefinition
from schemas.keys import MaskKey, canonical_json, extraction_id, joint_context
from schemas.study.file import Study
from schemas.study.text import parsed_study
from store.commits.commit import Commit, commit_to
from store.commits.writer import append_records
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.region_record import RegionRecord
from store.rows.regions import write_regions
from store.rows.segments import EmbeddingRecord, write_embeddings
from store.rows.staging import ExtractionRecord
from zoo.registry import model_spec
from zoo.tables.inputs import ModelInputs, model_inputs
from zoo.tables.model_table import ModelTable, model_table

__all__ = ["SHAPE", "STUDY", "WrittenStore"]

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

    def inputs(self, model: str) -> ModelInputs:
        """Return what a model of the zoo reads in the study as it is."""
        return model_inputs(self.study, model_spec(model))

    def table(self, inputs: ModelInputs) -> ModelTable:
        """Return a model's table as of now."""
        return model_table(self.snapshot, self.study, inputs)

    def train(self, model: str) -> dict[str, Any]:
        """Train a model of the study, put it on record, and return its row."""
        from builders.models import train  # which loads the libraries of learning

        (row,) = train(self.store, self.study, model)
        return row

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
        units = {name: variable.unit for name, variable in self.study.clinical.variables.items()}
        self.put("clinical", clinical_rows(patient, values, units, observed_at))

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
        records = []
        for (patient, phase, *reader), given in rows.items():
            self.mask_number += 1
            records.append(
                ExtractionRecord(
                    f"{feature_set} {self.mask_number}",
                    MaskKey(patient, "baseline", phase, "1", reader[0] if reader else "R1", 1),
                    f"image {patient} {phase}",
                    f"mask {self.mask_number}",
                    dict.fromkeys(definition.columns, 0.0) | dict(given),
                    details={"grey_levels": {"original": 9}, "zero_fraction": {"original": 0.0}},
                )
            )
        with commit_to(self.store, f"features {feature_set}") as commit:
            put_features(commit, feature_set, definition.columns, definition.canonical())
            put_segment(self.store, commit, records, feature_set, definition.columns)
            if study is not None:
                own = {"study": study, "is_primary": int(primary)}
                commit.put("study_masks", [own | record.key._asdict() for record in records])

    def embeddings(
        self, rows: Iterable[tuple[str, str, Sequence[float], Mapping[str, Any]]], *, feature_set: str = "net@1"
    ) -> None:
        """Write embeddings of primary masks: patient, phase, numbers, and what their network had seen."""
        name, version = feature_set.split("@")
        records, masks = [], {}
        for number, (patient, phase, numbers, seen) in enumerate(rows):
            key = key_of(patient, phase)
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
            self._put_primary(commit, feature_set, records, masks)

    def regions(
        self, rows: Mapping[tuple[str, str], NDArray[np.float32]], settings: RegionSettings, feature_set: str
    ) -> None:
        """Write regions of primary masks, each keyed by patient and phase; all of a region is lesion."""
        definition = RegionDefinition(settings=settings, libraries={})
        name, version = feature_set.split("@")
        contents = {key: (f"image {' '.join(key)}", f"mask {' '.join(key)}") for key in rows}
        records, masks = [], {}
        for (patient, phase), pixels in rows.items():
            key = key_of(patient, phase)
            image, mask = contents[patient, phase]
            masks[key] = key._asdict() | {"image_sha256": image, "mask_sha256": mask, "mask_label": 1}
            context = joint_context([each for (whose, _), each in contents.items() if whose == patient])
            records.append(
                RegionRecord(
                    extraction_id=extraction_id(image, mask, definition.sha256, context),
                    key=key,
                    image_sha256=image,
                    mask_sha256=mask,
                    context_sha256=context,
                    told={"registration": "identity"},
                    voxels=RegionRecord.written(pixels),
                    lesion=RegionRecord.written_mask(np.ones(settings.shape, dtype=bool)),
                )
            )
        pixels_each = settings.size**2
        own = {"feature_set": feature_set, "name": name, "version": int(version), "kind": "regions"}
        hashed = {"definition": canonical_json(definition.canonical()), "definition_sha256": definition.sha256}
        with commit_to(self.store, f"regions {feature_set}") as commit:
            commit.put("feature_sets", [own | hashed | {"features": pixels_each, "description": ""}])
            append_records(
                commit,
                feature_set,
                records,
                lambda new: write_regions(self.store.segments, feature_set, pixels_each, new),
            )
            self._put_primary(commit, feature_set, records, masks)

    def _put_primary(
        self,
        commit: Commit,
        feature_set: str,
        records: Sequence[EmbeddingRecord | RegionRecord],
        masks: Mapping[MaskKey, Mapping[str, Any]],
    ) -> None:
        links = [{"study": "s", "feature_set": feature_set, "extraction_id": r.extraction_id} for r in records]
        commit.put("study_extractions", links)
        commit.put("masks", masks.values())
        commit.put("study_masks", [{"study": "s", "is_primary": 1, **key._asdict()} for key in masks])
