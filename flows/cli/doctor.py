"""The verb ``doctor``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, table_text
from flows.doctor.examination import machine_findings
from flows.doctor.finding import Finding

__all__ = ["doctor"]

_WITH_FAILURES = 5


def doctor(*, context: Annotated[Context, Parameter(parse=False)]) -> CommandResult:
    """Say what this machine has and lacks for each verb; exit code 5 where something is missing or broken.

    Libraries, compiler, Prefect's settings and server, the store's place, catalogue and data, GPU, memory. Nothing is
    changed. A warning keeps exit code 0: every verb works, but not as well, or not as before.

    Examples
    --------
    radzoo doctor
    radzoo --store /data/radzoo-store doctor
    """
    found = machine_findings(context.store)
    is_missing = any(each.state == "missing" for each in found)
    return CommandResult(_text(found), found, _WITH_FAILURES if is_missing else 0)


def _text(findings: list[Finding]) -> str:
    columns = {"state": "state", "what": "what", "found": "found", "needed_for": "needed for"}
    rows = [{title: getattr(each, name) for name, title in columns.items()} for each in findings]
    steps = [f"next, {each.what}: {each.next_step}" for each in findings if each.state != "ok" and each.next_step]
    missing, warned = (sum(each.state == state for each in findings) for state in ("missing", "warning"))
    closing = f"{missing} missing, {warned} warnings" if missing or warned else "every verb works here"
    return "\n".join([table_text(rows, list(columns.values())), "", *steps, closing])
