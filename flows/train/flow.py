"""The Prefect flow that trains: one task a model, networks in worker processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Lock

from flows.engine.lines import telling_pool
from flows.engine.progress import Advance
from flows.engine.tasks import run_tasks
from flows.engine.watching import checkpoints
from flows.train.network import train_network
from schemas.study.file import Study
from store.home import Store
from store.times import utc_now
from zoo.models.training import TrainedModel, TrainingPlan, fit_and_save_model
from zoo.radiomics.shared_fits import SharedFits
from zoo.registry import study_spec
from zoo.tables.fits import UnfitError

__all__ = ["train_models"]

_AT_ONCE = 2


def train_models(
    store: Store, study: Study, plans: Sequence[TrainingPlan], work: Sequence[float], advance: Advance
) -> list[TrainedModel | UnfitError]:
    """Run the flow and return the trained models; in place of one that cannot be fitted, the reason.

    A network sets PyTorch's generator, threads and switches, which are a process's: each has a process to itself. One
    that a model before it trained, as late fusion's is, is not trained again. The other models are fitted in this one
    and share what they select; one at a time, for scipy and scikit-learn silence their solvers' warnings by the
    process's filters, and two threads that do so leave each other's behind. The longest begins first: begun last, it
    would keep one processor busy and the others idle. ``work`` is how long they take.
    """
    order = sorted(range(len(plans)), key=lambda position: -work[position])
    networks = sum(study_spec(study, plan.model).is_network for plan in plans)
    with ExitStack() as stack:
        workers = min(_AT_ONCE, networks, os.cpu_count() or 1)
        pool = stack.enter_context(telling_pool(workers)) if networks else None
        folder = stack.enter_context(checkpoints(store.staging, study.id))
        one_at_a_time, shared = Lock(), SharedFits()

        def carry_out(turn: int) -> TrainedModel | UnfitError:
            plan = plans[order[turn]]
            found: TrainedModel | UnfitError
            try:
                if pool is not None and study_spec(study, plan.model).is_network:
                    found = pool.submit(train_network, store.root, study, plan, folder).result()
                else:
                    with one_at_a_time:
                        found = fit_and_save_model(store, study, plan, utc_now(), shared)
            except UnfitError as error:
                # Given, not raised: Prefect would log a traceback, and the other models go on.
                found = error
            advance(1, work[order[turn]])
            return found

        names = [f"train {plans[position].model}" for position in order]
        falling = [work[position] for position in order]
        in_turn = run_tasks("train", study.id, names, carry_out, threads=_AT_ONCE, work=falling)
        return [found for _, found in sorted(zip(order, in_turn, strict=True), key=lambda each: each[0])]
