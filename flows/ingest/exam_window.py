"""Exams that lie outside a study's window before the reference date: their images are not the study's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from flows.study.tables import CohortPatient
from schemas.day_window import days
from schemas.study.file import Study

__all__ = ["exam_failures", "exam_fault"]


def exam_fault(study: Study, patient: CohortPatient) -> str | None:
    """Return why a patient's exam is none of the study's, None where it is one.

    An exam after the reference date is refused where the study gives both dates: it shows what nobody could
    know when the study predicts. Where the study file asks for a window, an exam that cannot be placed in it,
    because a date is missing, is refused too: an inclusion criterion that cannot be checked is not met.
    """
    window, reference = study.cohort.exam_window, study.cohort.reference_date
    if window is None:
        return None
    if patient.exam_date is None or patient.reference_on is None:
        if study.cohort.exam_window_days is None:
            return None
        column = study.cohort.exam_date if patient.exam_date is None else reference
        return f"no date in column '{column}', and the exam's window before {reference} is {window}"
    day = (date.fromisoformat(patient.exam_date) - date.fromisoformat(patient.reference_on)).days
    if day in window:
        return None
    if day > 0:
        return f"exam of {patient.exam_date} is {days(day)} after {reference} ({patient.reference_on})"
    return f"exam of {patient.exam_date} is {days(-day)} before {reference} ({patient.reference_on}), window {window}"


def exam_failures(study: Study, patients: Iterable[CohortPatient]) -> list[dict[str, Any]]:
    """Return one row of failures for each patient whose exam lies outside the window.

    The row names no phase, reader or reading: it is about all of them.
    """
    everything = {"phase": "", "lesion": "", "reader": "", "reading": 0, "feature_set": "", "feature": ""}
    faults = ((each.patient, exam_fault(study, each)) for each in patients)
    return [
        {"stage": "ingest", "study": study.id, "patient": patient, "exam": study.cohort.exam, "reason": reason}
        | everything
        for patient, reason in faults
        if reason is not None
    ]
