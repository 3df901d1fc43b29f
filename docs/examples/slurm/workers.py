"""A refresh whose workers dask-jobqueue submits to Slurm, each a job of its own.

``pip install dask-jobqueue`` beside radzoo, then on a node that may submit jobs and that others may connect to:
``python workers.py /shared/store my-study 64``. Memory, time and partition of a worker are the ``SLURMCluster``'s.
"""

from __future__ import annotations

import subprocess
import sys

from dask_jobqueue.slurm import SLURMCluster


def refresh(store: str, study: str, workers: int, memory: str = "6GB", walltime: str = "12:00:00") -> int:
    """Compute what a study lacks by workers of Slurm; return the exit code of ``radzoo refresh``."""
    # Workers are started by this Python, which has to be installed under the same path on their nodes.
    with SLURMCluster(cores=1, processes=1, memory=memory, walltime=walltime, job_name="radzoo-worker") as cluster:
        cluster.scale(workers)
        # One is enough to begin with: the others take work as they come.
        cluster.wait_for_workers(1)
        runner = cluster.scheduler_address.replace("tcp://", "dask://")
        verb = [sys.executable, "-m", "radzoo", "--store", store, "refresh", "--study", study]
        verb += ["--runner", runner, "--workers", str(2 * workers)]
        return subprocess.run(verb, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(refresh(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
