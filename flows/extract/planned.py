"""What is to be extracted: a scan, a mask, their files, and what they are computed with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.keys import MaskKey

__all__ = ["PlannedExtraction", "PlannedInput", "sources_of", "sources_of_units"]


@dataclass(frozen=True)
class PlannedInput:
    """One scan and mask, and the files that they are in."""

    key: MaskKey
    image_source: str
    mask_source: str
    mask_label: int
    image_sha256: str
    mask_sha256: str
    volume_mm3: float
    """Of the mask."""

    @property
    def content(self) -> tuple[str, str]:
        """Return the hashes of image and mask."""
        return self.image_sha256, self.mask_sha256


@dataclass(frozen=True)
class PlannedExtraction(PlannedInput):
    """One feature set on one scan and mask."""

    extraction_id: str
    context_sha256: str | None = None
    """Of the inputs that are computed together, or of the phase; None where image and mask are all that goes in."""
    together: tuple[PlannedInput, ...] = ()
    """These inputs, of one exam and lesion: the fixed phase first, and this one among them."""
    absent_phases: tuple[str, ...] = ()
    """Phases that belong to them and that the study has no image and mask of."""


def sources_of(planned: PlannedExtraction) -> list[str]:
    """Return the sources of all images and masks that an extraction reads, as the catalogue names them."""
    return [source for each in (planned, *planned.together) for source in (each.image_source, each.mask_source)]


def sources_of_units(units: Iterable[Iterable[PlannedExtraction]]) -> list[str]:
    """Return the sources of all images and masks that units read."""
    return [source for unit in units for each in unit for source in sources_of(each)]
