"""Sets of regions: an exam's phases are registered and cropped together, an array a phase, for networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.extract.planned import PlannedExtraction
from flows.extract.region_batch import crop_units, exam_units
from flows.imaging.register import registration_versions
from flows.refresh.kinds.kind import ComputedUnits, Dated, Row
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import RegionDefinition
from schemas.keys import extraction_id, joint_context
from schemas.settings import Engine
from store.commits.commit import Commit
from store.commits.writer import add_segment
from store.history.study_masks import StudyMask
from store.home import Store
from store.rows.region_record import RegionRecord
from store.rows.regions import write_regions
from store.rows.segments import Segment
from store.rows.staging import staged_as

__all__ = ["RegionsKind"]

_SEGMENT_BYTES = 256 * 2**20  # arrays that one writer holds in memory at a time


class RegionsKind:
    """The voxels around a lesion that networks read."""

    def compute(self, engine: Engine) -> ComputedUnits:
        """Return what registers and crops; it calculates no features."""
        return crop_units

    def definition(self, settings: RegionSettings) -> RegionDefinition:
        """Return the definition, with the versions of what registers."""
        return RegionDefinition(settings=settings, libraries=registration_versions(settings.registration))

    def deviations(self, settings: RegionSettings) -> dict[str, str]:
        """Return none: IBSI says nothing of images for networks."""
        return {}

    def dictionary_rows(self, feature_set: str, definition: RegionDefinition) -> list[Row]:
        """Return none: a region's numbers are voxels."""
        return []

    def reads(self, mask: StudyMask) -> bool:
        """Return whether models read the mask: a repeated reading is of no use to a network."""
        return mask.is_primary

    def planned(
        self, inputs: Sequence[Dated], settings: RegionSettings, study_phases: Sequence[str], definition_sha256: str
    ) -> list[tuple[PlannedExtraction, int]]:
        """Return the extractions of which an exam's phases are computed together, one lesion at a time."""
        phases = settings.ordered_phases(tuple(study_phases))
        units: defaultdict[tuple[str, str, str], dict[str, Dated]] = defaultdict(dict)
        for each, since in inputs:
            units[each.key.patient, each.key.exam, each.key.lesion][each.key.phase] = each, since
        wanted = []
        for unit in units.values():
            there = [unit[phase] for phase in phases if phase in unit]
            together = tuple(each for each, _ in there)
            context = joint_context([each.content for each in together]) if together else ""
            # A phase that arrives later, or changes, is reason enough to try all of them again.
            since = max((commit for _, commit in there), default=0)
            for each in together:
                planned = PlannedExtraction(
                    **vars(each),
                    extraction_id=extraction_id(*each.content, definition_sha256, context),
                    context_sha256=context,
                    together=together,
                    absent_phases=tuple(phase for phase in phases if phase not in unit),
                )
                wanted.append((planned, since))
        return wanted

    def work(self, planned: PlannedExtraction) -> float:
        """Return that all take alike: scans are registered, whatever the lesion."""
        return 1.0

    def units(self, batch: Sequence[PlannedExtraction]) -> list[Sequence[PlannedExtraction]]:
        """Return a batch exam by exam."""
        return exam_units(batch)

    def append_staged(
        self,
        commit: Commit,
        store: Store,
        feature_set: str,
        definition: RegionDefinition,
        staging: Path,
        new: Sequence[str],
    ) -> dict[str, Mapping[str, str]]:
        """Append staged regions as segments that memory can hold; a region lacks no values."""

        def segment_of(regions: Sequence[RegionRecord]) -> Segment:
            return write_regions(store.segments, feature_set, definition.width, regions)

        at_once = max(1, _SEGMENT_BYTES // (2 * definition.width))
        for start in range(0, len(new), at_once):
            part = new[start : start + at_once]
            add_segment(commit, feature_set, [staged_as(RegionRecord, staging, each) for each in part], segment_of)
        return {}
