"""Patients who have images and are not in the cohort table: named, for a table that lost a row says nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from flows.remote.faults import BucketError
from flows.remote.objects import names_below
from flows.study.patients import CohortPatient
from flows.tables.patient_ids import KnownIds
from schemas.study.file import Study
from schemas.study.path_patterns import pattern_parts
from schemas.written.object_urls import is_url, object_url

__all__ = ["unlisted_patients"]

_LOOKED_AT = 20_000
_PSEUDONYM = r"[A-Za-z0-9][A-Za-z0-9._:-]*"
_NAMED = 5


class _Pattern(NamedTuple):
    phase: str
    expression: re.Pattern[str]
    parts: tuple[str | re.Pattern[str], ...]
    """What each part of the path is, from the root on: a name, or what it may be."""
    is_image: bool
    literal: int
    """How many characters it fixes: of two patterns that fit a file the one that fixes more is meant."""
    url: str | None
    """The pattern itself where it is a URL."""


def unlisted_patients(study: Study, folder: Path, patients: Iterable[CohortPatient]) -> tuple[str, ...]:
    """Return a sentence for each phase in which files of patients lie who are not in the cohort table.

    Parameters
    ----------
    study : Study
        The study.
    folder : Path
        Where the study file lies, to which path patterns are relative.
    patients : iterable of CohortPatient
        The cohort.
    """
    patterns = [
        _pattern(folder, name, pattern, is_image=is_image)
        for name, phase in study.phases.items()
        for pattern, is_image in ((phase.image, True), (phase.mask, False))
        if "{patient}" in pattern
    ]
    written = [each.written for each in patients]
    known = KnownIds(written)
    found: dict[tuple[str, ...], list[str]] = {}
    for each in patterns:
        if each.is_image:
            strangers = _strangers(each, patterns, frozenset(written))
            if strangers:
                found.setdefault(strangers, []).append(each.phase)
    sentences = []
    for names, phases in found.items():
        who = "1 patient has" if len(names) == 1 else f"{len(names)} patients have"
        are = f"an image of phase {', '.join(phases)} and {'is' if len(names) == 1 else 'are'} not in the cohort table"
        if study.privacy is not None:
            sentences.append(f"{who} {are}")
            continue
        shown = [f"{name} (the table has {known.like(name)})" if known.like(name) else name for name in names[:_NAMED]]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        sentences.append(f"{who} {are}: {', '.join(shown)}{more}")
    return tuple(sentences)


def _pattern(folder: Path, phase: str, pattern: str, *, is_image: bool) -> _Pattern:
    # A pattern may climb out of the folder; what is compared are plain absolute paths, of a URL bucket and key. No path
    # has a NUL: it marks where the fields are, for a folder's own name may have braces.
    url = pattern if is_url(pattern) else None
    marked = "".join(
        f"\0{text}\0" if is_field and text != "phase" else phase if is_field else text
        for text, is_field in pattern_parts(pattern)
    )
    whole = f"/{object_url(marked).place}" if url is not None else os.path.normpath(folder / marked)
    expression, literal, seen = "", 0, False
    for at, text in enumerate(whole.split("\0")):
        if at % 2 == 0:
            expression += re.escape(text)
            literal += len(text)
        elif text == "patient" and not seen:
            expression += f"(?P<patient>{_PSEUDONYM})"
            seen = True
        else:
            expression += "(?P=patient)" if text == "patient" else "[^/]+"
    parts = tuple(_part(each) for each in whole.split("/") if each)
    return _Pattern(phase, re.compile(expression), parts, is_image, literal, url)


def _part(marked: str) -> str | re.Pattern[str]:
    pieces = marked.split("\0")
    if len(pieces) == 1:
        return marked
    return re.compile("".join(_PSEUDONYM if at % 2 else re.escape(text) for at, text in enumerate(pieces)))


def _strangers(pattern: _Pattern, patterns: Sequence[_Pattern], known: frozenset[str]) -> tuple[str, ...]:
    found = set()
    for file in _files(pattern.parts) if pattern.url is None else _keys(pattern.parts, pattern.url):
        match = pattern.expression.fullmatch(file)
        if match is None or match["patient"] in known:
            continue
        # {patient}.nii.gz fits A_mask.nii.gz too, which is another pattern's file.
        if not any(other.literal > pattern.literal and other.expression.fullmatch(file) for other in patterns):
            found.add(match["patient"])
    return tuple(sorted(found))


def _files(parts: Sequence[str | re.Pattern[str]]) -> Iterator[str]:
    """Yield the paths whose parts fit, of so many entries that a pattern over a whole disk ends soon."""
    left = _LOOKED_AT
    waiting = [("", 0)]
    while waiting:
        at, depth = waiting.pop()
        if depth == len(parts):
            yield at
            continue
        part = parts[depth]
        if isinstance(part, str):  # not listed: the folder may be large, or one may be in it without seeing it
            if os.path.lexists(f"{at}/{part}"):
                waiting.append((f"{at}/{part}", depth + 1))
            continue
        with suppress(OSError), os.scandir(at or "/") as entries:
            for entry in islice(entries, left):
                left -= 1
                if part.fullmatch(entry.name):
                    waiting.append((f"{at}/{entry.name}", depth + 1))


def _keys(parts: Sequence[str | re.Pattern[str]], url: str) -> Iterator[str]:
    """Yield bucket and key of the objects, and of folders of them, whose parts fit, as paths."""
    left = _LOOKED_AT
    waiting = [("", 0)]
    while waiting:
        at, depth = waiting.pop()
        if depth == len(parts):
            yield at
            continue
        part = parts[depth]
        if isinstance(part, str) and depth < len(parts) - 1:  # not asked for: no folder of a bucket is missing
            waiting.append((f"{at}/{part}", depth + 1))
            continue
        # Who may read objects and not list them hears nothing of others.
        with suppress(BucketError):
            found = names_below(url, at.removeprefix("/"))[: max(left, 0)]
            left -= len(found)
            fits = [name for name, _ in found if (part == name if isinstance(part, str) else part.fullmatch(name))]
            waiting += [(f"{at}/{name}", depth + 1) for name in fits]
