"""``create_store``: a new store, or this machine's door to one that others share."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError

from schemas.errors import ContractError, NotFoundError, RadzooError, UsageError
from store.address import ADDRESS_FILE, StoreAddress, write_address
from store.catalogue.connection import catalogue_place, read_transaction, server_engine
from store.catalogue.tables import versioned_table
from store.faults import driver_message
from store.files import DataFolder
from store.history.snapshot import newest_commit
from store.home import CATALOGUE_FILE, Store

__all__ = ["CreatedStore", "create_store"]

_PROBE = b"radzoo writes, reads and removes this file to see whether it may\n"


@dataclass(frozen=True)
class CreatedStore:
    """Where the parts of a store lie."""

    store: str
    catalogue: str
    """Without its password."""
    data: str
    address_file: str | None
    commits: int
    """0 in a new store, those of the others in a shared one."""


def create_store(root: Path, address: StoreAddress) -> CreatedStore:
    """Make a store and return where its parts lie; a store that is there at this address is opened.

    The data are tried with a small file, which is written, read back and removed; the catalogue's server
    is asked. Where anything fails, nothing is left behind.

    Parameters
    ----------
    root : Path
        The store's folder on this machine.
    address : StoreAddress
        Where catalogue and data lie.

    Raises
    ------
    UsageError
        When a URL is of no kind that a store takes, or another store is in the folder.
    NotFoundError
        When the catalogue's server or the bucket does not answer.
    ContractError
        When the catalogue is one whose data lie elsewhere.
    """
    if address.data is not None:
        _try_data(address.data)
    if address.catalogue is not None:
        _try_catalogue(address.catalogue, DataFolder(root, address.data))
    is_new = not root.exists()
    was_store = (root / ADDRESS_FILE).exists() or (root / CATALOGUE_FILE).exists()
    try:
        file = write_address(root, address)
        store = Store(root, create=True)
        try:
            return CreatedStore(
                store=str(store.root),
                catalogue=catalogue_place(store.engine),
                data=str(store.files) if store.files.is_remote else str(store.root),
                address_file=str(file) if file else None,
                commits=newest_commit(store),
            )
        finally:
            store.engine.dispose()
    except BaseException as error:
        if not was_store:
            _take_back(root, is_new=is_new)
        if isinstance(error, DBAPIError):
            raise ContractError(
                f"the catalogue cannot be made: {driver_message(error)}",
                where=str(root),
                hint="the account in --catalogue needs the right to create tables",
            ) from error
        raise


def _take_back(root: Path, *, is_new: bool) -> None:
    if is_new:
        shutil.rmtree(root, ignore_errors=True)
        return
    for file in (root / ADDRESS_FILE, *root.glob(f"{CATALOGUE_FILE}*")):
        file.unlink(missing_ok=True)


def _try_data(url: str) -> None:
    name = f"probe-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            data = DataFolder(Path(folder), url, waits=False)
            written = data.scratch()
            written.write_bytes(_PROBE)
            data.adopt(written, name)
            is_whole = data.sha256(name) == hashlib.sha256(_PROBE).hexdigest()
            data.remove(name)
        except UsageError:
            raise
        except (OSError, RadzooError) as error:
            said = error.message if isinstance(error, RadzooError) else str(error)
            raise NotFoundError(
                f"a small file could not be written, read and removed: {said.splitlines()[0]}",
                where=re.sub("//[^@/]*@", "//", url).partition("?")[0],
                hint="make the bucket, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or correct --data; "
                "s3://bucket/prefix?region=eu-central-1 names a region, endpoint_override another server",
            ) from error
    if not is_whole:
        raise ContractError("a small file was read back as something else", where=url.partition("?")[0])


def _try_catalogue(url: str, data: DataFolder) -> None:
    engine, segments = server_engine(url), versioned_table("segments")
    try:
        with read_transaction(engine) as connection:
            path = None
            if inspect(connection).has_table(segments.name):
                live = segments.c.removed_commit.is_(None)
                path = connection.execute(select(segments.c.path).where(live).limit(1)).scalar()
    except NotFoundError as error:
        raise NotFoundError(
            error.message, where=error.where, hint="start the server, make the database, or correct --catalogue"
        ) from error
    finally:
        engine.dispose()
    if path is not None and data.below("segments").size(path) is None:
        raise ContractError(
            "this catalogue names files that are not among these data",
            where=str(data),
            hint="give the --data that the other machines' store.toml has, or another database",
        )
