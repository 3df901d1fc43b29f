"""The demonstration study on disk: its study file, patient table, phantom images and masks."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import polars as pl
import SimpleITK as sitk

from flows.demo.cohort import published_cohort, reread_patients, with_excluded
from flows.demo.lesions import lesion_traits, patient_seed
from flows.demo.phantom.liver import DEFAULT_SCALE, PHASES, lesion_mask, phantom_phases
from flows.engine.progress import progress_bar
from schemas.errors import UsageError

__all__ = ["FEWEST_PATIENTS", "PUBLISHED_PATIENTS", "ImageFormat", "demo_study", "study_text"]

ImageFormat = Literal["nifti", "dicom"]
"""Of the demonstration's images and masks."""

PUBLISHED_PATIENTS = 165
FEWEST_PATIENTS = 24
"""Below this the smallest group has too few patients for five folds."""

_GENERATOR = 5  # counts up when the study file, the table or the phantoms change, so that old files are rewritten
_READINGS = (("1", 1), ("1", 2), ("2", 1))


def demo_study(
    folder: Path,
    *,
    patients: int = PUBLISHED_PATIENTS,
    scale: float = DEFAULT_SCALE,
    full: bool = False,
    format: ImageFormat = "nifti",  # noqa: A002  (the option's name)
    workers: int | None = None,
) -> Path:
    """Write the demonstration study below a folder and return its study file.

    What an earlier call wrote with the same settings is kept.

    Parameters
    ----------
    folder : Path
        Where to write.
    patients : int
        How many of the 165 patients; fewer keep the groups' proportions, not the published counts.
    scale : float
        Size of the phantoms: 1 draws lesions in their true size, 0.5 in half of it, which makes their
        features four to eight times quicker to compute.
    full : bool
        Train networks as in the study, not the small ones that a laptop trains in minutes.
    format : {"nifti", "dicom"}
        Of images and masks. As DICOM each phase is a series and each mask a segmentation, with a structure set of the
        same contours beside it; the voxels are the same.
    workers : int, optional
        Processes that draw; as many as the machine has cores where absent.

    Raises
    ------
    UsageError
        When so few patients are asked for that no model can be trained.
    """
    study_file, manifest = folder / "study.toml", folder / "phantoms.json"
    settings: dict[str, Any] = {"generator": _GENERATOR, "patients": patients, "scale": scale, "full": full}
    if format == "dicom":
        settings["format"] = format  # files of before there was a choice say nothing of it
    if manifest.exists() and json.loads(manifest.read_text()) == settings:
        return study_file
    cohort = _first_patients(published_cohort(), patients)
    reread = set(reread_patients(published_cohort()))
    cohort = cohort.with_columns(
        reread=pl.col("patient").map_elements(lambda p: "yes" if p in reread else "no", return_dtype=pl.String)
    )
    folder.mkdir(parents=True, exist_ok=True)
    # Gone first and written last: a run that is killed half-way leaves no claim to be complete.
    manifest.unlink(missing_ok=True)
    with progress_bar("drawing phantoms", cohort.height, "patients") as advance:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=context) as pool:
            for _ in pool.map(partial(_write_patient, folder, scale, format), cohort.to_dicts(), chunksize=4):
                advance()
    with_excluded(cohort).write_csv(folder / "patients.csv")
    study_file.write_text(study_text(full=full, format=format), encoding="utf-8")
    manifest.write_text(json.dumps(settings))
    return study_file


def study_text(*, full: bool = False, format: ImageFormat = "nifti") -> str:  # noqa: A002
    """Return the demonstration's study file; `demo_study` says what the parameters are."""
    parts = ("study.toml", "networks_full.toml" if full else "networks.toml")
    text = "".join(files("flows.demo").joinpath(part).read_text(encoding="utf-8") for part in parts)
    if format == "dicom":
        # A folder a phase, a segmentation a mask.
        return text.replace("/{phase}.nii.gz", "/{phase}").replace("_{reading}.nii.gz", "_{reading}.dcm")
    return text


def _first_patients(cohort: pl.DataFrame, patients: int) -> pl.DataFrame:
    """Return the first patients of each group, in the groups' proportions."""
    if not FEWEST_PATIENTS <= patients <= cohort.height:
        raise UsageError(f"--patients must lie between {FEWEST_PATIENTS} and {cohort.height}, not {patients}")
    group = [(row["cohort"], row["recurrence_free_months"] <= 24) for row in cohort.to_dicts()]
    # Largest remainder: shares that add up to the number asked for.
    exact = {each: count * patients / cohort.height for each, count in Counter(group).items()}
    quota = {each: int(share) for each, share in exact.items()}
    for each in sorted(exact, key=lambda e: quota[e] - exact[e])[: patients - sum(quota.values())]:
        quota[each] += 1
    seen: Counter[tuple[str, bool]] = Counter()
    kept = []
    for each in group:
        seen[each] += 1
        kept.append(seen[each] <= quota[each])
    return cohort.filter(pl.Series(kept))


def _write_patient(folder: Path, scale: float, format: ImageFormat, row: Mapping[str, Any]) -> None:  # noqa: A002
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    patient = row["patient"]
    readings = _READINGS if row["reread"] == "yes" else _READINGS[:1]
    if format == "dicom":
        # Imported here: what writes DICOM takes a second to load.
        from flows.demo.dicom_files import write_dicom_patient

        write_dicom_patient(folder, scale, row, readings)
        return
    traits, seed = lesion_traits(row), patient_seed(patient)
    images, masks = folder / "images" / patient, folder / "masks" / patient
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    for phase, image in phantom_phases(traits, row["field_strength_t"], seed, scale).items():
        _write(image, images / f"{phase}.nii.gz")
    for reader, reading in readings:
        for phase in PHASES:
            mask = lesion_mask(traits, seed, phase, int(reader), reading, scale)
            _write(mask, masks / f"{phase}_{reader}_{reading}.nii.gz")


def _write(image: sitk.Image, file: Path) -> None:
    # Level 1: noise hardly compresses, and higher levels take three times as long.
    sitk.WriteImage(image, str(file), useCompression=True, compressionLevel=1)
