"""How far a class activation map can be believed, in numbers: where its energy lies, and what its pixels do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

__all__ = [
    "AttentionScores",
    "PixelCurve",
    "attention_scores",
    "blurred",
    "energy_share",
    "margin_band",
    "replacement_curve",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Probability = Callable[[Floats], Floats]
"""From images of shape (n, slices, height, width) to the probability of the class in each, shape (n,)."""

STEPS = 32
"""Parts in which the pixels of an image are replaced."""
MARGIN_MM = 10.0
"""Width of the margin, half of it on either side of the tumour's outline."""
_BLUR = 5 / 224  # the standard deviation of the paper's blur, on images of 224 pixels


@dataclass(frozen=True)
class PixelCurve:
    """The probability of a class while an image's pixels are replaced, the most important first.

    Attributes
    ----------
    replaced : ndarray of shape (n_steps + 1,)
        Share of the pixels, from 0 to 1.
    probability : ndarray of shape (n_steps + 1,)
        Of the class.
    """

    replaced: Floats
    probability: Floats

    @property
    def area(self) -> float:
        """Return the area under the curve, by trapezoids: from 0 to 1."""
        return float(np.trapezoid(self.probability, self.replaced))


@dataclass(frozen=True)
class AttentionScores:
    """Numbers of one class activation map.

    Attributes
    ----------
    energy_inside : float
        Share of the map's energy inside the tumour, deeper than its margin; NaN where the map is zero.
    energy_margin : float
        Share of the map's energy on the margin, a band on either side of the outline.
    area_inside, area_margin : float
        Shares of the pixels: what the energies are of a map that is the same everywhere.
    insertion_auc : float
        Area under the probability while pixels return to a blurred image, the map's highest first; high is good.
    deletion_auc : float
        Area under the probability while pixels are replaced by their slice's mean; low is good.
    """

    energy_inside: float
    energy_margin: float
    area_inside: float
    area_margin: float
    insertion_auc: float
    deletion_auc: float


def energy_share(attention: Floats, region: Bools) -> float:
    """Return the share of a map's energy that lies in a region: the sum there over the sum of all.

    Parameters
    ----------
    attention : ndarray of shape (height, width)
        Not negative.
    region : ndarray of bool of shape (height, width)
        The region.

    Returns
    -------
    float
        From 0 to 1; NaN where the map is zero everywhere.

    References
    ----------
    Wang H et al., CVPR Workshops 2020:111, section 4.3, doi:10.1109/CVPRW50498.2020.00020: there the region is a
    bounding box.
    """
    whole = float(attention.sum())
    return float(attention[region].sum()) / whole if whole > 0 else float("nan")


def margin_band(mask: Bools, width: float, spacing: tuple[float, float] = (1.0, 1.0)) -> Bools:
    """Return the band along a mask's outline, half of its width on either side.

    A pixel belongs to it when the nearest pixel on the other side of the outline is not farther than
    ``width / 2``, from centre to centre. The image's own edge is no outline.

    Parameters
    ----------
    mask : ndarray of bool of shape (height, width)
        The tumour.
    width : float
        In the unit of ``spacing``: millimetres, or pixels where the spacing is 1.
    spacing : tuple of float
        Height and width of a pixel.
    """
    if mask.all() or not mask.any():
        return np.zeros(mask.shape, dtype=bool)
    distance = np.where(
        mask, distance_transform_edt(mask, sampling=spacing), distance_transform_edt(~mask, sampling=spacing)
    )
    return np.asarray(distance <= width / 2, dtype=bool)


def replacement_curve(
    image: Floats, other: Floats, attention: Floats, probability: Probability, *, steps: int = STEPS
) -> PixelCurve:
    """Return a class's probability while an image's pixels become those of another, the most important first.

    From the image to one without content this is deletion, from a blurred one to the image it is insertion.

    Parameters
    ----------
    image, other : ndarray of shape (slices, height, width)
        The image at the curve's beginning and at its end. A pixel is replaced in all slices at once.
    attention : ndarray of shape (height, width)
        The map that orders the pixels; among equal ones the first in the array comes first.
    probability : callable
        The network.
    steps : int
        In how many parts of (nearly) equal size the pixels are replaced.

    References
    ----------
    Petsiuk V et al., BMVC 2018, section 4.3, arXiv:1806.07421.
    """
    pixels = attention.size
    order = np.argsort(-attention, axis=None, kind="stable")
    rank = np.empty(pixels, dtype=np.int64)
    rank[order] = np.arange(pixels)
    counts = np.round(np.linspace(0, pixels, min(steps, pixels) + 1)).astype(np.int64)
    is_replaced = rank.reshape(attention.shape) < counts[:, None, None]
    images = np.where(is_replaced[:, None], other, image)
    found = np.asarray(probability(images), dtype=np.float64)
    return PixelCurve(counts / pixels, found)


def blurred(image: Floats) -> Floats:
    """Return an image of which coarse intensities are left: a Gaussian of 5 pixels on an image of 224, or like it.

    Parameters
    ----------
    image : ndarray of shape (slices, height, width)
        The image; each slice is blurred by itself.
    """
    sigma = [0.0, *(max(1.0, _BLUR * side) for side in image.shape[1:])]
    return np.asarray(gaussian_filter(image, sigma, mode="nearest"), dtype=image.dtype)


def attention_scores(
    image: Floats,
    mask: Bools,
    attention: Floats,
    probability: Probability,
    *,
    margin: float = MARGIN_MM,
    spacing: tuple[float, float] = (1.0, 1.0),
    steps: int = STEPS,
) -> AttentionScores:
    """Return where a map's energy lies, and the areas of its insertion and deletion curves.

    Parameters
    ----------
    image : ndarray of shape (slices, height, width)
        What the network reads.
    mask : ndarray of bool of shape (height, width)
        The tumour.
    attention : ndarray of shape (height, width)
        The class activation map of the image.
    probability : callable
        The network's probability of the class, for images like this one.
    margin : float
        Width of the margin in the unit of ``spacing``, half of it on either side of the outline.
    spacing : tuple of float
        Height and width of a pixel.
    steps : int
        In how many parts the pixels are replaced.
    """
    band = margin_band(mask, margin, spacing)
    inside = mask & ~band
    mean = np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape)
    return AttentionScores(
        energy_inside=energy_share(attention, inside),
        energy_margin=energy_share(attention, band),
        area_inside=float(inside.mean()),
        area_margin=float(band.mean()),
        insertion_auc=replacement_curve(blurred(image), image, attention, probability, steps=steps).area,
        deletion_auc=replacement_curve(image, mean, attention, probability, steps=steps).area,
    )
