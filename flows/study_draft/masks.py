"""Which patterns of files are masks, whose readings they are, and which image each belongs to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from flows.study_draft.patient_paths import PatientFiles
from flows.study_draft.words import GENERIC, MASKS, TARGETS, distinct_words, mask_words, words_of

__all__ = ["MaskPattern", "choices_of_masks", "mask_patterns", "masks_by_reading", "readings_beside"]

_LOOKED_AT: Final = 60
_PERSON = "reader|rater|observer|obs|annotator|radiologist|expert"
_READER = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?P<word>{_PERSON}|reading|r)[ _-]?"
    r"(?P<which>[0-9]{1,2}|[a-d])|(?P<order>first|second|third)|(?P<letter>[ab]))(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_READER_AND_READING = re.compile(
    rf"(?<![A-Za-z0-9])(?P<word>(?:(?:{_PERSON}|r)[ _-]?)?)(?P<which>[0-9]{{1,2}}|(?<=[A-Za-z _-])[a-d])"
    r"(?P<between>[_/-](?:reading[ _-]?)?)(?P<reading>[1-9][0-9]?)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""Who and which time, side by side: 1_2, R1_2, reader1/reading2."""
_NUMBER_BEFORE = re.compile(r"(?<![A-Za-z0-9])[0-9]+[_/-]$")


class MaskPattern(NamedTuple):
    """A pattern of masks, in which a reading may have a field."""

    pattern: str
    files: dict[tuple[str, int], dict[str, str]]
    """The path of each patient's mask by patient, by reader and number of the reading; ("", 0) where there is one."""

    @property
    def patients(self) -> frozenset[str]:
        """Return the patients who have a mask of some reading."""
        return frozenset(patient for each in self.files.values() for patient in each)

    @property
    def paths(self) -> list[str]:
        """Return the paths of all masks."""
        return [path for each in self.files.values() for path in each.values()]


def mask_patterns(files: PatientFiles, is_of_labels: Callable[[Sequence[str]], bool | None]) -> frozenset[str]:
    """Return which patterns are masks: by what a file of each holds, by their words where it does not say.

    Parameters
    ----------
    files : PatientFiles
        Of volumes.
    is_of_labels : callable
        Says of paths whether their voxels are labels, None where that is not known.
    """
    words = distinct_words(files)
    named = {each for each in files if mask_words(" ".join(words[each])) or each.lower().endswith(".seg.nrrd")}
    named = named or {each for each in files if TARGETS & words[each]}
    found = set()
    # What has a mask's words is looked at first: of very many patterns not all are.
    for number, each in enumerate(sorted(files, key=lambda each: (each not in named, each))):
        holds_labels = is_of_labels([*files[each].values()]) if number < _LOOKED_AT else None
        if holds_labels or (holds_labels is None and each in named):
            found.add(each)
    return frozenset(found)


def masks_by_reading(files: PatientFiles) -> list[MaskPattern]:
    """Return patterns of masks, those of several readings of one mask as one with a field."""
    taken: set[str] = set()
    found = []
    for with_field, by_reading in _by_reading(files):
        first, *others = ({*files[each]} for each in by_reading.values())
        # Folders a and b of two centres have no patient in common.
        if any(first & other for other in others) and not taken & {*by_reading.values()}:
            taken |= {*by_reading.values()}
            found.append(MaskPattern(with_field, {r: files[p] for r, p in sorted(by_reading.items())}))
    found += [MaskPattern(each, {("", 0): of_patient}) for each, of_patient in files.items() if each not in taken]
    return sorted(found)


def readings_beside(masks: Collection[str], files: PatientFiles) -> frozenset[str]:
    """Return the patterns that are further readings of some masks, of whatever few patients.

    Parameters
    ----------
    masks : collection of str
        Patterns of masks.
    files : PatientFiles
        Those that may be their readings, without the masks.
    """
    found: set[str] = set()
    for _, by_reading in _by_reading([*masks, *files]):
        if not {*masks}.isdisjoint(by_reading.values()):
            found |= files.keys() & by_reading.values()
    return frozenset(found)


def _by_reading(patterns: Iterable[str]) -> list[tuple[str, dict[tuple[str, int], str]]]:
    """Return what patterns may be readings of, those of most readings first: the pattern with fields, and each one."""
    slotted: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
    for pattern in patterns:
        for match in _READER.finditer(pattern):
            with_field, reading = _with_field(pattern, match)
            slotted[with_field][reading] = pattern
        for match in _READER_AND_READING.finditer(pattern):
            # 1-2 in 2020-1-2 is of a date.
            if match["word"] or not _NUMBER_BEFORE.search(pattern[: match.start()]):
                with_fields, reading = _with_fields(pattern, match)
                slotted[with_fields][reading] = pattern
    return sorted(
        (each for each in slotted.items() if _is_of_readings(*each)), key=lambda each: (-len(each[1]), each[0])
    )


def _is_of_readings(pattern: str, by_reading: Mapping[tuple[str, int], str]) -> bool:
    """Return whether each reader has a first reading, as far as there is a field for both."""
    if not ("{reader}" in pattern and "{reading}" in pattern):
        return True
    readers = {reader for reader, _ in by_reading}
    return len(by_reading) > 1 and all((reader, 1) in by_reading for reader in readers)


def _with_fields(pattern: str, match: re.Match[str]) -> tuple[str, tuple[str, int]]:
    """Return a pattern with fields for reader and reading, and who and which they are."""
    # A word with a blank behind it is no part of a reader's name.
    word, kept = ("", match["word"]) if match["word"].endswith(" ") else (match["word"], "")
    fields = f"{kept}{{reader}}{match['between']}{{reading}}"
    with_fields = re.sub(rf"(?<![A-Za-z0-9]){re.escape(match[0])}(?![A-Za-z0-9])", lambda _: fields, pattern)
    return with_fields, (f"{word}{match['which']}", int(match["reading"]))


def _with_field(pattern: str, match: re.Match[str]) -> tuple[str, tuple[str, int]]:
    """Return a pattern with a field for the reader, or for the number of the reading, and who or which it is."""
    text, which = match[0], match["which"]
    bounded = rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])"
    if match["word"] and match["word"].lower() == "reading" and which.isdigit() and str(int(which)) == which != "0":
        return re.sub(bounded, lambda _: text.removesuffix(which) + "{reading}", pattern), ("R1", int(which))
    if " " in text:  # no name of a reader
        return re.sub(bounded, lambda _: text.removesuffix(which) + "{reader}", pattern), (which, 1)
    return re.sub(bounded, "{reader}", pattern), (text, 1)


def choices_of_masks(
    image: str, images: Sequence[str], masks: Sequence[MaskPattern], patients: Collection[str]
) -> list[MaskPattern]:
    """Return the masks that may be an image's, the likeliest first; several where several structures are drawn.

    What tells the images apart, such as CT and PET, must be the same in the mask or absent; of those that remain the
    masks that share most with the image are left.

    Parameters
    ----------
    image : str
        The image's pattern.
    images : sequence of str
        Those of all images.
    masks : sequence of MaskPattern
        All masks.
    patients : collection of str
        Who has the image: a mask of none of them is not its own.
    """
    telling = distinct_words(images) if len(images) > 1 else {image: frozenset[str]()}
    vocabulary = frozenset().union(*telling.values()) - MASKS - GENERIC
    own = telling[image] & vocabulary
    ranked = []
    for each in masks:
        its = _telling_words(each.pattern, vocabulary)
        if its <= own and not each.patients.isdisjoint(patients):
            ranked.append((len(its), _is_in_folder(each.pattern, image), each))
    if not ranked:
        return []
    best = max(rank[:2] for rank in ranked)
    left = [each for *rank, each in ranked if tuple(rank) == best]
    return sorted(left, key=lambda each: (not TARGETS & {*words_of(each.pattern)}, -len(each.patients), each.pattern))


def _telling_words(pattern: str, vocabulary: frozenset[str]) -> frozenset[str]:
    words = words_of(re.sub(r"\{[a-z]+\}", " ", pattern))
    found = vocabulary & {*words}
    if not found:  # T1seg beside T1
        found = frozenset(v for v in vocabulary if len(v) > 1 and any(w.startswith(v) or w.endswith(v) for w in words))
    return found


def _is_in_folder(mask: str, image: str) -> bool:
    return mask.rpartition("/")[0] == image.rpartition("/")[0]
