"""What a study file says about a model: what it reads, and how it selects."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from schemas.keys import FeatureSetReference, Name
from schemas.study.networks import NetworkSettings
from schemas.study.outcomes import Censoring
from schemas.study.thresholds import Threshold
from schemas.written.values import Written

__all__ = [
    "LACKS_ITS_MINIMUM",
    "RADIOMICS_OPTIONS",
    "TABLE_KEYS",
    "Correction",
    "FactorRule",
    "IccBound",
    "LassoRule",
    "Missing",
    "MissingPhases",
    "ModelSettings",
]

Correction = Literal["none", "benjamini-hochberg"]
LassoRule = Literal["minimum", "one-standard-error"]
IccBound = Literal["estimate", "lower"]

Missing = Literal["exclude", "impute", "indicate"]
MissingPhases = Literal["exclude", "impute"]

LACKS_ITS_MINIMUM = "'icc_bound' says what 'minimum_icc' is compared with, and there is none"
RADIOMICS_OPTIONS = ("correction", "lasso_rule", "harmonise")
"""The settings that say how a model selects among radiomics features."""
TABLE_KEYS = ("patient", "cohort", "label")
"""The columns that every table for models has before its inputs; no input may have their names."""


class FactorRule(Written):
    """How a model reads one clinical factor from a variable.

    ``above = 40`` gives 1 where the value is over 40 in the variable's own unit and 0 where not;
    ``equals = "male"`` gives 1 for that level; neither gives the number itself.
    """

    variable: Name
    name: str | None = None
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    equals: str | None = None

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        if self.above is not None and self.equals is not None:
            raise ValueError("give 'above' or 'equals', not both")
        return self

    @property
    def label(self) -> str:
        """Return the factor's column name."""
        if self.name:
            return self.name
        if self.above is not None:
            return f"{self.variable}>{self.above:g}"
        return f"{self.variable}={self.equals}" if self.equals is not None else self.variable


class ModelSettings(Written):
    """What one model reads in this study; cut points belong here, not to the data."""

    base: Name | None = None
    """The zoo's member that a variant is built from; a model without one has a member's own name."""
    factors: tuple[FactorRule, ...] = ()
    missing: Missing = "exclude"
    """For clinical models: what becomes of a patient who lacks a factor. ``indicate`` imputes and adds, for each
    variable that patients lack, a column that says who does."""
    feature_set: FeatureSetReference | None = None
    regions: FeatureSetReference | None = None
    """For networks: the set of regions; the study's first where absent."""
    phases: tuple[Name, ...] | None = None
    split: Name | None = None
    minimum_icc: Annotated[float, Field(gt=0, lt=1)] | None = None
    """For radiomics models: keep features whose repeated readings agree at least this well, all kinds."""
    icc_bound: IccBound = "estimate"
    """What ``minimum_icc`` is compared with: the ICC, or the lower end of its 95 % interval."""
    correction: Correction = "none"
    """For radiomics models: the correction of the univariable tests for their number."""
    lasso_rule: LassoRule = "minimum"
    """For radiomics models: which penalty of the LASSO's path is taken."""
    harmonise: Name | None = None
    """For radiomics models: the clinical variable whose values are the batches (scanner, site) of ComBat."""
    missing_phases: MissingPhases = "exclude"
    """For radiomics models: what becomes of a patient who lacks one of several phases. ``impute`` fills its features as
    any that is missing, in every training fold, and adds, for each phase that patients lack, a column that says who."""
    threshold: Threshold = "youden"
    """Where the cut on the probability comes from: see `schemas.study.thresholds`."""
    censoring: Censoring | None = None
    """How it is fitted where patients are censored before the horizon; as the outcome says where absent."""
    network: NetworkSettings | None = None
    """For networks: how they are trained; the paper's way where it is left out."""
    variables: dict[Name, Name] = Field(default_factory=dict)
    """For a published stage or score: its input and the study's variable, where the names differ."""
    words: dict[Name, dict[str, str]] = Field(default_factory=dict)
    """For a published stage: its input, and the study's level for each of its own, where the words differ."""
    single_over_5cm_is_b: bool = False
    """For BCLC: a single tumour over 5 cm counts as stage B."""

    @model_validator(mode="after")
    def _bounds_a_minimum(self) -> Self:
        # A variant may have the minimum from its base: see `completed_variants`.
        if self.base is None and self.lacks_its_minimum:
            raise ValueError(LACKS_ITS_MINIMUM)
        return self

    @model_serializer(mode="wrap")
    def _written_where_they_say_something(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A model without them is on record as it was before they could be said. A variant that says them says so to its
        # base's table, which may say something else.
        values: dict[str, Any] = written(self)
        defaults = {"base": None, "threshold": "youden", "missing_phases": "exclude", "censoring": None}
        said = self.model_fields_set if self.base is not None else frozenset()
        left_out = {name for name, default in defaults.items() if getattr(self, name) == default and name not in said}
        return {name: value for name, value in values.items() if name not in left_out}

    @property
    def lacks_its_minimum(self) -> bool:
        """Return whether it says how the ICC is compared with a minimum that it does not have."""
        return self.icc_bound != "estimate" and self.minimum_icc is None

    @property
    def imputes(self) -> bool:
        """Return whether a patient who lacks a clinical factor stays in the model's table."""
        return self.missing != "exclude"
