"""Checks of the store's files: segments, datasets, models, staged records, and those that nobody names."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from store.files import DataFolder, file_sha256
from store.home import Store
from store.rows.segments import KEY_COLUMNS
from store.rows.shared_staging import shared_records
from store.rows.staged_units import result_fault
from store.verification.findings import FROM_A_COPY, RESTORE_CATALOGUE, Check, Finding

__all__ = [
    "FolderHash",
    "copies_check",
    "dataset_check",
    "model_check",
    "segment_checks",
    "staging_check",
    "unnamed",
]

_REMOVE_STAGED = "radzoo store verify --repair removes it: the next run computes it again"

Row = Mapping[str, Any]
FolderHash = Callable[[Mapping[str, bytes]], str]
"""Returns the hash of a folder, given its files by name."""


def segment_checks(
    folder: DataFolder, segments: Sequence[Row], extractions: Sequence[Row], features: Sequence[Row], *, quick: bool
) -> list[Check]:
    """Return the checks of segments and of the extractions that point into them."""
    pointing: defaultdict[str, set[str]] = defaultdict(set)
    for row in extractions:
        pointing[str(row["segment_id"])].add(row["extraction_id"])
    columns: defaultdict[str, set[str]] = defaultdict(set)
    for row in features:
        columns[row["feature_set"]].add(row["feature"])
    damage: list[Finding] = []
    lost: list[Finding] = []
    # Layout has no history: a file that was replaced by another is needed only while a row points to it.
    named = {
        row["segment_id"]: row for row in segments if row["removed_commit"] is None or row["segment_id"] in pointing
    }
    for identity, row in sorted(named.items()):
        where = f"{folder}/{row['path']}"
        faults, table = _segment(folder, row, columns[row["feature_set"]], quick=quick)
        damage += [Finding(fault, where, FROM_A_COPY) for fault in faults]
        if table is None:
            continue
        found = Counter(table["extraction_id"].to_pylist())
        wrong = sorted(each for each in pointing[identity] if found[each] != 1)
        if wrong:
            what = f"{len(wrong)} extractions are not in their segment exactly once"
            lost.append(Finding(what, where, FROM_A_COPY, tuple(f"{each}: {found[each]} rows" for each in wrong)))
    for identity in sorted(pointing.keys() - named.keys()):
        ids = tuple(sorted(pointing[identity]))
        what = f"{len(ids)} extractions point to a segment that the catalogue does not name"
        lost.append(Finding(what, f"extractions: segment_id {identity}", RESTORE_CATALOGUE, ids))
    how = "size and rows" if quick else "size, hash and rows"
    return [
        Check.of("segments", f"every file is there, with its {how}", len(named), damage),
        Check.of("extractions", "every row, live or ended, is in its segment once", len(extractions), lost),
    ]


def dataset_check(store: Store, datasets: Sequence[Row], *, quick: bool) -> Check:
    """Return the check that pinned datasets are what was pinned."""
    named = {row["path"]: row for row in datasets if row["path"]}
    findings = []
    for path, row in sorted(named.items()):
        size = store.files.size(path)
        if size is None:
            findings.append(Finding(_absent(store.files, path), f"{store.files}/{path}", FROM_A_COPY))
        elif fault := _fault_of_bytes(store.files, path, None if quick else row["sha256"]):
            findings.append(Finding(fault, f"{store.files}/{path}", FROM_A_COPY))
    return Check.of("datasets", f"every file is there{'' if quick else ', with its hash'}", len(named), findings)


def model_check(store: Store, models: Sequence[Row], folder_hash: FolderHash | None, *, quick: bool) -> Check:
    """Return the check that models' folders are what was saved.

    Parameters
    ----------
    store : Store
        The store.
    models : sequence of mapping
        Rows of the catalogue.
    folder_hash : callable, optional
        What hashes a folder; its files are only looked for where there is none.
    quick : bool
        Hash nothing.
    """
    named = {row["path"]: row for row in models if row["path"]}
    is_hashed = folder_hash is not None and not quick
    findings = []
    for path, row in sorted(named.items()):
        folder = store.files.below(path)
        names = list(folder.paths())
        where = f"{store.files}/{path}"
        if not names:
            findings.append(Finding("the folder is missing", where, FROM_A_COPY))
        elif folder_hash is not None and not quick:
            try:
                found = folder_hash({name: _content(folder, name) for name in names})
            except PermissionError:
                findings.append(Finding("a file of it may not be read", where, FROM_A_COPY))
                continue
            if found != row["sha256"]:
                findings.append(Finding(f"its files changed: sha256 {found}, not {row['sha256']}", where, FROM_A_COPY))
    return Check.of("models", f"every folder is there{', with its hash' if is_hashed else ''}", len(named), findings)


def staging_check(folder: Path, shared: DataFolder | None = None) -> tuple[Check, list[Finding]]:
    """Return the check of staged records, and notes on those that wait for a commit.

    Parameters
    ----------
    folder : Path
        Of this machine.
    shared : DataFolder, optional
        Of the store's bucket, where other machines take them over.
    """
    findings, notes, counted = [], [], 0
    for part in sorted(each for each in folder.glob("*") if each.is_dir()):
        files = sorted(part.glob("*.json"))
        counted += len(files)
        if files:
            notes.append(
                Finding(f"{len(files)} staged results wait for a commit", str(part), "radzoo refresh or bench")
            )
        findings += [Finding(fault, str(file), _REMOVE_STAGED) for file in files if (fault := result_fault(file))]
    waiting = 0
    for path, record in shared_records(shared) if shared is not None else ():
        waiting += 1
        if record.get("extraction_id") != path.rpartition("/")[2].removesuffix(".json"):
            findings.append(Finding("no staged extraction of its name", f"{shared}/{path}", _REMOVE_STAGED))
    if waiting:
        notes.append(Finding(f"{waiting} staged results wait for a commit", str(shared), "radzoo refresh"))
    counted += waiting
    return Check.of("staging", "every record is JSON and holds what it is named by", counted, findings), notes


def copies_check(folder: DataFolder, sums: Mapping[str, str]) -> Check:
    """Return the check that this machine's copies of remote files are what the catalogue says.

    Parameters
    ----------
    folder : DataFolder
        The store's files.
    sums : mapping of str to str
        Each file's hash, by its name below the store.
    """
    copies = {path: folder.local_root / path for path in sums if (folder.local_root / path).exists()}
    findings = [
        Finding("this machine's copy of a file is damaged", str(file), f"rm '{file}': it is fetched again")
        for path, file in sorted(copies.items())
        if file_sha256(file) != sums[path]
    ]
    return Check.of("copies", "this machine's copies of remote files have their hash", len(copies), findings)


def unnamed(store: Store, named: Iterable[str]) -> list[Finding]:
    """Return notes on files that no row of the catalogue names.

    Parameters
    ----------
    store : Store
        The store.
    named : iterable of str
        Files and folders that rows name, relative to the store.
    """
    known = set(named)
    notes = []
    for part in (store.segments, store.datasets, store.models):
        name = part.local_root.name
        paths = [f"{name}/{path}" for path in part.paths()]
        left = [path for path in paths if not any(each in known for each in (path, *_parents(path)))]
        if not store.files.is_remote:
            unfinished = sorted(file for file in part.local_root.rglob("*.partial*") if file.is_file())
            left += [file.relative_to(store.root).as_posix() for file in unfinished]
        if left:
            size = sum(store.files.size(path) or 0 for path in left)
            why = "a writer was killed or is at work, or a model could not be fitted"
            what = f"{len(left)} files, {size:,} bytes, that no row names: {why}"
            step = "radzoo store compact removes them after its time of grace"
            if part is store.datasets:
                step = "the next training of the same patients takes them over; store erase clears them too"
            notes.append(Finding(what, str(part), step, tuple(left)))
    return notes


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in Path(path).parents]


def _segment(folder: DataFolder, row: Row, columns: set[str], *, quick: bool) -> tuple[list[str], pa.Table | None]:
    """Return what is wrong with a segment, and its ids where they can be read."""
    path = row["path"]
    size = folder.size(path)
    if size is None:
        return [_absent(folder, path)], None
    faults = []
    if size != row["bytes"]:
        faults.append(f"the file has {size} bytes, the catalogue says {row['bytes']}")
    elif fault := _fault_of_bytes(folder, path, None if quick else row["sha256"]):
        faults.append(fault)
    try:
        with folder.opened(path) as stream, pq.ParquetFile(stream) as file:
            if file.metadata.num_rows != row["rows"]:
                faults.append(f"the file has {file.metadata.num_rows} rows, the catalogue says {row['rows']}")
            if lacking := sorted({*KEY_COLUMNS, *columns} - set(file.schema_arrow.names)):
                faults.append(f"{len(lacking)} columns are missing, the first: {lacking[0]}")
            return faults, file.read(columns=["extraction_id"]) if "extraction_id" not in lacking else None
    except (pa.ArrowException, OSError) as error:
        return [*faults, f"the file cannot be read as Parquet: {str(error).splitlines()[0]}"], None


def _absent(folder: DataFolder, path: str) -> str:
    return "is no regular file" if os.path.lexists(folder.local_root / path) else "the file is missing"


def _fault_of_bytes(folder: DataFolder, path: str, sha256: str | None) -> str:
    """Return what is wrong with a file whose size was looked at; its bytes are read where a hash is given."""
    if not folder.is_remote and (folder.local_root / path).is_symlink():
        return "the file is a link, and the store's files are its own"
    try:
        return "the file's bytes changed" if sha256 is not None and folder.sha256(path) != sha256 else ""
    except PermissionError:
        return "the file may not be read"


def _content(folder: DataFolder, name: str) -> bytes:
    with folder.opened(name) as stream:
        return bytes(stream.read())
