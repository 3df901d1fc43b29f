"""Where the folders of models lie in a store: the only two functions that know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.home import Store

__all__ = ["local_model_folder", "put_model_folder"]


def local_model_folder(store: Store, row: Mapping[str, Any]) -> Path:
    """Return a local folder with the files of a model, given its row of the catalogue."""
    return store.files.local_folder(str(row["path"]))


def put_model_folder(store: Store, folder: Path, path: str) -> None:
    """Move a finished local folder into the store.

    Parameters
    ----------
    store : Store
        The store.
    folder : Path
        Complete; on the same file system as the store.
    path : str
        Relative to the store, and named by the folder's hash, so that whatever lies there is the same model.
    """
    store.files.adopt(folder, path)
