"""A study drafted from a folder: what was recognised, what was not, and the study file's text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.scans.reader import ImageReader
from flows.study_draft.cohort_table import CohortTable, cohort_table
from flows.study_draft.draft import Images
from flows.study_draft.listing import folder_listing
from flows.study_draft.patient_paths import ids_in_paths
from flows.study_draft.text import drafted_text
from flows.study_draft.volumes import volume_phases
from schemas.errors import ContractError
from schemas.foreign_text import one_line
from schemas.study.text import parsed_study

__all__ = ["PhaseFound", "StudyDraft", "study_draft"]

_NAMED = 5


@dataclass(frozen=True)
class PhaseFound:
    """How many patients have a phase."""

    name: str
    image: str
    mask: str | None
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
    paths = listing.volumes
    table = cohort_table(listing, paths)
    ids = frozenset(table.ids) if table is not None else ids_in_paths(paths)
    with ImageReader(source) as reader:
        images = volume_phases(listing, ids, reader)
    if not images.phases:
        raise ContractError(
            "has images, and no part of their paths is recognised as the patient's id",
            where=str(source),
            hint="put a table with one row per patient into the folder, or write the file by hand: radzoo init DIR",
        )
    text = drafted_text(folder, source, images, table)
    parsed_study(text, str(folder / "study.toml"))
    everyone = images.patients | (frozenset(table.ids) if table is not None else frozenset())
    phases = tuple(
        PhaseFound(
            each.name,
            each.image,
            each.mask,
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
        None if table is None else table.path,
        text.count("# to decide"),
        {kind: tuple(paths) for kind, paths in listing.aside.items()},
        (*listing.notes, *_table_notes(table, images)),
    )


def _without_images(source: Path, tables: list[str], aside: dict[str, list[str]]) -> ContractError:
    others = sum(map(len, aside.values())) + len(tables)
    what = f"has no images: {others} files of other kinds" if others else "is empty: it has no files"
    hint = "name the folder with the images"
    if tables:
        hint += "; a table of features alone: radzoo ingest --features TABLE.csv"
    return ContractError(what, where=str(source), hint=hint)


def _table_notes(table: CohortTable | None, images: Images) -> tuple[str, ...]:
    if table is None:
        return ()
    notes = list(table.notes)
    if strangers := sorted(images.patients - {*table.ids}):
        notes.append(f"not in {table.path}: {_listed(tuple(strangers))}")
    return tuple(notes)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return one_line(", ".join(names[:_NAMED]) + more)
