"""Types of the compiled eigenvalues."""

import numpy as np
from numpy.typing import NDArray

def second_eigenvalues(
    P: NDArray[np.float64], eps: float, smallest: float, smallest_gap: float, largest_rest: float
) -> NDArray[np.float64]: ...
