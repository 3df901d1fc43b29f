"""Masks with too many grey levels: texture says so and is left out, shape and first order keep their values."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from flows.extract.batch import failure_of
from flows.extract.radiomics import extract
from schemas.features.radiomics_settings import RadiomicsSettings

IMAGE = sitk.GetImageFromArray(np.random.default_rng(5).gamma(2, 2, (6, 8, 9)).astype(np.float32) * 5000)
VOXELS = np.zeros((6, 8, 9), np.uint8)
VOXELS[1:5, 2:7, 2:8] = 1
MASK = sitk.GetImageFromArray(VOXELS)


@pytest.mark.parametrize(
    ("written", "advice", "lacking"),
    [
        ({"bin_width": 0.5}, "give a larger bin_width", {"glcm", "glszm"}),
        ({"bin_count": 60_000}, "give a smaller bin_count", {"glcm", "glszm"}),
        ({"bin_width": 1e-300}, "give a larger bin_width", {"glcm", "glszm", "histogram"}),
    ],
    ids=["width", "count", "no end of levels"],
)
def test_texture_is_left_out_with_the_reason(written, advice, lacking):
    """The matrix families have no value and the number of levels as reason; everything else is as with wide bins."""
    settings = RadiomicsSettings(families=("shape", "firstorder", "glcm", "glszm"), **written)
    found = extract(IMAGE, MASK, settings)
    wide = extract(IMAGE, MASK, RadiomicsSettings(families=("shape", "firstorder"), bin_width=2000))
    histogram = {"original_firstorder_Entropy", "original_firstorder_Uniformity"}
    expected = {name for name in found.values if name.split("_")[1] in lacking}
    expected |= histogram if "histogram" in lacking else set()
    assert set(found.unavailable) == expected
    assert all("grey levels" in reason and advice in reason for reason in found.unavailable.values())
    assert all(math.isnan(found.values[name]) for name in expected)
    kept = found.values.keys() & wide.values.keys() - histogram
    assert len(kept) == 30
    assert {name: found.values[name] for name in kept} == {name: wide.values[name] for name in kept}
    assert found.grey_levels["original"] > 2000


def test_a_librarys_error_never_comes_bare():
    """What the catalogue says of an error that is not ours names it and what to do next, on one line."""
    assert failure_of(ValueError("no\n luck")) == (
        "the computation stopped with ValueError: no luck; look at this image and mask in a viewer, "
        "then run radzoo refresh --retry-failed"
    )
    assert failure_of(MemoryError("glcm")).startswith("there was not enough memory for glcm: give a larger bin_width")
    with pytest.raises(MemoryError) as error:
        np.empty(2**50)
    assert failure_of(error.value).startswith("there was not enough memory for the computation: give a larger")
    assert "no reason given" in failure_of(KeyError())
