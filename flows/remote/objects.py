"""Objects of buckets: what is at a URL, without its content, and how it gets here."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flows.imaging.dicom.files import MOST_FILES
from flows.imaging.formats.kinds import is_dicom
from flows.remote.faults import bucket_faults, cache_faults
from schemas.errors import ContractError
from schemas.written.object_urls import object_url
from store.remote_folder import remote_folder

if TYPE_CHECKING:
    import pyarrow.fs as pafs

__all__ = ["ObjectState", "fetch", "names_below", "object_state"]

_NIFTI_ENDINGS = (".nii", ".nii.gz")
_HEAD = 132
_CHUNK = 8 << 20
_AT_ONCE = 8
"""Objects of a folder that are fetched at the same time: each has the way to the server and back."""


class ObjectState(NamedTuple):
    """What is at a URL: one object, or a folder of them."""

    stat: str
    """What changes when it changes: size and ETag; of a folder the count and a hash over names, sizes and times."""
    size: int
    """In bytes, of all objects."""
    is_dicom: bool
    """Whether it is read as DICOM: a folder, or an object that begins as DICOM does."""
    names: tuple[str, ...] | None = None
    """Of a folder the keys of its objects, without what they have in common; None of one object."""


_lock = threading.Lock()
_servers: dict[str, pafs.FileSystem] = {}


def _server(url: str) -> pafs.FileSystem:
    """Return what reads a URL's bucket: opened once in a process."""
    server = object_url(url).server
    with _lock:
        if server not in _servers:
            _servers[server] = remote_folder(server)[0]
        return _servers[server]


def object_state(url: str) -> ObjectState | None:
    """Return what is at a URL, None where nothing is.

    Raises
    ------
    BucketError
        When the server does not answer or refuses.
    ContractError
        When a folder has more objects than are read, or one whose key is no path.
    """
    place = object_url(url).place
    with bucket_faults(url):
        filesystem = _server(url)
        try:
            with filesystem.open_input_file(place) as opened:
                said, size = opened.metadata(), opened.size()
                mark = said.get("ETag") or said.get("Last-Modified") or b""
                head = b"" if _is_named_nifti(place) else opened.read_at(min(_HEAD, size), 0)
            return ObjectState(f"{size}:{mark.decode(errors='replace').strip(chr(34))}", size, is_dicom(head))
        except FileNotFoundError:
            # An image's name is no folder's: a missing one is not looked for twice.
            return None if _is_named_nifti(place) else _folder_state(filesystem, place, url)


def _is_named_nifti(place: str) -> bool:
    return place.lower().endswith(_NIFTI_ENDINGS)


def _folder_state(filesystem: pafs.FileSystem, place: str, url: str) -> ObjectState | None:
    import pyarrow.fs as pafs

    found = filesystem.get_file_info(pafs.FileSelector(place, allow_not_found=True, recursive=True))
    objects = sorted((each for each in found if each.is_file), key=lambda each: each.path)
    if not objects:
        return None
    if len(objects) > MOST_FILES:
        raise ContractError(f"has more than {MOST_FILES} objects: name the folder of one examination", where=url)
    digest = hashlib.sha256()
    names = []
    for each in objects:
        name = each.path.removeprefix(f"{place}/")
        # A key may be any text, and becomes a path of this machine.
        if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
            raise ContractError("has an object whose key is no path of a file", where=url)
        names.append(name)
        digest.update(f"{name}\0{each.size}:{each.mtime_ns}\0".encode(errors="surrogateescape"))
    size = sum(each.size for each in objects)
    return ObjectState(f"{len(objects)}+{digest.hexdigest()[:16]}", size, is_dicom=True, names=tuple(names))


def fetch(url: str, state: ObjectState, into: Path) -> None:
    """Write what is at a URL to this machine: a file, or a folder of files.

    Raises
    ------
    BucketError
        When the server does not answer or refuses.
    ContractError
        When it changes meanwhile, or is gone.
    RadzooError
        When this machine's disk refuses.
    """
    place = object_url(url).place
    try:
        if state.names is None:
            _fetch_object(url, place, into)
        else:
            _fetch_folder(url, place, state.names, into)
        now = object_state(url)
    except FileNotFoundError:
        now = None
    if now != state:
        raise ContractError("it changes while it is fetched: wait until it is written, and run the command again")


def _fetch_folder(url: str, place: str, names: Sequence[str], into: Path) -> None:
    with cache_faults(into):
        for folder in sorted({(into / name).parent for name in names}):
            folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for _ in threads.map(lambda name: _fetch_object(url, f"{place}/{name}", into / name), names):
            pass


def _fetch_object(url: str, place: str, into: Path) -> None:
    with bucket_faults(url):
        source = _server(url).open_input_file(place)
    with source:
        with cache_faults(into):
            sink = into.open("wb")
        with sink:
            while True:
                with bucket_faults(url):
                    chunk = source.read(_CHUNK)
                if not chunk:
                    return
                with cache_faults(into):
                    sink.write(chunk)
                    sink.flush()


def names_below(url: str, place: str) -> list[tuple[str, bool]]:
    """Return the names that are right below a folder of a bucket, each with whether it is a folder.

    Parameters
    ----------
    url : str
        Any URL of the bucket.
    place : str
        Bucket and key of the folder, as a path.

    Raises
    ------
    BucketError
        When the server does not answer or refuses.
    """
    import pyarrow.fs as pafs

    with bucket_faults(url):
        found = _server(url).get_file_info(pafs.FileSelector(place, allow_not_found=True))
    return sorted((each.base_name, not each.is_file) for each in found)
