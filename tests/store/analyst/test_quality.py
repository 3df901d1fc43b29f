"""The view of what masks measure: its flags follow from stated bounds, worked out by hand."""

from __future__ import annotations

import pytest
from builders.store import rows_of

from schemas.keys import MaskKey
from store.commits.commit import commit_to

SOUND = {"components": 1, "largest_component": 64, "border_voxels": 0, "slices": 3, "distinct_values": 8}
"""Measures that are just within each bound."""


def put_mask(commit, phase="AP", *, voxels=64, volume=64.0, lesion="1", reader="R1", measures=SOUND):
    """Write a mask, its scan and what it measures; None for a mask that nobody measured."""
    key = MaskKey("P1", "baseline", phase, lesion, reader=reader, reading=1)._asdict()
    commit.put("scans", [{"patient": "P1", "exam": "baseline", "phase": phase, "spacing_mm": "1 x 1 x 1"}])
    commit.put("masks", [key | {"lesion_voxels": voxels, "volume_mm3": volume}])
    if measures is not None:
        commit.put("mask_measures", [key | {"diameter_mm": 5.0, "lowest": 1.0, "highest": 9.0} | measures])


def flags(store, phase="AP"):
    """Return the flags of a phase's masks."""
    return [row["flags"] for row in rows_of(store, f"select flags from quality where phase = '{phase}' order by all")]


@pytest.mark.parametrize(
    ("of_mask", "measures", "flag"),
    [
        ({"voxels": 63}, {}, "few voxels"),
        ({}, {"slices": 2}, "few slices"),
        ({}, {"components": 2}, "several parts"),
        ({}, {"border_voxels": 1}, "at the border"),
        ({}, {"distinct_values": 7}, "few intensities"),
    ],
)
def test_each_bound_has_its_flag(store, of_mask, measures, flag):
    """Just within all bounds there is none; one step beyond one of them there is that one."""
    with commit_to(store, "masks") as commit:
        put_mask(commit)
        put_mask(commit, "DP", **of_mask, measures=SOUND | measures)
    assert (flags(store), flags(store, "DP")) == ([[]], [[flag]])


def test_volumes_of_the_phases_of_one_lesion_are_compared(store):
    """A volume is compared with the median of the same lesion's others by the same reading; twofold is no flag."""
    with commit_to(store, "masks") as commit:
        for phase, volume in (("AP", 100.0), ("PVP", 200.0), ("DP", 201.0)):
            put_mask(commit, phase, volume=volume)
        put_mask(commit, "PVP", volume=900.0, lesion="2")
        put_mask(commit, "DP", volume=900.0, reader="R2")
    found = {
        (row["phase"], row["lesion"], row["reader"]): (row["volume_ratio"], row["flags"])
        for row in rows_of(store, "from quality")
    }
    assert found == {
        ("AP", "1", "R1"): (100 / 200.5, ["another volume"]),
        ("PVP", "1", "R1"): (200 / 150.5, []),
        ("DP", "1", "R1"): (201 / 150, []),
        ("PVP", "2", "R1"): (None, []),
        ("DP", "1", "R2"): (None, []),
    }


def test_a_mask_that_nobody_measured_has_no_flags(store):
    """Its measures and flags are NULL, not an empty list that reads as sound; what the masks' table knows stands."""
    with commit_to(store, "masks") as commit:
        put_mask(commit, voxels=3, measures=None)
        put_mask(commit, "DP", measures=SOUND | {"components": None, "largest_component": None})
    (row,) = rows_of(store, "from quality where phase = 'AP'")
    assert (row["flags"], row["components"], row["lesion_voxels"], row["spacing_mm"]) == (None, None, 3, "1 x 1 x 1")
    assert flags(store, "DP") == [[]]
