"""Feature sets: a name, a version and the definition that decides the values.

``name@N`` is bound to the SHA-256 of the canonical definition: extractor, the libraries that change
values, preprocessing, parameters and columns. A changed definition is a new N; a changed description
is not.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from schemas.errors import ContractError, NotFoundError
from schemas.features.names import column_names
from schemas.features.radiomics_settings import CT, HCC_CEMRI, MR, RadiomicsSettings
from schemas.features.region_settings import HCC_REGIONS, RegionSettings
from schemas.keys import sha256_of_json

__all__ = [
    "BUILT_IN",
    "RESERVED_NAMES",
    "BuiltIn",
    "ComputedSettings",
    "FeatureSetDefinition",
    "FeatureSetRef",
    "ImportedDefinition",
    "NetworkDefinition",
    "RegionDefinition",
    "built_in_settings",
]

ComputedSettings = RadiomicsSettings | RegionSettings
"""What a feature set that radzoo computes is asked for by."""


class FeatureSetRef(NamedTuple):
    """A feature set as people write it: ``name`` (newest version) or ``name@N``."""

    name: str
    version: int | None

    @classmethod
    def parse(cls, text: str) -> FeatureSetRef:
        """Return the reference that a text holds.

        Raises
        ------
        ContractError
            When the text is neither ``name`` nor ``name@N``.
        """
        match = re.fullmatch(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?:@([1-9][0-9]*))?", text)
        if match is None:
            raise ContractError(f"'{text}' is no feature set name: lower case, digits and dashes, then @N")
        return cls(match[1], int(match[2]) if match[2] else None)

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


class BuiltIn(NamedTuple):
    """A feature set that ships with radzoo.

    ``modalities`` are those that it is meant for, DICOM's codes; no part of the definition.
    """

    description: str
    settings: ComputedSettings
    modalities: tuple[str, ...] = ()


BUILT_IN: dict[str, dict[int, BuiltIn]] = {
    "hcc-cemri": {
        1: BuiltIn(
            "contrast-enhanced MR: z-score over the whole image times 100, 1 mm isotropic, bin width 5; "
            "original, 8 wavelet bands, LoG 3 and 5 mm",
            HCC_CEMRI,
            ("MR",),
        ),
    },
    "mr": {
        1: BuiltIn(
            "MR of any organ: z-score over the whole image times 100, 1 mm isotropic, bin width 3; "
            "original, 8 wavelet bands, LoG 3 and 5 mm",
            MR,
            ("MR",),
        ),
    },
    "ct": {
        1: BuiltIn(
            "CT of any organ: Hounsfield units as they are, 1 mm isotropic, bin width 25 HU; "
            "original, 8 wavelet bands, LoG 3 and 5 mm",
            CT,
            ("CT",),
        ),
    },
    "hcc-regions": {
        1: BuiltIn(
            "phases registered rigidly to the first; three slices of the largest tumour area, cropped to the tumour "
            "with 10 mm around it, 256 x 256, z-score over the whole image",
            HCC_REGIONS,
            ("MR",),
        ),
    },
}

RESERVED_NAMES = frozenset({"hcc-cemri", "hcc-regions"})
"""Built-in names that a study's own sets cannot have; other built-in sets give way to a study's own."""


def built_in_settings(ref: FeatureSetRef) -> tuple[int, BuiltIn]:
    """Return the version and settings of a built-in feature set.

    Raises
    ------
    NotFoundError
        When no built-in set has this name and version.
    """
    versions = BUILT_IN.get(ref.name, {})
    version = ref.version if ref.version is not None else max(versions, default=0)
    if version not in versions:
        known = ", ".join(f"{name}@{n}" for name, each in BUILT_IN.items() for n in each)
        raise NotFoundError(
            f"no feature set '{ref}'",
            hint=f"built-in sets: {known}; a set of your own is a table [define.{ref.name}] in the study file",
        )
    return version, versions[version]


class _Definition(BaseModel):
    """What a version of a feature set is bound to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> dict[str, Any]:
        """Return the JSON-ready mapping whose canonical text is hashed."""
        return self.model_dump(mode="json")

    @property
    def sha256(self) -> str:
        """Return the definition's hash, to which ``name@N`` is bound."""
        return sha256_of_json(self.canonical())


class FeatureSetDefinition(_Definition):
    """What decides the values of a feature set.

    ``libraries`` holds the versions of the libraries that change values, as the extractor gives them.
    """

    kind: Literal["radiomics"]
    settings: RadiomicsSettings
    libraries: dict[str, str]
    columns: tuple[str, ...]

    @classmethod
    def of_radiomics(cls, settings: RadiomicsSettings, libraries: dict[str, str]) -> FeatureSetDefinition:
        """Return the definition that radiomics settings and library versions make."""
        columns = column_names(settings.image_types(), settings.families)
        return cls(kind="radiomics", settings=settings, libraries=libraries, columns=columns)

    @property
    def width(self) -> int:
        """Return how many numbers a row has."""
        return len(self.columns)


class RegionDefinition(_Definition):
    """What decides the arrays of a set of regions."""

    kind: Literal["regions"] = "regions"
    settings: RegionSettings
    libraries: dict[str, str]

    @property
    def width(self) -> int:
        """Return how many numbers a region has."""
        slices, rows, columns = self.settings.shape
        return slices * rows * columns


class NetworkDefinition(_Definition):
    """What decides the embeddings that a network from a file makes of regions.

    ``file_sha256`` is the file's content, wherever it lies; ``regions_sha256`` the definition of the regions.
    """

    kind: Literal["embedding"] = "embedding"
    settings: dict[str, Any]
    file_sha256: str
    regions_sha256: str
    libraries: dict[str, str]


class ImportedDefinition(_Definition):
    """What a table from elsewhere is: its values are data, and a changed one supersedes a row, not the version."""

    kind: Literal["imported"] = "imported"
    source: str
    columns: tuple[str, ...]
    """The features' names as the table has them, but for the phases' prefixes."""
    phases: dict[str, str]
    """Each phase's prefix, where phases stand side by side in the table."""
