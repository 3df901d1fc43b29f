"""A study drafted from a folder: what was recognised, what was not, and the study file's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.scans.reader import ImageReader
from flows.study_draft.cohort.columns import CohortColumns
from flows.study_draft.cohort.table import CohortTable, cohort_table
from flows.study_draft.draft import Images
from flows.study_draft.listing import FolderListing, folder_listing
from flows.study_draft.masks import MaskPattern, choices_of_masks
from flows.study_draft.patient_paths import folder_paths, ids_in_paths
from flows.study_draft.text import drafted_text
from flows.study_draft.undecided import undecided_lines
from flows.study_draft.volumes import LabelLook, take_mask, volume_phases
from schemas.errors import ContractError
from schemas.foreign_text import one_line
from schemas.study.text import parsed_study

__all__ = ["PhaseFound", "StudyDraft", "study_draft"]

_NAMED = 5
_MOST_NOTES = 20


@dataclass(frozen=True)
class PhaseFound:
    """How many patients have a phase."""

    name: str
    image: str
    series: str
    """Which series of a DICOM folder, as the study file says it; empty where there is no such rule."""
    mask: str | None
    segment: str | None
    images: int
    masks: int
    """Patients with image and mask."""
    without_mask: tuple[str, ...]
    without_image: tuple[str, ...]
    """Patients of the table, or with another phase, who lack the image."""


@dataclass(frozen=True)
class StudyDraft:
    """A drafted study."""

    text: str
    phases: tuple[PhaseFound, ...]
    patients: tuple[str, ...]
    """Patients who have an image."""
    readings: tuple[str, ...]
    """Each reading in words, with who lacks a mask of it; empty where there is one."""
    table: str | None
    """The cohort's table below the folder, None where there is none."""
    decisions: int
    """Lines that are marked for a person."""
    aside: dict[str, tuple[str, ...]]
    """Files that the study does not use, by kind in words."""
    notes: tuple[str, ...]


def study_draft(folder: Path, source: Path) -> StudyDraft:
    """Return the draft of a study file in ``folder`` for what lies in ``source``; nothing is written.

    Raises
    ------
    NotFoundError
        When there is no such folder as ``source``.
    UsageError
        When it cannot be listed, or no path pattern can name it.
    ContractError
        When it is empty, or has no images that belong to a patient.
    """
    listing = folder_listing(source)
    if not (listing.volumes or listing.dicom):
        raise _without_images(source, listing.tables, listing.aside)
    paths = [*listing.volumes, *folder_paths(listing.dicom)]
    table = cohort_table(listing, paths)
    ids = frozenset(table.ids) if table is not None else ids_in_paths(paths)
    with ImageReader(source) as reader:
        images = _images(listing, ids, LabelLook(listing, reader))
    if not images.phases:
        raise _without_patients(source, listing)
    for phase in images.phases if images.readings else ():
        if phase.mask is not None and not {"{reader}", "{reading}"} & {*re.findall(r"\{[a-z]+\}", phase.mask)}:
            phase.decide["mask"] = "it is of no reader, and counts for each of them"
    if table is not None:
        _choose_columns_of_readings(images, table.columns)
    text = drafted_text(folder, source, images, table)
    parsed_study(text, str(folder / "study.toml"))
    everyone = images.patients | (frozenset(table.ids) if table is not None else frozenset())
    phases = tuple(
        PhaseFound(
            each.name,
            each.image,
            ", ".join(f"{key} = {value}" for key, value in each.series.items()),
            each.mask,
            each.segment,
            len(each.with_image),
            len(each.with_image & each.with_mask),
            tuple(sorted(each.with_image - each.with_mask)),
            tuple(sorted(everyone - each.with_image)),
        )
        for each in images.phases
    )
    return StudyDraft(
        text,
        phases,
        tuple(sorted(images.patients)),
        tuple(_reading_lines(images)),
        None if table is None else table.path,
        len(undecided_lines(text)),
        {kind: tuple(paths) for kind, paths in listing.aside.items()},
        (*_bounded(listing.notes), *_table_notes(table, images), *_disjoint_notes(images)),
    )


def _images(listing: FolderListing, ids: frozenset[str], look: LabelLook) -> Images:
    """Return the phases of volumes, or those of DICOM where more of them have masks."""
    volumes = volume_phases(listing, ids, look)
    found = volumes
    if volumes.masked:
        for path in listing.dicom:
            listing.put_aside("DICOM files: the images in other formats are taken", path)
    elif listing.dicom:
        # Imported here: pydicom takes a third of a second, and most folders have none of it.
        from flows.study_draft.dicom.headers import dicom_files_by_patient
        from flows.study_draft.dicom.phases import dicom_phases

        dicom = dicom_phases(dicom_files_by_patient(listing, ids), listing)
        _give_loose_masks(dicom, volumes.loose_masks, look)
        if dicom.masked or len(dicom.phases) >= len(volumes.phases):
            found = _with_masks(dicom, listing)
            found.is_dicom = True
            for phase in volumes.phases:
                listing.notes.append(f"images {phase.image} are left aside: those in DICOM are taken")
    for each in found.loose_masks:
        for path in each.paths:
            listing.put_aside("masks of no image that was recognised", path)
    return found


def _give_loose_masks(dicom: Images, masks: list[MaskPattern], look: LabelLook) -> None:
    """Give phases of DICOM without a mask those of other formats."""
    used: set[str] = set()
    folders = list(dict.fromkeys(each.image for each in dicom.phases))
    for phase in dicom.phases:
        if phase.mask is None and (choices := choices_of_masks(phase.image, folders, masks, phase.with_image)):
            take_mask(dicom, phase, choices, look)
            used |= {each.pattern for each in choices}
    dicom.loose_masks = [each for each in masks if each.pattern not in used]


def _with_masks(dicom: Images, listing: FolderListing) -> Images:
    """Return images whose phases have masks, where some have; the others are noted."""
    if dicom.masked:
        left = [each for each in dicom.phases if each.mask is None]
        listing.notes += [
            f"phase {each.name} is left out: no mask was drawn on it ({each.comments[0]})" for each in left
        ]
        dicom.phases = [each for each in dicom.phases if each.mask is not None]
    return dicom


def _choose_columns_of_readings(images: Images, columns: CohortColumns) -> None:
    """Note the columns that say who has a reading that some lack; they are no variables."""
    for reading, lacking in images.short_of.items():
        if lacking and (having := images.having(reading)):
            images.where[reading] = columns.saying(having, images.masked_patients)
            for name in images.where[reading][:1]:
                columns.take_as_readings(name)


def _reading_lines(images: Images) -> Iterator[str]:
    for reader, number in images.readings:
        lacking = images.short_of.get((reader, number), frozenset())
        words = f"; without a mask: {_listed(tuple(sorted(lacking)))}" if lacking else ""
        if len(columns := images.where.get((reader, number), ())) == 1:
            words = f": {len(images.having((reader, number)))} patients, those with a yes in {columns[0]}"
        yield f"reading {number} of {'reader ' if reader.isdigit() else ''}{reader}{words}"


def _without_images(source: Path, tables: list[str], aside: dict[str, list[str]]) -> ContractError:
    others = sum(map(len, aside.values())) + len(tables)
    what = (
        f"has no images: {others} file{'s' * (others != 1)} of other kinds" if others else "is empty: it has no files"
    )
    hint = "name the folder with the images"
    if tables:
        hint += "; a table of features alone: radzoo ingest --features TABLE.csv"
    return ContractError(what, where=str(source), hint=hint)


def _without_patients(source: Path, listing: FolderListing) -> ContractError:
    found = [f"{kind} ({len(paths)}), such as {paths[0]}" for kind, paths in sorted(listing.aside.items())]
    return ContractError(
        "has images, and no pattern of paths was found in which the patient's id alone varies: "
        + "; ".join([*found, *listing.notes[:_NAMED]]),
        where=str(source),
        hint="rename or link the files so that all patients' paths are alike, or write the file by hand: radzoo init "
        "DIR",
    )


def _table_notes(table: CohortTable | None, images: Images) -> tuple[str, ...]:
    if table is None:
        return ()
    notes = list(table.notes)
    having = len(images.patients & {*table.ids})
    if having < len(table.ids):
        notes.append(f"{having} of {len(table.ids)} patients of {table.path} {'has' if having == 1 else 'have'} images")
    if strangers := sorted(images.patients - {*table.ids}):
        notes.append(f"not in {table.path}: {_listed(tuple(strangers))}")
    if table.columns.others:
        notes.append(f"columns of {table.path} that the study does not use: {_listed(tuple(table.columns.others))}")
    return tuple(notes)


def _bounded(notes: list[str]) -> list[str]:
    return (
        notes
        if len(notes) <= _MOST_NOTES
        else [*notes[:_MOST_NOTES], f"and {len(notes) - _MOST_NOTES} more of this kind"]
    )


def _disjoint_notes(images: Images) -> list[str]:
    """Return a note where phases have no patient in common, as those of two centres' folders."""
    first, *others = images.phases
    apart = [each.name for each in others if first.with_image.isdisjoint(each.with_image)]
    if not apart:
        return []
    return [
        f"no patient has both {first.name} and {', '.join(apart[:_NAMED])}: where a folder is a centre's or a date, no "
        "pattern can name it, and the phases are one; link the files below folders that are alike"
    ]


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return one_line(", ".join(names[:_NAMED]) + more)
