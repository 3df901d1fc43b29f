"""Staged units of work: each finished one on disk at once, so that a killed run resumes from there.

A unit's key is a hash of everything that decides its result; a result is a JSON mapping.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from store.rows.staging import staged_fault

__all__ = ["discard_units", "result_fault", "stage_unit", "staged_keys", "staged_unit", "units_folder"]

_UNITS = "bench-"


def units_folder(staging: Path, study: str) -> Path:
    """Return where a study's units lie among all staged results."""
    return staging / f"{_UNITS}{study}"


def stage_unit(folder: Path, key: str, result: Mapping[str, Any]) -> Path:
    """Write a finished unit and return its file, which is whole or not there whoever is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{key}.json"
    partial = file.with_suffix(f".{os.getpid()}.partial")
    # Python writes the shortest text that reads back to the same float: nothing is lost.
    partial.write_text(json.dumps(result, allow_nan=False))
    partial.replace(file)
    return file


def staged_keys(folder: Path) -> set[str]:
    """Return the keys of the units that are staged in a folder; what a power cut left of one is none."""
    files = folder.glob("*.json") if folder.exists() else ()
    return {file.stem for file in files if not staged_fault(file, None)}


def result_fault(file: Path) -> str:
    """Return why a file in a folder of staged results is none, in a phrase: of a unit or of an extraction."""
    return staged_fault(file, None if file.parent.name.startswith(_UNITS) else "extraction_id")


def staged_unit(folder: Path, key: str) -> dict[str, Any]:
    """Return a staged unit's result."""
    result: dict[str, Any] = json.loads((folder / f"{key}.json").read_text())
    return result


def discard_units(folder: Path, keys: Iterable[str]) -> None:
    """Remove units that a commit has taken over, and the folder where none is left."""
    for key in keys:
        (folder / f"{key}.json").unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
