"""A fit on a worker of a cluster: in a child with one numerical thread, as here, and its result sent back.

A pinned table that the worker cannot read under the same path is asked for once and kept by its hash while the worker
runs.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from flows.engine.pool import end_with_parent
from flows.engine.runners.environment import refuse_other_environment
from flows.engine.runners.lent_child import lent_child
from flows.engine.watching import checkpoints, watch_networks
from schemas.errors import ContractError, RadzooError
from store.files import file_sha256
from store.limits.process import LimitedProcessError, Limits
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task

__all__ = ["FitAnswer", "RemoteFit", "fit_on_worker"]

_UNLIMITED = Limits(seconds=3.2e7, memory_bytes=1 << 50)
"""Tables and recipes are the store's own; a child is asked for its one thread, and for what it leaves behind."""


@dataclass(frozen=True)
class RemoteFit:
    """A fit, and the pinned tables that a worker has asked for, by their hashes."""

    task: FitTask
    environment: Mapping[str, str]
    """Of the machine that asks."""
    tables: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class FitAnswer:
    """A fit's result as JSON, or the hashes of tables that the worker lacks."""

    result: str | None
    lacking: frozenset[str] = frozenset()


def fit_on_worker(asked: RemoteFit) -> FitAnswer:
    """Carry out a fit in a child of this worker and return what it found, or which tables it needs.

    Raises
    ------
    ContractError
        When this worker's installation is another than that of who asks, or a table arrives damaged.
    RadzooError
        When the child dies.
    """
    refuse_other_environment(asked.environment)
    for sha256, content in asked.tables.items():
        _keep(sha256, content)
    here = {each.dataset_sha256: _found(each) for each in asked.task.recipes}
    if lacking := frozenset(sha256 for sha256, file in here.items() if file is None):
        return FitAnswer(None, lacking)
    recipes = tuple(replace(each, dataset=here[each.dataset_sha256] or each.dataset) for each in asked.task.recipes)
    task = replace(asked.task, recipes=recipes)
    with lent_child(_UNLIMITED, (fitted_task.__module__,)) as child:
        try:
            return FitAnswer(child.process.call(fit_in_child, task, child.folder, os.getpid()))
        except LimitedProcessError as error:
            raise RadzooError(
                f"a fit ended on a worker: {error}",
                where=f"{socket.gethostname()}, {task.place}",
                hint="what was finished is kept; run the command again, with --runner local to see the fault itself",
            ) from error


def fit_in_child(task: FitTask, folder: Path, parent: int) -> str:
    """Return a fit's result as JSON, in the child, which ends when the worker does."""
    end_with_parent(parent)
    with checkpoints(folder, task.key) as kept, watch_networks(kept):
        return json.dumps(fitted_task(task), allow_nan=False)


@cache
def _tables() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="radzoo-tables-", ignore_cleanup_errors=True)


@cache
def _sha256(file: Path) -> str:
    # A pinned table is named by its content and never changes.
    return file_sha256(file)


def _kept(sha256: str) -> Path:
    return Path(_tables().name) / f"{sha256}.parquet"


def _keep(sha256: str, content: bytes) -> None:
    partial = Path(tempfile.mkstemp(dir=_tables().name)[1])
    partial.write_bytes(content)
    if file_sha256(partial) != sha256:
        partial.unlink()
        raise ContractError("a pinned table is not what its hash says", where=socket.gethostname())
    partial.replace(_kept(sha256))


def _found(recipe: Recipe) -> Path | None:
    """Return where a recipe's table can be read: under its own path where folders are shared, else what was sent."""
    if recipe.dataset.is_file() and _sha256(recipe.dataset) == recipe.dataset_sha256:
        return recipe.dataset
    kept = _kept(recipe.dataset_sha256)
    return kept if kept.is_file() else None
