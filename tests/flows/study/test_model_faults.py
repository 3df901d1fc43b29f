"""Models of a study file that the zoo cannot make, refused with the line and the nearest names."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.study.names import name_faults
from schemas.study.text import parsed_study

STUDY = """feature_sets = ["quick"]
[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
[phases.T1]
image = "{patient}.nii.gz"
mask = "{patient}_m.nii.gz"
[clinical.variables]
site = { levels = ["A", "B"] }
[define.quick.radiomics]
families = ["shape"]
"""


def faults(models: str) -> list[tuple[str, str]]:
    """Return the message of each fault, and the text of the line that it names."""
    text = STUDY + models
    found = name_faults(parsed_study(text, "study.toml"), text, Path("study.toml"))
    lines = text.splitlines()
    return [(each.message, lines[int(str(each.where).rpartition(":")[2]) - 1]) for each in found]


@pytest.mark.parametrize(
    ("models", "message", "line"),
    [
        (
            "[models.radiomics_rl]",
            "the zoo has no model 'radiomics_rl'; nearest: radiomics_lr",
            "[models.radiomics_rl]",
        ),
        (
            '[models.x]\nbase = "radiomics_rl"',
            "model 'x': the zoo has no model 'radiomics_rl' that it could be built from; nearest: radiomics_lr",
            'base = "radiomics_rl"',
        ),
        (
            '[models.radiomics_svm]\nbase = "radiomics_lr"',
            "'radiomics_svm' is itself a member of the zoo, not a variant of 'radiomics_lr'",
            'base = "radiomics_lr"',
        ),
        (
            '[models.x]\nbase = "radiomics_lr"\n[models.y]\nbase = "x"',
            "model 'y': its base 'x' is a variant itself, of 'radiomics_lr'",
            'base = "x"',
        ),
        (
            '[models.lr-a]\nbase = "radiomics_lr"\n[models.LR_a]\nbase = "radiomics_lr"',
            "the names of the models 'LR_a' and 'lr-a' differ in case, - or _ alone",
            "[models.LR_a]",
        ),
        (
            '[models.Radiomics-LR]\nbase = "radiomics_lr"',
            "the names of the models 'Radiomics-LR' and 'radiomics_lr' differ in case, - or _ alone",
            "[models.Radiomics-LR]",
        ),
        (
            '[models.attention]\nbase = "dl_resnet10"',
            "the embeddings of the network 'attention' would be the feature set 'attention', a name that is taken",
            "[models.attention]",
        ),
        (
            '[models.quick]\nbase = "dl_resnet10"',
            "the embeddings of the network 'quick' would be the feature set 'quick', a name that is taken",
            "[models.quick]",
        ),
        (
            '[models.cr]\ncorrection = "benjamini-hochberg"',
            "model 'cr' selects no radiomics features, only dlrcr, ",
            'correction = "benjamini-hochberg"',
        ),
        (
            '[models.bclc]\nlasso_rule = "one-standard-error"',
            "model 'bclc' selects no radiomics features, only dlrcr, ",
            'lasso_rule = "one-standard-error"',
        ),
        ('[models.cr]\nharmonise = "site"', "model 'cr' selects no radiomics features", 'harmonise = "site"'),
        (
            "[models.radiomics_svm]\nnetwork = { epochs = 3 }",
            "model 'radiomics_svm' trains no network, only dl_resnet10, ",
            "network = { epochs = 3 }",
        ),
        (
            '[models.x]\nbase = "radiomics_svm"\nmissing = "impute"',
            "model 'x', a variant of 'radiomics_svm', reads no clinical factors, only cr, dlrcr, late_fusion, rcr do",
            'missing = "impute"',
        ),
        (
            '[lesions]\neach = "label"\nuse = "volume-weighted"\n[models.dl_resnet10]',
            "model 'dl_resnet10' reads regions of images, and [lesions] averages several (use = \"volume-weighted\")",
            "[models.dl_resnet10]",
        ),
    ],
)
def test_a_model_that_the_zoo_cannot_make_is_refused_with_its_line(models, message, line):
    """Unknown members and bases, taken names and settings without a use are named where they stand."""
    found = faults(models)
    assert len(found) == 1
    assert found[0][0].startswith(message)
    assert found[0][1] == line


def test_variants_of_every_kind_are_accepted_and_their_embeddings_are_known():
    """A table, a stage and a network may have variants; a model may read the embeddings of a network's variant."""
    models = """[models.lr_portal]
base = "radiomics_lr"
[models.bclc_b]
base = "bclc"
single_over_5cm_is_b = true
[models.DL_short]
base = "dl_resnet10"
network = { epochs = 2 }
[models.radiomics_lr]
feature_set = "dl-short"
"""
    assert faults(models) == []
