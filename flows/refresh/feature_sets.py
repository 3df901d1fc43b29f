"""Which feature sets a study asks for, bound to name@version, with their rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.extract.planned import PlannedExtraction
from flows.refresh.kinds.every import computed_kind
from flows.refresh.kinds.kind import ComputedKind, Row
from schemas.errors import ContractError, NotFoundError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import (
    RESERVED_NAMES,
    FeatureSetDefinition,
    FeatureSetRef,
    RegionDefinition,
    built_in_settings,
)
from schemas.keys import canonical_json
from schemas.study.file import Study
from store.dictionary.versions import version_of
from store.history.snapshot import Snapshot

__all__ = [
    "BoundFeatureSet",
    "bound_feature_sets",
    "requested_feature_sets",
    "settled_version",
]


@dataclass(frozen=True)
class BoundFeatureSet:
    """A feature set whose version is settled."""

    name: str
    version: int
    description: str
    definition: FeatureSetDefinition | RegionDefinition
    definition_sha256: str
    study_phases: tuple[str, ...] = ()
    """The phases of the study that asks, in its order; no part of the definition."""

    @property
    def feature_set(self) -> str:
        """Return ``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def kind(self) -> ComputedKind[Any, Any]:
        """Return what computes sets of its kind."""
        return computed_kind(self.definition.settings)

    def work(self, planned: Iterable[PlannedExtraction]) -> float:
        """Return how long extractions take, as a multiple of the set's shortest."""
        return sum(map(self.kind.work, planned))

    def catalogue_row(self) -> Row:
        """Return the row of the table ``feature_sets``."""
        return {
            "feature_set": self.feature_set,
            "name": self.name,
            "version": self.version,
            "kind": self.definition.kind,
            "features": self.definition.width,
            "description": self.description,
            "definition": canonical_json(self.definition.canonical()),
            "definition_sha256": self.definition_sha256,
            "deviations": canonical_json(self.kind.deviations(self.definition.settings)),
        }

    def dictionary_rows(self) -> list[Row]:
        """Return the rows of the table ``features``; a set whose numbers have no names has none."""
        return self.kind.dictionary_rows(self.feature_set, self.definition)


def bound_feature_sets(study: Study, snapshot: Snapshot, only: str | None = None) -> list[BoundFeatureSet]:
    """Return the feature sets that are computed from a study's images, each bound to its version in this store.

    Parameters
    ----------
    study : Study
        The study.
    snapshot : Snapshot
        The store, which knows the versions in use.
    only : str, optional
        One of the study's feature sets, ``name`` or ``name@N``.

    Raises
    ------
    ContractError
        When ``name@N`` is bound to another definition: other parameters or other library versions.
    NotFoundError
        When the study asks for a set that nobody defines.
    """
    stored = snapshot.rows("feature_sets")
    # What a network makes of regions is bound when the regions are there.
    return [
        _bound(ref, study, stored) for ref in requested_feature_sets(study, only) if not study.is_of_network(str(ref))
    ]


def requested_feature_sets(study: Study, only: str | None = None) -> list[FeatureSetRef]:
    """Return the feature sets that a study file asks for, or the one of them that is named.

    Raises
    ------
    NotFoundError
        When it does not ask for that one.
    """
    asked = [FeatureSetRef.parse(text) for text in study.feature_sets]
    if only is None:
        return asked
    wanted = FeatureSetRef.parse(only)
    asked = [ref for ref in asked if ref.name == wanted.name and wanted.version in (None, ref.version)]
    if not asked:
        raise NotFoundError(
            f"study '{study.id}' does not ask for feature set '{only}'",
            hint=f"it asks for {', '.join(study.feature_sets) or 'none'}; add it to feature_sets and ingest again",
        )
    return asked


def _bound(ref: FeatureSetRef, study: Study, stored: list[Row]) -> BoundFeatureSet:
    if ref.name in study.define:
        own = study.define[ref.name]
        settings, description, version = own.settings, own.description, ref.version
        if ref.name in RESERVED_NAMES:
            raise ContractError(
                f"[define.{ref.name}] takes the name of a built-in feature set",
                hint="give your feature set another name",
            )
    else:
        version, built_in = built_in_settings(ref)
        settings, description = built_in.settings, built_in.description
    if isinstance(settings, RadiomicsSettings):
        _refuse_unlearnt(ref.name, study, settings)
    definition = computed_kind(settings).definition(settings)
    number = settled_version(ref._replace(version=version), definition.sha256, definition.libraries, stored)
    return BoundFeatureSet(ref.name, number, description, definition, definition.sha256, tuple(study.phases))


def _refuse_unlearnt(name: str, study: Study, settings: RadiomicsSettings) -> None:
    """Refuse a set that brings phases to a standard scale which nobody has learnt yet."""
    lacking = [phase for phase in study.phases if settings.standardize and settings.landmarks_of(phase) is None]
    if lacking:
        raise ContractError(
            f"feature set '{name}' standardizes intensities and has no landmarks of phase {', '.join(lacking)}",
            where=f"study '{study.id}'",
            hint=f"radzoo features landmarks {name} --study {study.id} learns them from training patients: append what "
            "it prints to the study file and ingest again",
        )


def settled_version(ref: FeatureSetRef, digest: str, libraries: Mapping[str, str], stored: Sequence[Row]) -> int:
    """Return the number that a definition has, or gets, among the versions of its name.

    Parameters
    ----------
    ref : FeatureSetRef
        As asked for; without a version it is that of the same definition, or a new one.
    digest : str
        The definition's hash.
    libraries : mapping of str to str
        The versions that are part of it.
    stored : sequence of dict
        Rows of ``feature_sets``.

    Raises
    ------
    ContractError
        When the version asked for is bound to another definition.
    """
    versions = [row for row in stored if row["name"] == ref.name]
    if ref.version is None:
        return version_of(digest, versions)
    if any(row["version"] == ref.version and row["definition_sha256"] != digest for row in versions):
        here = ", ".join(f"{name} {number}" for name, number in libraries.items())
        raise ContractError(
            f"'{ref}' of this store was made by another definition or other library versions",
            where=f"here: {here}",
            hint=f"radzoo sql \"select definition from feature_sets where feature_set = '{ref}'\" "
            "shows the stored one; install those versions, or define a set of another name",
        )
    return ref.version
