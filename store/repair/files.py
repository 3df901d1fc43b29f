"""Files of the store put back: found under another name, in a backup, or made again; each proven by its hash."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.errors import RadzooError
from store.catalogue.connection import read_transaction
from store.catalogue.tables import versioned_table
from store.checked_files import CheckedFiles
from store.files import DataFolder
from store.home import Store
from store.repair.rows import Repair
from store.rows.shared_staging import shared_records, shared_staging
from store.rows.staged_units import result_fault
from store.verification.files import FolderHash

__all__ = ["Remake", "remove_staged_trash", "repair_files", "repair_models"]

Row = Mapping[str, Any]
Remake = Callable[[Row], bool]
"""Makes what a row of a dataset or a model names again, and returns whether it is just what was there."""

_PARTS = ("segments", "datasets")


def repair_files(store: Store, remake: Remake, backup: Path | None = None) -> list[Repair]:
    """Put back segments and datasets that are missing or damaged, and tell of each.

    Parameters
    ----------
    store : Store
        The store.
    remake : callable
        Makes a dataset again.
    backup : Path, optional
        Another store's folder with the same files, such as a backup.
    """
    broken = [each for each in _named_files(store) if not _is_whole(store, each[0], each[1])]
    if not broken:
        return []
    wanted = {sha256 for _, sha256, _ in broken}
    copies = _copies(store, wanted, backup)
    repairs = []
    for path, sha256, row in broken:
        where = f"{store.files}/{path}"
        if sha256 in copies:
            source, how = copies[sha256]
            again = source.with_name(f"{source.name}.again")
            shutil.copyfile(source, again)
            store.files.adopt(again, path)
        elif path.startswith("datasets/"):
            how = "made again from the store, bit for bit" if _remade(remake, row) else ""
        else:
            how = ""
        if how and _is_whole(store, path, sha256):
            repairs.append(Repair(where, how, is_repaired=True))
        else:
            what = "is missing or damaged, and no copy of it is in the store" + (" or the backup" if backup else "")
            repairs.append(Repair(where, what, is_repaired=False))
    for source, _ in copies.values():
        source.unlink(missing_ok=True)
    return repairs


def repair_models(store: Store, folder_hash: FolderHash, remake: Remake, backup: Path | None = None) -> list[Repair]:
    """Put back models' folders whose hash is not the catalogue's, and tell of each: without foreign files, or a copy.

    Parameters
    ----------
    store : Store
        The store.
    folder_hash : callable
        What hashes a model's folder.
    remake : callable
        Makes a model again.
    backup : Path, optional
        Another store's folder with the same files.
    """
    repairs = []
    for row in _rows(store, "models"):
        path, sha256 = str(row["path"]), row["sha256"]
        folder = store.files.below(path)
        try:
            contents = _contents(folder)
        except OSError:
            contents = {}
        if contents and folder_hash(contents) == sha256:
            continue
        how = ""
        for left in _without_some(contents):
            if folder_hash({name: content for name, content in contents.items() if name not in left}) == sha256:
                for name in left:
                    folder.remove(name)
                how = f"removed what is not the model's: {', '.join(sorted(left))}"
                break
        if not how and backup is not None and (backup / path).is_dir():
            other = _contents(DataFolder(backup / path))
            if other and folder_hash(other) == sha256:
                scratch = store.models.scratch()
                shutil.copytree(backup / path, scratch)
                store.files.adopt(scratch, path)
                how = "put back from the backup"
        if not how and _remade(remake, row):
            how = "trained again, byte for byte"
        what = how or "is missing or damaged, no copy of it is left, and it cannot be trained again as it was"
        repairs.append(Repair(f"{store.files}/{path}", what, is_repaired=bool(how)))
    return repairs


def remove_staged_trash(store: Store) -> list[Repair]:
    """Remove what lies among staged results and is none; what is missing is computed again."""
    repairs = []
    for file in sorted(store.staging.glob("*/*.json")):
        if result_fault(file):
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
            repairs.append(Repair(str(file), "removed: the next run computes it again", is_repaired=True))
    if (shared := shared_staging(store)) is not None:
        for path, record in shared_records(shared):
            if record.get("extraction_id") != path.rpartition("/")[2].removesuffix(".json"):
                shared.remove(path)
                repairs.append(Repair(f"{shared}/{path}", "removed: the next run computes it again", is_repaired=True))
    return repairs


def _rows(store: Store, name: str) -> list[dict[str, Any]]:
    table = versioned_table(name)
    with read_transaction(store.engine) as connection:
        rows = [dict(row) for row in connection.execute(table.select()).mappings()]
    return list({row["path"]: row for row in rows if row["path"]}.values())


def _named_files(store: Store) -> Iterator[tuple[str, str, Row]]:
    """Yield name, hash and row of each segment that is in use and of each dataset."""
    extractions = versioned_table("extractions")
    with read_transaction(store.engine) as connection:
        pointed = set(connection.execute(extractions.select().with_only_columns(extractions.c.segment_id)).scalars())
    for row in _rows(store, "segments"):
        if row["removed_commit"] is None or row["segment_id"] in pointed:
            yield f"segments/{row['path']}", row["sha256"], row
    for row in _rows(store, "datasets"):
        yield row["path"], row["sha256"], row


def _is_whole(store: Store, path: str, sha256: str) -> bool:
    file = store.files.local_root / path
    if not store.files.is_remote:
        with suppress(OSError):
            found = file.lstat()
            if stat.S_ISREG(found.st_mode) and not found.st_mode & stat.S_IRUSR and found.st_uid == os.geteuid():
                file.chmod(found.st_mode | stat.S_IRUSR)
    try:
        store.files.local(path, sha256=sha256)
        return store.files.size(path) is not None
    except (RadzooError, OSError):
        return False


def _copies(store: Store, wanted: set[str], backup: Path | None) -> dict[str, tuple[Path, str]]:
    """Return a scratch copy of each file that has one of the hashes, whatever it is called, and where it was found.

    All are copied before any is put back: of two that were swapped each lies where the other belongs.
    """
    places = [(store.files.local_root / part, "found under another name") for part in _PARTS]
    places += [(backup / part, "put back from the backup") for part in _PARTS] if backup is not None else []
    found: dict[str, tuple[Path, str]] = {}
    checked = CheckedFiles()
    for place, how in places:
        for file in sorted(each for each in place.rglob("*") if each.is_file() and not each.is_symlink()):
            try:
                digest = checked.sha256(file)
            except (RadzooError, OSError):
                continue
            if digest in wanted and digest not in found:
                scratch = store.files.scratch()
                shutil.copyfile(file, scratch)
                found[digest] = scratch, how
    return found


def _remade(remake: Remake, row: Row) -> bool:
    try:
        return remake(row)
    except RadzooError:
        return False


def _contents(folder: DataFolder) -> dict[str, bytes]:
    found = {}
    for name in folder.paths():
        with folder.opened(name) as stream:
            found[name] = bytes(stream.read())
    return found


def _without_some(contents: Mapping[str, bytes]) -> Iterator[Sequence[str]]:
    """Yield which files of a folder may be foreign: one of them, or all that no model has."""
    yield from ([name] for name in contents)
    foreign = [name for name in contents if not name.endswith((".skops", ".safetensors", ".json", ".md"))]
    if len(foreign) > 1:
        yield foreign
