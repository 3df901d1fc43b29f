"""What is shown of each mask, and which of them are one case: a patient's exam and lesion, its phases side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.look.case import ShownScan
from flows.look.pictures import SheetCase, bar_mm, write_strips
from schemas.cases.lesions import UNION
from schemas.keys import MaskKey
from store.history.study_masks import StudyMask

__all__ = ["SLICES", "Look", "cases_of", "looks_at", "of_phase", "sheet_case"]

SLICES = "slices"
"""The folder of slices, below the page's."""


@dataclass
class Look:
    """What is shown of one mask."""

    mask: StudyMask
    number: int
    title: str
    """Of its case: the patient, the exam where several are shown, and a lesion that is not the only one or first."""
    scan: ShownScan | None = None
    """With the slice alone in which the lesion is largest: a study's slices are more than memory holds."""
    slices: int = 0
    largest: int = 0
    fault: str = ""
    flags: tuple[str, ...] | None = ()
    """None where the store has no measures of the mask."""
    further_lesions: int = 0
    """Of the same image, which models do not read."""
    volume_ratio: float | None = None
    """Its volume over the median of the lesion's other phases."""

    @property
    def pictures(self) -> str:
        """Return the file of its slices, below the page's folder."""
        return f"{SLICES}/{self.number:05}.jpg"

    @property
    def outlines(self) -> str:
        """Return the file of the lesion's outlines on them."""
        return f"{SLICES}/{self.number:05}.png"

    @property
    def volume_ml(self) -> float:
        """Return the lesion's volume."""
        return self.mask.volume_mm3 / 1000

    @property
    def bar_mm(self) -> float:
        """Return the length of its scale bar."""
        return 0.0 if self.scan is None else bar_mm(self.scan.pixel_mm * self.scan.pictures.shape[2])

    def take(self, scan: ShownScan, folder: Path) -> None:
        """Write a scan's slices, and keep what the page and the sheets say and show of it."""
        write_strips(scan, folder / self.pictures, folder / self.outlines)
        self.slices, self.largest, self.scan = len(scan.pictures), scan.largest, scan.largest_alone()

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return f"{self.title} {self.mask.key.phase}"


def looks_at(masks: Iterable[StudyMask], patients: Sequence[str]) -> list[Look]:
    """Return a look at each mask that models read, of some patients or of all where none is named.

    Parameters
    ----------
    masks : iterable of StudyMask
        A study's, those too that models do not read.
    patients : sequence of str
        Pseudonyms.
    """
    every = [each for each in masks if not patients or each.key.patient in patients]
    further = Counter(_reading(each.key) for each in every if not each.is_primary and each.key.lesion != UNION)
    read = sorted((each for each in every if each.is_primary), key=lambda each: (each.key.patient, each.image_source))
    exams: dict[str, set[str]] = {}
    for each in read:
        exams.setdefault(each.key.patient, set()).add(each.key.exam)
    found = []
    for number, each in enumerate(read, start=1):
        key = each.key
        exam = f" {key.exam}" if len(exams[key.patient]) > 1 else ""
        lesion = "" if key.lesion == "1" else f" lesion {key.lesion}"
        further_lesions = 0 if key.lesion == UNION else further[_reading(key)]
        found.append(Look(each, number, f"{key.patient}{exam}{lesion}", further_lesions=further_lesions))
    return found


def _reading(key: MaskKey) -> tuple[object, ...]:
    """Return a key without its lesion."""
    return tuple(key._replace(lesion=""))


def cases_of(looks: Sequence[Look]) -> dict[str, list[Look]]:
    """Return looks by the title of their case."""
    found: dict[str, list[Look]] = {}
    for each in looks:
        found.setdefault(each.title, []).append(each)
    return found


def of_phase(found: Sequence[Look], phase: str) -> Look | None:
    """Return a case's look of a phase, None where there is none."""
    return next((each for each in found if each.mask.key.phase == phase), None)


def sheet_case(title: str, phases: Sequence[str], found: Sequence[Look]) -> SheetCase:
    """Return a case's row of the contact sheet."""
    cells = [of_phase(found, phase) for phase in phases]
    words = ["no mask" if each is None else each.fault[:60] or _short_words(each) for each in cells]
    return SheetCase(title, [None if each is None else each.scan for each in cells], words)


def _short_words(each: Look) -> str:
    if each.scan is None:
        return ""
    measures = each.scan.measures
    further = f"\n{each.further_lesions} more in this image" if each.further_lesions else ""
    flags = further + (f"\n{'; '.join(each.flags)}" if each.flags else "")
    return f"{each.volume_ml:.3g} ml, {measures.diameter_mm:.0f} mm, {measures.voxels} voxels{flags}"
