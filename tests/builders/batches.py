"""Extractions computed and staged in this process, without a child: for tests, which trust their files."""

from collections.abc import Sequence
from pathlib import Path

from flows.extract.batch import Receipt, unit_receipts
from flows.extract.planned import PlannedExtraction, sources_of_units
from flows.imaging.volumes import ReadingFolders
from flows.refresh.kinds.every import computed_kind
from flows.remote.copies import held_copies
from schemas.features.sets import ComputedSettings


def computed_batch(batch: Sequence[PlannedExtraction], settings: ComputedSettings, staging: Path) -> list[Receipt]:
    """Compute and stage planned extractions, and return their receipts."""
    kind = computed_kind(settings)
    units = kind.units(batch)
    with held_copies(sources_of_units(units)) as copies:
        failures = list(kind.compute("fast")(units, settings, staging, ReadingFolders(copies=copies)))
    return unit_receipts(units, failures)
