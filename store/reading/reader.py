"""A store that is open to read: one commit of it, asked from Python."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow.parquet as pq

from schemas.errors import NotFoundError, StoreBusyError, UsageError
from schemas.settings import sql_limits
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.history.tags import snapshot_as_of
from store.home import Store
from store.reading.answer import Answer, Dataset
from store.reading.arguments import flag_argument, names_argument, path_argument, text_argument
from store.reading.features import feature_rows
from store.reading.model import Model, model_opener

__all__ = ["StoreReader"]

_TRIES = 3
"""A read that a checkpoint of somebody's log fell into is made again this often."""

Read = TypeVar("Read")
Parameter = str | int | float | bool | date


class StoreReader:
    """A store opened to read, as of one commit; `store.open_store` gives it.

    Everything is read from the store when it is asked for, compared with its hash or sum first, and nothing is written:
    no file of the store's folder changes, whatever this process may do there.

    Parameters
    ----------
    path : str or path-like
        The store's folder.
    as_of : int or str, optional
        A commit's number or a tag; the newest commit where absent.
    """

    def __init__(self, path: str | os.PathLike[str], *, as_of: int | str | None = None) -> None:
        # A number as text was more likely meant to be one than to be a tag, which it cannot be.
        if as_of is not None and (type(as_of) is not int and not (isinstance(as_of, str) and as_of[:1].isalpha())):
            raise UsageError(
                f"{as_of!r} is no commit: as_of is a whole number or a tag",
                hint="as_of=12 or as_of='paper-v1', or leave it out",
            )
        self._store = Store(path_argument("path", path), only_reads=True)
        self._is_open = True
        try:
            self._snapshot = _read(lambda: snapshot_as_of(self._store, as_of))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._is_open else ", closed"
        return f"<StoreReader: {self._store.root} as of commit {self.commit}{state}>"

    def close(self) -> None:
        """Leave the store; answers that were given stay. A reader that is closed twice is closed."""
        self._is_open = False
        self._store.close()

    @property
    def path(self) -> Path:
        """Return the store's folder."""
        return self._store.root

    @property
    def commit(self) -> int:
        """Return the commit that everything is read as of."""
        return self._snapshot.commit_id

    def sql(self, query: str, parameters: Mapping[str, Parameter] | None = None) -> Answer:
        """Return the answer to one read-only SQL question, in DuckDB's dialect.

        It is answered in this process, within the limits of memory and of spilling that ``RADZOO_SQL_MEMORY_GB`` and
        ``RADZOO_SQL_SPILL_GB`` set. It can change nothing and open no file. Somebody else's SQL belongs to
        ``radzoo sql``, whose process has no rights and a limit of time (docs/security.md).

        Parameters
        ----------
        query : str
            One SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement; ``show tables`` lists what there is.
        parameters : mapping, optional
            Values for ``$name`` in the query.

        Raises
        ------
        UsageError
            When the text is not exactly one statement that reads, or SQL refuses it.
        NotFoundError
            When a table or column does not exist.
        """
        query = text_argument("query", query)
        if parameters is not None and not isinstance(parameters, Mapping):
            raise UsageError(f"parameters are values by name, not {parameters!r}", hint='parameters={"name": "value"}')
        texts = {
            text_argument("a parameter", name): _parameter(name, value) for name, value in (parameters or {}).items()
        }
        return Answer(_read(lambda: answer(self._asked(), query, texts, sql_limits(os.environ))))

    def features(
        self,
        feature_set: str,
        *,
        study: str | None = None,
        phases: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        primary: bool = True,
        wide: bool = False,
    ) -> Answer:
        """Return a study's values of a feature set, bit for bit those that were computed, ordered by their keys.

        Parameters
        ----------
        feature_set : str
            ``name@N``, or ``name`` for the newest version; computed from images and masks, or imported.
        study : str, optional
            Whose masks; may be left out where the store has one study.
        phases : sequence of str, optional
            Only these, in this order; all that have values where absent.
        columns : sequence of str, optional
            Only these features; all of them where absent.
        primary : bool
            Only the reading of each lesion that models read; every reader and reading where false.
        wide : bool
            One row a lesion of an exam, with a column ``PHASE__FEATURE`` for each phase and feature, as models read
            them; NULL where a phase lacks the lesion. Where false, one row a mask, and ``phase`` is a column.

        Raises
        ------
        NotFoundError
            When the store has no such study, feature set or column, or no values of a phase.
        ContractError
            When ``wide`` would put two masks into one row, or a file is damaged.
        """
        feature_set = text_argument("feature_set", feature_set)
        chosen, only = names_argument("phases", phases), names_argument("columns", columns)
        flags = {"primary": flag_argument("primary", primary), "wide": flag_argument("wide", wide)}
        options: dict[str, Any] = {"study": study, "phases": chosen, "columns": only, **flags}
        return Answer(_read(lambda: feature_rows(self._asked(), feature_set, **options)))

    def dataset(self, dataset: str) -> Dataset:
        """Return a frozen table that models were trained from, its file compared with its hash.

        Parameters
        ----------
        dataset : str
            Its id, or how it begins; `datasets` lists them.

        Raises
        ------
        NotFoundError
            When there is no such dataset, several begin so, or its file was erased.
        ContractError
            When its file is missing or damaged.
        """
        dataset = text_argument("dataset", dataset)
        return _read(lambda: _dataset(self._asked(), dataset))

    def model(self, name: str, *, study: str | None = None, version: int | None = None) -> Model:
        """Return a trained model.

        Parameters
        ----------
        name : str
            ``MODEL``, or as on the command line ``[STUDY/]MODEL[@VERSION]``.
        study : str, optional
            The study that it was trained in; may be left out where one study has such a model.
        version : int, optional
            The newest one where absent.

        Raises
        ------
        NotFoundError
            When there is no such model, or several studies have one and none is named.
        UsageError
            When the name is none, or says another study or version than the parameters.
        """
        return model_opener()(self._asked, text_argument("name", name), study=study, version=version)

    def studies(self) -> Answer:
        """Return the studies: patients, labels, outcome."""
        return self.sql("from studies")

    def feature_sets(self) -> Answer:
        """Return the feature sets, every version: kind, number of features and of rows, definition."""
        return self.sql("from feature_sets")

    def datasets(self) -> Answer:
        """Return the frozen tables that models were trained from."""
        return self.sql("from datasets")

    def models(self) -> Answer:
        """Return the trained models, every version."""
        return self.sql("from models order by study, model, version")

    def _asked(self) -> Snapshot:
        if not self._is_open:
            raise UsageError("the store is closed", where=str(self._store.root), hint="ask within the with block")
        return self._snapshot


def _read(work: Callable[[], Read]) -> Read:
    for _ in range(_TRIES - 1):
        try:
            return work()
        except StoreBusyError:
            continue
    return work()


def _parameter(name: str, value: Parameter) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise UsageError(
        f"the parameter '{name}' is a {type(value).__name__}: it may be a text, a number, a truth value or a date",
        hint="turn it into one of these",
    )


def _dataset(snapshot: Snapshot, begins: str) -> Dataset:
    rows = [row for row in snapshot.rows("datasets") if row["dataset_id"].startswith(begins)]
    if len(rows) != 1 or not begins:
        many = ", ".join(row["dataset_id"] for row in rows[:5])
        raise NotFoundError(
            f"'{begins}' begins {len(rows)} datasets: {many}" if rows else f"there is no dataset '{begins}'",
            where=str(snapshot.store.root),
            hint="radzoo datasets list",
        )
    (row,) = rows
    if row["path"] is None:
        raise NotFoundError(
            f"the file of dataset {row['dataset_id']} was erased",
            where=str(snapshot.store.root),
            hint="radzoo sql 'from erasures' says when",
        )
    file = snapshot.store.files.local(row["path"], sha256=row["sha256"])
    return Dataset(pq.ParquetFile(file).read(), row, json.loads(row["inputs"]))
