"""Who a study is about, as its tables say it: patients with their exams, who is excluded, and the catalogue's rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flows.study.exams import PatientExam
from schemas.study.cohort import Reading

__all__ = ["CohortPatient", "ExcludedPatient", "StudyTables"]

Row = dict[str, Any]


@dataclass(frozen=True)
class CohortPatient:
    """One row of the cohort table."""

    patient: str
    """The pseudonym as the store knows it."""
    written: str
    """The pseudonym as the table writes it, which path patterns use."""
    exams: tuple[PatientExam, ...]
    """In the order of the table; one where the study has no table of exams."""
    reference_on: str | None
    """The date at which the study predicts for this patient."""
    readings: tuple[Reading, ...]
    line: int = 0
    """Of the cohort table; 0 where it is not known."""

    def pattern_values(self, exam: str, phase: str, lesion: str, reading: Reading) -> dict[str, str | int]:
        """Return what stands for each field of a path pattern."""
        named = next((each.written for each in self.exams if each.name == exam and each.written), exam)
        keys: dict[str, str | int] = {"patient": self.written, "exam": named, "phase": phase, "lesion": lesion}
        return keys | {"reader": reading.reader, "reading": reading.reading}


@dataclass(frozen=True)
class ExcludedPatient:
    """A row of the cohort table that is not in the study."""

    patient: CohortPatient
    position: int
    """Of the first criterion that excludes the patient, from 1."""


@dataclass
class StudyTables:
    """Everything a study's tables say, as rows of the catalogue."""

    patients: list[CohortPatient] = field(default_factory=list)
    excluded: list[ExcludedPatient] = field(default_factory=list)
    """Who stands in the cohort table and meets a criterion of exclusion: in nothing else of what is here."""
    clinical: list[Row] = field(default_factory=list)
    findings: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """How tables were read, where that is not what their names say."""
    people: dict[str, str] = field(default_factory=dict)
    """The person behind each pseudonym as the table writes it, where the study names a column of persons."""
    warnings: tuple[str, ...] = ()
    """What may not be meant as it is written."""

    @property
    def assessed(self) -> list[CohortPatient]:
        """Return all patients of the cohort table, those who are excluded last."""
        return [*self.patients, *(each.patient for each in self.excluded)]

    @property
    def excluded_ids(self) -> frozenset[str]:
        """Return the pseudonyms of who is excluded, as the table writes them: their rows elsewhere are passed by."""
        return frozenset(each.patient.written for each in self.excluded)
