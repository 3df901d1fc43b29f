"""A small study from end to end by the installed command line, without networks; run by .ci/pythons."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

PATIENTS = [f"S{number:02}" for number in range(32)]
STUDY = """feature_sets = ["quick@1"]

[study]
id = "smoke"
title = "Every verb but those of networks"

[cohort]
table = "patients.csv"

[phases.AP]
image = "images/{patient}.nii.gz"
mask = "masks/{patient}.nii.gz"
modality = "MR"

[clinical.variables.afp]
unit = "[IU]/mL"

[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"

[splits.fixed]
kind = "column"
column = "cohort"

[models.cr]
factors = [{ variable = "afp", above = 400 }]

[models.radiomics_lr]

[define.quick.radiomics]
families = ["shape", "firstorder", "glcm"]
bin_width = 25
"""


def write_study(folder: Path) -> Path:
    """Write study file, table, images and masks; the images tell the label."""
    random = np.random.default_rng(5)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    x, y, z = np.meshgrid(np.arange(10), np.arange(12), np.arange(14), indexing="ij")
    inside = (x - 5) ** 2 + (y - 6) ** 2 + (z - 7) ** 2 < 16
    rows = []
    for number, patient in enumerate(PATIENTS):
        label = number % 2
        image = 300 + 40 * random.normal(size=inside.shape) + (60 + 25 * label) * inside
        for kind, array in (("images", image.astype(np.float32)), ("masks", inside.astype(np.uint8))):
            sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / kind / f"{patient}.nii.gz"))
        afp = 900 if random.random() < 0.2 + 0.6 * label else 20
        rows.append((patient, label, "training" if number < 22 else "validation", afp))
    with (folder / "patients.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([("patient", "recurrence", "cohort", "afp"), *rows])
    file = folder / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    return file


def radzoo(*arguments: str, expected: int = 0) -> str:
    """Run a verb and return what it prints; leave where its exit code is another or a traceback is seen."""
    command = [sys.executable, "-P", "-m", "radzoo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    if done.returncode != expected or "Traceback" in done.stderr:
        sys.exit(f"radzoo {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout or done.stderr


def main() -> None:
    """Run every verb on the study and check what it says."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        os.environ |= {"PREFECT_HOME": str(root / "prefect"), "RADZOO_STORE": str(root / "store")}
        os.environ.pop("PREFECT_API_URL", None)
        lacks = {each for each in ("torch", "monai") if find_spec(each) is None}
        found: list[dict[str, Any]] = json.loads(radzoo("doctor", "--json", expected=5 if lacks else 0))
        missing = {each["what"] for each in found if each["state"] == "missing"}
        if missing != lacks:
            sys.exit(f"radzoo doctor: missing {missing}, expected {lacks}")
        file = write_study(root / "study")
        radzoo("ingest", str(file))
        radzoo("refresh", "--workers", "2")
        radzoo("bench")
        radzoo("report", "--out", str(root / "report.html"))
        question = "select model, cohort, auc from leaderboard order by model, cohort"
        rows = json.loads(radzoo("sql", question, "--json"))
        if len(rows) != 4 or not all(0 <= row["auc"] <= 1 for row in rows):
            sys.exit(f"leaderboard: {rows}")
        radzoo("store", "verify")
        if lacks:
            line = radzoo("train", "dl_resnet10", expected=3)
            if "is not installed, and networks need it" not in line:
                sys.exit(line)
    print("smoke test: every verb but networks" if lacks else "smoke test: every verb")


if __name__ == "__main__":
    main()
