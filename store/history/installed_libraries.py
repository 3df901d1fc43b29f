"""Which versions of the libraries that the store's models were fitted with are installed where it is asked."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError

import pyarrow as pa

from store.catalogue.columns import arrow_columns
from store.history.snapshot import Snapshot
from store.installed import installed_version

__all__ = ["NO_LIBRARIES", "installed_libraries"]

_KINDS = {"library": pa.string(), "version": pa.string()}

NO_LIBRARIES = arrow_columns(_KINDS, [])
"""What `installed_libraries` gives of a store without a model."""


def installed_libraries(snapshot: Snapshot) -> pa.Table:
    """Return the libraries that models of the store name, with their versions here; NULL where one is not installed.

    In a published file they are those of whoever published it.
    """
    written = set(snapshot.column("models", "versions")) - {None}
    named = sorted({name for text in written for name in json.loads(text)})
    return arrow_columns(_KINDS, [(name, _installed(name)) for name in named])


def _installed(library: str) -> str | None:
    try:
        return installed_version(library)
    except PackageNotFoundError:
        return None
