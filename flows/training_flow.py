"""The Prefect flow that trains: one task a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.network_watching import watched_networks
from flows.temporary_server import started_server
from schemas.study import Study
from store.commit import utc_now
from store.home import Store
from zoo.training import TrainedModel, TrainingPlan, trained_model

__all__ = ["trained_models"]


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="train {plan.model}")
def train_model(plan: TrainingPlan, store: Store, study: Study, advance: Callable[[int], None]) -> TrainedModel:
    """Train one model and save it below the store."""
    with watched_networks(store.staging, plan.model):
        trained = trained_model(store, study, plan, utc_now())
    advance(1)
    return trained


@flow(name="train", validate_parameters=False, persist_result=False)
def train_missing(
    store: Store, study: Study, plans: Sequence[TrainingPlan], advance: Callable[[int], None]
) -> list[TrainedModel]:
    """Train every model that is asked for."""
    futures = train_model.map(plan=list(plans), store=unmapped(store), study=unmapped(study), advance=unmapped(advance))
    return [future.result() for future in futures]


def trained_models(
    store: Store, study: Study, plans: Sequence[TrainingPlan], advance: Callable[[int], None]
) -> list[TrainedModel]:
    """Run the flow and return the trained models."""
    threads: Any = ThreadPoolTaskRunner(max_workers=2)  # Any: its futures are a narrower type than with_options names
    run = train_missing.with_options(flow_run_name=f"train {study.id}", task_runner=threads)
    started_server()
    return run(store, study, plans, advance)
