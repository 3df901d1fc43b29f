"""What a draft is made of: phases with their images and masks, readers, and what a person decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.study_draft.masks import MaskPattern

__all__ = ["DraftPhase", "Images"]


@dataclass
class DraftPhase:
    """A phase as it was recognised; patterns are relative to the folder that was looked at."""

    name: str
    image: str
    mask: str | None = None
    """None where no mask was found."""
    label: int | None = None
    """The lesion's value; None where the mask is DICOM or absent."""
    modality: str = ""
    series: dict[str, str | int] = field(default_factory=dict)
    """Which series of a DICOM folder."""
    segment: str | None = None
    """Of a DICOM mask, where it has several."""
    decide: dict[str, str] = field(default_factory=dict)
    """What a person decides, by the key of the study file that it is about."""
    comments: list[str] = field(default_factory=list)
    """What was found out, for people."""
    with_image: frozenset[str] = frozenset()
    """Patients who have the image."""
    with_mask: frozenset[str] = frozenset()
    """Patients who have a mask, of some reader."""


@dataclass
class Images:
    """All phases that were recognised, and the readings that their masks have."""

    phases: list[DraftPhase] = field(default_factory=list)
    readings: list[tuple[str, int]] = field(default_factory=list)
    """Reader and number of the reading; one of the default where empty."""
    loose_masks: list[MaskPattern] = field(default_factory=list)
    """Masks of no image that was recognised."""
    taken_masks: list[MaskPattern] = field(default_factory=list)
    """Those that phases of DICOM have."""
    is_dicom: bool = False
    """They were exported from an archive, whose ids and dates are those of patients."""
    short_of: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    """Patients with some mask who lack that of a reading."""
    where: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    """Columns of the table, of yes and no, that say of each patient whether there is that reading."""
    are_numbers: bool = False
    """Readers and readings are two numbers in the names of masks, and nothing says which is which."""

    def add_readings(self, mask: MaskPattern) -> None:
        """Add the readings that there are of a mask, and who lacks one of them."""
        for reading, of_patient in mask.files.items():
            if reading[1]:
                lacking = mask.patients - {*of_patient}
                self.short_of[reading] = self.short_of.get(reading, frozenset()) | lacking
                if reading not in self.readings:
                    self.readings.append(reading)
        if "{reading}" in mask.pattern and all(reader.isdigit() for reader, _ in mask.files):
            self.are_numbers = True

    def having(self, reading: tuple[str, int]) -> frozenset[str]:
        """Return the patients who have a mask of a reading in every phase that has one of theirs."""
        return self.masked_patients - self.short_of.get(reading, frozenset())

    @property
    def masked(self) -> int:
        """Return how many phases have a mask."""
        return sum(each.mask is not None for each in self.phases)

    @property
    def masked_patients(self) -> frozenset[str]:
        """Return all patients who have a mask of some reading."""
        return frozenset().union(*(each.with_mask for each in self.phases))

    @property
    def patients(self) -> frozenset[str]:
        """Return all patients who have an image."""
        return frozenset().union(*(each.with_image for each in self.phases))
