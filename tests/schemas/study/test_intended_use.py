"""What feature sets are meant for, and studies whose images are declared to be something else."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError
from schemas.features.modalities import modalities_in
from schemas.features.sets import FeatureSetDefinition
from schemas.study.intended_use import intended_modalities, modality_warnings
from schemas.study.text import parsed_study

HEAD = """feature_sets = {sets}
[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
"""
PHASE = """[phases.{name}]
image = "{{patient}}_{name}.nii.gz"
mask = "{{patient}}_{name}_mask.nii.gz"
modality = "{modality}"
"""
NORMALISING = "[define.own]\nradiomics = { normalize = true, bin_width = 5 }\n"


def study(sets, modalities, more=""):
    """Return a study that asks for feature sets, with one phase per modality."""
    phases = (PHASE.format(name=f"P{number}", modality=each) for number, each in enumerate(modalities))
    return parsed_study(HEAD.format(sets=str(sets).replace("'", '"')) + "".join(phases) + more, "study.toml")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("MR", {"MR"}),
        ("mri", {"MR"}),
        ("T1-weighted DCE-MRI", {"MR"}),
        ("CEMRI", {"MR"}),
        ("ct", {"CT"}),
        ("PET", {"PT"}),
        ("PT", {"PT"}),
        ("PET/CT", {"PT", "CT"}),
        ("ultrasound", {"US"}),
        ("", set()),
        ("photograph", set()),
        ("ctdna", set()),
    ],
)
def test_words_for_modalities_are_understood(text, codes):
    """DICOM's codes and the field's words for them, in any case; what is no such word is none."""
    assert modalities_in(text) == codes


@pytest.mark.parametrize(
    ("sets", "modalities", "more", "said"),
    [
        (["mr@1"], ["CT"], "", ["mr@1 is meant for MR", "phase P0 is declared CT", "take ct@1"]),
        (["hcc-cemri@1"], ["MR", "CT", "PET"], "", ["phase P1 is declared CT, phase P2 is declared PT", "take ct@1"]),
        (["ct"], ["PET"], "", ["ct is meant for CT", "phase P0 is declared PT", "define a set of your own"]),
        (
            ["mr@1", "own"],
            ["MR", "CT"],
            NORMALISING.replace("radiomics", 'modality = ["MR", "CT"]\nradiomics'),
            ["mr@1 is meant for MR", "let models read its other phases alone", 'phases = ["P0"] under [models.NAME]'],
        ),
        (["hcc-regions@1"], ["CT"], "", ["hcc-regions@1 is meant for MR", "define a set of your own"]),
        (["own"], ["CT"], NORMALISING, ["own normalises by the whole image", "Hounsfield units", "[define.own]"]),
        (["own@2"], ["PT"], NORMALISING, ["uptake values", 'modality = "PT"']),
        (
            ["own"],
            ["CT"],
            NORMALISING.replace("normalize = true", 'normalize = true, normalize_region = "body"'),
            ["own normalises by the body", "leave out normalize"],
        ),
        (
            ["own"],
            ["CT"],
            NORMALISING.replace("normalize", "standardize"),
            ["brings intensities to a standard scale", "leave out standardize"],
        ),
        (
            ["own"],
            ["PT"],
            NORMALISING.replace("normalize = true, bin_width", "bias_field = {}, bin_count"),
            ["divides by an estimated bias field", "leave out bias_field"],
        ),
        (
            ["own"],
            ["MR"],
            NORMALISING.replace("radiomics", 'modality = "CT"\nradiomics'),
            ["own is meant for CT", "take mr@1", "declare its modality under [define.own]"],
        ),
    ],
)
def test_a_set_that_does_not_fit_is_named_once_with_what_to_do(sets, modalities, more, said):
    """One line a set: what it is meant for, the phases that are declared otherwise, and the next step."""
    (warning,) = modality_warnings(study(sets, modalities, more))
    assert "\n" not in warning
    for each in said:
        assert each in warning


@pytest.mark.parametrize(
    ("sets", "modalities", "more"),
    [
        (["mr@1", "hcc-cemri@1"], ["MR", "MRI", "DCE-MRI"], ""),
        (["ct@1"], ["CT", "PET/CT"], ""),
        (["mr@1", "ct@1"], ["", "whatever"], ""),
        (["own"], ["MR"], NORMALISING),
        (["own"], ["CT"], NORMALISING.replace("radiomics", 'modality = ["CT", "MR"]\nradiomics')),
        (["own"], ["CT", "PET"], NORMALISING.replace("normalize = true, ", "")),
        (["own"], ["CT"], NORMALISING.replace("bin_width", "shuffled_voxels = true, bin_width")),
        (["ct"], ["MR"], "[define.ct]\nradiomics = { bin_width = 5 }\n"),
    ],
)
def test_what_fits_or_says_nothing_is_not_warned_of(sets, modalities, more):
    """A modality that fits, none at all, or a set that is declared to be meant for it brings no warning."""
    assert modality_warnings(study(sets, modalities, more)) == []


def test_one_of_several_sets_is_looked_at():
    """Where one set is refreshed, the others are not warned of."""
    found = study(["mr@1", "hcc-cemri@1", "ct@1"], ["CT"])
    assert len(modality_warnings(found)) == 2
    assert len(modality_warnings(found, "mr")) == 1
    assert modality_warnings(found, "ct@1") == []


def test_a_modality_is_no_part_of_a_definition():
    """The same settings with and without a modality are one definition; a study without one is written as before."""
    plain, declared = (
        study(["own"], ["MR"], NORMALISING.replace("radiomics", f"{words}radiomics"))
        for words in ("", 'modality = "MRI"\n')
    )
    digests = {FeatureSetDefinition.of_radiomics(each.define["own"].settings, {}).sha256 for each in (plain, declared)}
    assert len(digests) == 1
    assert intended_modalities(declared, "own") == ("MR",)
    assert "modality" not in plain.model_dump(mode="json")["define"]["own"]
    assert type(declared).model_validate_json(declared.model_dump_json()) == declared


def test_a_word_that_is_no_modality_is_refused_with_its_line():
    """A set's own modality must be one that images can be compared with."""
    with pytest.raises(ContractError, match=r"define\.own\.modality: 'x-ray film' is no modality") as caught:
        study(["own"], ["MR"], NORMALISING.replace("radiomics", 'modality = "x-ray film"\nradiomics'))
    assert caught.value.where == "study.toml:12"
