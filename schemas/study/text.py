"""A study file's text: parsed, or every fault of it with the line it stands on."""

from __future__ import annotations

import copy
import re
import tomllib
from itertools import islice
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from schemas.document_limits import DEPTH, document_faults, text_fault
from schemas.errors import ContractError
from schemas.fault_list import LISTED_FAULTS, FaultList
from schemas.nearest import nearest_names
from schemas.study.file import ReferenceFaults, Study
from schemas.study.keys import keys_at
from schemas.study.toml_lines import line_of

__all__ = ["StudyReading", "parsed_study", "study_reading"]

_INLINE_HINT = (
    "a table that is written inline, in braces { } or in a list [ ], takes no further tables: write it under a header "
    "[...] of its own; nothing was written"
)
_HINT = "correct the line named and run the command again; nothing was written"
_FAULTS = 1_000
_LOWER_CASE = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
_PLACEHOLDER = {"id": "unnamed", "title": "unnamed"}

Path = tuple[int | str, ...]


class StudyReading(NamedTuple):
    """What a study file's text says, and what is wrong with it."""

    study: Study | None
    """The study; with faults that of what is left without them, by which its tables can be checked too, or None."""
    faults: list[ContractError]


def parsed_study(text: str, file: str) -> Study:
    """Return the study that a TOML text describes.

    Raises
    ------
    ContractError
        Where the text is no TOML, a key is unknown or a value is not allowed: all faults, each with
        ``file:line``.
    """
    study, faults = study_reading(text, file)
    together = FaultList()
    for fault in faults:
        together.add(fault)
    together.raise_any(file)
    if study is None:
        raise AssertionError("a text without faults is a study")
    return study


def study_reading(text: str, file: str) -> StudyReading:
    """Return the study that a TOML text describes and all faults of the text.

    Parameters
    ----------
    text : str
        The study file's text.
    file : str
        Its name, for the faults.
    """
    document = _document(text, file)
    if isinstance(document, ContractError):
        return StudyReading(None, [document])
    unfit = dict(islice(document_faults(document), _FAULTS))
    if () in unfit or any(len(path) >= DEPTH for path in unfit):
        return StudyReading(None, [_fault(text, file, *each)[1] for each in unfit.items()])
    references = ReferenceFaults()
    try:
        study: Study | None = Study.model_validate(document, context=references)
        found = references.found
        written: list[tuple[int, ContractError]] = []
    except ValidationError as error:
        messages = _messages(error)
        unfit = {path: message for path, message in unfit.items() if path not in dict(messages)}
        written = [_fault(text, file, *each) for each in messages]
        study, found = _study_without_faults(document, error)
    written += [_fault(text, file, *each) for each in unfit.items()]
    for each in found:
        context = each.context or {}
        written.append(_fault(text, file, tuple(context["path"]), str(context["message"])))
    return StudyReading(study, [fault for _, fault in sorted(written, key=lambda pair: pair[0])])


def _document(text: str, file: str) -> dict[str, Any] | ContractError:
    """Return what a TOML text holds, or the fault of one that cannot be read."""
    if fault := text_fault(text):
        line, message = fault
        return ContractError(message, where=f"{file}:{line}", hint=_HINT)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        named = re.search(r"at line (\d+)", str(error))
        where = f"{file}:{named[1] if named else text.count(chr(10)) + 1}"
        hint = _INLINE_HINT if "immutable namespace" in str(error) else _HINT
        return ContractError(f"not valid TOML: {error}", where=where, hint=hint)
    except ValueError as error:  # a number or a date that Python does not read
        return ContractError(f"a number or a date is beyond what can be read: {error}", where=file, hint=_HINT)
    except RecursionError:
        return ContractError("lists are nested too deeply to be read", where=file, hint=_HINT)


def _fault(text: str, file: str, path: Path, message: str) -> tuple[int, ContractError]:
    key, line = ".".join(str(part) for part in path), line_of(text, path)
    return line, ContractError(f"{key}: {message}" if key else message, where=f"{file}:{line}", hint=_HINT)


def _messages(error: ValidationError) -> list[tuple[Path, str]]:
    """Return each fault's place in the file and its sentence."""
    faults = error.errors(include_url=False)[:_FAULTS]
    unknown = [fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"]
    nearest: dict[Path, list[str]] = {
        loc: nearest_names(str(loc[-1]), keys_at(loc[:-1])) if at < LISTED_FAULTS else []
        for at, loc in enumerate(unknown)
    }
    # A misspelt key is also a missing one: the key that stands in the file is the one to name.
    misspelt = {(*loc[:-1], name) for loc, names in nearest.items() for name in names}
    found: list[tuple[Path, str]] = []
    for fault in faults:
        loc = fault["loc"]
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown key" + (f"; nearest: {', '.join(nearest[loc])}" if nearest[loc] else "")
        elif fault["type"] == "missing":
            if loc in misspelt:
                continue
            message = "is missing"
        elif fault["type"] == "string_pattern_mismatch":
            message = f"'{fault['input']}' is not allowed: {_characters(str(fault['ctx']['pattern']))}"
        found.append((_written_path(loc), message))
    return found


def _characters(pattern: str) -> str:
    """Return in words what a pattern of `schemas.keys` allows."""
    if pattern == _LOWER_CASE:
        return "lower case letters and digits, joined by single -"
    if "[_-]" in pattern:
        return "letters and digits, joined by single - or _, starting with a letter"
    return f"it must match {pattern}"


def _study_without_faults(
    document: dict[str, Any], error: ValidationError
) -> tuple[Study | None, list[PydanticCustomError]]:
    """Return the study that a document describes without its faulty keys, and the faults of that study's references.

    The tables are checked against it, so that their faults are reported in the same run. What refers to a key that
    was left out for its value is no fault of its own.
    """
    rest = copy.deepcopy(document)
    only_unknown_keys = True
    for _ in range(3):
        for fault in error.errors(include_url=False):
            path = _written_path(fault["loc"])
            only_unknown_keys &= fault["type"] == "extra_forbidden" or path[:1] == ("study",)
            _leave_out(rest, path[:-1] if fault["type"] == "missing" and len(path) > 1 else path)
        references = ReferenceFaults()
        try:
            return Study.model_validate(rest, context=references), references.found if only_unknown_keys else []
        except ValidationError as next_error:
            error = next_error
    return None, []


def _leave_out(document: dict[str, Any], path: Path) -> None:
    if path[:1] == ("study",):  # no table's check reads it
        document["study"] = _PLACEHOLDER
        return
    # An element of a list goes with its list: the positions of the others would change.
    names = [*path[: next((at for at, part in enumerate(path) if isinstance(part, int)), len(path))]]
    at: Any = document
    for name in names[:-1]:
        if not isinstance(at, dict) or name not in at:
            return
        at = at[name]
    if names and isinstance(at, dict):
        at.pop(names[-1], None)


def _written_path(loc: Path) -> Path:
    """Return pydantic's location without what does not stand in the file: a union's tag."""
    if loc[-1:] == ("[key]",):  # a fault of the name itself
        loc = loc[:-1]
    tag_at = {"outcome": 1, "splits": 2}.get(str(loc[0]) if loc else "")
    return loc if tag_at is None else loc[:tag_at] + loc[tag_at + 1 :]
