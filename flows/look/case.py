"""One scan and the lesion on it, made ready to be shown: read in a child process, which gives small pictures back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.labels import lesion_voxels
from flows.imaging.sources import place_of, read_image, read_labels, stored_source
from flows.imaging.volumes import ReadingFolders, image_sha256, label_sha256
from flows.look.slices import slice_plane
from flows.scans.measures import Measures, lesion_box, measures_of
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule, StructureRule
from store.history.study_masks import StudyMask

__all__ = ["MOST_SLICES", "ShownScan", "shown_scan"]

MOST_SLICES = 24
"""Slices of a scan that are kept, those about the lesion."""
_AROUND = 3
_MOST_PIXELS = 320
_WINDOW = (1.0, 99.0)

Bytes = NDArray[np.uint8]


class ShownScan(NamedTuple):
    """The slices about a lesion as grey pictures, and what was measured."""

    plane: str
    pixel_mm: float
    """Of a picture's square pixel."""
    pictures: Bytes
    """Of shape (slices, rows, columns): from the 1st to the 99th percentile of what lies in and about the lesion."""
    lesion: Bytes
    """The same, 1 where the lesion is."""
    largest: int
    """The slice in which the lesion has its largest area."""
    measures: Measures

    def largest_alone(self) -> ShownScan:
        """Return the scan with the slice alone in which the lesion has its largest area."""
        kept = slice(self.largest, self.largest + 1)
        return self._replace(pictures=self.pictures[kept].copy(), lesion=self.lesion[kept].copy(), largest=0)


def shown_scan(mask_row: StudyMask, folders: ReadingFolders) -> ShownScan:
    """Return what is shown of a scan.

    Parameters
    ----------
    mask_row : StudyMask
        What the catalogue says of the mask and its image.
    folders : ReadingFolders
        Where data files may lie.

    Raises
    ------
    ContractError
        When one of the files cannot be read, or is not the one that was ingested.
    """
    image = read_image(stored_source(mask_row.image_source, SeriesRule, folders.copies), folders)
    _refuse_changed("image", image_sha256(image), mask_row.image_sha256)
    place = place_of(image)
    labels = read_labels(
        stored_source(mask_row.mask_source, StructureRule, folders.copies), place, mask_row.mask_label, folders
    )
    lesion = lesion_voxels(labels, mask_row.mask_label)
    _refuse_changed("mask", label_sha256(labels, lesion), mask_row.mask_sha256)
    plane = slice_plane(place.grid)
    voxels = plane.shown(sitk.GetArrayViewFromImage(image))
    mask = plane.shown(lesion)
    areas = mask.sum(axis=(1, 2))
    kept = _kept_slices(areas)
    low, high = (float(each) for each in np.percentile(voxels[_surroundings(mask)], _WINDOW))
    grey = np.clip((voxels[kept].astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    pixel_mm, rows, columns = _square(mask.shape[1:], plane.down_mm, plane.right_mm)
    # Of several voxels that a pixel shows the nearest is its grey; one of the lesion is enough for its outline.
    in_rows = np.maximum.reduceat(mask[kept].astype(np.uint8), _firsts(rows), axis=1)
    shown = np.maximum.reduceat(in_rows, _firsts(columns), axis=2)
    return ShownScan(
        plane.name,
        pixel_mm,
        np.rint(grey * 255).astype(np.uint8)[:, rows[:, None], columns],
        shown,
        int(areas[kept].argmax()),
        measures_of(sitk.GetArrayViewFromImage(image), lesion, place.grid.spacing),
    )


def _surroundings(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the box about a lesion, wider on each side in the slices by a quarter of its size, or five voxels.

    The range of the whole image would be that of air and bone, and of PET that of the bladder.
    """
    across, *within = lesion_box(mask)
    margins = [max((each.stop - each.start) // 4, 5) for each in within]
    wider = (slice(max(each.start - by, 0), each.stop + by) for each, by in zip(within, margins, strict=True))
    return across, *wider


def _refuse_changed(what: str, found: str, ingested: str) -> None:
    if found != ingested:
        raise ContractError(f"{what}: it is not what was ingested: run radzoo ingest again, then radzoo look")


def _kept_slices(areas: NDArray[np.intp]) -> slice:
    held = np.flatnonzero(areas)
    first, last = max(int(held[0]) - _AROUND, 0), min(int(held[-1]) + _AROUND, len(areas) - 1)
    if last - first >= MOST_SLICES:
        middle = int(areas.argmax())
        first = min(max(middle - MOST_SLICES // 2, first), last - MOST_SLICES + 1)
        last = first + MOST_SLICES - 1
    return slice(first, last + 1)


def _square(
    shape: tuple[int, ...], down_mm: float, right_mm: float
) -> tuple[float, NDArray[np.intp], NDArray[np.intp]]:
    """Return the size of square pixels and which rows and columns they show: the nearest, none is made up."""
    extent = (shape[0] * down_mm, shape[1] * right_mm)
    pixel_mm = max(min(down_mm, right_mm), max(extent) / _MOST_PIXELS)
    rows, columns = (
        np.minimum(((np.arange(max(int(length / pixel_mm), 1)) + 0.5) * pixel_mm / each).astype(np.intp), count - 1)
        for length, each, count in zip(extent, (down_mm, right_mm), shape, strict=True)
    )
    return pixel_mm, rows, columns


def _firsts(nearest: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the first of the rows that each pixel stands for, given the nearest one of each."""
    return np.concatenate([nearest[:1] * 0, np.where(np.diff(nearest) > 0, nearest[:-1] + 1, nearest[1:])])
