"""The ledger of a held-out cohort: which model versions were judged on it, when and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.results import Suite
from store.history.snapshot import Snapshot

__all__ = ["HELD_OUT", "new_openings", "times_opened"]

HELD_OUT = "validation"
"""The cohort that no model of the holdout suite is fitted on."""

Row = dict[str, Any]


def new_openings(
    snapshot: Snapshot, models: Sequence[Row], *, suite: Suite, run_id: str, opened_at: str, author: str
) -> list[Row]:
    """Return a row for each model version that is judged on the held-out cohort for the first time.

    Judging the same version again tells nothing new, so only its first time is on record. Each row is one more
    model that someone can have chosen by its figures there: the more there are, the less a held-out cohort says
    about the best of them.

    Parameters
    ----------
    snapshot : Snapshot
        The store, with the ledger so far.
    models : sequence of mapping
        Rows of ``models``.
    suite : {"holdout", "nested-cv"}
        Which suite judges them.
    run_id, opened_at, author : str
        The run, the time (ISO 8601) and who started it.
    """
    split_of = {row["dataset_id"]: row["split"] for row in snapshot.rows("datasets")}
    known = {
        (row["study"], row["split"], row["cohort"], row["model"], row["version"]) for row in snapshot.rows("openings")
    }
    found = []
    for model in models:
        key = (model["study"], split_of[model["dataset_id"]], HELD_OUT, model["model"], model["version"])
        if key not in known:
            names = ("study", "split", "cohort", "model", "version")
            told = {"suite": suite, "run_id": run_id, "opened_at": opened_at, "author": author}
            found.append(dict(zip(names, key, strict=True)) | told)
    return found


def times_opened(snapshot: Snapshot, study: str) -> dict[str, int]:
    """Return, by split, how many model versions of a study were judged on the held-out cohort so far."""
    counts: dict[str, int] = {}
    for row in snapshot.rows("openings", study=study):
        counts[row["split"]] = counts.get(row["split"], 0) + 1
    return counts
