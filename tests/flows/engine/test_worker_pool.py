"""The pool of worker processes: none outlives the process that made it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from flows.engine.pool import worker_pool

PARENT = """
import multiprocessing, os, sys, time
from flows.engine.pool import worker_pool

with worker_pool(2) as pool:
    first, second = pool.submit(os.getpid), pool.submit(os.getpid)
    first.result(), second.result()
    if sys.argv[1] == "busy":
        pool.submit(time.sleep, 600), pool.submit(time.sleep, 600)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_no_worker_outlives_a_killed_parent(state):
    """Kill -9 of the parent alone ends its workers, whether they wait for work or are at it."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, state], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        alive = [os.pidfd_open(worker) for worker in workers]
        try:
            os.kill(parent.pid, signal.SIGKILL)
            until = time.monotonic() + 60
            for each in alive:
                # A process's descriptor becomes readable when the process ends.
                ended, _, _ = select.select([each], [], [], max(0.0, until - time.monotonic()))
                assert ended == [each]
        finally:
            for each, worker in zip(alive, workers, strict=True):
                if not select.select([each], [], [], 0)[0]:
                    os.kill(worker, signal.SIGKILL)
                os.close(each)
    assert workers


def test_workers_have_the_environment_of_their_own_pool(monkeypatch):
    """What was set since the first pool reaches the workers of the next one; each has one numerical thread."""
    for value in ("first", "second"):
        monkeypatch.setenv("RADZOO_OF_A_TEST", value)
        with worker_pool(1) as pool:
            assert pool.submit(os.getenv, "RADZOO_OF_A_TEST").result() == value
            assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"


NETWORKS = """
import sys
from flows.engine.pool import worker_pool

loaded = "sorted({'torch', 'monai'} & {*__import__('sys').modules})"
with worker_pool(1, networks=True) as pool:
    print(pool.submit(eval, loaded).result(), "torch" in sys.modules)
"""


def test_workers_of_networks_find_their_libraries_loaded():
    """Before its first task such a worker has PyTorch and MONAI, from the process it is forked from, not this one."""
    done = subprocess.run([sys.executable, "-c", NETWORKS], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "['monai', 'torch'] False"
