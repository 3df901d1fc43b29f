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
from zoo.tables.blocks import column_blocks
from zoo.tables.fits import TOO_FEW, UnfitError
from zoo.tables.inputs import ModelInputs, bound_inputs

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
    regions: str | None = None
    """The set of regions, ``name@N``, that was read; None without one."""
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
    factors, only one without any of them is, and where it imputes phases, one without any of them. A single feature
    that could not be computed stays NULL, for the model's own imputation.

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
    bound = bound_inputs(snapshot, study, inputs)
    frame = _labelled_patients(snapshot, study, inputs.split)
    blocks = list(column_blocks(snapshot, study, bound, frame["patient"]))
    _refuse_repeated(study, [*KEY_COLUMNS, *(name for each in blocks for name in each.names)])
    excluded: dict[str, str] = {}
    for each in blocks:
        excluded |= each.excluded
    for each in blocks:
        there = set(each.columns["patient"])
        excluded |= {p: f"no {each.what}" for p in frame["patient"] if p not in there and p not in excluded}
        frame = frame.join(each.columns, on="patient", how="inner", maintain_order="left")
    _refuse_one_class(frame, inputs)
    phases = tuple(each.phase for each in blocks if each.phase is not None)
    return ModelTable(frame, excluded, bound.feature_set, bound.regions, phases)


def _labelled_patients(snapshot: Snapshot, study: Study, split: str) -> pl.DataFrame:
    """Return the patients of a split with their cohort and label, by pseudonym."""
    rows = snapshot.rows("split_members", study=study.id, split=split)
    labels = {row["patient"]: row["label"] for row in snapshot.rows("labels", study=study.id)}
    columns = {
        "patient": [row["patient"] for row in rows],
        "cohort": [row["cohort"] for row in rows],
        "label": [labels[row["patient"]] for row in rows],
    }
    return pl.DataFrame(columns, schema={"patient": pl.String, "cohort": pl.String, "label": pl.Int64}).sort("patient")


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
