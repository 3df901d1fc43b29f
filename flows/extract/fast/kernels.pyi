"""Types of the compiled kernels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint16]
Places = NDArray[np.int64]
Counts = NDArray[np.int32]

def uniform_bins(voxels: NDArray[np.floating[Any]], edges: NDArray[np.float64]) -> Places | None: ...
def spread(values: Places, places: Places, size: int) -> Levels: ...
def pair_counts(
    ranks: Levels, rows: Places, offsets: Places, n_levels: int, symmetric: bool
) -> NDArray[np.float64]: ...
def run_counts(ranks: Levels, rows: Places, offsets: Places, n_levels: int, longest: int) -> Counts: ...
def zones(
    ranks: Levels, rows: Places, places: Places, offsets: Places, touching: NDArray[np.uint16]
) -> tuple[Places, Counts]: ...
def neighbourhoods(
    levels: Levels, ranks: Levels, rows: Places, offsets: Places, n_levels: int, alpha: int
) -> tuple[Counts, NDArray[np.float64]]: ...
