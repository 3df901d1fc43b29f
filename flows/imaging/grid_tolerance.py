"""How far a mask's grid may lie from its image's: as far as one of the study's feature sets lets it."""

from __future__ import annotations

from flows.imaging.grids import GEOMETRY_TOLERANCE
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import BUILT_IN, FeatureSetRef
from schemas.study.file import Study

__all__ = ["loosest_tolerance", "set_tolerance"]


def loosest_tolerance(study: Study) -> float:
    """Return the tolerance that ingest compares with; each extraction compares with its own set's."""
    settings = []
    for ref in map(FeatureSetRef.parse, study.feature_sets):
        if ref.name in study.define:
            if not study.is_of_network(str(ref)):
                settings.append(study.define[ref.name].settings)
        elif (versions := BUILT_IN.get(ref.name)) and (ref.version or max(versions)) in versions:
            settings.append(versions[ref.version or max(versions)].settings)
    return max((set_tolerance(each) for each in settings), default=GEOMETRY_TOLERANCE)


def set_tolerance(settings: object) -> float:
    """Return the tolerance of a feature set: its setting where it has one."""
    return settings.geometry_tolerance if isinstance(settings, RadiomicsSettings) else GEOMETRY_TOLERANCE
