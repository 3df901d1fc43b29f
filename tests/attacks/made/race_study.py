"""A study of tiny lesions with models, a network among them, at every stage that a verb starts from; and its copies."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

os.environ |= {"PREFECT_HOME": tempfile.mkdtemp(prefix="radzoo-prefect-"), "PREFECT_LOGGING_LEVEL": "ERROR"}
os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pyarrow.parquet as pq
import SimpleITK as sitk
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness
from servers import postgresql_binaries, running_postgresql
from sqlalchemy import create_engine, make_url, text

from attacks.made.launcher import Launcher, Running
from store.address import StoreAddress, stored_address, write_address
from store.analyst.publish import publish_snapshot
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import store_segment

__all__ = ["PATIENT", "VERBS", "Stages", "race_stages", "written_study"]

PATIENT = "zqrace-patient"
"""Whom the attacks erase: a text that nothing else in a store contains. In training, with all values."""

_OTHERS = [f"other-{number:02}" for number in range(23)]
_SHAPE = (8, 12, 12)
STUDY = """feature_sets = ["quick", "crops"]

[study]
id = "race"
title = "A study that verbs race about"

[cohort]
table = "patients.csv"

[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}_mask.nii.gz"
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

[define.crops.regions]
size = 16
slices = 1
registration = { method = "none" }

[models.cr]
factors = [{ variable = "afp", above = 400 }, { variable = "sex", equals = "male" }]

[models.radiomics_knn]

[models.dl_resnet10.network]
epochs = 1
validation_fraction = 0
device = "cpu"
"""

VERBS: dict[str, tuple[str, tuple[str, ...]]] = {
    # Verb: the stage that it starts from, and its command line.
    "ingest": ("refreshed", ("ingest", "{study}", "--read-again", "--supersede")),
    "refresh": ("ingested", ("refresh", "--workers", "2")),
    "train": ("refreshed", ("train", "cr", "radiomics_knn", "dl_resnet10")),
    "bench": ("refreshed", ("bench", "cr", "radiomics_knn", "--workers", "2")),
    "nested-cv": (
        "benched",
        ("bench", "cr", "radiomics_knn", "--suite", "nested-cv", "--repeats", "1", "--folds", "3", "--workers", "2"),
    ),
    "embed": ("refreshed", ("embed", "dl_resnet10", "--folds", "3", "--workers", "2")),
    "compact": ("scattered", ("store", "compact", "--grace-hours", "0")),
    "publish": ("benched", ("store", "publish")),
    "report": ("benched", ("report",)),
    "erase": ("benched", ("store", "erase", PATIENT, "--yes")),
}


def written_study(folder: Path) -> Path:
    """Write the study and return its file; beside it lies ``changed/study.toml``, the same with corrected values."""
    draw = np.random.default_rng(20)
    patients = [PATIENT, *_OTHERS]
    lines, changed = ["patient,recurrence,cohort,afp,sex"], ["patient,recurrence,cohort,afp,sex"]
    for number, patient in enumerate(patients):
        label = (number // 2) % 2
        image = sitk.GetImageFromArray(draw.normal(500 + 40 * label, 80, _SHAPE).astype(np.float32))
        lesion = np.zeros(_SHAPE, np.uint8)
        lesion[2:6, 3:9, 3 : 8 + number % 4] = 1
        # No two alike: equal masks are taken for one person.
        lesion[6, 3:9, 3:8] = draw.random((6, 5)) < 0.5
        folder.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(folder / f"{patient}.nii.gz"))
        sitk.WriteImage(sitk.GetImageFromArray(lesion), str(folder / f"{patient}_mask.nii.gz"))
        cohort = "training" if number < 16 else "validation"
        sex = "male" if draw.random() < 0.5 else "female"
        afp = int(draw.integers(10, 900))
        lines.append(f"{patient},{label},{cohort},{afp},{sex}")
        changed.append(f"{patient},{label},{cohort},{afp + 1},{sex}")
    (folder / "patients.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.toml").write_text(STUDY)
    other = folder / "changed"
    other.mkdir()
    (other / "patients.csv").write_text("\n".join(changed) + "\n")
    text_of_other = STUDY.replace('"{patient}.nii.gz"', f'"{folder}/{{patient}}.nii.gz"')
    (other / "study.toml").write_text(text_of_other.replace('"{patient}_mask', f'"{folder}/{{patient}}_mask'))
    return folder / "study.toml"


@dataclass
class Stages:
    """A store at each stage, on SQLite or, where a server is given, on PostgreSQL; trials get copies."""

    folder: Path
    launcher: Launcher
    server: str | None = None
    """That of PostgreSQL."""
    study: Path = field(init=False)

    def __post_init__(self) -> None:
        """Write the study and build every stage."""
        self.study = written_study(self.folder / "study")
        root = self.folder / "growing"
        if self.server is not None:
            write_address(root, StoreAddress(self._database("growing", None), None))
        # Each by a process of its own: SQLite's locks are a process's, and copying a file that is open lets go of them.
        self._run(root, "ingest", str(self.study))
        self._keep(root, "ingested")
        self._run(root, "refresh")
        self._keep(root, "refreshed")
        self._run(root, "bench", "cr", "radiomics_knn")
        self._keep(root, "benched")
        store = Store(root)
        _scatter(store, "quick@1")
        _scatter(store, "crops@1")
        store.engine.dispose()
        self._keep(root, "scattered")
        shutil.rmtree(root)

    def copy(self, stage: str, name: str) -> Path:
        """Return a copy of a stage, below a folder of this name, whose published file is its own."""
        target = self.folder / name
        shutil.copytree(self.folder / "stages" / stage, target)
        if self.server is not None:
            database = f"t{uuid.uuid4().hex[:12]}"
            (target / "store.toml").unlink()
            address = StoreAddress(self._database(database, f"stage_{stage}"), None)
            (target / "store.toml").write_text(f'catalogue = "{address.catalogue}"\n')
        store = Store(target)
        publish_snapshot(Snapshot(store))
        store.engine.dispose()
        return target

    def start(self, verb: str, root: Path, log: Path) -> Running:
        """Start a verb on a copy."""
        changed = self.study.parent / "changed" / "study.toml"
        return self.launcher.start(root, [each.format(study=changed) for each in VERBS[verb][1]], log)

    @contextmanager
    def undisturbed(self, stage: str, *verbs: str) -> Iterator[tuple[Path, float]]:
        """Give a copy of a stage after verbs that nobody disturbs, and how long the last one took; then remove it."""
        root, log, took = self.copy(stage, "undisturbed"), self.folder / "undisturbed.log", 0.0
        for verb in verbs:
            began = time.monotonic()
            code = self.start(verb, root, log).wait()
            took = time.monotonic() - began
            if code not in (0, 5):
                raise RuntimeError(f"{verb} ended with {code}: {log.read_text()}")
        yield root, took
        self.remove(root)

    def put_away(self, root: Path, faults: Sequence[str]) -> None:
        """Remove a copy in which nothing is wrong, and keep another one under a name of its own."""
        if faults:
            root.rename(root.with_name(f"fault-{time.time_ns()}"))
        else:
            self.remove(root)

    def remove(self, root: Path) -> None:
        """Remove a copy, its database too."""
        if self.server is not None:
            url = make_url(stored_address(root).catalogue or "")
            self._execute(f'drop database "{url.database}" with (force)')
        shutil.rmtree(root)

    def _run(self, root: Path, *verb: str) -> None:
        log = self.folder / "stage.log"
        if code := self.launcher.start(root, verb, log).wait():
            raise RuntimeError(f"{verb[0]} ended with {code}: {log.read_text()}")

    def _keep(self, root: Path, stage: str) -> None:
        (self.folder / "stages").mkdir(exist_ok=True)
        shutil.copytree(root, self.folder / "stages" / stage)
        if self.server is not None:
            self._database(f"stage_{stage}", "growing")

    def _database(self, name: str, template: str | None) -> str:
        self._execute(f'create database "{name}"' + (f' template "{template}"' if template else ""))
        return make_url(self.server or "").set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        engine = create_engine(make_url(self.server or "").set(drivername="postgresql+pg8000"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def race_stages(prefix: str, *, on_postgresql: bool = False) -> Iterator[Stages]:
    """Give the stages, with Prefect's server and, where asked, PostgreSQL's.

    Raises
    ------
    RuntimeError
        When PostgreSQL is asked for and not installed.
    """
    with ExitStack() as stack:
        stack.enter_context(prefect_test_harness(server_startup_timeout=120))
        launcher = stack.enter_context(Launcher(str(PREFECT_API_URL.value())))
        catalogue = None
        if on_postgresql:
            binaries = postgresql_binaries()
            if binaries is None:
                raise RuntimeError("PostgreSQL is not installed")
            catalogue = stack.enter_context(running_postgresql(binaries))
        yield Stages(Path(tempfile.mkdtemp(prefix=prefix)), launcher, catalogue)


def _scatter(store: Store, feature_set: str) -> None:
    """Put the rows of a feature set's segment into small ones, as many small refreshes would have."""
    (segment,) = Snapshot(store).rows("segments", feature_set=feature_set)
    rows = pq.read_table(store.segments.local(segment["path"]))
    with commit_to(store, "small refreshes") as commit:
        for at in range(0, rows.num_rows, 3):
            part = rows.slice(at, 3)
            small = store_segment(store.segments, feature_set, part)
            commit.put("segments", [vars(small)])
            for identity in part["extraction_id"].to_pylist():
                named = Snapshot(store).row("extractions", extraction_id=identity)
                named.pop("added_commit")
                commit.put("extractions", [named | {"segment_id": small.segment_id}])
