"""Grey levels: how many there are before they are counted, and how many texture bears."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiomics.imageoperations import getBinEdges

from schemas.features.grey_levels import MOST_BINS, MOST_LEVELS, grey_levels, histogram_fault, texture_fault

INTENSITIES = st.floats(-1e4, 1e4)


@given(INTENSITIES, INTENSITIES, st.floats(0.5, 500))
def test_levels_are_those_that_pyradiomics_bins(one, other, width):
    """The number known beforehand is that of pyradiomics' own bins, but for the rounding of an edge."""
    lowest, highest = sorted((one, other))
    edges = getBinEdges(np.array([lowest, highest]), binWidth=width)
    assert abs(grey_levels(lowest, highest, width, None) - np.digitize(highest, edges)) <= 1


def test_levels_beyond_any_number_are_infinite():
    """A width of next to nothing gives no overflow but infinity, and a count is what the settings say."""
    assert grey_levels(-1e300, 1e300, 1e-300, None) == math.inf
    assert grey_levels(0.0, 1.0, None, 64) == 64


@pytest.mark.parametrize("family", ["glcm", "glrlm", "glszm", "gldm", "ngtdm"])
def test_texture_bears_so_many_levels_and_no_more(family):
    """The reason names the number and what to change; at the limit there is none."""
    assert texture_fault(MOST_LEVELS, family) is None
    reason = texture_fault(100_000, family)
    assert reason == f"100000 grey levels, and {family} is computed of at most 2000: give a larger bin_width"
    assert texture_fault(100_000, family, by_count=True).endswith("give a smaller bin_count")


def test_more_directions_bear_fewer_levels():
    """Co-occurrence matrices grow with the directions of neighbours, other families do not."""
    assert texture_fault(1000, "glcm", 13) is None
    assert "at most 915" in texture_fault(1000, "glcm", 62)
    assert texture_fault(1000, "glrlm", 62) is None


def test_a_histogram_has_a_limit_of_its_own():
    """First order goes on far beyond texture, until the edges alone would not fit."""
    assert histogram_fault(MOST_BINS) is None
    assert "give a larger bin_width" in histogram_fault(MOST_BINS + 1)
