"""How a table is written, where its content does not tell: encoding, numbers, dates, and which row is the header."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from schemas.written.dates import DateOrder
from schemas.written.values import SheetName, Written

__all__ = [
    "ENCODINGS",
    "DatedTableForm",
    "DecimalMark",
    "Encoding",
    "PatientColumns",
    "TableForm",
    "ThousandsMark",
    "column_of",
]

Encoding = Literal[
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "latin-1",
    "iso-8859-15",
    "mac-roman",
    "cp850",
    "gb18030",
    "big5",
    "cp932",
    "cp949",
]
"""Encodings by their names in Python: UTF, Windows' of Europe, ISO's, old Macs' and DOS's, and those of East Asia."""

DecimalMark = Literal[".", ","]
ThousandsMark = Literal[",", ".", " ", "'"]

ENCODINGS: Final[tuple[str, ...]] = get_args(Encoding)

_ColumnName = Annotated[str, StringConstraints(min_length=1)]


def _one_or_several(value: Any, checked: ValidatorFunctionWrapHandler) -> Any:
    try:
        return checked(value)
    except ValidationError:
        raise ValueError('give the name of a column, or a list of two to five names: ["site", "id"]') from None


PatientColumns = Annotated[
    str | Annotated[tuple[_ColumnName, ...], Field(min_length=2, max_length=5)], WrapValidator(_one_or_several)
]
"""The column with the pseudonym, or those whose cells, joined by ``-``, are it."""

_LAST_ROW = 1_048_576


def column_of(patient: PatientColumns) -> str:
    """Return the one name of the column that has the pseudonym: of several columns their names, joined as it is."""
    return patient if isinstance(patient, str) else "-".join(patient)


class TableForm(Written):
    """What a study file says about how one of its tables is written; nothing of it is guessed."""

    declared_later: ClassVar[frozenset[str]] = frozenset(
        {"sheet", "encoding", "decimal", "thousands", "header_row", "first_row"}
    )

    sheet: SheetName | None = None
    """Of a workbook; the only one that is shown and not empty where absent."""
    encoding: Encoding | None = None
    """Of a text; UTF-8 where absent, or what its byte-order mark says."""
    decimal: DecimalMark | None = None
    """What stands before the decimals of numbers; a point, or commas where every number agrees, where absent."""
    thousands: ThousandsMark | None = None
    """What stands between groups of three digits; nothing where absent."""
    header_row: Annotated[int, Field(ge=1, le=_LAST_ROW)] | None = None
    """The line, of a workbook the row, that names the columns; what stands above is not read."""
    first_row: Annotated[int, Field(ge=2, le=_LAST_ROW)] | None = None
    """The line or row of the first patient; what stands between it and the header is not read."""

    @field_validator("thousands")
    @classmethod
    def _is_beside_decimal(cls, thousands: str | None, info: ValidationInfo) -> str | None:
        decimal = info.data.get("decimal")
        if thousands is not None and "decimal" in info.data and decimal is None:
            raise ValueError("give decimal too, '.' or ',': what stands between thousands does not tell it")
        if thousands is not None and thousands == decimal:
            raise ValueError(f"'{thousands}' cannot stand before decimals and between thousands")
        return thousands

    @field_validator("first_row")
    @classmethod
    def _is_below_the_header(cls, first_row: int | None, info: ValidationInfo) -> int | None:
        header_row = info.data.get("header_row") or 1
        if first_row is not None and first_row <= header_row:
            raise ValueError(f"the first patient's row is below the header, row {header_row}")
        return first_row

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the keys of a form that were given, in the order of this class."""
        return tuple(name for name in TableForm.model_fields if getattr(self, name) is not None)


class DatedTableForm(TableForm):
    """The form of a table whose dates are read."""

    declared_later: ClassVar[frozenset[str]] = TableForm.declared_later | {"dates"}

    dates: DateOrder | None = None
    """How days are written, besides ISO 8601."""

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the keys of a form that were given."""
        return (*super().declared, *(("dates",) if self.dates else ()))
