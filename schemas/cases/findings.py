"""Findings in images by one reader or several: their table, their variables, and whose value models read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.clinical import ClinicalVariable
from schemas.keys import Name, ReaderName
from schemas.written.table_form import TableForm

__all__ = ["CONSENSUS", "SAME", "FindingVariable", "Findings"]

CONSENSUS = "consensus"
"""The reader of rows that readers agreed on together: no rater of whom agreement can be told."""
SAME = "same"
"""Every reader's, which must not differ."""


class FindingVariable(ClinicalVariable):
    """One finding: a number with a unit, or a category with levels."""

    weights: Literal["linear", "quadratic"] | None = None
    """The levels are in order, and kappa is also given with these weights."""

    @model_validator(mode="after")
    def _is_weighted_by_its_order(self) -> Self:
        if self.weights is not None and len(self.levels or ()) < 3:
            raise ValueError("weights are for three levels or more, in their order")
        if self.window_days is not None:
            raise ValueError("a finding is of the exam: window_days is for clinical variables")
        return self

    @property
    def as_clinical(self) -> ClinicalVariable:
        """Return the variable that models read."""
        return ClinicalVariable(unit=self.unit, levels=self.levels, range=self.range, description=self.description)


class Findings(TableForm):
    """What readers found in the images: a row a patient and reader, or a table a reader."""

    table: str | None = None
    """The table of all readers."""
    reader: str = "reader"
    """The column of ``table`` that names the reader."""
    tables: Annotated[dict[ReaderName, str], Field(max_length=100)] = Field(default_factory=dict)
    """Or the table of each reader."""
    use: ReaderName
    """Whose values models read: a reader, ``consensus``, or ``same``, every reader's, where none may differ."""
    variables: Annotated[dict[Name, FindingVariable], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.table is None) == (not self.tables):
            raise ValueError("give either table, with a column of readers, or tables, one a reader")
        if self.sheet is not None and self.table is None:
            raise ValueError("sheet is that of table")
        if self.tables and self.use not in (*self.tables, SAME):
            raise ValueError(f"use names '{self.use}', and tables has {', '.join(self.tables)}")
        if SAME in self.tables:
            raise ValueError(f"'{SAME}' is no reader's name")
        return self
