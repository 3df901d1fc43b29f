"""A store on disk: where its catalogue, segments, staged rows, datasets and models lie."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DatabaseError

from schemas.errors import ContractError, NotFoundError
from store.connection import catalogue_engine, read_transaction, write_transaction
from store.migrations import FORMAT_VERSION, migrate
from store.tables import store_format

__all__ = ["Store"]


class Store:
    """An opened store.

    Parameters
    ----------
    root : Path
        The store's folder.
    create : bool
        Make the store where there is none.

    Raises
    ------
    NotFoundError
        When there is no store and ``create`` is false.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.root = root.resolve()
        if not self.catalogue_file.exists() and not create:
            raise NotFoundError(
                "there is no radzoo store here",
                where=str(self.root),
                hint="radzoo ingest STUDY.toml makes one; --store PATH or RADZOO_STORE names another place",
            )
        self.root.mkdir(parents=True, exist_ok=True)
        self.engine: Engine = catalogue_engine(self.catalogue_file)
        try:
            if not self._is_current():
                with write_transaction(self.engine) as connection:
                    migrate(connection)
        except DatabaseError as error:
            if isinstance(error.orig, sqlite3.OperationalError):
                raise
            raise ContractError(
                f"the catalogue cannot be read: {error.orig}",
                where=str(self.catalogue_file),
                hint="restore the file from a backup, or name another store with --store",
            ) from error

    def _is_current(self) -> bool:
        with read_transaction(self.engine) as connection:
            if not inspect(connection).has_table("store_format"):
                return False
            versions = connection.execute(store_format.select()).scalars().all()
            return max(versions, default=0) == FORMAT_VERSION

    @property
    def catalogue_file(self) -> Path:
        """Return the SQLite file of the catalogue."""
        return self.root / "catalogue.sqlite"

    @property
    def segments(self) -> Path:
        """Return the folder of the immutable Parquet segments."""
        return self.root / "segments"

    @property
    def staging(self) -> Path:
        """Return the folder of extractions that are computed and not yet committed."""
        return self.root / "staging"

    @property
    def datasets(self) -> Path:
        """Return the folder of the frozen tables that models trained on."""
        return self.root / "datasets"

    @property
    def models(self) -> Path:
        """Return the folder of the trained models."""
        return self.root / "models"

    @property
    def analyst_file(self) -> Path:
        """Return the published DuckDB file."""
        return self.root / "analyst.duckdb"
