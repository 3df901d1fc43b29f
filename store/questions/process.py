"""The process that answers a question of somebody else's SQL: it reads segments, writes what it spills, has limits."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.errors import RadzooError, UsageError
from schemas.settings import SQL_VARIABLES, SqlLimits
from store.analyst.query import over_memory
from store.home import Store
from store.limits.process import CrashedError, Limits, OutOfMemoryError, OutOfTimeError

__all__ = ["limit_errors", "sandbox_rights", "spill_folder"]

_OVER_DUCKDB = 1.25
_OWN_BYTES = 512 << 20
_MOST_BYTES = 1 << 62
_DAY_S = 86_400


def sandbox_rights(store: Store | None, limits: SqlLimits, spill: Path) -> Limits:
    """Return what the process that answers a question may take and touch.

    Parameters
    ----------
    store : Store or None
        The store, whose segments and columns it may read; None where it reads none.
    limits : SqlLimits
        What the question may take.
    spill : Path
        The folder that it may write into.
    """
    # What DuckDB counts is not all it takes: the kernel ends what it does not count.
    memory = min(int(limits.memory_gb * 1e9 * _OVER_DUCKDB) + _OWN_BYTES, _MOST_BYTES)
    readable = () if store is None else (store.segments.local_root, store.columns.folder)
    return Limits(limits.seconds, memory, readable=readable, writable=(spill,))


@contextmanager
def limit_errors(limits: SqlLimits) -> Iterator[None]:
    """Translate why a question's process has no answer into the errors that a user meets.

    Raises
    ------
    UsageError
        When it takes longer or more memory than it may.
    RadzooError
        When the process ends otherwise.
    """
    try:
        yield
    except OutOfTimeError as error:
        raise UsageError(
            f"the question takes longer than {limits.seconds:g} s",
            hint=f"ask for less, or set {SQL_VARIABLES['seconds']} to more",
        ) from error
    except OutOfMemoryError as error:
        raise over_memory(limits) from error
    except CrashedError as error:
        raise RadzooError(
            f"the process that answers the question has no answer: {error}",
            hint="ask otherwise, and report the question that does this",
        ) from error


@contextmanager
def spill_folder(store: Store) -> Iterator[Path]:
    """Give a new folder that is removed at the end: in the store's, or the system's where that may not be written."""
    try:
        _remove_left(store.spill)
        folder = store.spill / f"question-{uuid.uuid4().hex}"
        folder.mkdir(parents=True, mode=0o700)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="radzoo-spill-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(spill: Path) -> None:
    """Remove the folders of questions that were killed: those in which nothing was done for a day."""
    for folder in spill.glob("question-*"):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _DAY_S:
                shutil.rmtree(folder, ignore_errors=True)
