"""What a refresh would do: which extractions are there, which are staged, which must be computed."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from flows.extract.planned import PlannedExtraction, PlannedInput
from flows.privacy.places import located_masks
from flows.refresh.feature_sets import BoundFeatureSet
from flows.refresh.kinds.kind import Dated
from flows.refresh.staged import shared_ids, staging_folder
from schemas.keys import MaskKey
from store.history.snapshot import Snapshot
from store.rows.staging import staged_ids, whole_staged_ids

__all__ = ["RefreshPlan", "refresh_plan"]


@dataclass
class RefreshPlan:
    """The extractions of one feature set that a study asks for, by what has to be done."""

    bound: BoundFeatureSet
    unchanged: list[PlannedExtraction] = field(default_factory=list)
    """In the store, and this study's since an earlier refresh."""
    reused: list[PlannedExtraction] = field(default_factory=list)
    """In the store, computed for another study or under another key."""
    staged: list[PlannedExtraction] = field(default_factory=list)
    """Finished by a run that ended before its commit."""
    known_failures: list[PlannedExtraction] = field(default_factory=list)
    """Failed before on the same image and mask."""
    missing: list[PlannedExtraction] = field(default_factory=list)
    """To be computed."""

    leftovers: set[str] = field(default_factory=set)
    """Extraction ids that are in the store and still staged: a run ended between its commit and tidying up."""
    has_outdated_failures: bool = False
    """Failures are on record of masks that the study no longer has."""

    @property
    def is_current(self) -> bool:
        """Return whether nothing has to be done."""
        return not (self.missing or self.reused or self.staged or self.has_outdated_failures)

    def with_staged(self, staged: Container[str]) -> RefreshPlan:
        """Return the plan where of what was staged only these extractions could be taken over."""
        lost = [each for each in self.staged if each.extraction_id not in staged]
        kept = [each for each in self.staged if each.extraction_id in staged]
        return replace(self, staged=kept, missing=[*self.missing, *lost])

    def missing_by_patient(self) -> list[list[PlannedExtraction]]:
        """Return the missing extractions in batches of one patient, those that take longest first.

        The last ones to be begun are short then, and the workers end at about the same time.
        """
        batches: defaultdict[str, list[PlannedExtraction]] = defaultdict(list)
        for each in self.missing:
            batches[each.key.patient].append(each)
        return sorted(batches.values(), key=self.bound.work, reverse=True)

    def among(self, keys: Container[MaskKey]) -> RefreshPlan:
        """Return the plan for those of its masks that are among these."""

        def kept(those: list[PlannedExtraction]) -> list[PlannedExtraction]:
            return [each for each in those if each.key in keys]

        return replace(
            self,
            unchanged=kept(self.unchanged),
            reused=kept(self.reused),
            staged=kept(self.staged),
            known_failures=kept(self.known_failures),
            missing=kept(self.missing),
        )


def refresh_plan(snapshot: Snapshot, study: str, bound: BoundFeatureSet, *, retry_failed: bool = False) -> RefreshPlan:
    """Return what has to be done for one feature set of a study.

    Parameters
    ----------
    snapshot : Snapshot
        The store as it is.
    study : str
        The study's id.
    bound : BoundFeatureSet
        The feature set.
    retry_failed : bool
        Compute again what failed before on the same image and mask.
    """
    with _without_collection():
        return _planned(snapshot, study, bound, retry_failed)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let Python not look for garbage: of some objects a mask all stay, and looking takes a third of a large plan."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _planned(snapshot: Snapshot, study: str, bound: BoundFeatureSet, retry_failed: bool) -> RefreshPlan:
    plan = RefreshPlan(bound)
    in_store = set(snapshot.column("extractions", "extraction_id", feature_set=bound.feature_set))
    linked = set(snapshot.column("study_extractions", "extraction_id", study=study, feature_set=bound.feature_set))
    folder, shared = staging_folder(snapshot.store, bound), shared_ids(snapshot.store, bound)
    # What a power cut left of one is computed again, and removed where it need not be.
    staged, there = whole_staged_ids(folder) | shared, staged_ids(folder) | shared
    failed_since = {
        MaskKey.of(row): row["added_commit"]
        for row in snapshot.rows("failures", stage="refresh", study=study, feature_set=bound.feature_set, feature="")
    }
    wanted = _wanted(snapshot, study, bound)
    plan.leftovers = there & in_store
    plan.has_outdated_failures = not failed_since.keys() <= {each.key for each, _ in wanted}
    for each, since in wanted:
        if each.extraction_id in linked:
            plan.unchanged.append(each)
        elif each.extraction_id in in_store:
            plan.reused.append(each)
        elif each.extraction_id in staged:
            plan.staged.append(each)
        elif not retry_failed and failed_since.get(each.key, -1) >= since:
            plan.known_failures.append(each)
        else:
            plan.missing.append(each)
    return plan


def _wanted(snapshot: Snapshot, study: str, bound: BoundFeatureSet) -> list[tuple[PlannedExtraction, int]]:
    """Return the study's extractions, each with the commit since which its files are as they are."""
    inputs, settings = _inputs(snapshot, study, bound), bound.definition.settings
    return bound.kind.planned(inputs, settings, bound.study_phases, bound.definition_sha256)


def _inputs(snapshot: Snapshot, study: str, bound: BoundFeatureSet) -> list[Dated]:
    """Return the study's masks that the set reads, each with the commit since which its files are as they are."""
    return [
        (
            PlannedInput(
                key=mask.key,
                image_source=mask.image_source,
                mask_source=mask.mask_source,
                mask_label=mask.mask_label,
                image_sha256=mask.image_sha256,
                mask_sha256=mask.mask_sha256,
                volume_mm3=mask.volume_mm3,
            ),
            mask.since,
        )
        for mask in filter(bound.kind.reads, located_masks(snapshot, study))
    ]
