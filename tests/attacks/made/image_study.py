"""A study of hostile images with good ones among them, run by the command line, and what came of it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.history.snapshot import Snapshot, newest_commit
from store.home import Store

from .image_seeds import SEEDS, Files, voxels_of

__all__ = [
    "FORBIDDEN",
    "GOOD",
    "Study",
    "Verdict",
    "command",
    "commits_of",
    "faults_of_run",
    "outcome_of",
    "written_study",
]

GOOD = tuple(f"G{number}" for number in range(1, 4))
_MEMORY_KB = 2_000_000
_TOML = """feature_sets = ["quick"]
[study]
id = "hostile"
title = "Hostile images"
[cohort]
table = "patients.csv"
[phases.AP]
image = "images/{patient}.hdr"
mask = "masks/{patient}.hdr"
[define.quick.radiomics]
families = ["firstorder"]
bin_width = 25
"""
FORBIDDEN = re.compile(
    r"\b0x[0-9a-f]{4,}|/etc|/proc|/dev|/tmp|radzoo-images|passwd|shadow|root:|Traceback|\.cxx|site-packages"
)


@dataclass
class Study:
    """The study on disk."""

    folder: Path

    @property
    def file(self) -> Path:
        """Return the study file."""
        return self.folder / "study.toml"

    @property
    def store(self) -> Path:
        """Return the store's folder."""
        return self.folder / "store"

    def write(self, patient: str, what: str, files: Files) -> None:
        """Write a patient's image or mask."""
        for ending, content in files.items():
            (self.folder / what / f"{patient}{ending}").write_bytes(content)


@dataclass
class Verdict:
    """What a run came to."""

    seconds: float
    code: int
    err: str
    peak_kb: int
    faults: list[str] = field(default_factory=list)


def written_study(folder: Path, patients: Mapping[str, tuple[Files, Files]]) -> Study:
    """Write a study of these patients' images and masks, and of some good ones."""
    shutil.rmtree(folder, ignore_errors=True)
    study = Study(folder)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    study.file.write_text(_TOML)
    (folder / "patients.csv").write_text("patient\n" + "".join(f"{each}\n" for each in (*patients, *GOOD)))
    for number, patient in enumerate(GOOD):
        make = list(SEEDS.values())[number * 5]
        study.write(patient, "images", make(patient, voxels_of(10**6 + number, is_mask=False)))
        study.write(patient, "masks", make(patient, voxels_of(0, is_mask=True)))
    for patient, (image, mask) in patients.items():
        study.write(patient, "images", image)
        study.write(patient, "masks", mask)
    return study


def command(study: Study, *arguments: str, limit_s: float) -> Verdict:
    """Run the command line on the study's store, within a time, and return what it came to."""
    began = time.monotonic()
    environment = os.environ | {"RADZOO_STORE": str(study.store), "TMPDIR": str(_temporary(study))}
    with subprocess.Popen(
        [sys.executable, "-c", "from flows.cli.main import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            code = -9
    verdict = Verdict(time.monotonic() - began, code, err, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    if code not in (0, 4, 5):
        verdict.faults.append(f"{arguments[0]}: exit code {code}: {err[-300:]}")
    if "Traceback" in err + out or "fault of radzoo" in err + out:
        verdict.faults.append(f"{arguments[0]}: {err[-600:]}")
    if verdict.peak_kb > _MEMORY_KB:
        verdict.faults.append(f"{arguments[0]}: {verdict.peak_kb} KB of memory")
    if any(_temporary(study).glob("radzoo-images-*")):
        verdict.faults.append(f"{arguments[0]}: temporary files are left")
    return verdict


def _temporary(study: Study) -> Path:
    folder = study.folder / "temporary"
    folder.mkdir(exist_ok=True)
    return folder


def faults_of_run(study: Study, patients: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return each patient's reason where it failed, and what is wrong with the rows."""
    snapshot = Snapshot(Store(study.store))
    failures = snapshot.rows("failures", stage="ingest")
    reasons = {row["patient"]: row["reason"] for row in failures}
    masked = {row["patient"] for row in snapshot.rows("masks")}
    faults = [f"the good patient {each} is missing" for each in GOOD if each not in masked]
    faults += [f"{each} has no row at all" for each in patients if each not in masked and each not in reasons]
    faults += [f"{each} has two reasons" for each in patients if sum(r["patient"] == each for r in failures) > 1]
    for patient, reason in reasons.items():
        # The name of a data file that a header gives may be anything; none of the system's may be repeated.
        if FORBIDDEN.search(reason) or not reason.isprintable() or len(reason) > 600:
            faults.append(f"{patient}: reason {reason!r}")
        if f"{patient}.hdr" not in reason:
            faults.append(f"{patient}: the reason does not name its file: {reason}")
    return reasons, faults


def outcome_of(study: Study) -> dict[str, Any]:
    """Return the hash of each image and mask that was accepted, by kind and patient."""
    snapshot = Snapshot(Store(study.store))
    images = {("images", row["patient"]): row["image_sha256"] for row in snapshot.rows("scans")}
    return images | {("masks", row["patient"]): row["mask_sha256"] for row in snapshot.rows("masks")}


def commits_of(study: Study) -> int:
    """Return the number of the store's newest commit."""
    return newest_commit(Store(study.store)) or 0
