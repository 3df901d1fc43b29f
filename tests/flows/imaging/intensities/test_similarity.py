"""Mutual information of two images, against numpy's histogram."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.imaging.intensities.similarity import mutual_information


@given(
    kind=st.sampled_from(["integers", "fractions", "magnitudes", "few", "far"]),
    number=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_similarity_counts_voxels_in_the_bins_of_numpys_histogram(kind, number, seed):
    """numpy.histogram2d searches for each voxel; dividing instead gives the same similarity to the bit."""
    random = np.random.default_rng(seed)
    drawn = {
        "integers": lambda: random.integers(0, random.integers(1, 300), number),
        "fractions": lambda: random.integers(-1000, 3000, number) / 7,
        "magnitudes": lambda: random.exponential(1e5, number),
        "few": lambda: random.integers(0, 2, number),
        "far": lambda: 1e7 + random.integers(0, 5, number),
    }[kind]
    one, *others = (drawn().astype(np.float32) for _ in range(3))
    expected = []
    for other in others:
        counts, _, _ = np.histogram2d(one, other, bins=64)
        joint = counts / counts.sum()
        rows, columns, both = (
            float(-(p[p > 0] * np.log(p[p > 0])).sum()) for p in (joint.sum(axis=0), joint.sum(axis=1), joint)
        )
        expected.append(2.0 if both == 0.0 else (rows + columns) / both)
    assert mutual_information(one, *others) == expected
