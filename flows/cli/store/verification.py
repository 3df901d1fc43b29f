"""The verb ``store verify``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context
from flows.keep.verification import repair_store, verified_store
from schemas.errors import ContractError, UsageError
from store.faults import disk_faults
from store.home import Store
from store.repair.rows import Repair
from store.verification.findings import Check, Finding, Verification

__all__ = ["verification_text", "verify"]

_ROWS_SHOWN = 5
_ONLY_A_BACKUP = (
    "put it back from a backup of the store (docs/store.md); without one, ingest and refresh into a new --store, which "
    "computes it again"
)


def verify(
    *,
    quick: bool = False,
    repair: bool = False,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Check every promise of the store that can be checked; exit code 4 where one is broken.

    Every file is read where it lies, and nothing is changed. With --repair, what is broken and can be put back is put
    back first, and of each thing it is said what was done; nothing is written that sums or hashes do not prove.

    Parameters
    ----------
    quick
        Compare sizes and numbers of rows, hash no file.
    repair
        First put back what is broken and can be: what sums and hashes prove to be what was committed.
    from_
        With --repair: a backup of the store, whose files and rows are tried too.

    Examples
    --------
    radzoo store verify --quick
    radzoo store verify --repair --from /backup/radzoo-store
    """
    if from_ is not None and not repair:
        raise UsageError("--from belongs to --repair", hint=f"radzoo store verify --repair --from {from_}")
    store = Store(context.store)
    with disk_faults(context.store):
        repairs = repair_store(store, from_) if repair else []
        found = verified_store(store, quick=quick)
        if repair:
            found = replace(found, checks=[_beyond_repair(check) for check in found.checks])
    data = {"commit_id": found.commit_id, "is_clean": found.is_clean, "checks": found.checks, "notes": found.notes}
    if repair:
        data["repairs"] = repairs
    text = "\n".join([*map(_repair_line, repairs), *([""] if repairs else []), verification_text(found)])
    return CommandResult(text, data, 0 if found.is_clean else ContractError.exit_code)


def _beyond_repair(check: Check) -> Check:
    """Return a check whose findings no longer advise the repair that was just tried."""
    return replace(check, findings=tuple(map(_hint_after_repair, check.findings)))


def _hint_after_repair(finding: Finding) -> Finding:
    return replace(finding, hint=_ONLY_A_BACKUP) if "--repair" in finding.hint else finding


def _repair_line(repair: Repair) -> str:
    return f"{'repaired' if repair.is_repaired else 'NOT REPAIRED'}: {repair.where}: {repair.what}"


def verification_text(found: Verification) -> str:
    """Return what a check found, for people."""
    width = max(len(check.name) for check in found.checks)
    lines = [
        f"{'BROKEN' if check.findings else 'ok':<6}  {check.name:<{width}}  {check.counted:>9,}  {check.promise}"
        for check in found.checks
    ]
    findings = [finding for check in found.checks for finding in check.findings]
    for title, several in (("broken", findings), ("to know", found.notes)):
        for each in several:
            lines += ["", f"{title}: {each.where}", f"  {each.what}", *_rows(each), f"  next: {each.hint}"]
    end = f"{len(findings)} findings" if findings else "no promise is broken"
    return "\n".join([*lines, "", f"{end}, as of commit {found.commit_id}"])


def _rows(finding: Finding) -> list[str]:
    shown = [f"    {row}" for row in finding.rows[:_ROWS_SHOWN]]
    left = len(finding.rows) - _ROWS_SHOWN
    return [*shown, f"    and {left} more; --json lists them"] if left > 0 else shown
