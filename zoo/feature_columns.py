"""Feature columns of a study's patients: which feature set, which phases, which features are stable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from schemas.errors import ContractError, NotFoundError
from schemas.feature_names import with_phase
from schemas.feature_sets import FeatureSetRef
from schemas.keys import sql_name
from schemas.study import Study
from store.query import snapshot_connection
from store.snapshot import Snapshot

__all__ = ["phase_columns", "primary_rows", "stable_columns", "stored_feature_set"]


def stored_feature_set(snapshot: Snapshot, study: Study, feature_set: str) -> str:
    """Return the ``name@version`` that a study means by ``name`` or ``name@N``, among those computed.

    Raises
    ------
    NotFoundError
        When it has not been computed.
    """
    ref = FeatureSetRef.parse(feature_set)
    own = study.define.get(ref.name)
    settings = own.radiomics.model_dump(mode="json") if own else None
    versions = [
        row
        for row in snapshot.rows("feature_sets", name=ref.name)
        if ref.version in (None, row["version"])
        # Two studies, or two days, may define one name differently: the newest version may be another's.
        and (settings is None or json.loads(row["definition"])["settings"] == settings)
    ]
    if not versions:
        raise NotFoundError(
            f"feature set '{feature_set}' has not been computed", hint=f"radzoo refresh --study {study.id}"
        )
    return str(max(versions, key=lambda row: row["version"])["feature_set"])


def phase_columns(snapshot: Snapshot, study: Study, feature_set: str, phases: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient: the primary reading's features, names with the phase."""
    chosen = stored_feature_set(snapshot, study, feature_set)
    names = [row["feature"] for row in snapshot.rows("features", feature_set=chosen)]
    return primary_rows(snapshot, study.id, chosen, dict.fromkeys(phases, names))


def primary_rows(
    snapshot: Snapshot, study: str, feature_set: str, names: Mapping[str, Sequence[str]]
) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient: the primary reading's features, names with the phase.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        Whose patients.
    feature_set : str
        ``name@N``, one of the store's.
    names : mapping of str to sequence of str
        The features of each phase.
    """
    found: dict[str, pl.DataFrame] = {}
    with snapshot_connection(snapshot) as connection:
        for phase, features in names.items():
            columns = ", ".join(f'w."{name}" as "{with_phase(phase, name)}"' for name in features)
            query = (
                f'select w.patient, {columns} from "{sql_name(feature_set)}" w '
                "join study_masks m using (patient, exam, phase, lesion, reader, reading) "
                "where m.study = $study and m.is_primary and w.phase = $phase order by w.patient"
            )
            table = connection.sql(query, params={"study": study, "phase": phase}).to_arrow_table()
            found[phase] = pl.DataFrame(table)
    return found


def stable_columns(snapshot: Snapshot, study: Study, split: str, feature_set: str, minimum_icc: float) -> set[str]:
    """Return the columns whose readings agree: an ICC of at least ``minimum_icc`` in every kind that was computed.

    Raises
    ------
    ContractError
        When the store has no ICC of this feature set on the split's training patients.
    """
    chosen = stored_feature_set(snapshot, study, feature_set)
    lowest: dict[str, float] = {}
    for row in snapshot.rows("stability", study=study.id, split=split, feature_set=chosen):
        name = with_phase(row["phase"], row["feature"])
        # A feature that does not vary, or has no value in some reading, has no ICC and is not kept.
        icc = -1.0 if row["icc"] is None else row["icc"]
        lowest[name] = min(icc, lowest.get(name, icc))
    if not lowest:
        raise ContractError(
            f"minimum_icc is asked for, but '{feature_set}' has no repeated readings of training patients",
            where=f"study '{study.id}', split '{split}'",
            hint="add [[readings]] to the study file, or leave minimum_icc out",
        )
    return {name for name, icc in lowest.items() if icc >= minimum_icc}
