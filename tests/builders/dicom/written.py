"""DICOM files that tests write: series, multi-frame images, segmentations and structure sets, from arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import highdicom
import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from flows.imaging.grids import Grid

CT, MR, PT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_MR, PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.30"
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY, REFERENCE = generate_uid(), generate_uid()
STRAIGHT = np.eye(3)
TURNED = np.array([[0.6, 0.0, 0.8], [0.8, 0.0, -0.6], [0.0, 1.0, 0.0]])
"""Columns are the directions of a row, of a column and of the slices."""

Change = Callable[[int, Dataset], None]


class Place(NamedTuple):
    """Where a written volume lies."""

    spacing: tuple[float, float, float] = (0.8, 0.7, 2.5)
    """Millimetres between columns, rows and slices."""
    origin: tuple[float, float, float] = (-10.0, 20.5, 31.25)
    direction: np.ndarray = STRAIGHT

    def position(self, k: float) -> list[float]:
        """Return where the first voxel of a slice lies."""
        return [round(float(each), 9) for each in self.origin + self.direction[:, 2] * self.spacing[2] * k]

    @property
    def orientation(self) -> list[float]:
        """Return the direction of a row, then of a column."""
        return [float(each) for each in (*self.direction[:, 0], *self.direction[:, 1])]

    def grid(self, array: np.ndarray) -> Grid:
        """Return the grid of an array of shape (slices, rows, columns)."""
        return Grid(array.shape[::-1], self.spacing, self.origin, tuple(self.direction.ravel()))


def numbered(*shape: int, dtype: Any = np.int16) -> np.ndarray:
    """Return an array whose voxels all differ, some of them below 0 where the type has such."""
    array = np.arange(np.prod(shape)).reshape(shape)
    return (array - (100 if np.dtype(dtype).kind == "i" else 0)).astype(dtype)


def image_dataset(sop_class: str, array: np.ndarray) -> FileDataset:
    """Return a header with the pixels of an array, and nothing of where it lies."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = STUDY, REFERENCE
    dataset.PatientID, dataset.PatientName = "P-SECRET-1", "Secret^Name"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.AccessionNumber, dataset.StudyID = "", "", "", ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDate, dataset.StudyTime = "20200102", "101112"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = array.shape[-2:]
    bits = array.dtype.itemsize * 8
    dataset.BitsAllocated = bits
    if array.dtype.kind == "f":
        dataset.FloatPixelData = array.tobytes()
    else:
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
        dataset.PixelRepresentation = int(array.dtype.kind == "i")
        dataset.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
        dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def write_series(
    folder: Path,
    array: np.ndarray,
    place: Place = Place(),  # noqa: B008  (it never changes)
    *,
    number: int = 5,
    sop_class: str = MR,
    uid: str | None = None,
    change: Change | None = None,
    **elements: Any,
) -> list[Path]:
    """Write an array as a series, a file a slice, in an order of names that is not that of the slices.

    ``change`` is called with the number of each slice and its header before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uid = uid or generate_uid()
    files = []
    for k, pixels in enumerate(array):
        dataset = image_dataset(sop_class, pixels)
        dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = uid, number, k + 1
        dataset.Modality = {CT: "CT", PT: "PT"}.get(sop_class, "MR")
        dataset.SeriesDescription, dataset.ImageType = "T1 post", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = place.position(k), place.orientation
        dataset.PixelSpacing, dataset.SliceThickness = [place.spacing[1], place.spacing[0]], place.spacing[2]
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        if change is not None:
            change(k, dataset)
        file = folder / f"{number}-{(k * 7) % 11}-{k}.dcm"
        dataset.save_as(file)
        files.append(file)
    return files


def changed(file: Path, **elements: Any) -> Dataset:
    """Write a file again with other elements; those that are None are removed."""
    dataset = dcmread(file)
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(file)
    return dataset


def item(**elements: Any) -> Items:
    """Return a sequence of one item."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return Items([dataset])


def write_multiframe(
    file: Path,
    volumes: Sequence[np.ndarray],
    place: Place = Place(),  # noqa: B008  (it never changes)
    *,
    sop_class: str = ENHANCED_MR,
    slope: float = 1.0,
    intercept: float = 0.0,
    by_dimension: bool = False,
    change: Callable[[Dataset], None] | None = None,
) -> None:
    """Write volumes of one grid as one file, its frames in an order that is neither of time nor of place."""
    frames = [(t, k) for k in range(len(volumes[0])) for t in range(len(volumes))]
    frames = frames[1::2] + frames[::2]
    dataset = image_dataset(sop_class, np.stack([volumes[t][k] for t, k in frames]))
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.Modality = generate_uid(), 7, "MR"
    dataset.SeriesDescription, dataset.NumberOfFrames = "enhanced", len(frames)
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=place.orientation)
    shared.PixelMeasuresSequence = item(
        PixelSpacing=[place.spacing[1], place.spacing[0]], SliceThickness=place.spacing[2]
    )
    shared.PixelValueTransformationSequence = item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.DimensionIndexSequence = Items(
        [item(DimensionIndexPointer=0x00209057)[0], item(DimensionIndexPointer=0x00209128)[0]]
    )
    groups = []
    for t, k in frames:
        group = Dataset()
        group.PlanePositionSequence = item(ImagePositionPatient=place.position(k))
        group.FrameContentSequence = item(DimensionIndexValues=[k + 1, t + 1])
        if len(volumes) > 1 and not by_dimension:
            group.FrameContentSequence[0].TemporalPositionIndex = t + 1
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    if change is not None:
        change(dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file)


def write_segmentation(
    file: Path,
    series: Sequence[Path],
    masks: np.ndarray,
    labels: Sequence[str] = ("Lesion",),
    *,
    kind: str = "BINARY",
    change: Callable[[Dataset], None] | None = None,
    **options: Any,
) -> None:
    """Write masks of shape (slices, rows, columns, segments), or a label map without the last axis, by highdicom."""
    described = [
        highdicom.seg.SegmentDescription(
            number, label, codes.SCT.Tissue, codes.SCT.Tissue, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number, label in enumerate(labels, start=1)
    ]
    sources = [dcmread(each) for each in series]
    segmentation = highdicom.seg.Segmentation(
        sources, masks, kind, described, generate_uid(), 20, generate_uid(), 1, "M", "N", "1", "3",
        **options,
    )  # fmt: skip
    if change is not None:
        change(segmentation)
    file.parent.mkdir(parents=True, exist_ok=True)
    segmentation.save_as(file)


def write_structures(
    file: Path,
    structures: dict[str, Sequence[np.ndarray]],
    *,
    kind: str = "CLOSED_PLANAR",
    reference: str = REFERENCE,
) -> None:
    """Write contours, arrays of points in mm of shape (n, 3), as a structure set."""
    dataset = image_dataset(STRUCTURES, np.zeros((1, 1), np.uint8))
    del dataset.PixelData
    dataset.SeriesInstanceUID, dataset.Modality, dataset.StructureSetLabel = generate_uid(), "RTSTRUCT", "set"
    rois, drawn = [], []
    for number, (name, contours) in enumerate(structures.items(), start=1):
        rois += item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=reference)
        sequence = [
            item(
                ContourGeometricType=kind,
                NumberOfContourPoints=len(points),
                ContourData=[f"{each:.6f}" for each in np.ravel(points)],
            )[0]
            for points in contours
        ]
        drawn += item(ReferencedROINumber=number, ContourSequence=Items(sequence))
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Items(rois), Items(drawn)
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file)


def points_mm(contour: Sequence[tuple[float, float]], k: float, grid: Grid) -> np.ndarray:
    """Return vertices (i, j) in voxels on a slice as points in mm."""
    index = np.array([(i, j, k) for i, j in contour], dtype=float)
    return index * grid.spacing @ np.reshape(grid.direction, (3, 3)).T + grid.origin


def voxels(image: sitk.Image) -> np.ndarray:
    """Return the voxels of an image, slice by slice."""
    return sitk.GetArrayFromImage(image)
