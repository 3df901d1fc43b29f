"""A model of the store by the name that people give it; loads no library of learning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from schemas.errors import NotFoundError, UsageError
from store.history.snapshot import Snapshot, refuse_unknown_study

__all__ = ["model_row"]

_NAME = re.compile(r"(?:(?P<study>[^/@]+)/)?(?P<model>[^/@]+)(?:@(?P<version>[1-9][0-9]*))?")


def model_row(snapshot: Snapshot, text: str, study: str | None = None) -> dict[str, Any]:
    """Return the row of ``[STUDY/]MODEL[@VERSION]``; the newest version where none is given.

    Raises
    ------
    UsageError
        If the text is no such name.
    NotFoundError
        If there is no such model, or several studies have one and none is named.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise UsageError(f"'{text}' is no model: [STUDY/]MODEL[@VERSION]", hint="radzoo models list")
    wanted, asked = match["study"] or study, {"model": match["model"]}
    rows = snapshot.rows("models", **asked, **({"study": wanted} if wanted else {}))
    if wanted is not None and not rows:
        refuse_unknown_study(snapshot, wanted)
    studies = sorted({row["study"] for row in rows})
    versions = sorted({row["version"] for row in rows})
    if match["version"]:
        rows = [row for row in rows if row["version"] == int(match["version"])]
    if not rows:
        of_study = f" of study '{wanted}'" if wanted else ""
        raise NotFoundError(
            f"there is no trained model '{text.rpartition('/')[2]}'{of_study}",
            where=str(snapshot.store.root),
            hint=_nearest_hint(snapshot, match["model"], wanted, versions),
        )
    if len(studies) > 1:
        named = ", ".join(f"{each}/{match['model']}" for each in studies)
        raise NotFoundError(f"which study's '{match['model']}'?", hint=f"one of: {named}")
    return max(rows, key=lambda row: row["version"])


def _nearest_hint(snapshot: Snapshot, model: str, study: str | None, versions: Sequence[int]) -> str:
    """Return what to ask for instead: the versions that the model has, or the models with the nearest names."""
    if versions:
        return f"one of: {', '.join(f'{model}@{version}' for version in versions)}"
    rows = snapshot.rows("models", **({"study": study} if study else {}))
    nearest = get_close_matches(model, sorted({row["model"] for row in rows}), n=3, cutoff=0.5)
    return f"nearest: {', '.join(nearest)}; radzoo models list" if nearest else "radzoo models list"
