"""First-order features from counted intervals have the values of all voxels put in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.extract.fast.firstorder import firstorder_features

DISTRIBUTIONS = {
    "normal": lambda random, n: random.normal(size=n),
    "few values": lambda random, n: random.integers(0, 4, n).astype(float),
    "skewed": lambda random, n: np.exp(8 * random.normal(size=n)),
    "single precision": lambda random, n: random.normal(size=n).astype(np.float32),
    "one value far off": lambda random, n: np.where(np.arange(n) == n // 3, 1e300, random.normal(size=n)),
    "next to one another": lambda random, n: 1 + np.spacing(1.0) * random.integers(0, 3, n),
    "flat": lambda _, n: np.full(n, 7.0),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@given(n=st.one_of(st.integers(1, 40), st.integers(4096, 9000)), seed=st.integers(0, 2**32 - 1))
def test_percentiles_are_those_of_numpy_to_the_last_bit(name: str, n: int, seed: int) -> None:
    """Whatever the distribution: few voxels are put in order, many are counted."""
    x = DISTRIBUTIONS[name](np.random.default_rng(seed), n)
    with np.errstate(over="ignore", invalid="ignore"):
        found = firstorder_features(x, np.array([n]), voxel_mm3=1.0, shift=0.0)
    p10, p25, p50, p75, p90 = np.percentile(x, [10, 25, 50, 75, 90])
    assert (found["10Percentile"], found["Median"], found["90Percentile"]) == (p10, p50, p90)
    assert found["InterquartileRange"] == p75 - p25
    assert (found["Minimum"], found["Maximum"]) == (x.min(), x.max())
    within = x[(x >= p10) & (x <= p90)]
    expected = np.abs(within - within.mean()).mean() if len(within) else np.nan
    assert found["RobustMeanAbsoluteDeviation"] == pytest.approx(expected, rel=1e-12, nan_ok=True)
