"""Standardised uptake values of PET, by body weight."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset

from flows.imaging.dicom.clock import moment, moment_of_text
from flows.imaging.dicom.headers import dataset_of, items_of, number_of, text_of
from schemas.errors import ContractError

__all__ = ["suv_factor"]

_DAY = 86_400.0
_LONGEST_WAIT = 6 * 3600.0
_TAGS = (
    *("SOPClassUID", "Units", "SUVType", "CorrectedImage", "DecayCorrection", "PatientWeight", "SeriesDate"),
    *("SeriesTime", "RadiopharmaceuticalInformationSequence"),
)


def suv_factor(file: Path, first_acquisition: float | None) -> float:
    """Return what the voxels of a PET series are multiplied with to be standardised uptake values by body weight.

    Parameters
    ----------
    file : Path
        A file of the series.
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
        When the voxels are in other units, not corrected for attenuation and decay, or the header lacks or contradicts
        what is needed.

    References
    ----------
    QIBA, Computing SUV from a DICOM image, vendor-neutral pseudo-code (happy path), 2012;
    DICOM PS3.3, section C.8.9.1.
    """
    header = dataset_of(file, _TAGS)
    unit = text_of(header, "Units")
    if unit == "GML":
        if text_of(header, "SUVType") not in ("", "BW"):
            raise ContractError("its SUV are by another measure than body weight")
        return 1.0
    if unit != "BQML":
        raise ContractError(f"SUV are computed of Bq/ml, and its voxels are in '{unit[:16] or 'no unit'}'")
    corrected = text_of(header, "CorrectedImage").split("\\")
    if not {"ATTN", "DECY"} <= {*corrected}:
        raise ContractError("SUV need voxels that are corrected for attenuation and decay, and its header says neither")
    weight = _positive(header, "PatientWeight")
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
    if first_acquisition is not None and started > first_acquisition + 1.0:
        raise ContractError(
            "its SeriesTime is later than its first image: a series made afterwards, whose decay is not known"
        )
    waited = started - _injection(substance, started)
    if not 0 <= waited <= _LONGEST_WAIT:
        raise ContractError(
            f"the scan begins {waited / 3600:.1f} hours after the injection by its header: one of the times is wrong"
        )
    return float(2.0 ** (-waited / half_life))


def _injection(substance: Dataset, started: float) -> float:
    """Return when the substance was given; of a time without a date the last one before the scan."""
    if joined := text_of(substance, "RadiopharmaceuticalStartDateTime"):
        return moment_of_text(joined, "RadiopharmaceuticalStartDateTime")
    clock = moment(substance, "RadiopharmaceuticalStart")
    if clock is None:
        raise ContractError("SUV need the time of injection (RadiopharmaceuticalStartTime), and its header lacks it")
    return started - (started - clock) % _DAY


def _positive(dataset: Dataset, keyword: str) -> float:
    value = number_of(dataset, keyword)
    if value is None or value <= 0:
        raise ContractError(f"SUV need {keyword}, and its header has none above 0")
    return value
