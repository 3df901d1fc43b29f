"""Categories as tables write them: the level of a list that a cell stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

__all__ = ["EVERY_OTHER", "Levels", "level_of", "levels_fault", "listed", "side_of", "whole_number_text"]

EVERY_OTHER: Final = "*"
"""Stands for every level that the other side does not have."""

_Level = Annotated[str, StringConstraints(min_length=1)]


def _one_or_several(value: Any, checked: ValidatorFunctionWrapHandler) -> Any:
    try:
        return checked(value)
    except ValidationError:
        raise ValueError('give a level as text, or a list of levels: ["A", "B"]') from None


Levels = Annotated[
    str | Annotated[tuple[_Level, ...], Field(min_length=1, max_length=1_000)], WrapValidator(_one_or_several)
]
"""A level of a column, or several that count alike."""

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")


def whole_number_text(cell: str) -> str:
    """Return a whole number without its decimals, any other cell as it is: ``1.0`` is ``1``, ``007`` stays ``007``."""
    match = _WHOLE.fullmatch(cell)
    return match[1] if match else cell


def level_of(cell: str, levels: Sequence[str]) -> str | None:
    """Return the level that a cell stands for, None where it is none.

    Parquet, and CSV that was made from a column with empty cells, write whole numbers as ``1.0``: they stand for the
    level ``1``, and ``1`` for a level ``1.0``.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.
    levels : sequence of str
        The levels as the study file writes them.
    """
    if cell in levels:
        return cell
    whole = whole_number_text(cell)
    return next((level for level in levels if whole_number_text(level) == whole), None)


def listed(levels: Levels) -> tuple[str, ...]:
    """Return levels as a tuple, though it may be one."""
    return (levels,) if isinstance(levels, str) else levels


def levels_fault(positive: Levels, negative: Levels) -> str | None:
    """Return what is wrong with the levels of two sides, None where each cell can be of one side alone."""
    if EVERY_OTHER in listed(positive):
        return f"'{EVERY_OTHER}' stands for every other level, and only negative may be that"
    if EVERY_OTHER in listed(negative) and negative != EVERY_OTHER:
        return f"'{EVERY_OTHER}' stands for every other level, and for no more beside levels"
    both = [each for each in listed(negative) if level_of(each, listed(positive)) is not None]
    return f"level '{both[0]}' is positive and negative" if both else None


def side_of(cell: str, positive: Levels, negative: Levels) -> bool | None:
    """Return whether a cell is of the positive side (True) or the negative one (False), None where it is of neither.

    Where the negative ones are every other level, a cell that differs from a positive one in capitals or blanks alone
    is of neither: it is probably that one, misspelt.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.
    positive, negative : str or tuple of str
        The levels of each side; ``*`` for every other one.

    Examples
    --------
    >>> side_of("late", "early", "*"), side_of("Early", "early", "*")
    (False, None)
    """
    if level_of(cell, listed(positive)) is not None:
        return True
    if negative != EVERY_OTHER:
        return False if level_of(cell, listed(negative)) is not None else None
    return None if _folded(cell) in map(_folded, listed(positive)) else False


def _folded(text: str) -> str:
    return "".join(text.casefold().split())
