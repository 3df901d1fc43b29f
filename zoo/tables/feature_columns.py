"""Feature columns of a study's patients: which feature set, which phases, which features are stable."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.errors import ContractError, NotFoundError
from schemas.features.names import phase_indicator, with_phase
from schemas.features.sets import FeatureSetRef
from schemas.keys import MaskKey, sql_name
from schemas.plain_keys import Combination
from schemas.study.file import Study
from schemas.study.models import IccBound
from store.analyst.query import snapshot_connection
from store.analyst.view_parts import quoted_name, quoted_text
from store.history.snapshot import Snapshot
from store.kinds.every import EMBEDDING, kind_of, wide_kind
from store.rows.reader import feature_table
from zoo.tables.stable_columns import stable_columns

__all__ = [
    "agreeing_columns",
    "joined_phases",
    "phase_columns",
    "primary_extractions",
    "primary_rows",
    "refuse_several",
    "stored_feature_set",
]

_IMPORTED = (
    "catalogue.study_extractions x using (extraction_id) where x.study = $study and x.feature_set = $feature_set"
)


def stored_feature_set(snapshot: Snapshot, study: Study, feature_set: str) -> str:
    """Return the ``name@version`` that a study means by ``name`` or ``name@N``, among those computed.

    Raises
    ------
    NotFoundError
        When it has not been computed.
    """
    ref = FeatureSetRef.parse(feature_set)
    if ref.name in study.imported:
        return _own_version(
            snapshot, study, ref, "radzoo ingest STUDY.toml reads its table; a changed definition is a new version"
        )
    if study.is_of_network(feature_set):
        return _own_version(snapshot, study, ref, f"radzoo refresh --study {study.id} computes it")
    if snapshot.rows("feature_sets", name=ref.name, kind=EMBEDDING.name) and ref.name not in study.define:
        return _own_version(snapshot, study, ref, f"radzoo embed MODEL --study {study.id} makes embeddings")
    own = study.define.get(ref.name)
    settings = own.settings.model_dump(mode="json") if own else None
    versions = [
        row
        for row in snapshot.rows("feature_sets", name=ref.name)
        if ref.version in (None, row["version"])
        and kind_of(row).is_of_masks
        # Two studies, or two days, may define one name differently: the newest version may be another's.
        and (settings is None or json.loads(row["definition"])["settings"] == settings)
    ]
    if not versions:
        raise NotFoundError(
            f"feature set '{feature_set}' has not been computed", hint=f"radzoo refresh --study {study.id}"
        )
    return str(max(versions, key=lambda row: row["version"])["feature_set"])


def _own_version(snapshot: Snapshot, study: Study, ref: FeatureSetRef, hint: str) -> str:
    """Return the version whose rows are the study's: others of the name are former ones, or another study's."""
    for row in snapshot.rows("feature_sets", name=ref.name):
        is_asked = ref.version in (None, row["version"])
        if is_asked and snapshot.rows("study_extractions", study=study.id, feature_set=row["feature_set"]):
            return str(row["feature_set"])
    raise NotFoundError(
        f"the store has no rows of feature set '{ref}' from study '{study.id}'",
        hint=hint,
    )


def phase_columns(
    snapshot: Snapshot, study: str, feature_set: str, phases: Sequence[str], combination: Combination = "none"
) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient: the features that models read, names with the phase.

    That is the row of the primary reading, or the only one of an imported table that tells none.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        Whose patients.
    feature_set : str
        ``name@N``, one of the store's.
    phases : sequence of str
        The phases; all that an imported table has where empty.
    combination : Combination
        How several rows of one patient and phase become one.

    Raises
    ------
    ContractError
        When an imported table lacks a phase, or a patient has several rows of one that do not become one.
    """
    names = [row["feature"] for row in snapshot.rows("features", feature_set=feature_set)]
    if not wide_kind(snapshot.row("feature_sets", feature_set=feature_set)).is_of_masks:
        phases = _imported_phases(snapshot, study, feature_set, phases)
    return primary_rows(snapshot, study, feature_set, dict.fromkeys(phases, names), combination)


def _imported_phases(snapshot: Snapshot, study: str, feature_set: str, asked: Sequence[str]) -> Sequence[str]:
    query = f'select distinct w.phase from "{sql_name(feature_set)}" w join {_IMPORTED} order by w.phase'
    with snapshot_connection(snapshot, {sql_name(feature_set), "study_extractions"}) as connection:
        found = connection.sql(query, params={"study": study, "feature_set": feature_set}).fetchall()
    there = [phase for (phase,) in found]
    if lacking := [phase for phase in asked if phase not in there]:
        raise ContractError(
            f"feature set '{feature_set}' has no phase '{lacking[0]}'; it has {', '.join(there)}",
            where=f"study '{study}'",
            hint="correct 'phases' of the model in the study file and ingest again",
        )
    return asked or there


def primary_rows(
    snapshot: Snapshot,
    study: str,
    feature_set: str,
    names: Mapping[str, Sequence[str]],
    combination: Combination = "none",
) -> dict[str, pl.DataFrame]:
    """Return, for each phase, one row per patient: the features that models read, names with the phase.

    That is the row of the primary reading, or the only one of an imported table that tells none.

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
    combination : Combination
        How several rows of one patient and phase become one.

    Raises
    ------
    ContractError
        When a patient has several rows of one phase that do not become one.
    """
    kind = wide_kind(snapshot.row("feature_sets", feature_set=feature_set))
    if kind.is_of_masks and combination == "none":
        wanted = list(dict.fromkeys(name for features in names.values() for name in features))
        rows = pl.DataFrame(feature_table(snapshot, feature_set, study=study, primary=True, columns=wanted))
        tables = {
            phase: rows.filter(pl.col("phase") == phase)
            .select("patient", **{with_phase(phase, name): pl.col(name) for name in features})
            .sort("patient", maintain_order=True)
            for phase, features in names.items()
        }
    else:
        tables = _queried_rows(snapshot, study, feature_set, names, combination)
    for phase, table in tables.items():
        refuse_several(table, study, phase, feature_set)
    return tables


def _queried_rows(
    snapshot: Snapshot, study: str, feature_set: str, names: Mapping[str, Sequence[str]], combination: Combination
) -> dict[str, pl.DataFrame]:
    """Return what the SQL of a dataset asks for: combined rows are to be those to the last bit."""
    view = sql_name(feature_set)
    kind = wide_kind(snapshot.row("feature_sets", feature_set=feature_set))
    if combination == "volume-weighted" and not kind.is_of_masks:
        raise ContractError(
            f"lesions of '{feature_set}' cannot be weighed by their volumes: an imported table has none",
            where=f"study '{study}'",
            hint='use = "mean" under [lesions], or leave the other lesions out of the table; then ingest again',
        )
    found: dict[str, pl.DataFrame] = {}
    asked = kind.primary_rows(quoted_name(view), quoted_text(study), quoted_text(feature_set), combination)
    with snapshot_connection(
        snapshot, {view, "study_extractions", "studies", "study_masks", "masks", "failures"}
    ) as connection:
        for phase, features in names.items():
            columns = "".join(f", {quoted_name(name)} as {quoted_name(with_phase(phase, name))}" for name in features)
            query = f"select patient{columns} from ({asked}) where phase = $phase order by patient"
            found[phase] = pl.DataFrame(connection.sql(query, params={"phase": phase}).to_arrow_table())
    return found


def refuse_several(table: pl.DataFrame, study: str, phase: str, feature_set: str) -> None:
    """Refuse a phase's rows of which a patient has several.

    Raises
    ------
    ContractError
        With the first such patient.
    """
    if (several := table.filter(pl.col("patient").is_duplicated())).height:
        raise ContractError(
            f"patient '{several['patient'][0]}' has several lesions or exams in phase '{phase}' of '{feature_set}'; "
            "a model reads one row a patient and phase",
            where=f"study '{study}'",
            hint="say under [lesions] or [exams] how they become one, or leave the others out of the table; then "
            "ingest again",
        )


def joined_phases(
    tables: Mapping[str, pl.DataFrame], patients: Iterable[str], indicated: Collection[str] | None = None
) -> dict[str, pl.DataFrame]:
    """Return each phase's columns for every patient who has one of the phases, NULL for who lacks this one.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        By phase, one row per patient who has it.
    patients : iterable of str
        Who is asked about; the rows are in their order.
    indicated : collection of str, optional
        The phases that get a column of who lacks them, `phase_indicator`; those that somebody lacks where absent.
    """
    there = {phase: set(table["patient"]) for phase, table in tables.items()}
    anywhere = set().union(*there.values())
    known = pl.DataFrame({"patient": [each for each in patients if each in anywhere]}, schema={"patient": pl.String})
    found = {}
    for phase, table in tables.items():
        joined = known.join(table, on="patient", how="left", maintain_order="left")
        lacks = [float(patient not in there[phase]) for patient in known["patient"]]
        if any(lacks) if indicated is None else phase in indicated:
            joined = joined.with_columns(pl.Series(phase_indicator(phase), lacks, dtype=pl.Float64))
        found[phase] = joined
    return found


def primary_extractions(snapshot: Snapshot, study: str, feature_set: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return, by patient and phase, which extraction of the primary mask a study has of a computed feature set.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        The study's id.
    feature_set : str
        ``name@N``.

    Returns
    -------
    dict of (str, str) to dict
        ``extraction_id``, the mask's key, ``image_sha256`` and ``mask_sha256``.
    """
    keys = ", ".join(MaskKey._fields)
    with snapshot_connection(snapshot, {"extractions", "study_extractions", "masks", "study_masks"}) as connection:
        rows = connection.sql(
            f"select {keys}, e.extraction_id, e.image_sha256, e.mask_sha256 from catalogue.extractions e "
            "join catalogue.study_extractions x using (feature_set, extraction_id) "
            "join catalogue.masks k using (image_sha256, mask_sha256) "
            f"join study_masks m using ({keys}) "
            "where feature_set = $feature_set and x.study = $study and m.study = $study and m.is_primary",
            params={"feature_set": feature_set, "study": study},
        )
        return {(row["patient"], row["phase"]): row for row in rows.to_arrow_table().to_pylist()}


def agreeing_columns(
    snapshot: Snapshot, study: str, split: str, feature_set: str, minimum_icc: float, bound: IccBound = "estimate"
) -> set[str]:
    """Return the columns whose readings agree, by the store's ICCs and the rule of `zoo.tables.stable_columns`.

    Raises
    ------
    ContractError
        When the store has no ICC of this feature set on the split's training patients.
    """
    rows = snapshot.rows("stability", study=study, split=split, feature_set=feature_set)
    if not rows:
        raise ContractError(
            f"minimum_icc is asked for, but '{feature_set}' has no repeated readings of training patients",
            where=f"study '{study}', split '{split}'",
            hint="add [[readings]] to the study file, or leave minimum_icc out",
        )
    return stable_columns(rows, minimum_icc, bound)
