"""Columns that say yes or no, or whose levels are positive or negative: an outcome, an event, who has a reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.nearest import nearest_words
from schemas.shown_text import shown_text
from schemas.written.levels import EVERY_OTHER, Levels, listed, side_of

__all__ = ["TwoSides"]

_YES: Final = frozenset({"yes", "true", "1", "1.0", "y"})
_NO: Final = frozenset({"no", "false", "0", "0.0", "n", ""})
_SHOWN_LEVELS = 8
_SHOWN_OF_LEVEL = 40


@dataclass(frozen=True)
class TwoSides:
    """A column of a table of which each cell is of one of two sides."""

    table: TextTable
    column: str
    under: str
    """The table of the study file that names the column."""
    positive: Levels | None = None
    """The levels of one side; the words for yes where absent."""
    negative: Levels | None = None
    """Those of the other; ``*`` for every other one, the words for no and an empty cell where absent."""
    key: str = "positive"
    """The key that gives the positive levels; negative ones have a key where it is this."""

    def is_positive(self, line: int, row: Mapping[str, str]) -> bool:
        """Return whether a row's cell is of the positive side.

        Raises
        ------
        ContractError
            Where it is of neither; the hint has the levels of the column.
        """
        cell = row[self.column]
        if self.positive is None or self.negative is None:
            if cell.lower() not in _YES | _NO:
                raise self._fault(line, f"'{cell}' is neither yes nor no")
            return cell.lower() in _YES
        found = side_of(cell, self.positive, self.negative)
        if found is None:
            levels = [*listed(self.positive), *(() if self.negative == EVERY_OTHER else listed(self.negative))]
            near = nearest_words(cell, levels)
            said = f"is neither {_sides(self.positive, self.negative)}"
            if self.negative == EVERY_OTHER:
                said = f"differs from a level of {self.key} in capitals or blanks only"
            raise self._fault(line, f"'{cell}' {said}{near}")
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Return which levels each side has in how many rows, where those of one are every other."""
        if self.positive is None or self.negative != EVERY_OTHER:
            return ()
        there: dict[bool, list[tuple[str, int]]] = {True: [], False: []}
        for level, number in self._levels:
            there[side_of(level, self.positive, self.negative) is True].append((level, number))
        no = _counted(there[False]) or "no level"
        if not there[True]:
            return (f"column '{self.column}' has no {_quoted(self.positive)}, and every level is a no: {no}",)
        return (f"column '{self.column}': {_counted(there[True])} is a yes, every other level a no: {no}",)

    @cached_property
    def _levels(self) -> list[tuple[str, int]]:
        return self.table.levels(self.column)

    @cached_property
    def _hint(self) -> str:
        there = self._levels
        if not there:
            return "correct the table and run the command again"
        # An event is the rarer one of two, more often than not.
        such = f'{self.key} = "{shown_text(there[-1][0], _SHOWN_OF_LEVEL)}", or a list of levels'
        if self.key == "positive":
            other = f'"{shown_text(there[0][0], _SHOWN_OF_LEVEL)}", or ' if len(there) == 2 else ""
            such += f', and negative = {other}"{EVERY_OTHER}" for every other level'
        return (
            f"column '{self.column}' has {_counted(there)}; correct the table, or say under {self.under} which of them "
            f"is a yes, such as {such}"
        )

    def _fault(self, line: int, message: str) -> ContractError:
        return self.table.fault(line, self.column, message, self._hint)


def _sides(positive: Levels, negative: Levels) -> str:
    return f"{_quoted(positive)} nor {_quoted(negative)}"


def _quoted(levels: Levels) -> str:
    shown = [f"'{each}'" for each in listed(levels)]
    return ", ".join(shown[:_SHOWN_LEVELS]) + (", ..." if len(shown) > _SHOWN_LEVELS else "")


def _counted(levels: list[tuple[str, int]]) -> str:
    more = f" and {len(levels) - _SHOWN_LEVELS} more levels" if len(levels) > _SHOWN_LEVELS else ""
    shown = (f"'{shown_text(level, _SHOWN_OF_LEVEL)}' ({number})" for level, number in levels[:_SHOWN_LEVELS])
    return ", ".join(shown) + more
