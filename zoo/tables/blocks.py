"""The blocks of columns that a model's table is joined of: clinical values, features, regions, a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas.errors import ContractError
from schemas.features.names import phase_indicator
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.rows.point_in_time import ClinicalAtReference, clinical_at_reference
from zoo.staging.description import Comparator
from zoo.staging.frame import comparator_frame
from zoo.tables.clinical_columns import batch_block, factor_block, outside_windows
from zoo.tables.embedding_columns import embedding_columns, is_embedding
from zoo.tables.feature_columns import agreeing_columns, joined_phases, phase_columns, refuse_several
from zoo.tables.inputs import BoundInputs, ModelInputs
from zoo.tables.region_tables import region_tables

__all__ = ["ColumnBlock", "column_blocks"]


@dataclass(frozen=True)
class ColumnBlock:
    """Columns of a model's table that come from one place, one row per patient who has them."""

    what: str
    """What a patient without a row lacks."""
    columns: pl.DataFrame
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Patients of whom more can be said, and what."""
    phase: str | None = None
    """Of features, the phase."""

    @property
    def names(self) -> list[str]:
        """Return the columns' names, the pseudonyms' apart."""
        return [name for name in self.columns.columns if name != "patient"]


def column_blocks(snapshot: Snapshot, study: Study, bound: BoundInputs, patients: pl.Series) -> Iterator[ColumnBlock]:
    """Yield the blocks of a model's table, in the order of its columns.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    bound : BoundInputs
        What the model reads.
    patients : polars.Series
        Who may be in the table.

    Raises
    ------
    ContractError
        When embeddings would tell the model its patients' labels, an imported table lacks a phase, or no ICC is there
        for a ``minimum_icc``.
    """
    inputs = bound.inputs
    reads_clinical = inputs.factors or inputs.comparator is not None or inputs.harmonise is not None
    known = clinical_at_reference(snapshot, study.id) if reads_clinical else ClinicalAtReference()
    if inputs.factors:
        # Where factors are imputed, a value outside its window is only one that is missing.
        is_left_out = inputs.missing == "exclude"
        late = outside_windows(known, patients, (rule.variable for rule in inputs.factors)) if is_left_out else {}
        yield ColumnBlock("clinical factors", factor_block(known.values, inputs.factors, inputs.missing), late)
    if inputs.comparator is not None:
        yield _comparator_block(known, inputs, inputs.comparator, patients)
    if bound.feature_set is not None:
        yield from _feature_blocks(snapshot, study.id, bound, bound.feature_set, patients)
    if bound.regions is not None:
        for phase, columns in region_tables(snapshot, study.id, bound.regions, inputs.phases).items():
            yield ColumnBlock(f"{inputs.regions} in {phase}", columns)
    if inputs.harmonise is not None:
        late = outside_windows(known, patients, [inputs.harmonise])
        yield ColumnBlock(inputs.harmonise, batch_block(known.values, study, inputs.harmonise), late)


def _comparator_block(
    known: ClinicalAtReference, inputs: ModelInputs, comparator: Comparator, patients: Iterable[str]
) -> ColumnBlock:
    """Return the published stage or score of each patient who has one, and why the others have none."""
    values = [row for of_patient in known.values.values() for row in of_patient.values()]
    judged = comparator_frame(comparator, values, patients=patients, variables=inputs.variables, words=inputs.words)
    excluded = dict(judged.filter(pl.col("reason").is_not_null()).select("patient", "reason").iter_rows())
    read = [inputs.variables.get(name, name) for name in comparator.inputs]
    for patient, reason in outside_windows(known, judged["patient"], read).items():
        if patient in excluded:
            excluded[patient] += f" ({reason})"
    there = judged.filter(pl.col("reason").is_null())
    return ColumnBlock(comparator.name, there.select("patient", pl.col("score").alias(comparator.name)), excluded)


def _feature_blocks(
    snapshot: Snapshot, study: str, bound: BoundInputs, feature_set: str, patients: pl.Series
) -> Iterator[ColumnBlock]:
    """Yield a block for each phase: radiomics, a table's, or an embedding's numbers."""
    inputs = bound.inputs
    if is_embedding(snapshot, feature_set):
        tables = embedding_columns(snapshot, study, feature_set, inputs.phases, inputs.split)
        for phase, columns in tables.items():
            refuse_several(columns, study, phase, feature_set)
    else:
        tables = phase_columns(snapshot, study, feature_set, inputs.phases, inputs.combination)
    if inputs.minimum_icc is not None:
        stable = agreeing_columns(snapshot, study, inputs.split, feature_set, inputs.minimum_icc, inputs.icc_bound)
        tables = {
            phase: columns.select("patient", *(name for name in columns.columns if name in stable))
            for phase, columns in tables.items()
        }
    if inputs.missing_phases == "impute":
        # A phase of which no column is left tells nothing: who has it alone has no features.
        told = {phase: columns for phase, columns in tables.items() if columns.width > 1} or tables
        _refuse_its_name(told, study)
        for phase, columns in joined_phases(told, patients).items():
            yield ColumnBlock(f"{inputs.feature_set} in any phase", columns, phase=phase)
        return
    for phase, columns in tables.items():
        yield ColumnBlock(f"{inputs.feature_set} in {phase}", columns, phase=phase)


def _refuse_its_name(tables: Mapping[str, pl.DataFrame], study: str) -> None:
    """Refuse a feature that has the name of the column of who lacks its phase: it would be that column."""
    for phase, columns in tables.items():
        if phase_indicator(phase) in columns.columns:
            raise ContractError(
                f"a feature is called as the column that says who lacks a phase: '{phase_indicator(phase)}'",
                where=f"study '{study}'",
                hint="leave it out ([imported.NAME.columns] exclude) or rename it in the table, and ingest again",
            )
