"""What each expectation asks, as SQL over the views: each row of the answer breaks it."""

from __future__ import annotations

import re

from schemas.expectations.rule import COUNTED_COLUMNS, Expectation
from schemas.study.file import Study
from store.analyst.view_parts import quoted_text

__all__ = ["question_of"]

_KEYS = "patient, exam, phase, lesion, reader, reading"
_STUDY = re.compile(r"\$study\b")


def question_of(expectation: Expectation, study: Study) -> str:
    """Return the question of an expectation, with the study's id in place of ``$study``.

    Parameters
    ----------
    expectation : Expectation
        The rule.
    study : Study
        Whose it is.
    """
    asked = expectation.sql if expectation.sql is not None else _own_question(expectation, study)
    return _STUDY.sub(lambda _: quoted_text(study.id), asked).strip().rstrip(";")


def _own_question(rule: Expectation, study: Study) -> str:
    if rule.kind == "range":
        ends = [] if rule.low is None else [f"value < {rule.low!r}"]
        ends += [] if rule.high is None else [f"value > {rule.high!r}"]
        name = quoted_text(str(rule.variable))
        return (
            f"select patient, variable, value, unit, observed_at from clinical\nwhere variable = {name} "
            f"and ({' or '.join(ends)})\norder by patient, observed_at"
        )
    if rule.kind == "missing":
        return _missing(str(rule.variable), rule.missing or 0.0)
    if rule.count is not None:
        return _counts(rule.count, rule.at_least or 1, study)
    if rule.grey_levels is not None:
        return (
            f"select {_KEYS}, distinct_values, lowest, highest\nfrom quality join study_masks m using ({_KEYS})\n"
            f"where m.study = $study and distinct_values < {rule.grey_levels}\norder by {_KEYS}"
        )
    if rule.volume_ratio is not None:
        return (
            f"select {_KEYS}, volume_mm3, volume_ratio\nfrom quality join study_masks m using ({_KEYS})\n"
            f"where m.study = $study and (volume_ratio > {rule.volume_ratio!r} "
            f"or volume_ratio < 1 / {rule.volume_ratio!r})\norder by {_KEYS}"
        )
    if rule.spacing_mm is not None:
        low, high = rule.spacing_mm
        return f"""{_SPACINGS}
select patient, exam, phase, spacing_mm from spacings
where list_min(sizes) < {low!r} or list_max(sizes) > {high!r}
order by patient, exam, phase"""
    if rule.same_spacing is not None:
        return _same_spacing(rule.same_spacing)
    return _duplicates("image" if rule.duplicates == "images" else "mask")


_SPACINGS = """with spacings as (
    select s.patient, s.exam, s.phase, s.spacing_mm,
        list_transform(string_split(s.spacing_mm, ' x '), lambda part: part::double) as sizes
    from scans s
    where (s.patient, s.exam, s.phase) in (select (patient, exam, phase) from study_masks where study = $study)
)"""


def _missing(variable: str, share: float) -> str:
    name = quoted_text(variable)
    return f"""select {name} as variable, count(*) as patients, count(*) - count(c.patient) as missing,
    round((count(*) - count(c.patient)) / count(*), 4) as share
from catalogue.study_patients p
left join clinical_at_reference c on c.study = p.study and c.patient = p.patient and c.variable = {name}
where p.study = $study
having (count(*) - count(c.patient)) / count(*) > {share!r}"""


def _counts(column: str, at_least: int, study: Study) -> str:
    if column in study.clinical.variables:
        levels = ", ".join(f"({quoted_text(level)})" for level in study.clinical.variables[column].levels or ())
        # A level that nobody has is one too.
        return f"""select level, count(distinct c.patient) as patients
from (values {levels}) declared(level)
left join (
    select level, patient from clinical_at_reference where study = $study and variable = {quoted_text(column)}
) c using (level)
group by level having count(distinct c.patient) < {at_least}
order by level"""
    if column not in COUNTED_COLUMNS:
        raise AssertionError("validated with the study file")
    return f"""select {column}, count(distinct patient) as patients
from acquisitions
where {column} is not null and patient in (select patient from catalogue.study_patients where study = $study)
group by {column} having count(distinct patient) < {at_least}
order by {column}"""


def _same_spacing(share: float) -> str:
    return f"""{_SPACINGS},
axes as (
    select patient, exam, phase, spacing_mm, unnest(sizes) as size, unnest(range(len(sizes))) as axis from spacings
),
compared as (
    select *, median(size) over (partition by phase, axis) as usual from axes
)
select patient, exam, phase, spacing_mm, round(max(abs(size / usual - 1)), 4) as differs_by
from compared
group by patient, exam, phase, spacing_mm having max(abs(size / usual - 1)) > {share!r}
order by patient, exam, phase"""


def _duplicates(content: str) -> str:
    # Pseudonyms that the study declares to be one person's may share an image.
    keys = "patient, exam, phase" if content == "image" else _KEYS
    return f"""with declared as (
    select list_transform(
        unnest(from_json(definition -> '$.cohort.same_person', '[["VARCHAR"]]')),
        lambda name: (definition ->> '$.cohort.prefix') || name
    ) as persons
    from catalogue.studies where study = $study
),
persons_of_study as (select patient from catalogue.study_patients where study = $study),
shared as (
    select sha256, list(distinct patient) as persons
    from duplicates
    where content = '{content}' and patient in (from persons_of_study)
    group by sha256 having count(distinct patient) > 1
)
select {keys}, patients, sha256
from duplicates join shared s using (sha256)
where content = '{content}' and patient in (from persons_of_study)
    and not exists (from declared d where list_has_all(d.persons, s.persons))
order by sha256, {keys}"""
