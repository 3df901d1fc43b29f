"""A study of tiny lesions, a refresh of it that is killed at a chosen moment, and what the store is afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from flows.ingest.run import ingest
from flows.refresh.run import refresh
from store.analyst.publish import published_commit
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification

__all__ = [
    *(
        "Moment",
        "Outcome",
        "Timing",
        "damage",
        "drawn_moments",
        "end_state",
        "ingested",
        "killed",
        "reached",
        "started",
    ),
    "timed",
]

PATIENTS = 12
STUDY = """feature_sets = ["quick"]

[study]
id = "killed"
title = "A study whose refresh is killed"

[cohort]
table = "patients.csv"

[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}_mask.nii.gz"
modality = "MR"

[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"

[define.quick.radiomics]
families = ["shape", "firstorder"]
bin_width = 25
"""


@dataclass(frozen=True)
class Moment:
    """When a refresh is killed: so long after it has been seen to do something."""

    event: str
    """``start``; ``staged``: the n-th extraction lies on disk; ``segment``, ``publish``: their first file appears."""
    number: int
    delay_s: float

    def __str__(self) -> str:
        what = f"staged {self.number}" if self.event == "staged" else self.event
        return f"{what} + {self.delay_s * 1000:.0f} ms"


@dataclass(frozen=True)
class Timing:
    """How long after its start an undisturbed refresh came to each event, in seconds."""

    first_staged: float
    last_staged: float
    segment: float
    publish: float
    published: float
    end: float


@dataclass(frozen=True)
class Outcome:
    """What a kill left, and what the next refresh made of it."""

    was_running: bool
    staged: int
    committed: bool
    damage: tuple[str, ...]
    adopted: int
    computed: int
    state: str

    @property
    def is_right(self) -> bool:
        """Return whether nothing was damaged, lost or computed twice; the state is compared by the caller."""
        done = self.adopted + self.computed
        return not self.damage and (done == 0 if self.committed else (self.adopted, done) == (self.staged, PATIENTS))


def ingested(folder: Path) -> Path:
    """Write the study below a folder, ingest it and return the store's folder."""
    study = folder / "study"
    study.mkdir(parents=True)
    draw = np.random.default_rng(20)
    lines = ["patient,recurrence"]
    for number in range(PATIENTS):
        image = sitk.GetImageFromArray(draw.normal(500, 80, (8, 10, 12)).astype(np.float32))
        lesion = np.zeros((8, 10, 12), np.uint8)
        lesion[2:6, 3:8, 3 : 7 + number % 4] = 1
        mask = sitk.GetImageFromArray(lesion)
        sitk.WriteImage(image, str(study / f"K{number}.nii.gz"))
        sitk.WriteImage(mask, str(study / f"K{number}_mask.nii.gz"))
        lines.append(f"K{number},{number % 2}")
    (study / "patients.csv").write_text("\n".join(lines) + "\n")
    (study / "study.toml").write_text(STUDY)
    ingest(study / "study.toml", folder / "store", workers=1)
    return folder / "store"


def started(root: Path, server: str, workers: int, *options: str) -> subprocess.Popen[bytes]:
    """Start ``radzoo refresh`` on a store, with options, in a process group of its own."""
    entry = "from flows.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", entry, "--store", str(root), "refresh", "--workers", str(workers), *options],
        env=os.environ | {"PREFECT_API_URL": server},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def has_come(root: Path, event: str, number: int) -> bool:
    """Return whether a refresh has come so far."""
    if event == "staged":
        return len(list(root.glob("staging/*/*.json"))) >= number
    if event == "segment":
        return any(root.glob("segments/*"))
    return event == "start" or any(root.glob("analyst*" if event == "publish" else "analyst.duckdb"))


def reached(running: subprocess.Popen[bytes], root: Path, event: str, number: int = 0) -> float:
    """Return when a refresh was seen to come so far, or to have ended."""
    while not has_come(root, event, number) and running.poll() is None:
        # Short beside what is waited for; to look without a pause takes the time from what is looked at.
        time.sleep(0.004)
    return time.monotonic()


def timed(ready: Path, folder: Path, server: str, workers: int = 2) -> tuple[Timing, str]:
    """Return the timing of an undisturbed refresh of a copy of a store, and the state it ends in."""
    root = Path(shutil.copytree(ready, folder))
    began = time.monotonic()
    running = started(root, server, workers)
    first = reached(running, root, "staged", 1)
    last = reached(running, root, "staged", PATIENTS)
    segment = reached(running, root, "segment")
    publishing = reached(running, root, "publish")
    swapped = reached(running, root, "published")
    if running.wait():
        raise RuntimeError(f"an undisturbed refresh ended with {running.returncode}")
    times = (first, last, segment, publishing, swapped, time.monotonic())
    return Timing(*(each - began for each in times)), end_state(Store(root))


def drawn_moments(timing: Timing, seed: int, kills: int) -> list[Moment]:
    """Return moments spread over the phases of a refresh, one in six of them before its first extraction is staged."""
    draw = random.Random(seed)  # noqa: S311  (when to kill)
    between = (timing.last_staged - timing.first_staged) / (PATIENTS - 1)
    kinds = [
        lambda: Moment("start", 0, draw.uniform(0, timing.first_staged)),
        lambda: Moment("staged", draw.randint(1, PATIENTS - 1), draw.uniform(0, 2 * between)),
        lambda: Moment("staged", PATIENTS, draw.uniform(0, timing.segment - timing.last_staged)),
        lambda: Moment("segment", 0, draw.uniform(0, timing.publish - timing.segment)),
        lambda: Moment("staged", draw.randint(1, PATIENTS - 1), draw.uniform(0, between)),
        lambda: Moment("publish", 0, draw.uniform(0, 1.5 * (timing.published - timing.publish))),
    ]
    return [kinds[number % len(kinds)]() for number in range(kills)]


def killed(ready: Path, folder: Path, moment: Moment, server: str, workers: int = 2) -> Outcome:
    """Kill a refresh of a copy of a store at a moment, refresh again, and return what was found."""
    root = Path(shutil.copytree(ready, folder))
    running = started(root, server, workers)
    reached(running, root, moment.event, moment.number)
    time.sleep(moment.delay_s)
    was_running = running.poll() is None
    if was_running:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    store = Store(root)
    found = damage(store)
    committed = Snapshot(store).commit_id == 2
    staged = len(list(root.glob("staging/*/*.json")))
    (report,) = refresh(store, workers=1)
    found += damage(store)
    if left := sorted(each.name for each in root.glob("staging/*/*.json")):
        found.append(f"{len(left)} staged extractions are left after the commit, the first: {left[0]}")
    if (shown := published_commit(store)) != 2:
        found.append(f"commit {shown} is published, not 2")
    if left := [each.name for each in root.rglob("*.partial*") if each.parent.name != store.segments.local_root.name]:
        found.append(f"{len(left)} unfinished files are left, the first: {left[0]}")
    outcome = Outcome(was_running, staged, committed, tuple(found), report.reused, report.computed, end_state(store))
    store.engine.dispose()
    return outcome


def damage(store: Store) -> list[str]:
    """Return what is wrong with a store: what `radzoo store verify` finds, and half a commit."""
    found = [finding.what for check in store_verification(store).checks for finding in check.findings]
    snapshot = Snapshot(store)
    extractions = len(snapshot.rows("extractions"))
    counts = {
        "rows of segments": sum(row["rows"] for row in snapshot.rows("segments")),
        "study_extractions": len(snapshot.rows("study_extractions")),
        "commits": (snapshot.commit_id - 1) * PATIENTS,
    }
    found += [
        f"{count} {name} beside {extractions} extractions" for name, count in counts.items() if count != extractions
    ]
    return found


def end_state(store: Store) -> str:
    """Return a hash of the sorted rows of the wide view and of the extractions, and of what a client reads of them."""
    wide = answer(Snapshot(store), "from quick order by all").to_pylist()
    names: Sequence[str] = ("feature_set", "extraction_id", "image_sha256", "mask_sha256", "segment_id")
    extractions = sorted(tuple(row[name] for name in names) for row in Snapshot(store).rows("extractions"))
    return hashlib.sha256(json.dumps([wide, extractions]).encode()).hexdigest()
