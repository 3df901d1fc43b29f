"""Who a patient of a table is in the store: one rule for every table, date and message of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from flows.privacy.secret_files import new_key, read_key, refuse_readable, refuse_within, secret_path
from flows.tables.file_faults import FILE_ERRORS, file_fault
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.keys import Pseudonym
from schemas.privacy.keyed import PSEUDONYM_LENGTH, day_shift, key_fingerprint, keyed_pseudonym
from schemas.study.file import Study
from schemas.study.toml_lines import line_of

if TYPE_CHECKING:
    from flows.tables.text_table import TextTable

__all__ = ["MAP_COLUMNS", "Identities", "UnknownIdError", "moved_date", "opened_identities", "plain_identities"]

MAP_COLUMNS = ("id", "pseudonym")
_LONGEST = 64

_TELLING = re.compile(r"\d{4}|\d[-._: ]+\d+[-._: ]+\d")
"""Of a name: a year or more digits, or a date's three numbers."""
_pseudonym: TypeAdapter[str] = TypeAdapter(Pseudonym)


class UnknownIdError(LookupError):
    """A study's table of pseudonyms lacks an id."""


@dataclass(frozen=True)
class Identities:
    """How a study's ids and dates become those of the store; without ``[privacy]`` they stay as they are."""

    prefix: str = ""
    is_private: bool = False
    """The study has ``[privacy]``: ids and paths are in no message that is stored."""
    key: bytes | None = field(default=None, repr=False)
    shifts_dates: bool = False
    of_id: Mapping[str, str] | None = field(default=None, repr=False)
    """Pseudonyms by id, where a table gives them."""
    key_file: Path | None = None
    is_new: bool = False
    """The key is in no file yet."""

    def pseudonym(self, written: str) -> str:
        """Return an id's pseudonym, without the study's prefix.

        Raises
        ------
        UnknownIdError
            When the study's table of pseudonyms lacks it.
        """
        if self.of_id is not None:
            try:
                return self.of_id[written]
            except KeyError:
                raise UnknownIdError("the map has no pseudonym of this id") from None
        return written if self.key is None else keyed_pseudonym(self.key, written)

    def stored(self, written: str) -> str:
        """Return what the store calls a patient whom the table calls ``written``; raises as `pseudonym` does."""
        return f"{self.prefix}{self.pseudonym(written)}"

    def moved(self, written: str, day: str | None) -> str | None:
        """Return a date of a patient (ISO 8601) as the store has it.

        Raises
        ------
        OverflowError
            When no calendar has it.
        """
        if day is None or not self.shifts_dates or self.key is None:
            return day
        return (date.fromisoformat(day) - timedelta(days=day_shift(self.key, written))).isoformat()

    def exam(self, patient: str, name: str) -> str | None:
        """Return what the store calls an exam, None where its name tells something and there is no key to hide it.

        A name such as ``baseline`` stays. One that has a date, a long number or the patient's id becomes a keyed one.

        Parameters
        ----------
        patient, name : str
            As the tables write them.
        """
        if not self.is_private or not (_TELLING.search(name) or patient.casefold() in name.casefold()):
            return name
        return None if self.key is None else f"exam-{keyed_pseudonym(self.key, f'{patient}/{name}')}"

    def key_notes(self, *, is_written: bool) -> list[str]:
        """Return what a person must know of a key that was, or would be, made; nothing of one that was there."""
        if not self.is_new:
            return []
        return [
            f"the key {self.key_file} {'was' if is_written else 'would be'} made: without it nobody finds a patient by "
            "the id again; keep a copy where ids may lie, never with the store"
        ]

    @property
    def fingerprint(self) -> str | None:
        """Return what tells whether two keys are one; None without a key."""
        return None if self.key is None else key_fingerprint(self.key)


def moved_date(
    table: TextTable, line: int, column: str | None, row: dict[str, str], written: str, identities: Identities
) -> str | None:
    """Return a cell's date as the store has it, ISO 8601; None where the cell is empty or there is no column.

    Raises
    ------
    ContractError
        When the cell is no date, or no calendar has the one it becomes.
    """
    try:
        return identities.moved(written, table.date(line, column, row))
    except OverflowError as error:
        raise table.fault(line, column or "", "the date is too early to be moved") from error


def plain_identities(study: Study) -> Identities:
    """Return the identities of a study without ``[privacy]``."""
    return Identities(study.cohort.prefix)


def opened_identities(study: Study, text: str, study_file: Path, store_root: Path, faults: FaultList) -> Identities:
    """Return a study's identities; a key that there is no file of is made, and is not written yet.

    Parameters
    ----------
    study, text, study_file : Study, str, Path
        The study, its file's text and where that lies.
    store_root : Path
        The store's folder, in which neither key nor map may lie.
    faults : FaultList
        Takes what is wrong with key and map; pseudonyms are then of a key that nobody keeps.
    """
    rule, prefix = study.privacy, study.cohort.prefix
    if rule is None:
        return plain_identities(study)

    def at(*path: str) -> str:
        return f"{study_file}:{line_of(text, path)}"

    if rule.pseudonyms == "hash" and len(prefix) + PSEUDONYM_LENGTH > _LONGEST:
        most = _LONGEST - PSEUDONYM_LENGTH
        words = f"the prefix of keyed pseudonyms has at most {most} characters"
        faults.add(ContractError(words, where=at("cohort", "prefix"), hint="shorten it"))
    key, of_id, key_file, is_new = None, None, None, False
    if rule.key is not None:
        key_file = secret_path(rule.key, study_file)
        with faults.gathered():
            refuse_within(key_file, store_root, "key", at("privacy", "key"))
            key = read_key(key_file, at("privacy", "key"))
        is_new = key is None
        key = key or new_key()
    if rule.map is not None:
        with faults.gathered():
            map_file = secret_path(rule.map, study_file)
            refuse_within(map_file, store_root, "map", at("privacy", "map"))
            of_id = mapped_pseudonyms(map_file, at("privacy", "map"))
    return Identities(prefix, True, key, rule.dates == "shift", of_id, key_file, is_new)


def mapped_pseudonyms(file: Path, where: str) -> dict[str, str]:
    """Return the pseudonyms of a map, by id.

    Parameters
    ----------
    file : Path
        The table, with the columns ``id`` and ``pseudonym``.
    where : str
        What names it, for its faults.

    Raises
    ------
    ContractError
        Where others may read it, it lacks a column, an id or a pseudonym stands twice, or a pseudonym is none or is
        an id of the same table.
    """
    # Imported here: polars takes a tenth of what a refresh with nothing to do takes, and few studies have a map.
    from flows.tables.files import read_table
    from flows.tables.patient_ids import with_ids

    try:
        refuse_readable(file, "map", where)
    except FILE_ERRORS as error:
        raise ContractError(
            f"the map '{file}' {file_fault(file, error)}", where=where, hint="correct map under [privacy]"
        ) from error
    table, faults = read_table(file, where), FaultList()
    for column in MAP_COLUMNS:
        table.require(column, where)
    table = with_ids(table.narrowed(MAP_COLUMNS).hiding_ids(), *MAP_COLUMNS)
    rows = list(table.rows())
    ids = {row["id"] for _, row in rows}
    found: dict[str, str] = {}
    owners: dict[str, int] = {}
    for line, row in rows:
        written, pseudonym = row["id"], row["pseudonym"]
        if not written and not pseudonym and table.is_empty_line(line):
            continue
        with faults.gathered(f"{file}:pseudonym"):
            if not written or written in found:
                raise table.fault(line, "id", "this id stands here a second time" if written else "the cell is empty")
            if not _is_pseudonym(pseudonym):
                words = "it is none: it has at most 64 letters, digits and . _ : -, the first a letter or digit"
                raise table.fault(line, "pseudonym", words)
            if pseudonym in ids:
                raise table.fault(line, "pseudonym", "it is an id of this table, and would name a patient")
            if owners.setdefault(pseudonym, line) != line:
                raise table.fault(line, "pseudonym", f"it stands on line {owners[pseudonym]} too: two ids have it")
            found[written] = pseudonym
    faults.raise_any(str(file))
    return found


def _is_pseudonym(text: str) -> bool:
    try:
        return bool(_pseudonym.validate_python(text))
    except ValidationError:
        return False
