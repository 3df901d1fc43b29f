"""A user's SQL in a process of its own: it reads segments, writes nothing but what it spills, and has limits."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import cast

from flows.cli.answers.files import Format
from flows.cli.answers.parts import Request, Shown, answer_parts
from schemas.settings import SqlLimits
from store.analyst.kept import kept_rows
from store.analyst.named import names_in
from store.history.snapshot import Snapshot
from store.limits.process import LimitedProcess
from store.questions.process import limit_errors, sandbox_rights, spill_folder

__all__ = ["SandboxedAnswer", "sandboxed_answer"]


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
    with spill_folder(snapshot.store) as spill:
        rights = sandbox_rights(snapshot.store, limits, spill)
        with LimitedProcess(rights, trusted=("flows.cli.answers.parts",), by_fork=True) as process:
            with limit_errors(limits):
                named = process.call(names_in, query, *parameters, *parameters.values())
            kept = kept_rows(snapshot, named)
            request = Request(query, parameters, form, limit, limits, spill, verbatim)
            # Closed before the process is: its end waits for a stream that somebody holds.
            with closing(_parts(process.stream(answer_parts, kept, request), limits)) as parts:
                yield SandboxedAnswer(parts)


def _parts(parts: Iterator[object], limits: SqlLimits) -> Generator[object, None, None]:
    with limit_errors(limits):
        yield from parts
