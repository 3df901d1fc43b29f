"""The line of a TOML document that a key stands on, so that an error can name it.

The standard library's parser gives values without positions. This scanner follows table headers,
arrays of tables, dotted keys and multi-line values; an inline table's keys have their parent's line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["line_of"]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")

Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the 1-based line on which ``path`` is written, or its nearest written parent's.

    Parameters
    ----------
    text : str
        The TOML document.
    path : sequence of str or int
        Keys and array positions from the root, as pydantic gives them in ``loc``.
    """
    lines = dict(_positions(text))
    wanted = tuple(path)
    while wanted:
        if wanted in lines:
            return lines[wanted]
        wanted = wanted[:-1]
    return 1


def _positions(text: str) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    counts: dict[Path, int] = {}
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if inside is not None:
            if inside in line:
                inside = None
            continue
        if header := _HEADER.match(line):
            table = _resolved(_parts(header[2]), counts, is_array=header[1] == "[[")
            yield table, number
            if table and isinstance(table[-1], int) and table[-1] == 0:
                yield table[:-1], number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                inside = quotes


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolved(header: Path, counts: dict[Path, int], *, is_array: bool) -> Path:
    """Return a header's path with the position in each array of tables on the way."""
    path: Path = ()
    for depth, part in enumerate(header):
        path = (*path, part)
        if is_array and depth == len(header) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
