"""How an image was acquired, as its DICOM header or its BIDS sidecar says: a short list of typed fields, and no other.

What differs among the slices of a volume is no value of the volume. Of texts the vendor is one of a list, and model and
kernel are short and plain, without long numbers: no free text, date, name or id of a header gets here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.imaging.opened_files import opened
from flows.imaging.sources import Source
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["VENDORS", "acquisition_of"]

_T = TypeVar("_T")

Row = dict[str, Any]

VENDORS = {
    "siemens": "Siemens",
    "ge ": "GE",
    "general electric": "GE",
    "philips": "Philips",
    "canon": "Canon",
    "toshiba": "Toshiba",
    "hitachi": "Hitachi",
    "fujifilm": "Fujifilm",
    "united imaging": "United Imaging",
    "uih": "United Imaging",
    "neusoft": "Neusoft",
    "shimadzu": "Shimadzu",
    "samsung": "Samsung",
    "bruker": "Bruker",
    "esaote": "Esaote",
    "mediso": "Mediso",
}
"""What a manufacturer's name begins with, in small letters, and what it is called; others are ``other``."""

_LARGEST = {
    "field_strength_t": 30.0,
    "repetition_time_ms": 1e6,
    # Longer echoes than half a second nobody reads: a sidecar that gives it in milliseconds, not in seconds, does.
    "echo_time_ms": 500.0,
    "inversion_time_ms": 1e6,
    "flip_angle_deg": 360.0,
    "slice_thickness_mm": 500.0,
    "kvp": 1000.0,
    "exposure_mas": 1e5,
}
"""Above what a number is none of its kind."""

# Keyword of a plain header; sequence and keyword in the functional groups of a file of several frames.
_DICOM = {
    "field_strength_t": ("MagneticFieldStrength", None, None),
    "repetition_time_ms": ("RepetitionTime", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "echo_time_ms": ("EchoTime", "MREchoSequence", "EffectiveEchoTime"),
    "inversion_time_ms": ("InversionTime", "MRModifierSequence", "InversionTimes"),
    "flip_angle_deg": ("FlipAngle", "MRTimingAndRelatedParametersSequence", "FlipAngle"),
    "slice_thickness_mm": ("SliceThickness", "PixelMeasuresSequence", "SliceThickness"),
    "kvp": ("KVP", "CTXRayDetailsSequence", "KVP"),
    "exposure_mas": ("Exposure", "CTExposureSequence", "ExposureInmAs"),
}
_TEXTS = {"manufacturer": "Manufacturer", "scanner_model": "ManufacturerModelName", "kernel": "ConvolutionKernel"}
_GROUPS = "SharedFunctionalGroupsSequence"

# BIDS 1.10 gives times in seconds; the factor is to the unit of the column.
_SIDECAR = {
    "field_strength_t": ("MagneticFieldStrength", 1.0),
    "repetition_time_ms": ("RepetitionTime", 1000.0),
    "echo_time_ms": ("EchoTime", 1000.0),
    "inversion_time_ms": ("InversionTime", 1000.0),
    "flip_angle_deg": ("FlipAngle", 1.0),
    "slice_thickness_mm": ("SliceThickness", 1.0),
    "kvp": ("KVP", 1.0),
    "exposure_mas": ("XRayExposure", 1.0),
}
_SIDECAR_TEXTS = _TEXTS | {"scanner_model": "ManufacturersModelName"}
_SIDECAR_BYTES = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+()-]{0,39}")
_LONG_NUMBER = re.compile(r"[0-9](?:[ ._/-]?[0-9]){5}")
_FIRST_SECOND, _LAST_SECOND = -60.0, 3600.0


def acquisition_of(source: Source) -> Row:
    """Return what is known of how an image was acquired; what is absent, damaged or differs among slices is None.

    Parameters
    ----------
    source : Source
        Of an image that could be read.
    """
    if isinstance(source.part, SeriesRule):
        return _of_series(source.file, source.part)
    return _of_sidecar(source.file)


def _of_series(file: Path, rule: SeriesRule) -> Row:
    # Imported here: pydicom takes a third of a second, and most studies have none of it.
    from flows.imaging.dicom.volumes import chosen_headers

    headers = chosen_headers(file, rule)
    row: Row = {name: _plain_text(name, _common(headers, _text(key))) for name, key in _TEXTS.items()}
    row |= {name: _within(name, _common(headers, _number(*keys))) for name, keys in _DICOM.items()}
    return row | {"seconds_after_contrast": _delay(headers)}


def _common(headers: Iterable[Dataset], value: Callable[[Dataset], Any]) -> Any:
    """Return the one value that all headers give, None where they differ or one gives none."""
    found = {value(each) for each in headers}
    return found.pop() if len(found) == 1 else None


def _text(keyword: str) -> Callable[[Dataset], str | None]:
    from flows.imaging.dicom.headers import text_of

    return lambda header: _unless_damaged(lambda: text_of(header, keyword).replace("\\", "/") or None)


def _number(keyword: str, sequence: str | None, inner: str | None) -> Callable[[Dataset], float | None]:
    from flows.imaging.dicom.headers import items_of, number_of

    def value(header: Dataset) -> float | None:
        found = number_of(header, keyword)
        if found is None and sequence is not None and inner is not None:
            groups = items_of(header, _GROUPS)
            items = items_of(groups[0], sequence) if groups else ()
            found = number_of(items[0], inner) if items else None
        return found

    def known(header: Dataset) -> float | None:
        return _unless_damaged(lambda: value(header))

    return known


def _delay(headers: Iterable[Dataset]) -> float | None:
    """Return the seconds from the contrast agent's start to the first slice's acquisition."""
    from flows.imaging.dicom.clock import bolus_delay, moment

    def delay(header: Dataset) -> float | None:
        return _unless_damaged(lambda: bolus_delay(header, moment(header, "Acquisition")))

    found = [each for header in headers if (each := delay(header)) is not None]
    return min(found) if found and _FIRST_SECOND <= min(found) <= _LAST_SECOND else None


def _unless_damaged(value: Callable[[], _T | None]) -> _T | None:
    try:
        return value()
    except ContractError:
        return None


def _of_sidecar(file: Path) -> Row:
    said = _sidecar(file)
    row: Row = {
        name: _plain_text(name, said[key] if isinstance(said.get(key), str) else None)
        for name, key in _SIDECAR_TEXTS.items()
    }
    for name, (key, factor) in _SIDECAR.items():
        number = said.get(key)
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        # Beyond what it may be at most nothing is a number of its kind, however long a whole number is.
        is_small = is_number and number is not None and abs(number) <= _LARGEST[name]
        row[name] = _within(name, float(number) * factor) if is_small and number is not None else None
    return row | {"seconds_after_contrast": None}


def _sidecar(file: Path) -> Mapping[str, Any]:
    """Return the JSON object beside a NIfTI file, of its name; empty where there is none that can be read."""
    stem = file.name.removesuffix(".gz").removesuffix(".nii")
    if stem == file.name.removesuffix(".gz"):
        return {}
    try:
        with opened(file.with_name(f"{stem}.json")) as stream:
            content = stream.read(_SIDECAR_BYTES + 1)
        said = json.loads(content.decode("utf-8-sig")) if len(content) <= _SIDECAR_BYTES else None
    except Exception:
        return {}
    return said if isinstance(said, dict) else {}


def _within(name: str, value: float | None) -> float | None:
    return value if value is not None and 0 < value <= _LARGEST[name] else None


def _plain_text(name: str, text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    if name == "manufacturer":
        words = f"{text.strip().casefold()} "
        return next((vendor for start, vendor in VENDORS.items() if words.startswith(start)), "other")
    plain = " ".join(text.split())
    return plain if _PLAIN.fullmatch(plain) and not _LONG_NUMBER.search(plain) else None
