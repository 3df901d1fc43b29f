"""Types of the compiled sums over pairs of levels."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def marginal_sums(shares: Floats, levels: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats, Floats]: ...
def add_joint_sums(
    shares: Floats,
    logarithms: Floats,
    products: Floats,
    of_products: Floats,
    row_levels: Floats,
    column_levels: Floats,
    row_mean: Floats,
    column_mean: Floats,
    column_first: bool,
    totals: Floats,
) -> None: ...
