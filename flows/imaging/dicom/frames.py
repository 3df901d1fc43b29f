"""The frames of image files: where each lies, when it was acquired, and how its stored values become voxels.

A file has one frame, described by its own elements, or several, described by functional groups that all share or that
each has (DICOM PS3.3, section C.7.6.16). Both become the same `Frame`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from flows.imaging.dicom.clock import bolus_delay, moment, moment_of_text
from flows.imaging.dicom.functional_groups import group_number, group_value, plane_of
from flows.imaging.dicom.headers import items_of, number_of, numbers_of, text_of, whole_of
from schemas.errors import ContractError

__all__ = ["FRAME_TAGS", "Frame", "frames_of"]

FRAME_TAGS = (
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *(
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "RescaleSlope",
        "RescaleIntercept",
        "ModalityLUTSequence",
    ),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime", "AcquisitionDateTime", "AcquisitionDate"),
    *("AcquisitionTime", "ContentDate", "ContentTime", "ContrastBolusStartTime"),
    *("ImageType", "EchoNumbers", "EchoTime", "InversionTime", "DiffusionBValue", "ConvolutionKernel"),
    *("DimensionIndexSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
"""Keywords of the elements that frames are made of."""

_KINDS = ("ImageType", "EchoNumbers", "EchoTime", "InversionTime", "DiffusionBValue", "ConvolutionKernel")
_KINDS_OF_FRAMES = (
    ("CTImageFrameTypeSequence", "FrameType"),
    ("MRImageFrameTypeSequence", "FrameType"),
    ("PETFrameTypeSequence", "FrameType"),
    ("MREchoSequence", "EffectiveEchoTime"),
    ("MRDiffusionSequence", "DiffusionBValue"),
)
_TEMPORAL_POINTERS = ("(0020,9128)", "(0020,930D)", "(0018,9151)", "(0020,9153)")
"""TemporalPositionIndex, TemporalPositionTimeOffset, FrameReferenceDateTime, NominalCardiacTriggerDelayTime."""
_PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_MOST_FRAMES = 100_000


@dataclass(frozen=True)
class Frame:
    """One slice as it is stored.

    Attributes
    ----------
    file : Path
        Where it is stored.
    index : int
        Its place among the frames of the file, from 0.
    instance : str
        SOPInstanceUID of the file.
    position : tuple of 3 floats
        Centre of the first voxel in mm, in the patient's axes (left, posterior, superior).
    orientation : tuple of 6 floats
        Directions in which a row runs and in which a column runs.
    spacing : tuple of 2 floats
        Millimetres between rows and between columns.
    thickness : float or None
        Millimetres to the next slice as the header has them: SpacingBetweenSlices, else SliceThickness.
    bits : int
        Bits that a stored value takes.
    lowest, highest : int or None
        Bounds of the stored values; None where they are floating-point numbers.
    kind : tuple of (str, str)
        What tells images at one place apart that are no times: echoes, diffusion weightings, reconstructions.
    order : tuple of (str, float or None)
        What may number the volumes of a dynamic series, the best first.
    acquired, content : float or None
        Seconds since a fixed day.
    delay : float or None
        Seconds since the contrast agent's start.
    """

    file: Path
    index: int
    instance: str
    rows: int
    columns: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float | None
    bits: int
    lowest: int | None
    highest: int | None
    slope: float
    intercept: float
    kind: tuple[tuple[str, str], ...]
    order: tuple[tuple[str, float | None], ...]
    acquired: float | None
    content: float | None
    delay: float | None


def frames_of(dataset: Dataset, file: Path, alike: Frame | None = None) -> tuple[Frame, ...]:
    """Return the frames of an image file.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Its header, with `FRAME_TAGS`.
    file : Path
        Where it lies.
    alike : Frame, optional
        The only one of a file whose header differs in nothing but where and when the image was acquired.

    Raises
    ------
    ContractError
        When the header lacks what places a slice or decodes its values, or when its values are colours, or are mapped
        by a table.
    """
    try:
        return tuple(_frames(dataset, file)) if alike is None else (_like(alike, dataset, file),)
    except ContractError as error:
        raise ContractError(error.message, where=error.where or str(file), hint=error.hint) from error


def _frames(dataset: Dataset, file: Path) -> Iterator[Frame]:
    _refuse_colours(dataset)
    lowest, highest = _stored_bounds(dataset)
    rows, columns = whole_of(dataset, "Rows"), whole_of(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise ContractError("its header lacks Rows or Columns")
    shared = next(iter(items_of(dataset, "SharedFunctionalGroupsSequence")), None)
    groups = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    count = whole_of(dataset, "NumberOfFrames") or 1
    is_multiframe = shared is not None or len(groups) > 0
    if is_multiframe and count != len(groups):
        raise ContractError(f"its header counts {count} frames and describes {len(groups)}")
    if not is_multiframe and count != 1:
        raise ContractError(f"its {count} frames have no functional groups, which would say where each of them lies")
    if count > _MOST_FRAMES:
        raise ContractError(f"its {count} frames are more than the {_MOST_FRAMES} that are read")
    described: Sequence[Dataset | None] = groups or [None]
    for index, group in enumerate(described):
        position, orientation, spacing = plane_of(dataset, group, shared)
        thickness = group_number(dataset, group, shared, "PixelMeasuresSequence", "SpacingBetweenSlices")
        if thickness is None:
            thickness = group_number(dataset, group, shared, "PixelMeasuresSequence", "SliceThickness")
        slope = group_number(dataset, group, shared, "PixelValueTransformationSequence", "RescaleSlope")
        intercept = group_number(dataset, group, shared, "PixelValueTransformationSequence", "RescaleIntercept")
        if slope == 0.0:
            raise ContractError("RescaleSlope is 0: no voxel can be scaled by it")
        acquired = moment(dataset, "Acquisition") if group is None else _frame_moment(group)
        yield Frame(
            file=file,
            index=index,
            instance=text_of(dataset, "SOPInstanceUID"),
            rows=rows,
            columns=columns,
            position=position,
            orientation=orientation,
            spacing=spacing,
            thickness=thickness,
            bits=whole_of(dataset, "BitsAllocated") or 0,
            lowest=lowest,
            highest=highest,
            slope=1.0 if slope is None else slope,
            intercept=intercept or 0.0,
            kind=_kind(dataset, group, shared),
            order=_order(dataset, group, shared),
            acquired=acquired,
            content=moment(dataset, "Content") if group is None else None,
            delay=bolus_delay(dataset, acquired),
        )


def _like(alike: Frame, dataset: Dataset, file: Path) -> Frame:
    """Return the frame of a file whose header differs from another's in what is its own alone."""
    position = numbers_of(dataset, "ImagePositionPatient", 3)
    if position is None:
        return next(_frames(dataset, file))
    acquired = moment(dataset, "Acquisition")
    return replace(
        alike,
        file=file,
        instance=text_of(dataset, "SOPInstanceUID"),
        position=position,
        order=_order(dataset, None, None),
        acquired=acquired,
        content=moment(dataset, "Content"),
        delay=bolus_delay(dataset, acquired),
    )


def _refuse_colours(dataset: Dataset) -> None:
    if not (meaning := text_of(dataset, "PhotometricInterpretation")):
        raise ContractError("its header lacks PhotometricInterpretation")
    if (whole_of(dataset, "SamplesPerPixel") or 1) != 1 or not meaning.startswith("MONOCHROME"):
        raise ContractError("is an image in colours (PhotometricInterpretation)")
    if text_of(dataset, "SOPClassUID") == _PARAMETRIC_MAP and whole_of(dataset, "BitsStored") is not None:
        raise ContractError("is a parametric map of whole numbers, whose real values only a table gives")
    if items_of(dataset, "ModalityLUTSequence"):
        raise ContractError("its values are mapped by a table (ModalityLUTSequence), which is not read")


def _stored_bounds(dataset: Dataset) -> tuple[int | None, int | None]:
    """Return the smallest and largest value that a pixel can store; None for floating-point numbers."""
    allocated, stored = whole_of(dataset, "BitsAllocated"), whole_of(dataset, "BitsStored")
    if stored is None and allocated in (32, 64):
        return None, None
    if allocated not in (8, 16, 32) or stored is None or not 1 <= stored <= allocated:
        raise ContractError("its header's BitsAllocated and BitsStored are none of an image: 8, 16 or 32 bits are read")
    if whole_of(dataset, "HighBit") not in (None, stored - 1):
        raise ContractError("its pixels do not lie in the lowest bits (HighBit is not BitsStored - 1)")
    if whole_of(dataset, "PixelRepresentation") == 1:
        return -(1 << (stored - 1)), (1 << (stored - 1)) - 1
    return 0, (1 << stored) - 1


def _kind(dataset: Dataset, group: Dataset | None, shared: Dataset | None) -> tuple[tuple[str, str], ...]:
    if group is None:
        return tuple((keyword, text_of(dataset, keyword)) for keyword in _KINDS)
    found = []
    for sequence, keyword in _KINDS_OF_FRAMES:
        at = group_value(dataset, group, shared, sequence)
        found.append((keyword, "" if at is None else text_of(at, keyword)))
    return tuple(found)


def _order(dataset: Dataset, group: Dataset | None, shared: Dataset | None) -> tuple[tuple[str, float | None], ...]:
    if group is None:
        keywords = ("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime")
        return tuple((keyword, number_of(dataset, keyword)) for keyword in keywords)
    content = next(iter(items_of(group, "FrameContentSequence")), None)
    index = None if content is None else number_of(content, "TemporalPositionIndex")
    number = None if content is None else number_of(content, "FrameAcquisitionNumber")
    offset = group_number(dataset, group, shared, "TemporalPositionSequence", "TemporalPositionTimeOffset")
    trigger = group_number(dataset, group, shared, "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime")
    return (
        ("TemporalPositionIndex", index),
        ("DimensionIndexValues", _temporal_dimension(dataset, content)),
        ("TemporalPositionTimeOffset", offset),
        ("FrameAcquisitionNumber", number),
        ("NominalCardiacTriggerDelayTime", trigger),
    )


def _temporal_dimension(dataset: Dataset, content: Dataset | None) -> float | None:
    """Return a frame's index along the dimension of time, None where the file has no such dimension."""
    dimensions: Sequence[Dataset] = items_of(dataset, "DimensionIndexSequence")
    for place, dimension in enumerate(dimensions):
        if content is not None and _pointer(dimension) in _TEMPORAL_POINTERS:
            values = numbers_of(content, "DimensionIndexValues", len(dimensions))
            return None if values is None else values[place]
    return None


def _pointer(dimension: Dataset) -> str:
    return text_of(dimension, "DimensionIndexPointer").upper()


def _frame_moment(group: Dataset) -> float | None:
    for content in items_of(group, "FrameContentSequence"):
        if text := text_of(content, "FrameAcquisitionDateTime"):
            return moment_of_text(text, "FrameAcquisitionDateTime")
    return None
