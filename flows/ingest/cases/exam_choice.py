"""Which exams of a patient are the study's: those of its window, and of several the ones that its rule takes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from flows.study.exams import PatientExam
from flows.study.patients import CohortPatient
from schemas.cases.exams import Exams
from schemas.day_window import days
from schemas.study.cohort import exam_date_column
from schemas.study.file import Study

__all__ = ["ExamChoice", "chosen_exams", "exam_failures"]


class ExamChoice(NamedTuple):
    """Of a patient's exams those that are read, and why others, or all of them, cannot be."""

    used: tuple[PatientExam, ...]
    faults: tuple[tuple[str, str], ...] = ()
    """The exam's name, empty where the fault is about all of them, and the reason."""


def chosen_exams(study: Study, patient: CohortPatient) -> ExamChoice:
    """Return which exams of a patient a study reads.

    An exam after the reference date is refused where the study gives both dates: it shows what nobody could
    know when the study predicts. Where the study file asks for a window, an exam that cannot be placed in it,
    because a date is missing, is refused too: an inclusion criterion that cannot be checked is not met.

    Of several exams those outside the window are no candidates, which is no fault while there is another one. An
    exam without a date is, for nobody can tell whether it would have been chosen.

    Parameters
    ----------
    study : Study
        The study.
    patient : CohortPatient
        The patient, with all exams that a table lists.
    """
    outside = [(each, _window_fault(study, patient, each)) for each in patient.exams]
    if study.exams is None or len(patient.exams) == 1:
        used = tuple(exam for exam, fault in outside if fault is None)
        return ExamChoice(used, tuple((exam.name, fault) for exam, fault in outside if fault is not None))
    if not patient.exams:
        return ExamChoice((), (("", "the table of exams has none of this patient"),))
    undated = f"no date in column '{study.exams.date}': it cannot be compared with the patient's other exams"
    faults = tuple((exam.name, undated) for exam, _ in outside if exam.date is None)
    within = [exam for exam, fault in outside if fault is None and exam.date is not None]
    if not within:
        reasons = "; ".join(f"{exam.name}: {fault}" for exam, fault in outside if exam.date is not None)
        said = f"none of {len(patient.exams)} exams can be used" + (f": {reasons}" if reasons else "")
        return ExamChoice((), (*faults, ("", said)))
    if study.exams.use == "mean":
        return ExamChoice(tuple(within), faults)
    return _one_of(study.exams, within, faults)


def _one_of(exams: Exams, within: list[PatientExam], faults: tuple[tuple[str, str], ...]) -> ExamChoice:
    # None of them lies after the reference date: the nearest is the last.
    best = min if exams.use == "first" else max
    day = best(str(each.date) for each in within)
    found = [each for each in within if each.date == day]
    if len(found) > 1:
        named = " and ".join(f"'{each.name}'" for each in found)
        said = f"exams {named} are of one date, {day}, and the study reads one: leave the others out of the table"
        return ExamChoice((), (*faults, ("", said)))
    return ExamChoice(tuple(found), faults)


def _window_fault(study: Study, patient: CohortPatient, exam: PatientExam) -> str | None:
    window, reference = study.exam_window, study.cohort.reference_date
    if window is None:
        return None
    if exam.date is None or patient.reference_on is None:
        # Of several exams the nearest is asked for, and without a reference date there is none.
        if study.cohort.exam_window_days is None and (study.exams is None or exam.date is None):
            return None
        column = exam_date_column(study.cohort, study.exams) if exam.date is None else reference
        return f"no date in column '{column}', and the exam's window before {reference} is {window}"
    day = (date.fromisoformat(exam.date) - date.fromisoformat(patient.reference_on)).days
    if day in window:
        return None
    if day > 0:
        return f"exam of {exam.date} is {days(day)} after {reference} ({patient.reference_on})"
    return f"exam of {exam.date} is {days(-day)} before {reference} ({patient.reference_on}), window {window}"


def exam_failures(study: Study, patients: Iterable[CohortPatient]) -> list[dict[str, Any]]:
    """Return a row of failures for each exam that should have been read, and for each patient without one.

    The row names no phase, reader or reading: it is about all of them.
    """
    everything = {"phase": "", "lesion": "", "reader": "", "reading": 0, "feature_set": "", "feature": ""}
    return [
        {"stage": "ingest", "study": study.id, "patient": each.patient, "exam": exam, "reason": reason} | everything
        for each in patients
        for exam, reason in chosen_exams(study, each).faults
    ]
