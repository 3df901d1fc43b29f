"""A volume as a DICOM series of its own, for images that were none: whole numbers of 16 bits, none of them changed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from pydicom.valuerep import DS

from flows.dicom_out.identity import RELEASE, Owner, new_object, uid_of
from flows.dicom_out.references import References
from schemas.errors import ContractError

__all__ = ["references_to", "series_of"]

_CLASSES = {"MR": "1.2.840.10008.5.1.4.1.1.4", "CT": "1.2.840.10008.5.1.4.1.1.2"}
_TYPES = (np.int16, np.uint16)
_SQUARE = 1e-4
_OF_THE_FILE = {"PixelData", "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SeriesDescription"}
_LONGEST = 64


def series_of(
    image: sitk.Image, modality: str, owner: Owner, description: str, *, number: int = 1
) -> tuple[FileDataset, ...]:
    """Return a volume as the slices of a series, in the order of the volume's.

    What no one knows of the examination is left empty, or said to be research (ScanningSequence RM).

    Parameters
    ----------
    image : SimpleITK.Image
        Of three dimensions.
    modality : str
        ``MR`` or ``CT``: other kinds of images say in their headers what only the scanner knows.
    owner : Owner
        Whose it is.
    description : str
        SeriesDescription; what is beyond 64 characters is left out.
    number : int
        SeriesNumber.

    Raises
    ------
    ContractError
        When the modality is another, some voxels are no whole numbers of 16 bits, or the axes are not at right angles.
    """
    if modality not in _CLASSES:
        raise ContractError(
            f"an image of modality {modality or 'unknown'} cannot be written as DICOM without its scanner's header: "
            "only MR and CT can"
        )
    voxels = _sixteen_bits(sitk.GetArrayViewFromImage(image))
    axes = np.reshape(image.GetDirection(), (3, 3))
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SQUARE:
        raise ContractError("its axes are not at right angles, and DICOM's slices are")
    spacing = image.GetSpacing()
    series = uid_of("series of", owner.patient, owner.study, owner.reference, description, str(number))
    found = []
    for k, pixels in enumerate(voxels):
        slice_ = new_object(_CLASSES[modality], owner)
        slice_.SeriesInstanceUID, slice_.SeriesNumber, slice_.InstanceNumber = UID(series), number, k + 1
        slice_.SeriesDescription, slice_.Modality = description[:_LONGEST], modality
        slice_.ManufacturerModelName, slice_.SoftwareVersions = "radzoo", RELEASE
        slice_.ImagePositionPatient = _written(image.TransformIndexToPhysicalPoint((0, 0, k)))
        slice_.ImageOrientationPatient = _written((*axes[:, 0], *axes[:, 1]))
        slice_.PixelSpacing = _written((spacing[1], spacing[0]))
        slice_.SliceThickness, slice_.SpacingBetweenSlices = _written((spacing[2], spacing[2]))
        _add_kind(slice_, modality)
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.Rows, slice_.Columns = pixels.shape
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
        slice_.PixelRepresentation = int(voxels.dtype.kind == "i")
        slice_.PixelData = pixels.astype(voxels.dtype.newbyteorder("<")).tobytes()
        slice_["PixelData"].VR = "OW"
        lies = (slice_.ImagePositionPatient, slice_.ImageOrientationPatient, slice_.PixelSpacing, slice_.SliceThickness)
        instance = UID(uid_of("slice of", series, str(k), repr(lies), hashlib.sha256(slice_.PixelData).hexdigest()))
        slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = instance
        found.append(slice_)
    return tuple(found)


def references_to(series: tuple[FileDataset, ...], owner: Owner) -> References:
    """Return what refers to a series that was written here."""
    images = []
    for each in series:
        # Without its pixels, and without radzoo as the scanner that acquired it.
        image = FileDataset("", {}, file_meta=each.file_meta)
        image.update({element.tag: element for element in each if element.keyword not in _OF_THE_FILE})
        images.append(image)
    return References(owner, tuple(images))


def _add_kind(slice_: FileDataset, modality: str) -> None:
    slice_.PatientPosition = ""
    if modality == "CT":
        slice_.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        slice_.RescaleIntercept, slice_.RescaleSlope = 0, 1
        slice_.KVP, slice_.AcquisitionNumber = None, None
        return
    slice_.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    slice_.ScanningSequence, slice_.SequenceVariant, slice_.ScanOptions = "RM", "NONE", ""
    slice_.MRAcquisitionType, slice_.EchoTime, slice_.EchoTrainLength = "", None, None


def _sixteen_bits(voxels: NDArray[Any]) -> NDArray[Any]:
    lowest, highest = float(voxels.min()), float(voxels.max())
    for kind in _TYPES:
        bounds = np.iinfo(kind)
        if bounds.min <= lowest and highest <= bounds.max:
            stored = voxels.astype(kind)
            if np.array_equal(stored, voxels):
                return stored
            break
    raise ContractError(
        "its voxels are no whole numbers of 16 bits, as DICOM stores them: a series would hold other values than those "
        f"that features were computed from ({lowest:.6g} to {highest:.6g})"
    )


def _written(numbers: Any) -> list[Any]:
    return [DS(float(each), auto_format=True) for each in numbers]
