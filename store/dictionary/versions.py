"""The numbers of a name's versions: one for each definition, counted up from 1 and never used again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["version_of"]


def version_of(definition_sha256: str, versions: Iterable[Mapping[str, Any]]) -> int:
    """Return the number that a definition has among the versions of its name, or the one that it gets.

    Parameters
    ----------
    definition_sha256 : str
        The definition's hash.
    versions : iterable of mapping
        The rows of ``feature_sets`` of this name.
    """
    numbers = {int(row["version"]): row["definition_sha256"] for row in versions}
    known = [number for number, digest in numbers.items() if digest == definition_sha256]
    return known[0] if known else max(numbers, default=0) + 1
