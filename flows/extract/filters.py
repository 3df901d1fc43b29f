"""The original and the filtered images of a scan: pyradiomics' own, or the fast engine's with the same values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from radiomics import imageoperations

from flows.extract.fast.wavelets import wavelet_bands
from flows.extract.nearby import Box
from flows.extract.region import WorkingRegion
from flows.imaging.intensities.gaussian import laplacian_of_gaussian
from schemas.settings import Engine

__all__ = ["filtered_images"]

Array = npt.NDArray[Any]

_EVERYWHERE: Box = (slice(None), slice(None), slice(None))
_FEWEST_VOXELS = 4
"""Along each axis, for the Laplacian of a Gaussian."""


def filtered_images(
    region: WorkingRegion, parameters: dict[str, dict[str, Any]], engine: Engine
) -> Iterator[tuple[str, Array]]:
    """Yield the name of each image type and the image within the mask's box, of shape (z, y, x).

    An image type is left out where the region is too short for its filter.

    Parameters
    ----------
    region : WorkingRegion
        The whole of which is filtered.
    parameters : dict
        pyradiomics'.
    engine : {'fast', 'pyradiomics'}
        What filters.
    """
    for kind, options in parameters["imageType"].items():
        setting = parameters["setting"] | options
        if engine == "fast" and kind == "LoG":
            images = _laplacians(region, setting)
        elif engine == "fast" and kind == "Wavelet":
            images = _wavelets(region, setting)
        else:
            images = _of_pyradiomics(region, kind, setting)
        yield from images


def _of_pyradiomics(region: WorkingRegion, kind: str, setting: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    images = getattr(imageoperations, f"get{kind}Image")
    for image, name, _ in images(region.image, region.mask, **setting):
        yield name, sitk.GetArrayFromImage(image)[region.box]


def _laplacians(region: WorkingRegion, setting: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    image = sitk.GetArrayViewFromImage(region.image)
    if image.dtype not in (np.float32, np.float64):
        image = image.astype(np.float64)
    size, spacing_mm = np.array(image.shape), np.array(region.spacing_mm)
    for sigma_mm in setting["sigma"]:
        if size.min() >= _FEWEST_VOXELS and (size >= np.ceil(sigma_mm / spacing_mm) + 1).all():
            name = f"log-sigma-{str(sigma_mm).replace('.', '-')}-mm-3D"
            yield name, laplacian_of_gaussian(image, region.spacing_mm, sigma_mm, region.box)


def _wavelets(region: WorkingRegion, setting: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    """Yield the bands of a stationary wavelet transform, the details of each level and the last approximation."""
    image = sitk.GetArrayViewFromImage(region.image)
    # x first; a plane that is left out is named by its place in the array.
    axes = [axis for axis in (2, 1, 0) if not (setting["force2D"] and axis == setting["force2Ddimension"])]
    # The transform wants an even number of voxels.
    approximation = np.pad(image, [(0, length % 2) for length in image.shape], "wrap")
    approximated = "a" * len(axes)
    # pyradiomics' levels: each is a first level of the approximation before it, and those skipped have no number.
    last = setting["level"]
    for level in range(1 - setting["start_level"], last + 1):
        # The next level is of the whole approximation; behind the last one nobody asks for more than the box.
        bands = wavelet_bands(approximation, setting["wavelet"], axes, region.box if level == last else _EVERYWHERE)
        prefix = f"wavelet{level if level > 1 else ''}-"
        for letters, band in bands.items():
            if level > 0 and letters != approximated:
                yield prefix + letters.replace("a", "L").replace("d", "H"), band if level == last else band[region.box]
        approximation = bands[approximated]
    yield prefix + "L" * len(axes), approximation
