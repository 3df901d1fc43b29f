"""Whose an object is and when it was made, and UIDs that follow from what they name."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

__all__ = ["MANUFACTURER", "RELEASE", "Owner", "new_object", "settle_uids", "uid_of"]

MANUFACTURER = "radzoo"
RELEASE = importlib.metadata.version("radzoo")
_PLACEHOLDER = "2.25.0"
_VERSION_8, _VARIANT = 0x8, 0x2


@dataclass(frozen=True)
class Owner:
    """What an object says of its patient, its study and its time; nothing else of a person is written.

    Attributes
    ----------
    patient : str
        The store's pseudonym: PatientID.
    study : str
        StudyInstanceUID.
    reference : str
        FrameOfReferenceUID.
    made : datetime
        When the store came to know what the object holds, in UTC.
    """

    patient: str
    study: str
    reference: str
    made: datetime

    @classmethod
    def at(cls, patient: str, study: str, reference: str, made: str) -> Owner:
        """Return the owner of what the store has known since a time, ISO 8601."""
        moment = datetime.fromisoformat(made)
        return cls(patient, study, reference, moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)

    @property
    def day(self) -> str:
        """Return the date as DICOM writes it."""
        return self.made.astimezone(UTC).strftime("%Y%m%d")

    @property
    def time(self) -> str:
        """Return the time as DICOM writes it."""
        return self.made.astimezone(UTC).strftime("%H%M%S")


def uid_of(*parts: str) -> str:
    """Return the UID of what some texts name: always the same for the same texts.

    It is a UUID of version 8 (RFC 9562), the first 122 bits of a SHA-256, under the root 2.25 (DICOM PS3.5, annex B.2).
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | _VERSION_8 << 76
    number = number & ~(0x3 << 62) | _VARIANT << 62
    return f"2.25.{number}"


def new_object(sop_class: str, owner: Owner) -> FileDataset:
    """Return an object with its patient and study, and no more.

    Parameters
    ----------
    sop_class : str
        SOPClassUID.
    owner : Owner
        Whose it is.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = UID(sop_class)
    dataset.PatientID = owner.patient
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        setattr(dataset, keyword, "")
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "", ""
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = owner.study, owner.reference
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = MANUFACTURER
    return dataset


def settle_uids(dataset: Dataset, owner: Owner) -> None:
    """Let an object have its time, and UIDs that follow from its content instead of those that were drawn by chance.

    The object alone makes up its series. Two that differ in anything have other UIDs, two that are equal the same.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The object, changed in place.
    owner : Owner
        Whose it is.
    """
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = owner.day, owner.time
    if "ContentDate" in dataset:
        dataset.ContentDate, dataset.ContentTime = owner.day, owner.time
    dataset.TimezoneOffsetFromUTC = "+0000"
    for equipment in dataset.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = owner.day + owner.time
    _name(dataset, _PLACEHOLDER, _PLACEHOLDER, _PLACEHOLDER)
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    content = hashlib.sha256(written.getvalue()).hexdigest()
    _name(dataset, uid_of("instance", content), uid_of("series", content), uid_of("dimensions", content))


def _name(dataset: Dataset, instance: str, series: str, dimensions: str) -> None:
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = UID(instance), UID(series)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(instance)
    for each in _of_dimensions(dataset):
        each.DimensionOrganizationUID = UID(dimensions)


def _of_dimensions(dataset: Dataset) -> Iterator[Dataset]:
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        yield from dataset.get(keyword) or ()
