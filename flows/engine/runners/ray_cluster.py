"""Workers of a Ray cluster, by Ray's client: what a Dask cluster is in `flows.engine.runners.dask_cluster`."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from flows.engine.runners.address import Runner
from flows.engine.runners.cluster import Cluster
from flows.engine.runners.environment import environment
from schemas.errors import NotFoundError, RadzooError

__all__ = ["ray_cluster"]

T = TypeVar("T")

_LOOK_S = 1.0
_LOOK_EVERY_S = 15.0
_RETRIES = 3
"""How often a piece is given to another worker where one dies: as often as Dask gives it."""
_KEPT = "what was finished is kept: start the cluster again, then run the same command"


@contextmanager
def ray_cluster(runner: Runner) -> Iterator[Cluster]:
    """Give the Ray cluster whose head answers clients at an address.

    Raises
    ------
    NotFoundError
        When Ray's client is not installed, or nobody answers.
    """
    try:
        importlib.import_module("grpc")
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise NotFoundError(
            f"--runner {runner} needs Ray's client, which is not installed", hint="pip install 'radzoo[ray]'"
        ) from error
    try:
        ray.init(str(runner), logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError) as error:
        raise NotFoundError(
            "no Ray cluster answers clients",
            where=str(runner),
            hint="ray start --head starts one, which answers clients at port 10001; then ray start --address HOST:6379 "
            "on each machine",
        ) from error
    try:
        yield _RayCluster(runner, ray)
    finally:
        with suppress(ConnectionError, RuntimeError):
            ray.shutdown()


class _RayCluster:
    """A client of a Ray cluster."""

    def __init__(self, runner: Runner, ray: Any) -> None:
        self._runner = runner
        self._ray = ray
        self._called = ray.remote(num_cpus=1, max_retries=_RETRIES)(_called)
        self._is_stopped = threading.Event()
        self._looking = threading.Lock()
        self._looked_at = time.monotonic()

    @property
    def runner(self) -> Runner:
        """Return how the user names it."""
        return self._runner

    def slots(self) -> int:
        """Return the processors that the cluster has for pieces."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    def carry_out(self, function: Callable[..., T], *arguments: Any) -> T:
        """Carry out a function on a worker; Ray gives it to another one where that dies."""
        reference = self._called.remote(function, *arguments)
        future: Future[T] = reference.future()
        while not wait([future], timeout=_LOOK_S).done:
            if self._is_stopped.is_set():
                raise RadzooError("the run was stopped; what was finished is kept")
            self._refuse_loss()
        try:
            return future.result()
        except self._ray.exceptions.RayTaskError as error:
            # The function's own error, which Ray wraps with the text of its traceback.
            raise error.cause from error
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise RadzooError(
                f"the Ray cluster lost a piece of work {_RETRIES + 1} times, or is gone itself: {type(error).__name__}",
                where=str(self._runner),
                hint=_KEPT,
            ) from error

    def environments(self) -> Mapping[str, Mapping[str, str] | None]:
        """Return the environment of each machine of the cluster that has processors for pieces."""
        affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        found: dict[str, Mapping[str, str] | None] = {}
        for node in self._ray.nodes():
            if not node["Alive"] or not node["Resources"].get("CPU"):
                continue
            there = self._called.options(scheduling_strategy=affinity(node["NodeID"], soft=False))
            name = f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"
            try:
                self._ray.get(there.remote(importlib.metadata.version, "radzoo"))
            except importlib.metadata.PackageNotFoundError:
                found[name] = None
            else:
                found[name] = self._ray.get(there.remote(environment))
        return found

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self._is_stopped.set()

    def _refuse_loss(self) -> None:
        """Refuse to wait for a cluster that answers no longer."""
        with self._looking:
            if time.monotonic() - self._looked_at < _LOOK_EVERY_S:
                return
            self._looked_at = time.monotonic()
            if not self._ray.is_initialized():
                raise RadzooError("the Ray cluster is gone", where=str(self._runner), hint=_KEPT)


def _called(function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function returns: a module's function, which the worker imports."""
    return function(*arguments)
