"""A small study with real image files, and the one Prefect server of a test session."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

# Read by Prefect when it is imported, which test modules do before any fixture runs.
_PREFECT_HOME = tempfile.mkdtemp(prefix="radzoo-prefect-")
atexit.register(shutil.rmtree, _PREFECT_HOME, ignore_errors=True)
os.environ |= {
    "PREFECT_HOME": _PREFECT_HOME,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

from batches import computed_batch  # noqa: E402

from flows.cli.main import exit_code  # noqa: E402  (after the environment)
from flows.ingest.run import IngestReport, ingest  # noqa: E402
from flows.refresh.feature_sets import bound_feature_sets  # noqa: E402
from flows.refresh.plan import RefreshPlan, refresh_plan, staging_folder  # noqa: E402
from flows.refresh.report import FeatureSetReport  # noqa: E402
from flows.refresh.run import refresh  # noqa: E402
from store.analyst.query import answer  # noqa: E402
from store.history.snapshot import Snapshot  # noqa: E402
from store.history.studies import stored_study  # noqa: E402
from store.home import Store  # noqa: E402

RADZOO = str(Path(sys.executable).with_name("radzoo"))

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


def radzoo_run(
    *arguments: str,
    cwd: Path | None = None,
    stdin: str | None = None,
    variables: dict[str, str] | None = None,
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process, with no server of Prefect configured unless given."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "RADZOO_STORE")}
    return subprocess.run(
        [RADZOO, *arguments],
        cwd=cwd,
        input=stdin,
        env=environment | (variables or {}),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass
class SmallStudy:
    """A study on disk: four patients, two phases, volumes of 12 x 10 x 8 voxels."""

    folder: Path
    store_root: Path
    study_id: str = "small"
    patients: Sequence[str] = ("P1", "P2", "P3", "P4")
    phases: Sequence[str] = ("AP", "DP")

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
        sitk.WriteImage(image or self.image(patient, phase, seed=seed), str(self.image_file(patient, phase)))

    def write_mask(self, patient: str, phase: str = "AP", *, mask: sitk.Image | None = None) -> None:
        """Write a mask, the patient's own where none is given."""
        sitk.WriteImage(mask or self.mask(patient, phase), str(self.mask_file(patient, phase)))

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
        rows: list[dict[str, Any]] = answer(self.snapshot, query).to_pylist()
        return rows

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``radzoo`` on this store."""
        return radzoo_run("--store", str(self.store_root), *arguments, **options)

    def run_json(self, *arguments: str, **options: Any) -> tuple[int, Any]:
        """Run ``radzoo --json`` on this store and return the exit code and what it printed."""
        done = self.run("--json", *arguments, **options)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def small_study(tmp_path: Path) -> SmallStudy:
    """Return a small study, freshly written and not ingested."""
    return SmallStudy(tmp_path / "study", tmp_path / "store").write()


@pytest.fixture(scope="session")
def write_small_study() -> Callable[[Path], SmallStudy]:
    """Return a function that writes a small study and the place of its store below a folder."""
    return lambda folder: SmallStudy(folder / "study", folder / "store").write()


@pytest.fixture
def another_study(tmp_path: Path) -> Callable[..., SmallStudy]:
    """Return a function that writes a second study for the same store."""

    def write(study_id: str = "second", **options: Any) -> SmallStudy:
        return SmallStudy(tmp_path / study_id, tmp_path / "store", study_id, **options).write()

    return write


@pytest.fixture(scope="session")
def radzoo() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command line as its own process."""
    return radzoo_run


@pytest.fixture(scope="session")
def ready_study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Return a study that is ingested and refreshed; tests only read it."""
    root = tmp_path_factory.mktemp("ready")
    study = SmallStudy(root / "study", root / "store").write()
    study.ingest()
    study.refresh_without_prefect()
    return study


@pytest.fixture
def ask(trained_study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a verb on the trained study's store and returns exit code, stdout and stderr."""

    def run(*arguments: object, store: Path | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        code = exit_code(["--store", str(store or trained_study.store_root), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def tried_study(root: Path) -> SmallStudy:
    """Write a study of 60 patients whose images tell the label, with three models, and return it."""
    names = [f"T{number:02}" for number in range(60)]
    study = SmallStudy(root / "study", root / "store", "tried", names, phases=("AP",)).write()
    text = study.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical.variables.afp]")
    models = '\n[models.cr]\nfactors = [{ variable = "afp", above = 400 }, { variable = "sex", equals = "male" }]\n'
    study.file.write_text(text[:start] + text[end:] + models + "\n[models.radiomics_lr]\n\n[models.radiomics_knn]\n")
    random = np.random.default_rng(12)
    lines = ["patient,recurrence,cohort,afp,sex"]
    for number, name in enumerate(names):
        label = number % 2
        image = study.image(name)
        study.write_image(name, image=image * (1.0 + 0.15 * label + 0.1 * float(random.normal())))
        afp = 900 if random.random() < 0.15 + 0.7 * label else 20
        sex = "male" if random.random() < 0.5 else "female"
        lines.append(f"{name},{label},{'training' if number < 40 else 'validation'},{afp},{sex}")
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    return study


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Return a study of 60 patients whose images tell the label, with models trained and judged; only read it."""
    from flows.bench.run import bench
    from store.commits.commit import commit_to
    from zoo.models.training import fit_and_save_model, plan_trainings

    study = tried_study(tmp_path_factory.mktemp("trained"))
    study.ingest()
    study.refresh_without_prefect()
    asked = stored_study(study.snapshot, "tried")
    plans = plan_trainings(study.snapshot, asked, asked.models)
    trained = [fit_and_save_model(study.store, asked, plan, "2026-01-01T00:00:00+00:00") for plan in plans]
    with commit_to(study.store, "train tried") as commit:
        commit.put("datasets", [vars(each.dataset) for each in trained])
        commit.put("models", [each.row for each in trained])
        commit.put("importances", [row for each in trained for row in each.importances])
    # Every model is there and as the study says it: nothing is trained again, and Prefect does not start.
    bench(study.store, "tried")
    return study


@pytest.fixture
def written_again(tmp_path: Path) -> SmallStudy:
    """Return the trained study's files, written again, without a store."""
    return tried_study(tmp_path)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """Give the URL of the session's one Prefect server, a temporary one."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def clinical_study(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Path, Path]]:
    """Return a function that writes the published cohort as a clinical study with one tiny image a patient.

    Its models are the demonstration's clinical one; what decides their figures is the table alone.
    """
    from flows.demo.cohort import published_cohort

    demo = (Path(__file__).parents[2] / "flows" / "demo" / "study.toml").read_text()
    random, tiny = np.random.default_rng(1), tmp_path_factory.mktemp("tiny")
    lesion = np.zeros((8, 8, 8), np.uint8)
    lesion[2:6, 2:6, 2:6] = 1
    sitk.WriteImage(sitk.GetImageFromArray(lesion), str(tiny / "lesion.nii.gz"))
    for patient in published_cohort()["patient"]:
        volume = random.normal(100, 10, (8, 8, 8)).astype(np.float32)
        sitk.WriteImage(sitk.GetImageFromArray(volume), str(tiny / f"{patient}_image.nii.gz"))
        os.link(tiny / "lesion.nii.gz", tiny / f"{patient}_mask.nii.gz")
    files = {name: tiny / f"{{patient}}_{name}.nii.gz" for name in ("image", "mask")}

    def write(folder: Path) -> tuple[Path, Path]:
        study = folder / "study"
        study.mkdir(parents=True)
        cohort = published_cohort()
        cohort.write_csv(study / "patients.csv")
        # The demonstration's own study file, with one phase, one reading and the clinical model.
        start, end = demo.index("[phases.AP]"), demo.index("[outcome]")
        phase = f'[phases.AP]\nimage = "{files["image"]}"\nmask = "{files["mask"]}"\n\n'
        text = demo[:start] + phase + demo[end : demo.index("[models.radiomics_lr]")]
        (study / "study.toml").write_text(text.replace('feature_sets = ["hcc-cemri@1", "tumour-regions"]\n', ""))
        return study / "study.toml", folder / "store"

    return write
