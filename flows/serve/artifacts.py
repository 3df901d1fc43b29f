"""What Prefect's own pages show of a scheduled run besides its state: counts, flags of quality, the leaderboard, drift.

Counts and figures over patients alone: who reads them there need not be allowed to read the store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.engine.workflow import create_table_artifact
from flows.pages.questions import Questions
from flows.serve.scheduled_run import RunOutcome
from schemas.foreign_text import one_line
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["publish_artifacts"]

_OF_VERB: dict[str, tuple[str, ...]] = {
    "ingest": ("quality", "expectations"),
    "refresh": ("quality", "expectations"),
    "bench": ("quality", "expectations", "leaderboard"),
    "expect": ("expectations",),
}
_ASKED_BY = {"quality": "report", "expectations": "expect", "leaderboard": "serve"}
"""The package whose question it is: of flags there is one definition, whoever asks."""
_NOT_SHOWN = ("where", "question")
"""Columns that name whose masks are counted, or may: SQL is the study's author's."""
_DESCRIPTIONS = {
    "drift": "What was compared and what was found (docs/monitoring.md).",
    "quality": "Masks with something to look at (view `quality`); none where the table is empty.",
    "expectations": "What must hold of the study's data, and whether it did (docs/expectations.md).",
    "models": "Models of the study file: which version the store has, and whether this run trained it.",
    "leaderboard": "Models as they were judged, on out-of-fold, training and held-out patients. Research software.",
}


def publish_artifacts(store: Path, outcome: RunOutcome) -> str | None:
    """Create the artifacts of a run that did its work; return why they could not be made, None where they were.

    Called within the run's flow. They are named ``STUDY-VERB``, ``STUDY-quality``, ``STUDY-expectations``,
    ``STUDY-models``, ``STUDY-leaderboard`` and ``STUDY-drift``, and each run adds a version to them.

    Parameters
    ----------
    store : Path
        The store's folder.
    outcome : RunOutcome
        How it ended.
    """
    if outcome.ending == "broken":
        return None
    verb, study = outcome.verb, outcome.study
    try:
        _create(f"{study}-{verb}", [{"ending": outcome.ending, **outcome.counts}], outcome.line)
        for name, rows in outcome.tables.items():
            _create(f"{study}-{name}", rows, _DESCRIPTIONS[name])
        opened = Store(store)
        try:
            with snapshot_connection(Snapshot(opened)) as connection:
                for name in _OF_VERB.get(verb, ()):
                    rows = Questions(connection, _ASKED_BY[name], study=study).ask(name).rows
                    _create(f"{study}-{name}", [_without_patients(row) for row in rows], _DESCRIPTIONS[name])
        finally:
            opened.engine.dispose()
    except Exception as error:
        # The run's work is done and kept, whatever becomes of what is shown of it.
        return one_line(f"Prefect keeps no artifacts of this run: {error or type(error).__name__}")
    return None


def _without_patients(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the columns that may name patients."""
    return {name: value for name, value in row.items() if name not in _NOT_SHOWN}


def _create(key: str, rows: Sequence[dict[str, Any]], description: str) -> None:
    # Prefect takes small letters, digits and dashes.
    create_table_artifact(key=re.sub(r"[^a-z0-9]+", "-", key.lower()), table=list(rows), description=description)
