"""The features of every reading of a study's lesions, whose agreement is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.keys import MaskKey, sql_name
from schemas.study.file import Study
from store.analyst.query import snapshot_connection
from store.analyst.view_parts import quoted_name
from store.history.snapshot import Snapshot
from store.kinds.combined import WEIGHT, combined_rows, complete_rows
from store.kinds.every import wide_kind

__all__ = ["reading_values"]

Values = dict[str, dict[tuple[str, str, int], NDArray[np.float64]]]


def reading_values(snapshot: Snapshot, study: Study, feature_set: str, names: Sequence[str]) -> Values:
    """Return the features of each patient, reader and reading, by phase; of masks those of patients read repeatedly.

    Of several lesions those are compared that models read, in every reading's own drawing of them.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients and readings.
    feature_set : str
        ``name@N``, one of the store's.
    names : sequence of str
        The features, in the order that an array of shape (n_features,) has them.
    """
    columns = "".join(f", {quoted_name(name)}" for name in names)
    weight = "k.volume_mm3" if study.combination == "volume-weighted" else "1.0::double"
    view, keys = quoted_name(sql_name(feature_set)), ("phase", "patient", "reader", "reading")
    if not wide_kind(snapshot.row("feature_sets", feature_set=feature_set)).is_of_masks:
        return _by_phase(_imported_values(snapshot, study, feature_set, keys, columns))
    several = """m.patient in (select patient from study_masks where study = $study group by patient
            having count(distinct (reader, reading)) > 1)"""
    if study.combination == "none":
        # Of the lesions that models read every reading is compared, not theirs alone.
        query = f"""select {", ".join(keys)}{columns} from {view} w
        join study_masks m using (patient, exam, phase, lesion, reader, reading)
        where m.study = $study and {several} and (patient, exam, phase, lesion) in (
            select (patient, exam, phase, lesion) from study_masks where study = $study and is_primary)"""
    else:
        named = ", ".join(f"w.{name}" for name in MaskKey._fields)
        rows = f"""select {named}, {weight} as {WEIGHT}{columns}
        {complete_rows(view, "$study", *keys, where=several)}"""
        query = f"select {', '.join(keys)}{columns} from ({combined_rows(rows, *keys)})"
    with snapshot_connection(snapshot, {sql_name(feature_set), "study_masks", "masks", "failures"}) as connection:
        return _by_phase(connection.sql(query, params={"study": study.id}).fetchall())


def _imported_values(
    snapshot: Snapshot, study: Study, feature_set: str, keys: Sequence[str], columns: str
) -> list[tuple[Any, ...]]:
    """Return the rows of an imported table, the lesions of each reading averaged where models read their average."""
    source = f"""from {quoted_name(sql_name(feature_set))} w join catalogue.study_extractions x using (extraction_id)
        where x.study = $study and x.feature_set = $feature_set"""
    rows = f"select patient, exam, phase, lesion, reader, reading, 1.0::double as {WEIGHT}{columns} {source}"
    query = f"select {', '.join(keys)}{columns} from ({combined_rows(rows, *keys)})"
    if study.combination == "none":
        query = f"select {', '.join(keys)}{columns} {source}"
    asked = {"study": study.id, "feature_set": feature_set}
    with snapshot_connection(snapshot, {sql_name(feature_set), "study_extractions"}) as connection:
        return connection.sql(query, params=asked).fetchall()


def _by_phase(rows: Sequence[tuple[Any, ...]]) -> Values:
    found: Values = {}
    for phase, patient, reader, reading, *values in rows:
        found.setdefault(phase, {})[patient, reader, reading] = np.array(values, dtype=np.float64)
    return found
