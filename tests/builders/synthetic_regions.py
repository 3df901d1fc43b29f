"""Tables of small regions whose label, or not, is what the lesion looks like."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["PHASES", "SLICES", "region_table", "table_of"]

PHASES = ("AP", "PVP", "DP")
SLICES = 3


def table_of(images: NDArray[np.float32]) -> pl.DataFrame:
    """Return images of shape (n_patients, n_phases, n_slices, size, size) as a table of regions."""
    kind = pl.Array(pl.Float32, images.shape[2:])
    return pl.DataFrame(
        {
            f"{phase}__region": pl.Series(np.ascontiguousarray(images[:, position]), dtype=kind)
            for position, phase in enumerate(PHASES[: images.shape[1]])
        }
    )


def region_table(
    n: int = 24, *, size: int = 16, contrast: float = 1.5, phases: int = 3, seed: int = 0
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return regions of noise, half of the patients with a square brighter by ``contrast``, and who has it."""
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = draw.normal(size=(n, phases, SLICES, size, size)).astype(np.float32)
    start, stop = size // 4, size - size // 4
    images[labels == 1, ..., start:stop, start:stop] += np.float32(contrast)
    return table_of(images), labels
