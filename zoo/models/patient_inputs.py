"""A saved model's inputs for patients of any study in the store, or the reason why there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.errors import ContractError
from schemas.features.names import is_phase_indicator, phase_indicator, split_phase
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.rows.point_in_time import ClinicalAtReference, clinical_at_reference
from zoo.logistic.imputation import INDICATOR, is_indicator
from zoo.models.saved import PinnedInputs
from zoo.networks.region_columns import is_region_column, region_columns
from zoo.radiomics.combat import BATCH_PREFIX, batch_column
from zoo.staging.frame import comparator_frame
from zoo.staging.inputs import Observation, Quantity, reading
from zoo.tables.clinical_columns import factor_value
from zoo.tables.embedding_columns import is_embedding
from zoo.tables.feature_columns import joined_phases, primary_rows
from zoo.tables.region_tables import region_tables

__all__ = ["PatientInputs", "patient_inputs"]

_SHOWN = 12  # digits of a hash that people compare


@dataclass(frozen=True)
class PatientInputs:
    """The table of a saved model's inputs for patients of a study."""

    frame: pl.DataFrame
    """``patient`` and then the model's columns, in its order; by patient."""
    reasons: dict[str, str]
    """Patients who are not in the table, and why."""


def patient_inputs(snapshot: Snapshot, study: Study, inputs: PinnedInputs, patients: Sequence[str]) -> PatientInputs:
    """Return a saved model's inputs for patients of a study, read as the model's own study defined them.

    Features are those of the very definition that the model was trained on, whatever its name here; clinical
    values are those known at the study's reference date, converted to the units of the model's study. A single
    feature that could not be computed stays NULL, for the model's own imputation.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients they are.
    inputs : PinnedInputs
        What the model reads.
    patients : sequence of str
        Pseudonyms.

    Raises
    ------
    ContractError
        If the study cannot give the model what it reads: another definition of the features, a phase, a feature
        or a clinical variable that is missing, a unit that cannot be converted.
    """
    frame = pl.DataFrame({"patient": sorted(patients)}, schema={"patient": pl.String})
    reasons: dict[str, str] = {}
    known = ClinicalAtReference()
    if inputs.factors or inputs.comparator is not None or inputs.harmonise is not None:
        _refuse_other_variables(study, inputs)
        known = clinical_at_reference(snapshot, study.id)
    if inputs.feature_set is not None or inputs.regions is not None:
        _refuse_other_rule(study, inputs)
    blocks: list[pl.DataFrame] = []
    if inputs.factors:
        blocks.append(_factor_block(known, study, inputs, frame["patient"].to_list(), reasons))
    if inputs.comparator is not None:
        blocks.append(_comparator_block(known, inputs, frame["patient"].to_list(), reasons))
    if inputs.feature_set is not None:
        blocks += _feature_blocks(snapshot, study, inputs, frame["patient"].to_list(), reasons)
    if inputs.regions is not None:
        blocks += _region_blocks(snapshot, study, inputs, frame["patient"].to_list(), reasons)
    if inputs.harmonise is not None:
        blocks.append(_batch_block(known, study, inputs, frame["patient"].to_list(), reasons))
    for block in blocks:
        frame = frame.join(block, on="patient", how="inner", maintain_order="left")
    return PatientInputs(frame.select("patient", *inputs.columns), dict(sorted(reasons.items())))


def _refuse_other_rule(study: Study, inputs: PinnedInputs) -> None:
    if inputs.case_rule != study.case_rule:
        raise ContractError(
            f"the model was trained on rows that stand for lesions and exams as '{inputs.case_rule}', and the study's "
            f"stand for them as '{study.case_rule}'",
            where=f"study '{study.id}'",
            hint="use under [lesions] and [exams] of the study file as the model's study does, then ingest again",
        )


def _refuse_other_variables(study: Study, inputs: PinnedInputs) -> None:
    """Refuse a study whose clinical variables are missing, of another kind, or in units of another quantity.

    A published stage reads some of its inputs only where they decide: one that is missing is a patient's matter.
    """
    declared, hint = study.clinical.variables, f"correct [clinical.variables] of study '{study.id}' and ingest again"

    def refusal(name: str, reason: str) -> ContractError:
        return ContractError(reason, where=f"study '{study.id}', variable '{name}'", hint=hint)

    readers = {rule.variable: f"factor '{rule.label}'" for rule in inputs.factors}
    if inputs.harmonise is not None:
        readers[inputs.harmonise] = "harmonisation"
    for name, reader in readers.items():
        pinned = inputs.variables[name]
        if name not in declared:
            raise refusal(name, f"the model's {reader} reads this variable, which the study does not have")
        here = declared[name]
        if here.kind != pinned["kind"]:
            raise refusal(name, f"the model reads a {pinned['kind']}, the study has a {here.kind}")
        if here.unit is not None and (reason := _in_unit(name, 1.0, here.unit, str(pinned["unit"]))[1]) is not None:
            raise refusal(name, reason)
    for rule in inputs.factors:
        if rule.equals is not None and rule.equals not in (declared[rule.variable].levels or ()):
            raise refusal(rule.variable, f"the model asks for the level '{rule.equals}', which the study does not have")
    wanted = inputs.comparator.inputs if inputs.comparator is not None else {}
    for name, quantity in wanted.items():
        variable = inputs.renamed.get(name, name)
        unit = declared[variable].unit if variable in declared else None
        found = reading({name: quantity}, {name: Observation(value=1.0, unit=unit)} if unit is not None else {})
        if found.reason is not None:
            raise refusal(variable, found.reason)


def _in_unit(name: str, value: float | None, unit: str | None, to: str) -> tuple[float | None, str | None]:
    """Return a value in another unit, or None and the reason why that cannot be."""
    found = reading({name: Quantity(to, least=-math.inf)}, {name: Observation(value=value, unit=unit)})
    number = found.values[name]
    return (float(number), None) if isinstance(number, float | int) else (None, found.reason or f"no value of {name}")


def _factor_block(
    known: ClinicalAtReference, study: Study, inputs: PinnedInputs, patients: Sequence[str], reasons: dict[str, str]
) -> pl.DataFrame:
    rows = []
    indicated = [name for name in inputs.columns if is_indicator(name)]
    for patient in patients:
        of_patient = known.values.get(patient, {})
        found = [_as_pinned(known, study, inputs, patient, rule.variable) for rule in inputs.factors]
        imputes = inputs.missing != "exclude" and any(rule.variable in of_patient for rule in inputs.factors)
        # A value that is there and cannot be read is not a missing one.
        if reason := next((why for row, why in found if why is not None and (row or not imputes)), None):
            reasons.setdefault(patient, reason)
            continue
        values = [
            factor_value(rule, row) if row else None for rule, (row, _) in zip(inputs.factors, found, strict=True)
        ]
        lacks = [float(name.removesuffix(INDICATOR) not in of_patient) for name in indicated]
        rows.append((patient, *values, *lacks))
    labels = [*(rule.label for rule in inputs.factors), *indicated]
    return pl.DataFrame(rows, schema={"patient": pl.String} | dict.fromkeys(labels, pl.Float64), orient="row")


def _batch_block(
    known: ClinicalAtReference, study: Study, inputs: PinnedInputs, patients: Sequence[str], reasons: dict[str, str]
) -> pl.DataFrame:
    """Return the batch of each patient, coded as for the model's own patients."""
    variable, rows = str(inputs.harmonise), []
    for patient in patients:
        row, reason = _as_pinned(known, study, inputs, patient, variable)
        if reason is not None:
            reasons.setdefault(patient, reason)
            continue
        levels = inputs.variables[variable]["levels"]
        rows.append((patient, float(row["value"] if levels is None else levels.index(row["level"]))))
    return pl.DataFrame(rows, schema={"patient": pl.String, batch_column(variable): pl.Float64}, orient="row")


def _as_pinned(
    known: ClinicalAtReference, study: Study, inputs: PinnedInputs, patient: str, variable: str
) -> tuple[dict[str, Any], str | None]:
    """Return a patient's clinical row in the unit of the model's study, and why it cannot be read, if so."""
    pinned, declared = inputs.variables[variable], study.clinical.variables[variable].unit
    row = known.values.get(patient, {}).get(variable)
    if row is None:
        return {}, known.reasons.get(patient, {}).get(variable, f"no value of {variable}")
    if pinned["kind"] == "number":
        number, reason = _in_unit(variable, row["value"], row["unit"] or declared, str(pinned["unit"]))
        return row | {"value": number}, reason
    if row["level"] not in pinned["levels"]:
        return row, f"{variable} is '{row['level']}', which the model's study did not have"
    return row, None


def _comparator_block(
    known: ClinicalAtReference, inputs: PinnedInputs, patients: Sequence[str], reasons: dict[str, str]
) -> pl.DataFrame:
    assert inputs.comparator is not None  # noqa: S101  (the caller asked)
    rows = [row for patient in patients for row in known.values.get(patient, {}).values()]
    judged = comparator_frame(inputs.comparator, rows, patients=patients, variables=inputs.renamed, words=inputs.words)
    for patient, reason in judged.filter(pl.col("reason").is_not_null()).select("patient", "reason").iter_rows():
        reasons.setdefault(patient, reason)
    named = judged.filter(pl.col("reason").is_null())
    return named.select("patient", pl.col("score").alias(inputs.comparator.name))


def _feature_blocks(
    snapshot: Snapshot, study: Study, inputs: PinnedInputs, patients: Sequence[str], reasons: dict[str, str]
) -> list[pl.DataFrame]:
    wanted: dict[str, list[str]] = {}
    for column in inputs.columns:
        is_factor = column in {rule.label for rule in inputs.factors} or is_indicator(column)
        if not is_factor and not column.startswith(BATCH_PREFIX) and not is_region_column(column):
            phase, feature = split_phase(column)
            if is_phase_indicator(column) and inputs.missing_phases == "impute":
                wanted.setdefault(phase, [])
                continue
            wanted.setdefault(phase, []).append(feature)
    chosen = _same_definition(snapshot, study, inputs.feature_set, inputs.definition_sha256)
    if is_embedding(snapshot, chosen):
        raise ContractError(
            f"the model reads embeddings of {chosen}, which exist for the patients of its own study only",
            where=f"study '{study.id}'",
            hint="a model that reads regions itself, such as dl_resnet10, answers for patients of any study",
        )
    _refuse_missing_features(snapshot, chosen, wanted)
    tables = primary_rows(snapshot, study.id, chosen, wanted, inputs.combination)
    if all(table.is_empty() for table in tables.values()):
        raise _other_definition(snapshot, study, inputs.feature_set, inputs.definition_sha256)
    failed = {
        (row["patient"], row["phase"]): row["reason"]
        for row in snapshot.rows("failures", study=study.id)
        if row["feature"] in ("", None)
    }
    imputes, blocks = inputs.missing_phases == "impute", []
    for phase, table in tables.items():
        if table.is_empty() and not imputes:
            raise ContractError(
                f"the model reads phase '{phase}', of which the study has no {chosen}",
                where=f"study '{study.id}'",
                hint=f"phases of the study: {', '.join(study.phases)}; radzoo refresh --study {study.id}",
            )
        counts = dict(table.group_by("patient").len().iter_rows())
        # A row without any value is no lacking phase: so it was in training.
        empty = set() if imputes else set(table.filter(pl.all_horizontal(pl.exclude("patient").is_null()))["patient"])
        for patient in patients:
            if patient not in counts:
                if imputes:
                    continue
                why = failed.get((patient, phase))
                reasons.setdefault(patient, f"no {chosen} in {phase}" + (f": {why}" if why else ""))
            elif counts[patient] > 1:
                reasons.setdefault(patient, f"{counts[patient]} primary masks in {phase}, one is needed")
            elif patient in empty:
                reasons.setdefault(patient, f"no value of any feature in {phase}")
        single = [patient for patient, count in counts.items() if count == 1 and patient not in empty]
        blocks.append(table.filter(pl.col("patient").is_in(single)))
    if not imputes:
        return blocks
    told = dict(zip(tables, blocks, strict=True))
    for patient in set(patients) - {each for table in blocks for each in table["patient"]}:
        reasons.setdefault(patient, f"no {inputs.feature_set} in any phase")
    indicated = [phase for phase in told if phase_indicator(phase) in inputs.columns]
    # Who has two masks of a phase does not lack it.
    return list(joined_phases(told, [each for each in patients if each not in reasons], indicated).values())


def _region_blocks(
    snapshot: Snapshot, study: Study, inputs: PinnedInputs, patients: Sequence[str], reasons: dict[str, str]
) -> list[pl.DataFrame]:
    """Return the regions that a network reads, one table a phase; a patient who lacks one has a reason."""
    chosen = _same_definition(snapshot, study, inputs.regions, inputs.regions_sha256)
    phases = [split_phase(column)[0] for column in region_columns(inputs.columns)]
    tables = region_tables(snapshot, study.id, chosen, phases)
    if all(table.is_empty() for table in tables.values()):
        raise _other_definition(snapshot, study, inputs.regions, inputs.regions_sha256)
    failed = {row["patient"]: row["reason"] for row in snapshot.rows("failures", study=study.id, feature_set=chosen)}
    for phase, table in tables.items():
        for patient in sorted(set(patients) - set(table["patient"])):
            why = failed.get(patient)
            reasons.setdefault(patient, f"no {chosen} in {phase}" + (f": {why}" if why else ""))
    return list(tables.values())


def _same_definition(snapshot: Snapshot, study: Study, asked_set: str | None, definition_sha256: str | None) -> str:
    """Return the store's feature set that has the model's definition; the one of the model's name before others."""
    same = [
        str(row["feature_set"])
        for row in snapshot.rows("feature_sets")
        if row["definition_sha256"] == definition_sha256
    ]
    if not same:
        raise _other_definition(snapshot, study, asked_set, definition_sha256)
    asked = {row["feature_set"] for row in snapshot.rows("study_extractions", study=study.id)}
    return min(same, key=lambda name: (name not in asked, name != asked_set))


def _other_definition(
    snapshot: Snapshot, study: Study, asked_set: str | None, definition_sha256: str | None
) -> ContractError:
    asked = {row["feature_set"] for row in snapshot.rows("study_extractions", study=study.id)}
    here = [row for row in snapshot.rows("feature_sets") if row["feature_set"] in asked]
    has = ", ".join(f"{row['feature_set']} (definition {row['definition_sha256'][:_SHOWN]})" for row in here)
    return ContractError(
        f"the model reads {asked_set} (definition {str(definition_sha256)[:_SHOWN]}), "
        f"the study has {has or 'no feature set'}: values of another definition are other numbers",
        where=f"study '{study.id}'",
        hint=f"name that feature set in the study file, ingest again, then radzoo refresh --study {study.id}",
    )


def _refuse_missing_features(snapshot: Snapshot, feature_set: str, wanted: Mapping[str, Sequence[str]]) -> None:
    known = {row["feature"] for row in snapshot.rows("features", feature_set=feature_set)}
    missing = sorted({name for names in wanted.values() for name in names} - known)
    if missing:
        raise ContractError(
            f"{feature_set} lacks {len(missing)} of the columns that the model reads, the first: {missing[0]}",
            where=str(snapshot.store.root),
            hint=f"radzoo sql \"from features where feature_set = '{feature_set}'\" lists what there is",
        )
