"""How many grey levels inside a mask texture needs."""

from __future__ import annotations

from typing import Final

__all__ = ["AIM", "FEWEST_LEVELS", "grey_level_flags"]

FEWEST_LEVELS: Final = 8
"""Below this many grey levels a texture feature says little."""

AIM: Final = (30, 130)
"""The median that a bin width should lead to: fewer levels lose texture, more measure noise."""


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
