"""What a worker process of a training does: one network. Workers need no Prefect, so none is imported."""

from __future__ import annotations

from pathlib import Path

from flows.engine.watching import watch_networks
from schemas.study.file import Study
from store.home import Store
from store.times import utc_now
from zoo.models.training import TrainedModel, TrainingPlan, fit_and_save_model

__all__ = ["train_network"]


def train_network(root: Path, study: Study, plan: TrainingPlan, checkpoints: Path) -> TrainedModel:
    """Train a network in a worker process and save it below the store."""
    with watch_networks(checkpoints, told_as=plan.model):
        return fit_and_save_model(Store(root), study, plan, utc_now())
