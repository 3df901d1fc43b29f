"""Where the folders of models lie in a store, and what names a model there; loads no library of learning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.home import Store
from zoo.saving.files import MANIFEST

__all__ = ["MANIFEST", "local_model_folder", "put_model_folder", "recorded_base", "version_key"]


def version_key(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that tell a model's version from others, of its row or of one that is about it."""
    return {name: row[name] for name in ("study", "model", "version")}


def recorded_base(row: Mapping[str, Any]) -> str | None:
    """Return the member that a model of the catalogue is a variant of, given its row; None where it is none.

    The base stands in the row's ``summary``; rows of releases that knew no variants say nothing of it.
    """
    base = json.loads(row["summary"] or "{}").get("base")
    return None if base is None else str(base)


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
