"""What would follow from a verb: what is computed, what becomes stale, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Estimate", "Plan", "PlannedSet", "StaleDataset", "StaleModel", "StaleReport"]


@dataclass(frozen=True)
class PlannedSet:
    """The extractions of a feature set that a refresh would bring."""

    feature_set: str
    computed: int
    reused: int
    """Taken from what another study or an interrupted run had computed."""


@dataclass(frozen=True)
class StaleModel:
    """A model that ``radzoo train`` looks at again, for it reads something else than when it was trained."""

    study: str
    model: str
    version: int
    """The newest one."""
    because: tuple[str, ...]
    """The parts that differ: patients, clinical, features, settings, libraries (view ``changed_inputs``)."""
    is_stale_already: bool
    """Whether it is so without what is planned."""


@dataclass(frozen=True)
class StaleDataset:
    """A pinned dataset that the store would no longer give."""

    dataset_id: str
    study: str
    models: tuple[str, ...]
    """The stale models that were trained on it."""


@dataclass(frozen=True)
class StaleReport:
    """A study's report in the store's folder that was made from an earlier commit."""

    study: str
    file: Path
    commit_id: int
    """The commit that it was made from."""


@dataclass(frozen=True)
class Estimate:
    """How long a step takes, from what earlier runs of this store took."""

    step: str
    seconds: float | None
    """None where no run has measured it: nothing is guessed."""
    measured: str
    """What the rate is from, in words, or why there is none."""


@dataclass(frozen=True)
class Plan:
    """What would follow, in the order of the verbs: refresh, train, report."""

    study: str
    sets: tuple[PlannedSet, ...]
    models: tuple[StaleModel, ...]
    untrained: tuple[str, ...]
    """Models of the study's file that were never trained; one that could not be fitted is not among them."""
    untold: tuple[str, ...]
    """Models, STUDY/MODEL, of which it is not known: an earlier release trained them, and radzoo train looks."""
    datasets: tuple[StaleDataset, ...]
    reports: tuple[StaleReport, ...]
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...] = ()
    """What could not be planned, and why."""

    @property
    def extractions(self) -> int:
        """Return how many extractions would be computed."""
        return sum(each.computed for each in self.sets)

    @property
    def is_stale(self) -> bool:
        """Return whether a verb would compute something: extractions or models."""
        return bool(self.models or self.untrained or any(each.computed or each.reused for each in self.sets))

    @property
    def seconds(self) -> float | None:
        """Return how long all of it takes, None where a part was never measured."""
        known = [each.seconds for each in self.estimates if each.seconds is not None]
        return sum(known) if len(known) == len(self.estimates) else None
