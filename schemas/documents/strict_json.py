"""JSON from elsewhere, read by the letter: no key twice, no NaN, no number or nesting beyond what a document needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

__all__ = ["strict_json"]

_MOST_DIGITS = 25
"""Of a whole number: 64 bits have 20 digits."""
_MOST_PARTS = 1_000_000
"""Lists and objects: each takes two bytes to write, and seventy in memory."""


def strict_json(content: bytes | str, *, deepest: int = 64) -> Any:
    """Return what a JSON text says, where it says it in one way only.

    Python's own reader takes the last of two equal keys, ``NaN``, ``1e999`` and UTF-16, and leaves half of a surrogate
    pair in a string, which no terminal and no file can hold.

    Parameters
    ----------
    content : bytes or str
        The text; bytes are UTF-8.
    deepest : int, optional
        How many lists and objects may stand in each other.

    Raises
    ------
    ValueError
        If the text is no such JSON; the message is a phrase that says why.
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        if text.count("[") + text.count("{") > _MOST_PARTS:
            raise ValueError(f"it has more than {_MOST_PARTS} lists and objects")
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_whole, parse_float=_finite
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise ValueError("it holds characters that UTF-8 does not have") from error
    except RecursionError as error:
        raise ValueError(f"it is nested more than {deepest} deep") from error
    _refuse_depth(value, deepest)
    return value


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{twice[:60]}' stands in it twice")
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number in it has {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number in it is infinite")
    return number


def _refuse_depth(value: Any, deepest: int) -> None:
    level = [value]
    for _ in range(deepest + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    raise ValueError(f"it is nested more than {deepest} deep")
