"""A small study on disk, and what a test does with it: change its files, read it in, refresh, ask."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, AnyStr

import numpy as np
import pytest
import SimpleITK as sitk

from builders.batches import computed_batch
from builders.command_line import printed, radzoo_run
from builders.store import rows_of
from flows.extract.batch import Receipt
from flows.ingest.report import IngestReport
from flows.ingest.run import ingest
from flows.refresh.feature_sets import bound_feature_sets
from flows.refresh.plan import RefreshPlan, refresh_plan
from flows.refresh.report import FeatureSetReport
from flows.refresh.run import refresh
from flows.refresh.staged import staging_folder
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store

STUDY = """feature_sets = ["quick"]

[study]
id = "{id}"
title = "A small study"

[cohort]
table = "patients.csv"

[phases.AP]
image = "images/{{patient}}_AP.nii.gz"
mask = "masks/{{patient}}_AP.nii.gz"
modality = "MR"

[phases.DP]
image = "images/{{patient}}_DP.nii.gz"
mask = "masks/{{patient}}_DP.nii.gz"
modality = "MR"

[clinical.variables.afp]
unit = "[IU]/mL"

[clinical.variables.sex]
levels = ["female", "male"]

[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"

[splits.fixed]
kind = "column"
column = "cohort"

[define.quick.radiomics]
families = ["shape", "firstorder"]
bin_width = 25
"""

PATIENTS = """patient,recurrence,cohort,afp,sex
P1,1,training,12,male
P2,0,training,420,female
P3,1,validation,8.5,female
P4,0,validation,,male
"""


@dataclass
class SmallStudy:
    """A study on disk: four patients, two phases, volumes of 12 x 10 x 8 voxels."""

    folder: Path
    store_root: Path
    study_id: str = "small"
    patients: Sequence[str] = ("P1", "P2", "P3", "P4")
    phases: Sequence[str] = ("AP", "DP")

    @classmethod
    def below(cls, root: Path, *arguments: Any, **options: Any) -> SmallStudy:
        """Write a study and the place of its store below a folder, and return it."""
        return cls(root / "study", root / "store", *arguments, **options).write()

    @property
    def file(self) -> Path:
        """Return the study file."""
        return self.folder / "study.toml"

    @property
    def store(self) -> Store:
        """Return the opened store."""
        return Store(self.store_root)

    @property
    def snapshot(self) -> Snapshot:
        """Return the store as it is now."""
        return Snapshot(self.store)

    def write(self) -> SmallStudy:
        """Write the study file, the table, images and masks."""
        for name in ("images", "masks"):
            (self.folder / name).mkdir(parents=True)
        self.file.write_text(STUDY.format(id=self.study_id))
        (self.folder / "patients.csv").write_text(PATIENTS)
        for patient in self.patients:
            for phase in self.phases:
                self.write_image(patient, phase)
                self.write_mask(patient, phase)
        return self

    def another(self, study_id: str = "second", **options: Any) -> SmallStudy:
        """Write another study for the same store, its folder beside this one's, and return it."""
        return SmallStudy(self.folder.parent / study_id, self.store_root, study_id, **options).write()

    def image_file(self, patient: str, phase: str = "AP") -> Path:
        """Return where an image lies."""
        return self.folder / "images" / f"{patient}_{phase}.nii.gz"

    def mask_file(self, patient: str, phase: str = "AP") -> Path:
        """Return where a mask lies."""
        return self.folder / "masks" / f"{patient}_{phase}.nii.gz"

    def image(self, patient: str, phase: str = "AP", *, seed: int = 0) -> sitk.Image:
        """Return a patient's image: noise of its own."""
        random = np.random.default_rng([seed, *f"{patient}{phase}".encode()])
        image = sitk.GetImageFromArray(random.normal(500, 80, (8, 10, 12)).astype(np.float32))
        image.SetSpacing((1.0, 1.0, 2.0))
        image.SetOrigin((-6.0, 4.0, 10.0))
        return image

    def mask(self, patient: str, phase: str = "AP", *, label: int = 1, grow: int = 0) -> sitk.Image:
        """Return a patient's mask: a box on the image's grid."""
        voxels = np.zeros((8, 10, 12), np.uint8)
        voxels[2:6, 3:8, 3 : 9 + grow] = label
        mask = sitk.GetImageFromArray(voxels)
        mask.CopyInformation(self.image(patient, phase))
        return mask

    def write_image(self, patient: str, phase: str = "AP", *, image: sitk.Image | None = None, seed: int = 0) -> None:
        """Write an image, the patient's own where none is given."""
        file = self.image_file(patient, phase)
        if image is None:
            file.write_bytes(own_image(type(self), patient, phase, seed))
        else:
            sitk.WriteImage(image, str(file))

    def write_mask(self, patient: str, phase: str = "AP", *, mask: sitk.Image | None = None) -> None:
        """Write a mask, the patient's own where none is given."""
        file = self.mask_file(patient, phase)
        if mask is None:
            file.write_bytes(own_mask(type(self), patient, phase))
        else:
            sitk.WriteImage(mask, str(file))

    def edit(self, old: str, new: str, *, file: str = "study.toml") -> None:
        """Replace a text that stands once in the study file or a table."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))

    def keep(self, *patients: str) -> None:
        """Leave only some patients in the table, and no split."""
        table = self.folder / "patients.csv"
        header, *rows = table.read_text().splitlines()
        kept = [row for row in rows if row.split(",")[0] in patients]
        table.write_text("\n".join([header, *kept]) + "\n")
        text = self.file.read_text()
        start, end = text.index("[splits.fixed]"), text.index("[define.")
        self.file.write_text(text[:start] + text[end:])

    def line_of(self, fragment: str, *, file: str = "study.toml") -> int:
        """Return the number of the first line that holds a text."""
        lines = (self.folder / file).read_text().splitlines()
        return next(number for number, line in enumerate(lines, start=1) if fragment in line)

    def ingest(self, **options: Any) -> IngestReport:
        """Ingest with one thread."""
        return ingest(self.file, self.store_root, workers=1, **options)

    def plan(self, **options: Any) -> RefreshPlan:
        """Return what a refresh of the first feature set would do."""
        snapshot = self.snapshot
        (bound, *_) = bound_feature_sets(stored_study(snapshot, self.study_id), snapshot)
        return refresh_plan(snapshot, self.study_id, bound, **options)

    def stage_every_set(self, **options: Any) -> list[Receipt]:
        """Compute and stage what is missing of every feature set, patient by patient, and return the receipts."""
        snapshot = self.snapshot
        found: list[Receipt] = []
        for bound in bound_feature_sets(stored_study(snapshot, self.study_id), snapshot):
            plan = refresh_plan(snapshot, self.study_id, bound, **options)
            for batch in plan.missing_by_patient():
                found += computed_batch(batch, bound.definition.settings, staging_folder(self.store, bound))
        return found

    def stage(self, *, patients: Sequence[str] | None = None) -> None:
        """Compute and stage what is missing in this process, as a run that ends before its commit does."""
        plan = self.plan()
        batch = [each for each in plan.missing if patients is None or each.key.patient in patients]
        settings = plan.bound.definition.settings
        computed_batch(batch, settings, staging_folder(self.store, plan.bound))

    def refresh(self, **options: Any) -> FeatureSetReport:
        """Refresh the only feature set that the study asks for."""
        (report,) = refresh(self.store, self.study_id, workers=1, **options)
        return report

    def refresh_without_prefect(self) -> FeatureSetReport:
        """Compute everything in this process, then refresh: the rows are taken over and committed."""
        self.stage()
        return self.refresh()

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Return the rows that answer a question."""
        return rows_of(self.store, query)

    def ask(self, capture: pytest.CaptureFixture[AnyStr], *arguments: object) -> tuple[int, AnyStr, AnyStr]:
        """Run a verb on this store in this process and return its exit code, stdout and stderr."""
        return printed(capture, "--store", self.store_root, *arguments)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``radzoo`` on this store as its own process."""
        return radzoo_run("--store", str(self.store_root), *arguments, **options)

    def run_json(self, *arguments: str, **options: Any) -> tuple[int, Any]:
        """Run ``radzoo --json`` on this store and return the exit code and what it printed."""
        done = self.run("--json", *arguments, **options)
        return done.returncode, json.loads(done.stdout)


def counts(report: FeatureSetReport) -> tuple[int, int, int, int]:
    """Return what a refresh computed, reused, failed to compute and left."""
    return report.computed, report.reused, report.failed, report.unchanged


@cache
def own_image(kind: type[SmallStudy], patient: str, phase: str, seed: int) -> bytes:
    """Return a patient's own image in such a study as its file holds it: drawn and packed once, not in each test."""
    return packed(kind(Path(), Path()).image(patient, phase, seed=seed))


@cache
def own_mask(kind: type[SmallStudy], patient: str, phase: str) -> bytes:
    """Return a patient's own mask in such a study as its file holds it."""
    return packed(kind(Path(), Path()).mask(patient, phase))


def packed(volume: sitk.Image) -> bytes:
    """Return the bytes of a volume's file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "volume.nii.gz"
        sitk.WriteImage(volume, str(file))
        return file.read_bytes()
