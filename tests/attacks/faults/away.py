"""What goes away and comes back: after a while by itself, or once the verb has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

from attacks.faults.trial import Trial

__all__ = ["AWAY_S", "bring_back", "impatient"]

AWAY_S = 8.0


def bring_back(trial: Trial, start: Callable[[], None], *, returns: bool) -> None:
    """Let something come back after some seconds, or when the trial is over."""
    if returns:
        again = threading.Timer(AWAY_S, start)
        again.start()
        trial.heal.append(again.join)
    else:
        trial.heal.append(start)


def impatient(trial: Trial) -> None:
    """Have what does not come back waited for in seconds."""
    trial.environment["RADZOO_SERVER_SECONDS"] = "5"
