"""Columns of embeddings: which rows a model may learn from, and which would tell it the labels.

The embedding of a network that was trained on labels carries the labels of its training patients: a model that
learns from it and is judged by them, or by what it learnt from them, is judged on what it was told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from schemas.errors import ContractError
from schemas.features.names import with_phase
from schemas.splits import split_sha256
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot

__all__ = [
    "EMBEDDING",
    "embedding_columns",
    "embedding_name",
    "is_embedding",
    "refuse_trained_embeddings",
    "split_hash",
]

EMBEDDING = "embedding"
"""The kind of a feature set of embeddings."""

_ROWS = """
select e.patient, e.phase, e.embedding, e.split_sha256, e.in_training
from embeddings e
join catalogue.study_extractions x using (feature_set, extraction_id)
join study_masks m using (patient, exam, phase, lesion, reader, reading)
where e.feature_set = $feature_set and x.study = $study and m.study = $study and m.is_primary
order by e.patient, e.phase
"""


def is_embedding(snapshot: Snapshot, feature_set: str) -> bool:
    """Return whether a feature set, ``name@N``, is one of embeddings."""
    return bool(snapshot.row("feature_sets", feature_set=feature_set)["kind"] == EMBEDDING)


def split_hash(snapshot: Snapshot, study: str, split: str) -> str:
    """Return the hash of a split, by which embeddings tell for which one they were made."""
    return split_sha256(
        {row["patient"]: row["cohort"] for row in snapshot.rows("split_members", study=study, split=split)}
    )


def embedding_name(position: int) -> str:
    """Return the column's name of one of an embedding's numbers."""
    return f"embedding_{position:04}"


def embedding_columns(
    snapshot: Snapshot, study: str, feature_set: str, phases: Sequence[str], split: str
) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient: the numbers of the embedding that a model may learn from.

    That is one of a network that saw no label of this store, or of one that was trained for this split and not on
    this patient.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        Whose patients.
    feature_set : str
        ``name@N``.
    phases : sequence of str
        The phases.
    split : str
        The split that the model trains on.

    Raises
    ------
    ContractError
        When all that there is of a patient was made by a network that was trained on this patient, or for another
        split: its training patients may be held out here.
    """
    own = split_hash(snapshot, study, split)
    rows: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    with snapshot_connection(snapshot, {"embeddings", "study_extractions", "study_masks"}) as connection:
        answer = connection.sql(_ROWS, params={"feature_set": feature_set, "study": study})
        for row in answer.to_arrow_table().to_pylist():
            if row["phase"] in phases:
                rows[row["phase"], row["patient"]].append(row)
    told = {key: of_key for key, of_key in rows.items() if not any(_is_leak_free(row, own) for row in of_key)}
    if told:
        raise _refusal(feature_set, split, told, own)
    found: dict[str, pl.DataFrame] = {}
    for phase in phases:
        kept = {
            patient: next(row for row in of_key if _is_leak_free(row, own))["embedding"]
            for (of, patient), of_key in rows.items()
            if of == phase
        }
        size = len(next(iter(kept.values()), ()))
        names = [with_phase(phase, embedding_name(position)) for position in range(size)]
        numbers = np.array(list(kept.values()), dtype=np.float64).reshape(len(kept), size)
        found[phase] = pl.DataFrame({"patient": list(kept)}, schema={"patient": pl.String}).hstack(
            pl.DataFrame(numbers, schema=names, orient="row")
        )
    return found


def refuse_trained_embeddings(snapshot: Snapshot, study: str, feature_set: str) -> None:
    """Refuse embeddings of networks that learnt from this study's labels, for folds that they do not know.

    Raises
    ------
    ContractError
        When a network of the set was trained for a split of the study.
    """
    with snapshot_connection(snapshot, {"embeddings", "study_extractions"}) as connection:
        trained = connection.sql(
            "select count(*) from embeddings e join catalogue.study_extractions x using (feature_set, extraction_id) "
            "where e.feature_set = $feature_set and x.study = $study and e.split_sha256 is not null",
            params={"feature_set": feature_set, "study": study},
        ).fetchall()[0][0]
    if trained:
        raise ContractError(
            f"'{feature_set}' is of networks that were trained for a split of this study: in other folds they have "
            "seen labels of patients who are held out there",
            where=f"study '{study}'",
            hint="judge models of these embeddings in the holdout suite, whose split they were made for, or take a "
            "network that saw no label of these patients",
        )


def _is_leak_free(row: dict[str, Any], split: str) -> bool:
    if row["split_sha256"] is None:
        return row["in_training"] is not True
    return row["in_training"] is False and row["split_sha256"] == split


def _refusal(
    feature_set: str, split: str, told: dict[tuple[str, str], list[dict[str, Any]]], own: str
) -> ContractError:
    (phase, patient), rows = next(iter(told.items()))
    patients = len({patient for _, patient in told})
    is_other_split = all(row["split_sha256"] not in (None, own) for row in rows)
    why = (
        "by networks that were trained for another split, whose training patients may be held out in this one"
        if is_other_split
        else "by a network that was trained on this patient's label: a model that learns from them learns the label"
    )
    return ContractError(
        f"the embeddings of {patients} patients in '{feature_set}' were made {why}",
        where=f"split '{split}', the first: patient '{patient}', phase '{phase}'",
        hint="radzoo embed MODEL makes out-of-fold embeddings for the model's split",
    )
