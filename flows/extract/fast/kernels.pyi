"""Types of the compiled kernels."""

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int32]
Places = NDArray[np.int64]

def pair_counts(ranks: Levels, voxels: Places, offsets: Places, n_levels: int) -> NDArray[np.int32]: ...
def run_counts(ranks: Levels, voxels: Places, offsets: Places, n_levels: int, longest: int) -> NDArray[np.int32]: ...
def zones(ranks: Levels, voxels: Places, offsets: Places) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
def neighbourhoods(
    levels: Levels, ranks: Levels, rows: Places, width: int, offsets: Places, n_levels: int, alpha: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
def planar_hulls(
    points: NDArray[np.int32], axis: int, sizes: Places, steps: NDArray[np.float64]
) -> tuple[float, NDArray[np.int32]]: ...
