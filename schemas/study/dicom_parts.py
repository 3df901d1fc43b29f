"""Which part of DICOM a phase's image and mask are, as a study file says it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from schemas.written.values import Written

__all__ = ["SegmentName", "SeriesRule", "StructureRule", "Threshold"]

SegmentName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Threshold = Annotated[float, Field(gt=0, le=1)]

_PATTERN = StringConstraints(min_length=1, max_length=200)
_UID = StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)
_CODE = StringConstraints(pattern=r"^[A-Za-z0-9_ ]+$", max_length=16)


class SeriesRule(Written):
    """What is known of a series: each key that is given must hold, and one series must be left."""

    description: Annotated[str, _PATTERN] | None = None
    """SeriesDescription, in which * stands for any text and ? for one character; upper and lower case are the same."""
    number: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    """SeriesNumber."""
    uid: Annotated[str, _UID] | None = None
    """SeriesInstanceUID. It alone chooses a localizer, or one of several studies or patients in a folder."""
    modality: Annotated[str, _CODE] | None = None
    """Modality, such as MR, CT or PT."""
    order: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The n-th, from 1, of the series that fit, by the time they were acquired."""
    time: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """The n-th volume, from 1, of a dynamic series, which holds several at one place."""
    seconds: tuple[float, float] | None = None
    """The fewest and most seconds from the contrast agent's start (ContrastBolusStartTime) to the acquisition's."""

    suv: Literal["body-weight"] | None = None
    """Of PET: voxels become standardised uptake values by body weight, in g/ml; as they are stored where absent."""

    @field_validator("seconds")
    @classmethod
    def _runs_forwards(cls, seconds: tuple[float, float] | None) -> tuple[float, float] | None:
        if seconds is not None:
            if not all(math.isfinite(each) for each in seconds):
                raise ValueError("seconds are two numbers, such as [20, 40]")
            if seconds[0] > seconds[1]:
                raise ValueError("the window of seconds is upside down: the lower number comes first, as in [20, 40]")
        return seconds


class StructureRule(Written):
    """What is chosen of a DICOM mask."""

    segment: SegmentName | None = None
    """SegmentLabel or ROIName; upper and lower case are the same. The only one where absent."""
    number: int | None = None
    """SegmentNumber, where the study file gives a label and no segment: of several segments the one that is taken."""
    threshold: Threshold = 0.5
    """Of a fractional segmentation: the least share that belongs to the lesion."""
