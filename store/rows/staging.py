"""Staged extractions: each finished one on disk at once, so that a killed refresh resumes from there."""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from schemas.keys import MaskKey

__all__ = [
    "ExtractionRecord",
    "discard_staged",
    "discard_unfinished",
    "stage",
    "stage_content",
    "staged_as",
    "staged_fault",
    "staged_ids",
    "staged_record",
    "whole_staged_ids",
]


@dataclass(frozen=True)
class ExtractionRecord:
    """One finished extraction.

    ``values`` holds every column of the feature set, None where it could not be computed; then
    ``unavailable`` says why. ``details`` are named groups of numbers about the extraction itself.
    """

    extraction_id: str
    key: MaskKey
    image_sha256: str
    mask_sha256: str
    values: Mapping[str, float | None]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    context_sha256: str | None = None
    """What decides the values beside image, mask and definition; None where these are all."""


class Staged(Protocol):
    """A finished extraction of any kind: a dataclass whose fields are JSON, but for the key."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def extraction_id(self) -> str:
        """Return its identity, which names the file."""


StagedRecord = TypeVar("StagedRecord")


def stage(folder: Path, record: Staged) -> Path:
    """Write a record and return its file, which is whole or not there whoever is killed.

    Nothing waits for the disk, which takes longer than a small lesion's features on some: a power cut may leave a file
    that is empty or cut off, and who takes it over looks (`staged_fault`).
    """
    fields = vars(record)
    _refuse_unfinite(fields)
    # The shortest text that reads back to the same float: nothing is lost. Python's own module takes thirty times as
    # long, a millisecond for a thousand values.
    content = orjson.dumps(fields, default=_plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    return stage_content(folder, record.extraction_id, content)


def stage_content(folder: Path, extraction_id: str, content: bytes) -> Path:
    """Write a record that another machine has staged, as its file has it there, and return the file as `stage` does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{extraction_id}.json"
    partial = file.with_suffix(f".{os.getpid()}.partial")
    with _held(folder, fcntl.LOCK_SH):
        with partial.open("wb") as stream:
            stream.write(content)
        partial.replace(file)
    return file


def staged_ids(folder: Path) -> set[str]:
    """Return the extraction ids that are staged in a folder."""
    return {file.stem for file in folder.glob("*.json")} if folder.exists() else set()


def staged_record(folder: Path, extraction_id: str) -> ExtractionRecord:
    """Return a staged record."""
    return staged_as(ExtractionRecord, folder, extraction_id)


def staged_as(kind: type[StagedRecord], folder: Path, extraction_id: str) -> StagedRecord:
    """Return a staged record of a kind."""
    fields: dict[str, Any] = orjson.loads((folder / f"{extraction_id}.json").read_bytes())
    return kind(**{**fields, "key": MaskKey(*fields["key"])})


def whole_staged_ids(folder: Path) -> set[str]:
    """Return the extraction ids of which a whole record is staged in a folder."""
    return {each for each in staged_ids(folder) if not staged_fault(folder / f"{each}.json")}


def staged_fault(file: Path, named_by: str | None = "extraction_id") -> str:
    """Return why a staged file is no record that holds what it is named by, in a phrase; nothing where it is one.

    Parameters
    ----------
    file : Path
        Which.
    named_by : str, optional
        The field that repeats the file's name; none does where None.
    """
    if not file.is_file() or file.is_symlink():
        return "no regular file"
    try:
        record = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        return f"not JSON: {str(error).splitlines()[0]}"
    if not isinstance(record, dict):
        return "not a JSON object"
    if named_by is None or (found := record.get(named_by)) == file.stem:
        return ""
    return f"holds the extraction {found}" if found is not None else f"has no {named_by}"


def discard_staged(folder: Path, extraction_ids: Iterable[str]) -> None:
    """Remove records that a commit has taken over."""
    for each in extraction_ids:
        (folder / f"{each}.json").unlink(missing_ok=True)


def discard_unfinished(folder: Path) -> None:
    """Remove what killed processes were writing; nothing where a process is writing now."""
    if not folder.exists():
        return
    with suppress(BlockingIOError), _held(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for partial in folder.glob("*.partial"):
            partial.unlink(missing_ok=True)


def _plain(value: object) -> object:
    """Return a named tuple as a list, and a float of numpy's as Python's; nothing else is a record's."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"a record holds {type(value).__name__}, which JSON does not have")


def _refuse_unfinite(value: object) -> None:
    """Refuse a number that JSON does not have; it would be written as a missing one."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a record holds {value}, which JSON does not have: what cannot be computed is None")
    elif isinstance(value, Mapping):
        for each in value.values():
            _refuse_unfinite(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_unfinite(each)


@contextmanager
def _held(folder: Path, kind: int) -> Iterator[None]:
    """Hold a folder's lock; a killed process lets go, where its number may live on or be given to another."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
