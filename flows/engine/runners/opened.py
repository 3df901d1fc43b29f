"""The one place where a cluster is opened: once a run, and its workers are compared with this machine.

Nothing of it reaches what is computed: a runner is a setting of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows.engine.runners.address import Runner
from flows.engine.runners.cluster import Cluster
from flows.engine.runners.environment import environment, environment_differences, other_environment
from schemas.errors import ContractError

__all__ = ["opened_cluster"]


@contextmanager
def opened_cluster(runner: Runner) -> Iterator[Cluster | None]:
    """Give the cluster that a runner names, its workers compared with this machine; None where it is this machine.

    Raises
    ------
    NotFoundError
        When no scheduler answers, it has no worker, or its library is not installed.
    ContractError
        When a worker would compute with other versions.
    """
    if runner.is_local:
        yield None
        return
    # Imported here: another machine is asked for, and its library is an extra.
    if runner.kind == "dask":
        from flows.engine.runners.dask_cluster import dask_cluster as cluster_of
    else:
        from flows.engine.runners.ray_cluster import ray_cluster as cluster_of
    with cluster_of(runner) as cluster:
        _refuse_other_environments(cluster)
        yield cluster


def _refuse_other_environments(cluster: Cluster) -> None:
    here = environment()
    faults = []
    for worker, there in sorted(cluster.environments().items()):
        if there is None:
            faults.append(
                ContractError(
                    "radzoo is not installed on a worker",
                    where=worker,
                    hint="install the same release there, start its workers again, then run the command again",
                )
            )
        elif differences := environment_differences(here, there):
            faults.append(other_environment(worker, differences))
    if len(faults) > 1:
        listed = "\n".join(f"{each.where}: {each.message}" for each in faults)
        raise ContractError(
            f"{len(faults)} workers of the cluster cannot compute for this machine:\n{listed}",
            where=str(cluster.runner),
            hint=faults[0].hint,
            faults=faults,
        )
    if faults:
        raise faults[0]
