"""What a stored feature set is meant for, and how its settings make its values: for whoever looks at it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import ContractError
from schemas.features.ibsi_departures import aggregation_of, preparation_departures
from schemas.features.names import FeatureName
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetRef
from schemas.study.file import Study
from schemas.study.intended_use import intended_modalities, modality_warnings
from store.history.snapshot import Snapshot
from store.kinds.every import RADIOMICS, kind_of

__all__ = ["SetUse", "column_preparation", "set_use"]


@dataclass(frozen=True)
class SetUse:
    """What a feature set is meant for, and whether the studies that ask for it have such images."""

    modalities: list[str]
    """DICOM's codes, built in or declared by a study; none where nobody declares any."""
    warnings: list[str]
    """Where a phase of a study is declared to be of another modality."""
    aggregation: dict[str, str]
    """IBSI's code of how texture matrices are gathered, by family."""


def set_use(snapshot: Snapshot, row: Mapping[str, Any]) -> SetUse:
    """Return what a feature set is meant for.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The set's row of the table ``feature_sets``.
    """
    modalities: dict[str, None] = {}
    warnings: list[str] = []
    for each in snapshot.rows("studies"):
        study = Study.model_validate_json(each["definition"])
        for asked in study.feature_sets:
            if FeatureSetRef.parse(asked) in ((row["name"], None), (row["name"], row["version"])):
                modalities |= dict.fromkeys(intended_modalities(study, asked))
                warnings += [f"study {study.id}: {warning}" for warning in modality_warnings(study, asked)]
    settings = _radiomics_settings(row)
    return SetUse(list(modalities), warnings, aggregation_of(settings) if settings else {})


def column_preparation(row: Mapping[str, Any], column: str) -> list[str]:
    """Return the identifiers of what takes a column's values away from IBSI's before it is calculated.

    Parameters
    ----------
    row : mapping
        The set's row of the table ``feature_sets``; its ``deviations`` say what each identifier means.
    column : str
        One of its columns.
    """
    settings = _radiomics_settings(row)
    try:
        return list(preparation_departures(settings, FeatureName.parse(column))) if settings else []
    except ContractError:  # a name from elsewhere
        return []


def _radiomics_settings(row: Mapping[str, Any]) -> RadiomicsSettings | None:
    if kind_of(row) is not RADIOMICS:
        return None
    written = json.loads(row["definition"]).get("settings") or {}
    # A definition of another release may hold settings that this one does not know.
    return RadiomicsSettings.model_validate({k: v for k, v in written.items() if k in RadiomicsSettings.model_fields})
