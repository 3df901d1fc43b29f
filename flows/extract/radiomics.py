"""Radiomics features of one mask on one scan, with the values of pyradiomics 3.0.1.

The steps and their order are those of ``RadiomicsFeatureExtractor.execute``: normalise the whole native
image, resample image and mask to a grid cropped around the mask, check the mask, filter, crop to the mask,
discretise, calculate. What pyradiomics has no setting for comes before (`flows.extract.prepared`). What else
differs: work is done once instead of once per family or mask, sums take a faster form, and a row is always
complete, with a reason for each feature that has no value.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pywt
import SimpleITK as sitk

from flows.extract.calculators import FEATURES
from flows.extract.discretisation import discretisation
from flows.extract.engines import FilteredMask, Outcomes, shape_outcomes
from flows.extract.fast.layout import MaskLayout
from flows.extract.filters import filtered_images
from flows.extract.prepared import PreparedScan, prepared_scan
from flows.extract.process_state import geometry_tolerance, quiet
from flows.extract.region import WorkingRegion, working_region
from flows.extract.shuffle import shuffled_inside
from flows.imaging.grids import geometry_difference
from flows.imaging.intensities.body import refuse_outside_body
from flows.imaging.one_thread import one_thread
from schemas.errors import ContractError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import Engine

__all__ = ["Extraction", "extract", "library_versions", "use_single_thread"]

_PYRADIOMICS = {"pyradiomics-bhklab": {"3.1.4": "3.0.1"}, "pyradiomics": {"3.0.1": "3.0.1"}}
"""The distributions that hold the module, with the version whose values each of theirs gives (docs/adr/0003)."""

Array = npt.NDArray[Any]

# Linear resampling and the wavelet's twelve products each round a few times: zero up to this many units in
# the last place of the largest intensity.
_ROUNDINGS = 32


@dataclass(frozen=True)
class Extraction:
    """The features of one mask on one scan.

    Attributes
    ----------
    values : dict of str to float
        Every column of the settings in pyradiomics' order; NaN where `unavailable` says why.
    grey_levels : dict of str to int
        Number of grey levels Ng inside the mask after discretisation, per image type.
    unavailable : dict of str to str
        The columns without a value, each with its reason.
    voxels : int
        Voxels of the mask on the working grid, after resegmentation where there is one.
    zero_fraction : dict of str to float
        Fraction of the mask's voxels whose filtered value is zero but for rounding, per image type. Linear
        resampling of thick slices leaves such voxels in high-pass bands, and the last bit of the computation
        decides their grey level.
    """

    values: dict[str, float]
    grey_levels: dict[str, int]
    unavailable: dict[str, str]
    voxels: int
    zero_fraction: dict[str, float]


def use_single_thread() -> None:
    """Limit ITK to one thread in this process, for a worker beside others.

    BLAS and OpenMP read their limits when they are loaded: start workers with OMP_NUM_THREADS=1 and
    OPENBLAS_NUM_THREADS=1 in their environment (a spawned process inherits them).
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that define the values.

    For pyradiomics it is the version whose values are computed: a build that gives those of 3.0.1 is 3.0.1, whatever
    it is called, so that rows keep their identity from one Python to the next.
    """
    versions = {name: importlib.metadata.version(name) for name in ("SimpleITK", "PyWavelets")}
    return {"pyradiomics": _pyradiomics_version()} | versions


def _pyradiomics_version() -> str:
    for distribution, values_of in _PYRADIOMICS.items():
        try:
            installed = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        return values_of.get(installed, f"{distribution} {installed}")
    raise ContractError("pyradiomics is not installed", hint="pip install pyradiomics-bhklab==3.1.4")


def extract(
    image: sitk.Image,
    mask: sitk.Image,
    settings: RadiomicsSettings,
    *,
    phase: str = "",
    prepared: PreparedScan | None = None,
    engine: Engine = "fast",
) -> Extraction:
    """Return the features of a mask on a scan, every column of the settings present.

    Parameters
    ----------
    image : SimpleITK.Image
        The native scan, 3-D, one component.
    mask : SimpleITK.Image
        On the grid of the scan; 8-bit unsigned, 1 inside and 0 outside.
    settings : RadiomicsSettings
        What to calculate.
    phase : str
        Which phase the scan is, where the settings have a standard scale for each.
    prepared : PreparedScan, optional
        ``prepared_scan(image, settings, phase)``, where it was calculated before.
    engine : {'fast', 'pyradiomics'}
        What calculates the families; the values are the same.

    Returns
    -------
    Extraction

    Raises
    ------
    ContractError
        If no feature can be extracted: the mask is empty, covers the whole scan, is on another grid, or
        becomes too small; the image is not 3-D or has values that are not finite; the wavelet is unknown.
    """
    _check_inputs(image, mask, settings)
    parameters = settings.pyradiomics_parameters()
    with quiet(), one_thread(), geometry_tolerance(settings.geometry_tolerance):
        scan = prepared_scan(image, settings, phase, engine) if prepared is None else prepared
        if scan.body is not None:
            refuse_outside_body(mask, scan.body)
        working = shuffled_inside(scan.native, mask, image) if settings.shuffled_voxels else scan.native
        region = working_region(
            working, mask, parameters["setting"], scan.rescaled, scale=scan.scale_before, engine=engine
        )
        return _extraction(region, settings, parameters, engine)


def _check_inputs(image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings) -> None:
    if settings.wavelet is not None and settings.wavelet not in pywt.wavelist(kind="discrete"):
        raise ContractError(
            f"there is no discrete wavelet '{settings.wavelet}'",
            hint="choose one of pywt.wavelist(kind='discrete'), for instance coif1",
        )
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ContractError("the image is not one 3-D volume of single values", hint="split it into phases")
    if mask.GetPixelID() != sitk.sitkUInt8:
        raise ContractError(f"the mask is {mask.GetPixelIDTypeAsString()}, not 8-bit unsigned integer")
    if (difference := geometry_difference(image, mask, settings.geometry_tolerance)) is not None:
        raise ContractError(
            f"the mask is not on the grid of the image: {difference}", hint="resample the mask to the image"
        )
    labels = sitk.GetArrayViewFromImage(mask)
    lowest, highest = int(labels.min()), int(labels.max())
    if highest == 0:
        raise ContractError("the mask is empty: nothing is segmented")
    if highest > 1:
        raise ContractError(f"the mask is not binary: it has values up to {highest}")
    if lowest == 1:
        raise ContractError("the mask covers the whole image, which pyradiomics does not accept")


def _extraction(
    region: WorkingRegion, settings: RadiomicsSettings, parameters: dict[str, Any], engine: Engine
) -> Extraction:
    textures = [family for family in settings.families if family != "shape"]
    values = dict.fromkeys(_columns(settings, textures), math.nan)
    reasons: dict[str, str] = {}
    grey_levels: dict[str, int] = {}
    zero_fraction: dict[str, float] = {}

    def record(image_type: str, family: str, found: Outcomes) -> None:
        for name, outcome in found:
            target: dict[str, Any] = reasons if isinstance(outcome, str) else values
            target[f"{image_type}_{family}_{name}"] = outcome

    if "shape" in settings.families:
        shape = shape_outcomes(region.shape_inside(), region.spacing_mm, parameters["setting"], engine)
        record("original", "shape", shape)
    rounding = _rounding(region.image)
    layout = MaskLayout(region.inside(), max(settings.distances_voxels))
    for image_type, image in filtered_images(region, parameters, engine):
        voxels = np.ascontiguousarray(image).reshape(-1)[layout.voxels]
        discretised = discretisation(voxels, settings)
        grey_levels[image_type] = discretised.levels
        zero_fraction[image_type] = np.count_nonzero(np.abs(voxels) <= rounding) / len(voxels)
        mask = FilteredMask(image, voxels, discretised, layout, region.spacing_mm, settings)
        for family in textures:
            faults = discretised.faults(family, settings)
            if len(faults) < len(FEATURES[family]):
                record(image_type, family, mask.outcomes(family, engine))
            for name, fault in faults.items():
                values[f"{image_type}_{family}_{name}"] = math.nan
                reasons[f"{image_type}_{family}_{name}"] = fault
    not_filtered = f"a working grid of {region.image.GetSize()} voxels is too short for the filter"
    return Extraction(
        values=values,
        grey_levels=grey_levels,
        unavailable={
            column: reasons.get(column, not_filtered) for column, value in values.items() if math.isnan(value)
        },
        voxels=len(layout.voxels),
        zero_fraction=zero_fraction,
    )


def _columns(settings: RadiomicsSettings, textures: Sequence[str]) -> Iterator[str]:
    if "shape" in settings.families:
        yield from (f"original_shape_{name}" for name in FEATURES["shape"])
    for image_type in settings.image_types():
        for family in textures:
            yield from (f"{image_type}_{family}_{name}" for name in FEATURES[family])


def _rounding(image: sitk.Image) -> float:
    """Return the largest absolute value that a filtered voxel may have by rounding alone."""
    array = sitk.GetArrayViewFromImage(image)
    precision = np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps
    return _ROUNDINGS * float(precision) * max(abs(float(array.min())), abs(float(array.max())))
