"""Path patterns of a study file: text and plain fields, and nothing that a field could be told to do.

``str.format`` is not used on what a person writes: a width pads a reading to gigabytes, attributes and nested fields
reach what no pattern is about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from schemas.shown_text import control_character
from schemas.written.object_urls import is_url, url_fault

__all__ = ["PATTERN_FIELDS", "PatternPart", "filled_pattern", "pattern_fault", "pattern_parts"]

PATTERN_FIELDS: Final = ("patient", "exam", "phase", "lesion", "reader", "reading")

_FIELD = re.compile(r"\{(" + "|".join(PATTERN_FIELDS) + r")\}")
_LIKE_A_FIELD = re.compile(r"\{[^{}]*\}?")
_LONGEST_PART = 255
_LONGEST = 4096
_LONGEST_KEY = 1024
_SHOWN = 40
_ALLOWED = f"known are {', '.join(f'{{{name}}}' for name in PATTERN_FIELDS)}, each as it stands here"


class PatternPart(NamedTuple):
    """A piece of a pattern."""

    text: str
    """The text, or the field's name."""
    is_field: bool


def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern, None where it is one.

    Parameters
    ----------
    pattern : str
        As the study file writes it.

    Examples
    --------
    >>> pattern_fault("images/{patient}_{phase}.nii.gz") is None
    True
    >>> pattern_fault("s3://bucket/{patient}/{phase}.nii.gz?region=eu-central-1") is None
    True
    >>> print(pattern_fault("images/{patient:>9}.nii").partition(";")[0])
    unknown field {patient:>9}
    """
    rest = _FIELD.sub("", pattern)
    if "{" in rest or "}" in rest:
        return _brace_fault(pattern, rest)
    if not pattern.strip():
        return "a pattern has the path of a file"
    if "\0" in pattern:
        return "it has a character that no path has (NUL)"
    if control := control_character(pattern):
        return f"it has {control}"
    if "\\" in pattern:
        return "it has a backslash: write / between folders"
    if is_url(pattern):
        return _url_pattern_fault(pattern)
    if "*" in pattern or "?" in pattern:
        return f"it has a wildcard, and a pattern names one file; {_ALLOWED}"
    if pattern.startswith("~"):
        return "~ is not replaced by a home folder: write the folder out"
    literals = _FIELD.sub("", pattern)
    if len(os.fsencode(literals)) > _LONGEST:
        return f"it is longer than a path may be ({_LONGEST} bytes)"
    if any(len(os.fsencode(part)) > _LONGEST_PART for part in literals.split("/")):
        return f"a part of it is longer than a name may be ({_LONGEST_PART} bytes)"
    return None


@cache
def pattern_parts(pattern: str) -> tuple[PatternPart, ...]:
    """Return the pieces of a pattern without fault, in order.

    Raises
    ------
    ValueError
        With the fault of one that has any.
    """
    if fault := pattern_fault(pattern):
        raise ValueError(fault)
    pieces = _FIELD.split(pattern)
    return tuple(PatternPart(text, bool(at % 2)) for at, text in enumerate(pieces) if text)


def filled_pattern(pattern: str, values: Mapping[str, str | int]) -> str:
    """Return the path, or the URL, that a pattern without fault gives.

    Parameters
    ----------
    pattern : str
        The pattern.
    values : mapping of str to str or int
        What stands for each field: keys by their own rules, which have no ``/``.

    Raises
    ------
    ValueError
        With the fault of a pattern that has any, and where a value would lead into another folder or end a URL's key.
    """
    texts, ends_a_key = [], is_url(pattern)
    for part in pattern_parts(pattern):
        text = str(values[part.text]) if part.is_field else part.text
        if part.is_field and ("/" in text or "\0" in text or text in (".", "..")):
            raise ValueError(f"'{text}' is no part of a file's name")
        if part.is_field and ends_a_key and "?" in text:
            raise ValueError(f"'{text}' is no part of a URL: it has a question mark")
        texts.append(text)
    return "".join(texts)


def _brace_fault(pattern: str, rest: str) -> str:
    unknown = next(iter(_LIKE_A_FIELD.findall(rest)), "}")
    if not unknown.endswith("}") or unknown == "}":
        return f"it has a brace that belongs to no field; {_ALLOWED}"
    shown = unknown if len(unknown) <= _SHOWN else f"{unknown[:_SHOWN]}..."
    return f"unknown field {shown}; {_ALLOWED}"


def _url_pattern_fault(pattern: str) -> str | None:
    if fault := url_fault(pattern):
        return fault
    place = pattern.partition("?")[0]
    if "*" in place:
        return f"it has a wildcard, and a pattern names one file; {_ALLOWED}"
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    if len(_FIELD.sub("", place).encode()) > _LONGEST_KEY:
        return f"it is longer than a key may be ({_LONGEST_KEY} bytes)"
    return None
