"""Numbers, units and names as a page prints them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import PurePath
from typing import Any

__all__ = [
    "compact",
    "decimals",
    "duration",
    "facts",
    "moment",
    "p_value",
    "p_words",
    "percent",
    "plural",
    "readable_name",
    "readable_unit",
    "readable_variable",
]

EN_DASH, MINUS, NO_BREAK = "\u2013", "\u2212", "\u00a0"
_SUPERSCRIPTS = str.maketrans("0123456789-", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b")
_UNITS = {"a": "years", "mo": "months", "wk": "weeks", "d": "days", "1": ""}


def decimals(value: float | None, digits: int = 3) -> str:
    """Return a number with fixed decimals and a true minus sign, an en dash where there is none."""
    if value is None:
        return EN_DASH
    text = f"{value:.{digits}f}"
    # Rounded to zero, a number has no sign.
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", MINUS)


def compact(value: float | None) -> str:
    """Return a measured value with three figures: 0.215, 5.72, 38.4, 1250."""
    if value is None:
        return EN_DASH
    magnitude = abs(value)
    digits = 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2 if magnitude >= 1 or value == 0 else 3
    return f"{value:.{digits}f}".replace("-", MINUS)


def p_value(value: float | None) -> str:
    """Return a p value with three decimals, ``<0.001`` below that."""
    if value is None:
        return EN_DASH
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_words(value: float) -> str:
    """Return a p value within a sentence: ``p < 0.001``, ``p = 0.012``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def percent(part: float, whole: float) -> str:
    """Return a share in whole per cent, an en dash where there is no whole."""
    return f"{100 * part / whole:.0f}{NO_BREAK}%" if whole else EN_DASH


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return a count with its noun: ``1 patient``, ``2 patients``, ``no patients``."""
    words = noun if count == 1 else many or f"{noun}s"
    return f"{count or 'no'} {words}"


def readable_name(name: str) -> str:
    """Return a name of the store as words: ``early_recurrence`` -> ``early recurrence``."""
    return name.replace("_", " ")


def readable_variable(variable: str, unit: str | None) -> str:
    """Return a variable or factor as words, without the unit: ``diameter_mm>50`` -> ``diameter > 50``."""
    if unit:
        variable = re.sub(rf"_{re.escape(unit)}(?=[>=]|$)", "", variable, flags=re.IGNORECASE)
    return readable_name(re.sub(r"\s*([>=])\s*", r" \1 ", variable))


def readable_unit(unit: str | None) -> str:
    """Return a UCUM unit as people write it: ``umol/L`` -> ``µmol/L``, ``10*9/L`` -> ``10⁹/L``, ``1`` -> nothing."""
    if unit is None:
        return ""
    text = _UNITS.get(unit, unit).replace("[IU]", "IU")
    text = re.sub(r"^u(?=[a-zA-Z])", "\u00b5", text)
    text = re.sub(r"10\*(-?\d+)", lambda match: "10" + match[1].translate(_SUPERSCRIPTS), text)
    return re.sub(r"(?<=[a-z])([23])$", lambda match: match[1].translate(_SUPERSCRIPTS), text)


def moment(timestamp: str | datetime | None) -> str:
    """Return a stored time to the minute: ``2026-11-23T06:29:09.773+00:00`` -> ``2026-11-23 06:29 UTC``.

    What a view gives as a TIMESTAMP is UTC.
    """
    if not timestamp:
        return EN_DASH
    if isinstance(timestamp, datetime):
        return f"{timestamp:%Y-%m-%d %H:%M} UTC"
    return timestamp[:16].replace("T", " ") + (" UTC" if timestamp.endswith(("+00:00", "Z")) else "")


def duration(seconds: float | None) -> str:
    """Return how long something took: ``0.3 s``, ``2 min 24 s``, ``1 h 5 min``; an en dash where it has not ended."""
    if seconds is None:
        return EN_DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def facts(text: str | None) -> str:
    """Return a run's JSON object as one line: ``{"failed":0,"masks":675}`` -> ``failed 0, masks 675``."""
    pairs: dict[str, Any] = json.loads(text) if text else {}
    return ", ".join(f"{readable_name(name)} {_plain(value)}" for name, value in pairs.items()) or EN_DASH


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    text = str(value)
    # Of a file that was read, its name: folders are nobody's business who reads a page.
    return PurePath(text).name if text.startswith("/") else text
