"""Every setting walked: a departure from IBSI is listed exactly where a value leaves IBSI's.

Calculation is held against the consensus values of the digital phantom, preparation against IBSI's own steps, carried
out here and measured with the settings that the phantom proves right.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import radiomics
import SimpleITK
from ibsi_consensus import REFERENCE_TAGS, read_consensus, read_phantom, three_digits

from flows.extract.radiomics import extract
from schemas.features.ibsi_departures import aggregation_of, calculation_departures, departures, preparation_departures
from schemas.features.ibsi_deviations import DEVIATIONS, FEATURE_DEVIATIONS, SETTING_DEVIATIONS
from schemas.features.names import FeatureName
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import BUILT_IN

radiomics.setVerbosity(60)  # its log would flood the report; what matters here is returned or raised

# Tags of the reference table by IBSI's code of the aggregation.
VARIANTS = {"ITBB": "3D_avg", "IAZD": "3D_comb", "JJUI": "2_5D_avg", "ZW7Z": "2_5D_comb", "KOBO": "3D", "62GR": "2_5D"}

LANDMARKS = {
    "phase": "AP",
    "percentiles": (1, 50, 99),
    "values": (0, 30, 100),
    "study": "another",
    "split": "fixed",
    "split_sha256": "0" * 64,
    "patients": 9,
    "prepared_sha256": RadiomicsSettings().prepared_sha256,
}

CONFORMING = RadiomicsSettings(bin_count=6)
"""Under which every departure is one of the features that pyradiomics always calculates otherwise."""

# What is calculated from the same voxels and grey levels.
CALCULATION = {
    "none": ({}, set()),
    "merged": ({"weighting_norm": "no_weighting"}, set()),
    "by slice": ({"force_2d": True}, set()),
    "by slice, merged": ({"force_2d": True, "weighting_norm": "no_weighting"}, set()),
    "dimension of nothing": ({"force_2d_dimension": 2}, set()),
    "shift": ({"voxel_array_shift": 10}, {"voxel-array-shift"}),
    "asymmetric": ({"symmetrical_glcm": False}, {"asymmetric-glcm"}),
    "weights by the longest axis": ({"weighting_norm": "infinity"}, {"distance-weighting"}),
    "euclidean weights": ({"weighting_norm": "euclidean"}, {"distance-weighting"}),
    "manhattan weights": ({"weighting_norm": "manhattan"}, {"distance-weighting"}),
    "distance 2": ({"distances_voxels": (2,)}, {"neighbour-distances"}),
    "distances 1 and 2": ({"distances_voxels": (1, 2)}, {"neighbour-distances"}),
    "coarse dependence": ({"gldm_alpha": 1}, {"dependence-coarseness"}),
    "slices across y": ({"force_2d": True, "force_2d_dimension": 1}, {"slices-not-axial"}),
    "slices across x": ({"force_2d": True, "force_2d_dimension": 2}, {"slices-not-axial"}),
}
# How image and mask are prepared, on a scan with no step of whole numbers.
PREPARATION = {
    "bins": ({"bin_count": 8}, set()),
    "padding alone": ({"bin_count": 8, "pad_distance_voxels": 3}, set()),
    "native spacing": ({"bin_count": 8, "resampled_spacing_mm": (0.0, 0.0, 0.0)}, set()),
    "range": ({"bin_count": 8, "resegment_range": (20.0, 90.0)}, set()),
    "outliers": ({"bin_count": 8, "resegment_range": (-1.0, 1.0), "resegment_mode": "sigma"}, set()),
    "limits of the mask": ({"bin_count": 8, "minimum_roi_dimensions": 3, "minimum_roi_size": 9}, set()),
    "scale of nothing": ({"bin_count": 8, "normalize_scale": 7.0, "remove_outliers": 1.0}, set()),
    "width": ({"bin_width": 10.0}, {"bin-edges-from-zero"}),
    "width in a range": ({"bin_width": 10.0, "resegment_range": (23.0, 90.0)}, {"bin-edges-from-zero"}),
    "normalised, bins": ({"bin_count": 8, "normalize": True}, {"whole-image-normalisation"}),
    "normalised, width": (
        {"bin_width": 30.0, "normalize": True, "normalize_scale": 100.0},
        {"whole-image-normalisation", "bin-edges-from-zero", "fixed-width-on-arbitrary-units"},
    ),
    "clipped": (
        {"bin_count": 8, "normalize": True, "remove_outliers": 1.0},
        {"whole-image-normalisation", "outliers-clipped"},
    ),
    "linear": (
        {"bin_count": 8, "resampled_spacing_mm": (1.7, 1.7, 1.7), "interpolator": "linear"},
        {"grid-aligned-at-corner", "mask-nearest-neighbour", "intensities-not-rounded"},
    ),
    "cubic in the slice": (
        {"bin_count": 8, "resampled_spacing_mm": (1.7, 1.7, 0.0)},
        {"grid-aligned-at-corner", "mask-nearest-neighbour", "intensities-not-rounded"},
    ),
    "nearest": (
        {"bin_count": 8, "resampled_spacing_mm": (3.5, 3.5, 3.5), "interpolator": "nearest"},
        {"grid-aligned-at-corner", "mask-nearest-neighbour"},
    ),
    "sinc": (
        {"bin_count": 8, "resampled_spacing_mm": (1.7, 1.7, 1.7), "interpolator": "lanczos_sinc"},
        {"grid-aligned-at-corner", "mask-nearest-neighbour", "interpolator-not-in-ibsi", "intensities-not-rounded"},
    ),
    "normalised and linear": (
        {"bin_count": 8, "resampled_spacing_mm": (1.7, 1.7, 1.7), "interpolator": "linear", "normalize": True},
        {"grid-aligned-at-corner", "mask-nearest-neighbour", "whole-image-normalisation"},
    ),
    "relative": (
        {"bin_count": 8, "resegment_range": (0.4, 0.9), "resegment_mode": "relative"},
        {"resegmented-by-maximum"},
    ),
    "shape of a range": (
        {"bin_count": 8, "resegment_range": (60.0, 90.0), "resegment_shape": True},
        {"shape-of-resegmented-mask"},
    ),
    "shape of nothing": ({"bin_count": 8, "resegment_shape": True}, set()),
    "bias field": ({"bin_count": 8, "bias_field": {"mask": "image", "shrink_factor": 1}}, {"bias-field-corrected"}),
    "bias field, linear": (
        {
            "bin_count": 8,
            "bias_field": {"mask": "image", "shrink_factor": 1},
            "resampled_spacing_mm": (1.7, 1.7, 1.7),
            "interpolator": "linear",
        },
        {"bias-field-corrected", "grid-aligned-at-corner", "mask-nearest-neighbour"},
    ),
    "body": ({"bin_count": 8, "normalize": True, "normalize_region": "body"}, {"body-normalisation"}),
    "landmarks": (
        {"bin_count": 8, "standardize": True, "landmarks": (LANDMARKS,)},
        {"landmark-standardisation"},
    ),
    "landmarks, width": (
        {"bin_width": 7.0, "standardize": True, "landmarks": (LANDMARKS,)},
        {"landmark-standardisation", "bin-edges-from-zero", "fixed-width-on-arbitrary-units"},
    ),
    "normalised after resampling": (
        {
            "bin_count": 8,
            "resampled_spacing_mm": (1.7, 1.7, 1.7),
            "interpolator": "linear",
            "normalize": True,
            "resample_first": True,
        },
        {"grid-aligned-at-corner", "mask-nearest-neighbour", "whole-image-normalisation"},
    ),
}
# What radzoo adds, and filters; test_ibsi_filters and test_ibsi_deviations measure those.
FILTERS = {
    "shuffled": ({"bin_count": 8, "shuffled_voxels": True}, {"voxels-shuffled"}),
    "LoG": ({"bin_count": 8, "log_sigma_mm": (3.0,)}, {"log-scale-normalised"}),
    "LoG, width": (
        {"bin_width": 5.0, "log_sigma_mm": (3.0,)},
        {"log-scale-normalised", "bin-edges-from-zero", "fixed-width-on-arbitrary-units"},
    ),
    "wavelet": ({"bin_count": 8, "wavelet": "coif1"}, {"wavelet-periodic-boundary"}),
    "levels": (
        {"bin_count": 8, "wavelet": "haar", "wavelet_levels": 2},
        {"wavelet-periodic-boundary", "wavelet-levels-not-dilated"},
    ),
    "second level": (
        {"bin_count": 8, "wavelet": "haar", "wavelet_start_level": 1},
        {"wavelet-periodic-boundary", "wavelet-levels-not-dilated"},
    ),
    "crop, LoG": (
        {
            "bin_count": 8,
            "resampled_spacing_mm": (0.0, 0.0, 0.0),
            "log_sigma_mm": (3.0,),
            "pad_distance_voxels": 99,
        },
        {"log-scale-normalised", "filtered-on-padded-crop"},
    ),
    "crop, wavelet": (
        {
            "bin_count": 8,
            "resampled_spacing_mm": (0.0, 0.0, 0.0),
            "wavelet": "coif1",
            "pad_distance_voxels": 2,
        },
        {"wavelet-periodic-boundary", "filtered-on-padded-crop"},
    ),
    "wide crop, wavelet": (
        {"bin_count": 8, "resampled_spacing_mm": (0.0, 0.0, 0.0), "wavelet": "coif1", "pad_distance_voxels": 3},
        {"wavelet-periodic-boundary"},
    ),
}
WALKED = CALCULATION | PREPARATION | FILTERS


def brought(settings):
    """Return what the settings bring, without what every feature of its kind has."""
    return set(departures(settings)) - set(FEATURE_DEVIATIONS)


def measured(image, mask, settings):
    """Return the values of the original image by family and name."""
    image, mask = (
        SimpleITK.Cast(each, kind) for each, kind in ((image, SimpleITK.sitkFloat64), (mask, SimpleITK.sitkUInt8))
    )
    values = extract(image, mask, settings, phase="AP").values
    return {tuple(name.split("_")[1:]): value for name, value in values.items()}


def test_every_setting_and_every_departure_is_walked():
    """No setting that decides a value is left out of the walk, and each departure is met in it."""
    changed = {name for change, _ in WALKED.values() for name in change}
    assert set(RadiomicsSettings.model_fields) - changed <= {"families", "geometry_tolerance"}
    assert {name for _, names in WALKED.values() for name in names} == set(DEVIATIONS) - set(FEATURE_DEVIATIONS)
    assert set(SETTING_DEVIATIONS) == {name for _, names in CALCULATION.values() for name in names}


def test_the_study_file_s_page_names_every_setting_with_what_it_brings():
    """docs/study-file.md has each setting and each departure."""
    page = (Path(__file__).parents[3] / "docs" / "study-file.md").read_text(encoding="utf-8")
    for name in (*RadiomicsSettings.model_fields, *DEVIATIONS):
        assert f"`{name}`" in page, name


@pytest.mark.parametrize(("change", "expected"), WALKED.values(), ids=WALKED)
def test_settings_bring_exactly_their_departures(change, expected):
    """Each setting lists its own departures and no other."""
    given = change if {"bin_count", "bin_width"} & change.keys() else {"bin_count": 6} | change
    assert brought(RadiomicsSettings(**given)) == expected


@pytest.fixture(scope="module")
def pair():
    """Return an image of many levels and a mask, whose most frequent pair of levels is no pair of equal ones."""
    random = np.random.default_rng(11)
    array = (np.indices((7, 8, 9)).sum(0) % 4 + random.integers(0, 2, (7, 8, 9)) + 1).astype(float)
    inside = np.zeros(array.shape, np.uint8)
    inside[1:6, 1:7, 1:8] = 1
    return SimpleITK.GetImageFromArray(array), SimpleITK.GetImageFromArray(inside)


@pytest.mark.parametrize("change", [change for change, _ in CALCULATION.values()], ids=CALCULATION)
def test_a_calculation_is_flagged_where_it_leaves_the_consensus(change, pair, shared_data):
    """On IBSI's phantom, or beside it another image, exactly the flagged features leave IBSI's value."""
    phantom, consensus = read_phantom(shared_data), read_consensus(shared_data)
    settings = CONFORMING.model_copy(update=change)
    codes = aggregation_of(settings)
    values = measured(*phantom, settings)
    leaving = set()
    for (family, name), tag in REFERENCE_TAGS.items():
        if family in codes:
            tag = tag.replace("_3D_avg", "").removesuffix("_3D") + "_" + VARIANTS[codes[family]]
        reference, tolerance = consensus[tag]
        if three_digits(values[family, name]) != pytest.approx(reference, abs=tolerance, rel=1e-12):
            leaving.add((family, name))
    # One phantom does not tell all: its most frequent pair is one of equal levels, its axes are short.
    plain = "no_weighting" if change.get("weighting_norm") else None
    alike = settings.model_copy(update={name: getattr(CONFORMING, name) for name in change})
    alike = alike.model_copy(update={"force_2d": settings.force_2d, "weighting_norm": plain})
    other, right = measured(*pair, settings), measured(*pair, alike)
    # The weights of this image of 1 mm are 1 where they are those of the longest axis.
    leaving |= {key for key in REFERENCE_TAGS if other[key] != pytest.approx(right[key], rel=1e-6)}

    flagged = {key: calculation_departures(settings, *key) for key in REFERENCE_TAGS}
    always = {key for key in REFERENCE_TAGS if flagged[key][:1] in ((name,) for name in FEATURE_DEVIATIONS)}
    found = {key for key, names in flagged.items() if names}
    if change.get("weighting_norm") == "infinity":
        # Its grid may be any here; on isotropic ones the weights are alike and scale the counts of runs alone.
        isotropic = settings.model_copy(update={"resampled_spacing_mm": (2.0, 2.0, 2.0)})
        found = {key for key in REFERENCE_TAGS if calculation_departures(isotropic, *key)}
    # The first axis of the phantom is within its tolerance, see test_ibsi.
    assert found - always == leaving - always
    assert leaving & always == always - {("shape", "MajorAxisLength")}


def test_weights_by_the_longest_axis_matter_where_axes_differ(pair):
    """On slices of 0.7 mm every GLCM and GLRLM feature leaves; on a grid of 1 mm none does, and nothing is listed."""
    weighted = RadiomicsSettings(bin_count=6, weighting_norm="infinity")
    merged = weighted.model_copy(update={"weighting_norm": "no_weighting"})
    for each in pair:
        each.SetSpacing((1.0, 1.0, 0.7))
    values, right = measured(*pair, weighted), measured(*pair, merged)
    for each in pair:
        each.SetSpacing((1.0, 1.0, 1.0))
    leaving = {key for key in REFERENCE_TAGS if values[key] != pytest.approx(right[key], rel=1e-6)}
    flagged = {key for key in REFERENCE_TAGS if "distance-weighting" in calculation_departures(weighted, *key)}
    assert leaving == flagged
    values, right = measured(*pair, weighted), measured(*pair, merged)
    assert values == pytest.approx(right)
    on_one_mm = weighted.model_copy(update={"resampled_spacing_mm": (1.0, 1.0, 1.0)})
    assert "distance-weighting" not in departures(on_one_mm)


def prepared_by_ibsi(image, mask, settings):
    """Return image, mask of intensities and mask of shape after IBSI-1's steps: resampled, rounded, re-segmented."""
    shape_mask = mask
    if settings.resampled_spacing_mm is not None and any(settings.resampled_spacing_mm):
        native = np.array(image.GetSpacing())
        spacing = np.array([new or old for new, old in zip(settings.resampled_spacing_mm, native, strict=True)])
        size = np.ceil(np.array(image.GetSize()) * native / spacing)
        grid = SimpleITK.ResampleImageFilter()
        grid.SetOutputSpacing(spacing.tolist())
        grid.SetSize([int(each) for each in size])
        centre = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
        grid.SetOutputOrigin((np.array(centre) - spacing * (size - 1) / 2).tolist())
        grid.SetInterpolator(
            {"nearest": SimpleITK.sitkNearestNeighbor, "bspline": SimpleITK.sitkBSpline}.get(
                settings.interpolator, SimpleITK.sitkLinear
            )
        )
        image = SimpleITK.Round(grid.Execute(image))
        grid.SetInterpolator(SimpleITK.sitkLinear)
        mask = grid.Execute(SimpleITK.Cast(mask, SimpleITK.sitkFloat64)) >= 0.5
        shape_mask = mask
    # IBSI has ranges and outliers; a share of the maximum is neither.
    if settings.resegment_range is not None and settings.resegment_mode != "relative":
        inside = SimpleITK.GetArrayFromImage(image)[SimpleITK.GetArrayFromImage(mask) == 1]
        low, high = (*settings.resegment_range, math.inf)[:2]
        if settings.resegment_mode == "sigma":
            low, high = inside.mean() + low * inside.std(), inside.mean() + high * inside.std()
        mask = SimpleITK.And(
            mask, SimpleITK.Cast(SimpleITK.And(image >= low, image <= min(high, 1e9)), mask.GetPixelID())
        )
    return image, mask, shape_mask


def ibsi_values(image, mask, settings):
    """Return IBSI's values: its steps, its grey levels, measured with the settings that its phantom proves right."""
    image, mask, shape_mask = prepared_by_ibsi(image, mask, settings)
    array, inside = SimpleITK.GetArrayFromImage(image), SimpleITK.GetArrayFromImage(mask) == 1
    low, high = array[inside].min(), array[inside].max()
    if settings.bin_width is not None:
        start = settings.resegment_range[0] if settings.resegment_range else low
        levels = np.floor((array - start) / settings.bin_width) + 1
    else:
        levels = np.minimum(np.floor(settings.bin_count * (array - low) / (high - low)) + 1, settings.bin_count)
    discretised = SimpleITK.GetImageFromArray(levels.astype(float))
    discretised.CopyInformation(image)
    # A voxel of level 1 outside would be right too; these settings start their bins at it, not below.
    plain = RadiomicsSettings(bin_width=1.0)
    of_levels = measured(discretised, mask, plain)
    of_intensities = measured(image, mask, RadiomicsSettings(bin_width=1.0, families=("firstorder",)))
    of_shape = measured(image, shape_mask, RadiomicsSettings(bin_width=1.0, families=("shape",)))
    texture = {key: v for key, v in of_levels.items() if key[0] not in ("shape", "firstorder") or key[1] in LEVELS}
    return of_intensities | texture | of_shape


LEVELS = ("Entropy", "Uniformity")


@pytest.fixture(scope="module")
def scan():
    """Return an image of whole numbers that no new voxels fill, and a mask off its middle."""
    random = np.random.default_rng(12)
    array = np.round(random.normal(60, 25, (11, 13, 14)) + 2 * np.arange(14)).astype(float)
    # The lowest of the mask is no multiple of the bin width.
    array = np.clip(array, 3, None)
    inside = np.zeros(array.shape, np.uint8)
    z, y, x = np.indices(array.shape)
    inside[(z - 5) ** 2 + (y - 5) ** 2 / 1.6 + (x - 7) ** 2 / 2 < 14] = 1
    image, mask = SimpleITK.GetImageFromArray(array), SimpleITK.GetImageFromArray(inside)
    for each in (image, mask):
        each.SetSpacing((2.0, 2.0, 3.1))
    return image, mask


@pytest.mark.parametrize("change", [change for change, _ in PREPARATION.values()], ids=PREPARATION)
def test_a_column_is_flagged_where_its_value_leaves_ibsis_steps(change, scan):
    """Exactly the flagged columns differ from what IBSI's steps give for the same scan."""
    settings = RadiomicsSettings(**change)
    values, right = measured(*scan, settings), ibsi_values(*scan, settings)
    leaving = {key for key in REFERENCE_TAGS if values[key] != pytest.approx(right[key], rel=1e-6, abs=1e-9)}
    flagged = {key for key in REFERENCE_TAGS if preparation_departures(settings, FeatureName("original", *key))}
    # What pyradiomics always calculates otherwise is the same on both sides.
    assert leaving == flagged


def test_a_departure_names_no_column_that_is_not_asked_for():
    """A set of shape alone lists nothing of intensities, bins or filters."""
    settings = RadiomicsSettings(
        families=("shape",),
        normalize=True,
        wavelet="coif1",
        log_sigma_mm=(3.0,),
        voxel_array_shift=3,
        symmetrical_glcm=False,
        resampled_spacing_mm=(1.0, 1.0, 1.0),
    )
    assert set(departures(settings)) == {
        *("grid-aligned-at-corner", "mask-nearest-neighbour"),
        *("not-in-ibsi", "axes-population-covariance"),
    }


def test_sentences_name_the_features_of_a_calculation():
    """A reader sees whose values a departure touches: few by name, most of a family as all but the others."""
    found = departures(RadiomicsSettings(voxel_array_shift=300, gldm_alpha=1, weighting_norm="euclidean"))
    assert found["voxel-array-shift"].endswith("Concerns firstorder Energy, RootMeanSquared, TotalEnergy.")
    assert "Concerns all of glcm; all of glrlm." in found["distance-weighting"]
    assert "all of gldm but GrayLevelNonUniformity, GrayLevelVariance" in found["dependence-coarseness"]


def test_the_built_in_set_of_the_paper_lists_what_it_does():
    """hcc-cemri@1 normalises by the whole image, so it has nothing to round; its padding is shorter than its LoG."""
    assert brought(BUILT_IN["hcc-cemri"][1].settings) == {
        *("whole-image-normalisation", "grid-aligned-at-corner", "mask-nearest-neighbour"),
        *("bin-edges-from-zero", "fixed-width-on-arbitrary-units"),
        *("log-scale-normalised", "filtered-on-padded-crop", "wavelet-periodic-boundary"),
    }
