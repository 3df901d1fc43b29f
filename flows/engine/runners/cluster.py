"""A cluster of workers on other machines, of any kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from flows.engine.runners.address import Runner

__all__ = ["Cluster", "pieces_at_once"]

T = TypeVar("T")

_MOST_AT_ONCE = 512
"""Pieces that a cluster is given and that are not back: what it holds does not grow with the work."""


class Cluster(Protocol):
    """Workers on other machines."""

    @property
    def runner(self) -> Runner:
        """Return how the user names it."""

    def slots(self) -> int:
        """Return how many pieces its workers carry out at once, as of now."""

    def carry_out(self, function: Callable[..., T], *arguments: Any) -> T:
        """Carry out a function of a module on one of the workers and return what it returns.

        A piece whose worker dies is given to another one. Called in a thread, many at once.

        Raises
        ------
        RadzooError
            When the cluster is gone, has no worker left for minutes, or the run is stopped.
        Exception
            What the function raises.
        """

    def environments(self) -> Mapping[str, Mapping[str, str] | None]:
        """Return the environment of each worker by its name; None where radzoo is not installed there."""

    def stop(self) -> None:
        """Let nobody wait any longer: what is under way is given up."""


def pieces_at_once(cluster: Cluster | None, workers: int | None) -> int:
    """Return how many pieces are under way at once: as many as are named, or as many as this machine has cores.

    A cluster is given two for each place that it has: while one is carried out the next one lies ready.
    """
    if cluster is None:
        return workers or os.cpu_count() or 1
    return min(_MOST_AT_ONCE, workers or 2 * cluster.slots() + 2)
