"""Standardised uptake values of PET, by body weight."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydicom.dataset import Dataset

from flows.imaging.dicom.clock import are_comparable, moment, moment_of_text, seconds_of_day, zone_of_text
from flows.imaging.dicom.headers import dataset_of, items_of, number_of, text_of
from schemas.errors import ContractError

__all__ = ["suv_factor"]

_DAY = 86_400.0
_LONGEST_WAIT = 6 * 3600.0
_HEAVIEST_KG = 700.0
_UNITS = {
    *("CNTS", "NONE", "CM2", "PCNT", "CPS", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM", "UMOLML", "PROPCNTS"),
    *("PROPCPS", "MLMINML", "MLML", "STDDEV"),
}
"""What Units may say, and so may be repeated: PS3.3, section C.8.9.1.1.3."""
_TAGS = (
    *("SOPClassUID", "Units", "SUVType", "CorrectedImage", "DecayCorrection", "PatientWeight", "SeriesDate"),
    *("SeriesTime", "TimezoneOffsetFromUTC", "RadiopharmaceuticalInformationSequence"),
)


def suv_factor(files: Iterable[Path], first_acquisition: float | None) -> float:
    """Return what the voxels of a PET series are multiplied with to be standardised uptake values by body weight.

    Parameters
    ----------
    files : iterable of Path
        The files of the series.
    first_acquisition : float or None
        When the first of its images was acquired, in seconds, as `moment` gives it.

    Returns
    -------
    float
        g/ml in each unit of the voxels: 1 where they are SUV by body weight (Units GML), the patient's weight in g over
        the dose in Bq, decayed to the time that the voxels are corrected to, where they are Bq/ml.

    Raises
    ------
    ContractError
        When the voxels are in other units, not corrected for attenuation and decay, or the headers lack or contradict
        what is needed.

    References
    ----------
    QIBA, Computing SUV from a DICOM image, vendor-neutral pseudo-code (happy path), 2012;
    DICOM PS3.3, section C.8.9.1.
    """
    factors = {_factor(dataset_of(file, _TAGS), first_acquisition) for file in files}
    if len(factors) != 1:
        raise ContractError("its slices differ in unit, weight, dose or times, of which SUV are computed")
    return factors.pop()


def _factor(header: Dataset, first_acquisition: float | None) -> float:
    unit = text_of(header, "Units")
    if unit == "GML":
        if text_of(header, "SUVType") not in ("", "BW"):
            raise ContractError("its SUV are by another measure than body weight")
        return 1.0
    if unit != "BQML":
        named = f"'{unit}'" if unit in _UNITS else "another unit" if unit else "no unit"
        raise ContractError(f"SUV are computed of Bq/ml, and its voxels are in {named}")
    corrected = text_of(header, "CorrectedImage").split("\\")
    if not {"ATTN", "DECY"} <= {*corrected}:
        raise ContractError("SUV need voxels that are corrected for attenuation and decay, and its header says neither")
    weight = _positive(header, "PatientWeight")
    if weight > _HEAVIEST_KG:
        raise ContractError("its PatientWeight is no weight in kg")
    substances = items_of(header, "RadiopharmaceuticalInformationSequence")
    if len(substances) != 1:
        raise ContractError(f"SUV need one radiopharmaceutical, and its header has {len(substances)}")
    dose = _positive(substances[0], "RadionuclideTotalDose")
    return 1000.0 * weight / (dose * _left(header, substances[0], first_acquisition))


def _left(header: Dataset, substance: Dataset, first_acquisition: float | None) -> float:
    """Return the share of the dose that is left at the time to which the voxels are corrected."""
    correction = text_of(header, "DecayCorrection")
    if correction == "ADMIN":
        return 1.0
    if correction != "START":
        raise ContractError("its header does not say to which time it is corrected for decay (DecayCorrection)")
    half_life = _positive(substance, "RadionuclideHalfLife")
    started = moment(header, "Series")
    if started is None:
        raise ContractError("SUV need SeriesTime, to which it is corrected for decay, and its header lacks it")
    if (
        first_acquisition is not None
        and are_comparable((started, first_acquisition))
        and (started > first_acquisition + 1.0)
    ):
        raise ContractError(
            "its SeriesTime is later than its first image: a series made afterwards, whose decay is not known"
        )
    waited = started - _injection(header, substance, started)
    if not 0 <= waited <= _LONGEST_WAIT:
        # Without how long: of a time that lacks its date the number would tell the other one's.
        raise ContractError(
            "by its header the scan begins before the injection, or more than six hours after it: a time is wrong, or "
            "lacks its date"
        )
    return float(2.0 ** (-waited / half_life))


def _injection(header: Dataset, substance: Dataset, started: float) -> float:
    """Return when the substance was given; of a time without a date the last one before the scan."""
    joined, clock = (text_of(substance, f"RadiopharmaceuticalStart{each}") for each in ("DateTime", "Time"))
    if not joined and not clock:
        raise ContractError("SUV need the time of injection (RadiopharmaceuticalStartTime), and its header lacks it")
    if joined:
        if (zone := zone_of_text(joined)) is not None and zone != text_of(header, "TimezoneOffsetFromUTC"):
            raise ContractError("its times of injection and scan are not said to be of one time zone")
        given = moment_of_text(joined, "RadiopharmaceuticalStartDateTime")
        if clock and abs(given % _DAY - seconds_of_day(clock, "RadiopharmaceuticalStartTime")) >= 1:
            raise ContractError("its two times of injection differ (RadiopharmaceuticalStartDateTime and -Time)")
        return given
    return started - (started - seconds_of_day(clock, "RadiopharmaceuticalStartTime")) % _DAY


def _positive(dataset: Dataset, keyword: str) -> float:
    value = number_of(dataset, keyword)
    if value is None or value <= 0:
        raise ContractError(f"SUV need {keyword}, and its header has none above 0")
    return value
