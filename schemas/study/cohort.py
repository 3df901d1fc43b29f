"""What a study file says about its patients: their tables, the images of an exam, and who drew the lesions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from schemas.clinical import ClinicalVariable
from schemas.day_window import DayWindow, WrittenWindow
from schemas.keys import Name, ReaderName
from schemas.study.dicom_parts import SegmentName, SeriesRule, StructureRule, Threshold
from schemas.study.path_patterns import pattern_fault
from schemas.written.levels import EVERY_OTHER, Levels, levels_fault
from schemas.written.table_form import DatedTableForm, PatientColumns, column_of
from schemas.written.values import Written

__all__ = ["Clinical", "Cohort", "Phase", "Reading"]


class Cohort(DatedTableForm):
    """The table with one row per patient."""

    table: str
    patient: PatientColumns = "patient"
    """The column that holds the pseudonym, or those whose cells, joined by ``-``, are it."""
    prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]*)?$", max_length=63)] = ""
    """Put before every pseudonym, where two studies use the same ones for different people."""
    person: str | None = None
    """The column that says whose pseudonym a row has, where a person has several; an empty cell: nobody else's."""
    same_person: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    """Pseudonyms of one person each, as the table writes them. They stay together in drawn splits and in folds."""
    repeated: bool = False
    """A patient may have several rows, which must agree in every column that the study reads from this table."""
    missing: tuple[str, ...] = ()
    """Cells of this and the clinical table that mean 'not given', as an empty one does."""
    max_removed_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """An ingest that would remove more than this share of the study's patients, masks, values or rows stops."""
    exam: Annotated[str, StringConstraints(max_length=200)] = "baseline"
    exam_date: str | None = None
    """The column with the exam's date."""
    reference_date: str | None = None
    """The column with the date at which the study predicts, such as surgery; else the exam's date."""
    exam_window_days: WrittenWindow | None = None
    """Which days relative to the reference date an exam may be of; one outside is refused."""

    @property
    def patient_column(self) -> str:
        """Return the one name of the column that has the pseudonym."""
        return column_of(self.patient)

    @property
    def reference_column(self) -> str | None:
        """Return the column of each patient's reference date, None where the study has none."""
        return self.reference_date or self.exam_date

    @property
    def exam_window(self) -> DayWindow | None:
        """Return the days an exam may be of, None where no date of the table limits it."""
        if self.reference_date is None or self.exam_date is None:
            return None
        return DayWindow(*self.exam_window_days) if self.exam_window_days else DayWindow()


class Clinical(DatedTableForm):
    """The clinical table; the cohort table itself where ``table`` and ``sheet`` are absent."""

    table: str | None = None
    """The cohort's where absent; ``sheet`` may name another sheet of it."""
    observed_at: str | None = None
    """The column with the date a row's values became true."""
    window_days: WrittenWindow | None = None
    """Which days relative to the reference date a value may be of; all before it where absent."""
    variables: dict[Name, ClinicalVariable] = Field(default_factory=dict)

    @property
    def has_table(self) -> bool:
        """Return whether the values stand in another table than the cohort's, or on another sheet."""
        return self.table is not None or self.sheet is not None

    def window(self, variable: Name) -> DayWindow:
        """Return the days that a variable's value may be of."""
        written = self.variables[variable].window_days or self.window_days
        return DayWindow(*written) if written else DayWindow()


class Phase(Written):
    """A named image of an exam: path patterns relative to the study file.

    ``{patient}``, ``{phase}``, ``{reader}`` and ``{reading}`` stand for the keys; ``{patient}`` is the
    pseudonym as the cohort table writes it, without the prefix.
    """

    declared_later: ClassVar[frozenset[str]] = frozenset({"series", "segment", "segment_threshold"})

    image: str
    mask: str
    label: Annotated[int, Field(ge=1, lt=2**32)] = 1
    """The value of the lesion's voxels in the mask file."""
    series: SeriesRule | None = None
    """Where the image is a DICOM folder: which series of it, and which volume of a dynamic one."""
    segment: SegmentName | None = None
    """Where the mask is DICOM: the segment's label or the structure's name; the only one where absent."""
    segment_threshold: Threshold | None = None
    """Of a fractional DICOM segmentation: the least share that belongs to the lesion, one half where absent."""
    modality: str = ""
    description: str = ""

    def structure(self, values: Mapping[str, str | int]) -> StructureRule:
        """Return what is chosen of a DICOM mask.

        Parameters
        ----------
        values : mapping of str to str or int
            What stands for ``{patient}``, ``{phase}``, ``{reader}`` and ``{reading}`` in the segment's name.
        """
        name = self.segment
        if name is not None:
            # No path: whatever else a structure's name has in it stands for itself.
            for field, value in values.items():
                name = name.replace(f"{{{field}}}", str(value))
        number = self.label if name is None and "label" in self.model_fields_set else None
        written = {} if self.segment_threshold is None else {"threshold": self.segment_threshold}
        return StructureRule(segment=name, number=number, **written)

    @field_validator("image", "mask")
    @classmethod
    def _has_plain_fields(cls, pattern: str) -> str:
        if fault := pattern_fault(pattern):
            raise ValueError(fault)
        return pattern


class Reading(Written):
    """One reader's one drawing of the lesions; the first reading listed is the one models use."""

    declared_later: ClassVar[frozenset[str]] = frozenset({"equals"})

    reader: ReaderName = "R1"
    reading: Annotated[int, Field(ge=1, le=10_000)] = 1
    where: str | None = None
    """A yes/no column of the cohort table: only patients with ``yes`` have this reading."""
    equals: Levels | None = None
    """The levels of ``where`` that say yes; every other one says no."""

    @field_validator("equals")
    @classmethod
    def _is_of_a_column(cls, equals: Levels | None, info: ValidationInfo) -> Levels | None:
        if equals is not None and info.data.get("where") is None:
            raise ValueError("give where too, the column that has these levels")
        if equals is not None and (fault := levels_fault(equals, EVERY_OTHER)):
            raise ValueError(fault)
        return equals
