"""Columns of regions in a model's table: one a phase, each cell the slices of a patient's region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from store.history.snapshot import Snapshot
from store.rows.regions import region_ids, stored_regions
from zoo.networks.region_columns import region_column

__all__ = ["region_tables"]


def region_tables(snapshot: Snapshot, study: str, feature_set: str, phases: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient who has a region in it.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        Whose patients.
    feature_set : str
        ``name@N`` of a set of regions.
    phases : sequence of str
        The phases.

    Returns
    -------
    dict of str to polars.DataFrame
        ``patient`` and ``PHASE__region``, of type ``Array(Float32, (slices, size, size))``.

    Raises
    ------
    ContractError
        When a segment does not hold what the catalogue says.
    """
    chosen = region_ids(snapshot, study, feature_set)
    wanted = [identity for of_patient in chosen.values() for phase, identity in of_patient.items() if phase in phases]
    regions = stored_regions(snapshot, feature_set, wanted)
    found = {}
    for phase in phases:
        of_phase = {patient: chosen[patient][phase] for patient in sorted(chosen) if phase in chosen[patient]}
        arrays = [regions[identity] for identity in of_phase.values()]
        shape = arrays[0].shape if arrays else (1, 1, 1)
        pixels = np.stack(arrays) if arrays else np.empty((0, *shape), dtype=np.float32)
        found[phase] = pl.DataFrame(
            {"patient": pl.Series(list(of_phase), dtype=pl.String), region_column(phase): pl.Series(pixels)},
            schema={"patient": pl.String, region_column(phase): pl.Array(pl.Float32, shape)},
        )
    return found
