"""A batch of extractions, run in a worker process: one patient's scans, read once each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import SimpleITK as sitk

from flows.extract.radiomics import extract, normalised_image, use_single_thread
from flows.imaging.volumes import image_sha256, lesion_mask, mask_sha256, read_volume
from flows.plan import PlannedExtraction, PlannedInput
from schemas.errors import ContractError
from schemas.radiomics_settings import RadiomicsSettings
from store.staging import ExtractionRecord, stage

__all__ = ["Receipt", "extracted_batch", "failure_of", "prepared_worker", "unchanged_image", "unchanged_mask"]


@dataclass(frozen=True)
class Receipt:
    """What became of one extraction; the values themselves lie staged on disk."""

    planned: PlannedExtraction
    failure: str | None = None


def prepared_worker() -> None:
    """Set up a worker process: one ITK thread, for the pool has a process per core."""
    use_single_thread()


def extracted_batch(batch: Sequence[PlannedExtraction], settings: RadiomicsSettings, staging: Path) -> list[Receipt]:
    """Compute and stage a patient's extractions and return a receipt for each.

    A fault of one extraction is its receipt's ``failure``; the others go on.

    Raises
    ------
    OSError
        When a finished extraction cannot be staged.
    """
    receipts = []
    by_scan = sorted(batch, key=lambda each: (each.image_source, each.key))
    for _, of_scan in groupby(by_scan, key=lambda each: each.image_source):
        image: sitk.Image | None = None
        normalised: sitk.Image | None = None
        for planned in of_scan:
            try:
                if image is None or normalised is None:
                    image = unchanged_image(planned)
                    normalised = normalised_image(image, settings)
                record = _record(planned, image, normalised, settings)
            except Exception as error:
                # A library's own error on one mask must not cost the other patients their rows.
                receipts.append(Receipt(planned, failure_of(error)))
            else:
                # A full disk is no fault of a mask: it ends the run, and what was staged is taken over.
                stage(staging, record)
                receipts.append(Receipt(planned))
    return receipts


def failure_of(error: Exception) -> str:
    """Return what the catalogue says of an error: our own sentence, or a library's with its name."""
    return error.message if isinstance(error, ContractError) else f"{type(error).__name__}: {error}"


def unchanged_image(planned: PlannedInput) -> sitk.Image:
    """Return the image of a scan.

    Raises
    ------
    ContractError
        When it cannot be read, or is not the one that was ingested.
    """
    image = read_volume(Path(planned.image_source))
    if image_sha256(image) != planned.image_sha256:
        raise ContractError("image has changed since it was ingested: run radzoo ingest again")
    return image


def unchanged_mask(planned: PlannedInput, image: sitk.Image) -> sitk.Image:
    """Return the lesion's mask on the grid of its image.

    Raises
    ------
    ContractError
        When it cannot be read, or is not the one that was ingested.
    """
    mask = lesion_mask(read_volume(Path(planned.mask_source)), planned.mask_label)
    if mask_sha256(mask) != planned.mask_sha256:
        raise ContractError("mask has changed since it was ingested: run radzoo ingest again")
    # Ingest has let a rounding of the geometry pass (float32 in NIfTI); from here on the grids are one.
    mask.CopyInformation(image)
    return mask


def _record(
    planned: PlannedExtraction, image: sitk.Image, normalised: sitk.Image, settings: RadiomicsSettings
) -> ExtractionRecord:
    extraction = extract(image, unchanged_mask(planned, image), settings, normalised=normalised)
    return ExtractionRecord(
        extraction_id=planned.extraction_id,
        key=planned.key,
        image_sha256=planned.image_sha256,
        mask_sha256=planned.mask_sha256,
        values={column: value if math.isfinite(value) else None for column, value in extraction.values.items()},
        unavailable=extraction.unavailable,
        details={"grey_levels": extraction.grey_levels, "zero_fraction": extraction.zero_fraction},
    )
