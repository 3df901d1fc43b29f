"""Categories as tables write them: the level of a list that a cell stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["level_of", "whole_number_text"]

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
