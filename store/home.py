"""An opened store: where its catalogue, segments, staged rows, datasets and models lie."""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, inspect

from schemas.errors import ContractError, NotFoundError
from schemas.settings import BUSY_TIMEOUT_S
from store.address import stored_address
from store.catalogue.connection import (
    catalogue_engine,
    catalogue_place,
    read_transaction,
    server_engine,
    write_transaction,
)
from store.catalogue.kept_columns import KeptColumns
from store.catalogue.migrations import FORMAT_VERSION, migrate
from store.catalogue.read_only import is_read_only
from store.catalogue.tables import store_format
from store.checked_files import CheckedFiles
from store.faults import disk_faults
from store.files import DataFolder

__all__ = ["CATALOGUE_FILE", "CHECKED_FILES", "Store"]

CATALOGUE_FILE = "catalogue.sqlite"
CHECKED_FILES = "checked-files"
"""What the file begins with in which a user's processes note the hashes of the store's files."""


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
    only_reads : bool
        Write nothing into the folder, whatever this process may: no file is made, no catalogue brought up to date, and
        copies of remote files lie elsewhere until `close`.

    Raises
    ------
    NotFoundError
        When there is no store and ``create`` is false, or the catalogue's server does not answer.
    ContractError
        When the catalogue cannot be read, was written by a newer release, or by an older one and is only read.
    """

    def __init__(
        self,
        root: Path,
        *,
        create: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        only_reads: bool = False,
    ) -> None:
        with disk_faults(root):
            self.root = _resolved(root)
            _refuse_no_folder(self.root)
            self.address = stored_address(self.root)
            if self.address.catalogue is None and not self.catalogue_file.exists() and not create:
                raise NotFoundError(
                    "there is no radzoo store here",
                    where=str(self.root),
                    hint="radzoo ingest STUDY.toml or radzoo store init makes one; "
                    "--store PATH or RADZOO_STORE names another place",
                )
            self.only_reads = only_reads
            self._copies: tempfile.TemporaryDirectory[str] | None = None
            self.believed: dict[str, tuple[Any, ...]] = {}
            """What each table's rows were compared with last (`store.history.altered_rows`)."""
            self._checked = self._checked_files()
            self.files = self._data_folder()
            self.columns = KeptColumns(self.root / "columns", self._checked)
            """The large tables of the catalogue, by columns."""
            self.engine: Engine = (
                catalogue_engine(self.catalogue_file, busy_timeout_s=busy_timeout_s, only_reads=only_reads)
                if self.address.catalogue is None
                else server_engine(self.address.catalogue, busy_timeout_s=busy_timeout_s)
            )
            try:
                self._bring_up_to_date()
            except BaseException:
                self.close()
                raise

    def _data_folder(self) -> DataFolder:
        is_remote = self.address.data is not None
        if self.only_reads:
            if is_remote:
                self._copies = tempfile.TemporaryDirectory(prefix="radzoo-copies-", ignore_cleanup_errors=True)
            return DataFolder(Path(self._copies.name) if self._copies else self.root, self.address.data)
        self.root.mkdir(parents=True, exist_ok=True)
        return DataFolder(self.root / "copies" if is_remote else self.root, self.address.data, self._checked)

    def _checked_files(self) -> CheckedFiles:
        return CheckedFiles(None if self.only_reads else self.root / f"{CHECKED_FILES}-{os.geteuid()}.jsonl")

    def close(self) -> None:
        """Leave the catalogue, and remove what was copied for reading alone."""
        self.engine.dispose()
        if self._copies is not None:
            self._copies.cleanup()

    def _bring_up_to_date(self) -> None:
        version = self._format()
        if version == FORMAT_VERSION:
            return
        if self.is_read_only:
            raise self._other_format(version)
        try:
            with write_transaction(self.engine, keeps_sums=False) as connection:
                migrate(connection)
        except ContractError as error:
            error.where = error.where or str(self.root)
            raise

    def _other_format(self, version: int) -> ContractError:
        """Return what to say of a catalogue of another format that is only read."""
        if version > FORMAT_VERSION:
            return ContractError(
                f"the store has format {version}, this radzoo reads up to {FORMAT_VERSION}",
                where=str(self.root),
                hint="install a newer radzoo",
            )
        if version == 0:
            return ContractError(
                "the catalogue is empty, or is that of no store of radzoo",
                where=catalogue_place(self.engine),
                hint="name the store's folder, or make a store with radzoo store init or radzoo ingest STUDY.toml",
            )
        return ContractError(
            f"the store has format {version}, this radzoo reads {FORMAT_VERSION}, and the store "
            + ("is opened to read" if self.only_reads else "may only be read"),
            where=str(self.root),
            hint=f"radzoo --store {shlex.quote(str(self.root))} store log, run once where the store may be written, "
            "brings it up to date",
        )

    def _format(self) -> int:
        with read_transaction(self.engine) as connection:
            if not inspect(connection).has_table("store_format"):
                return 0
            return max(connection.execute(store_format.select()).scalars().all(), default=0)

    @property
    def is_read_only(self) -> bool:
        """Return whether the catalogue is only read: this process may do no more, or shall do no more."""
        return self.only_reads or is_read_only(self.engine)

    @property
    def spill(self) -> Path:
        """Return where DuckDB puts what finds no room in memory: a folder that nothing else is in."""
        if not self.only_reads and os.access(self.root, os.W_OK | os.X_OK):
            return self.root / "spill"
        return Path(tempfile.gettempdir()) / f"radzoo-spill-{uuid.uuid4().hex}"

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


def _resolved(root: Path) -> Path:
    """Return a folder's real path; a loop of links is what the system calls it, in every Python."""
    try:
        return root.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(root)) from error


def _refuse_no_folder(root: Path) -> None:
    if os.path.lexists(root) and not root.is_dir():
        raise NotFoundError(
            "this is no folder, so no store lies here" if root.exists() else "this link leads nowhere",
            where=str(root),
            hint="name the store's folder with --store PATH or RADZOO_STORE",
        )
