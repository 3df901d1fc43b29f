"""Several exams of a patient: where they are listed, and which of them a study reads."""

from __future__ import annotations

from typing import Literal

from schemas.written.table_form import DatedTableForm

__all__ = ["ExamUse", "Exams"]

ExamUse = Literal["nearest", "first", "last", "mean"]
"""Which exams a study reads: one of each patient, or all of them, whose features are averaged."""


class Exams(DatedTableForm):
    """A table with one row per exam, and which of a patient's exams are read."""

    table: str | None = None
    """The cohort table where absent, which then has a row an exam (``repeated = true``); ``sheet`` may name another
    sheet of it."""
    exam: str = "exam"
    """The column with the exam's name, which ``{exam}`` stands for in path patterns."""
    date: str
    """The column with the exam's date."""
    use: ExamUse = "nearest"
    """Of the exams within the window: the one nearest to the reference date, the first, the last, or all of them."""

    @property
    def has_table(self) -> bool:
        """Return whether exams are listed in another table than the cohort's, or on another sheet."""
        return self.table is not None or self.sheet is not None
