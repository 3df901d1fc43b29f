"""The dictionary of the 107 features that pyradiomics 3.0.1 computes by default, tied to IBSI-1.

The entries lie in one module per kind of feature; here they are joined. The deviations are described in
`schemas.features.ibsi_deviations`; `schemas.features.ibsi_departures` tells which settings bring which.

Sources
-------
Zwanenburg A et al., The Image Biomarker Standardization Initiative, Radiology 295:328 (2020),
doi:10.1148/radiol.2020191145, and its reference manual, arXiv:1612.07003. van Griethuysen JJM et al.,
Cancer Research 77:e104 (2017), doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.errors import NotFoundError
from schemas.features.ibsi_definition import FeatureDefinition
from schemas.features.ibsi_glcm import GLCM
from schemas.features.ibsi_neighbours import GLDM, NGTDM
from schemas.features.ibsi_runs_zones import GLRLM, GLSZM
from schemas.features.ibsi_shape_firstorder import FIRSTORDER, SHAPE

__all__ = [
    "FEATURES",
    "FeatureDefinition",
    "definition_of",
]

# The order is that in which RadiomicsFeatureExtractor yields families and features: column names rely on it.
FEATURES: Final[Mapping[str, tuple[FeatureDefinition, ...]]] = MappingProxyType(
    {
        "shape": SHAPE,
        "firstorder": FIRSTORDER,
        "glcm": GLCM,
        "gldm": GLDM,
        "glrlm": GLRLM,
        "glszm": GLSZM,
        "ngtdm": NGTDM,
    }
)

_BY_KEY: Final = {(entry.family, entry.name): entry for entries in FEATURES.values() for entry in entries}


def definition_of(family: str, name: str) -> FeatureDefinition:
    """Return the dictionary's entry for one feature.

    Parameters
    ----------
    family : str
        pyradiomics' feature class, such as ``glcm``.
    name : str
        pyradiomics' feature name, such as ``Idm``.

    Returns
    -------
    FeatureDefinition

    Raises
    ------
    NotFoundError
        If pyradiomics 3.0.1 does not compute that feature by default.
    """
    entry = _BY_KEY.get((family, name))
    if entry is None:
        known = ", ".join(each.name for each in FEATURES.get(family, ())) or ", ".join(FEATURES)
        raise NotFoundError(
            f"pyradiomics computes no feature '{name}' in a family '{family}' by default",
            where=f"{family}_{name}",
            hint=f"choose one of: {known}",
        )
    return entry
