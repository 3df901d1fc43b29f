"""Staged units of work: whole or not there, and every float as it was."""

from __future__ import annotations

import struct

from strategies import AWKWARD_FLOATS

from store.rows.staged_units import discard_units, stage_unit, staged_keys, staged_unit


def test_a_unit_reads_back_bit_for_bit(tmp_path):
    """A result comes back with every bit of its numbers, down to the sign of zero."""
    values = [value for value in AWKWARD_FLOATS if value == value and abs(value) != float("inf")]
    stage_unit(tmp_path / "units", "a", {"values": values})
    found = staged_unit(tmp_path / "units", "a")["values"]
    assert [struct.pack("<d", value) for value in found] == [struct.pack("<d", value) for value in values]


def test_only_whole_units_count(tmp_path):
    """A file that a killed process was still writing is no unit, nor is what a power cut left of one."""
    stage_unit(tmp_path, "a", {})
    (tmp_path / "b.123.partial").write_text('{"half')
    for name, left in {"c": b"", "d": bytes(300), "e": b'{"values": [1.0', "f": b"[]"}.items():
        (tmp_path / f"{name}.json").write_bytes(left)
    assert staged_keys(tmp_path) == {"a"}
    assert staged_keys(tmp_path / "nowhere") == set()


def test_what_is_taken_over_is_discarded_and_nothing_else(tmp_path):
    """Units of another run stay; the folder goes with its last unit."""
    folder = tmp_path / "units"
    for key in ("a", "b"):
        stage_unit(folder, key, {})
    discard_units(folder, ["a", "never there"])
    assert staged_keys(folder) == {"b"}
    discard_units(folder, ["b"])
    assert not folder.exists()
