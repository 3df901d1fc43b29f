"""A study file as the source of tables and columns: what it names is found, or is a fault on its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.tables.files import read_table
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.study.file import Study
from schemas.study.toml_lines import line_of
from schemas.written.object_urls import is_url
from schemas.written.table_form import PatientColumns, TableForm

__all__ = ["StudySource"]


@dataclass(frozen=True)
class StudySource:
    """A study file, and the faults of its tables that were met."""

    study: Study
    text: str
    """The study file's text, in which faults are located."""
    file: Path
    faults: FaultList

    @property
    def hides_ids(self) -> bool:
        """Return whether no id of a patient is named, in messages either."""
        return self.study.privacy is not None

    def at(self, *path: str | int) -> str:
        """Return ``file:line`` of a key."""
        return f"{self.file}:{line_of(self.text, path)}"

    def table_file(self, name: str, *path: str) -> Path:
        """Return the file of a table that a key names.

        Raises
        ------
        ContractError
            When it is a URL.
        """
        if is_url(name):
            raise ContractError(
                "a table is read from a file, and this is a URL: only images and masks may lie in buckets",
                where=self.at(*path),
                hint="copy the table beside the study file and name the copy; nothing was written",
            )
        return self.file.parent / name

    def table(self, name: str, path: tuple[str, ...], form: TableForm) -> TextTable | None:
        """Return a table that a key names, None where it cannot be read, which is a fault."""
        with self.faults.gathered():
            missing = self.study.cohort.missing
            file = self.table_file(name, *path)
            table = read_table(file, self.at(*path), missing=missing, form=form)
            return table.hiding_ids() if self.hides_ids else table
        return None

    def has(self, table: TextTable, column: str, *path: str | int) -> bool:
        """Return whether a table has a column; it is a fault where it has not."""
        with self.faults.gathered():
            table.require(column, self.at(*path))
            return True
        return False

    def has_patients(self, table: TextTable, patient: PatientColumns, *path: str | int) -> bool:
        """Return whether a table has the column of pseudonyms, or each of those that make them."""
        columns = (patient,) if isinstance(patient, str) else patient
        # Each one is looked at: all that are missing are faults.
        has_columns = [self.has(table, column, *path) for column in columns]
        return all(has_columns)

    def cell_fault(self, table: TextTable, column: str, error: ContractError) -> None:
        """Take over the error of a cell; the first ones of a column are listed, the others counted."""
        self.faults.add(error, f"{table.file}:{column}")
