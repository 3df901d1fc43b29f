"""The versioned store: a catalogue, immutable Parquet segments, and SQL over both."""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.reading.answer import Answer, Dataset, Predicted
    from store.reading.model import Model
    from store.reading.reader import StoreReader

__all__ = ["Answer", "Dataset", "Model", "Predicted", "StoreReader", "open_store"]

_HOMES = {
    "Answer": "store.reading.answer",
    "Dataset": "store.reading.answer",
    "Model": "store.reading.model",
    "Predicted": "store.reading.answer",
    "StoreReader": "store.reading.reader",
}


def open_store(path: str | PathLike[str], *, as_of: int | str | None = None) -> StoreReader:
    """Return a store opened to read, as of one commit; nothing is made, brought up to date or written.

    Parameters
    ----------
    path : str or path-like
        The store's folder.
    as_of : int or str, optional
        A commit's number or a tag; the newest commit at this moment where absent. Later commits of others do not
        change what is read.

    Returns
    -------
    StoreReader
        To be closed, which a ``with`` block does.

    Raises
    ------
    NotFoundError
        When there is no store, or it has no such commit or tag.
    ContractError
        When the store has another format than this release reads: the hint says which command brings it up to date.

    See Also
    --------
    docs/python.md : Everything that can be asked, with examples.

    Examples
    --------
    ``with open_store("radzoo-store", as_of=12) as s: s.sql("from leaderboard").pl()``
    """
    # Loaded here: whoever imports the name alone waits for no database.
    from store.reading.reader import StoreReader

    return StoreReader(path, as_of=as_of)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'store' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
