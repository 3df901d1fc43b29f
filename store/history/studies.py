"""A study as it was ingested, by its id, and where its file lay."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import NotFoundError
from schemas.study.file import Study
from store.history.snapshot import Snapshot

__all__ = ["stored_study", "study_folder"]


def stored_study(snapshot: Snapshot, study: Study | str | None) -> Study:
    """Return an ingested study's definition; the store's only one where no id is given, a given one as it is.

    Raises
    ------
    NotFoundError
        When there is no such study, or none is named and the store has several.
    """
    if isinstance(study, Study):
        return study
    studies = {row["study"]: row["definition"] for row in snapshot.rows("studies")}
    if study is None and len(studies) == 1:
        study = next(iter(studies))
    if study is None or study not in studies:
        if not studies:
            raise NotFoundError(
                "the store has no study yet", where=str(snapshot.store.root), hint="radzoo ingest STUDY.toml adds one"
            )
        known = ", ".join(sorted(studies))
        raise NotFoundError(
            f"there is no study '{study}'" if study else "which study?",
            where=str(snapshot.store.root),
            hint=f"--study S, with one of: {known}; radzoo ingest STUDY.toml adds one",
        )
    return Study.model_validate_json(studies[study])


def study_folder(snapshot: Snapshot, study: str) -> Path | None:
    """Return where a study's file lay when it was ingested, None where it is not on record."""
    files = [row["file"] for row in snapshot.rows("studies", study=study) if row["file"]]
    return Path(files[0]).parent if files else None
