"""A batch of regions, run in a worker process: a patient's phases read, registered and cropped together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from flows.extract.batch import failure_of, unchanged_image, unchanged_mask
from flows.extract.planned import PlannedExtraction, PlannedInput
from flows.imaging.grids import GEOMETRY_TOLERANCE
from flows.imaging.regions import PhaseImage, Region, cropped_regions
from flows.imaging.volumes import ReadingFolders, is_unoriented
from schemas.errors import ContractError
from schemas.features.region_settings import RegionSettings
from store.rows.region_record import RegionRecord
from store.rows.staging import stage

__all__ = ["crop_units", "exam_units"]


def exam_units(batch: Sequence[PlannedExtraction]) -> list[Sequence[PlannedExtraction]]:
    """Return a batch exam by exam and lesion by lesion: what is computed together fails together."""
    return [tuple(group) for _, group in groupby(batch, key=lambda each: each.together)]


def crop_units(
    units: Sequence[Sequence[PlannedExtraction]], settings: RegionSettings, staging: Path, folders: ReadingFolders
) -> Iterator[str | None]:
    """Compute and stage the regions of one exam after another; give why each failed, or None.

    Raises
    ------
    OSError
        When a finished region cannot be staged.
    """
    for unit in units:
        together = unit[0].together
        try:
            if absent := unit[0].absent_phases:
                raise ContractError(f"the lesion has no image and mask of phase {', '.join(absent)}")
            read = {each.content: each for each in reversed(together)}
            images = {content: _phase_image(each, folders) for content, each in read.items()}
            _refuse_unknown_places({read[content].key.phase: each.image for content, each in images.items()})
            regions = cropped_regions([images[each.content] for each in together], settings)
            of_content = {each.content: region for each, region in zip(together, regions, strict=True)}
            records = [_record(planned, of_content[planned.content]) for planned in unit]
        except Exception as error:
            # A library's own error on one exam must not cost the other patients their rows.
            yield failure_of(error)
        else:
            # A full disk is no fault of an exam: it ends the run, and what was staged is taken over.
            for record in records:
                stage(staging, record)
            yield None


def _phase_image(planned: PlannedInput, folders: ReadingFolders) -> PhaseImage:
    try:
        image = unchanged_image(planned, folders)
        return PhaseImage(image, unchanged_mask(planned, image, GEOMETRY_TOLERANCE, folders))
    except ContractError as error:
        raise ContractError(f"phase {planned.key.phase}: {error.message}", where=error.where) from error


def _refuse_unknown_places(images: Mapping[str, sitk.Image]) -> None:
    """Refuse phases of which only some say where they lie: no registration could begin."""
    lacking = [phase for phase, image in images.items() if is_unoriented(image)]
    if 0 < len(lacking) < len(images):
        raise ContractError(
            f"phase {', '.join(lacking)}: the image does not say which way its axes run and where it lies, other "
            "phases do: write its orientation into the file"
        )


def _record(planned: PlannedExtraction, region: Region) -> RegionRecord:
    told: dict[str, Any] = {"first_slice": region.box.first_slice, "side_mm": region.box.side_mm}
    if (found := region.registration) is None:
        told["registration"] = "fixed"
    else:
        told |= {
            "registration": "applied" if found.is_applied else "identity",
            "similarity_before": found.similarity_before,
            "similarity_after": found.similarity_after,
        }
        for axis, degrees, shift in zip("xyz", found.rotation_degrees, found.shift_mm, strict=True):
            told |= {f"rotation_{axis}_degrees": degrees, f"shift_{axis}_mm": shift}
    return RegionRecord(
        extraction_id=planned.extraction_id,
        key=planned.key,
        image_sha256=planned.image_sha256,
        mask_sha256=planned.mask_sha256,
        context_sha256=planned.context_sha256 or "",
        told=told,
        voxels=RegionRecord.written(region.array),
        lesion=RegionRecord.written_mask(region.mask),
    )
