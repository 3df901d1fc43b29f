"""Feature tables that came from elsewhere: how a study file declares one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.keys import Name
from schemas.written.table_form import PatientColumns, TableForm
from schemas.written.values import Written

__all__ = ["ONLY_PHASE", "ImportedColumns", "ImportedTable"]

ONLY_PHASE: Final = "table"
"""The phase of a table that tells none."""

_Text = Annotated[str, StringConstraints(min_length=1)]


class ImportedColumns(Written):
    """Which columns are features, as patterns with ``*`` and ``?``; case counts."""

    include: tuple[_Text, ...] = ()
    """Every numeric column that is no key, outcome or split where empty."""
    exclude: tuple[_Text, ...] = ()


class ImportedTable(TableForm):
    """A table of feature values, which becomes the feature set of its name.

    A table with several rows a patient names each row's ``phase`` (and ``lesion``) in a column. A table with one
    row a patient and several images side by side gives ``phases``, each with the prefix its columns have:
    ``ADC = "ADC_"`` makes column ``ADC_x`` the feature ``x`` of phase ADC. One that gives neither has one phase.

    One with rows of several readings names each row's ``reader``, ``reading`` or both in a column; they are those of
    ``[[readings]]``, and models read the first of these.
    """

    declared_later: ClassVar[frozenset[str]] = TableForm.declared_later | {"reader", "reading"}

    table: str
    """.csv, .tsv, .parquet or .xlsx; text also as .gz or .xz."""
    patient: PatientColumns | None = None
    """The column with the pseudonym, or those whose cells, joined by ``-``, are it; the cohort table's where absent."""
    phase: str | None = None
    phases: dict[Name, _Text] = Field(default_factory=dict)
    lesion: str | None = None
    reader: str | None = None
    reading: str | None = None
    """The columns with who drew what the features are of, and for which time; the study's first where only one is."""
    columns: ImportedColumns = ImportedColumns()
    missing: tuple[str, ...] = ("NA", "N/A", "NaN", "nan")
    """Cells that mean 'no value', as an empty one does."""
    description: str = ""
    source: str = ""
    """Who computed the values, and where that is published."""

    @model_validator(mode="after")
    def _tells_phases_once(self) -> Self:
        if self.phase is not None and self.phases:
            raise ValueError("give 'phase', a column, or 'phases' with the prefixes of columns, not both")
        for phase, prefix in self.phases.items():
            if any(other.startswith(prefix) for name, other in self.phases.items() if name != phase):
                raise ValueError(f"prefix '{prefix}' is also the start of another phase's prefix")
        return self

    @property
    def has_readings(self) -> bool:
        """Return whether its rows tell which reading they are of."""
        return self.reader is not None or self.reading is not None

    @property
    def declared_phases(self) -> tuple[str, ...]:
        """Return the phases that the study file names; none where a column of the table does."""
        if self.phase is not None:
            return ()
        return tuple(self.phases) or (ONLY_PHASE,)
