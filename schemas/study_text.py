"""A study file's text: parsed, or its first fault with the line it stands on."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from pydantic import ValidationError

from schemas.errors import ContractError
from schemas.study import Study
from schemas.toml_lines import line_of

__all__ = ["parsed_study"]


def parsed_study(text: str, file: str) -> Study:
    """Return the study that a TOML text describes.

    Raises
    ------
    ContractError
        Where the text is no TOML, a key is unknown or a value is not allowed: the first fault, with
        ``file:line``, and how many more there are.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        named = re.search(r"at line (\d+)", str(error))
        raise ContractError(
            f"not valid TOML: {error}",
            where=f"{file}:{named[1] if named else text.count(chr(10)) + 1}",
            hint="mend the line named and run the command again",
        ) from error
    try:
        return Study.model_validate(document)
    except ValidationError as error:
        # A misspelt key is also a missing one: the key that stands in the file is the one to name.
        faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
        first = faults[0]
        path = first.get("ctx", {}).get("path") or _written_path(first["loc"])
        key = ".".join(str(part) for part in path)
        others = len(faults) - 1
        more = f" ({others} more fault{'s' if others > 1 else ''})" if others else ""
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
        raise ContractError(
            f"{key}: {message}{more}" if key else f"{message}{more}",
            where=f"{file}:{line_of(text, path)}",
            hint="mend the line named and run the command again; nothing was written",
        ) from error


def _written_path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return pydantic's location without what does not stand in the file: a union's tag."""
    if loc[-1:] == ("[key]",):  # a fault of the name itself
        loc = loc[:-1]
    tag_at = {"outcome": 1, "splits": 2}.get(str(loc[0]) if loc else "")
    return loc if tag_at is None else loc[:tag_at] + loc[tag_at + 1 :]
