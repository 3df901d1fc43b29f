"""Variants of a member of the zoo: what they take from its table, and how they are on record."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.text import parsed_study

STUDY = """[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"
[phases.PVP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"
"""


def models_of(text: str) -> Study:
    """Return the study with these tables of models."""
    return parsed_study(STUDY + text, "study.toml")


def test_a_variant_has_its_bases_settings_where_its_own_table_says_nothing() -> None:
    """Keys of the variant win, one that is written as its default too; the others are those of the base's table."""
    study = models_of(
        '[models.radiomics_lr]\ncorrection = "benjamini-hochberg"\nlasso_rule = "one-standard-error"\n'
        '[models.lr_portal]\nbase = "radiomics_lr"\nphases = ["PVP"]\nlasso_rule = "minimum"\n'
    )
    portal, base = study.settings_of("lr_portal"), study.settings_of("radiomics_lr")
    assert (portal.phases, portal.correction, portal.lasso_rule) == (("PVP",), "benjamini-hochberg", "minimum")
    assert (base.phases, base.base) == (None, None)
    assert (study.base_of("lr_portal"), study.base_of("radiomics_lr"), study.base_of("cr")) == (
        ("radiomics_lr", "radiomics_lr", "cr")
    )


def test_a_table_of_a_variant_replaces_the_bases_as_a_whole() -> None:
    """The network of a variant has the settings of its own table, and no other of the base's."""
    study = models_of(
        "[models.dl_resnet10.network]\nepochs = 7\nbatch_size = 3\n"
        '[models.dl_short]\nbase = "dl_resnet10"\n[models.dl_short.network]\nepochs = 2\n'
        '[models.dl_same]\nbase = "dl_resnet10"\n'
    )
    short, same = study.settings_of("dl_short").network, study.settings_of("dl_same").network
    assert short is not None
    assert (short.epochs, short.batch_size) == (2, 64)
    assert same == study.settings_of("dl_resnet10").network


def test_a_variant_may_bound_the_agreement_that_its_base_asks_for() -> None:
    """``icc_bound`` needs a minimum: the base's counts, and without any the line of ``icc_bound`` is named."""
    bounded = '[models.lr_low]\nbase = "radiomics_lr"\nicc_bound = "lower"\n'
    study = models_of(f"[models.radiomics_lr]\nminimum_icc = 0.8\n{bounded}")
    assert (study.settings_of("lr_low").minimum_icc, study.settings_of("lr_low").icc_bound) == (0.8, "lower")
    with pytest.raises(ContractError, match="icc_bound: 'icc_bound' says what 'minimum_icc' is compared") as caught:
        models_of(bounded)
    assert str(caught.value.where).endswith(f":{STUDY.count(chr(10)) + 3}")


def test_a_study_with_variants_survives_its_json_and_one_without_is_on_record_as_before() -> None:
    """What was completed once is not completed again when the catalogue's document is read; no base is no key."""
    study = models_of('[models.radiomics_lr]\n[models.a]\nbase = "radiomics_lr"\ncorrection = "benjamini-hochberg"\n')
    again = Study.model_validate_json(study.model_dump_json())
    assert again == study
    assert again.base_of("a") == "radiomics_lr"
    document = study.model_dump(mode="json")["models"]
    assert ("base" in document["radiomics_lr"], document["a"]["base"]) == (False, "radiomics_lr")


def test_a_member_that_names_itself_is_no_variant() -> None:
    """``base`` with the model's own name says nothing."""
    assert models_of('[models.radiomics_lr]\nbase = "radiomics_lr"\n') == models_of("[models.radiomics_lr]\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ('"a b"', "'a b' is not allowed: letters and digits"),
        ('"ümlaut"', "is not allowed"),
        (f'"{"x" * 65}"', "at most 64"),
    ],
)
def test_the_name_of_a_variant_is_one_as_others_are(name: str, message: str) -> None:
    """Blanks, other letters and more than 64 characters are refused with the line of the table."""
    with pytest.raises(ContractError, match=message) as caught:
        models_of(f'[models.{name}]\nbase = "radiomics_lr"\n')
    assert str(caught.value.where).endswith(f":{STUDY.count(chr(10)) + 1}")


@pytest.mark.parametrize(
    ("of_base", "own", "field", "value"),
    [
        ('missing_phases = "impute"', 'missing_phases = "exclude"', "missing_phases", "exclude"),
        ("threshold = 0.3", 'threshold = "youden"', "threshold", "youden"),
        ('missing_phases = "impute"', "", "missing_phases", "impute"),
    ],
)
def test_a_variant_that_says_the_default_keeps_it_on_record(of_base, own, field, value):
    """What a variant says against its base holds when the study comes back from the catalogue, also a default."""
    written = models_of(f'[models.radiomics_lr]\n{of_base}\n[models.plain]\nbase = "radiomics_lr"\n{own}\n')
    again = Study.model_validate_json(written.model_dump_json())
    for study in (written, again):
        assert getattr(study.settings_of("plain"), field) == value
