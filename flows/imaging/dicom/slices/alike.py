"""The frames of files whose headers are alike: what the slices of a series have in common is made out once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from flows.imaging.dicom.frames import Frame, frames_of
from flows.imaging.dicom.plain.values import tags_of

__all__ = ["frames_of_series"]

_GROUPS = tags_of(("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"))
_OF_ITS_OWN = tags_of(
    (
        *("SOPInstanceUID", "ImagePositionPatient", "TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime"),
        *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    )
)
"""Elements in which the slices of a series differ, as a rule."""

_Shared = tuple[tuple[int, str | None, object, bool, bool], ...]


def frames_of_series(headers: Iterable[tuple[Path, Dataset]]) -> Iterator[tuple[Frame, ...]]:
    """Give the frames of each file of a series, as `frames_of` does: what slices have in common is made out once.

    Parameters
    ----------
    headers : iterable of (Path, pydicom.Dataset)
        The files with their headers.

    Raises
    ------
    ContractError
        As `frames_of` does.
    """
    first: dict[_Shared, Frame] = {}
    for file, header in headers:
        shared = _shared(header)
        alike = None if shared is None else first.get(shared)
        found = frames_of(header, file, alike)
        if shared is not None:
            first.setdefault(shared, found[0])
        yield found


def _shared(header: Dataset) -> _Shared | None:
    """Return the stored elements of a plain image that are not its own, None where some have been converted by now."""
    found = []
    for tag, each in header.items():
        if not isinstance(each, RawDataElement) or tag in _GROUPS:
            return None
        if tag not in _OF_ITS_OWN:
            found.append((int(tag), each.VR, each.value, each.is_implicit_VR, each.is_little_endian))
    return tuple(found)
