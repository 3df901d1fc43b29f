"""The table a model trains on: one row per labelled patient of a split, read from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.models import TABLE_KEYS
from store.history.snapshot import Snapshot
from store.rows.point_in_time import ClinicalAtReference, clinical_at_reference
from zoo.staging.frame import comparator_frame
from zoo.tables.clinical_columns import batch_block, factor_block, outside_windows
from zoo.tables.embedding_columns import embedding_columns, is_embedding
from zoo.tables.feature_columns import agreeing_columns, phase_columns, stored_feature_set
from zoo.tables.fits import TOO_FEW, UnfitError
from zoo.tables.inputs import ModelInputs
from zoo.tables.region_tables import region_tables

__all__ = ["KEY_COLUMNS", "ModelTable", "model_table"]

KEY_COLUMNS = TABLE_KEYS


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
    UnfitError
        When the training cohort is left with one class only.
    ContractError
        When embeddings would tell the model its patients' labels, or two columns would have one name.
    """
    _refuse_repeated(study, [*KEY_COLUMNS, *(rule.label for rule in inputs.factors)])
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
        blocks += [("clinical factors", factor_block(known.values, inputs.factors, inputs.missing))]
        if inputs.missing == "exclude":
            excluded |= outside_windows(known, frame["patient"], (rule.variable for rule in inputs.factors))
    if inputs.comparator is not None:
        values = [row for of_patient in known.values.values() for row in of_patient.values()]
        judged = comparator_frame(
            inputs.comparator, values, patients=frame["patient"], variables=inputs.variables, words=inputs.words
        )
        excluded |= dict(judged.filter(pl.col("reason").is_not_null()).select("patient", "reason").iter_rows())
        read = [inputs.variables.get(name, name) for name in inputs.comparator.inputs]
        for patient, reason in outside_windows(known, judged["patient"], read).items():
            if patient in excluded:
                excluded[patient] += f" ({reason})"
        named = judged.filter(pl.col("reason").is_null()).select(
            "patient", pl.col("score").alias(inputs.comparator.name)
        )
        blocks += [(inputs.comparator.name, named)]
    if inputs.feature_set is not None:
        features = (
            embedding_columns(snapshot, study.id, chosen, inputs.phases, inputs.split)
            if chosen is not None and is_embedding(snapshot, chosen)
            else phase_columns(snapshot, study, inputs.feature_set, inputs.phases)
        )
        if inputs.minimum_icc is not None:
            stable = agreeing_columns(
                snapshot, study, inputs.split, inputs.feature_set, inputs.minimum_icc, inputs.icc_bound
            )
            features = {
                phase: columns.select("patient", *(name for name in columns.columns if name in stable))
                for phase, columns in features.items()
            }
        phases = tuple(features)
        blocks += [(f"{inputs.feature_set} in {phase}", columns) for phase, columns in features.items()]
    if inputs.regions is not None:
        chosen_regions = stored_feature_set(snapshot, study, inputs.regions)
        cropped = region_tables(snapshot, study.id, chosen_regions, inputs.phases)
        blocks += [(f"{inputs.regions} in {phase}", columns) for phase, columns in cropped.items()]
    if inputs.harmonise is not None:
        blocks += [(inputs.harmonise, batch_block(known.values, study, inputs.harmonise))]
        excluded |= outside_windows(known, frame["patient"], [inputs.harmonise])
    _refuse_repeated(study, [*KEY_COLUMNS, *(n for _, block in blocks for n in block.columns if n != "patient")])
    for what, columns in blocks:
        there = set(columns["patient"])
        excluded |= {p: f"no {what}" for p in frame["patient"] if p not in there and p not in excluded}
        frame = frame.join(columns, on="patient", how="inner", maintain_order="left")
    _refuse_one_class(frame, inputs)
    return ModelTable(frame, excluded, chosen, phases)


def _refuse_repeated(study: Study, names: Sequence[str]) -> None:
    """Refuse a table of which two columns have one name: a join would give the second another one, unseen."""
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ContractError(
            f"two columns of the model's table have the name '{repeated[0]}'",
            where=f"study '{study.id}'",
            hint="give the factor another name in the study file ('name = ...'), then radzoo ingest it again",
        )


def _refuse_one_class(frame: pl.DataFrame, inputs: ModelInputs) -> None:
    """Refuse a training cohort of one class; a validation cohort of one has no AUC, and other figures."""
    labels = frame.filter(pl.col("cohort") == "training")["label"]
    present = set(labels)
    if present != {0, 1}:
        raise UnfitError(
            f"the training cohort has {'only label ' + str(present.pop()) if present else 'no patient'} "
            f"among those with all inputs: {len(labels)} patients, {int(labels.sum())} with label 1",
            where=f"split '{inputs.split}'",
            hint=TOO_FEW,
        )
