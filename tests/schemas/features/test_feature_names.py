"""Radiomics column names: their grammar, their order, and the phase prefix of pivoted tables."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import radiomics
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from radiomics.featureextractor import RadiomicsFeatureExtractor
from radiomics.imageoperations import getWaveletImage

from schemas.errors import ContractError
from schemas.features.ibsi import FEATURES
from schemas.features.names import (
    FAMILIES,
    FeatureName,
    column_names,
    log_image_type,
    split_phase,
    wavelet_bands,
    wavelet_image_type,
    with_phase,
)

radiomics.setVerbosity(60)  # its log would flood the report; what matters here is returned or raised

WAVELETS = [wavelet_image_type(band) for band in wavelet_bands()]
PAPER_IMAGE_TYPES = ["original", *WAVELETS, log_image_type(3), log_image_type(5)]

image_types = st.sampled_from([*PAPER_IMAGE_TYPES, "square", "gradient", "lbp-3D-k", "wavelet2-HHL"]) | st.floats(
    min_value=0, exclude_min=True, allow_infinity=False
).map(log_image_type)
textures = st.sampled_from([family for family in FAMILIES if family != "shape"])
feature_names = st.builds(FeatureName, image_types, textures, st.from_regex(r"[0-9A-Za-z]+", fullmatch=True))
phases = st.text(min_size=1).filter(lambda text: "__" not in text and not text.endswith("_"))
columns = st.text(min_size=1) | st.text(alphabet="_ab", min_size=1)


@pytest.fixture(scope="module")
def image_and_mask():
    """Return a random image of 12 voxels a side and a cubic mask of 4 voxels a side in its middle."""
    image = np.random.default_rng(20).normal(0, 20, (12, 12, 12))
    mask = np.zeros(image.shape, np.uint8)
    mask[4:8, 4:8, 4:8] = 1
    return SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask)


def test_all_columns_stand_in_pyradiomics_order(image_and_mask):
    """The 1037 names of original, wavelets and LoG are those of a real extraction, in its order."""
    extractor = RadiomicsFeatureExtractor(binWidth=5, additionalInfo=False)
    extractor.enableImageTypeByName("Wavelet")
    extractor.enableImageTypeByName("LoG", customArgs={"sigma": [3.0, 5.0]})

    assert column_names(PAPER_IMAGE_TYPES) == tuple(extractor.execute(*image_and_mask))


def test_columns_follow_the_order_in_which_images_and_families_are_enabled(image_and_mask):
    """Families and image types keep the order given, but shape comes first and needs no original image."""
    extractor = RadiomicsFeatureExtractor(binWidth=5, additionalInfo=False)
    extractor.disableAllImageTypes()
    extractor.enableImageTypeByName("LoG", customArgs={"sigma": [1.5]})
    extractor.enableImageTypeByName("Square")
    extractor.disableAllFeatures()
    for family in ("glcm", "shape", "firstorder"):
        extractor.enableFeatureClassByName(family)

    names = column_names([log_image_type(1.5), "square"], ["glcm", "shape", "firstorder"])

    assert names == tuple(extractor.execute(*image_and_mask))


def test_counts_are_those_of_the_paper():
    """The HCC study's 1037 features are 107 original, 744 wavelet and 186 LoG (its text swaps these two)."""
    names = [FeatureName.parse(name) for name in column_names(PAPER_IMAGE_TYPES)]
    counts = {kind: sum(name.image_type.startswith(kind) for name in names) for kind in ("original", "wavelet", "log")}

    assert counts == {"original": 107, "wavelet": 744, "log": 186}
    assert len(set(names)) == 1037


@pytest.mark.parametrize(("axis", "band"), [("x", "HLL"), ("y", "LHL"), ("z", "LLH")])
def test_band_letters_run_along_x_y_z(axis, band):
    """An image that alternates along one axis answers only in the band that is high-pass along that axis."""
    alternating = np.where(np.indices((8, 8, 8))["zyx".index(axis)] % 2, 1.0, -1.0)
    answers = {
        name: np.abs(SimpleITK.GetArrayFromImage(image)).max()
        for image, name, _ in getWaveletImage(SimpleITK.GetImageFromArray(alternating), None)
    }

    assert [name for name, answer in answers.items() if answer > 1e-6] == [wavelet_image_type(band)]


@given(feature_names)
def test_parse_inverts_str(name):
    """A name written and parsed again is the same name."""
    assert FeatureName.parse(str(name)) == name


@given(st.text() | st.text(alphabet="_aglcm1") | feature_names.map(lambda name: f"{name}_x"))
def test_parse_keeps_the_text_or_refuses_it(text):
    """No text is parsed into a name that would be written differently."""
    parsed = None
    with suppress(ContractError):
        parsed = FeatureName.parse(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize(
    "column",
    [
        "original_MeshVolume",
        "original_shape_Mesh_Volume",
        "original_shape3D_MeshVolume",
        "wavelet-LLH_shape_MeshVolume",
        "diagnostics_Versions_PyRadiomics",
        "wavelet-LLX_glcm_Idm",
        "log-sigma-3.0-mm-3D_glcm_Idm",
        "original_glcm_",
        "original_glcm_Idm\n",
        "",
    ],
)
def test_what_is_no_feature_name_is_refused(column):
    """A name with a missing, extra or unknown part is a broken contract that says how a name is built."""
    with pytest.raises(ContractError) as caught:
        FeatureName.parse(column)
    assert caught.value.hint


def test_whole_sigma_is_written_as_a_float():
    """3 and 3.0 mm name one image type, the one that pyradiomics gives a float."""
    assert log_image_type(3) == log_image_type(3.0) == "log-sigma-3-0-mm-3D"


@pytest.mark.parametrize("sigma_mm", [0.0, -1.0, float("nan"), float("inf")])
def test_sigma_must_be_positive_and_finite(sigma_mm):
    """A sigma for which pyradiomics yields no image has no image type."""
    with pytest.raises(ContractError):
        log_image_type(sigma_mm)


@pytest.mark.parametrize(
    ("image_types", "families"),
    [
        (["original", "original"], FAMILIES),
        (["original"], ["glcm", "glcm"]),
        (["original"], ["glcm", "texture"]),
        (["wavelet"], FAMILIES),
        ("original", FAMILIES),
    ],
)
def test_unknown_or_repeated_requests_are_refused(image_types, families):
    """Columns are neither invented nor doubled."""
    with pytest.raises(ContractError):
        column_names(image_types, families)


def test_unknown_band_is_refused():
    """Only the eight sub-bands have an image type."""
    with pytest.raises(ContractError):
        wavelet_image_type("LL")


def test_default_families_are_those_of_the_dictionary():
    """Names and dictionary speak of the same families."""
    assert tuple(FEATURES) == FAMILIES


@given(phases, columns)
def test_phase_prefix_round_trips(phase, column):
    """Whatever the column is called, its phase is found again."""
    assert split_phase(with_phase(phase, column)) == (phase, column)


@given(st.text(alphabet="_ab") | st.text())
def test_split_names_join_again(name):
    """A name that splits into phase and column joins to the same name; any other is refused."""
    parts = None
    with suppress(ContractError):
        parts = split_phase(name)
    assert parts is None or with_phase(*parts) == name


@pytest.mark.parametrize("name", ["age", "__age", "AP__", "AP_age", ""])
def test_name_without_phase_or_column_is_refused(name):
    """A name that was not pivoted is not split."""
    with pytest.raises(ContractError) as caught:
        split_phase(name)
    assert caught.value.hint


def test_column_keeps_its_own_double_underscores():
    """Only the first double underscore separates."""
    assert split_phase("AP__a__b") == ("AP", "a__b")


@pytest.mark.parametrize(
    ("phase", "column"), [("", "age"), ("A__P", "age"), ("AP_", "age"), ("AP__", "age"), ("AP", "")]
)
def test_ambiguous_prefix_is_refused(phase, column):
    """A phase or column that could not be told apart again is refused."""
    with pytest.raises(ContractError):
        with_phase(phase, column)
