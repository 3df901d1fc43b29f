"""The store: its folder, disk and file system, its catalogue and data; run as a process, for a dead disk hangs."""

from __future__ import annotations

import re
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from flows.doctor.finding import EVERY_VERB, Finding, carefully
from flows.doctor.machine import room_finding
from flows.doctor.probe import write_findings
from schemas.errors import RadzooError
from store.address import ADDRESS_FILE, stored_address

__all__ = ["network_file_system", "store_findings"]

_WRITERS = "ingest, refresh, train, bench"
_PATIENCE_S = 5.0
_ELSEWHERE = "--store FOLDER or RADZOO_STORE names another place"
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|fuse(\..*)?|9p|afs|ceph|glusterfs|lustre|beegfs\w*|gpfs|ncpfs|davfs\d?|vboxsf"
)


def store_findings(root: Path) -> Iterator[Finding]:
    """Look at a store, or at the place where one would be made; nothing of it is changed."""
    found = carefully("store", EVERY_VERB, lambda: _place_findings(root), _ELSEWHERE)
    yield from found
    if any(each.what == "store" and each.needed_for == EVERY_VERB for each in found):
        return
    try:
        address = stored_address(root)
    except RadzooError as error:
        yield Finding("missing", "store", f"{error.where}: {error.message}", EVERY_VERB, error.hint)
        return
    if address.catalogue is not None:
        yield from carefully("PostgreSQL", EVERY_VERB, lambda: _server_findings(str(address.catalogue), root))
    else:
        yield from carefully("file system", _WRITERS, lambda: _file_system_findings(root))
        yield from carefully("catalogue", EVERY_VERB, lambda: _catalogue_findings(root / "catalogue.sqlite"))
    if address.data is not None:
        yield from carefully("S3", EVERY_VERB, lambda: _data_findings(str(address.data), root))


def _nearest(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _place_findings(root: Path) -> Iterator[Finding]:
    folder = _nearest(root)
    if not folder.is_dir():
        yield Finding("missing", "store", f"{folder} is a file", EVERY_VERB, _ELSEWHERE)
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding("missing", "store", f"{folder} cannot be written: {error.strerror}", _WRITERS, _ELSEWHERE)
    else:
        is_made = (root / "catalogue.sqlite").exists() or (root / ADDRESS_FILE).exists()
        yield Finding("ok", "store", str(root) if is_made else f"none yet: {root} can be made", _WRITERS)
    yield room_finding("disk", folder, _WRITERS)


def _file_system_findings(root: Path) -> Iterator[Finding]:
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        return
    kind = network_file_system(mounts.read_text(errors="replace"), _nearest(root).resolve())
    if kind is None:
        yield Finding("ok", "file system", "a disk of this machine", _WRITERS)
    else:
        yield Finding(
            "warning",
            "file system",
            f"{kind}, over a network: the catalogue's file can be damaged where several machines write",
            _WRITERS,
            "radzoo store init --store LOCAL --catalogue postgresql://user@host/database",
        )


def network_file_system(mountinfo: str, folder: Path) -> str | None:
    """Return the kind of the network file system that a folder lies on; None on a local one.

    Parameters
    ----------
    mountinfo : str
        As the kernel writes it (proc(5), /proc/PID/mountinfo).
    folder : Path
        Absolute, without links.
    """
    kinds: dict[Path, str] = {}
    for line in mountinfo.splitlines():
        front, _, behind = line.partition(" - ")
        if len(front.split()) > 4 and behind.split():
            # A blank in a path is written as \040; of mounts at one place the last is on top.
            at = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), front.split()[4])
            kinds[Path(at)] = behind.split()[0]
    kind = next((kinds[each] for each in (folder, *folder.parents) if each in kinds), "")
    return kind if _NETWORK.fullmatch(kind) else None


def _catalogue_findings(file: Path) -> Iterator[Finding]:
    if not file.exists():
        return
    from store.catalogue.migrations import FORMAT_VERSION

    try:
        found = _stored_format(file)
    except sqlite3.Error as error:
        step = "restore the file from a backup, or name another store with --store"
        yield Finding("missing", "catalogue", f"{file} cannot be read: {error}", EVERY_VERB, step)
        return
    yield _format_finding(found, FORMAT_VERSION)


def _stored_format(file: Path) -> int:
    # A folder that cannot be written has no room for SQLite's own files beside it.
    for options in ("mode=ro", "mode=ro&immutable=1"):
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(file.absolute()))}?{options}", uri=True, timeout=5)
            ) as opened:
                row = opened.execute("SELECT max(version) FROM store_format").fetchone()
                return int(row[0] or 0)
        except sqlite3.OperationalError as error:
            is_refused = any(words in str(error) for words in ("unable to open", "readonly"))
            if not is_refused or "immutable" in options:
                raise
    raise sqlite3.OperationalError("unable to open")


def _format_finding(found: int, own: int) -> Finding:
    if found > own:
        return Finding(
            "missing",
            "catalogue",
            f"format {found}; this release reads up to {own}",
            EVERY_VERB,
            "pip install -U radzoo",
        )
    if found < own:
        text = f"format {found}; the first verb that opens it brings it to {own}"
        return Finding("warning", "catalogue", text, EVERY_VERB, "copy the store's folder first")
    return Finding("ok", "catalogue", f"format {found}", EVERY_VERB)


def _server_findings(url: str, root: Path) -> Iterator[Finding]:
    if find_spec("pg8000") is None:
        step = "pip install 'radzoo[postgresql]'"
        yield Finding("missing", "PostgreSQL", "the driver pg8000 is not installed", EVERY_VERB, step)
        return
    from sqlalchemy import inspect, text

    from store.catalogue.connection import catalogue_place, read_transaction, server_engine
    from store.catalogue.migrations import FORMAT_VERSION

    engine = server_engine(url)
    place, step = catalogue_place(engine), f"start the server, or correct the URL in {root / ADDRESS_FILE}"
    if (reason := _unreachable(engine.url.host or "localhost", engine.url.port or 5432)) is not None:
        yield Finding("missing", "PostgreSQL", f"{place} does not answer: {reason}", EVERY_VERB, step)
        return
    with read_transaction(engine) as connection:
        yield Finding("ok", "PostgreSQL", f"{place} answers", EVERY_VERB)
        if inspect(connection).has_table("store_format"):
            found = connection.execute(text("SELECT max(version) FROM store_format")).scalar()
            yield _format_finding(int(found or 0), FORMAT_VERSION)
    engine.dispose()


def _data_findings(url: str, root: Path) -> Iterator[Finding]:
    from store.files import DataFolder

    place = re.sub("//[^@/]*@", "//", url).partition("?")[0]
    step = f"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or correct data in {root / ADDRESS_FILE}"
    options = parse_qs(urlsplit(url).query)
    if endpoint := options.get("endpoint_override", [""])[0]:
        address = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        port = address.port or (80 if options.get("scheme") == ["http"] else 443)
        if (reason := _unreachable(address.hostname or "", port)) is not None:
            yield Finding("missing", "S3", f"{endpoint} does not answer: {reason}", EVERY_VERB, step)
            return
    with tempfile.TemporaryDirectory() as folder:
        try:
            DataFolder(Path(folder), url).size("segments")
        except OSError as error:
            yield Finding("missing", "S3", f"{place}: {str(error).splitlines()[0]}", EVERY_VERB, step)
        else:
            yield Finding("ok", "S3", f"{place} answers", EVERY_VERB)


def _unreachable(host: str, port: int) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return None
    except OSError as error:
        return error.strerror or str(error)


if __name__ == "__main__":
    write_findings(store_findings(Path(sys.argv[1]).absolute()))
