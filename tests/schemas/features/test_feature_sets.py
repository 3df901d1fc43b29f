"""Feature sets: references, and the definition to whose hash name@N is bound."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError, NotFoundError
from schemas.features.ibsi_departures import departures
from schemas.features.radiomics_settings import CT, HCC_CEMRI, MR, RadiomicsSettings
from schemas.features.sets import BUILT_IN, FeatureSetDefinition, FeatureSetRef, built_in_settings
from schemas.keys import canonical_json, sha256_of_json

LIBRARIES = {"pyradiomics": "3.0.1", "PyWavelets": "1.8.0"}


@given(st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True), st.none() | st.integers(1, 10**6))
def test_reference_reads_back(name, version):
    """A reference written out and parsed again is the same."""
    ref = FeatureSetRef(name, version)
    assert FeatureSetRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text", ["", "A", "a@", "a@0", "a@01", "a@-1", "a@1@2", "a_b", "-a", "a-", "a b", "a\n", "a@1\n"]
)
def test_reference_that_is_none(text):
    """Anything but lower case words joined by dashes and a version from 1 is refused."""
    with pytest.raises(ContractError, match="no feature set name"):
        FeatureSetRef.parse(text)


def test_built_in_sets():
    """Without a version the newest is given; an unknown name or version names what there is."""
    assert built_in_settings(FeatureSetRef("hcc-cemri", None)) == (1, BUILT_IN["hcc-cemri"][1])
    assert built_in_settings(FeatureSetRef("hcc-cemri", 1))[1].settings is HCC_CEMRI
    for ref in (FeatureSetRef("hcc-cemri", 2), FeatureSetRef("other", None)):
        with pytest.raises(NotFoundError, match=f"no feature set '{ref}'") as caught:
            built_in_settings(ref)
        assert "hcc-cemri@1" in str(caught.value.hint)


def test_the_papers_set_has_1037_columns():
    """107 on the original image, 93 on each of 8 wavelet bands and 2 LoG images (doi:10.1158/0008-5472.CAN-17-0339)."""
    definition = FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES)
    assert len(definition.columns) == 107 + 93 * (8 + 2) == 1037
    assert len(set(definition.columns)) == 1037


def test_hash_is_that_of_the_canonical_definition():
    """The definition is JSON, and reading it back gives the same hash."""
    definition = FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES)
    text = canonical_json(definition.canonical())
    assert sha256_of_json(json.loads(text)) == definition.sha256
    assert FeatureSetDefinition.model_validate_json(text) == definition


@pytest.mark.parametrize(
    "change",
    [
        {"bin_width": 4.0},
        {"log_sigma_mm": (3.0,)},
        {"log_sigma_mm": (5.0, 3.0)},
        {"interpolator": "bspline"},
        {"normalize_scale": 1.0},
        {"pad_distance_voxels": 6},
        {"wavelet": "haar"},
        {"families": ("shape", "firstorder")},
    ],
)
def test_another_setting_is_another_definition(change):
    """Every parameter that decides a value changes the hash."""
    changed = FeatureSetDefinition.of_radiomics(HCC_CEMRI.model_copy(update=change), LIBRARIES)
    assert changed.sha256 != FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES).sha256


def test_another_library_version_is_another_definition():
    """So do the versions of the libraries; the order in which they are named does not."""
    known = FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES).sha256
    assert FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES | {"pyradiomics": "3.1.0"}).sha256 != known
    assert FeatureSetDefinition.of_radiomics(HCC_CEMRI, dict(reversed(LIBRARIES.items()))).sha256 == known


def test_a_description_is_no_part_of_a_definition():
    """A set is defined by kind, settings, libraries and columns alone."""
    definition = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("firstorder",)), LIBRARIES)
    assert set(definition.canonical()) == {"kind", "settings", "libraries", "columns"}


def test_the_built_in_set_keeps_its_hash():
    """hcc-cemri@1 is bound to the hash that stores in use have on record: an optional setting may not change it."""
    # As the example's store holds it, extracted by these library versions before the control existed.
    libraries = {"pyradiomics": "3.0.1", "SimpleITK": "2.5.7", "PyWavelets": "1.9.0"}
    digest = FeatureSetDefinition.of_radiomics(HCC_CEMRI, libraries).sha256
    assert digest == "cead3b7b44d8b74da4fecd350ae44aaa68204ec53ac0fe3f9cb35166b8dd781f"


def test_the_neutral_sets_are_what_they_are_documented_to_be():
    """Mr and ct have the columns of the paper's set; CT keeps its unit; no filter sees the edge of the crop."""
    columns = FeatureSetDefinition.of_radiomics(HCC_CEMRI, LIBRARIES).columns
    libraries = {"pyradiomics": "3.0.1", "SimpleITK": "2.5.7", "PyWavelets": "1.9.0"}
    digests = {
        "mr": "86740336c31f19d8299eafaa7efcea94504375003c8c66bceca9de2caef0b111",
        "ct": "1dd70d537476a532b9a91c7386426d632888532f950c331d8fd4f044cd842a38",
    }
    for name, digest in digests.items():
        built_in = BUILT_IN[name][1]
        definition = FeatureSetDefinition.of_radiomics(built_in.settings, libraries)
        assert (definition.columns, definition.sha256) == (columns, digest)
        assert built_in.modalities == (name.upper(),)
        assert built_in.settings.resegment_range is None
        assert "filtered-on-padded-crop" not in departures(built_in.settings)
    assert (CT.normalize, CT.bin_width) == (False, 25)
    assert (MR.normalize, MR.normalize_scale, MR.bin_width) == (True, 100, 3)


def test_what_is_done_before_the_features_is_another_definition_where_it_is_asked_for():
    """Bias field, region, order and standard scale are written where they are set; each is a definition of its own."""
    plain = RadiomicsSettings(normalize=True, resampled_spacing_mm=(1.0, 1.0, 1.0))
    later = {"bias_field", "normalize_region", "resample_first", "standardize", "landmarks"}
    assert not later & plain.model_dump().keys()
    changes = (
        {"bias_field": {}},
        {"bias_field": {"shrink_factor": 2}},
        {"bias_field": {"iterations": (20, 20)}},
        {"bias_field": {"convergence_threshold": 0.01}},
        {"bias_field": {"mask": "image"}},
        {"normalize_region": "body"},
        {"resample_first": True},
        {"normalize": False, "standardize": True},
    )
    changed = [RadiomicsSettings.model_validate(plain.model_dump() | change) for change in changes]
    for each, change in zip(changed, changes, strict=True):
        assert change.keys() <= set(each.model_dump())
        assert RadiomicsSettings.model_validate(json.loads(each.model_dump_json())) == each
    digests = {FeatureSetDefinition.of_radiomics(each, LIBRARIES).sha256 for each in (plain, *changed)}
    assert len(digests) == 1 + len(changes)


def test_shuffled_voxels_are_another_definition():
    """The control is written, and hashed, where it is set and only there."""
    plain, shuffled = (RadiomicsSettings(shuffled_voxels=value) for value in (False, True))
    assert "shuffled_voxels" not in plain.model_dump()
    assert shuffled.model_dump()["shuffled_voxels"] is True
    assert RadiomicsSettings.model_validate(json.loads(shuffled.model_dump_json())) == shuffled
    digests = {FeatureSetDefinition.of_radiomics(each, LIBRARIES).sha256 for each in (plain, shuffled)}
    assert len(digests) == 2
