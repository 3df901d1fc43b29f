"""What a fitted model learned, as it is stored in JSON: the column ``summary`` of the table ``models``."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "CensoringRecord",
    "ExcludedFactorRecord",
    "FactorEffectRecord",
    "FeatureWeight",
    "MemberWeight",
    "ModelSummary",
    "NetworkSummary",
    "RecalibrationRecord",
    "RemovedFactor",
]


class FactorEffectRecord(TypedDict):
    """One factor's effect, tested alone or in a model with others."""

    factor: str
    coefficient: float
    odds_ratio: float
    lower: float
    upper: float
    """95 % bounds of the odds ratio."""
    p: float
    method: str


class RemovedFactor(TypedDict):
    """A factor that left the clinical model, and its p value there."""

    factor: str
    p: float
    n_factors: int
    method: str


class ExcludedFactorRecord(TypedDict):
    """A factor that could not be estimated."""

    factor: str
    kind: str
    reason: str


class FeatureWeight(TypedDict):
    """A feature that a model kept; log odds per training standard deviation where it is linear, else None."""

    feature: str
    coefficient: float | None


class MemberWeight(TypedDict):
    """A model that was joined with others, and its log odds per standard deviation of its score."""

    member: str
    coefficient: float


class _TrainedNetwork(TypedDict):
    architecture: str
    trained_weights: int
    epochs: int
    best_epoch: int
    patients_fitted: int
    patients_for_early_stopping: int


class NetworkSummary(_TrainedNetwork, total=False):
    """Which network it is and how it was trained; former releases wrote neither settings nor device."""

    settings: dict[str, Any]
    """As `schemas.study.networks.NetworkSettings` writes them."""
    device: str


class RecalibrationRecord(TypedDict):
    """The line from a model's scores to its log odds, fitted to patients whom its inner folds held out."""

    slope: float
    """Above 0; below 1 the model alone is too sure of itself, where its scores are log odds."""
    intercept: float
    unconstrained_slope: float
    """Before it was made to rise: at or below 0 the scores of unseen patients say nothing."""


class CensoringRecord(TypedDict):
    """How a model was weighed for patients who were censored before the horizon."""

    censored: int
    """Patients of the study who were; where 0, nobody's weight differs from 1."""
    patients: int
    """Training patients that the model was fitted to."""
    effective_patients: float
    """What they are worth, weighed (Kish)."""
    lowest_g: float
    """The lowest chance of having been followed as long: the largest weight is its inverse."""
    rate: float
    """Weighted share with label 1."""
    complete_case_rate: float
    unweighted: list[str]
    """What of the fit counts all patients alike, in words."""


class ModelSummary(TypedDict, total=False):
    """What a fitted model says that it learned; a member has the parts that it can answer."""

    intercept: float
    univariable: list[FactorEffectRecord]
    multivariable: list[FactorEffectRecord]
    removed: list[RemovedFactor]
    left_out: list[ExcludedFactorRecord]
    columns_after: dict[str, int]
    """How many columns each step of the selection left."""
    features: list[FeatureWeight]
    slope: float
    """Of a published stage or score: log odds per unit."""
    follows_published_direction: bool
    parameters: dict[str, Any]
    """Those that cross-validation chose."""
    penalties: dict[str, float]
    recalibration: RecalibrationRecord
    network: NetworkSummary
    members: list[MemberWeight]
    combined: ModelSummary
    """Of a model that joins a pipeline with others, the pipeline's part."""
    censoring: CensoringRecord
    """Of a model that was to be weighed for the censored."""
    notes: list[str]
    """What a reader must know."""
    excluded: dict[str, str]
    """What training adds for the catalogue: labelled patients who are in no table of the model, and why."""
    base: str
    """The member that it is a variant of."""
    read: dict[str, str]
    """Hashes of what it was trained from, part by part: the view ``changed_inputs`` compares them."""
    package: dict[str, str]
    """The package that adds the member: ``name``, ``version``, ``member``."""
