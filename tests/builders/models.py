"""Models trained and put on record in this process, as ``radzoo train`` does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flows.train.read_by_models import read_by_models, with_read
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.models.training import fit_and_save_model, plan_trainings

__all__ = ["train"]


def train(store: Store, study: Study, *models: str) -> list[dict[str, Any]]:
    """Train models of a study in one commit, all of them where none is named, and return their rows."""
    names = models or tuple(study.models)
    snapshot = Snapshot(store)
    plans = plan_trainings(snapshot, study, names)
    # A model that is there is fitted too, as its next version.
    read = read_by_models(snapshot, study.id, [replace(plan, current_version=None) for plan in plans])
    trained = [fit_and_save_model(store, study, plan, "2026-01-01T00:00:00+00:00") for plan in plans]
    with commit_to(store, f"train {', '.join(names)}") as commit:
        commit.put("datasets", [vars(each.dataset) for each in trained])
        commit.put("models", [with_read(each.row, read) for each in trained])
        commit.put("importances", [row for each in trained for row in each.importances])
    return [each.row for each in trained]
