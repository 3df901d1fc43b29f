"""Studies of more patients, whose images or tables tell the label."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from builders.study import SmallStudy
from flows.demo.cohort import published_cohort, with_excluded

__all__ = ["bright_study", "tried_study", "write_published_study", "write_tiny_images"]

DEMO = Path(__file__).parents[2] / "flows" / "demo" / "study.toml"


def tried_study(root: Path) -> SmallStudy:
    """Write a study of 60 patients whose images tell the label, with three models, and return it."""
    names = [f"T{number:02}" for number in range(60)]
    study = SmallStudy.below(root, "tried", names, phases=("AP",))
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


def bright_study(root: Path, study_id: str, feature_sets: str, more: str) -> SmallStudy:
    """Write a study of 24 patients whose lesions of one label are brighter, with feature sets and more tables."""
    names = [f"N{number:02}" for number in range(24)]
    study = SmallStudy.below(root, study_id, names)
    random = np.random.default_rng(3)
    lines = ["patient,recurrence,cohort,afp,sex"]
    for number, name in enumerate(names):
        label = number % 2
        for phase in study.phases:
            own = sitk.GetArrayFromImage(study.image(name, phase))
            own[2:6, 3:8, 3:9] += 200 * label
            image = sitk.GetImageFromArray(own)
            image.CopyInformation(study.image(name, phase))
            study.write_image(name, phase, image=image)
        sex = "male" if random.random() < 0.3 + 0.4 * label else "female"
        lines.append(f"{name},{label},{'training' if number < 16 else 'validation'},10,{sex}")
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    study.edit('feature_sets = ["quick"]', f"feature_sets = {feature_sets}")
    study.file.write_text(study.file.read_text() + more)
    return study


def write_tiny_images(folder: Path) -> None:
    """Write one tiny image and mask for each patient of the published cohort."""
    random = np.random.default_rng(1)
    lesion = np.zeros((8, 8, 8), np.uint8)
    lesion[2:6, 2:6, 2:6] = 1
    sitk.WriteImage(sitk.GetImageFromArray(lesion), str(folder / "lesion.nii.gz"))
    for patient in published_cohort()["patient"]:
        volume = random.normal(100, 10, (8, 8, 8)).astype(np.float32)
        sitk.WriteImage(sitk.GetImageFromArray(volume), str(folder / f"{patient}_image.nii.gz"))
        os.link(folder / "lesion.nii.gz", folder / f"{patient}_mask.nii.gz")


def write_published_study(folder: Path, images: Path) -> tuple[Path, Path]:
    """Write the published cohort as a clinical study of the tiny images; return its file and the place of its store.

    Its models are the demonstration's clinical one; what decides their figures is the table alone.
    """
    study = folder / "study"
    study.mkdir(parents=True)
    with_excluded(published_cohort()).write_csv(study / "patients.csv")
    # The demonstration's own study file, with one phase, one reading and the clinical model.
    demo = DEMO.read_text()
    start, end = demo.index("[phases.AP]"), demo.index("[outcome]")
    files = {name: images / f"{{patient}}_{name}.nii.gz" for name in ("image", "mask")}
    phase = f'[phases.AP]\nimage = "{files["image"]}"\nmask = "{files["mask"]}"\n\n'
    text = demo[:start] + phase + demo[end : demo.index("[models.radiomics_lr]")]
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("primary_comparisons"))
    (study / "study.toml").write_text(text.replace('feature_sets = ["hcc-cemri@1", "tumour-regions"]\n', ""))
    return study / "study.toml", folder / "store"
