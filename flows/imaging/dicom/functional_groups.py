"""What a functional group says of a frame: its own, that of all frames, or the header of a file without groups."""

from __future__ import annotations

from pydicom.dataset import Dataset

from flows.imaging.dicom.headers import items_of, number_of, numbers_of
from schemas.errors import ContractError

__all__ = ["group_number", "group_value", "plane_of"]


def plane_of(
    dataset: Dataset, group: Dataset | None, shared: Dataset | None
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return where a frame lies: position in mm, orientation, and the spacing of rows and columns in mm.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The header.
    group, shared : pydicom.Dataset or None
        Functional groups of the frame and of all frames; None for a file that has none.

    Raises
    ------
    ContractError
        When one of them is missing, or is none.
    """
    found = []
    for sequence, keyword, count in (
        ("PlanePositionSequence", "ImagePositionPatient", 3),
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        ("PixelMeasuresSequence", "PixelSpacing", 2),
    ):
        at = group_value(dataset, group, shared, sequence)
        numbers = None if at is None else numbers_of(at, keyword, count)
        if numbers is None:
            raise ContractError(f"its header lacks {keyword}: where its voxels lie is not known")
        found.append(numbers)
    position, orientation, spacing = found
    if not all(each > 0 for each in spacing):
        raise ContractError("PixelSpacing must be above 0 along each axis")
    return position, orientation, spacing


def group_value(dataset: Dataset, group: Dataset | None, shared: Dataset | None, sequence: str) -> Dataset | None:
    """Return where a frame's elements of one functional group stand: its own, those of all frames, or the header."""
    if group is None and shared is None:
        return dataset
    for functional in (group, shared):
        if items := items_of(functional, sequence):
            return items[0]
    return None


def group_number(
    dataset: Dataset, group: Dataset | None, shared: Dataset | None, sequence: str, keyword: str
) -> float | None:
    """Return a number of one functional group of a frame, None where it is absent."""
    at = group_value(dataset, group, shared, sequence)
    return None if at is None else number_of(at, keyword)
