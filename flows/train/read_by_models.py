"""What models were trained from, kept as hashes with each of them: SQL tells later whether it has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.keys import canonical_json
from store.commits.commit import commit_to
from store.history.basis import Basis
from store.history.snapshot import Snapshot
from store.home import Store
from store.planning.models_read import READ, hashes_read
from zoo.models.training import TrainingPlan

__all__ = ["ReadByModels", "keep_read", "read_by_models", "with_read"]

ReadByModels = Mapping[tuple[str, str, int], Mapping[str, str]]
"""By study, model and version."""


def read_by_models(snapshot: Snapshot, study: str, plans: Sequence[TrainingPlan]) -> ReadByModels:
    """Return the hashes of what planned models read, of the version that is current or will be trained.

    Parameters
    ----------
    snapshot : Snapshot
        What the plans were made of.
    study : str
        The study's id.
    plans : sequence of TrainingPlan
        The models.
    """
    models = [
        {
            "study": study,
            "model": plan.model,
            "version": plan.next_version if plan.current_version is None else plan.current_version,
            "dataset_id": plan.dataset.dataset_id,
        }
        for plan in plans
    ]
    datasets = {plan.dataset.dataset_id: vars(plan.dataset) for plan in plans}
    return hashes_read(snapshot, models, datasets.values())


def with_read(row: Mapping[str, Any], read: ReadByModels) -> dict[str, Any]:
    """Return a model's row of the catalogue with what it read."""
    summary = json.loads(row["summary"]) | {READ: read[row["study"], row["model"], row["version"]]}
    return dict(row) | {"summary": canonical_json(summary)}


def keep_read(store: Store, study: str, read: ReadByModels, basis: Basis) -> None:
    """Commit what models read that are in the store already, where it is not on record.

    What they read may have changed without changing their tables, such as a value on the same side of a cut, or be of
    a release that kept no hashes: they were looked at now, and are not to be fitted again.
    """

    def outdated(snapshot: Snapshot) -> list[dict[str, Any]]:
        rows = [row for row in snapshot.rows("models", study=study) if (study, row["model"], row["version"]) in read]
        return [each for row in rows if (each := with_read(row, read))["summary"] != row["summary"]]

    if outdated(Snapshot(store)):
        with commit_to(store, f"train {study}: models looked at, nothing to fit again", basis=basis) as commit:
            # Asked under the writer's lock.
            commit.put("models", outdated(Snapshot(store)))
