"""The installed build of pyradiomics gives the values of pyradiomics 3.0.1 itself, on every Python."""

import json

import numpy as np
import pytest
from golden_values import GOLDEN, formula_scan

from flows.extract.radiomics import extract, library_versions
from schemas.features.radiomics_settings import HCC_CEMRI


@pytest.fixture(scope="module")
def golden():
    """Return the stored values of pyradiomics 3.0.1 with their parameters and source."""
    return json.loads(GOLDEN.read_text())


def test_the_installed_build_gives_the_values_of_pyradiomics_3_0_1(golden):
    """All 1037 columns of hcc-cemri@1 equal what pyradiomics 3.0.1 itself gave, at a relative 1e-9."""
    extraction = extract(*formula_scan(), HCC_CEMRI)
    assert extraction.unavailable == {}
    assert list(extraction.values) == list(golden["values"])
    np.testing.assert_allclose(list(extraction.values.values()), list(golden["values"].values()), rtol=1e-9, atol=1e-12)


def test_the_identity_names_the_version_that_gave_the_stored_values(golden):
    """A definition names pyradiomics 3.0.1, and the other libraries by the versions that the values were made with."""
    assert golden["source"]["pyradiomics"] == "3.0.1"
    assert library_versions() == {name: golden["source"][name] for name in ("pyradiomics", "SimpleITK", "PyWavelets")}
