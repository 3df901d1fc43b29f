"""Phases of files that hold one volume each: NIfTI, NRRD, MetaImage."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from flows.engine.progress import say
from flows.imaging.opened_files import first_bytes
from flows.imaging.sources import Source
from flows.scans.reader import ImageReader
from flows.study_draft.conventions import (
    dataset_description,
    with_first_session,
    without_test_sets,
)
from flows.study_draft.draft import DraftPhase, Images
from flows.study_draft.listing import BESIDE_OTHERS, FolderListing
from flows.study_draft.masks import MaskPattern, choices_of_masks, mask_patterns, masks_by_reading, readings_beside
from flows.study_draft.names import free_name, phase_names
from flows.study_draft.patient_paths import PatientFiles, patient_files
from flows.study_draft.words import modality_of
from schemas.errors import ContractError
from schemas.shown_text import shown_text

__all__ = ["LabelLook", "take_mask", "volume_phases"]

_LOOKED_AT: Final = 3
_LISTED: Final = 12
_HEADER: Final = 1 << 16
_LONGEST_NAME: Final = 60
_SAY_EVERY_S: Final = 10.0
_WITHOUT_ID: Final = "volumes in whose path no patient's id was found (letters, digits and . _ : - alone)"
_FEWEST_SHARE: Final = 0.25
"""A pattern of fewer of the patients is no phase."""


def volume_phases(listing: FolderListing, ids: Collection[str], look: LabelLook) -> Images:
    """Return the phases of a folder's volumes; files that belong to none are put aside in the listing.

    Parameters
    ----------
    listing : FolderListing
        What lies in the folder.
    ids : collection of str
        The patients' ids.
    look : LabelLook
        Reads some masks, for the labels in them.
    """
    files, unplaced = patient_files(without_test_sets(listing), ids)
    for path in unplaced.without_id:
        listing.put_aside(
            "volumes in whose path no patient's id was found (ids have letters, digits and . _ : - alone)", path
        )
    for path in unplaced.unwritable:
        listing.put_aside("images whose path has a brace, a backslash or a wildcard: no pattern can name them", path)
    files, session = with_first_session(files, listing)
    files, rare = _frequent(files)
    are_masks = mask_patterns(files, look.is_of_labels)
    images = [each for each in files if each not in are_masks]
    # Often a few patients' masks alone are drawn again.
    again = readings_beside(are_masks, rare)
    files |= {each: rare[each] for each in again}
    are_masks |= again
    for pattern in sorted(rare.keys() - again):
        listing.put_all_aside("volumes whose name few patients have", rare[pattern].values())
    masks = masks_by_reading({each: files[each] for each in are_masks})
    names = phase_names(images)
    found = Images()
    used: set[str] = set()
    for image in images:
        choices = choices_of_masks(image, images, masks, files[image])
        phase = DraftPhase(names[image], image, with_image=frozenset(files[image]), modality=modality_of(image))
        phase.comments += [session] if session else []
        described = dataset_description(listing, image)
        if described is not None:
            phase.name = free_name(_words_joined(described.channel), [each.name for each in found.phases])
            phase.modality = modality_of(described.channel)
        if choices:
            take_mask(found, phase, choices, look, described.labels if described is not None else {})
            used |= {each.pattern for each in choices}
        found.phases.append(phase)
    found.loose_masks = [each for each in masks if each.pattern not in used]
    for each in masks:
        if each.pattern in used and all(each.pattern != phase.mask for phase in found.phases):
            listing.put_all_aside(BESIDE_OTHERS, each.paths)
    found.phases = _with_masks_first(found.phases, listing, files)
    return found


def _frequent(files: PatientFiles) -> tuple[PatientFiles, PatientFiles]:
    """Return the patterns that enough patients have, and the others."""
    patients = {patient for each in files.values() for patient in each}
    fewest = max(_FEWEST_SHARE * len(patients), min(2, len(patients)))
    ordered = sorted(files.items())
    return {p: of for p, of in ordered if len(of) >= fewest}, {p: of for p, of in ordered if len(of) < fewest}


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


def take_mask(
    found: Images,
    phase: DraftPhase,
    choices: Sequence[MaskPattern],
    look: LabelLook,
    meanings: Mapping[int, str] | None = None,
) -> None:
    """Note the first of some masks in a phase, with the label that it has and the readings that there are of it.

    Parameters
    ----------
    found : Images
        To which readings are added.
    phase : DraftPhase
        The phase.
    choices : sequence of MaskPattern
        As `choices_of_masks` gives them.
    look : LabelLook
        Reads some of the masks.
    meanings : mapping of int to str, optional
        What each label means, where it is written somewhere.
    """
    chosen = choices[0]
    phase.mask, phase.with_mask = chosen.pattern, chosen.patients
    if len(choices) > 1:
        others = ", ".join(each.pattern for each in choices[1:4]) + (" ..." if len(choices) > 4 else "")
        phase.decide["mask"] = f"or {others}"
    values, meanings = look.labels(chosen.paths), {**look.names(chosen.paths), **(meanings or {})}
    phase.label = 1
    if values is None:
        phase.decide["label"] = "the lesion's value; no mask that was looked at could be read"
    elif values:
        # Those that are declared may be in masks that were not looked at.
        values = tuple(sorted({*values, *(value for value in meanings if value > 0)}))
        phase.label = values[0]
        if len(values) > 1:
            named = {value: f" ({shown_text(name, _LONGEST_NAME)})" for value, name in meanings.items()}
            shown = _listed([f"{value}{named.get(value, '')}" for value in values])
            phase.decide["label"] = f"the lesion's value; there are {shown}"
    found.add_readings(chosen)


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(values[:_LISTED]) + more


def _words_joined(text: str) -> str:
    return "_".join(re.findall(r"[A-Za-z0-9]+", text)) or "image"


class LabelLook:
    """What some files hold."""

    def __init__(self, listing: FolderListing, reader: ImageReader) -> None:
        self._listing, self._reader = listing, reader
        self._spoken = time.monotonic()

    def labels(self, paths: Sequence[str]) -> tuple[int, ...] | None:
        """Return the labels of some masks, None where none of them can be read."""
        found: set[int] = set()
        was_read = False
        for path in self._some(paths):
            try:
                values = self._values(path)
            except ContractError as error:
                self._note(f"{path}: {error.message}")
                continue
            if values is None:
                self._note(f"{path}: holds no labels, though its name says mask")
                continue
            was_read = True
            found |= {*values}
        return tuple(sorted(found)) if was_read else None

    def names(self, paths: Sequence[str]) -> dict[int, str]:
        """Return what labels mean by the headers of 3D Slicer's segmentations, nothing of other files."""
        found: dict[int, str] = {}
        for path in self._some(paths):
            if not path.lower().endswith(".nrrd"):
                continue
            try:
                header = (
                    first_bytes(self._listing.folder / path, _HEADER).partition(b"\n\n")[0].decode("utf-8", "replace")
                )
            except ContractError:
                continue
            names = dict(re.findall(r"^Segment([0-9]+)_Name:=(.*?)\r?$", header, re.MULTILINE))
            for segment, value in re.findall(r"^Segment([0-9]+)_LabelValue:=([0-9]+)\r?$", header, re.MULTILINE):
                if segment in names:
                    found[int(value)] = names[segment]
        return found

    def is_of_labels(self, paths: Sequence[str]) -> bool | None:
        """Return whether the first file holds whole numbers of few values, None where it is empty or unreadable."""
        path = min(paths)
        try:
            values = self._values(path)
        except ContractError as error:
            self._note(f"{path}: {error.message}")
            return None
        return None if values == () else values is not None

    def _values(self, path: str) -> tuple[int, ...] | None:
        if time.monotonic() - self._spoken >= _SAY_EVERY_S:
            self._spoken = time.monotonic()
            say(f"looking into {path}")
        return self._reader.labels(Source(self._listing.folder / path))

    def _some(self, paths: Sequence[str]) -> list[str]:
        ordered = sorted(paths)
        places = {0, len(ordered) // 2, len(ordered) - 1} if ordered else set()
        return [ordered[at] for at in sorted(places)][:_LOOKED_AT]

    def _note(self, note: str) -> None:
        if note not in self._listing.notes:
            self._listing.notes.append(note)
