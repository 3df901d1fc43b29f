"""Text of others as a person may be shown it: of bounded length, and without what a terminal obeys."""

from __future__ import annotations

import unicodedata

from schemas.foreign_text import one_line, printable

__all__ = ["control_character", "shown_text"]


def shown_text(text: str, most: int, *, keep_lines: bool = False) -> str:
    r"""Return a text without control characters, shortened in its middle where it is long.

    Parameters
    ----------
    text : str
        What a file, a table or a library says.
    most : int
        The characters that are shown.
    keep_lines : bool
        Leave line feeds as they are.

    Examples
    --------
    >>> print(shown_text("a\x1b[2Jb", 20))
    a\x1b[2Jb
    >>> shown_text("0123456789", 7)
    '012...9'
    """
    if len(text) > most:
        tail = most // 4
        text = f"{text[: most - tail - 3]}...{text[len(text) - tail :]}"
    return printable(text) if keep_lines else one_line(text)


def control_character(text: str, allowed: str = "") -> str | None:
    """Return in words the first character that no name or text of a study has, None where there is none.

    Parameters
    ----------
    text : str
        What a person writes.
    allowed : str
        Control characters that it may have, such as line feeds.
    """
    if text.isprintable():
        return None
    for each in text:
        if each not in allowed and unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp"):
            return f"a control character (U+{ord(each):04X})"
        if unicodedata.bidirectional(each) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"):
            return f"a character that turns the direction of writing (U+{ord(each):04X})"
    return None
