"""What a pinned dataset holds, in words, with the versions of what was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import RadzooError
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from zoo.models.words import inputs_words

__all__ = ["dataset_words"]


def dataset_words(snapshot: Snapshot, row: Mapping[str, Any]) -> str:
    """Return in words what a pinned dataset's columns are, such as ``tumour-regions@1 in AP, DP, PVP``.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    row : mapping
        The dataset's, of ``datasets``.
    """
    inputs = json.loads(row["inputs"])
    if row.get("feature_set"):
        inputs["feature_set"] = row["feature_set"]
    if inputs.get("regions"):
        inputs["regions"] = _as_read(snapshot, row, inputs["regions"])
    return inputs_words(inputs)


def _as_read(snapshot: Snapshot, row: Mapping[str, Any], asked: str) -> str:
    # They bring scipy along, which the list of models does without.
    from zoo.tables.feature_columns import stored_feature_set

    try:
        then = Snapshot(snapshot.store, row["commit_id"])
        study = stored_study(then, row["study"])
        return stored_feature_set(then, study, asked)
    except RadzooError:
        # Of a commit that cannot be read any more the dataset still has the name that the study asked for.
        return asked
