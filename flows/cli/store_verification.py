"""The verb ``store verify``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import Context, Outcome
from schemas.errors import ContractError
from store.findings import Finding, Verification
from store.home import Store
from store.verification import verified
from zoo.persist import folder_sha256

__all__ = ["verification_text", "verify"]

_ROWS_SHOWN = 5


def verify(*, quick: bool = False, context: Annotated[Context, Parameter(parse=False)]) -> Outcome:
    """Check every promise of the store that can be checked; exit code 4 where one is broken.

    Parameters
    ----------
    quick
        Compare sizes and numbers of rows, hash no file.
    """
    found = verified(Store(context.store), quick=quick, folder_hash=folder_sha256)
    data = {"commit_id": found.commit_id, "is_clean": found.is_clean, "checks": found.checks, "notes": found.notes}
    return Outcome(verification_text(found), data, 0 if found.is_clean else ContractError.exit_code)


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
