"""Arguments of the Python API, checked where they come in: what is taken for another value answers in silence."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schemas.errors import UsageError

__all__ = ["flag_argument", "names_argument", "path_argument", "text_argument"]


def text_argument(name: str, value: Any) -> str:
    """Return an argument that is a text.

    Raises
    ------
    UsageError
        When it is none.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} is a text, not {value!r}", hint=f'give {name} as text: "..."')
    return value


def path_argument(name: str, value: Any) -> Path:
    """Return an argument that is the path of a folder.

    Raises
    ------
    UsageError
        When it is none, or has a NUL, which no path has.
    """
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise UsageError(f"{name} is the path of a folder, not {value!r}", hint='open_store("radzoo-store")')
    return Path(value)


def flag_argument(name: str, value: Any) -> bool:
    """Return an argument that is true or false.

    Raises
    ------
    UsageError
        When it is neither: the text "no" would count as true.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{name} is True or False, not {value!r}", hint=f"{name}=True, or leave it out")
    return value


def names_argument(name: str, value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Return an argument that is one name or several, each of them once taken from what gives them.

    Raises
    ------
    UsageError
        When it is neither, or one of them is no text.
    """
    if value is None or isinstance(value, str):
        return None if value is None else (value,)
    try:
        names = tuple(value)
    except TypeError:
        raise _no_names(name, value) from None
    for each in names:
        if not isinstance(each, str):
            raise _no_names(name, each)
    return names


def _no_names(name: str, value: Any) -> UsageError:
    return UsageError(f"{name} are names, not {value!r}", hint=f'{name}=["...", "..."]')
