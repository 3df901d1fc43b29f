"""Whose file a path is: the patient's id in it, and the pattern that is left without the id."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from flows.study_draft.words import is_known, mask_words, words_of
from schemas.study.path_patterns import pattern_fault

__all__ = [
    "FOLDER",
    "PatientFiles",
    "Unplaced",
    "folder_paths",
    "ids_in_paths",
    "is_of_the_field",
    "patient_files",
    "possible_ids",
]

FOLDER: Final = "/."
"""The end of a folder's path, where that of a file has its name."""

PatientFiles = dict[str, dict[str, str]]
"""The path of each patient's file by patient, by pattern."""

_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_ENDING = re.compile(r"(?:\.seg)?\.[A-Za-z]{2,8}(?:\.gz)?$", re.IGNORECASE)
_LOOKED_AT: Final = 4_000
_MOST_WORDS = 7
_OF_ONE_EXAM = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{6,}|[0-9]+(?:\.[0-9]+){3,})(?![0-9A-Za-z])"
)
"""Dates, UIDs and long numbers, which differ from exam to exam: each would be a pattern of its own."""


class Unplaced(NamedTuple):
    """Paths that belong to no patient."""

    without_id: list[str]
    unwritable: list[str]
    """Those with a character that no pattern may have."""


class _Rule(NamedTuple):
    """Where the id stands in a path."""

    part: int
    """Which folder or, the last one, the file."""
    first: int | None = None
    """The first word of the part's, all of it where None."""
    end: int | None = None

    def id_in(self, path: str) -> str | None:
        """Return the id, None where what stands there is none."""
        text = _stems(path)[self.part]
        if self.first is not None:
            spans = list(_words(text))
            chosen = spans[self.first : self.end]
            if not chosen or (self.end is not None and self.end > len(spans)):
                return None
            text = text[chosen[0][0] : chosen[-1][1]]
        return text if _PSEUDONYM.fullmatch(text) and not is_of_the_field(text) else None


def patient_files(paths: Sequence[str], known: Collection[str]) -> tuple[PatientFiles, Unplaced]:
    """Return the files of each pattern by patient.

    Parameters
    ----------
    paths : sequence of str
        Below the folder that is looked at.
    known : collection of str
        The patients' ids.
    """
    ids = frozenset(known)
    found: PatientFiles = defaultdict(dict)
    unplaced = Unplaced([], [])
    choices: dict[str, list[tuple[str, str]]] = {}
    patients_of: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        choices[path] = [(pattern, each) for each in _known_ids(path, ids) for pattern in _patterns(path, each)]
        for pattern, each in choices[path]:
            patients_of[pattern].add(each)
            patients_of[_start(pattern)].add(each)
    for path, candidates in choices.items():
        if not candidates:
            unplaced.without_id.append(path)
            continue
        # An id such as 1 may be another part of the path too: where it is the patient's, it varies most.
        pattern, patient = max(
            candidates,
            key=lambda each: (
                len(patients_of[each[0]]),
                len(patients_of[_start(each[0])]),
                len(each[1]),
                each[0].count("{patient}"),
                -each[0].index("{patient}"),
            ),
        )
        if pattern_fault(pattern):
            unplaced.unwritable.append(path)
        else:
            found[pattern][patient] = path
    return dict(found), unplaced


def folder_paths(files: Sequence[str]) -> list[str]:
    """Return the folders of files as paths of which no part is a file's name."""
    return sorted({f"{path.rpartition('/')[0]}{FOLDER}" for path in files if "/" in path})


def possible_ids(paths: Sequence[str]) -> frozenset[str]:
    """Return every run of words in the names of paths, which a column of ids is compared with."""
    parts = {part for path in paths for part in _stems(path)}
    return frozenset(text for part in parts for text in _runs(part))


def ids_in_paths(paths: Sequence[str]) -> frozenset[str]:
    """Return what are probably patients' ids in paths, where no table names them.

    The id is the part of the path that varies over files that are otherwise alike: of all folders and runs of words
    the one by which the fewest ids and patterns describe all paths. Words of the field are no ids. Below a patient's
    folder of DICOM any name may be another for each: there the path down to the id counts alone.
    """
    by_depth: dict[tuple[bool, int], list[str]] = defaultdict(list)
    for path in paths:
        by_depth[path.endswith(FOLDER), path.count("/")].append(path)
    ids: set[str] = set()
    for group in sorted(by_depth.values(), key=lambda each: (-len(each), each[0].count("/"))):
        # The first, which has most files, says who the patients are.
        left = [path for path in group if not any(_known_ids(path, frozenset(ids)))] if ids else group
        if len(left) * 2 <= len(group) or not (rule := _best_rule(left[:_LOOKED_AT])):
            continue
        if found := {each for path in left if (each := rule.id_in(path))}:
            ids |= found
    return frozenset(ids)


def _best_rule(paths: Sequence[str]) -> _Rule | None:
    """Return the rule by which the fewest ids and patterns describe the paths."""
    best: tuple[float, ...] | None = None
    chosen = None
    of_folders = paths[0].endswith(FOLDER)
    for rule in _rules(paths):
        ids: set[str] = set()
        patterns: set[str] = set()
        unfit = 0
        for path in paths:
            found = rule.id_in(path)
            if found is None:
                unfit += 1
                continue
            ids.add(found)
            pattern = _pattern(path, found) or path
            patterns.add(_OF_ONE_EXAM.sub("#", _start(pattern) if of_folders else pattern))
        if not ids or unfit * 2 > len(paths):
            continue
        plain = sum(not re.search(r"[0-9]", each) for each in ids)
        size = len(ids) + len(patterns) + 1.5 * unfit + 0.5 * plain
        is_collection = of_folders and len(ids) == 1
        rank = (is_collection, size, rule.first is not None, rule.part, rule.first or 0, -(rule.end or 99))
        if best is None or rank < best:
            best, chosen = rank, rule
    return chosen


def _start(pattern: str) -> str:
    """Return a pattern down to the first folder, or file, with the patient's id."""
    before, _, after = pattern.partition("{patient}")
    return f"{before}{{patient}}{after.partition('/')[0]}"


def _rules(paths: Sequence[str]) -> Iterator[_Rule]:
    depth = paths[0].count("/") + 1
    for part in range(depth):
        yield _Rule(part)
        most = min(max(len(list(_words(_stems(path)[part]))) for path in paths), _MOST_WORDS)
        for first in range(most):
            for end in range(first + 1, most + 1):
                yield _Rule(part, first, end)
        for behind in (-1, -2) if most > 1 else ():
            yield _Rule(part, 0, behind)


def _stems(path: str) -> list[str]:
    *folders, name = path.split("/")
    return [*folders, _ENDING.sub("", name)]


def _words(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"[^\W_]+", text):
        yield match.span()


def _runs(part: str) -> Iterator[str]:
    """Yield the runs of words of a part; a number that follows letters at once is a word too."""
    spans = list(_words(part))
    for at, (first, _) in enumerate(spans):
        for _, end in spans[at : at + _MOST_WORDS]:
            yield part[first:end]
    for match in re.finditer(r"(?<=[A-Za-z])[0-9]+(?![0-9A-Za-z])", part):
        yield match[0]


def _known_ids(path: str, ids: frozenset[str]) -> Iterator[str]:
    found = sorted({text for part in _stems(path) for text in _runs(part) if text in ids})
    # P1 stands in P1_2, where that is an id.
    yield from (each for each in found if not any(each != other and _is_within(each, other) for other in found))


def _is_within(one: str, other: str) -> bool:
    return re.search(_bounded(one), other) is not None


def _bounded(patient: str) -> str:
    return rf"(?<![A-Za-z0-9]){re.escape(patient)}(?![A-Za-z0-9])"


def _patterns(path: str, patient: str) -> Iterator[str]:
    """Yield what a path may be without an id: the field at each place where it stands, and at the first one alone."""
    # Behind letters too, as in Pat12: what is meant shows where many paths are alike.
    for bounded in (_bounded(patient), rf"(?<![0-9]){re.escape(patient)}(?![A-Za-z0-9])"):
        for count in (0, 1):
            pattern, places = re.subn(bounded, "{patient}", path, count=count)
            if places:
                yield pattern


def _pattern(path: str, patient: str) -> str | None:
    """Return a path with the field at each place of an id, None where it has none."""
    return next(_patterns(path, patient), None)


def is_of_the_field(text: str) -> bool:
    """Return whether a text has none but words of the field, or says mask: it is no patient's id."""
    return bool(mask_words(text)) or all(_is_field_word(part) for part in re.findall(r"[^\W_]+", text))


def _is_field_word(part: str) -> bool:
    whole, *pieces = words_of(part)
    # MR012 may be a patient; CTcrop is none.
    return is_known(whole) or (part.isalpha() and any(is_known(each) for each in pieces))
