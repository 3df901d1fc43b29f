"""Patients who have images and are not in the cohort table: named, for a table that lost a row says nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from flows.patient_ids import KnownIds
from flows.study_tables import CohortPatient
from schemas.study import Study

__all__ = ["unlisted_patients"]

_LOOKED_AT = 20_000
_NAMED = 5


class _Pattern(NamedTuple):
    phase: str
    wildcard: str
    expression: re.Pattern[str]
    is_image: bool
    literal: int
    """How many characters it fixes: of two patterns that fit a file the one that fixes more is meant."""


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
        shown = [f"{name} (the table has {known.like(name)})" if known.like(name) else name for name in names[:_NAMED]]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        who = "1 patient has" if len(names) == 1 else f"{len(names)} patients have"
        sentences.append(
            f"{who} an image of phase {', '.join(phases)} and {'is' if len(names) == 1 else 'are'} not in the cohort "
            f"table: {', '.join(shown)}{more}"
        )
    return tuple(sentences)


def _pattern(folder: Path, phase: str, pattern: str, *, is_image: bool) -> _Pattern:
    # A pattern may climb out of the folder; what is compared are plain absolute paths.
    whole = os.path.normpath(folder / pattern)
    wildcard, expression, literal = "", "", 0
    has_patient = False
    for text, field, _, _ in Formatter().parse(whole):
        wildcard += glob.escape(text)
        expression += re.escape(text)
        literal += len(text)
        if field == "phase":
            wildcard += glob.escape(phase)
            expression += re.escape(phase)
            literal += len(phase)
        elif field == "patient":
            wildcard += "*"
            expression += "(?P=patient)" if has_patient else r"(?P<patient>[A-Za-z0-9][A-Za-z0-9._:-]*)"
            has_patient = True
        elif field is not None:
            wildcard += "*"
            expression += r"[^/]+"
    return _Pattern(phase, wildcard, re.compile(expression), is_image, literal)


def _strangers(pattern: _Pattern, patterns: Sequence[_Pattern], known: frozenset[str]) -> tuple[str, ...]:
    found = set()
    for file in islice(glob.iglob(pattern.wildcard), _LOOKED_AT):  # noqa: PTH207  (a Path cannot glob an absolute one)
        match = pattern.expression.fullmatch(file)
        if match is None or match["patient"] in known:
            continue
        # {patient}.nii.gz fits A_mask.nii.gz too, which is another pattern's file.
        if not any(other.literal > pattern.literal and other.expression.fullmatch(file) for other in patterns):
            found.add(match["patient"])
    return tuple(sorted(found))
