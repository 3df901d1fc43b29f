"""Lines of a study file that are marked for a person: a draft's guesses, which hold until somebody changes them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DECIDE", "undecided_lines", "undecided_notes"]

DECIDE: Final = "# to decide"
"""The mark at the end of a line, or in front of one that is commented out."""

_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')
_MARK = re.compile(rf"(?:^|(?<=\s)){DECIDE}\b")
_KEY = re.compile(r"(?:# )?([A-Za-z0-9_.-]+) *=|(?:# )?(\[+[^\]\n]{1,80}\]+)")
_NAMED = 20


def undecided_lines(text: str) -> dict[int, str]:
    """Return the lines of a study file that are marked, each with its key, empty where it has none.

    Parameters
    ----------
    text : str
        The study file's text.
    """
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        # The mark within a title is a word of it.
        if _MARK.search(_STRING.sub('""', line)):
            key = _KEY.match(line)
            found[number] = (key[1] or key[2]) if key else ""
    return found


def undecided_notes(text: str) -> tuple[str, ...]:
    """Return the note that lines are still marked, and which; none where there is no such line."""
    lines = undecided_lines(text)
    if not lines:
        return ()
    shown = [f"{number}{f' ({key})' if key else ''}" for number, key in lines.items()]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    are, stand = "lines of the study file are", "they stand"
    if len(shown) == 1:
        are, stand = "line of the study file is", "it stands"
    listed = f"{', '.join(shown[:_NAMED])}{more}"
    return (f"{len(shown)} {are} still marked `{DECIDE}`, and read as {stand}: {listed}",)
