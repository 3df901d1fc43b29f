"""Names of phases, from the words that tell their images apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pydantic import TypeAdapter, ValidationError

from flows.study_draft.words import GENERIC, distinct_words, modality_of
from schemas.keys import Name

__all__ = ["free_name", "phase_names"]

_name: TypeAdapter[str] = TypeAdapter(Name)
_ENDING = re.compile(r"(?:\.seg)?\.[A-Za-z]{2,8}(?:\.gz)?$", re.IGNORECASE)
_LONGEST = 50


def phase_names(images: Sequence[str]) -> dict[str, str]:
    """Return a name for each pattern of images: the words that tell it from the others.

    Parameters
    ----------
    images : sequence of str
        Patterns of files or folders.
    """
    telling = distinct_words(images)
    found: dict[str, str] = {}
    for image in images:
        stem = _ENDING.sub("", image.replace("{patient}", " "))
        parts = [part for part in re.findall(r"[A-Za-z0-9]+", stem) if part.lower() not in GENERIC]
        kept = [part for part in parts if part.lower() in telling[image]] if len(images) > 1 else parts[-2:]
        found[image] = free_name("_".join(dict.fromkeys(kept)) or modality_of(image) or "image", found.values())
    return found


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return a name that no other phase has, as near to the wanted one as a study file allows."""
    name = wanted[:_LONGEST].strip("_")
    try:
        _name.validate_python(name)
    except ValidationError:
        name = f"phase_{name}"
    number, free = 2, name
    lower = {each.lower() for each in taken}
    while free.lower() in lower:
        free, number = f"{name}_{number}", number + 1
    return free
