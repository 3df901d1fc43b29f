"""An opened store: where its catalogue, segments, staged rows, datasets and models lie."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DatabaseError

from schemas.errors import ContractError, NotFoundError
from schemas.settings import BUSY_TIMEOUT_S
from store.address import stored_address
from store.connection import catalogue_engine, read_transaction, server_engine, write_transaction
from store.files import DataFolder
from store.migrations import FORMAT_VERSION, migrate
from store.tables import store_format

__all__ = ["CATALOGUE_FILE", "Store"]

CATALOGUE_FILE = "catalogue.sqlite"


class Store:
    """An opened store.

    Its folder holds what belongs to this machine: staged extractions, the published file, copies of
    remote files. The catalogue and the data lie there too, unless the folder's ``store.toml`` names a
    PostgreSQL database or an S3 bucket that several machines share.

    Parameters
    ----------
    root : Path
        The store's folder.
    create : bool
        Make the store where there is none.
    busy_timeout_s : float
        How long a writer waits for another one.

    Raises
    ------
    NotFoundError
        When there is no store and ``create`` is false, or the catalogue's server does not answer.
    ContractError
        When the catalogue cannot be read, or was written by a newer release.
    """

    def __init__(self, root: Path, *, create: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.root = root.resolve()
        self.address = stored_address(self.root)
        if self.address.catalogue is None and not self.catalogue_file.exists() and not create:
            raise NotFoundError(
                "there is no radzoo store here",
                where=str(self.root),
                hint="radzoo ingest STUDY.toml or radzoo store init makes one; "
                "--store PATH or RADZOO_STORE names another place",
            )
        self.root.mkdir(parents=True, exist_ok=True)
        is_remote = self.address.data is not None
        self.files = DataFolder(self.root / "copies" if is_remote else self.root, self.address.data)
        self.engine: Engine = (
            catalogue_engine(self.catalogue_file, busy_timeout_s=busy_timeout_s)
            if self.address.catalogue is None
            else server_engine(self.address.catalogue, busy_timeout_s=busy_timeout_s)
        )
        try:
            if not self._is_current():
                with write_transaction(self.engine) as connection:
                    migrate(connection)
        except DatabaseError as error:
            if self.address.catalogue is not None or isinstance(error.orig, sqlite3.OperationalError):
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
        """Return the SQLite file of a catalogue that lies in the store's folder."""
        return self.root / CATALOGUE_FILE

    @property
    def segments(self) -> DataFolder:
        """Return the immutable Parquet segments."""
        return self.files.below("segments")

    @property
    def staging(self) -> Path:
        """Return the folder of extractions that are computed and not yet committed."""
        return self.root / "staging"

    @property
    def datasets(self) -> DataFolder:
        """Return the frozen tables that models trained on."""
        return self.files.below("datasets")

    @property
    def models(self) -> DataFolder:
        """Return the trained models, a folder each."""
        return self.files.below("models")

    @property
    def analyst_file(self) -> Path:
        """Return the published DuckDB file."""
        return self.root / "analyst.duckdb"
