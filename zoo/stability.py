"""Stability: how well repeated readings of the same tumours agree, feature by feature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from schemas.keys import sql_name
from schemas.study import Study
from store.query import snapshot_connection
from store.snapshot import Snapshot
from zoo.evaluation.agreement import icc_agreement
from zoo.feature_columns import stored_feature_set

__all__ = ["FEWEST_PATIENTS", "StabilityCount", "stability_counts", "stability_rows", "stable_in_every_kind"]

FEWEST_PATIENTS = 5
"""With fewer repeated readings an ICC says nothing, and none is given."""

Reading = tuple[str, int]


def stability_rows(snapshot: Snapshot, study: Study, split: str, feature_set: str) -> list[dict[str, Any]]:
    """Return the ICC(A,1) of every feature and phase, within and between readers.

    Only training patients of the split count: which features are kept must not be decided by patients that a
    model is judged on. ``intra`` compares the first reader's readings, ``inter`` the first reading of every
    reader; a kind that the study's readings do not give, or fewer than five patients have, has no rows.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study, whose first reading is the one that models use.
    split : str
        The split whose training patients count.
    feature_set : str
        ``name`` or ``name@version``, as the study writes it.

    References
    ----------
    McGraw KO, Wong SP, Psychol Methods 1996;1:30, doi:10.1037/1082-989X.1.1.30.
    """
    feature_set = stored_feature_set(snapshot, study, feature_set)
    members = snapshot.rows("split_members", study=study.id, split=split)
    training = sorted(row["patient"] for row in members if row["cohort"] == "training")
    names = [row["feature"] for row in snapshot.rows("features", feature_set=feature_set)]
    rows: list[dict[str, Any]] = []
    with snapshot_connection(snapshot) as connection:
        of_phases = {phase: _values(connection, study.id, feature_set, phase, names) for phase in study.phases}
    for phase, values in of_phases.items():
        for kind, readings in _compared_readings(study).items():
            patients = [p for p in training if all((p, *reading) in values for reading in readings)]
            if len(patients) < FEWEST_PATIENTS:
                continue
            ratings = np.array([[values[(p, *reading)] for reading in readings] for p in patients])
            estimate = icc_agreement(ratings)
            rows += [
                {
                    "study": study.id,
                    "split": split,
                    "feature_set": feature_set,
                    "phase": phase,
                    "feature": name,
                    "kind": kind,
                    "patients": len(patients),
                    "icc": _number(estimate.value[column]),
                    "lower": _number(estimate.lower[column]),
                    "upper": _number(estimate.upper[column]),
                }
                for column, name in enumerate(names)
            ]
    return rows


@dataclass(frozen=True)
class StabilityCount:
    """How many features of a family agree well enough in one phase and kind of comparison."""

    phase: str
    family: str
    kind: str
    patients: int
    features: int
    passing: int
    undefined: int
    """Features without an ICC: they do not vary, or have no value in some reading."""
    median: float | None
    """Median ICC of those that have one."""


def stability_counts(
    rows: Iterable[Mapping[str, Any]], families: Mapping[str, str | None], minimum: float
) -> list[StabilityCount]:
    """Return the counts of each phase, family and kind, in the order of the rows.

    Parameters
    ----------
    rows : iterable of mapping
        As `stability_rows` gives them.
    families : mapping of str to str or None
        The family of each feature.
    minimum : float
        The ICC from which a feature passes.
    """
    groups: dict[tuple[str, str, str, int], list[float | None]] = {}
    for row in rows:
        key = (row["phase"], families.get(row["feature"]) or "", row["kind"], row["patients"])
        groups.setdefault(key, []).append(row["icc"])
    counts = []
    for (phase, family, kind, patients), values in groups.items():
        known = [value for value in values if value is not None]
        counts.append(
            StabilityCount(
                phase=phase,
                family=family,
                kind=kind,
                patients=patients,
                features=len(values),
                passing=sum(value >= minimum for value in known),
                undefined=len(values) - len(known),
                median=float(np.median(known)) if known else None,
            )
        )
    return counts


def stable_in_every_kind(rows: Iterable[Mapping[str, Any]], minimum: float) -> set[tuple[str, str]]:
    """Return the phases and features whose ICC is at least ``minimum`` in every kind among the rows."""
    failing, seen = set(), set()
    for row in rows:
        key = (row["phase"], row["feature"])
        seen.add(key)
        # A feature that does not vary, or has no value in some reading, has no ICC and is not kept.
        if row["icc"] is None or row["icc"] < minimum:
            failing.add(key)
    return seen - failing


def _compared_readings(study: Study) -> dict[str, list[Reading]]:
    """Return which readings are compared within the first reader and between readers."""
    first = study.readings[0]
    within = [(each.reader, each.reading) for each in study.readings if each.reader == first.reader]
    between: dict[str, Reading] = {}
    for each in study.readings:
        between.setdefault(each.reader, (each.reader, each.reading))
    kinds = {"intra": within, "inter": list(between.values())}
    return {kind: readings for kind, readings in kinds.items() if len(readings) > 1}


def _values(
    connection: duckdb.DuckDBPyConnection, study: str, feature_set: str, phase: str, names: Sequence[str]
) -> dict[tuple[str, str, int], list[float]]:
    """Return the features of each patient, reader and reading of a phase; NaN where one has no value."""
    columns = ", ".join(f'w."{name}"' for name in names)
    query = (
        f'select w.patient, w.reader, w.reading, {columns} from "{sql_name(feature_set)}" w '
        "join study_masks m using (patient, exam, phase, lesion, reader, reading) "
        "where m.study = $study and w.phase = $phase"
    )
    table = connection.sql(query, params={"study": study, "phase": phase}).fetchall()
    return {
        (patient, reader, reading): [float("nan") if value is None else value for value in values]
        for patient, reader, reading, *values in table
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
