"""Staged extractions where a store's data are a bucket: what one machine has finished another one takes over.

Each machine stages in its own folder, and its runs read that alone. A finished extraction lies in the bucket as well
until it is committed, under the same name. It is no part of any snapshot: whoever loses it computes it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from store.files import DataFolder
from store.home import Store
from store.rows.staging import stage_content, whole_staged_ids

__all__ = ["SharedStaging", "old_shared", "shared_records", "shared_staging"]

_STAGING = "staging"
_KEPT = timedelta(days=14)


class SharedStaging:
    """The finished extractions of one feature set in a store's bucket; nothing where its data are local.

    Parameters
    ----------
    store : Store
        The store.
    name : str
        Of the folder of one definition.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._local = store.staging / name
        self._bucket = store.files.below(_STAGING).below(name) if store.files.is_remote else None

    def ids(self) -> set[str]:
        """Return the extraction ids that are in the bucket.

        Raises
        ------
        NotFoundError, ContractError, OSError
            When the bucket's server does not answer or refuses.
        """
        if self._bucket is None:
            return set()
        return {path.removesuffix(".json") for path in self._bucket.paths() if "/" not in path}

    def share(self, extraction_ids: Iterable[str]) -> None:
        """Bring what this machine has finished into the bucket.

        Raises
        ------
        NotFoundError, ContractError, OSError
            When the bucket's server does not answer or refuses.
        """
        if self._bucket is not None:
            for each in extraction_ids:
                self._bucket.upload(self._local / f"{each}.json", f"{each}.json")

    def take_over(self, extraction_ids: Iterable[str]) -> set[str]:
        """Stage here what is wanted of the bucket, and return what is staged here then.

        What is no record of its name, or went meanwhile, is left out.

        Raises
        ------
        NotFoundError, ContractError, OSError
            When the bucket's server does not answer or refuses.
        """
        wanted = set(extraction_ids)
        here = wanted & whole_staged_ids(self._local)
        if self._bucket is None:
            return here
        for each in sorted(wanted - here):
            content = _content(self._bucket, f"{each}.json")
            if content is not None and _record(content).get("extraction_id") == each:
                stage_content(self._local, each, content)
                here.add(each)
        return here

    def discard(self, extraction_ids: Iterable[str]) -> None:
        """Remove from the bucket what a commit has taken over.

        Raises
        ------
        NotFoundError, ContractError, OSError
            When the bucket's server does not answer or refuses.
        """
        if self._bucket is not None:
            for each in sorted(set(extraction_ids) & self.ids()):
                self._bucket.remove(f"{each}.json")


def shared_staging(store: Store) -> DataFolder | None:
    """Return the part of a store's bucket that has staged extractions; None where its data are local."""
    return store.files.below(_STAGING) if store.files.is_remote else None


def shared_records(folder: DataFolder) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and content of each staged extraction in a bucket; an empty one where it is no JSON object."""
    for path in folder.paths():
        if (content := _content(folder, path)) is not None:
            yield path, _record(content)


def old_shared(folder: DataFolder, now: datetime) -> Iterator[str]:
    """Yield the paths of staged extractions that nobody has taken over for two weeks."""
    for path in folder.paths():
        if now - (folder.written_at(path) or datetime.now(UTC)) > _KEPT:
            yield path


def _content(folder: DataFolder, path: str) -> bytes | None:
    try:
        with folder.opened(path) as stream:
            content: bytes = stream.read()
    except FileNotFoundError:
        return None
    return content


def _record(content: bytes) -> dict[str, Any]:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
