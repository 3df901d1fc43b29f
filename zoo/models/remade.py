"""A saved model made again from its pinned dataset: put back where it is the same, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.models.training import fit_and_save_model, plan_training
from zoo.registry import recorded_spec

__all__ = ["remade_model"]


def remade_model(store: Store, row: Mapping[str, Any]) -> bool:
    """Fit a model again and put its folder back where it has the catalogue's hash; return whether it has.

    Equal inputs, seed and libraries give equal bytes; a study whose words or data changed since gives others,
    which are removed. Networks are not trained again: that takes hours.

    Parameters
    ----------
    store : Store
        The store.
    row : mapping
        The model's row of the catalogue.

    Raises
    ------
    RadzooError
        When the model's table cannot be read, or the model not be fitted.
    """
    if recorded_spec(row).is_network:
        return False
    snapshot = Snapshot(store)
    study = stored_study(snapshot, row["study"])
    plan = plan_training(snapshot, study, row["model"])
    if plan.training_sha256 != row["training_sha256"]:
        return False
    made = fit_and_save_model(store, study, plan, row["trained_at"]).row
    folder, path = store.files.below(made["path"]), store.files.local_root / made["path"]
    if made["sha256"] == row["sha256"]:
        scratch = store.models.scratch()
        shutil.copytree(path, scratch)
        store.files.adopt(scratch, row["path"])
    if made["path"] != row["path"]:
        for name in list(folder.paths()):
            folder.remove(name)
        shutil.rmtree(path, ignore_errors=True)
    return bool(made["sha256"] == row["sha256"])
