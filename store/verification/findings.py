"""What a check of the store says: how much it looked at, what is broken, what is worth knowing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["FROM_A_COPY", "REPAIR", "RESTORE_CATALOGUE", "Check", "Finding", "Verification"]

FROM_A_COPY = (
    "radzoo store verify --repair puts back what can be made again, --from FOLDER what a backup of the store has "
    "(docs/store.md)"
)
REPAIR = (
    "radzoo store verify --repair computes again what can be; else restore the catalogue from a backup of the store "
    "(docs/store.md)"
)
RESTORE_CATALOGUE = "restore the catalogue from a backup of the store (docs/store.md)"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, or that is worth knowing."""

    what: str
    where: str
    hint: str
    rows: tuple[str, ...] = ()
    """The rows or files it concerns, where there are several."""


@dataclass(frozen=True)
class Check:
    """One promise that was looked at."""

    name: str
    promise: str
    counted: int
    """How many rows or files were looked at."""
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, name: str, promise: str, counted: int, findings: Iterable[Finding]) -> Check:
        """Return a check with the findings in the order they were made."""
        return cls(name, promise, counted, tuple(findings))


@dataclass(frozen=True)
class Verification:
    """What all checks found."""

    commit_id: int
    """The newest commit when they began."""
    checks: Sequence[Check]
    notes: Sequence[Finding]
    """What breaks no promise and is worth knowing."""

    @property
    def is_clean(self) -> bool:
        """Return whether no promise is broken."""
        return not any(check.findings for check in self.checks)
