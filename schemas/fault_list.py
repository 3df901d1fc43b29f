"""Faults that are gathered, so that a person sees all of a file's at once and not one a run."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from schemas.errors import ContractError

__all__ = ["LISTED_FAULTS", "FaultList"]

LISTED_FAULTS = 20
"""A message lists as many faults; the rest is counted."""
_OF_ONE_KIND = 3
_ENOUGH = 10_000
"""After so many faults nothing more is looked at: to count a million takes longer than to correct their cause."""
_HINTS = 3
_NOTHING_WRITTEN = "; nothing was written"


class FaultList:
    """Collects contract errors and raises them as one.

    Examples
    --------
    >>> faults = FaultList()
    >>> with faults.gathered():
    ...     raise ContractError("column 'age' is not in patients.csv", where="study.toml:4", hint="correct it")
    >>> len(faults)
    1
    """

    def __init__(self) -> None:
        self._faults: list[ContractError] = []
        self._kinds: Counter[str] = Counter()
        self._last_of: dict[str, int] = {}
        self.is_full = False
        """Whether there were so many that nothing more was looked at."""

    def __len__(self) -> int:
        return len(self._faults) + sum(max(0, number - _OF_ONE_KIND) for number in self._kinds.values())

    def gathered(self, kind: str | None = None) -> _Gathering:
        """Return a context that takes over a contract error of its block, which ends there.

        Parameters
        ----------
        kind : str, optional
            What faults of one cause share, such as table and column: the first three of a kind are listed and
            the others counted, so that one bad column hides no other fault.
        """
        return _Gathering(self, kind)

    def add(self, error: ContractError, kind: str | None = None) -> None:
        """Take over an error, or the single faults of one that stands for several.

        Raises
        ------
        ContractError
            With all faults, where they are so many that reading on would only count more of them.
        """
        if kind is not None and not error.faults:
            self._kinds[kind] += 1
            if self._kinds[kind] > _OF_ONE_KIND:
                self._refuse_more(error)
                return
            self._last_of[kind] = len(self._faults)
        self._faults += error.faults or [error]
        self._refuse_more(error)

    def _refuse_more(self, error: ContractError) -> None:
        if len(self) >= _ENOUGH:
            self.is_full = True
            self.raise_any(str(error.where or "").rpartition(":")[0])

    def raise_any(self, what: str) -> None:
        """Raise what was gathered, if anything: one fault as it is, several as one error that lists them.

        Parameters
        ----------
        what : str
            What is at fault, such as the study file's name.

        Raises
        ------
        ContractError
            Where there is a fault.
        """
        more = {last: self._kinds[kind] - _OF_ONE_KIND for kind, last in self._last_of.items()}
        faults = [
            _with_more(fault, more[position]) if more.get(position, 0) > 0 else fault
            for position, fault in enumerate(self._faults)
        ]
        if len(faults) == 1:
            raise faults[0]
        if not faults:
            return
        lines = [f"{fault.where}: {fault.message}" if fault.where else fault.message for fault in faults]
        if len(lines) > LISTED_FAULTS:
            lines[LISTED_FAULTS:] = [f"and {len(lines) - LISTED_FAULTS} more"]
        number = f"{len(self)} faults" + (", and nothing was looked at after them" if self.is_full else "")
        raise ContractError(
            "\n  ".join([number, *lines]),
            where=what,
            hint=_common_hint(faults),
            faults=faults[:_ENOUGH],
        )


class _Gathering:
    def __init__(self, faults: FaultList, kind: str | None) -> None:
        self._faults = faults
        self._kind = kind

    def __enter__(self) -> None:
        return None

    # Written out and not by contextlib: bool says that a block may end early.
    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        if isinstance(error, ContractError) and not self._faults.is_full:
            self._faults.add(error, self._kind)
            return True
        return False


def _with_more(fault: ContractError, more: int) -> ContractError:
    return ContractError(
        f"{fault.message} ({more} more such cell{'s' if more > 1 else ''})", where=fault.where, hint=fault.hint
    )


def _common_hint(faults: list[ContractError]) -> str:
    hints = list(dict.fromkeys(str(fault.hint or "").removesuffix(_NOTHING_WRITTEN) for fault in faults))
    hints = [hint for hint in hints if hint]
    together = "; ".join(hints) if 0 < len(hints) <= _HINTS else "correct each of them and run the command again"
    return f"{together}{_NOTHING_WRITTEN}"
