"""A structure of a DICOM segmentation or structure set as a label map on an image's grid."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk
from pydicom.dataset import Dataset

from flows.imaging.dicom.files import dicom_files, dicom_stat, is_folder
from flows.imaging.dicom.headers import complete_dataset, dataset_of, dicom_reading, text_of
from flows.imaging.dicom.segmentations import SEGMENTATIONS, segment_voxels
from flows.imaging.dicom.structures import STRUCTURE_SET, structure_voxels
from flows.imaging.grids import Grid
from flows.imaging.image_limits import refuse_large
from flows.imaging.labels import label_map
from flows.imaging.patient_axes import reference_key
from schemas.errors import ContractError

__all__ = ["read_dicom_mask"]

_TAGS = ("SOPClassUID", "FrameOfReferenceUID")
_LARGEST_OF_UINT8 = 255


def read_dicom_mask(
    source: Path,
    image: Grid,
    label: int,
    segment: str | None,
    threshold: float = 0.5,
    *,
    number: int | None = None,
    frame_of_reference: str | None = None,
) -> sitk.Image:
    """Return the label map of one structure on an image's grid.

    Parameters
    ----------
    source : Path
        A DICOM segmentation or structure set, or a folder that holds one of them in all; it may hold images too.
    image : Grid
        The image's.
    label : int
        The value of the structure's voxels.
    segment : str or None
        SegmentLabel or ROIName; upper and lower case are the same. The only one where absent.
    threshold : float
        Of a FRACTIONAL segmentation: voxels of at least this share of MaximumFractionalValue belong to the segment.
    number : int, optional
        Of a segmentation: the SegmentNumber that is taken where ``segment`` is absent and there are several.
    frame_of_reference : str, optional
        What `flows.imaging.patient_axes.frame_of_reference` says of the image. A mask of another one is refused.

    Returns
    -------
    SimpleITK.Image
        Of uint8, or of uint32 for labels above 255: ``label`` where the structure is, 0 elsewhere.

    Raises
    ------
    ContractError
        When the source holds none of them or several, has no such structure or an empty one, or lies on another grid
        or in another frame of reference.
    """
    with dicom_reading(source):
        if not 0 < threshold <= 1:
            raise ContractError(f"the threshold of fractions is {threshold:g}, and must be above 0 and at most 1")
        refuse_large(image.size, 1 if label <= _LARGEST_OF_UINT8 else 4)
        file = _mask_file(source)
        before = dicom_stat(file)
        with dicom_reading(file):
            header = complete_dataset(file)
            if text_of(header, "SOPClassUID") == STRUCTURE_SET:
                voxels, reference = structure_voxels(header, image, segment)
            else:
                voxels = segment_voxels(file, header, image, number, segment, threshold)
                reference = text_of(header, "FrameOfReferenceUID")
            _refuse_other_patient(reference, frame_of_reference)
            if not voxels.any():
                raise ContractError("the mask is empty: no voxel of the image belongs to the structure")
            if dicom_stat(file) != before:
                raise ContractError("it changes while it is read: wait until it is written, and run the command again")
        return label_map(voxels, label, image)


def _mask_file(source: Path) -> Path:
    files = dicom_files(source)
    masks = [file for file in files if _is_mask(dataset_of(file, _TAGS))]
    if len(masks) == 1:
        return masks[0]
    if not is_folder(source):
        raise ContractError("is neither a DICOM segmentation (SEG) nor a structure set (RTSTRUCT)")
    what = "no" if not masks else f"{len(masks)}"
    raise ContractError(
        f"holds {what} DICOM segmentations (SEG) and structure sets (RTSTRUCT), and one must be left",
        hint="name the file" if masks else None,
    )


def _is_mask(header: Dataset) -> bool:
    return text_of(header, "SOPClassUID") in (*SEGMENTATIONS, STRUCTURE_SET)


def _refuse_other_patient(reference: str, of_image: str | None) -> None:
    if reference and of_image is not None and reference_key(reference) != of_image:
        raise ContractError(
            "was drawn on another patient or another examination: its FrameOfReferenceUID is not the image's"
        )
