"""The line of a TOML document that a key stands on, so that an error can name it.

The standard library's parser gives values without positions. This scanner walks a document that the
parser has accepted and notes where each key, table, and element of an array is written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["line_of"]

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+ | \#[^\n]*)
  | (?P<newline>\n)
  | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3}\"{0,2} | '{3}.*?'{3}'{0,2} | "(?:\\.|[^"\\])*" | '[^']*')
  | (?P<mark>[][{}=,.])
  | (?P<bare>[^][{}=,.#"'\s]+)
    """,
    re.VERBOSE | re.DOTALL,
)

Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the 1-based line on which ``path`` is written, or its nearest written parent's.

    A table that only the dotted names of others imply stands where the first of them does.

    Parameters
    ----------
    text : str
        The TOML document.
    path : sequence of str or int
        Keys and array positions from the root, as pydantic gives them in ``loc``.
    """
    wanted = tuple(path)
    if not wanted:
        return 1
    scan = _scan(text)
    while wanted:
        for lines in (scan.written, scan.implied):
            if wanted in lines:
                return lines[wanted]
        wanted = wanted[:-1]
    return 1


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


class _Scan:
    """The lines of all paths of a document: those written out, and those that longer ones imply."""

    def __init__(self, text: str) -> None:
        self.written: dict[Path, int] = {}
        self.implied: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # the last position in each array of tables
        self._tokens = [*_tokens(text), _Token("end", "", 1)]
        self._at = 0
        table: Path = ()
        while self._skipped_newlines().kind != "end":
            if self._next.text == "[" and self._next.kind == "mark":
                table = self._header()
            else:
                self._pair(table)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _taken(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _skipped_newlines(self) -> _Token:
        while self._next.kind == "newline":
            self._at += 1
        return self._next

    def _is_at(self, marks: str) -> bool:
        return self._next.kind in ("newline", "end") or (self._next.kind == "mark" and self._next.text in marks)

    def _header(self) -> Path:
        line = self._taken().line
        is_array = self._next.text == "["
        if is_array:
            self._taken()
        names = self._names()
        while not self._is_at(""):
            self._taken()
        path: Path = ()
        for depth, name in enumerate(names, start=1):
            path = (*path, name)
            if is_array and depth == len(names):
                self._tables[path] = self._tables.get(path, -1) + 1
                self.written.setdefault(path, line)
            if path in self._tables:
                path = (*path, self._tables[path])
            self.implied.setdefault(path, line)
        self.written.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._next.line
        path = table
        for name in self._names():
            path = (*path, name)
            self.implied.setdefault(path, line)
        self.written.setdefault(path, line)
        self._taken()  # the equals sign
        self._value(path)

    def _names(self) -> list[str]:
        names = [_unquoted(self._taken())]
        while self._next.text == "." and self._next.kind == "mark":
            self._taken()
            names.append(_unquoted(self._taken()))
        return names

    def _value(self, path: Path) -> None:
        opening = self._next.text if self._next.kind == "mark" else ""
        if opening not in ("[", "{"):
            while not self._is_at(",]}"):
                self._taken()
            return
        self._taken()
        position = 0
        while self._skipped_newlines().kind != "end":
            if self._next.kind == "mark" and self._next.text in ",]}":
                if self._taken().text != ",":
                    return
            elif opening == "{":
                self._pair(path)
            else:
                self.written[*path, position] = self._next.line
                self._value((*path, position))
                position += 1


@lru_cache(maxsize=2)
def _scan(text: str) -> _Scan:
    """Return a text's scan: a file with many faults is asked for as many lines."""
    return _Scan(text)


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "blank":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")


def _unquoted(token: _Token) -> str:
    return str(tomllib.loads(f"name = {token.text}")["name"]) if token.kind == "text" else token.text
