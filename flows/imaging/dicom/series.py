"""The series of a folder, and the one that a rule chooses."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from flows.imaging.dicom.clock import are_comparable, bolus_delay, moment
from flows.imaging.dicom.files import dicom_files, is_folder
from flows.imaging.dicom.frames import FRAME_TAGS
from flows.imaging.dicom.headers import dataset_of, shown_label, text_of, whole_of
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

__all__ = ["IMAGE_CLASSES", "SERIES_TAGS", "Series", "chosen_series", "is_localizer"]

SERIES_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"),
    *("SeriesNumber", "SeriesDescription", "Modality", *FRAME_TAGS),
    *("Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "RepetitionTime", "FlipAngle"),
    *("KVP", "Exposure"),
)
"""Keywords of the elements that a series' headers are read with: those of the last lines say how an image was acquired,
which is asked for after it was read."""
IMAGE_CLASSES = {
    *("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"),
    *("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"),
    *("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1"),
    "1.2.840.10008.5.1.4.1.1.30",
}
"""CT, MR and PET images, plain, enhanced and converted, and parametric maps (DICOM PS3.4, section B.5)."""

_LISTED = 5


@dataclass(frozen=True)
class Series:
    """The image files of one series.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID, which no message repeats.
    headers : tuple of (Path, pydicom.Dataset)
        The files in the order of their names, with their headers.
    """

    uid: str
    headers: tuple[tuple[Path, Dataset], ...]

    @property
    def number(self) -> int | None:
        """Return SeriesNumber."""
        return whole_of(self.headers[0][1], "SeriesNumber")

    @property
    def description(self) -> str:
        """Return SeriesDescription."""
        return text_of(self.headers[0][1], "SeriesDescription")

    @property
    def modality(self) -> str:
        """Return Modality."""
        return text_of(self.headers[0][1], "Modality")

    @property
    def images(self) -> int:
        """Return the count of frames."""
        return sum(max(whole_of(header, "NumberOfFrames") or 1, 1) for _, header in self.headers)

    def values(self, keyword: str) -> set[str]:
        """Return the values that an element has in its files, without the empty one."""
        return {text_of(header, keyword) for _, header in self.headers} - {""}

    def start(self, event: str) -> float | None:
        """Return when its first image was acquired, None where some file does not say; `event` as `moment` takes it."""
        times = [moment(header, event) for _, header in self.headers]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None

    def delays(self) -> list[float]:
        """Return the seconds after the contrast agent's start at which its images were acquired, where known."""
        found = (bolus_delay(header, moment(header, "Acquisition")) for _, header in self.headers)
        return [delay for delay in found if delay is not None]

    def __str__(self) -> str:
        number = "without a number" if self.number is None else f"number {self.number}"
        images = "1 image" if self.images == 1 else f"{self.images} images"
        return f"{number}, {shown_label(self.description)}, {shown_label(self.modality)}, {images}"


def chosen_series(source: Path, rule: SeriesRule) -> Series:
    """Return the one series of a folder or file that a rule chooses.

    Parameters
    ----------
    source : Path
        A folder, which is looked through with all folders below it, or a file of several frames.
    rule : SeriesRule
        What must hold of it.

    Raises
    ------
    ContractError
        When there are no images, no series or several fit, or those that fit are of two studies or two patients.
    """
    files = dicom_files(source)
    every = _series_in(files, rule)
    if not every:
        what = (
            "is a folder, and holds no DICOM files"
            if not files
            else "holds DICOM files, and none of them is an image of CT, MR or PET"
        )
        raise ContractError(what if is_folder(source) else "is no DICOM image of CT, MR or PET", where=str(source))
    fitting = _within_seconds([each for each in every if _is_fitting(each, rule)], rule)
    if not fitting:
        raise ContractError(
            f"none of its {len(every)} series fits {_shown_rule(rule)}; there {_listed(every)}", where=str(source)
        )
    _refuse_several_owners(fitting, source)
    if rule.order is not None:
        return _in_order(fitting, rule.order, source)
    if len(fitting) > 1:
        raise ContractError(
            f"{len(fitting)} series fit {_shown_rule(rule)}, and one must be left: there {_listed(fitting)}",
            where=str(source),
            hint=_telling_key(fitting),
        )
    chosen = fitting[0]
    if not is_folder(source) and chosen.images == 1:
        raise ContractError("is a single slice: name the folder of its series", where=str(source))
    return chosen


def is_localizer(header: Dataset) -> bool:
    """Return whether an image is one by which the others were planned (DICOM PS3.3, section C.7.6.1.1.2)."""
    return text_of(header, "ImageType").split("\\")[2:3] == ["LOCALIZER"]


def _series_in(files: Sequence[Path], rule: SeriesRule) -> list[Series]:
    found: dict[str, list[tuple[Path, Dataset]]] = {}
    for file in files:
        header = dataset_of(file, SERIES_TAGS)
        if text_of(header, "SOPClassUID") not in IMAGE_CLASSES:
            continue
        if not (uid := text_of(header, "SeriesInstanceUID")) or not text_of(header, "SOPInstanceUID"):
            raise ContractError("its DICOM header lacks SeriesInstanceUID or SOPInstanceUID", where=str(file))
        if rule.uid is None and is_localizer(header):
            continue
        found.setdefault(uid, []).append((file, header))
    return [Series(uid, tuple(headers)) for uid, headers in found.items()]


def _is_fitting(series: Series, rule: SeriesRule) -> bool:
    if rule.description is not None:
        # Of a shell's pattern only * and ? are one here.
        pattern = fnmatch.translate(rule.description.casefold().replace("[", "[[]"))
        if re.fullmatch(pattern, series.description.casefold()) is None:
            return False
    return (
        rule.number in (None, series.number)
        and rule.uid in (None, series.uid)
        and (rule.modality is None or rule.modality.casefold() == series.modality.casefold())
    )


def _within_seconds(fitting: list[Series], rule: SeriesRule) -> list[Series]:
    """Return the series with an image in the window of seconds, all where there is no window."""
    if rule.seconds is None or not fitting:
        return fitting
    delays = [each.delays() for each in fitting]
    if len(fitting) == 1 or not any(delays):
        # Whether a volume of it fits, or its header cannot say, is seen when it is split.
        return fitting
    first, last = rule.seconds
    return [each for each, found in zip(fitting, delays, strict=True) if any(first <= delay <= last for delay in found)]


def _refuse_several_owners(fitting: Sequence[Series], source: Path) -> None:
    for keyword, owners in (("PatientID", "patients"), ("StudyInstanceUID", "studies")):
        if len(set().union(*(each.values(keyword) for each in fitting))) > 1:
            raise ContractError(
                f"holds images of several {owners} that fit ({keyword} differs)",
                where=str(source),
                hint="name the folder of one examination, or choose by uid",
            )


def _in_order(fitting: Sequence[Series], order: int, source: Path) -> Series:
    if order > len(fitting):
        raise ContractError(
            f"order = {order} is asked for, and {len(fitting)} series fit: there {_listed(fitting)}", where=str(source)
        )
    for event in ("Acquisition", "Content"):
        starts = [each.start(event) for each in fitting]
        known = [start for start in starts if start is not None]
        if len(set(known)) == len(fitting) and are_comparable(known):
            return fitting[starts.index(sorted(known)[order - 1])]
    raise ContractError(
        f"the order of the {len(fitting)} series that fit is not known: each needs an AcquisitionTime of its own, "
        f"with its date where midnight may lie between, and "
        f"there {_listed(fitting)}",
        where=str(source),
        hint=_telling_key(fitting),
    )


def _listed(every: Sequence[Series]) -> str:
    ordered = sorted(every, key=lambda each: (each.number is None, each.number or 0, each.description))
    shown = "; ".join(str(each) for each in ordered[:_LISTED])
    more = f"; and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return f"{'is' if len(every) == 1 else 'are'} {shown}{more}"


def _telling_key(fitting: Sequence[Series]) -> str:
    """Return which key of a rule would tell series apart, as it is written."""
    numbers = [each.number for each in fitting]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return f"add to series: number = {min(number for number in numbers if number is not None)}, for one"
    if len({each.description.casefold() for each in fitting}) == len(fitting):
        return "add to series: description, with the one that is meant"
    if len({each.modality for each in fitting}) == len(fitting):
        return f"add to series: modality = {shown_label(fitting[0].modality)}, for one"
    return "add to series: order = 1 for the first that was acquired, or uid"


def _shown_rule(rule: SeriesRule) -> str:
    """Return a rule as a message repeats it; a uid is named and not shown."""
    written = rule.model_dump(exclude_none=True, exclude={"order", "time", "suv"})
    if not written:
        return "where the phase has no series = { ... }"
    return " and ".join(
        key if key == "uid" else f"{key} = {shown_label(value) if isinstance(value, str) else value}"
        for key, value in written.items()
    )
