"""How many grey levels inside a mask texture needs, and how many it bears."""

from __future__ import annotations

import math
from typing import Final

__all__ = [
    "AIM",
    "FEWEST_LEVELS",
    "MOST_BINS",
    "MOST_LEVELS",
    "grey_level_flags",
    "grey_levels",
    "histogram_fault",
    "texture_fault",
]

FEWEST_LEVELS: Final = 8
"""Below this many grey levels a texture feature says little."""

AIM: Final = (30, 130)
"""The median that a bin width should lead to: fewer levels lose texture, more measure noise."""


MOST_LEVELS: Final = 2000
"""Of more grey levels no texture is computed. At 2000 the co-occurrence matrices of 13 angles take 416 MB and their
features five times that and a minute; both grow with the square and the cube. The field works with 16 to 128 levels,
and at thousands hardly two voxels share one: what a matrix counts then is noise."""

MOST_BINS: Final = 10_000_000
"""Of more grey levels not even a histogram is made: its edges alone would take 80 MB and more."""

_ANGLES = 13
"""Of the nearest neighbours in three dimensions, each with its opposite."""


def grey_levels(lowest: float, highest: float, bin_width: float | None, bin_count: int | None) -> float:
    """Return how many grey levels intensities are binned into, counting those that do not occur.

    Parameters
    ----------
    lowest, highest : float
        Intensities inside the mask.
    bin_width, bin_count : float or None, int or None
        The one that the settings give.
    """
    if bin_count is not None:
        return float(bin_count)
    width = bin_width or math.nan
    # Divided first and rounded afterwards: a quotient may be beyond what a float holds.
    quotients = highest / width, lowest / width
    if not all(math.isfinite(each) for each in quotients):
        return math.inf
    return float(math.floor(quotients[0]) - math.floor(quotients[1]) + 1)


def texture_fault(levels: float, family: str, angles: int = _ANGLES, *, by_count: bool = False) -> str | None:
    """Return why a texture family is not computed of so many grey levels, None where it is.

    Parameters
    ----------
    levels : float
        Grey levels inside the mask.
    family : str
        A family that counts grey levels in a matrix.
    angles : int
        Directions of neighbours, by which co-occurrence matrices multiply.
    by_count : bool
        The settings give a number of bins instead of their width.
    """
    most = MOST_LEVELS
    if family == "glcm" and angles > _ANGLES:
        most = math.floor(MOST_LEVELS * math.sqrt(_ANGLES / angles))
    if levels <= most:
        return None
    return f"{levels:.0f} grey levels, and {family} is computed of at most {most}: give {_fewer(by_count)}"


def histogram_fault(levels: float, *, by_count: bool = False) -> str | None:
    """Return why no histogram is made of so many grey levels, None where one is."""
    if levels <= MOST_BINS:
        return None
    return f"{levels:.0f} grey levels, and a histogram has at most {MOST_BINS}: give {_fewer(by_count)}"


def _fewer(by_count: bool) -> str:
    return "a smaller bin_count" if by_count else "a larger bin_width"


def grey_level_flags(fewest: float, median: float) -> tuple[str, ...]:
    """Return what is wrong with the grey levels of an image type, nothing where all is well.

    Parameters
    ----------
    fewest, median : float
        Over the masks: the smallest and the middle number of grey levels.
    """
    flags = []
    if median < FEWEST_LEVELS:
        flags.append(f"median below {FEWEST_LEVELS}")
    elif fewest < FEWEST_LEVELS:
        flags.append(f"some masks below {FEWEST_LEVELS}")
    if not AIM[0] <= median <= AIM[1]:
        flags.append(f"median outside {AIM[0]} to {AIM[1]}")
    return tuple(flags)
