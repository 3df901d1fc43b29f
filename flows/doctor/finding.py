"""``Finding``: one thing that was looked at, how it is, what needs it, and the next step where it is not well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from schemas.errors import RadzooError

__all__ = ["EVERY_VERB", "Finding", "State", "carefully"]

State = Literal["ok", "warning", "missing"]
"""``missing`` is also what is there and cannot be used."""

EVERY_VERB = "every verb"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: State
    what: str
    found: str
    needed_for: str
    next_step: str | None = None


def carefully(
    what: str, needed_for: str, look: Callable[[], Iterable[Finding]], next_step: str | None = None
) -> list[Finding]:
    """Return what a check finds; a check that fails is itself a finding, with this next step where it has none."""
    try:
        return list(look())
    except RadzooError as error:
        place = f"{error.where}: " if error.where else ""
        return [Finding("missing", what, f"{place}{error.message}", needed_for, error.hint or next_step)]
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return [Finding("missing", what, f"{place}{error.strerror or error}", needed_for, next_step)]
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return [
            Finding("missing", what, f"cannot be looked at: {type(error).__name__}: {lines[0]}", needed_for, next_step)
        ]
