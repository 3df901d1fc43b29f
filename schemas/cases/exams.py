"""Several exams of a patient: where they are listed, and which of them a study reads."""

from __future__ import annotations

from typing import ClassVar, Literal

from schemas.written.values import SheetName, Written

__all__ = ["ExamUse", "Exams"]

ExamUse = Literal["nearest", "first", "last", "mean"]
"""Which exams a study reads: one of each patient, or all of them, whose features are averaged."""


class Exams(Written):
    """A table with one row per exam, and which of a patient's exams are read."""

    declared_later: ClassVar[frozenset[str]] = frozenset()

    table: str | None = None
    """The cohort table where absent, which then has a row an exam (``repeated = true``)."""
    sheet: SheetName | None = None
    """Of a workbook, which is the cohort table's where ``table`` is absent."""
    exam: str = "exam"
    """The column with the exam's name, which ``{exam}`` stands for in path patterns."""
    date: str
    """The column with the exam's date (ISO 8601)."""
    use: ExamUse = "nearest"
    """Of the exams within the window: the one nearest to the reference date, the first, the last, or all of them."""
