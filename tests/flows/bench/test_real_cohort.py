"""Real patients from study file to SQL by the command line: MR, PET and CT, 12 x 1037 features.

Data: soft-tissue sarcoma cohort of the IBSI, CC BY 3.0 (Vallieres 2015). Reference: pyradiomics 3.0.1.
"""

import json
import logging
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import SimpleITK as sitk
from builders.command_line import radzoo_here
from radiomics.featureextractor import RadiomicsFeatureExtractor

from schemas.features.radiomics_settings import HCC_CEMRI

pytestmark = pytest.mark.slow

PHASES = ("MR_T1", "PET", "CTcrop")
QUICK_PATIENTS = ("STS_002", "STS_018")
ALL_PATIENTS = (*QUICK_PATIENTS, "STS_008", "STS_012", "STS_006", "STS_023", "STS_028", "STS_042")
PATIENTS = ALL_PATIENTS if os.environ.get("RADZOO_ALL_SCANS") else QUICK_PATIENTS
"""Those whose scans are quickest to compute; RADZOO_ALL_SCANS=1 takes all eight."""
EVENTS = {"STS_006", "STS_018", "STS_023", "STS_028"}
SCANS = len(PHASES) * len(PATIENTS)

STUDY = """feature_sets = ["hcc-cemri@1"]

[study]
id = "sarcoma"
title = "Soft-tissue sarcoma: lung metastasis"

[cohort]
table = "{outcome}"

[outcome]
kind = "binary"
name = "lung_metastasis"
column = "lung_metastasis"
"""
PHASE = """
[phases.{phase}]
image = "{nifti}/{{patient}}/{{phase}}_image.nii.gz"
mask = "{nifti}/{{patient}}/{{phase}}_mask.nii.gz"
modality = "{modality}"
"""


def pyradiomics_values(scan):
    """Return what plain pyradiomics gives for one image and mask file."""
    image, mask = scan
    # With more threads ITK's mean of the image differs in its last bit, which moves features of thick slices.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        extractor = RadiomicsFeatureExtractor(HCC_CEMRI.pyradiomics_parameters())
        return {name: float(value) for name, value in extractor.execute(image, mask).items()}


@pytest.fixture(scope="module")
def cohort(shared_data, tmp_path_factory, prefect_server):
    """Return a function that runs the command line on the store of the ingested and refreshed cohort."""
    data = shared_data("sts_cohort")
    folder = tmp_path_factory.mktemp("sarcoma")
    header, *lines = (data / "outcome.csv").read_text().splitlines()
    listed = [line for line in lines if line.partition(",")[0] in PATIENTS]
    (folder / "outcome.csv").write_text("\n".join([header, *listed, ""]))
    text = STUDY.format(outcome=folder / "outcome.csv")
    for phase in PHASES:
        text += PHASE.format(phase=phase, nifti=data / "nifti", modality=phase.split("_")[0].removesuffix("crop"))
    (folder / "study.toml").write_text(text)

    assert prefect_server

    def run(*arguments):
        return radzoo_here("--store", str(folder / "store"), "--json", *arguments)

    ingested = run("ingest", str(folder / "study.toml"))
    assert ingested.returncode == 0, ingested.stderr
    report = json.loads(ingested.stdout)
    counted = (len(PATIENTS), len(EVENTS & set(PATIENTS)), SCANS, SCANS)
    assert (report["patients"], report["events"], report["scans"], report["masks"]) == counted
    refreshed = run("refresh", "--workers", "2")
    assert refreshed.returncode == 0, refreshed.stderr
    (counts,) = json.loads(refreshed.stdout)
    assert (counts["features"], counts["computed"], counts["failed"]) == (1037, SCANS, 0)
    return run


def test_every_scan_of_every_patient_has_its_row(cohort):
    """SQL counts as many extractions a phase as patients, one for each, and every value of them is there."""
    asked = cohort(
        "sql", "select phase, count(*) n, count(distinct patient) p from hcc_cemri group by all order by all"
    )
    assert json.loads(asked.stdout) == [
        {"phase": phase, "n": len(PATIENTS), "p": len(PATIENTS)} for phase in sorted(PHASES)
    ]
    asked = cohort("sql", "select count(*) n, count(value) there from radiomics_long")
    assert json.loads(asked.stdout) == [{"n": SCANS * 1037, "there": SCANS * 1037}]


def test_a_second_refresh_computes_nothing(cohort):
    """Everything is unchanged, at once, and nothing is stale."""
    done = cohort("refresh", "--dry-run")
    (counts,) = json.loads(done.stdout)["feature_sets"]
    assert done.returncode == 0
    assert [counts[name] for name in ("computed", "reused", "failed", "unchanged")] == [0, 0, 0, SCANS]
    done = cohort("refresh")
    assert json.loads(done.stdout)[0]["commit_id"] is None


def test_grey_levels_tell_where_the_bin_width_does_not_fit(cohort):
    """The bin width of contrast-enhanced MR gives PET hundreds of grey levels: the store says so for each scan."""
    asked = cohort(
        "sql", "select phase, median(grey_levels['original']) levels from hcc_cemri group by phase order by phase"
    )
    levels = {row["phase"]: row["levels"] for row in json.loads(asked.stdout)}
    assert 30 <= levels["MR_T1"] <= 130
    assert levels["PET"] > 130


MR_AND_CT = [
    (patient, phase)
    for phase in ("MR_T1", "CTcrop")
    for patient in (PATIENTS if os.environ.get("RADZOO_ALL_SCANS") else PATIENTS[:1])
]
QUICK_PET = [(patient, "PET") for patient in ("STS_018", "STS_012") if patient in PATIENTS]
SLOW_PET = [(patient, "PET") for patient in PATIENTS if (patient, "PET") not in QUICK_PET]
COMPARED = [*(SLOW_PET if os.environ.get("RADZOO_ALL_SCANS") else []), *QUICK_PET, *MR_AND_CT]
"""The MR and the CT scan of one patient, and the quickest PET scan; RADZOO_ALL_SCANS=1 compares all.

The others are left out for their time alone, PET above all: with 235 to 316 grey levels in the original, up to 876 in a
wavelet band and larger lesions, plain pyradiomics takes many minutes for each.
"""


def test_stored_values_are_those_of_pyradiomics(cohort, shared_data):
    """Every one of 1037 columns of the compared scans equals plain pyradiomics at a relative 1e-9."""
    nifti = shared_data("sts_cohort") / "nifti"
    scans = [
        tuple(str(nifti / patient / f"{phase}_{what}.nii.gz") for what in ("image", "mask"))
        for patient, phase in COMPARED
    ]
    rows = json.loads(cohort("sql", "from hcc_cemri").stdout)
    stored = {(row["patient"], row["phase"]): row for row in rows}
    # Spawned: a fork of a process with ITK's threads may hang.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for key, expected in zip(COMPARED, pool.map(pyradiomics_values, scans), strict=True):
            assert len(expected) == 1037
            found = [stored[key][name] for name in expected]
            np.testing.assert_allclose(found, list(expected.values()), rtol=1e-9, atol=1e-12, err_msg=str(key))
