"""The feature dictionary against pyradiomics itself and against the IBSI-1 consensus values.

Reference: IBSI-1 digital phantom and its consensus values (Zwanenburg et al. 2020,
doi:10.1148/radiol.2020191145). The phantom's intensities 1, 3, 4, 6 are its grey levels, which binWidth 1
keeps, so discretisation plays no part.

pyradiomics' default corresponds to IBSI's *3D, averaged* variant (ITBB; tags ``_3D_avg``) for glcm and glrlm:
one matrix (the glcm's symmetric) for each of the 13 directions of the volume, the feature averaged over them.
glszm, gldm (IBSI's ngldm) and ngtdm correspond to the *3D* variant (KOBO; tags ``_3D``).
"""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import radiomics
import SimpleITK
from ibsi_consensus import REFERENCE_TAGS, read_consensus, read_phantom, three_digits
from radiomics.featureextractor import RadiomicsFeatureExtractor, getFeatureClasses
from ucumvert import get_ucum_parser

from schemas.errors import NotFoundError
from schemas.features.ibsi import FEATURES, definition_of

radiomics.setVerbosity(60)  # its log would flood the report; what matters here is returned or raised

ENTRIES = [entry for entries in FEATURES.values() for entry in entries]

# What a deviation claims, undone: pyradiomics' value and the number of voxels -> IBSI's value.
UNDONE = {
    "kurtosis-not-excess": lambda value, n_voxels: value - 3,
    "axes-population-covariance": lambda value, n_voxels: value * math.sqrt(n_voxels / (n_voxels - 1)),
}


@pytest.fixture(scope="module")
def phantom(shared_data):
    """Return image and mask of the IBSI-1 digital phantom."""
    return read_phantom(shared_data)


@pytest.fixture(scope="module")
def phantom_values(phantom):
    """Return pyradiomics' features of the phantom by family and name."""
    settings = {
        "binWidth": 1,
        "symmetricalGLCM": True,
        "distances": [1],
        "gldm_a": 0,
        "additionalInfo": False,
    }
    features = RadiomicsFeatureExtractor(**settings).execute(*phantom)
    return {tuple(name.split("_")[1:]): float(value) for name, value in features.items()}


@pytest.fixture(scope="module")
def consensus(shared_data):
    """Return IBSI's consensus values and tolerances on the phantom by tag."""
    return read_consensus(shared_data)


def test_dictionary_is_what_pyradiomics_enables_by_default():
    """Entries and the features that pyradiomics enables by default are the same, in the same order."""
    enabled = RadiomicsFeatureExtractor(additionalInfo=False).enabledFeatures
    families = ["shape", *(family for family in enabled if family != "shape")]
    real = [
        (family, name)
        for family in families
        for name, deprecated in getFeatureClasses()[family].getFeatureNames().items()
        if not deprecated
    ]

    assert [(entry.family, entry.name) for entry in ENTRIES] == real
    counts = {family: len(entries) for family, entries in FEATURES.items()}
    assert counts == {
        "shape": 14, "firstorder": 18, "glcm": 24, "gldm": 14, "glrlm": 16, "glszm": 16, "ngtdm": 5
    }  # fmt: skip


def test_every_feature_with_an_ibsi_id_has_a_reference_value(consensus):
    """No feature that claims an IBSI identifier escapes the comparison with IBSI's values."""
    claimed = {(entry.family, entry.name) for entry in ENTRIES if entry.ibsi_id}

    assert claimed == set(REFERENCE_TAGS)
    assert len(set(REFERENCE_TAGS.values())) == len(claimed) == 102
    assert set(REFERENCE_TAGS.values()) <= set(consensus)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if entry.ibsi_compliant],
    ids=lambda entry: f"{entry.family}_{entry.name}",
)
def test_compliant_features_have_the_consensus_value(entry, phantom_values, consensus):
    """A feature called compliant lies, at IBSI's three digits, within the consensus tolerance."""
    reference, tolerance = consensus[REFERENCE_TAGS[entry.family, entry.name]]
    value = phantom_values[entry.family, entry.name]

    assert three_digits(value) == pytest.approx(reference, abs=tolerance, rel=1e-12)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if entry.ibsi_id and not entry.ibsi_compliant],
    ids=lambda entry: f"{entry.family}_{entry.name}",
)
def test_named_deviation_is_the_whole_difference_from_ibsi(entry, phantom, phantom_values, consensus):
    """A deviating feature differs from IBSI's value, and equals it once the named deviation is undone."""
    reference, _ = consensus[REFERENCE_TAGS[entry.family, entry.name]]
    value = phantom_values[entry.family, entry.name]
    n_voxels = int(SimpleITK.GetArrayFromImage(phantom[1]).sum())

    assert three_digits(value) != reference
    assert three_digits(UNDONE[entry.deviation](value, n_voxels)) == reference


def test_total_energy_is_energy_times_voxel_volume(phantom, phantom_values):
    """TotalEnergy, which IBSI lacks, is Energy in mm³, as its unit says."""
    voxel_mm3 = math.prod(phantom[0].GetSpacing())

    assert phantom_values["firstorder", "TotalEnergy"] == pytest.approx(
        voxel_mm3 * phantom_values["firstorder", "Energy"]
    )
    assert definition_of("firstorder", "TotalEnergy").ibsi_id is None


def test_mcc_is_the_correlation_of_a_two_level_image():
    """With two grey levels no recoding beats Pearson: MCC is the absolute correlation in each direction."""
    array = np.random.default_rng(3).integers(1, 3, (6, 6, 6)).astype(float)
    image, mask = (
        SimpleITK.GetImageFromArray(array),
        SimpleITK.GetImageFromArray(np.ones(array.shape, np.uint8)),
    )
    glcm = getFeatureClasses()["glcm"](image, mask, binWidth=1, distances=[1])
    glcm.enableAllFeatures()
    glcm.execute()
    P, levels = glcm.P_glcm[0], np.array([1.0, 2.0])
    mean = np.einsum("ijd,i->d", P, levels)
    variance = np.einsum("ijd,i->d", P, levels**2) - mean**2
    correlation = (np.einsum("ijd,i,j->d", P, levels, levels) - mean**2) / variance

    assert glcm.featureValues["MCC"] == pytest.approx(np.abs(correlation).mean())


def test_planar_diameters_lie_in_the_planes_named():
    """Slice is the x-y plane, Column x-z and Row y-z: a box of 2 x 6 x 12 voxels tells them apart."""
    mask = np.zeros((16, 10, 6), np.uint8)
    mask[2:14, 2:8, 2:4] = 1
    image = SimpleITK.GetImageFromArray(mask.astype(float))
    shape = getFeatureClasses()["shape"](image, SimpleITK.GetImageFromArray(mask))
    values = {name: float(value) for name, value in shape.execute().items()}

    # Vertices lie half a voxel outside along one axis only: the diagonal is one voxel short along the other.
    assert values["Maximum2DDiameterSlice"] == pytest.approx(math.hypot(1, 6))
    assert values["Maximum2DDiameterColumn"] == pytest.approx(math.hypot(1, 12))
    assert values["Maximum2DDiameterRow"] == pytest.approx(math.hypot(5, 12))


def test_identifiers_are_unique_four_character_codes():
    """An IBSI identifier is four capitals or digits and names one feature."""
    identifiers = [entry.ibsi_id for entry in ENTRIES if entry.ibsi_id]

    assert all(re.fullmatch(r"[0-9A-Z]{4}", identifier) for identifier in identifiers)
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("unit", sorted({entry.unit for entry in ENTRIES}))
def test_units_are_ucum(unit):
    """Every unit follows the UCUM grammar."""
    assert get_ucum_parser().parse(unit)


@pytest.mark.parametrize(("space", "intensity"), [(2.0, 1.0), (1.0, 0.5)])
def test_units_tell_how_features_scale(phantom, phantom_values, space, intensity):
    """Stretching space or intensity changes a feature by the stretch to the power that its unit names."""
    powers = {"1": (0, 0), "bit": (0, 0), "mm": (1, 0), "mm2": (2, 0), "mm3": (3, 0), "mm-1": (-1, 0),
              "{intensity}": (0, 1), "{intensity2}": (0, 2), "mm3.{intensity2}": (3, 2)}  # fmt: skip
    image = SimpleITK.Cast(phantom[0], SimpleITK.sitkFloat64) * intensity
    mask = SimpleITK.Cast(phantom[1], SimpleITK.sitkUInt8)
    for each in (image, mask):
        each.SetSpacing([space * spacing for spacing in phantom[0].GetSpacing()])
    stretched = RadiomicsFeatureExtractor(binWidth=intensity, additionalInfo=False).execute(image, mask)

    for entry in ENTRIES:
        mm, intensities = powers[entry.unit]
        expected = phantom_values[entry.family, entry.name] * space**mm * intensity**intensities
        value = float(stretched[f"original_{entry.family}_{entry.name}"])
        assert value == pytest.approx(expected, rel=1e-9), entry.name


def test_definitions_are_one_sentence_each():
    """A definition is a single sentence and belongs to one feature of its family."""
    for entries in FEATURES.values():
        sentences = [entry.definition for entry in entries]
        assert len(set(sentences)) == len(sentences)
        assert all(re.fullmatch(r"[A-Z].*[^.]\.", sentence) and ". " not in sentence for sentence in sentences)


def test_unknown_feature_is_not_found():
    """The error for a feature that pyradiomics does not compute by default names those to choose from."""
    with pytest.raises(NotFoundError, match="Homogeneity1") as caught:
        definition_of("glcm", "Homogeneity1")
    assert "Idm" in str(caught.value)
    with pytest.raises(NotFoundError, match="choose one of: shape"):
        definition_of("texture", "Idm")
