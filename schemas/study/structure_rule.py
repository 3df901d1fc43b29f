"""Which structure of a DICOM segmentation or structure set a mask is, as a study file says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.written.values import Written

__all__ = ["SegmentName", "StructureRule", "Threshold"]

SegmentName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Threshold = Annotated[float, Field(gt=0, le=1)]


class StructureRule(Written):
    """What is chosen of a DICOM mask."""

    segment: SegmentName | None = None
    """SegmentLabel or ROIName; upper and lower case are the same. The only one where absent."""
    threshold: Threshold = 0.5
    """Of a fractional segmentation: the least share that belongs to the lesion."""
