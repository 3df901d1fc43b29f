"""Words of the field in names of files and folders: masks, modalities, and words that say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from schemas.features.modalities import modalities_in

__all__ = ["GENERIC", "MASKS", "TARGETS", "distinct_words", "is_known", "mask_words", "modality_of", "words_of"]

MASKS: Final = frozenset(
    (
        *("mask", "masks", "msk", "seg", "segs", "segm", "segmentation", "segmentations", "dseg", "label"),
        *("labels", "labelmap", "roi", "rois", "gtv", "voi", "vois", "contour", "contours", "annotation"),
        *("annotations", "delineation"),
    )
)
TARGETS: Final = frozenset((*("lesion", "lesions", "tumor", "tumors", "tumour", "tumours", "gtv", "hcc"),))
"""Words for what is drawn. A name with one may be an image's, where other names say mask."""
GENERIC: Final = frozenset(
    (
        *("image", "images", "img", "imgs", "imagestr", "imagests", "imagesval", "labelstr", "labelsts", "nifti"),
        *("nii", "dicom", "dcm", "data", "scan", "scans", "volume", "vol", "raw", "export", "exports", "series"),
        *("study", "original", "orig", "derivatives", "anat", "sourcedata", "rawdata", "subject", "patient"),
        *("patients", "train", "training", "test"),
    )
)
PHASES: Final = frozenset(
    (
        *("ap", "pvp", "pv", "vp", "dp", "ep", "tp", "art", "arterial", "portal", "venous", "delayed", "equilibrium"),
        *("early", "late", "pre", "post", "native", "nativ", "plain", "precontrast", "postcontrast", "baseline"),
    )
)
"""Words for times after contrast, which are no patients' names."""
_IN_ONE_WORD = ("mask", "label", "contour", "annotation", "segment")
_MR = re.compile(
    r"t[12](?:w|wi|c|ce|gd|fs|map|post|pre)?|t2star|flair|dwi|adc|swi|dce|dsc|pdw?|vibe|hbp|bold|asl|inplanet[12]"
)
_CT = frozenset(("ncct", "cta", "hu"))
_PT = frozenset(("suv", "fdg"))


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, split where capitals or digits begin too.

    Examples
    --------
    >>> words_of("CTcrop_image")
    ('ctcrop', 'ct', 'crop', 'image')
    """
    found: list[str] = []
    for part in re.findall(r"[^\W_]+", text):
        pieces = re.findall(r"[A-Z]{2,}(?=[a-z])|[A-Z]+|[A-Z]?[a-z]+|[0-9]+|[^\WA-Za-z0-9_]+", part)
        found.append(part.lower())
        if len(pieces) > 1:
            found += [each.lower() for each in pieces]
    return tuple(dict.fromkeys(found))


def distinct_words(patterns: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the words of each pattern that not all of them have; of a single one all its words."""
    found = {each: frozenset(words_of(each.replace("{patient}", " "))) for each in patterns}
    common = frozenset.intersection(*found.values()) if len(found) > 1 else frozenset()
    return {each: words - common for each, words in found.items()}


def mask_words(text: str) -> frozenset[str]:
    """Return the words of a name that say it is a mask."""
    return frozenset(word for word in words_of(text) if word in MASKS or any(each in word for each in _IN_ONE_WORD))


def is_known(word: str) -> bool:
    """Return whether a word is of the field, and so no patient's."""
    return word in MASKS | TARGETS | GENERIC | PHASES or bool(_modality(word))


def modality_of(text: str) -> str:
    """Return the modality that a name tells, CT, MR or PET; empty where it tells none or several."""
    found = {modality for word in words_of(text) if (modality := _modality(word))}
    return found.pop() if len(found) == 1 else ""


def _modality(word: str) -> str:
    if word in _CT:
        return "CT"
    if word in _PT:
        return "PET"
    if _MR.fullmatch(word):
        return "MR"
    # CT00 may be a patient.
    codes = modalities_in(word) & {"CT", "MR", "PT"} if word.isalpha() else frozenset()
    code = next(iter(codes), "")
    return "PET" if code == "PT" else code
