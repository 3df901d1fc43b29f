"""The study file that ``radzoo init`` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.keys import Name

__all__ = ["STUDY_TEMPLATE", "TEMPLATE_MARKS", "TEMPLATE_NAMES", "study_template"]

_name: TypeAdapter[str] = TypeAdapter(Name)

STUDY_TEMPLATE = """# A radzoo study. Paths are relative to this file. Unknown keys are refused.

feature_sets = ["mr@1"]                 # what `radzoo refresh` computes, name@version; "ct@1" for CT

[study]
id = "id-of-the-study"
title = "What this study is called"
question = "What it asks"

[cohort]
table = "patients.csv"                  # one row per patient: .csv, .tsv, .parquet or .xlsx
patient = "patient"                     # the column with the pseudonym
# exam_date = "mri_date"                # the column with the exam's date, YYYY-MM-DD
# reference_date = "surgery_date"       # the date at which the study predicts; values of later are never read
# exam_window_days = [-14, 0]           # an exam must lie at most 14 days before it

# One table per phase, a named image of the exam. {patient}, {exam}, {phase}, {reader} and {reading} are filled in.
[phases.T1]
image = "images/{patient}/T1.nii.gz"    # NIfTI or NRRD
mask = "masks/{patient}/T1.nii.gz"
label = 1                               # the lesion's value in the mask
modality = "MR"

# Who drew the masks. The first reading is the one that models use; others serve stability.
[[readings]]
reader = "R1"
reading = 1

# [clinical]
# observed_at = "lab_date"              # the column with the date of a row's values
# window_days = [-30, 0]                # a model reads values of the 30 days up to the reference date
# [clinical.variables.afp]              # a number has a UCUM unit (ucum.org) ...
# unit = "[IU]/mL"
# [clinical.variables.sex]              # ... a category has levels
# levels = ["female", "male"]

[outcome]
kind = "binary"                         # or "time_to_event" with event, time, unit and horizon
name = "my_outcome"
column = "outcome"                      # 1 or 0

[splits.main]
kind = "stratified"                     # or "column" with a column of the patient table
validation_fraction = 0.2
seed = 1

[models.radiomics_lr]                   # `radzoo models zoo` lists all models, and what each one needs
"""

TEMPLATE_MARKS: Final = {
    ("study", "title"): "What this study is called",
    ("study", "question"): "What it asks",
}
"""Texts of the template that are nobody's own, by their keys."""

TEMPLATE_NAMES: Final = {("study", "id"): "id-of-the-study", ("outcome", "name"): "my_outcome"}
"""Names of the template that may be a study's own."""


def study_template(folder: Path) -> str:
    """Return the study file to start from in a folder, whose name becomes the study's id where it can be one."""
    try:
        name = _name.validate_python(re.sub(r"[^A-Za-z0-9]+", "-", folder.absolute().name).strip("-"))
    except ValidationError:
        return STUDY_TEMPLATE
    return STUDY_TEMPLATE.replace('id = "id-of-the-study"', f'id = "{name}"', 1)
