"""Files of a patient, sound at first, and what may be wrong with them: image and mask as NIfTI and as DICOM."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from builders.dicom.written import (
    CT,
    Place,
    image_dataset,
    points_mm,
    write_segmentation,
    write_series,
    write_structures,
)
from pydicom import dcmread, dcmwrite
from pydicom.uid import ExplicitVRBigEndian, generate_uid

PLACE = Place((1.0, 1.0, 2.0), (-6.0, 4.0, 10.0))
SHAPE = (8, 10, 12)
GRID = PLACE.grid(np.zeros(SHAPE))
BOX = [(2.5, 2.5), (8.5, 2.5), (8.5, 7.5), (2.5, 7.5)]
DRAWN = range(2, 6)


class Patient(NamedTuple):
    """Where a patient's files lie."""

    folder: Path

    @property
    def image(self) -> Path:
        """Return the image of phase MR, a plain NIfTI file."""
        return self.folder / "MR Übersicht" / "image.nii"

    @property
    def mask(self) -> Path:
        """Return its mask."""
        return self.folder / "MR Übersicht" / "mask.nii"

    @property
    def series(self) -> Path:
        """Return the folder of phase CT, a DICOM series."""
        return self.folder / "CT 肝臓"

    @property
    def slices(self) -> list[Path]:
        """Return its files in the order of their names."""
        return sorted(self.series.iterdir())

    @property
    def structures(self) -> Path:
        """Return its mask."""
        return self.folder / "Konturen" / "mask.dcm"

    @property
    def voxels(self) -> np.ndarray:
        """Return noise of its own."""
        return np.random.default_rng([*self.folder.name.encode()]).integers(0, 900, SHAPE).astype(np.int16)


def write_sound(patient: Patient) -> None:
    """Write a patient's files as they should be."""
    patient.image.parent.mkdir(parents=True)
    sitk.WriteImage(image_of(patient.voxels), str(patient.image))
    sitk.WriteImage(image_of(lesion()), str(patient.mask))
    identity = {"PatientID": patient.folder.name, "FrameOfReferenceUID": reference_of(patient)}
    identity["StudyInstanceUID"] = f"{reference_of(patient)}.1"
    write_series(patient.series, patient.voxels, PLACE, sop_class=CT, **identity)
    draw(patient, DRAWN)


def image_of(array: np.ndarray, *, origin: tuple[float, ...] = PLACE.origin) -> sitk.Image:
    """Return an array as an image where all lie."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(PLACE.spacing)
    image.SetOrigin(origin)
    return image


def lesion(label: int = 1, dtype: type = np.uint8, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return the mask's voxels: a box."""
    voxels = np.zeros(shape, dtype)
    voxels[2:6, 3:8, 3:9] = label
    return voxels


def reference_of(patient: Patient) -> str:
    """Return the UID of a patient's frame of reference."""
    return f"1.2.3.{int.from_bytes(patient.folder.name.encode()[:12], 'big')}"


def draw(patient: Patient, slices: object, name: str = "Lesion", reference: str = "") -> None:
    """Write contours on some slices as the mask of phase CT."""
    contours = [points_mm(BOX, k, GRID) for k in slices]
    write_structures(patient.structures, {name: contours}, reference=reference or reference_of(patient))


def segments(patient: Patient, voxels: np.ndarray, labels: tuple[str, ...] = ("Lesion",)) -> None:
    """Write a segmentation as the mask of phase CT."""
    write_segmentation(patient.structures, patient.slices, voxels, labels, omit_empty_frames=False)


def rewritten(file: Path, *edits: tuple[int, str, float]) -> None:
    """Write other numbers into a NIfTI header."""
    content = bytearray(file.read_bytes())
    for offset, kind, value in edits:
        struct.pack_into(f"<{kind}", content, offset, value)
    file.write_bytes(content)


def cut(file: Path, share: float = 0.6) -> None:
    """Leave the beginning of a file."""
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def cut_gzip(patient: Patient) -> None:
    """Pack the image and leave the beginning of it."""
    patient.image.write_bytes(gzip.compress(patient.image.read_bytes()))
    cut(patient.image)


def big_endian_nifti(patient: Patient) -> None:
    """Write the image with its bytes the other way round."""
    little = patient.image.read_bytes()
    fields = "i10s18sihcc8h3f4h11fhBB4f2i80s24s2h6f12f16s4s"
    header = struct.pack(f">{fields}", *struct.unpack(f"<{fields}", little[:348]))
    patient.image.write_bytes(header + little[348:352] + patient.voxels.astype(">i2").tobytes())


def instead(make: Callable[[Path], object]) -> Callable[[Patient], None]:
    """Return what puts something else into the place of the image."""

    def damage(patient: Patient) -> None:
        patient.image.unlink()
        make(patient.image)

    return damage


def written(array: np.ndarray, *, is_vector: bool = False) -> Callable[[Patient], None]:
    """Return what writes another array as the image."""
    return lambda patient: sitk.WriteImage(sitk.GetImageFromArray(array, isVector=is_vector), str(patient.image))


def masked(array: np.ndarray, **options: tuple[float, ...]) -> Callable[[Patient], None]:
    """Return what writes another array as the mask."""
    return lambda patient: sitk.WriteImage(image_of(array, **options), str(patient.mask))


def not_finite(patient: Patient) -> None:
    """Write an image with voxels that are no numbers."""
    voxels = patient.voxels.astype(np.float32)
    voxels[4, 5, 5:7] = np.nan
    sitk.WriteImage(image_of(voxels), str(patient.image))


def one_slice(patient: Patient) -> None:
    """Write an image and a mask of one slice."""
    sitk.WriteImage(image_of(patient.voxels[4:5]), str(patient.image))
    sitk.WriteImage(image_of(lesion()[4:5]), str(patient.mask))


def flipped(patient: Patient) -> None:
    """Write the mask with its first axis the other way round, as a program that knows another convention does."""
    mask = sitk.ReadImage(str(patient.mask))
    mask.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(mask, str(patient.mask))


def resaved(patient: Patient, change: Callable[[int, object], None]) -> None:
    """Write each slice of the series again with a change."""
    for number, file in enumerate(patient.slices):
        dataset = dcmread(file)
        change(number, dataset)
        dataset.save_as(file)


def duplicate(patient: Patient) -> None:
    """Add another slice at the place of one, under a UID of its own."""
    dataset = dcmread(patient.slices[3])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(patient.series / "again.dcm")


def tilt(number: int, dataset: object) -> None:
    """Shift a slice sideways by its place, as those of a tilted gantry are."""
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y + 0.25 * (z - PLACE.origin[2]), z]


def big_endian_dicom(patient: Patient) -> None:
    """Write the slices in the retired transfer syntax."""
    for file in patient.slices:
        dataset = dcmread(file)
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        dcmwrite(file, dataset, implicit_vr=False, little_endian=False)


def two_series(patient: Patient) -> None:
    """Put a second series of the same examination into the folder."""
    first = dcmread(patient.slices[0])
    identity = {each: getattr(first, each) for each in ("PatientID", "FrameOfReferenceUID", "StudyInstanceUID")}
    write_series(patient.series, patient.voxels + 1, PLACE, number=6, sop_class=CT, **identity)


def structures_as_image(patient: Patient) -> None:
    """Leave a structure set in the place of the series."""
    for file in patient.slices:
        file.unlink()
    dataset = image_dataset("1.2.840.10008.5.1.4.1.1.481.3", np.zeros((1, 1), np.uint8))
    dataset.SeriesInstanceUID, dataset.Modality = generate_uid(), "RTSTRUCT"
    dataset.save_as(patient.series / "only.dcm")


def other_sized_segments(patient: Patient) -> None:
    """Draw a segmentation on a series of another size."""
    other = write_series(patient.folder / "other", np.zeros((8, 6, 6), np.int16), PLACE, sop_class=CT)
    write_segmentation(patient.structures, other, np.ones((8, 6, 6, 1), np.uint8))
