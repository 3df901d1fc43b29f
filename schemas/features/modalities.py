"""Which images a feature set is meant for, and where a study's images are declared to be others."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

__all__ = ["Modalities", "modalities_in"]

_CODES: Final = {
    **dict.fromkeys(("CT", "CECT", "CBCT", "HRCT", "LDCT"), "CT"),
    **dict.fromkeys(("MR", "MRI", "MRT", "CEMRI", "MPMRI", "DCEMRI"), "MR"),
    **dict.fromkeys(("PT", "PET"), "PT"),
    **dict.fromkeys(("NM", "SPECT"), "NM"),
    **dict.fromkeys(("US", "ULTRASOUND"), "US"),
    **dict.fromkeys(("CR", "DX", "XR"), "DX"),
    **dict.fromkeys(("MG", "MAMMOGRAPHY"), "MG"),
}
"""Words for modalities, to DICOM's codes."""


def modalities_in(text: str) -> frozenset[str]:
    """Return the modalities that a text names, as DICOM's codes; none where no word of it is known.

    Parameters
    ----------
    text : str
        What a person writes: ``MR``, ``MRI``, ``DCE-MRI``, ``PET/CT``.
    """
    words = re.split(r"[^A-Za-z]+", text.upper())
    return frozenset(_CODES[word] for word in words if word in _CODES)


def _codes(written: object) -> object:
    if not isinstance(written, (str, list, tuple)):
        return written
    codes: list[str] = []
    for each in [written] if isinstance(written, str) else written:
        found = modalities_in(str(each))
        if not found:
            raise ValueError(f"'{each}' is no modality: write {', '.join(sorted(set(_CODES.values())))} or PET")
        codes += sorted(found)
    return tuple(dict.fromkeys(codes))


Modalities = Annotated[tuple[str, ...], BeforeValidator(_codes)]
"""One modality or several, as a person writes them."""
