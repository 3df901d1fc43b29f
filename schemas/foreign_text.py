r"""Words of others in what we write: shown as they are, and taken for nothing else.

A title, a patient's id, a level or a file's name may hold what a terminal, a Markdown reader or a spreadsheet obeys.
Each has its own rule here; pages escape by their templates, JSON and Parquet need none.

Examples
--------
>>> printable("red \x1b[31m")
'red \\x1b[31m'
>>> markdown_text("# Approved <b>")
'\\# Approved \\<b>'
>>> sheet_text("=1+1")
"'=1+1"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "begins_like_a_formula",
    "json_printable",
    "markdown_text",
    "markdown_words",
    "one_line",
    "printable",
    "sheet_text",
    "without_folders",
]

# Control characters but line feed and tab; what changes the direction of text or cannot be seen; halves of characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""Return a text as a terminal may have it: what it would obey, or not show, stands there as its code, ``\x1b``."""
    return _UNPRINTABLE.sub(lambda found: _code(ord(found[0])), text)


def one_line(text: str) -> str:
    r"""Return a printable text as one line: a line break or a tab in it is shown as ``\n`` or ``\t``."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def json_printable(text: str) -> str:
    r"""Return JSON that says the same and that a terminal may have: characters by their code, ``\u001b``."""
    return _UNPRINTABLE.sub(lambda found: _json_code(ord(found[0])), text)


def _code(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_code(number: int) -> str:
    if number < 0x10000:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


# UCUM writes arbitrary units in brackets, and [IU]/mL is no link.
_UNIT = r"\[(?![xX]\])[A-Za-z][\w']*\](?![(\[:])"
_INSIDE_A_NAME = r"(?<=[^\W_])_+(?=[^\W_])"
_MARKS = re.compile(
    rf"(?P<kept>{_UNIT}|{_INSIDE_A_NAME})"
    r"|(?P<mark>[\\`*_<\[\]|~$]|&(?=#?\w+;)|(?<=:)/(?=/)|(?<=[\w.+-])@(?=[\w-]+\.\w)|(?<=\bwww)\.)",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?:(?P<sign>[#>+=-])|(?P<number>\d+)(?P<stop>[.)])(?=\s|$))")


def markdown_text(text: str) -> str:
    """Return a text that Markdown shows as it is: one line, no heading, tag, link, image, table, list or code."""
    # What splits lines elsewhere is white space like any other here.
    flat = printable(" ".join(text.split()))
    marked = _MARKS.sub(lambda found: found["kept"] or "\\" + found["mark"], flat)
    return _OPENING.sub(
        lambda found: f"\\{found['sign']}" if found["sign"] else f"{found['number']}\\{found['stop']}", marked
    )


def markdown_words(value: Any) -> Any:
    """Return a value whose texts, names of mappings too, are as Markdown shows them; numbers stay what they are."""
    if isinstance(value, str):
        return markdown_text(value)
    if isinstance(value, Mapping):
        return {markdown_words(name): markdown_words(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(markdown_words(each) for each in value)
    return value


# The last four are full-width: a spreadsheet may take them for the first.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def begins_like_a_formula(text: str) -> bool:
    """Return whether a spreadsheet may run a cell: it begins with = + - @, tab or line break, and is no number.

    One that has quotes in front of that counts too, so that `sheet_text` can be undone.
    """
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def sheet_text(text: str) -> str:
    """Return a cell's text as a spreadsheet takes it for text: where it begins like a formula, with a quote in front.

    To undo it, take one quote away from a cell that begins with quotes and then one of those characters.
    """
    return f"'{text}" if begins_like_a_formula(text) else text


_FOLDERS = re.compile(r"(?<![\w/.:<])(?:[A-Za-z]:\\(?:[^\s\\'\"<>|]+\\)+|/(?:[^\s/'\"<>]+/)+)(?=[^\s/])")


def without_folders(text: str) -> str:
    """Return a text in which absolute paths are names of files: a page that is passed on tells nobody's folders."""
    return _FOLDERS.sub("\u2026/", text)
