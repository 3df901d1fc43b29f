"""A user's SQL in a process of its own: it reads segments, writes nothing but what it spills, and has limits."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

from flows.cli.answers.files import Format
from flows.cli.answers.parts import Request, Shown, answer_parts
from schemas.errors import RadzooError, UsageError
from schemas.settings import SQL_VARIABLES, SqlLimits
from store.analyst.kept import kept_rows
from store.analyst.named import names_in
from store.analyst.query import over_memory
from store.history.snapshot import Snapshot
from store.home import Store
from store.limits.process import CrashedError, LimitedProcess, Limits, OutOfMemoryError, OutOfTimeError

__all__ = ["SandboxedAnswer", "sandbox_rights", "sandboxed_answer"]

_OVER_DUCKDB = 1.25
_OWN_BYTES = 512 << 20
_MOST_BYTES = 1 << 62
_DAY_S = 86_400


class SandboxedAnswer:
    """The answer to a question as it comes out of the other process; it can be read once."""

    def __init__(self, parts: Iterator[object]) -> None:
        self._parts = parts
        self.rows = 0
        """How many rows it has, once all pieces were read."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of an answer that is no table."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            else:
                self.rows = cast("int", part)

    def shown(self) -> Shown:
        """Return the rows of a table."""
        (shown,) = self._parts
        return cast("Shown", shown)


@contextmanager
def sandboxed_answer(
    snapshot: Snapshot,
    query: str,
    parameters: dict[str, str],
    form: Format,
    limit: int | None,
    limits: SqlLimits,
    *,
    verbatim: bool = False,
) -> Iterator[SandboxedAnswer]:
    """Give the answer to a user's SQL question.

    The statement is read and run in a forked process that may read the store's segments and Python's libraries, and
    write into one folder that is made for it and removed at the end. That process says first what the statement names;
    the catalogue's rows of that are read here.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    query : str
        One statement that reads.
    parameters : dict of str to str
        Values for ``$name`` in the query.
    form : str
        How the answer shall look.
    limit : int, optional
        How many rows at the most.
    limits : SqlLimits
        What the question may take.
    verbatim : bool
        Leave texts in CSV and TSV as they are, also those that a spreadsheet would run.

    Raises
    ------
    UsageError, NotFoundError, ContractError
        While it is read: as `flows.cli.answers.parts.answer_parts` does, and where a limit is reached.
    RadzooError
        When the process ends otherwise.
    """
    folder = snapshot.store.segments
    if folder.is_remote:
        # Copies of segments come into it once it is known which; rights can be given to what is there alone.
        folder.local_root.mkdir(parents=True, exist_ok=True)
    with _spill_folder(snapshot.store) as spill:
        rights = sandbox_rights(snapshot.store, limits, spill)
        with LimitedProcess(rights, trusted=("flows.cli.answers.parts",), by_fork=True) as process:
            with _limit_errors(limits):
                named = process.call(names_in, query, *parameters, *parameters.values())
            kept = kept_rows(snapshot, named)
            request = Request(query, parameters, form, limit, limits, spill, verbatim)
            # Closed before the process is: its end waits for a stream that somebody holds.
            with closing(_parts(process.stream(answer_parts, kept, request), limits)) as parts:
                yield SandboxedAnswer(parts)


def sandbox_rights(store: Store, limits: SqlLimits, spill: Path) -> Limits:
    """Return what the process that answers a question may take and touch."""
    # What DuckDB counts is not all it takes: the kernel ends what it does not count.
    memory = min(int(limits.memory_gb * 1e9 * _OVER_DUCKDB) + _OWN_BYTES, _MOST_BYTES)
    return Limits(limits.seconds, memory, readable=(store.segments.local_root,), writable=(spill,))


def _parts(parts: Iterator[object], limits: SqlLimits) -> Generator[object, None, None]:
    with _limit_errors(limits):
        yield from parts


@contextmanager
def _limit_errors(limits: SqlLimits) -> Iterator[None]:
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
def _spill_folder(store: Store) -> Iterator[Path]:
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
