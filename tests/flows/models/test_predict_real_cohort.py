"""A model meets eight real patients whose features are of another definition: refused, with the reason.

Data: soft-tissue sarcoma cohort of the IBSI, CC BY 3.0 (Vallieres 2015).
"""

from __future__ import annotations

import json

import pytest

from flows.cli.main import exit_code

pytestmark = pytest.mark.slow

STUDY = """feature_sets = ["cheap"]

[study]
id = "sarcoma"
title = "Soft-tissue sarcoma: lung metastasis"

[cohort]
table = "{data}/outcome.csv"

[phases.AP]
image = "{data}/nifti/{{patient}}/MR_T1_image.nii.gz"
mask = "{data}/nifti/{{patient}}/MR_T1_mask.nii.gz"
modality = "MR"

[outcome]
kind = "binary"
name = "lung_metastasis"
column = "lung_metastasis"

[define.cheap.radiomics]
families = ["shape"]
"""


@pytest.fixture(scope="module")
def sarcoma(shared_data, prefect_server, tmp_path_factory):
    """Return the folder of a store with the cohort ingested and its own cheap feature set computed."""
    from flows.ingest.run import ingest
    from flows.refresh.run import refresh
    from store.home import Store

    folder = tmp_path_factory.mktemp("sarcoma")
    (folder / "study.toml").write_text(STUDY.format(data=shared_data("sts_cohort")))
    ingest(folder / "study.toml", folder / "store", workers=1)
    (report,) = refresh(Store(folder / "store"), "sarcoma", workers=1)
    assert (report.computed, report.failed) == (8, 0)
    return folder / "store"


def test_a_model_of_another_feature_set_is_refused(sarcoma, trained_study, tmp_path, capsys):
    """Both definitions are named, and what to do; no probability is given for a real patient."""
    exported = tmp_path / "model"
    assert exit_code(["--store", str(trained_study.store_root), "models", "export", "radiomics_lr", str(exported)]) == 0
    capsys.readouterr()
    code = exit_code(
        ["--json", "--store", str(sarcoma), "predict", "--model-folder", str(exported), "--patient", "STS_002"]
    )
    captured = capsys.readouterr()
    fault = json.loads(captured.err[captured.err.index("{") :])
    assert (code, captured.out) == (4, "")
    assert "the model reads quick@1 (definition " in fault["message"]
    assert "the study has cheap@1 (definition " in fault["message"]
    assert " refresh --study sarcoma" in fault["hint"]
