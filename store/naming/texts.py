"""Texts that people give to what they name: short, and of one line."""

from __future__ import annotations

from schemas.errors import UsageError

__all__ = ["refuse_text"]


def refuse_text(what: str, text: str, most: int) -> None:
    """Refuse a text that is too long, or has a line break or another character that is not shown.

    Raises
    ------
    UsageError
        Where it is.
    """
    if len(text) > most:
        raise UsageError(f"{what} has {len(text)} characters", hint=f"at most {most}")
    if not text.isprintable():
        raise UsageError(f"{what} has a line break, or another character that is not shown", hint="one line of text")
