"""Which patterns of files are masks, whose readings they are, and which image each belongs to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from flows.study_draft.patient_paths import PatientFiles
from flows.study_draft.words import GENERIC, MASKS, TARGETS, distinct_words, mask_words, words_of

__all__ = ["MaskPattern", "choices_of_masks", "mask_patterns", "masks_by_reading"]

_LOOKED_AT: Final = 60
_READER = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<word>reader|rater|observer|obs|annotator|radiologist|expert|reading|r)[ _-]?"
    r"(?P<which>[0-9]{1,2}|[a-d])|(?P<order>first|second|third)|(?P<letter>[ab]))(?![A-Za-z0-9])",
    re.IGNORECASE,
)


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
    slotted: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
    for pattern in files:
        for match in _READER.finditer(pattern):
            with_field, reading = _with_field(pattern, match)
            slotted[with_field][reading] = pattern
    taken: set[str] = set()
    found = []
    for with_field, by_reading in sorted(slotted.items(), key=lambda each: (-len(each[1]), each[0])):
        first, *others = ({*files[each]} for each in by_reading.values())
        # Folders a and b of two centres have no patient in common.
        if any(first & other for other in others) and not taken & {*by_reading.values()}:
            taken |= {*by_reading.values()}
            found.append(MaskPattern(with_field, {r: files[p] for r, p in sorted(by_reading.items())}))
    found += [MaskPattern(each, {("", 0): of_patient}) for each, of_patient in files.items() if each not in taken]
    return sorted(found)


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
