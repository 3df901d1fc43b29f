"""The kind of a feature set that is computed from images, by its settings."""

from __future__ import annotations

from typing import Any

from flows.refresh.kinds.kind import ComputedKind
from flows.refresh.kinds.radiomics import RadiomicsKind
from flows.refresh.kinds.regions import RegionsKind
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import ComputedSettings

__all__ = ["computed_kind"]

_KINDS: dict[type, ComputedKind[Any, Any]] = {RadiomicsSettings: RadiomicsKind(), RegionSettings: RegionsKind()}


def computed_kind(settings: ComputedSettings) -> ComputedKind[Any, Any]:
    """Return the kind of the feature sets that have settings of this type."""
    return _KINDS[type(settings)]
