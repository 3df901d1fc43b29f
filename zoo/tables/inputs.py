"""What a model reads in a study, every default of the study file settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import ContractError
from schemas.plain_keys import Combination
from schemas.study.file import Study
from schemas.study.models import FactorRule, IccBound, Missing, MissingPhases
from store.history.snapshot import Snapshot
from zoo.registry import ModelSpec
from zoo.staging.bclc import bclc_comparator
from zoo.staging.description import Comparator
from zoo.staging.frame import COMPARATORS
from zoo.tables.feature_columns import stored_feature_set

__all__ = ["BoundInputs", "ModelInputs", "bound_inputs", "model_inputs"]

_BCLC_SWITCH = "single_over_5cm_is_b"


@dataclass(frozen=True)
class ModelInputs:
    """What a model reads in a study, every default settled."""

    split: str
    feature_set: str | None
    phases: tuple[str, ...]
    """None given: all that the imported table has."""
    factors: tuple[FactorRule, ...]
    comparator: Comparator | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    minimum_icc: float | None = None
    icc_bound: IccBound = "estimate"
    harmonise: str | None = None
    """The variable whose values are the batches of ComBat; they are the table's last column."""
    missing: Missing = "exclude"
    """What becomes of a patient who lacks a clinical factor."""
    missing_phases: MissingPhases = "exclude"
    """What becomes of a patient who has features in some of the phases."""
    combination: Combination = "none"
    """How the rows of several lesions or exams of a patient become one."""
    case_rule: str = "one"
    """What a row stands for, `Study.case_rule`: a model answers for studies of the same rule."""
    regions: str | None = None
    """The set of regions that a network reads, one column a phase."""
    says_the_switch: bool = False
    """Whether a comparator's switch that is off is written down: where the study's own comparator has it on."""

    @classmethod
    def from_dict(cls, written: Mapping[str, Any], study: Study | None = None) -> ModelInputs:
        """Return the inputs that `as_dict` wrote down.

        Parameters
        ----------
        written : mapping
            A dataset's ``inputs``, also of a former release, which did not speak of all that there is now.
        study : Study, optional
            The study as it was then: where the inputs do not tell a switch of the comparator, it does.
        """
        comparator = COMPARATORS[written["comparator"]] if written.get("comparator") else None
        if comparator is not None:
            said = study is not None and study.settings_of(comparator.name).single_over_5cm_is_b
            if written.get(_BCLC_SWITCH, said):
                comparator = bclc_comparator(single_over_5cm_is_b=True)
        return cls(
            split=written["split"],
            feature_set=written["feature_set"],
            phases=tuple(written["phases"]),
            factors=tuple(FactorRule.model_validate(rule) for rule in written["factors"]),
            comparator=comparator,
            variables=written["variables"],
            words=written["words"],
            minimum_icc=written.get("minimum_icc"),
            icc_bound=written.get("icc_bound", "estimate"),
            harmonise=written.get("harmonise"),
            missing=written.get("missing", "exclude"),
            missing_phases=written.get("missing_phases", "exclude"),
            combination=written.get("combination", "none"),
            case_rule=written.get("case_rule", "one"),
            regions=written.get("regions"),
            says_the_switch=written.get(_BCLC_SWITCH) is False,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the inputs as a JSON-ready mapping."""
        # Where the switch is off nothing is said: datasets of former releases keep their names. But where a study has
        # it on, `from_dict` would take it to be on for a variant too.
        is_on = _is_switched(self.comparator)
        switched = {_BCLC_SWITCH: is_on} if is_on or self.says_the_switch else {}
        return switched | {
            "split": self.split,
            "feature_set": self.feature_set,
            "phases": list(self.phases),
            "factors": [rule.model_dump() | {"name": rule.label} for rule in self.factors],
            "comparator": self.comparator.name if self.comparator else None,
            "variables": dict(self.variables),
            "words": {name: dict(words) for name, words in self.words.items()},
            "minimum_icc": self.minimum_icc,
            "harmonise": self.harmonise,
            # Left out where it is as it was before there was a choice: the dataset is the same.
            **({} if self.missing == "exclude" else {"missing": self.missing}),
            **({} if self.missing_phases == "exclude" else {"missing_phases": self.missing_phases}),
            **({} if self.combination == "none" else {"combination": self.combination}),
            **({} if self.case_rule == "one" else {"case_rule": self.case_rule}),
            **({} if self.icc_bound == "estimate" else {"icc_bound": self.icc_bound}),
            **({} if self.regions is None else {"regions": self.regions}),
        }


@dataclass(frozen=True)
class BoundInputs:
    """What a model reads in a store: its inputs, with the feature sets that their names mean there."""

    inputs: ModelInputs
    feature_set: str | None
    """``name@N``; None for a model that reads no features."""
    regions: str | None
    """``name@N``; None for a model that reads no regions."""


def bound_inputs(snapshot: Snapshot, study: Study, inputs: ModelInputs) -> BoundInputs:
    """Return a model's inputs bound to the feature sets of a store.

    Raises
    ------
    NotFoundError
        When a set has not been computed.
    """
    asked = (inputs.feature_set, inputs.regions)
    features, regions = (None if name is None else stored_feature_set(snapshot, study, name) for name in asked)
    return BoundInputs(inputs, features, regions)


def model_inputs(study: Study, spec: ModelSpec) -> ModelInputs:
    """Return what a model of a study reads.

    Parameters
    ----------
    study : Study
        The study.
    spec : ModelSpec
        The model, from `study_spec`.

    Raises
    ------
    ContractError
        When the study file does not give what the model needs.
    """
    settings = study.settings_of(spec.name)
    split = settings.split or next(iter(study.splits), None)
    if split is None:
        raise ContractError(
            f"study '{study.id}' has no split",
            hint="add a table [splits.NAME] to the study file and ingest again",
        )
    feature_set: str | None = None
    phases: tuple[str, ...] = ()
    if "radiomics" in spec.inputs:
        feature_set = settings.feature_set or study.first_feature_set
        if feature_set is None:
            raise ContractError(
                f"model '{spec.name}' needs a feature set",
                hint="add feature_sets, or [imported.NAME], to the study file and ingest again",
            )
        table = study.imported_table(feature_set)
        phases = settings.phases or (tuple(study.phases) if table is None else table.declared_phases)
    regions: str | None = None
    if spec.is_network:
        regions = settings.regions or study.first_regions
        if regions is None:
            raise ContractError(
                f"model '{spec.name}' needs a set of regions",
                hint='add "hcc-regions@1", or a set of [define.NAME.regions], to feature_sets and ingest again',
            )
        phases = phases or settings.phases or tuple(study.phases)
    factors: tuple[FactorRule, ...] = ()
    if "clinical" in spec.inputs:
        # A combined model reads the clinical model's factors, unless it is given its own.
        factors = settings.factors or study.settings_of("cr").factors
        if not factors:
            raise ContractError(
                f"model '{spec.name}' needs clinical factors",
                hint=f"add [[models.{spec.name}.factors]] to the study file and ingest again",
            )
    comparator, says_the_switch = spec.comparator, False
    if comparator is not None and settings.single_over_5cm_is_b:
        comparator = bclc_comparator(single_over_5cm_is_b=True)
    elif comparator is not None:
        says_the_switch = study.settings_of(comparator.name).single_over_5cm_is_b
    return ModelInputs(
        split=split,
        feature_set=feature_set,
        phases=phases,
        factors=factors,
        comparator=comparator,
        variables=settings.variables,
        words=settings.words,
        minimum_icc=settings.minimum_icc if feature_set else None,
        icc_bound=settings.icc_bound if feature_set else "estimate",
        harmonise=settings.harmonise if feature_set else None,
        missing=settings.missing if factors else "exclude",
        missing_phases=settings.missing_phases if feature_set else "exclude",
        combination=study.combination if feature_set else "none",
        case_rule=study.case_rule if feature_set or regions else "one",
        regions=regions,
        says_the_switch=says_the_switch,
    )


def _is_switched(comparator: Comparator | None) -> bool:
    return comparator is not None and comparator.assumptions == bclc_comparator(single_over_5cm_is_b=True).assumptions
