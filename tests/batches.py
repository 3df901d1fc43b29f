"""Extractions computed and staged in this process, without a child: for tests, which trust their files."""

from collections.abc import Sequence
from pathlib import Path

from flows.extract.batch import Receipt
from flows.extract.limited_units import failures_of_units, units_of
from flows.extract.planned import PlannedExtraction
from flows.imaging.volumes import ReadingFolders
from flows.refresh.kinds import receipts_of
from schemas.features.sets import ComputedSettings


def computed_batch(batch: Sequence[PlannedExtraction], settings: ComputedSettings, staging: Path) -> list[Receipt]:
    """Compute and stage planned extractions, and return their receipts."""
    units = units_of(batch, settings)
    return receipts_of(units, list(failures_of_units(units, settings, staging, ReadingFolders())))
