"""Packages that add models to the zoo; run as a process, for their code may crash when it is loaded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

from flows.doctor.finding import Finding, carefully
from flows.doctor.probe import write_begun, write_findings
from zoo.members import MEMBERS, package_faults
from zoo.plugins import PluginEntry

__all__ = ["package_findings"]

_NEEDED_FOR = "their models: ingest, train, bench, predict"


def package_findings() -> Iterator[Finding]:
    """Look at what installed packages add; nothing is said where there is none."""
    for fault in package_faults():
        step = f"pip install --force-reinstall {fault.package}, or pip uninstall {fault.package}"
        yield Finding("warning", fault.package, f"{fault.name}: {fault.reason}", _NEEDED_FOR, step)
    for member in MEMBERS.values():
        if member.added_by is not None:
            write_begun(member.added_by.package)
            yield from carefully(member.added_by.package, _NEEDED_FOR, partial(_member_finding, member.added_by))


def _member_finding(entry: PluginEntry) -> Iterator[Finding]:
    entry.builder()
    yield Finding("ok", entry.package, f"{entry.version} adds the model {entry.name}", _NEEDED_FOR)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_findings(carefully("packages", _NEEDED_FOR, package_findings))
