"""Several rows of one patient and phase made one: the lesions of each exam averaged, then the exams."""

from __future__ import annotations

from schemas.plain_keys import MaskKey

__all__ = ["WEIGHT", "combined_rows", "complete_rows"]

WEIGHT = '"weight of the row"'
"""The column of weights, quoted: a name that no feature has."""

_OWN_NAME = r'"\0"'  # what DuckDB puts a column's own name for


def complete_rows(view: str, study: str, *keys: str, where: str = "true") -> str:
    """Return from where a study's rows come of which none is missing: an average of those that are left would mislead.

    A row is missing where a mask of the study has no extraction, or where an image or mask of the same patient, phase
    and reading could not be read.

    Parameters
    ----------
    view : str
        The feature set's view, quoted; it is called ``w``, ``study_masks`` is ``m`` and ``masks`` is ``k``.
    study : str
        The study's name as SQL text.
    *keys : str
        What a row is given for.
    where : str
        A further condition on ``m``.
    """
    names = ", ".join(MaskKey._fields)
    grouped = ", ".join(f"m.{key}" for key in keys)
    return f"""from study_masks m join masks k using ({names}) left join {view} w using ({names})
        where m.study = {study} and {where} and not exists (
            from failures f
            where f.study = {study} and f.stage = 'ingest' and f.patient = m.patient
            and coalesce(f.phase, '') in ('', m.phase) and coalesce(f.reader, '') in ('', m.reader)
            and coalesce(f.reading, 0) in (0, m.reading)
        )
        qualify not bool_or(w.extraction_id is null) over (partition by {grouped})"""


def combined_rows(rows: str, *keys: str) -> str:
    """Return the query that gives one row for each value of some keys.

    A feature is averaged over the lesions of an exam by their weights, and the exams' averages equally. It is NULL
    where one of the rows lacks it. Sums are taken in the order of lesions and exams by their names, so that they are
    the same to the last bit each time.

    Parameters
    ----------
    rows : str
        A query with the keys, ``exam``, ``lesion``, `WEIGHT` and the features, and no other column.
    *keys : str
        The keys, such as ``patient`` and ``phase``.
    """
    key = ", ".join(keys)
    lesion, exam = f"columns(* exclude ({key}, exam, lesion, {WEIGHT}))", f"columns(* exclude ({key}, exam))"
    of_lesions = f"list_sum(list({lesion} * {WEIGHT} order by lesion)) / list_sum(list({WEIGHT} order by lesion))"
    of_exams = f"list_sum(list({exam} order by exam)) / count(*)"
    return f"""    with lesion_rows as (
{rows}
    ), exam_rows as (
        select {key}, exam, case when count({lesion}) = count(*) then {of_lesions} end as {_OWN_NAME}
        from lesion_rows
        group by {key}, exam
    )
    select {key}, case when count({exam}) = count(*) then {of_exams} end as {_OWN_NAME}
    from exam_rows
    group by {key}"""
