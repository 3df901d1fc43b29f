"""Phases of files that hold one volume each: NIfTI, NRRD, MetaImage."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from flows.imaging.sources import Source
from flows.scans.reader import ImageReader
from flows.study_draft.draft import DraftPhase, Images
from flows.study_draft.listing import FolderListing
from flows.study_draft.masks import MaskPattern, choices_of_masks, distinct_words, mask_patterns, masks_by_reading
from flows.study_draft.patient_paths import PatientFiles, patient_files
from flows.study_draft.words import GENERIC, mask_words, modality_of
from schemas.errors import ContractError
from schemas.keys import Name

__all__ = ["phase_names", "volume_phases"]

_name: TypeAdapter[str] = TypeAdapter(Name)
_LOOKED_AT: Final = 3
_FEWEST_SHARE: Final = 0.25
"""A pattern of fewer of the patients is no phase."""


def volume_phases(listing: FolderListing, ids: Collection[str], reader: ImageReader) -> Images:
    """Return the phases of a folder's volumes; files that belong to none are put aside in the listing.

    Parameters
    ----------
    listing : FolderListing
        What lies in the folder.
    ids : collection of str
        The patients' ids.
    reader : ImageReader
        Reads some masks, for the labels in them.
    """
    files, unplaced = patient_files(listing.volumes, ids)
    for path in unplaced.without_id:
        listing.put_aside("images of no patient that was recognised", path)
    for path in unplaced.unwritable:
        listing.put_aside("images whose path has a brace, a backslash or a wildcard: no pattern can name them", path)
    files = _frequent(files, listing)
    look = _Look(listing, reader)
    are_masks = mask_patterns(files, look.is_of_labels)
    images = [each for each in files if each not in are_masks]
    masks = masks_by_reading({each: files[each] for each in are_masks})
    names = phase_names(images)
    found = Images()
    used: set[str] = set()
    for image in images:
        choices = choices_of_masks(image, images, masks)
        phase = DraftPhase(names[image], image, with_image=frozenset(files[image]), modality=modality_of(image))
        if choices:
            _take_mask(phase, choices, look)
            used |= {each.pattern for each in choices}
            _add_readings(found, choices[0])
        found.phases.append(phase)
    for each in masks:
        if each.pattern not in used:
            for path in each.paths:
                listing.put_aside("masks of no image that was recognised", path)
    found.phases = _with_masks_first(found.phases, listing, files)
    return found


def _frequent(files: PatientFiles, listing: FolderListing) -> PatientFiles:
    """Return the patterns that enough patients have; the files of the others are put aside."""
    patients = {patient for each in files.values() for patient in each}
    kept: PatientFiles = {}
    for pattern, of_patient in sorted(files.items()):
        if len(of_patient) >= _FEWEST_SHARE * len(patients):
            kept[pattern] = of_patient
        else:
            for path in of_patient.values():
                listing.put_aside("images whose name few patients have", path)
    return kept


def _with_masks_first(phases: list[DraftPhase], listing: FolderListing, files: PatientFiles) -> list[DraftPhase]:
    """Return the phases that have a mask; where some have one, images without one are put aside."""
    with_mask = [each for each in phases if each.mask is not None]
    if not with_mask:
        return phases
    for phase in phases:
        if phase.mask is None:
            for path in files[phase.image].values():
                listing.put_aside("images without a mask", path)
    return with_mask


def _take_mask(phase: DraftPhase, choices: Sequence[MaskPattern], look: _Look) -> None:
    chosen = choices[0]
    phase.mask, phase.with_mask = chosen.pattern, chosen.patients
    if len(choices) > 1:
        others = ", ".join(each.pattern for each in choices[1:4]) + (" ..." if len(choices) > 4 else "")
        phase.decide["mask"] = f"or {others}"
    values = look.labels(chosen.paths)
    if values is None:
        phase.decide["label"] = "the lesion's value; no mask that was looked at could be read"
    elif values:
        phase.label = values[0]
        if len(values) > 1:
            phase.decide["label"] = f"the lesion's value; found are {', '.join(map(str, values))}"


def _add_readings(found: Images, mask: MaskPattern) -> None:
    for reading, of_patient in mask.files.items():
        if reading[1]:
            words = reading[0] if reading[0] != "R1" or reading[1] == 1 else f"reading {reading[1]}"
            lacking = mask.patients - {*of_patient}
            found.short_of[words] = found.short_of.get(words, frozenset()) | lacking
            if reading not in found.readings:
                found.readings.append(reading)


def phase_names(images: Sequence[str]) -> Mapping[str, str]:
    """Return a name for each pattern of images: the words that tell it from the others."""
    telling = distinct_words(images)
    found: dict[str, str] = {}
    for image in images:
        stem = re.sub(r"(\.seg)?\.[A-Za-z]{2,8}(\.gz)?$", "", image.replace("{patient}", " "), flags=re.IGNORECASE)
        parts = [part for part in re.findall(r"[A-Za-z0-9]+", stem) if part.lower() not in GENERIC]
        kept = [part for part in parts if part.lower() in telling[image]] if len(images) > 1 else parts[-2:]
        name = "_".join(dict.fromkeys(kept)) or modality_of(image) or "image"
        found[image] = _free_name(name, {*found.values()})
    return found


def _free_name(name: str, taken: Collection[str]) -> str:
    name = name[:50].strip("_")
    try:
        _name.validate_python(name)
    except ValidationError:
        name = f"phase_{name}"
    number = 2
    free = name
    while free.lower() in {each.lower() for each in taken}:
        free, number = f"{name}_{number}", number + 1
    return free


class _Look:
    """What some files hold."""

    def __init__(self, listing: FolderListing, reader: ImageReader) -> None:
        self._listing, self._reader = listing, reader

    def labels(self, paths: Sequence[str]) -> tuple[int, ...] | None:
        """Return the labels of some masks, None where none of them can be read."""
        found: set[int] = set()
        was_read = False
        for path in self._some(paths):
            try:
                values = self._reader.labels(Source(self._listing.folder / path))
            except ContractError as error:
                self._note(f"{path}: {error.message}")
                continue
            if values is None:
                self._note(f"{path}: holds no labels, though its name says mask")
                continue
            was_read = True
            found |= {*values}
        return tuple(sorted(found)) if was_read else None

    def is_of_labels(self, paths: Sequence[str]) -> bool:
        """Return whether some files hold whole numbers of few values."""
        read = []
        for path in self._some(paths)[:2]:
            try:
                read.append(self._reader.labels(Source(self._listing.folder / path)))
            except ContractError as error:
                self._note(f"{path}: {error.message}")
        return bool(read) and all(values for values in read)

    def _some(self, paths: Sequence[str]) -> list[str]:
        ordered = sorted(paths)
        places = {0, len(ordered) // 2, len(ordered) - 1} if ordered else set()
        return [ordered[at] for at in sorted(places)][:_LOOKED_AT]

    def _note(self, note: str) -> None:
        if note not in self._listing.notes:
            self._listing.notes.append(note)
