"""Folders of tiny images and masks, as exports and archives lay them out, and the studies drafted from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from builders.command_line import printed
from flows.study_draft.run import StudyDraft, study_draft
from schemas.study.file import Study
from schemas.study.text import parsed_study

PATIENTS = ("P1", "P2", "P10", "P11")


def write_volume(file: Path, *, labels: Sequence[int] = (), seed: int = 0) -> Path:
    """Write an image of 8 x 8 x 6 voxels, or a mask with a cube of each label, in the format of the file's ending."""
    array = np.random.default_rng(seed + len(str(file))).normal(100, 20, (6, 8, 8)).astype(np.float32)
    if labels:
        array = np.zeros((6, 8, 8), np.uint8)
        for number, label in enumerate(labels):
            array[1:4, 1:4, 2 * number : 2 * number + 2] = label
    file.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    # ITK knows endings in small letters alone.
    lower = file.with_name(file.name.lower())
    sitk.WriteImage(image, lower, useCompression=True)
    return lower.rename(file)


def write_volumes(root: Path, paths: Iterable[str], *, labels: Sequence[int] = ()) -> None:
    """Write a volume at each path below a folder."""
    for number, path in enumerate(paths):
        write_volume(root / path, labels=labels, seed=number)


def write_table(file: Path, patients: Sequence[str] = PATIENTS, patient: str = "patient") -> None:
    """Write a table of patients, every other with the outcome."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{each},{number % 2}" for number, each in enumerate(patients)]
    file.write_text("\n".join([f"{patient},recurrence", *rows]) + "\n", encoding="utf-8")


def drafted(tmp_path: Path, source: Path) -> tuple[StudyDraft, Study]:
    """Return a draft, and the study that its text is."""
    draft = study_draft(tmp_path / "study", source)
    return draft, parsed_study(draft.text, "study.toml")


def ingested(capsys: pytest.CaptureFixture[str], tmp_path: Path, source: Path) -> dict[str, Any]:
    """Return the report of an ingest of what init has just written, with a table of ids where the folder has none."""
    file = tmp_path / "study" / "study.toml"
    code, out, _ = printed(capsys, "--json", "init", tmp_path / "study", "--from", source)
    assert code == 0
    answer = json.loads(out)
    if answer["table"] is None:
        (tmp_path / "study" / "patients.csv").write_text("\n".join(["patient", *answer["patients"]]) + "\n")
    code, out, err = printed(capsys, "--json", "--store", tmp_path / "store", "ingest", file)
    assert code == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def decided(text: str) -> list[str]:
    """Return what stands before each mark."""
    return [line.partition("# to decide")[0].strip() for line in text.splitlines() if "# to decide" in line]
