"""Remote images as files of this machine, for as long as a piece of work needs them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from flows.imaging.image_files import data_files
from flows.imaging.sources import urls_of_source
from flows.imaging.volumes import FetchedCopy
from flows.remote.cache import CopyCache
from flows.remote.faults import BucketError
from flows.remote.objects import ObjectState, fetch, object_state
from schemas.errors import ContractError
from schemas.written.object_urls import object_url

__all__ = ["HeldCopies", "forget_copies", "held_copies"]

_ABSENT = "there is no such object"
_HALVES = (".hdr", ".img", ".hdr.gz", ".img.gz")
"""Names of images in two files."""
_TWO_FILES = (
    "its voxels and its header lie in two files: of a bucket only images in one object are read, such as .nii.gz, "
    ".nrrd and .mha, and folders of DICOM"
)


class HeldCopies:
    """The copies that one piece of work uses; what is asked twice is looked at once.

    After a server that does not answer no other is asked: ``broken`` says what it was.
    """

    def __init__(self) -> None:
        self.broken: BucketError | None = None
        self._cache = CopyCache.of_account(os.environ)
        self._states: dict[str, ObjectState | None] = {}
        self._copies: dict[str, FetchedCopy] = {}
        self._locks: list[int] = []

    def state(self, url: str) -> ObjectState | None:
        """Return what is at a URL, None where nothing is.

        Raises
        ------
        BucketError
            When the server does not answer or refuses.
        ContractError
            When a folder cannot be read as one.
        """
        if self.broken is not None:
            raise self.broken
        if url not in self._states:
            try:
                self._states[url] = object_state(url)
            except BucketError as error:
                self.broken = error
                raise
        return self._states[url]

    def copy(self, url: str) -> FetchedCopy:
        """Return the copy of what is at a URL, fetched where this machine has none; a fault of the object is in it.

        Raises
        ------
        BucketError
            When the server does not answer or refuses.
        RadzooError
            When this machine cannot keep a copy.
        """
        if url not in self._copies:
            try:
                self._copies[url] = self._held(url)
            except BucketError as error:
                self.broken = error
                raise
            except ContractError as error:
                self._copies[url] = FetchedCopy(Path(), "", error.message)
        return self._copies[url]

    def _held(self, url: str) -> FetchedCopy:
        state = self.state(url)
        if state is None:
            raise ContractError(_ABSENT)
        if state.names is None and object_url(url).key.lower().endswith(_HALVES):
            raise ContractError(_TWO_FILES)
        path, lock = self._cache.hold(url, state.stat, state.size, partial(fetch, url, state))
        self._locks.append(lock)
        if not state.is_dicom and data_files(path):
            raise ContractError(_TWO_FILES)
        return FetchedCopy(path, state.stat)

    def release(self) -> None:
        """Give all of them back."""
        for lock in self._locks:
            self._cache.release(lock)
        self._locks.clear()
        self._copies.clear()


@contextmanager
def held_copies(sources: Iterable[str]) -> Iterator[Mapping[str, FetchedCopy]]:
    """Give the copies of what lies in buckets of sources that the catalogue names, by their URLs, held for the block.

    Raises
    ------
    BucketError
        When a server does not answer or refuses; an object that is missing is in its copy's ``fault``.
    RadzooError
        When this machine cannot keep a copy.
    """
    wanted = list(dict.fromkeys(url for each in sources for url in urls_of_source(each)))
    if not wanted:
        yield {}
        return
    held = HeldCopies()
    try:
        yield {url: held.copy(url) for url in wanted}
    finally:
        held.release()


def forget_copies(sources: Iterable[str]) -> int:
    """Remove this machine's copies of sources that the catalogue names and return how many there were."""
    wanted = {url for each in sources for url in urls_of_source(each)}
    if not wanted:
        return 0
    cache = CopyCache.of_account(os.environ)
    found = 0
    for url in wanted:
        with suppress(ContractError, ValueError):
            found += cache.forget(url)
    return found
