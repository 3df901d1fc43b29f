"""The faults, one a line: what is done, to which verb, at which moment, and which exit codes tell the truth."""

from __future__ import annotations

from attacks.faults import clocks, disks, networks, processes_killed, servers_gone
from attacks.faults.trial import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    *disks.FAULTS,
    *processes_killed.FAULTS,
    *servers_gone.FAULTS,
    *networks.FAULTS,
    *clocks.FAULTS,
)
