"""The names that a misspelt one may stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

__all__ = ["nearest_names", "nearest_words"]

_COMPARED = 5_000  # a name is compared with every other one
_LONGEST = 100  # in time that grows with the square of its length


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Return at most three names that are written nearly so, or else that have it for one of their words."""
    if len(name) > _LONGEST:
        return []
    known = {each.casefold(): each for each in islice(names, _COMPARED) if len(each) <= _LONGEST}
    near = get_close_matches(name.casefold(), known)
    near = near or [each for each in known if name.casefold() in re.split(r"[^a-z0-9]+", each)][:3]
    return [known[each] for each in near]


def nearest_words(name: str, names: Iterable[str]) -> str:
    """Return the nearest names as the end of a message, empty where there are none."""
    near = nearest_names(name, names)
    return f"; nearest: {', '.join(near)}" if near else ""
