"""What a refresh asks of each kind of feature set that is computed from images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flows.extract.planned import PlannedExtraction, PlannedInput
from flows.imaging.volumes import ReadingFolders
from schemas.settings import Engine
from store.commits.commit import Commit
from store.history.study_masks import StudyMask
from store.home import Store

__all__ = ["ComputedKind", "ComputedUnits", "Dated", "Row"]

Row = dict[str, Any]

Dated = tuple[PlannedInput, int]
"""A mask on its scan, and the commit since which their files are as they are."""

ComputedUnits = Callable[[Sequence[Sequence[PlannedExtraction]], Any, Path, ReadingFolders], Iterator[str | None]]
"""Computes and stages units by settings, one after another, and gives why each failed, or None."""

S = TypeVar("S", contravariant=True)
D = TypeVar("D")


class ComputedKind(Protocol[S, D]):
    """A kind of feature set, with settings of type S and definitions of type D."""

    def compute(self, engine: Engine) -> ComputedUnits:
        """Return what is called in a child process: a function of a module, which the child imports."""

    def definition(self, settings: S) -> D:
        """Return what a version of a set with these settings is bound to, on this machine."""

    def deviations(self, settings: S) -> dict[str, str]:
        """Return where the settings depart from IBSI, by identifier."""

    def dictionary_rows(self, feature_set: str, definition: D) -> list[Row]:
        """Return the set's rows of the table ``features``."""

    def reads(self, mask: StudyMask) -> bool:
        """Return whether the set reads a mask."""

    def planned(
        self, inputs: Sequence[Dated], settings: S, study_phases: Sequence[str], definition_sha256: str
    ) -> list[tuple[PlannedExtraction, int]]:
        """Return the extractions of masks, each with the commit since which what it reads is as it is."""

    def work(self, planned: PlannedExtraction) -> float:
        """Return how long an extraction takes, as a multiple of the set's shortest."""

    def units(self, batch: Sequence[PlannedExtraction]) -> list[Sequence[PlannedExtraction]]:
        """Return a batch as the units that fail together."""

    def append_staged(
        self, commit: Commit, store: Store, feature_set: str, definition: D, staging: Path, new: Sequence[str]
    ) -> dict[str, Mapping[str, str]]:
        """Append staged extractions and return, by id, why values of theirs are missing."""
