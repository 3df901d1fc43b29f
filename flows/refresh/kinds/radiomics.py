"""Radiomics feature sets: one extraction a mask, one column a feature, judged by IBSI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from flows.extract.batch import extract_units, mask_units
from flows.extract.planned import PlannedExtraction
from flows.extract.radiomics import library_versions
from flows.refresh.kinds.described import described_feature
from flows.refresh.kinds.kind import ComputedUnits, Dated, Row
from schemas.features.ibsi_departures import calculation_departures, departures
from schemas.features.ibsi_deviations import DEVIATIONS
from schemas.features.names import FeatureName
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from schemas.keys import extraction_id, phase_context
from schemas.settings import Engine
from store.commits.commit import Commit
from store.commits.writer import add_segment
from store.history.study_masks import StudyMask
from store.home import Store
from store.rows.segments import write_segment
from store.rows.staging import staged_record

__all__ = ["RadiomicsKind"]


_VOLUME_MM3 = 40_000.0
"""What takes as long to calculate as the rest of an extraction, at 1 mm."""


class RadiomicsKind:
    """What pyradiomics calculates of a mask."""

    def compute(self, engine: Engine) -> ComputedUnits:
        """Return what extracts masks by an engine."""
        return partial(extract_units, engine=engine)

    def definition(self, settings: RadiomicsSettings) -> FeatureSetDefinition:
        """Return the definition, with the versions of the libraries that change values."""
        return FeatureSetDefinition.of_radiomics(settings, library_versions())

    def deviations(self, settings: RadiomicsSettings) -> dict[str, str]:
        """Return where the set departs from IBSI: what its settings bring, and nothing else."""
        return departures(settings)

    def dictionary_rows(self, feature_set: str, definition: FeatureSetDefinition) -> list[Row]:
        """Return a row for each column, with IBSI code, unit and definition."""
        rows: list[Row] = []
        for position, column in enumerate(definition.columns):
            feature = FeatureName.parse(column)
            brought = calculation_departures(definition.settings, feature.family, feature.name)
            judged = {
                "ibsi_compliant": int(not brought),
                "deviation": " ".join(DEVIATIONS[each] for each in brought) or None,
            }
            rows.append({"feature_set": feature_set, "position": position} | described_feature(column) | judged)
        return rows

    def reads(self, mask: StudyMask) -> bool:
        """Return that every mask is read: repeated readings tell how stable a feature is."""
        return True

    def planned(
        self, inputs: Sequence[Dated], settings: RadiomicsSettings, study_phases: Sequence[str], definition_sha256: str
    ) -> list[tuple[PlannedExtraction, int]]:
        """Return an extraction for each mask; on a standard scale its phase is part of what it is."""
        planned = []
        for each, since in inputs:
            context = phase_context(each.key.phase) if settings.standardize else None
            identity = extraction_id(*each.content, definition_sha256, context or "")
            planned.append((PlannedExtraction(**vars(each), extraction_id=identity, context_sha256=context), since))
        return planned

    def work(self, planned: PlannedExtraction) -> float:
        """Return how long a mask takes: something for each, and then by the volume (docs/benchmarks.md)."""
        return 1 + planned.volume_mm3 / _VOLUME_MM3

    def units(self, batch: Sequence[PlannedExtraction]) -> list[Sequence[PlannedExtraction]]:
        """Return a batch mask by mask."""
        return mask_units(batch)

    def append_staged(
        self,
        commit: Commit,
        store: Store,
        feature_set: str,
        definition: FeatureSetDefinition,
        staging: Path,
        new: Sequence[str],
    ) -> dict[str, Mapping[str, str]]:
        """Append staged extractions as one segment and return, by id, why features of theirs have no value."""
        records = [staged_record(staging, identity) for identity in new]
        features = partial(write_segment, store.segments, feature_set, definition.columns)
        add_segment(commit, feature_set, records, features)
        return {record.extraction_id: record.unavailable for record in records}
