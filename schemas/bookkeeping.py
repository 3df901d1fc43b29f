"""Columns of feature tables that are no features: indices, identifiers and records that tools of the field write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["bookkeeping_reason"]

_WHAT = (
    r"patient|pat|subject|subj|sub|participant|person|case|record|study|exam|examination|scan|series|visit|session|"
    r"sample|specimen|accession|lesion|tumou?r|roi|image|mask|image_settings"
)
_RULES: Final = (
    (
        "as an index of rows",
        r"unnamed_\d+(_level_\d+)?(_\d+)?|_?index_level_\d+_?|level_\d+|index|row(_?(id|ids|num|number|nr|no|index|name|names))?"
        r"|column_\d+_without_a_name_?",
    ),
    ("as PyRadiomics's record of its run", r"(.*_)?(diagnostics|general_info)_.*"),
    ("as LIFEx's record of the image", r"info_.*"),
    ("as a version", r"(.*_)?version"),
    (
        "as the name of an image, a mask or a reader",
        r"(image|mask|label|segmentation|roi)(_(file|files|filename|file_name|path|name|index|channel))?"
        r"|label_channel|file|file_?name|file_?path|path|reader|rater|observer|annotator|reading|modality|image_modality",
    ),
    (
        "as an identifier",
        rf"id|ids|uid|uuid|pid|mrn|ssn|identifier|pseudonym|patient|subject|participant|case|accession"
        rf"|({_WHAT})_?(id|ids|uid|uuid|key|code|identifier)|({_WHAT})_(name|instance_uid)"
        r"|sop_instance_uid|frame_of_reference_uid|accession_(number|num|no|nr)"
        r"|(medical_record|hospital|nhs|social_security|insurance)_(number|num|no|nr|id)",
    ),
    (
        "as personal data",
        r"zip(_?code)?|post(al)?_?code|plz|(tele)?phone(_.*)?|mobile_(phone|number)|fax(_number)?"
        r"|(year|date|day|month)_of_birth|birth_?(year|date|day|month)|dob|yob|geburts.*",
    ),
    ("as a date or a time", r"(.*_)?(date|datetime|timestamp)(_.*)?"),
    (
        "as a split of the patients",
        r"(cv_|outer_|inner_)?folds?(_(id|index|number))?|split|subset|partition|cohort|set|dataset|train_?test"
        r"|(is_)?train(ing)?(_set)?|(is_)?validation(_set)?|(is_test|test_set)",
    ),
)
_COMPILED = [(reason, re.compile(pattern)) for reason, pattern in _RULES]


def bookkeeping_reason(column: str, prefixes: Iterable[str] = ()) -> str | None:
    """Return why a column of a feature table is known to be no feature, None where it is not known to be.

    Only the name is looked at: capitals, blanks and separators do not count, ``PatientID`` is ``patient_id``.

    Parameters
    ----------
    column : str
        The column's name.
    prefixes : iterable of str
        What the columns of each phase begin with.

    Examples
    --------
    >>> bookkeeping_reason("diagnostics_Image-original_Mean")
    "as PyRadiomics's record of its run"
    >>> bookkeeping_reason("original_firstorder_Mean") is None
    True
    """
    if re.fullmatch(r"\.\.\.[0-9]+", column):  # as readr names a column without a name
        return _COMPILED[0][0]
    names = [column, *(column.removeprefix(prefix) for prefix in prefixes if column.startswith(prefix))]
    words = [re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).casefold()) for name in names]
    tried = {each for word in words for each in (word, word.strip("_") or word)}
    return next((reason for reason, pattern in _COMPILED if any(pattern.fullmatch(each) for each in tried)), None)
