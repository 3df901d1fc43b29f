"""What was found of the images and masks of a study's patients, and what a store knew of them before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flows.imaging.grids import Place
from flows.imaging.sources import Source
from flows.remote.study_files import NamedFile
from schemas.keys import MaskKey
from schemas.study.cohort import Phase

__all__ = ["Inventory", "KnownMasks", "PatientInventory", "PhaseScan"]

Row = dict[str, Any]


@dataclass
class PatientInventory:
    """One patient's rows of the catalogue, and what failed."""

    scans: list[Row] = field(default_factory=list)
    acquisitions: list[Row] = field(default_factory=list)
    """Of the images that were read this time."""
    masks: list[Row] = field(default_factory=list)
    """Rows of masks; ``measures`` has the columns of each one's row in ``mask_measures``, where they are known."""
    study_masks: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    missing_images: list[str] = field(default_factory=list)
    """The phase of each image that is not there."""
    missing_masks: list[str] = field(default_factory=list)
    """The phase of each mask that is not there."""
    absent_labels: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The phase of each mask without the study's label, and the labels that it has."""
    unoriented: list[str] = field(default_factory=list)
    """The names of images, read this time, whose files do not say which way their axes run."""


@dataclass
class Inventory(PatientInventory):
    """All patients' rows."""

    def add(self, other: PatientInventory) -> None:
        """Take over one patient's rows."""
        self.scans += other.scans
        self.acquisitions += other.acquisitions
        self.masks += other.masks
        self.study_masks += other.study_masks
        self.failures += other.failures
        self.missing_images += other.missing_images
        self.missing_masks += other.missing_masks
        self.absent_labels += other.absent_labels
        self.unoriented += other.unoriented


class KnownMasks:
    """The masks of a store, found by the source that they were read from.

    Parameters
    ----------
    rows : iterable of dict
        Rows of the table ``masks``.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._of_source: dict[str, dict[int, Row]] = {}
        self._lesions: dict[tuple[Any, ...], set[str]] = {}
        for row in rows:
            self._of_source.setdefault(row["source"], {})[row["mask_label"]] = row
            self._lesions.setdefault(_of_reading(row), set()).add(row["lesion"])

    def of(self, source: str) -> dict[int, Row]:
        """Return the masks that a source gave, by their label."""
        return self._of_source.get(source, {})

    def lesions(self, key: MaskKey) -> set[str]:
        """Return the lesions that a reading drew on a scan, whatever they were read from; of any ``key.lesion``."""
        return self._lesions.get(_of_reading(key._asdict()), set())


def _of_reading(key: Row) -> tuple[Any, ...]:
    return tuple(key[name] for name in ("patient", "exam", "phase", "reader", "reading"))


@dataclass
class PhaseScan:
    """The image of a phase of an exam, as far as it could be read."""

    exam: str
    name: str
    """The phase's."""
    phase: Phase
    source: Source
    named: NamedFile
    """What its path pattern gives."""
    row: Row | None = None
    place: Place | None = None
    """None where it need not be read, or could not."""
    fault: str = ""
