"""The study file: a question, its cohort, phases, readings, clinical variables, label and models.

``study.toml`` is what a person writes. Unknown keys are refused, and every fault is reported with
the line it stands on. Reading the file is the caller's work; this module only checks text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from schemas.cases.criteria import Criterion, criteria_faults
from schemas.cases.drop_folder import DropFolder
from schemas.cases.exams import Exams
from schemas.cases.findings import Findings
from schemas.cases.lesions import Lesions
from schemas.clinical import ClinicalVariable
from schemas.day_window import DayWindow
from schemas.drift.asked import Monitor, monitor_faults
from schemas.expectations.rule import Expectation, expectation_faults
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import BUILT_IN, RESERVED_NAMES, FeatureSetRef
from schemas.keys import FeatureSetName, FeatureSetReference, Name, Pseudonym
from schemas.plain_keys import Combination
from schemas.privacy.rule import Privacy
from schemas.study.cohort import Clinical, Cohort, Phase, Reading, case_faults, exam_date_column, exam_window
from schemas.study.imported import ImportedTable
from schemas.study.models import LACKS_ITS_MINIMUM, FactorRule, ModelSettings
from schemas.study.outcomes import BinaryOutcome, ColumnSplit, EventOutcome, StratifiedSplit
from schemas.study.own_sets import FeatureSetSettings
from schemas.study.variants import completed_variants
from schemas.written.values import Written

__all__ = ["ReferenceFaults", "Study"]

Threshold = Annotated[float, Field(gt=0, lt=1)]


class Header(Written):
    """The study's name and question."""

    id: Name
    title: str
    question: str = ""


@dataclass
class ReferenceFaults:
    """A validation context that takes every fault of names that refer to nothing, where one is raised without it."""

    found: list[PydanticCustomError] = field(default_factory=list)


class Study(Written):
    """A whole study file."""

    declared_later: ClassVar[frozenset[str]] = frozenset(
        {
            *("primary_comparisons", "net_benefit_range", "exams", "lesions", "criteria", "findings", "privacy"),
            *("expectations", "drop", "monitor"),
        }
    )

    study: Header
    cohort: Cohort
    exams: Exams | None = None
    """Of patients who have several exams: where they are listed and which are read."""
    lesions: Lesions | None = None
    """Of exams that have several lesions: how masks tell them apart and what models read."""
    criteria: Annotated[tuple[Criterion, ...], Field(max_length=100)] = ()
    """Who of the cohort table is in the study, in the order of its flow chart."""
    phases: Annotated[dict[Name, Phase], Field(max_length=200)] = Field(default_factory=dict)
    readings: Annotated[tuple[Reading, ...], Field(max_length=200)] = (Reading(),)
    clinical: Clinical = Field(default_factory=Clinical)
    findings: Findings | None = None
    """What readers found in the images; validated, clinical has these variables too, for models read them alike."""
    outcome: Annotated[BinaryOutcome | EventOutcome, Field(discriminator="kind")] | None = None
    splits: dict[Name, Annotated[ColumnSplit | StratifiedSplit, Field(discriminator="kind")]] = Field(
        default_factory=dict
    )
    feature_sets: tuple[FeatureSetReference, ...] = ()
    """Names that ``radzoo refresh`` computes: ``name`` (newest version) or ``name@N``."""
    define: dict[FeatureSetName, FeatureSetSettings] = Field(default_factory=dict)
    """Feature sets of the study's own, by name."""
    imported: dict[FeatureSetName, ImportedTable] = Field(default_factory=dict)
    """Feature sets that were computed elsewhere, by name."""
    models: dict[Name, ModelSettings] = Field(default_factory=dict)
    subgroups: tuple[Name, ...] = ()
    """Clinical variables in whose levels ``radzoo bench`` judges every model again."""
    primary_comparisons: Annotated[tuple[tuple[Name, Name], ...], Field(max_length=200)] = ()
    """Pairs of models that are compared because that was decided on beforehand: Holm's family is these tests."""
    net_benefit_range: tuple[Threshold, Threshold] | None = None
    """The lowest and the highest threshold probability at which somebody would act."""
    expectations: Annotated[dict[Name, Expectation], Field(max_length=200)] = Field(default_factory=dict)
    """What must hold of the study's data, by name."""
    privacy: Privacy | None = None
    """What of ids, dates and paths may enter the store; as the tables write them where absent."""

    drop: DropFolder | None = None
    """A folder in which others leave images, of which complete ones are taken before an ingest."""
    monitor: Monitor | None = None
    """What is asked about drift in the report, and by a schedule."""

    @model_validator(mode="after")
    def _completes_its_variants(self) -> Self:
        self.models.update(completed_variants(self.models))
        return self

    @model_validator(mode="after")
    def _has_its_findings_as_variables(self) -> Self:
        if self.findings is not None:
            self.clinical.variables.update((name, each.as_clinical) for name, each in self.findings.variables.items())
        return self

    @model_validator(mode="after")
    def _refers_to_what_exists(self, info: ValidationInfo) -> Self:
        faults = list(self._reference_faults())
        if isinstance(info.context, ReferenceFaults):
            info.context.found += faults
        elif faults:
            raise faults[0]
        return self

    def _reference_faults(self) -> Iterator[PydanticCustomError]:
        for position, name in enumerate(self.subgroups):
            if name not in self.clinical.variables:
                yield _fault(f"subgroups names '{name}', no variable of [clinical]", "subgroups", position)
        if self.net_benefit_range and self.net_benefit_range[0] >= self.net_benefit_range[1]:
            yield _fault("the lowest threshold comes first, the highest behind it", "net_benefit_range")
        seen: set[frozenset[str]] = set()
        for position, pair in enumerate(self.primary_comparisons):
            if unknown := sorted(set(pair) - self.models.keys()):
                yield _fault(
                    f"primary_comparisons names '{unknown[0]}', no model of [models]", "primary_comparisons", position
                )
            if len(set(pair)) < 2 or frozenset(pair) in seen:
                yield _fault(
                    f"{' and '.join(pair)} are compared once, one with the other", "primary_comparisons", position
                )
            seen.add(frozenset(pair))
        if not (self.phases or self.imported or self.clinical.variables):
            yield _fault("a study has images ([phases.NAME]), [imported.NAME] or clinical variables", "phases")
        for name in self.imported:
            if name in RESERVED_NAMES or name in self.define:
                yield _fault("a feature set that radzoo computes has this name: choose another", "imported", name)
            if name in (FeatureSetRef.parse(text).name for text in self.feature_sets):
                yield _fault(f"'{name}' is imported, not computed: leave it out", "feature_sets")
        for name, model in self.models.items():
            at = ("models", name)
            for position, rule in enumerate(model.factors):
                yield from self._refers_to_a_variable(rule, (*at, "factors", position), f"model '{name}'")
            if model.lacks_its_minimum:
                yield _fault(LACKS_ITS_MINIMUM, *at, "icc_bound")
            if model.harmonise is not None and model.harmonise not in self.clinical.variables:
                message = f"model '{name}' harmonises by '{model.harmonise}', no variable of [clinical]"
                yield _fault(message, *at, "harmonise")
            yield from self._refers_to_phases(name, model)
            if model.regions is not None and not self.is_of_regions(model.regions):
                yield _fault(f"model '{name}': '{model.regions}' is no set of regions", *at, "regions")
            if model.censoring == "weights" and not isinstance(self.outcome, EventOutcome):
                message = f"model '{name}' weighs for the censored, and the outcome has no times (time_to_event)"
                yield _fault(message, *at, "censoring")
            if model.split is not None and model.split not in self.splits:
                yield _fault(f"model '{name}' uses split '{model.split}', which [splits] lacks", *at, "split")
        for fault in criteria_faults(self.criteria, has_reference=self.has_reference_dates):
            yield _fault(fault.message, *fault.path)
        for unmet in expectation_faults(self.expectations, self.clinical.variables):
            yield _fault(unmet.message, *unmet.path)
        if self.monitor is not None:
            shifted = self.privacy is not None and self.privacy.dates == "shift"
            for misfit in monitor_faults(self.monitor, self.clinical.variables, self.models, has_shifted_dates=shifted):
                yield _fault(misfit.message, *misfit.path)
        for name, variable in self.clinical.variables.items():
            try:
                variable.plausible_range(name)
            except ValueError as error:
                yield _fault(str(error), "clinical", "variables", name, "unit")
        yield from self._has_a_table_for_its_form()
        yield from (_fault(text, *at) for text, at in case_faults(self.cohort, self.exams, self.lesions, self.phases))
        yield from self._has_the_dates_of_its_windows()
        yield from self._has_the_phases_of_its_regions()
        yield from self._has_the_regions_of_its_networks()

    def _has_the_regions_of_its_networks(self) -> Iterator[PydanticCustomError]:
        for name, own in self.define.items():
            if own.network is None:
                continue
            regions = own.network.regions
            if regions not in self.feature_sets or not self.is_of_regions(regions):
                message = f"network '{name}' reads '{regions}', no set of regions among feature_sets"
                yield _fault(message, "define", name, "network", "regions")

    def _has_the_phases_of_its_regions(self) -> Iterator[PydanticCustomError]:
        for name, own in self.define.items():
            if own.regions is None:
                continue
            together = own.regions.phases or tuple(self.phases)
            for phase in (*together, *([own.regions.fixed_phase] if own.regions.fixed_phase else [])):
                if phase not in self.phases or phase not in together:
                    yield _fault(f"regions '{name}' read phase '{phase}', which is none of theirs", "define", name)

    def _has_a_table_for_its_form(self) -> Iterator[PydanticCustomError]:
        for key in () if self.clinical.has_table else self.clinical.declared:
            message = f"the clinical values stand in the cohort table: give {key} under [cohort], or table here"
            yield _fault(message, "clinical", key)

    def _has_the_dates_of_its_windows(self) -> Iterator[PydanticCustomError]:
        if self.cohort.exam_window_days is not None and self.exam_window is None:
            message = "exam_window_days compares exam_date with reference_date: give both"
            yield _fault(message, "cohort", "exam_window_days")
        written: list[tuple[str, ...]] = [("clinical", "window_days")] if self.clinical.window_days else []
        named = self.clinical.variables.items()
        written += [("clinical", "variables", name, "window_days") for name, each in named if each.window_days]
        if written and self.clinical.observed_at is None:
            yield _fault("window_days needs the dates of the values: give observed_at under [clinical]", *written[0])
        if written and not self.has_reference_dates:
            yield _fault("window_days needs reference_date or exam_date under [cohort]", *written[0])

    def _refers_to_phases(self, name: str, model: ModelSettings) -> Iterator[PydanticCustomError]:
        table = self.imported_table(model.feature_set)
        known = self.phases if table is None else table.declared_phases
        missing = set(model.phases or ()) - set(known)
        # Which phases a column of a table names is known when the table is read.
        if missing and (table is None or table.phase is None):
            lacking = "[phases]" if table is None else "its feature set"
            yield _fault(
                f"model '{name}' reads phase '{min(missing)}', which {lacking} lacks", *("models", name, "phases")
            )

    def imported_table(self, feature_set: str | None) -> ImportedTable | None:
        """Return the table that a feature set is imported from, None where it is computed.

        Parameters
        ----------
        feature_set : str or None
            ``name`` or ``name@N``; the study's first where None.
        """
        feature_set = feature_set or self.first_feature_set
        return None if feature_set is None else self.imported.get(FeatureSetRef.parse(feature_set).name)

    @property
    def exam_window(self) -> DayWindow | None:
        """Return the days an exam may be of, relative to the reference date; None where no date limits it."""
        return exam_window(self.cohort, self.exams)

    @property
    def has_reference_dates(self) -> bool:
        """Return whether the study says when it predicts for a patient."""
        return self.cohort.reference_date is not None or exam_date_column(self.cohort, self.exams) is not None

    @property
    def combination(self) -> Combination:
        """Return how the rows that a model reads of one patient and phase become one."""
        of_lesions = "none" if self.lesions is None else self.lesions.combination
        averages_exams = self.exams is not None and self.exams.use == "mean"
        return "mean" if of_lesions == "none" and averages_exams else of_lesions

    @property
    def case_rule(self) -> str:
        """Return what a row that models read stands for: ``one`` lesion of one exam, however it is chosen, or more."""
        lesions = "one" if self.lesions is None or self.lesions.use == "largest" else self.lesions.use
        return f"{lesions}, mean of exams" if self.exams is not None and self.exams.use == "mean" else lesions

    @property
    def first_feature_set(self) -> str | None:
        """Return what models read that name no feature set: the first one of features, else the first imported."""
        others = (self.is_of_regions, self.is_of_network)
        computed = [text for text in self.feature_sets if not any(is_of(text) for is_of in others)]
        return next(iter((*computed, *self.imported)), None)

    @property
    def first_regions(self) -> str | None:
        """Return what networks read that name no regions: the study's first set of them."""
        return next((each for each in self.feature_sets if self.is_of_regions(each)), None)

    def is_of_regions(self, feature_set: str) -> bool:
        """Return whether a feature set that the study asks for holds images for networks, not features."""
        name = FeatureSetRef.parse(feature_set).name
        if name in self.define:
            return self.define[name].regions is not None
        return any(isinstance(each.settings, RegionSettings) for each in BUILT_IN.get(name, {}).values())

    def is_of_network(self, feature_set: str) -> bool:
        """Return whether a feature set, ``name`` or ``name@N``, is made by a network that the study brings along."""
        own = self.define.get(FeatureSetRef.parse(feature_set).name)
        return own is not None and own.network is not None

    def _refers_to_a_variable(
        self, rule: FactorRule, at: tuple[str | int, ...], model: str
    ) -> Iterator[PydanticCustomError]:
        variable = self.clinical.variables.get(rule.variable)
        if variable is None:
            yield _fault(f"{model} reads '{rule.variable}', no variable of [clinical]", *at, "variable")
            return
        if rule.equals is not None and rule.equals not in (variable.levels or ()):
            yield _fault(f"{model}: '{rule.equals}' is no level of '{rule.variable}'", *at, "equals")
        if rule.equals is None and variable.unit is None:
            yield _fault(f"{model}: '{rule.variable}' is a category, give 'equals'", *at, "variable")

    @property
    def table_variables(self) -> dict[Name, ClinicalVariable]:
        """Return the clinical variables that are columns of the clinical table: all but findings."""
        findings = self.findings.variables if self.findings is not None else {}
        return {name: each for name, each in self.clinical.variables.items() if name not in findings}

    @property
    def id(self) -> str:
        """Return the study's id."""
        return self.study.id

    def settings_of(self, model: str) -> ModelSettings:
        """Return what the study says about a model, defaults where it says nothing."""
        return self.models.get(model, ModelSettings())

    def base_of(self, model: str) -> str:
        """Return the name of the zoo's member that a model is built from: its base, or its own name."""
        return self.settings_of(model).base or model

    def weighs_the_censored(self, model: str) -> bool:
        """Return whether a model is fitted with weights for those who were censored before the horizon."""
        if not isinstance(self.outcome, EventOutcome):
            return False
        return (self.settings_of(model).censoring or self.outcome.censoring) == "weights"

    def stored_patient(self, pseudonym: Pseudonym) -> str:
        """Return the pseudonym as the store knows it."""
        return f"{self.cohort.prefix}{pseudonym}"


def _fault(message: str, *path: str | int) -> PydanticCustomError:
    """Return the error of a whole study whose cause stands at ``path``."""
    return PydanticCustomError("reference", "{message}", {"message": message, "path": path})
