"""Faults of processes: a worker, Prefect's server or the verb itself is killed."""

from __future__ import annotations

import os
import signal

from attacks.faults.moments import committing, staged, training
from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS"]


def _own_server(trial: Trial) -> None:
    """Let the verb start Prefect's temporary server."""
    trial.environment["PREFECT_API_URL"] = ""


def _worker(trial: Trial) -> None:
    os.kill(trial.running.child("store.limits"), signal.SIGKILL)


def _prefect(trial: Trial) -> None:
    os.kill(trial.running.child("loopback_app"), signal.SIGKILL)


def _driver(trial: Trial) -> None:
    os.kill(trial.running.process.pid, signal.SIGKILL)


_SERVER = {"prepare": _own_server}
FAULTS: tuple[Fault, ...] = (
    Fault("an extraction's worker is killed", _worker, (0,), staged(3), "at the third extraction"),
    Fault("Prefect's temporary server is killed", _prefect, (0, 1, 3), staged(3), "at the third extraction", **_SERVER),
    Fault("the verb is killed", _driver, (-9,), staged(3), "at the third extraction", **_SERVER),
    Fault("the verb is killed", _driver, (-9,), committing, "in the commit"),
    Fault("the verb is killed", _driver, (-9,), training, "at the dataset", "train"),
)
