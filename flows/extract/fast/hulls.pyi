"""Types of the compiled hulls."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Counts = NDArray[np.int32]

def planar_hulls(points: Counts, axis: int, sizes: Places, steps: NDArray[np.float64]) -> tuple[float, Counts]: ...
def largest_square(places: NDArray[np.float64]) -> float: ...
