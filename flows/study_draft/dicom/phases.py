"""Phases of DICOM: a folder each, a description each, or the times of a dynamic series."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from flows.imaging.dicom.headers import shown_label
from flows.study_draft.dicom.headers import DicomFiles, FoundSeries, FoundStructures, by_patient
from flows.study_draft.draft import DraftPhase, Images
from flows.study_draft.listing import BESIDE_OTHERS, FolderListing
from flows.study_draft.masks import MaskPattern, choices_of_masks, masks_by_reading, readings_beside
from flows.study_draft.names import free_name, phase_names
from flows.study_draft.words import TARGETS, words_of
from schemas.shown_text import control_character
from schemas.study.path_patterns import pattern_fault

__all__ = ["dicom_phases"]

_MOST: Final = 0.5
"""A folder or a description is that of a phase where more of the patients have it."""
_MOST_TIMES: Final = 30
_LISTED: Final = 8
_MOST_OTHERS: Final = 3
_LONGEST: Final = 200
"""Characters of a name that a study file takes."""
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_MODALITIES = {"PT": "PET"}


class _Phase(NamedTuple):
    drafted: DraftPhase
    series: dict[str, FoundSeries]
    """By patient."""


def dicom_phases(files: DicomFiles, listing: FolderListing) -> Images:
    """Return the phases of DICOM images with their masks; series of no phase are noted in the listing."""
    patients = {each.patient for each in files.series}
    phases = _phases(files.series, len(patients), listing)
    masks = _mask_patterns(files.structures, len(patients), listing)
    found = Images()
    for each in phases:
        _take_mask(found, each, phases, masks)
    taken = {path for mask in found.taken_masks for path in mask.paths}
    listing.put_all_aside(
        BESIDE_OTHERS,
        (each.path for of_patient in masks.values() for each in of_patient.values() if each.path not in taken),
    )
    for each in phases:
        found.phases += _times(each, is_only=len(phases) == 1)
    return found


def _phases(series: Sequence[FoundSeries], patients: int, listing: FolderListing) -> list[_Phase]:
    folders = _frequent_folders(((each.patient, folder) for each in series for folder in each.folders), patients)
    by_folder: dict[str, list[FoundSeries]] = defaultdict(list)
    for each in series:
        places = {_frequent_folder(folder, folders) for folder in each.folders}
        if len(places) == 1 and (place := next(iter(places))) is not None:
            by_folder[place].append(each)
        else:
            listing.notes.append(
                f"series {shown_label(each.description)} of a patient lies in no folder that others have"
            )
    # What a folder holds, it holds with all folders below it.
    below = {
        folder: [each for other, found in by_folder.items() if _is_below(other, folder) for each in found]
        for folder in by_folder
    }
    alone = [folder for folder in by_folder if all(len(of) == 1 for of in by_patient(below[folder]).values())]
    names = phase_names(alone)
    phases = []
    for folder in alone:
        found = {each.patient: each for each in by_folder[folder]}
        phases.append(_Phase(_drafted(names[folder], folder, found), found))
    taken = set(names.values())
    for folder in sorted(by_folder.keys() - {*alone}):
        phases += _described(folder, by_patient(by_folder[folder]), taken, listing)
    return phases


def _described(
    folder: str, series: dict[str, list[FoundSeries]], taken: set[str], listing: FolderListing
) -> list[_Phase]:
    """Return the phases of a folder with several series: descriptions that most patients have once."""
    once: dict[str, dict[str, FoundSeries]] = defaultdict(dict)
    several: set[str] = set()
    for patient, found in series.items():
        counts = Counter(each.description.casefold() for each in found)
        for each in found:
            if _is_writable(each.description) and counts[each.description.casefold()] == 1:
                once[each.description.casefold()][patient] = each
            elif counts[each.description.casefold()] > 1:
                several.add(each.description)
    phases = []
    for _, of_patient in sorted(once.items()):
        description = Counter(each.description for each in of_patient.values()).most_common(1)[0][0]
        if len(of_patient) <= _MOST * len(series) and len(series) > 1:
            listing.notes.append(
                f"series {shown_label(description)}: {len(of_patient)} of {len(series)} patients have it"
            )
            continue
        name = free_name("_".join(re.findall(r"[A-Za-z0-9]+", description)) or "series", taken)
        taken.add(name)
        drafted = _drafted(name, folder, of_patient)
        drafted.series["description"] = description
        phases.append(_Phase(drafted, of_patient))
    listing.notes += [
        f"series {shown_label(each)}: patients have several of it; choose by number or order"
        for each in sorted(several)
    ]
    return phases


def _is_writable(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and control_character(name) is None


def _drafted(name: str, folder: str, found: dict[str, FoundSeries]) -> DraftPhase:
    modalities = {each.modality for each in found.values()}
    modality = modalities.pop() if len(modalities) == 1 else ""
    drafted = DraftPhase(name, folder, modality=_MODALITIES.get(modality, modality), with_image=frozenset(found))
    images = Counter(each.images for each in found.values())
    least, most = min(images), max(images)
    described = sorted({shown_label(each.description) for each in found.values() if each.description})
    what = f"{', '.join(described[:_LISTED])}{' ...' if len(described) > _LISTED else ''}"
    count = f"{least} images" if least == most else f"{least} to {most} images"
    drafted.comments.append(f"DICOM series {what}: {count}" if what else f"DICOM series without a description: {count}")
    return drafted


def _times(phase: _Phase, *, is_only: bool) -> list[DraftPhase]:
    """Return a phase, or one for each time of a dynamic series."""
    times = Counter(each.times for each in phase.series.values())
    count = times.most_common(1)[0][0]
    if count == 1:
        return [phase.drafted]
    words = f"{count} volumes at one place: times of a dynamic series, or b-values"
    drafted = phase.drafted
    found = [
        replace(
            drafted,
            name=f"time{time}" if is_only else f"{drafted.name}_time{time}",
            series={**drafted.series, "time": time},
            decide=dict(drafted.decide),
            comments=[*drafted.comments, words] if time == 1 else [],
            with_image=frozenset(patient for patient, each in phase.series.items() if each.times >= time),
        )
        for time in range(1, min(count, _MOST_TIMES) + 1)
    ]
    if len(times) > 1:
        shown = ", ".join(f"{number} have {each}" for each, number in sorted(times.items()))
        found[0].comments.append(f"patients differ in the number of times: {shown}")
    if count > _MOST_TIMES:
        found[-1].comments.append(f"{count - _MOST_TIMES} more times follow")
    return found


def _frequent_folders(of_patients: Iterable[tuple[str, str]], patients: int) -> frozenset[str]:
    having: dict[str, set[str]] = defaultdict(set)
    for patient, pattern in of_patients:
        parts = pattern.split("/")
        for end in range(1, len(parts) + 1):
            having["/".join(parts[:end])].add(patient)
    return frozenset(
        folder
        for folder, found in having.items()
        if "{patient}" in folder
        and len(found) > _MOST * patients
        and not any(_UID.fullmatch(part) for part in folder.split("/"))
    )


def _frequent_folder(pattern: str, frequent: frozenset[str]) -> str | None:
    """Return the deepest folder above or at a pattern that most patients have."""
    parts = pattern.split("/")
    return next((each for end in range(len(parts), 0, -1) if (each := "/".join(parts[:end])) in frequent), None)


def _is_below(folder: str, other: str) -> bool:
    return folder == other or folder.startswith(f"{other}/")


def _mask_patterns(
    structures: Sequence[FoundStructures], patients: int, listing: FolderListing
) -> dict[str, dict[str, FoundStructures]]:
    """Return the masks of each pattern by patient: of a folder that holds one in each patient, else of the file."""
    folders = _frequent_folders(((each.patient, each.folder) for each in structures), patients)
    by_folder: dict[str, list[FoundStructures]] = defaultdict(list)
    for each in structures:
        # A second reader's folder may be that of few patients.
        by_folder[_frequent_folder(each.folder, folders) or each.folder].append(each)
    found: dict[str, dict[str, FoundStructures]] = defaultdict(dict)
    for folder, those in by_folder.items():
        held = [each for other, found_there in by_folder.items() if _is_below(other, folder) for each in found_there]
        counts = Counter(each.patient for each in held)
        for each in those:
            if max(counts.values()) == 1:
                found[folder][each.patient] = each
            else:
                name = each.path.rpartition("/")[2]
                found[f"{each.folder}/{name.replace(each.patient, '{patient}')}"][each.patient] = each
    kept = {
        pattern: of_patient
        for pattern, of_patient in found.items()
        if pattern_fault(pattern) is None and len(of_patient) >= min(2, patients)
    }
    paths = {pattern: {p: each.path for p, each in of.items()} for pattern, of in found.items() if pattern not in kept}
    for pattern in readings_beside(kept, {each: paths[each] for each in paths if pattern_fault(each) is None}):
        kept[pattern] = found[pattern]
    for pattern in sorted(paths.keys() - kept):
        listing.put_all_aside("DICOM masks beside others, whose names no other patient's have", paths[pattern].values())
    return kept


def _take_mask(
    found: Images, phase: _Phase, phases: Sequence[_Phase], masks: dict[str, dict[str, FoundStructures]]
) -> None:
    """Give a phase the masks that were drawn on its series; else those that its folder's words tell."""
    # Drawn again of a few patients alone, a mask is a reading of the one that all have.
    own = {each: drawn for each, of_patient in masks.items() if (drawn := _drawn(phase, of_patient))}
    merged = masks_by_reading({each: _paths(masks[each]) for each in own})
    counts = {each.pattern: _count(each, frozenset().union(*own.values())) for each in merged}
    best = max(counts.values(), default=0)
    if best:
        merged = [each for each in merged if counts[each.pattern] == best]
    else:
        # Names that anonymisation left stale are those of no series that is there.
        free = [each for each, of in masks.items() if not any(_drawn(other, of) for other in phases)]
        images = [f"{each.drafted.image}/{each.drafted.name}" for each in phases]
        image = f"{phase.drafted.image}/{phase.drafted.name}"
        merged = masks_by_reading({each: _paths(masks[each]) for each in free})
        merged = choices_of_masks(image, images, merged, phase.drafted.with_image)
    if not merged:
        return
    mask, *others = sorted(merged, key=lambda each: (-len(each.files), each.pattern))
    found.taken_masks.append(mask)
    drafted = phase.drafted
    drafted.mask, drafted.with_mask = mask.pattern, mask.patients
    found.add_readings(mask)
    if others:
        drafted.decide["mask"] = f"or {', '.join(each.pattern for each in others[:_MOST_OTHERS])}"
    elif not best and len(phases) > 1 and len(masks) < len(phases):
        drafted.decide["mask"] = "its header names no series that is here: was it drawn on these images?"
    paths = {*mask.paths}
    drawings = [each for of_patient in masks.values() for each in of_patient.values() if each.path in paths]
    if any(each.is_fractional for each in drawings):
        drafted.comments.append(
            "a fractional segmentation: voxels of at least one half are the lesion; segment_threshold says it otherwise"
        )
    _choose_segment(drafted, drawings)


def _paths(of_patient: Mapping[str, FoundStructures]) -> dict[str, str]:
    return {patient: each.path for patient, each in of_patient.items()}


def _drawn(phase: _Phase, of_patient: Mapping[str, FoundStructures]) -> frozenset[str]:
    """Return the paths of the masks that name the phase's series."""
    return frozenset(
        mask.path for p, mask in of_patient.items() if p in phase.series and phase.series[p].uid in mask.series
    )


def _count(mask: MaskPattern, paths: frozenset[str]) -> int:
    """Return how many patients have one of some paths as a mask of some reading."""
    return len({patient for of_patient in mask.files.values() for patient, path in of_patient.items() if path in paths})


def _choose_segment(drafted: DraftPhase, masks: Sequence[FoundStructures]) -> None:
    if all(len(each.names) <= 1 for each in masks):
        return
    spelled = {name.casefold(): name for each in masks for name in each.names if name}
    # Of two segments of one name none can be chosen by it.
    folded = [Counter(name.casefold() for name in each.names if name) for each in masks]
    counts = Counter(name for each in folded for name, count in each.items() if count == 1)
    shown = ", ".join(
        f"{shown_label(spelled[name])} ({count} of {len(masks)} masks)" for name, count in counts.most_common(_LISTED)
    )
    shown += " ..." if len(counts) > _LISTED else ""
    common = sorted(name for name, count in counts.items() if count == len(masks) and _is_writable(name))
    if not common:
        drafted.decide["segment"] = f"no name is in all masks; found are {shown}" if shown else "segments have no names"
        return
    common.sort(key=lambda name: not TARGETS & {*words_of(spelled[name])})
    drafted.segment = spelled[common[0]]
    if len(common) > 1:
        drafted.decide["segment"] = f"which one is the lesion; found are {shown}"
