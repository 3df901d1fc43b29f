"""The features of a study's patients as one table, a row a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.study.file import Study
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot
from zoo.tables.embedding_columns import embedding_columns, is_embedding
from zoo.tables.feature_columns import phase_columns, refuse_several
from zoo.tables.persons import study_people

__all__ = ["FeatureValues", "feature_values", "joined_values", "one_row_a_person"]


@dataclass(frozen=True)
class FeatureValues:
    """The features that models read of a study's patients."""

    feature_set: str
    """``name@N``."""
    patients: tuple[str, ...]
    """Who has a row in one of the phases at least."""
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    """Of shape (n_patients, n_columns); NaN where there is none."""
    phases: tuple[str, ...]
    left_out: str | None = None
    """Who is not in it, and why."""

    def of(self, patients: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Return those of the patients who are there, and their rows."""
        at = {patient: number for number, patient in enumerate(self.patients)}
        there = tuple(patient for patient in patients if patient in at)
        return there, self.values[[at[patient] for patient in there]]


def feature_values(snapshot: Snapshot, study: Study, feature_set: str, split: str | None) -> FeatureValues:
    """Return the features of a study's patients, as models read them.

    Of embeddings of networks that learnt from this study's labels the training patients are left out: theirs are of the
    networks of the folds, others' of the network that was trained on all of them.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    feature_set : str
        ``name@N``.
    split : str or None
        That embeddings were made for; the study's first where None.

    Raises
    ------
    UsageError
        When the set holds no columns of features.
    ContractError
        When a patient has several rows of a phase, or nobody has any.
    """
    phases = tuple(study.phases)
    if not is_embedding(snapshot, feature_set):
        tables = phase_columns(snapshot, study.id, feature_set, _asked_phases(study, feature_set), study.combination)
        return _joined(feature_set, tables)
    name = split or next(iter(study.splits), "")
    tables = embedding_columns(snapshot, study.id, feature_set, phases, name)
    for phase, table in tables.items():
        refuse_several(table, study.id, phase, feature_set)
    if not _is_taught_here(snapshot, study.id, feature_set):
        return _joined(feature_set, tables)
    rows = snapshot.rows("split_members", study=study.id, split=name, cohort="training")
    taught = {row["patient"] for row in rows}
    tables = {phase: table.filter(~pl.col("patient").is_in(taught)) for phase, table in tables.items()}
    why = (
        f"{len(taught)} training patients of split '{name}', whose embeddings are of other networks: those of the folds"
    )
    return _joined(feature_set, tables, why)


def joined_values(first: FeatureValues, second: FeatureValues) -> FeatureValues:
    """Return the rows of two studies' values in the columns that both have, of the second those not in the first.

    Raises
    ------
    ContractError
        When they have no column in common.
    """
    shared = [name for name in first.columns if name in set(second.columns)]
    if not shared:
        raise ContractError(
            f"the phases of the two studies have no name in common: {', '.join(first.phases)} and "
            f"{', '.join(second.phases)}",
            hint="phases are compared by their names in the study files",
        )
    new = tuple(patient for patient in second.patients if patient not in set(first.patients))
    parts = [
        each.of(patients)[1][:, [each.columns.index(name) for name in shared]]
        for each, patients in ((first, first.patients), (second, new))
    ]
    phases = tuple(each for each in first.phases if each in second.phases)
    return FeatureValues(
        first.feature_set, (*first.patients, *new), tuple(shared), np.vstack(parts), phases, first.left_out
    )


def one_row_a_person(snapshot: Snapshot, studies: Sequence[Study], patients: Collection[str]) -> set[str]:
    """Return the patients without those that are another pseudonym of a person who is among them already.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    studies : sequence of Study
        Which say whose pseudonyms are one person.
    patients : collection of str
        Pseudonyms; of one person's the first is kept.
    """
    kept = set(patients)
    for study in studies:
        person = study_people(snapshot, study).person
        seen: set[str] = set()
        for patient in sorted(kept):
            whose = person.get(patient, patient)
            if whose in seen:
                kept.discard(patient)
            seen.add(whose)
    return kept


def _asked_phases(study: Study, feature_set: str) -> tuple[str, ...]:
    """Return the phases of the study; none for a table, which says itself which it has."""
    return () if feature_set.partition("@")[0] in study.imported else tuple(study.phases)


def _is_taught_here(snapshot: Snapshot, study: str, feature_set: str) -> bool:
    with snapshot_connection(snapshot, {"embeddings", "study_extractions"}) as connection:
        found = connection.sql(
            "select count(*) from embeddings e join catalogue.study_extractions x using (feature_set, extraction_id) "
            "where e.feature_set = $feature_set and x.study = $study and e.split_sha256 is not null",
            params={"feature_set": feature_set, "study": study},
        ).fetchall()
    return bool(found[0][0])


def _joined(feature_set: str, tables: dict[str, pl.DataFrame], left_out: str | None = None) -> FeatureValues:
    patients = sorted({patient for table in tables.values() for patient in table["patient"]})
    if not patients:
        raise ContractError(f"nobody of the study has a row of '{feature_set}'", hint="radzoo refresh computes them")
    frame = pl.DataFrame({"patient": patients}, schema={"patient": pl.String})
    for table in tables.values():
        frame = frame.join(table, on="patient", how="left", maintain_order="left")
    numbers = frame.drop("patient").cast(pl.Float64)
    return FeatureValues(
        feature_set,
        tuple(patients),
        tuple(numbers.columns),
        numbers.fill_null(float("nan")).to_numpy(),
        tuple(phase for phase, table in tables.items() if table.height),
        left_out,
    )
