"""A study file with its tables, read and checked as a whole: every fault is met before the first is reported."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from flows.expect.names import identity_faults, sql_faults
from flows.privacy.identities import Identities, opened_identities
from flows.study.file import study_file_text
from flows.study.findings import finding_rows
from flows.study.imported.tables import ImportedRows, imported_rows
from flows.study.names import name_faults, unfilled_faults
from flows.study.patients import StudyTables
from flows.study.tables import study_tables
from schemas.fault_list import FaultList
from schemas.study.file import Study
from schemas.study.text import study_reading

__all__ = ["CheckedStudy", "checked_study"]


@dataclass(frozen=True)
class CheckedStudy:
    """A study without fault, and what its tables say."""

    study: Study
    text: str
    tables: StudyTables
    imported: tuple[ImportedRows, ...]
    identities: Identities
    """Who a patient of the tables is in the store."""


def checked_study(study_file: Path, stored_sets: Callable[[], Collection[str]], store_root: Path) -> CheckedStudy:
    """Return a study and what its tables say.

    Parameters
    ----------
    study_file : Path
        The study file.
    stored_sets : callable
        Gives the names of the store's feature sets.
    store_root : Path
        The store's folder, in which nothing may lie that tells who a pseudonym is.

    Raises
    ------
    NotFoundError
        When there is no such study file.
    ContractError
        When the file or its tables are at fault: all faults, in one error.
    """
    text = study_file_text(study_file)
    study, found = study_reading(text, str(study_file))
    faults = FaultList()
    for fault in found:
        faults.add(fault)
    tables, imported, identities = StudyTables(), [], Identities()
    if study is not None:
        for fault in (*unfilled_faults(study, text, study_file), *name_faults(study, text, study_file, stored_sets)):
            faults.add(fault)
        for fault in sql_faults(study, text, study_file, stored_sets):
            faults.add(fault)
        identities = opened_identities(study, text, study_file, store_root, faults)
        tables = study_tables(study, text, study_file, faults, identities)
        names = [each.patient for each in tables.assessed]
        for fault in identity_faults(study, text, study_file, identities, names):
            faults.add(fault)
        tables.findings = finding_rows(study, text, study_file, tables, faults)
        for name in study.imported:
            with faults.gathered():
                imported.append(imported_rows(study, name, text, study_file, tables))
    faults.raise_any(str(study_file))
    if study is None:
        raise AssertionError("a text without faults is a study")
    return CheckedStudy(study, text, tables, tuple(imported), identities)
