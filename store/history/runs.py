"""Runs: what was executed, with which parameters and library versions, and how it ended."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from schemas.errors import RadzooError
from schemas.keys import canonical_json
from store.catalogue.connection import read_transaction, write_transaction
from store.catalogue.tables import runs
from store.home import Store
from store.installed import installed_version
from store.times import utc_now

__all__ = ["Run", "first_run", "record_run"]

_LIBRARIES = ("radzoo", "duckdb", "numpy", "pyarrow", "pyradiomics-bhklab", "scikit-learn", "SimpleITK")


@dataclass
class Run:
    """One execution of a flow; what is put in ``summary`` is recorded when it ends."""

    run_id: str
    summary: dict[str, Any] = field(default_factory=dict)


def first_run(store: Store) -> str | None:
    """Return the id of the store's first run, which tells one store from another wherever it lies; None before it."""
    with read_transaction(store.engine) as connection:
        return connection.execute(select(runs.c.run_id).order_by(runs.c.started_at, runs.c.run_id).limit(1)).scalar()


@contextmanager
def record_run(store: Store, flow: str, study: str | None, parameters: Mapping[str, Any]) -> Iterator[Run]:
    """Give a run whose start, end and outcome are recorded in the store's own table.

    The record survives where the workflow engine's does not: it says ``running`` from the start and
    ``done``, ``failed`` or ``interrupted`` at the end, so a killed run is seen as one still running.
    """
    run = Run(uuid.uuid4().hex)
    versions = {"python": platform.python_version()} | {name: installed_version(name) for name in _LIBRARIES}
    with write_transaction(store.engine) as connection:
        connection.execute(
            insert(runs).values(
                run_id=run.run_id,
                flow=flow,
                study=study,
                started_at=utc_now(),
                status="running",
                parameters=canonical_json(dict(parameters)),
                versions=canonical_json(versions),
            )
        )
    status = "interrupted"
    try:
        yield run
        status = "done"
    except RadzooError as error:
        status = "failed"
        run.summary.setdefault("error", error.message)
        raise
    except Exception as error:
        status = "failed"
        run.summary.setdefault("error", f"{type(error).__name__}: {error}")
        raise
    finally:
        with write_transaction(store.engine) as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run.run_id)
                .values(ended_at=utc_now(), status=status, summary=canonical_json(run.summary))
            )
