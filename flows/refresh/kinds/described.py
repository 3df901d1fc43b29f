"""What a feature's column name tells of it."""

from __future__ import annotations

from flows.refresh.kinds.kind import Row
from schemas.errors import ContractError, NotFoundError
from schemas.features.ibsi import definition_of
from schemas.features.names import FeatureName

__all__ = ["described_feature"]


def described_feature(column: str) -> Row:
    """Return what a column's name alone tells of it, as columns of ``features``.

    A name that pyradiomics would give tells image type and family, and with the dictionary IBSI code, unit and
    definition; any other name is only a name.
    """
    try:
        feature = FeatureName.parse(column)
    except ContractError:
        return {"feature": column, "name": column, "unit": "", "definition": ""}
    parts = {"feature": column, "image_type": feature.image_type, "family": feature.family, "name": feature.name}
    try:
        entry = definition_of(feature.family, feature.name)
    except NotFoundError:  # not among those that pyradiomics computes by default
        return parts | {"unit": "", "definition": ""}
    return parts | {"ibsi_id": entry.ibsi_id, "unit": entry.unit, "definition": entry.definition}
