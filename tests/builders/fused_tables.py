"""A table with all that the fused models read: regions, radiomics features and clinical factors."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from builders.synthetic_regions import region_table
from schemas.study.networks import NetworkSettings

__all__ = ["FACTORS", "QUICK", "fused_table"]

FACTORS = ("afp>400", "diameter>50")
QUICK = NetworkSettings(
    epochs=2,
    batch_size=16,
    optimiser="adam",
    learning_rate=1e-3,
    device="cpu",
    threads=1,
    validation_fraction=0.2,
    inner_folds=2,
)


def fused_table(n: int = 40, n_features: int = 20, seed: int = 0) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return patients with two phases, whose first two features of AP and whose first factor tell the label."""
    regions, labels = region_table(n, phases=2, seed=seed)
    draw = np.random.default_rng(seed + 1)
    features = draw.normal(size=(n, 2 * n_features))
    features[:, :2] += 1.5 * labels[:, None]
    names = [f"{phase}__f{number}" for phase in ("AP", "PVP") for number in range(n_features)]
    factors = (draw.random((n, 2)) < np.column_stack([0.2 + 0.6 * labels, np.full(n, 0.4)])).astype(float)
    return pl.concat(
        [pl.DataFrame(factors, schema=list(FACTORS)), pl.DataFrame(features, schema=names), regions], how="horizontal"
    ), labels
