"""The table a model trains on: one row per labelled patient of a split, read from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from schemas.errors import ContractError
from schemas.study import FactorRule, Missing, ModelSettings, Study
from store.point_in_time import ClinicalAtReference, clinical_at_reference
from store.snapshot import Snapshot
from zoo.feature_columns import phase_columns, stable_columns, stored_feature_set
from zoo.harmonise import batch_column
from zoo.imputation import INDICATOR
from zoo.registry import ModelSpec
from zoo.staging.bclc import bclc_comparator
from zoo.staging.description import Comparator
from zoo.staging.frame import COMPARATORS, comparator_frame

__all__ = ["KEY_COLUMNS", "ModelInputs", "ModelTable", "factor_value", "model_inputs", "model_table"]

KEY_COLUMNS = ("patient", "cohort", "label")
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
    harmonise: str | None = None
    """The variable whose values are the batches of ComBat; they are the table's last column."""
    missing: Missing = "exclude"
    """What becomes of a patient who lacks a clinical factor."""

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
        comparator = COMPARATORS[written["comparator"]] if written["comparator"] else None
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
            minimum_icc=written["minimum_icc"],
            harmonise=written.get("harmonise"),
            missing=written.get("missing", "exclude"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the inputs as a JSON-ready mapping."""
        # Where the switch is off nothing is said: datasets of former releases keep their names.
        switched = {_BCLC_SWITCH: True} if _is_switched(self.comparator) else {}
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
        }


@dataclass(frozen=True)
class ModelTable:
    """A table ready for a model.

    ``frame`` has `KEY_COLUMNS` and then the inputs; rows are in the order of the pseudonyms.
    """

    frame: pl.DataFrame
    excluded: dict[str, str]
    """Labelled patients of the split that are not in the table, and why."""
    feature_set: str | None = None
    """The ``name@N`` that was read; None without features."""
    phases: tuple[str, ...] = ()
    """The phases that were read, in the columns' order."""

    @property
    def columns(self) -> list[str]:
        """Return the names of the input columns."""
        return [name for name in self.frame.columns if name not in KEY_COLUMNS]

    def of_cohort(self, cohort: str) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
        """Return one cohort's inputs, labels and pseudonyms."""
        rows = self.frame.filter(pl.col("cohort") == cohort)
        return rows.select(self.columns), rows["label"], rows["patient"]


def model_inputs(study: Study, spec: ModelSpec) -> ModelInputs:
    """Return what a model of the zoo reads in a study.

    Raises
    ------
    ContractError
        When the study file does not give what the model needs.
    """
    settings = study.models.get(spec.name, ModelSettings())
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
    factors: tuple[FactorRule, ...] = ()
    if "clinical" in spec.inputs:
        # A combined model reads the clinical model's factors, unless it is given its own.
        factors = settings.factors or study.models.get("cr", ModelSettings()).factors
        if not factors:
            raise ContractError(
                f"model '{spec.name}' needs clinical factors",
                hint=f"add [[models.{spec.name}.factors]] to the study file and ingest again",
            )
    comparator = spec.comparator
    if comparator is not None and settings.single_over_5cm_is_b:
        comparator = bclc_comparator(single_over_5cm_is_b=True)
    return ModelInputs(
        split=split,
        feature_set=feature_set,
        phases=phases,
        factors=factors,
        comparator=comparator,
        variables=settings.variables,
        words=settings.words,
        minimum_icc=settings.minimum_icc if feature_set else None,
        harmonise=settings.harmonise if feature_set else None,
        missing=settings.missing if factors else "exclude",
    )


def model_table(snapshot: Snapshot, study: Study, inputs: ModelInputs) -> ModelTable:
    """Return the table of a model's inputs as the store had them at the snapshot.

    A patient without a row in one of the phases, or without a value of one of the factors that was known at the
    study's reference date and lies in its window, is left out and named in ``excluded``; where the model imputes
    factors, only one without any of them is. A single feature that could not be computed stays NULL, for the model's
    own imputation.

    Raises
    ------
    NotFoundError
        When the feature set has not been computed.
    ContractError
        When a cohort is left with one class only.
    """
    rows = snapshot.rows("split_members", study=study.id, split=inputs.split)
    labels = {row["patient"]: row["label"] for row in snapshot.rows("labels", study=study.id)}
    frame = pl.DataFrame(
        {
            "patient": [row["patient"] for row in rows],
            "cohort": [row["cohort"] for row in rows],
            "label": [labels[row["patient"]] for row in rows],
        },
        schema={"patient": pl.String, "cohort": pl.String, "label": pl.Int64},
    ).sort("patient")
    excluded: dict[str, str] = {}
    chosen = stored_feature_set(snapshot, study, inputs.feature_set) if inputs.feature_set is not None else None
    phases: tuple[str, ...] = ()
    blocks: list[tuple[str, pl.DataFrame]] = []
    reads_clinical = inputs.factors or inputs.comparator is not None or inputs.harmonise is not None
    known = clinical_at_reference(snapshot, study.id) if reads_clinical else ClinicalAtReference()
    if inputs.factors:
        blocks += [("clinical factors", _factor_columns(known.values, inputs.factors, inputs.missing))]
        if inputs.missing == "exclude":
            excluded |= _outside_windows(known, frame["patient"], (rule.variable for rule in inputs.factors))
    if inputs.comparator is not None:
        values = [row for of_patient in known.values.values() for row in of_patient.values()]
        judged = comparator_frame(
            inputs.comparator, values, patients=frame["patient"], variables=inputs.variables, words=inputs.words
        )
        excluded |= dict(judged.filter(pl.col("reason").is_not_null()).select("patient", "reason").iter_rows())
        read = [inputs.variables.get(name, name) for name in inputs.comparator.inputs]
        for patient, reason in _outside_windows(known, judged["patient"], read).items():
            if patient in excluded:
                excluded[patient] += f" ({reason})"
        named = judged.filter(pl.col("reason").is_null()).select(
            "patient", pl.col("score").alias(inputs.comparator.name)
        )
        blocks += [(inputs.comparator.name, named)]
    if inputs.feature_set is not None:
        features = phase_columns(snapshot, study, inputs.feature_set, inputs.phases)
        if inputs.minimum_icc is not None:
            stable = stable_columns(snapshot, study, inputs.split, inputs.feature_set, inputs.minimum_icc)
            features = {
                phase: columns.select("patient", *(name for name in columns.columns if name in stable))
                for phase, columns in features.items()
            }
        phases = tuple(features)
        blocks += [(f"{inputs.feature_set} in {phase}", columns) for phase, columns in features.items()]
    if inputs.harmonise is not None:
        blocks += [(inputs.harmonise, _batch_column(known.values, study, inputs.harmonise))]
        excluded |= _outside_windows(known, frame["patient"], [inputs.harmonise])
    for what, columns in blocks:
        there = set(columns["patient"])
        excluded |= {p: f"no {what}" for p in frame["patient"] if p not in there and p not in excluded}
        frame = frame.join(columns, on="patient", how="inner", maintain_order="left")
    _refuse_one_class(frame, inputs)
    return ModelTable(frame, excluded, chosen, phases)


def _is_switched(comparator: Comparator | None) -> bool:
    return comparator is not None and comparator.assumptions == bclc_comparator(single_over_5cm_is_b=True).assumptions


def _outside_windows(known: ClinicalAtReference, patients: Iterable[str], variables: Iterable[str]) -> dict[str, str]:
    """Return the patients who have a variable's values only outside its window, and what is said of them."""
    read = sorted(set(variables))
    said = {patient: [known.reasons.get(patient, {}).get(name) for name in read] for patient in patients}
    return {patient: "; ".join(filter(None, reasons)) for patient, reasons in said.items() if any(reasons)}


def _factor_columns(
    last: Mapping[str, Mapping[str, Mapping[str, Any]]], factors: Sequence[FactorRule], missing: Missing
) -> pl.DataFrame:
    """Return one row per patient with a value of every factor, or of one at least where missing ones are imputed.

    With ``indicate``, columns follow that are 1 for patients who lack a variable, one per variable that any lacks.
    """
    wanted = {rule.variable for rule in factors}
    is_read = wanted.issubset if missing == "exclude" else lambda known: bool(wanted & set(known))
    read = {patient: values for patient, values in sorted(last.items()) if is_read(values)}
    columns: dict[str, Any] = {"patient": list(read)}
    for rule in factors:
        of_patient = [values.get(rule.variable) for values in read.values()]
        columns[rule.label] = [None if row is None else factor_value(rule, row) for row in of_patient]
    if missing == "indicate":
        for variable in dict.fromkeys(rule.variable for rule in factors):
            lacks = [float(variable not in values) for values in read.values()]
            columns |= {variable + INDICATOR: lacks} if any(lacks) else {}
    return pl.DataFrame(columns, schema_overrides={"patient": pl.String} | dict.fromkeys(list(columns)[1:], pl.Float64))


def _batch_column(last: Mapping[str, Mapping[str, Mapping[str, Any]]], study: Study, variable: str) -> pl.DataFrame:
    """Return one row per patient with a value of the batch variable; a level is its number in the study file."""
    levels = study.clinical.variables[variable].levels or ()
    rows = {patient: values[variable] for patient, values in sorted(last.items()) if variable in values}
    codes = [float(row["value"] if row["level"] is None else levels.index(row["level"])) for row in rows.values()]
    return pl.DataFrame(
        {"patient": list(rows), batch_column(variable): codes},
        schema={"patient": pl.String, batch_column(variable): pl.Float64},
    )


def factor_value(rule: FactorRule, row: Mapping[str, Any]) -> float:
    """Return one patient's value of a factor, given the clinical row of its variable."""
    if rule.above is not None:
        return float(row["value"] > rule.above)
    if rule.equals is not None:
        return float(row["level"] == rule.equals)
    return float(row["value"])


def _refuse_one_class(frame: pl.DataFrame, inputs: ModelInputs) -> None:
    for cohort in ("training", "validation"):
        present = set(frame.filter(pl.col("cohort") == cohort)["label"])
        if present != {0, 1}:
            raise ContractError(
                f"the {cohort} cohort has {'only label ' + str(present.pop()) if present else 'no patient'} "
                "among those with all inputs",
                where=f"split '{inputs.split}'",
                hint="radzoo sql 'from failures' tells what is missing",
            )
