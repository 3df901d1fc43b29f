"""A batch of extractions, run in a worker process: one patient's scans, read once each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from flows.extract.planned import PlannedExtraction, PlannedInput
from flows.extract.prepared import PreparedScan, prepared_scan
from flows.extract.radiomics import extract
from flows.imaging.grid_tolerance import set_tolerance
from flows.imaging.grids import geometry_difference
from flows.imaging.labels import lesion_mask
from flows.imaging.opened_files import library_words
from flows.imaging.sources import file_of_source, place_of, read_image, read_labels, shown_source, stored_source
from flows.imaging.volumes import ReadingFolders, image_sha256, mask_sha256
from schemas.errors import ContractError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import EXTRACTION_MEMORY, Engine
from schemas.study.dicom_parts import SeriesRule, StructureRule
from store.rows.staging import ExtractionRecord, stage

__all__ = ["Receipt", "extract_units", "failure_of", "mask_units", "unchanged_image", "unchanged_mask", "unit_receipts"]


_CHANGED = "differs from what was ingested: run radzoo ingest again, with --read-again where that finds nothing new"


@dataclass(frozen=True)
class Receipt:
    """What became of one extraction; the values themselves lie staged on disk."""

    planned: PlannedExtraction
    failure: str | None = None


def unit_receipts(units: Sequence[Sequence[PlannedExtraction]], failures: Sequence[str | None]) -> list[Receipt]:
    """Return a receipt for each extraction of units, with what their unit failed of."""
    return [Receipt(each, failure) for unit, failure in zip(units, failures, strict=True) for each in unit]


def mask_units(batch: Sequence[PlannedExtraction]) -> list[Sequence[PlannedExtraction]]:
    """Return a batch mask by mask, those of one image after another: it is read once."""
    return [(each,) for each in sorted(batch, key=lambda each: (each.image_source, each.key))]


def extract_units(
    units: Sequence[Sequence[PlannedExtraction]],
    settings: RadiomicsSettings,
    staging: Path,
    folders: ReadingFolders,
    *,
    engine: Engine = "fast",
) -> Iterator[str | None]:
    """Compute and stage extractions one by one; give why each failed, or None.

    A fault of one extraction is its own; the others go on.

    Raises
    ------
    OSError
        When a finished extraction cannot be staged.
    """
    shared: tuple[str, str] | None = None
    image: sitk.Image | None = None
    prepared: PreparedScan | None = None
    for (planned,) in units:
        # Of one file under two phases' names each has a scale of its own.
        own = planned.image_source, planned.key.phase
        if own != shared:
            shared, image, prepared = own, None, None
        try:
            if image is None or prepared is None:
                image = unchanged_image(planned, folders)
                prepared = prepared_scan(image, settings, planned.key.phase, engine)
            record = _record(planned, image, prepared, settings, folders, engine)
        except Exception as error:
            # A library's own error on one mask must not cost the other patients their rows.
            yield failure_of(error)
        else:
            # A full disk is no fault of a mask: it ends the run, and what was staged is taken over.
            stage(staging, record)
            yield None


def failure_of(error: Exception) -> str:
    """Return what the catalogue says of an error: our own sentence, or a library's with its name."""
    if isinstance(error, ContractError):
        return error.message
    if isinstance(error, MemoryError):
        # What numpy raises speaks of arrays; `flows.extract.calculators` names the family.
        what = str(error) if type(error) is MemoryError and str(error) else "the computation"
        return (
            f"there was not enough memory for {what}: give a larger bin_width, or set {EXTRACTION_MEMORY.variable} to "
            "more, then run radzoo refresh --retry-failed --workers 1, or run it on a larger machine"
        )
    words = library_words(error)
    return (
        f"the computation stopped with {type(error).__name__}: {words}; look at this image and mask in a viewer, "
        "then run radzoo refresh --retry-failed"
    )


def unchanged_image(planned: PlannedInput, folders: ReadingFolders) -> sitk.Image:
    """Return the image of a scan.

    Raises
    ------
    ContractError
        When it cannot be read, or is not the one that was ingested.
    """
    with _of_file("image", planned.image_source, folders):
        image = read_image(stored_source(planned.image_source, SeriesRule, folders.copies), folders)
        if image_sha256(image) != planned.image_sha256:
            raise ContractError(_CHANGED)
    return image


def unchanged_mask(planned: PlannedInput, image: sitk.Image, tolerance: float, folders: ReadingFolders) -> sitk.Image:
    """Return the lesion's mask on the grid of its image.

    Raises
    ------
    ContractError
        When it cannot be read, is not the one that was ingested, or lies further from the image's grid than the
        feature set's ``tolerance`` allows.
    """
    with _of_file("mask", planned.mask_source, folders):
        source = stored_source(planned.mask_source, StructureRule, folders.copies)
        labels = read_labels(source, place_of(image), planned.mask_label, folders)
        mask = lesion_mask(labels, planned.mask_label)
        if mask_sha256(mask) != planned.mask_sha256:
            raise ContractError(_CHANGED)
        if (difference := geometry_difference(image, labels, tolerance)) is not None:
            raise ContractError(
                f"other geometry: {difference}; this feature set's tolerance is {tolerance:g} (geometry_tolerance)"
            )
    # What the tolerance lets pass ends here: from here on the grids are one.
    mask.CopyInformation(image)
    return mask


@contextmanager
def _of_file(what: str, source: str, folders: ReadingFolders) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        # Sources are stored with their links resolved.
        study = None if folders.study is None else Path(os.path.realpath(folders.study))
        named = f"{what} {shown_source(source, study)}" if folders.names_files else what
        raise ContractError(f"{named}: {error.message}", where=str(file_of_source(source))) from error


def _record(
    planned: PlannedExtraction,
    image: sitk.Image,
    prepared: PreparedScan,
    settings: RadiomicsSettings,
    folders: ReadingFolders,
    engine: Engine,
) -> ExtractionRecord:
    mask = unchanged_mask(planned, image, set_tolerance(settings), folders)
    extraction = extract(image, mask, settings, prepared=prepared, engine=engine)
    return ExtractionRecord(
        extraction_id=planned.extraction_id,
        key=planned.key,
        image_sha256=planned.image_sha256,
        mask_sha256=planned.mask_sha256,
        context_sha256=planned.context_sha256,
        values={column: value if math.isfinite(value) else None for column, value in extraction.values.items()},
        unavailable=extraction.unavailable,
        details={"grey_levels": extraction.grey_levels, "zero_fraction": extraction.zero_fraction},
    )
