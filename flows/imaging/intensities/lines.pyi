"""Types of the compiled filters."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def filter_recursively(
    volume: NDArray[np.float32] | NDArray[np.float64],
    filtered: NDArray[np.float32],
    axis: int,
    start: int,
    n: NDArray[np.float64],
    m: NDArray[np.float64],
    d: NDArray[np.float64],
    d_before: NDArray[np.float64],
    d_behind: NDArray[np.float64],
) -> None: ...
def filter_by_two(
    volume: Floats, low: Floats, high: Floats, axis: int, of_low: Floats, of_high: Floats, places: NDArray[np.int64]
) -> None: ...
