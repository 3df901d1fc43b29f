"""What a study's path patterns give: files beside it, or what lies in buckets, found alike."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from flows.imaging.opened_files import is_absent, shown_below
from flows.imaging.sources import RemoteFile, Source, image_source, mask_source
from flows.remote.copies import HeldCopies
from schemas.errors import ContractError
from schemas.study.cohort import Phase
from schemas.study.path_patterns import filled_pattern
from schemas.written.object_urls import is_url, shown_url

__all__ = ["NamedFile", "StudyFiles"]


class NamedFile(NamedTuple):
    """What a path pattern gives."""

    file: Path
    """Of a URL a path that ends as its key does."""
    url: str | None = None


class StudyFiles:
    """The images and masks of a study.

    Parameters
    ----------
    folder : Path
        Where the study file lies; patterns that are no URLs are relative to it.
    copies : HeldCopies
        Of what lies in buckets.
    """

    def __init__(self, folder: Path, copies: HeldCopies) -> None:
        self.folder = folder
        self._copies = copies

    def named(self, pattern: str, values: Mapping[str, str | int]) -> NamedFile:
        """Return what a pattern gives, with values for its fields."""
        filled = filled_pattern(pattern, values)
        return NamedFile(Path(shown_url(filled)), filled) if is_url(filled) else NamedFile(self.folder / filled)

    def is_absent(self, named: NamedFile) -> bool:
        """Return whether there is nothing at all: neither what can be read nor what cannot."""
        if named.url is None:
            return is_absent(named.file)
        with suppress(ContractError):
            return self._copies.state(named.url) is None
        return False

    def shown(self, named: NamedFile) -> str:
        """Return how messages name it: below the study's folder, or as a URL."""
        return shown_below(named.file, self.folder) if named.url is None else shown_url(named.url)

    def image(self, named: NamedFile, phase: Phase) -> Source:
        """Return the source of a phase's image.

        Raises
        ------
        ContractError
            As `image_source` says, and when what lies in a bucket cannot be read.
        """
        return image_source(named.file, phase, self._remote(named))

    def mask(self, named: NamedFile, phase: Phase, values: Mapping[str, str | int]) -> Source:
        """Return the source of a phase's mask.

        Raises
        ------
        ContractError
            As `mask_source` says, and when what lies in a bucket cannot be read.
        """
        return mask_source(named.file, phase, values, self._remote(named))

    def _remote(self, named: NamedFile) -> RemoteFile | None:
        if named.url is None:
            return None
        state = self._copies.state(named.url)
        return RemoteFile(named.url, state.stat if state else None, state is not None and state.is_dicom)

    def here(self, source: Source) -> Source:
        """Return a source as a child process can read it: with copies, fetched now, of what lies in buckets.

        Raises
        ------
        ContractError
            When there is no such object, or its bucket's server does not answer.
        """
        return source.at({url: self._copies.copy(url) for url in source.urls})
