"""What a study file says about its patients: their tables, the images of an exam, and who drew the lesions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from schemas.cases.exams import Exams
from schemas.cases.lesions import Lesions
from schemas.clinical import ClinicalVariable
from schemas.day_window import DayWindow, WrittenWindow
from schemas.keys import Name, ReaderName
from schemas.study.dicom_parts import SegmentName, SeriesRule, StructureRule, Threshold
from schemas.study.path_patterns import pattern_fault, pattern_parts
from schemas.written.levels import EVERY_OTHER, Levels, levels_fault
from schemas.written.table_form import DatedTableForm, PatientColumns, column_of
from schemas.written.values import Written

__all__ = ["Clinical", "Cohort", "Phase", "Reading", "case_faults", "exam_date_column", "exam_window"]


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
        """Return the column of each patient's reference date in this table, None where it has none."""
        return self.reference_date or self.exam_date


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

    ``{patient}``, ``{exam}``, ``{phase}``, ``{lesion}``, ``{reader}`` and ``{reading}`` stand for the keys;
    ``{patient}`` is the pseudonym as the cohort table writes it, without the prefix, and an image has no lesion,
    reader or reading.
    """

    declared_later: ClassVar[frozenset[str]] = frozenset({"series", "segment", "segment_threshold", "mask_grid"})

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
    mask_grid: Literal["same", "resample"] = "same"
    """Of a mask that is one volume: whether it must lie on its image's grid, or is brought to it by nearest voxels."""
    modality: str = ""
    description: str = ""

    def structure(self, values: Mapping[str, str | int]) -> StructureRule:
        """Return what is chosen of a DICOM mask.

        Parameters
        ----------
        values : mapping of str to str or int
            What stands for the fields of path patterns in the segment's name.
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


def exam_date_column(cohort: Cohort, exams: Exams | None) -> str | None:
    """Return the column with an exam's date, of the table of exams where there is one; None where there is none."""
    return cohort.exam_date if exams is None else exams.date


def exam_window(cohort: Cohort, exams: Exams | None) -> DayWindow | None:
    """Return the days an exam may be of, relative to the reference date; None where no date of a table limits it."""
    if cohort.reference_date is None or exam_date_column(cohort, exams) is None:
        return None
    return DayWindow(*cohort.exam_window_days) if cohort.exam_window_days else DayWindow()


def case_faults(
    cohort: Cohort, exams: Exams | None, lesions: Lesions | None, phases: Mapping[str, Phase]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what contradicts itself in how a study tells exams and lesions apart, and the key that it stands at."""
    if exams is not None:
        yield from _exam_faults(cohort, exams)
    for name, phase in phases.items():
        at = ("phases", name)
        in_image, in_mask = (_fields(pattern) for pattern in (phase.image, phase.mask))
        if "lesion" in in_image:
            yield "an image has no {lesion}: all lesions of an exam lie on it", (*at, "image")
        if exams is not None:
            for key, fields in (("image", in_image), ("mask", in_mask)):
                if "exam" not in fields:
                    yield "two exams would have one file: [exams] needs {exam} in the path", (*at, key)
        tells_lesions = "lesion" in in_mask or (phase.segment is not None and "{lesion}" in phase.segment)
        if lesions is None or lesions.names is None:
            if tells_lesions:
                key = "mask" if "lesion" in in_mask else "segment"
                yield '{lesion} stands for the names in each under [lesions]: each = ["1", "2"]', (*at, key)
        elif not tells_lesions:
            yield "all lesions would have one mask: put {lesion} into the path, or into segment", (*at, "mask")
        if lesions is not None and lesions.each == "label" and phase.label != Phase.model_fields["label"].default:
            yield 'with each = "label" under [lesions] every label is a lesion: leave label out', (*at, "label")


def _exam_faults(cohort: Cohort, exams: Exams) -> Iterator[tuple[str, tuple[str, ...]]]:
    if cohort.exam_date is not None:
        yield "[exams] has the dates of exams: leave exam_date out", ("cohort", "exam_date")
    if cohort.exam != Cohort.model_fields["exam"].default:
        yield "[exams] has the names of exams: leave exam out", ("cohort", "exam")
    if exams.use == "nearest" and cohort.reference_date is None:
        yield 'use = "nearest" needs reference_date under [cohort]', ("exams", "use")
    if exams.use == "mean" and cohort.reference_date is None:
        # Else models would read clinical values as of an exam, and there are several.
        yield 'use = "mean" needs reference_date under [cohort]: several exams have no common date', ("exams", "use")
    if not exams.has_table and exams.declared:
        key = exams.declared[0]
        yield f"exams stand in the cohort table: give {key} under [cohort], or table here", ("exams", key)
    if not exams.has_table and not cohort.repeated:
        yield "the cohort table has a row an exam where [exams] names no table: repeated = true", ("exams",)


def _fields(pattern: str) -> set[str]:
    return {part.text for part in pattern_parts(pattern) if part.is_field}
