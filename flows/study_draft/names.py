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
        of_folders, of_name = (_parts(each) for each in (stem.rpartition("/")[0], stem.rpartition("/")[2]))
        kept = [part for part in (*of_folders, *of_name) if part.lower() in telling[image]] if len(images) > 1 else []
        kept = kept or of_name[-2:] or of_folders[-1:]
        found[image] = free_name("_".join(dict.fromkeys(kept)) or modality_of(image) or "image", found.values())
    return found


def _parts(text: str) -> list[str]:
    """Return the words that a name may have."""
    return [part for part in re.findall(r"[^\W_]+", text) if part.isascii() and part.lower() not in GENERIC]


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
