"""The dictionary of features, searched over all feature sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from schemas.errors import NotFoundError
from store.history.snapshot import Snapshot

__all__ = ["FoundFeature", "found_features"]

Row = dict[str, Any]

# How much a word says where it is found: a name that is the word, before one that holds it, before mere mention.
_EXACT, _WORD_OF_NAME, _PART_OF_NAME, _WORD_OF_TEXT, _PART_OF_TEXT = 100, 40, 20, 10, 2


@dataclass
class FoundFeature:
    """A feature of the dictionary with the columns that measure it: one per feature set and image type."""

    family: str | None
    name: str
    ibsi_id: str | None
    unit: str | None
    definition: str | None
    score: int
    feature_sets: list[str] = field(default_factory=list)
    image_types: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    """``name@N`` and the column, with a blank between."""


def found_features(snapshot: Snapshot, words: Sequence[str]) -> list[FoundFeature]:
    """Return the features in which every word is found, best first.

    A word may stand in the column's name, family, image type, IBSI code, unit or definition; upper and lower
    case are the same, and ``JointEntropy`` holds the word ``entropy``.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    words : sequence of str
        One or more.

    Raises
    ------
    NotFoundError
        When no feature has them all; the hint names features that are spelled like them.
    """
    asked = [word.lower() for text in words for word in text.split()]
    rows = snapshot.rows("features")
    found: dict[tuple[Any, ...], FoundFeature] = {}
    for row in rows:
        score = _score(row, asked)
        if score == 0:
            continue
        entry = {each: row[each] for each in ("family", "name", "ibsi_id", "unit", "definition")}
        feature = found.setdefault(tuple(entry.values()), FoundFeature(**entry, score=score))
        feature.score = max(feature.score, score)
        feature.columns.append(f"{row['feature_set']} {row['feature']}")
        _add(feature.feature_sets, row["feature_set"])
        _add(feature.image_types, row["image_type"])
    if not found:
        near = _near(asked, rows)
        raise NotFoundError(
            f"no feature has {' and '.join(repr(word) for word in asked)}"
            + ("" if rows else ": the store has no feature set"),
            where=str(snapshot.store.root),
            hint=f"radzoo features search {near[0]}" if near else "radzoo features list shows what there is",
        )
    return sorted(found.values(), key=lambda each: (-each.score, each.family or "", each.name))


def _score(row: Row, words: Iterable[str]) -> int:
    """Return how well a column answers; 0 where a word is found nowhere in it."""
    names = [str(row[each] or "").lower() for each in ("name", "ibsi_id", "feature", "family", "image_type", "unit")]
    parts = _words_of(row["name"]) | _words_of(row["feature"])
    text = str(row["definition"] or "").lower()
    total = 0
    for word in words:
        if word in names:
            best = _EXACT
        elif word in parts:
            best = _WORD_OF_NAME
        elif any(word in name for name in names[:5]):
            best = _PART_OF_NAME
        elif re.search(rf"\b{re.escape(word)}\b", text):
            best = _WORD_OF_TEXT
        elif word in text:
            best = _PART_OF_TEXT
        else:
            return 0
        total += best
    return total


def _words_of(name: str | None) -> set[str]:
    """Return the words of a name: ``JointEntropy`` -> joint, entropy."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name or "")}


def _near(words: Iterable[str], rows: Iterable[Row]) -> list[str]:
    known = {word for row in rows for word in (*_words_of(row["name"]), str(row["family"] or ""))}
    return [each for word in words for each in get_close_matches(word, sorted(known), n=1, cutoff=0.6)]


def _add(values: list[str], value: str | None) -> None:
    if value and value not in values:
        values.append(value)
