"""Where free text names a patient, and the same text without the pseudonym."""

from __future__ import annotations

import json
import re
from typing import Any

from schemas.keys import canonical_json

__all__ = ["ERASED", "is_named_in", "mention_of", "without_patient"]

ERASED = "[erased]"

# What a pseudonym may consist of besides letters and digits: "P1.5" is not "P1".
_PART = r"[A-Za-z0-9._:-]"
_BY_PATIENT = ("excluded", "patients", "probabilities")


def mention_of(patient: str) -> re.Pattern[str]:
    """Return what matches a pseudonym in free text, as a word of its own.

    A pseudonym of digits alone is read as one only in quotes, behind the word patient, or before a slash, as
    messages and keys of masks write it: elsewhere it is a number.
    """
    own = re.escape(patient)
    # A full stop or colon behind it ends a sentence; with a letter behind, it is part of a longer pseudonym.
    word = rf"(?<!{_PART}){own}(?![A-Za-z0-9_-])(?![.:]+[A-Za-z0-9])"
    if not patient.isdigit():
        return re.compile(word)
    return re.compile(rf"(?<=['\"]){own}(?=['\"])|(?<=[Pp]atient ){own}(?![A-Za-z0-9_-])|(?<!{_PART}){own}(?=/)")


def is_named_in(value: Any, patient: str) -> bool:
    """Return whether a JSON value has the pseudonym as a text or a key, or names it in a text."""
    return bool(value != _stripped(value, patient, mention_of(patient), "patients"))


def without_patient(text: str, patient: str) -> str:
    """Return a text, or JSON as text, without a patient: entries under the pseudonym go, mentions are replaced."""
    pattern = mention_of(patient)
    try:
        value = json.loads(text)
    except ValueError:
        return pattern.sub(ERASED, text)
    if not isinstance(value, (dict, list)):
        return pattern.sub(ERASED, text)
    stripped = _stripped(value, patient, pattern, "")
    return text if stripped == value else canonical_json(stripped)


def _stripped(value: Any, patient: str, pattern: re.Pattern[str], within: str) -> Any:
    # A pseudonym of digits may be a key or a text of another meaning, but for where patients are listed.
    is_patient = not patient.isdigit() or within in _BY_PATIENT
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not (is_patient and name == patient)}
        return {
            pattern.sub(ERASED, name): _stripped(each, patient, pattern, within if within == "patients" else name)
            for name, each in kept.items()
        }
    if isinstance(value, list):
        return [_stripped(each, patient, pattern, within) for each in value if not (is_patient and each == patient)]
    return pattern.sub(ERASED, value) if isinstance(value, str) else value
