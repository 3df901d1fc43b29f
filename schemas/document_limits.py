"""What a study file may hold before anything of it is looked at: its size, its depth, its texts and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.shown_text import control_character, shown_text

__all__ = ["DEPTH", "STUDY_FILE_BYTES", "document_faults", "text_fault"]

STUDY_FILE_BYTES: Final = 2_000_000
"""Of a study file: one that lists 50,000 columns has one million."""

DEPTH: Final = 12
"""Of tables and lists within each other: no key of a study file lies half as deep."""

_LARGEST = 2**63
_NAMES = 20_000
_LONGEST_NAME = 200
_LONGEST_TEXT = 20_000
_DEEP_NAME = re.compile(r"""(?<![\w-])(?:(?>[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){50}""")
_DEEP_LIST = re.compile(r"(?:[\[{][ \t\r\n]*){50}")
_LINES = "\n\r\t"  # of a heading in a spreadsheet, or of a description

Path = tuple[int | str, ...]


def text_fault(text: str) -> tuple[int, str] | None:
    """Return the line and the fault of a text that is refused before it is read as TOML, None where it is not."""
    if len(text) > STUDY_FILE_BYTES:
        return 1, f"a study file has at most {STUDY_FILE_BYTES / 1e6:.0f} MB"
    for pattern, what in ((_DEEP_NAME, "a name of 50 parts and more"), (_DEEP_LIST, "50 brackets in a row")):
        if found := pattern.search(text):
            return text.count("\n", 0, found.start()) + 1, f"{what}: no table of a study file is so deep"
    return None


def document_faults(document: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the place and the fault of each name and value that no key of a study file may have.

    Parameters
    ----------
    document : dict
        What TOML gives.
    """
    waiting: list[tuple[Path, Any]] = [((), document)]
    names = 0
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            names += len(value)
            if names > _NAMES:
                yield (), f"it has more than {_NAMES:,} keys"
                return
            for name in value:
                if fault := _name_fault(name):
                    yield (*path, name), fault
        if isinstance(value, (dict, list)):
            if len(path) >= DEPTH:
                yield path[:DEPTH], f"tables and lists are nested more than {DEPTH} deep"
                continue
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [((*path, key), each) for key, each in items]
        elif fault := _value_fault(value):
            yield path, fault


def _name_fault(name: str) -> str | None:
    if len(name) > _LONGEST_NAME:
        return f"a name has at most {_LONGEST_NAME} characters"
    return None if (control := control_character(name)) is None else f"a name with {control}"


def _value_fault(value: Any) -> str | None:
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return f"a text has at most {_LONGEST_TEXT:,} characters"
        control = control_character(value, _LINES)
        return None if control is None else f"a text with {control}: '{shown_text(value, 80)}'"
    if isinstance(value, float) and not math.isfinite(value):
        return "Input should be a finite number"
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return "Input should be a whole number of at most 64 bits"
    return None
