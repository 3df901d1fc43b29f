"""The verb ``collect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context
from flows.collect.run import collect as collect_drops
from flows.ingest.run import read_study
from store.faults import disk_faults

__all__ = ["collect"]

_REFUSED = 5


def collect(
    study_file: Path, *, dry_run: bool = False, context: Annotated[Context, Parameter(parse=False)]
) -> CommandResult:
    """Take what others left in a study's drop folder, once it is complete; ingest reads it then.

    Each file or folder in the drop folder is one delivery. It is complete once nothing of it has changed for the
    minutes that [drop] names, or once every file has the hash that its manifest names; then it is moved whole to where
    the study's images lie. What can never be complete goes to the quarantine with its reason, and the exit code is 5.
    Nothing that a study has is replaced. radzoo serve does this before each refresh.

    Parameters
    ----------
    study_file
        The study's TOML file, with a table [drop].
    dry_run
        Say what would be done; nothing is moved.

    Examples
    --------
    radzoo collect my-study/study.toml && radzoo ingest my-study/study.toml
    """
    study, _ = read_study(study_file)
    with disk_faults(study_file.parent):
        report = collect_drops(study, study_file, dry_run=dry_run)
    lines = [f"{each.ending}: {each.name}: {each.reason}" for each in report.collected]
    taken, refused, waiting, failed = (report.count(each) for each in ("taken", "quarantined", "waiting", "failed"))
    would = "to be " if dry_run else ""
    lines.append(
        f"{report.study}: {taken} {'delivery' if taken == 1 else 'deliveries'} {would}taken, "
        f"{refused} {would}quarantined, {waiting} waiting" + (f", {failed} failed" if failed else "")
    )
    if taken and not dry_run:
        lines.append(f"next: radzoo ingest {study_file}")
    return CommandResult("\n".join(lines), report, _REFUSED if refused or failed else 0)
