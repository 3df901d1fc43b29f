"""Words and values as a drafted study file has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from flows.study_draft import undecided
from schemas.foreign_text import one_line

__all__ = ["DECIDE", "comment", "comment_lines", "listed", "quoted", "toml_list"]

DECIDE: Final = f"{undecided.DECIDE}: "
"""The mark of what a person decides."""

_LISTED = 12
_WIDTH = 118


def quoted(text: str) -> str:
    """Return a text as TOML has it."""
    # What JSON escapes, a basic string of TOML reads; DEL is the one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_list(texts: Iterable[str]) -> str:
    """Return texts as a list of TOML."""
    return f"[{', '.join(map(quoted, texts))}]"


def comment(text: str) -> str:
    """Return a text of others as the rest of a line: a line break in it would begin a key."""
    return one_line(text)


def listed(texts: Iterable[str]) -> str:
    """Return the first of some texts, quoted, and how many there are more."""
    every = list(texts)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(quoted(each) for each in every[:_LISTED]) + more


def comment_lines(words: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield comments with words and all of some texts, quoted; nothing where there are none."""
    every = [quoted(each) for each in texts]
    line = f"# {words}:"
    for number, each in enumerate(every, start=1):
        part = f" {each}{',' * (number < len(every))}"
        if len(line) + len(part) > _WIDTH:
            yield line
            line = "#"
        line += part
    if every:
        yield line
