"""Workers of a Dask cluster, by the Executor that dask.distributed brings along.

A connection is encrypted where Dask's own configuration says so (``distributed.comm``): this module sets nothing of it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from flows.engine.runners.address import Runner
from flows.engine.runners.cluster import Cluster
from flows.engine.runners.environment import environment
from schemas.errors import NotFoundError, RadzooError

__all__ = ["dask_cluster"]

T = TypeVar("T")

_CONNECT_S = 10
_FIRST_WORKER_S = 60
_LOOK_S = 1.0
_COUNT_EVERY_S = 15.0
_WITHOUT_WORKERS_S = 300.0
"""A machine that is started again is back by then; a run that waits for ever tells nobody."""

_KEPT = "what was finished is kept: start the scheduler or workers again, then run the same command"


@contextmanager
def dask_cluster(runner: Runner) -> Iterator[Cluster]:
    """Give the cluster of a Dask scheduler that has at least one worker.

    Raises
    ------
    NotFoundError
        When dask.distributed is not installed, nobody answers, or no worker comes.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise NotFoundError(
            f"--runner {runner} needs dask.distributed, which is not installed", hint="pip install 'radzoo[dask]'"
        ) from error
    _refuse_other_servers(runner, distributed)
    try:
        client = distributed.Client(runner.place, timeout=_CONNECT_S, set_as_default=False, name="radzoo")
    except (OSError, TimeoutError) as error:
        raise _no_scheduler(runner) from error
    try:
        try:
            client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
        except TimeoutError as error:
            raise NotFoundError(
                "the Dask scheduler has no worker",
                where=str(runner),
                hint=f"dask worker {runner.place} --nthreads 1 starts one",
            ) from error
        yield _DaskCluster(runner, client)
    finally:
        with suppress(OSError, TimeoutError):
            client.close()


def _refuse_other_servers(runner: Runner, distributed: Any) -> None:
    """Refuse an address at which something else than a scheduler listens: Dask's client waits for it without end.

    Raises
    ------
    NotFoundError
        When nobody answers as a scheduler does.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    async def ask() -> bool:
        security = distributed.Security().get_connection_args("client")
        async with distributed.rpc(runner.place, connection_args=security) as scheduler:
            return bool((await scheduler.identity()).get("type") == "Scheduler")

    def answered() -> None:
        # Whatever another server's bytes are taken for, such as the length of a message that fills all memory.
        try:
            answers.put(asyncio.run(asyncio.wait_for(ask(), _CONNECT_S)))
        except Exception:
            answers.put(False)

    # A thread that may be left behind: what waits within it cannot always be cancelled.
    threading.Thread(target=answered, daemon=True).start()
    try:
        is_scheduler = answers.get(timeout=_CONNECT_S + 1)
    except queue.Empty:
        is_scheduler = False
    if not is_scheduler:
        raise _no_scheduler(runner)


def _no_scheduler(runner: Runner) -> NotFoundError:
    return NotFoundError(
        "no Dask scheduler answers",
        where=str(runner),
        hint="dask scheduler starts one, and says its address (its page has another port); then dask worker HOST:PORT "
        "--nthreads 1 on each machine",
    )


class _DaskCluster:
    """A client of a Dask scheduler."""

    def __init__(self, runner: Runner, client: Any) -> None:
        self._runner = runner
        self._client = client
        # Not pure: the same arguments are never answered by what another run left.
        self._executor: Executor = client.get_executor(pure=False)
        self._is_stopped = threading.Event()
        self._counting = threading.Lock()
        self._counted_at = self._seen_at = time.monotonic()

    @property
    def runner(self) -> Runner:
        """Return how the user names it."""
        return self._runner

    def slots(self) -> int:
        """Return the threads of all workers."""
        return sum(self._client.nthreads().values())

    def carry_out(self, function: Callable[..., T], *arguments: Any) -> T:
        """Carry out a function on a worker; Dask gives it to another one where that dies."""
        future = self._executor.submit(function, *arguments)
        # Threads wait in short turns: a cluster that lost all its workers would never wake them.
        while not wait([future], timeout=_LOOK_S).done:
            if self._is_stopped.is_set():
                future.cancel()
                raise RadzooError("the run was stopped; what was finished is kept")
            self._refuse_desertion()
        try:
            return future.result()
        except CancelledError as error:
            raise RadzooError("the Dask scheduler is gone", where=str(self._runner), hint=_KEPT) from error
        except Exception as error:
            if type(error).__name__ == "KilledWorker":
                raise RadzooError(
                    "several workers died one after another at the same piece of work, most likely because their "
                    "memory ran out",
                    where=str(self._runner),
                    hint="give each worker more memory or fewer threads; what was finished is kept",
                ) from error
            raise

    def environments(self) -> Mapping[str, Mapping[str, str] | None]:
        """Return each worker's environment."""
        # Asked in two steps: a function of a module that a worker lacks could not be called there.
        there = self._client.run(importlib.metadata.version, "radzoo", on_error="return")
        having = [worker for worker, found in there.items() if not isinstance(found, BaseException)]
        found = self._client.run(environment, workers=having) if having else {}
        return dict.fromkeys(there, None) | found

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self._is_stopped.set()

    def _refuse_desertion(self) -> None:
        """Refuse to wait for workers of which none has been there for minutes."""
        with self._counting:
            now = time.monotonic()
            if now - self._counted_at < _COUNT_EVERY_S:
                return
            self._counted_at = now
            try:
                is_served = bool(self._client.nthreads())
            except (OSError, TimeoutError):
                is_served = False
            if is_served:
                self._seen_at = now
            elif now - self._seen_at > _WITHOUT_WORKERS_S:
                raise RadzooError(
                    f"the Dask cluster has had no worker for {_WITHOUT_WORKERS_S:.0f} s",
                    where=str(self._runner),
                    hint=_KEPT,
                )
