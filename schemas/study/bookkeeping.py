"""Columns of feature tables that are no features: indices, identifiers and records that tools of the field write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

__all__ = ["bookkeeping_reason"]

_WHAT = (
    r"patient|patienten|paciente|paziente|pat|pt|subject|subj|sub|participant|person|case|fall|record|study|exam|"
    r"examination|scan|series|visit|session|sample|specimen|accession|lesion|tumou?r|roi|image|mask|image_settings|"
    r"hospital|clinic|admission|encounter|episode|medical_record|chart|file|dossier|insurance|policy|member|nhs|"
    r"health_card|national|passport|social_security|device|station"
)
_NUMBERED = (
    r"patient|patienten|paciente|paziente|pat|pt|subject|participant|person|case|fall|study|exam|series|visit|session|"
    r"sample|specimen|accession|hospital|clinic|admission|encounter|episode|medical_record|chart|file|dossier|"
    r"insurance|policy|member|nhs|health_card|national|passport|social_security|device|station"
)
"""Without tumours and lesions, whose number is how many there are."""
_NUMBER = r"number|num|no|nr|nummer|numero"
# Hospitals' headings in the languages of the field's larger cohorts: letters without accents, as `_words` gives them.
_IDENTIFIERS = (
    r"(.*_)?mrns?(_.*)?|ssn|(.*_)?ssn|nhs|nss|ipp|nhc|dni|bsn|pesel|nric|cpr|(numero_)?(de_)?securite_sociale|num_secu"
    r"|numero_(de_)?(seguridad_social|historia(_clinica)?|patient|paciente|dossier|cartella)|historia_clinica"
    r"|codice_fiscale|cartella_clinica|prontuario|no_(patient|dossier)"
    r"|(patienten?|fall|aufnahme|versicherten|(kranken|sozial|renten)?_?versicherungs|krankenkassen|akten)_?(nummer|nr|id)"
    r"|(住院|病案|门诊|病历|检查|影像|登记|就诊|医保|社保|身份证|卡|病人|患者|登録|診察券|환자|등록|주민등록)_?(号|号码|編号|编号|番号|id|번호)"
    r"|身份证|序号|编号|番号|번호"
)
_PERSONAL = (
    r"(.*_)?(zip|zips|zip_?code|post_?codes?|postal_?codes?|plz|postleitzahl|code_?postal|codigo_?postal|codice_postale|cep|cap_residenza)"
    r"|(.*_)?(tele)?phones?(_.*|number|no|nr)?|tel|telefon(_?(nummer|nr))?|telefono|handy_?(nummer|nr)?|(mobile|cell)(_(phone|number|no))?"
    r"|fax(_?(number|nr))?|(.*_)?e_?mail(_address)?|(.*_)?address|adresse|direccion|indirizzo|street|strasse|wohnort|ip_address"
    r"|(.*_)?(year|date|day|month)_?of_?birth|(.*_)?birth_?(year|date|day|month)|(year|month|day)_born|(.*_)?(dob|yob)|geb_?(datum|jahr|dat)"
    r"|geburts_?(jahr|datum|tag|monat|ort|name)|(annee|date|jour)_(de_)?naissance|ddn|(ano|fecha)_(de_)?nacimiento"
    r"|(anno|data)_(di_)?nascita|(ano|data)_(de_)?nascimento|geboorte_?(jaar|datum)"
    r"|(first|last|family|given|sur|full|middle|maiden)_?names?|nach_?name|vor_?name|prenom|nombre|apellidos?"
    r"|出生(日期|年月|年份|年|年月日)|生年月日|邮编|邮政编码|郵便番号|우편번호|电话(号码)?|联系电话|手机(号|号码)?|電話(番号)?|전화번호"
    r"|姓名|氏名|이름|地址|住址|住所|생년월일"
)
_RULES: Final = (
    (
        "as an index of rows",
        r"unnamed_\d+(_level_\d+)?(_\d+)?|_?index_level_\d+_?|level_\d+|index|row(_?(id|ids|num|number|nr|no|index|name|names))?|(line|record)_?(num|number|nr|no|index)"
        r"|column_\d+_without_a_name_?|(serial|sequence|seq|running)_(number|num|no|nr)|lfd_?(nr|nummer)|行号",
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
        rf"id|ids|uid|uuid|guid|pid|identifier|pseudonym|patient|subject|participant|case|accession|passport"
        rf"|({_WHAT})_?(id|ids|uid|uuid|key|code|identifier)|({_WHAT})_(name|instance_uid)"
        rf"|({_NUMBERED})_?({_NUMBER})|({_NUMBER})_({_NUMBERED})"
        rf"|(sop|study|series)_instance_uid|frame_of_reference_uid|{_IDENTIFIERS}",
    ),
    ("as personal data", _PERSONAL),
    (
        "as a date or a time",
        r"(.*_)?(date|dates|datetime|time_?stamp|timestamp)(_.*)?|[a-z_]*datum|fecha|(unix|epoch|posix)_?(time|seconds|ms|s)?"
        r"|(study|series|acquisition|content|scan)_time|(入院|出院|检查|手术|住院|随访)?(日期|时间)|検査日|手術日|검사일",
    ),
    (
        "as a split of the patients",
        r"(cv_|outer_|inner_)?folds?(_(id|index|number))?|split|subset|partition|cohort|set|dataset|train_?test"
        r"|(is_)?train(ing)?(_set)?|(is_)?validation(_set)?|(is_test|test_set)",
    ),
)
_COMPILED = [(reason, re.compile(pattern)) for reason, pattern in _RULES]
_ACCENTS = {chr(code) for code in range(0x300, 0x370)}
_LONGEST = 200
"""No heading is longer that says what a column is; patterns with ``.*`` would look at it for long."""


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
    words = [word for name in names if len(name) <= _LONGEST for word in _words(name)]
    return next((reason for reason, pattern in _COMPILED if any(pattern.fullmatch(each) for each in words)), None)


def _words(name: str) -> set[str]:
    """Return a heading in small letters without accents, words joined by ``_``: with and without it at the ends."""
    decomposed = unicodedata.normalize("NFKD", name)
    plain = unicodedata.normalize("NFC", "".join(each for each in decomposed if each not in _ACCENTS))
    # PatientID, MRNumber and patientMRN: a word ends before a capital that follows, or begins, small letters.
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    found = {
        re.sub(r"\W+|_+", "_", each.casefold()) for each in (parted, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain))
    }
    found = {re.sub(r"_+", "_", each) for each in found}
    return found | {each.strip("_") or each for each in found}
