"""What an interrupt (Ctrl-C) does to a process that waits."""

from __future__ import annotations

import signal

__all__ = ["let_interrupts_wake"]


def let_interrupts_wake() -> None:
    """Let an interrupt wake a main thread that waits at a lock, such as one for the result of a task.

    polars, while it is imported, asks the system to go on with such a wait behind an interrupt (``SA_RESTART``): Python
    would hear of it when the task has ended by itself.
    """
    # Before, not after: its import would undo this.
    import polars  # noqa: F401

    signal.siginterrupt(signal.SIGINT, True)
