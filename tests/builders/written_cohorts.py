"""Two cohorts in a written store: one whose values carry a signal, one that every kind of table is read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from builders.store import clinical_rows
from builders.written_store import SHAPE, WrittenStore

__all__ = ["cohort_with_gaps", "cohort_with_signal"]

_MORE_VARIABLES = """
site = { levels = ["A", "B", "C"] }
neutros = { unit = "10*9/L" }
lymphocytes = { unit = "10*9/L" }
"""

_MODELS_OF_EVERY_TABLE = """[models.radiomics_lr]

[models.radiomics_knn]
minimum_icc = 0.9

[models.radiomics_svm]
harmonise = "site"

[models.rcr]
missing = "indicate"

[models.nlr]
variables = { neutrophils = "neutros" }
"""


def cohort_with_signal(root: Path) -> WrittenStore:
    """Write a store of 90 patients, 60 of them in training, whose values carry a signal of known columns."""
    written = WrittenStore(root)
    random = np.random.default_rng(20)
    patients = [f"P{number:02}" for number in range(90)]
    labels = {patient: int(random.random() < 0.5) for patient in patients}
    written.cohort(labels, {p: "training" if n < 60 else "validation" for n, p in enumerate(patients)})
    clinical, rows = [], {}
    for patient, label in labels.items():
        values = {
            "afp": 800.0 if random.random() < 0.15 + 0.65 * label else 50.0,
            "age": float(np.round(random.normal(58, 10))),
            "sex": "male" if random.random() < 0.5 else "female",
        }
        clinical += clinical_rows(patient, values, {})
        for phase in ("AP", "DP"):
            drawn = dict(zip(SHAPE.columns, random.normal(size=len(SHAPE.columns)), strict=True))
            if phase == "AP":
                drawn["original_shape_Elongation"] += 1.5 * label
                drawn["original_shape_Flatness"] -= 1.2 * label
            rows[patient, phase] = drawn
    written.put("clinical", clinical)
    written.features(rows)
    return written


def cohort_with_gaps(root: Path) -> WrittenStore:
    """Write a store of 12 patients and a study whose models read every kind of table.

    P12 has no value of one factor, P11 no row in a phase, P10 a feature without a value, P09 a value of after the
    reference date.
    """
    written = WrittenStore(root)
    written.edit('sex = { levels = ["female", "male"] }', f'sex = {{ levels = ["female", "male"] }}{_MORE_VARIABLES}')
    written.edit("[models.radiomics_lr]\n", _MODELS_OF_EVERY_TABLE)
    patients = [f"P{number:02}" for number in range(1, 13)]
    labels = {patient: number % 2 for number, patient in enumerate(patients)}
    written.cohort(labels, {p: "training" if n < 6 else "validation" for n, p in enumerate(patients)})
    own = {"study": "s"}
    written.put("study_patients", [own | {"patient": patient} for patient in patients])
    written.put("splits", [own | {"split": "fixed", "kind": "column", "patients": 12}])
    written.put("reference_dates", [own | {"patient": p, "reference_on": "2020-06-01"} for p in patients])
    written.put("variables", [own | {"variable": "age", "kind": "number", "window_first": -90, "window_last": 0}])
    written.put_study()
    random = np.random.default_rng(7)
    rows = {}
    for number, patient in enumerate(patients):
        age = {} if patient == "P12" else {"age": float(random.normal(60, 9))}
        cells = {"neutros": float(random.uniform(2, 7)), "lymphocytes": float(random.uniform(1, 3))}
        written.clinical(patient, "2020-05-01", afp=float(random.uniform(1, 900)), **age, **cells)
        written.clinical(patient, sex=("male", "female")[number % 2], site="ABC"[number % 3])
        for phase in ("AP", "DP"):
            rows[patient, phase] = dict(zip(SHAPE.columns, random.normal(size=len(SHAPE.columns)), strict=True))
    written.clinical("P09", "2020-07-01", afp=5000.0)
    rows["P10", "DP"]["original_shape_Flatness"] = None
    del rows["P11", "DP"]
    written.features(rows)
    agreed = {"original_shape_Flatness": 0.95, "original_shape_Elongation": 0.9, "original_shape_MeshVolume": 0.5}
    of = own | {"split": "fixed", "feature_set": "quick@1", "phase": "AP", "kind": "intra", "patients": 6}
    written.put("stability", [of | {"feature": feature, "icc": icc} for feature, icc in agreed.items()])
    return written
