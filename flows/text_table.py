"""Tables as text cells: delimited or Parquet files whose every fault can be named by line and column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.errors import ContractError

__all__ = ["TextTable", "read_table"]

_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}


@dataclass(frozen=True)
class TextTable:
    """A delimited or Parquet file as text cells, with the line each row stands on."""

    file: Path
    frame: pl.DataFrame

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each row with the line it stands on."""
        for number, row in enumerate(self.frame.iter_rows(named=True), start=2):
            yield number, {name: (value or "").strip() for name, value in row.items()}

    def require(self, column: str, where: str) -> None:
        """Refuse a table without a column that the study file names at ``where``."""
        if column not in self.frame.columns:
            raise ContractError(
                f"column '{column}' is not in {self.file.name}; it has {', '.join(self.frame.columns[:12])}",
                where=where,
                hint="mend the column's name in the study file; nothing was written",
            )

    def fault(self, line: int, column: str, message: str) -> ContractError:
        """Return the error of a cell."""
        return ContractError(
            f"column '{column}': {message}",
            where=f"{self.file}:{line}",
            hint="mend the table and run the command again; nothing was written",
        )

    def number(self, line: int, column: str, cell: str) -> float:
        """Return a cell as a finite number."""
        try:
            value = float(cell)
        except ValueError as error:
            raise self.fault(line, column, f"'{cell}' is no number") from error
        if not math.isfinite(value):
            raise self.fault(line, column, f"'{cell}' is no finite number")
        return value

    def date(self, line: int, column: str | None, row: dict[str, str]) -> str | None:
        """Return a column's date, ISO 8601, or None where there is no column or the cell is empty."""
        if column is None or not row[column]:
            return None
        try:
            return date.fromisoformat(row[column]).isoformat()
        except ValueError as error:
            raise self.fault(line, column, f"'{row[column]}' is no date (YYYY-MM-DD)") from error

    def is_yes(self, line: int, column: str, row: dict[str, str]) -> bool:
        """Return whether a column says yes; an empty cell says no."""
        cell = row[column].lower()
        if cell not in _YES | _NO:
            raise self.fault(line, column, f"'{row[column]}' is neither yes nor no")
        return cell in _YES


def read_table(file: Path, where: str) -> TextTable:
    """Return the table in a .csv, .tsv or .parquet file.

    Raises
    ------
    ContractError
        When the file is missing, with ``where`` it is named, or cannot be read.
    """
    if not file.is_file():
        raise ContractError(
            f"file '{file}' is missing",
            where=where,
            hint="mend the path in the study file; nothing was written",
        )
    try:
        if file.suffix == ".parquet":
            return TextTable(file, pl.read_parquet(file).with_columns(pl.all().cast(pl.String)))
        separator = "\t" if file.suffix == ".tsv" else ","
        return TextTable(file, pl.read_csv(file, separator=separator, infer_schema=False))
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"cannot be read as a table: {str(error).splitlines()[0]}",
            where=str(file),
            hint="save it as UTF-8 text with one header line, as many cells in each line, or as Parquet",
        ) from error
