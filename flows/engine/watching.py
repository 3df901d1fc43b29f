"""Networks while they are trained: a line for people now and then, checkpoints that a killed training goes on from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.engine.progress import say
from zoo.networks.watch import EpochReport, NetworkWatch, watch_training

__all__ = ["CHECKPOINTS", "checkpoints", "watch_networks"]

CHECKPOINTS = "networks"
"""The folder of checkpoints, below a store's staged work."""

_LINE_EVERY_S = 10.0


@contextmanager
def checkpoints(staging: Path, task: str) -> Iterator[Path]:
    """Give a folder for the checkpoints of networks, which is removed when all went well.

    Models of one task that train equal networks find what the first of them trained.

    Parameters
    ----------
    staging : Path
        The store's folder of staged work.
    task : str
        Tells what is trained from all else that may be trained at the same time, and is the same when it is taken up
        again.
    """
    folder = staging / CHECKPOINTS / task
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def watch_networks(folder: Path, *, told_as: str | None = None) -> Iterator[None]:
    """Let networks that are trained inside keep checkpoints, and go on from those that are there.

    Parameters
    ----------
    folder : Path
        Of checkpoints; made when the first one is written.
    told_as : str, optional
        Where it is given, epochs are told to the person who watches, one line in ten seconds, beginning with it.
    """
    spoken = time.monotonic()

    def progress(report: EpochReport) -> None:
        nonlocal spoken
        now = time.monotonic()
        if told_as is not None and (report.is_last or report.resumed or now - spoken >= _LINE_EVERY_S):
            spoken = now
            say(f"{told_as}: {_told(report)}")

    with watch_training(NetworkWatch(progress=progress, checkpoints=folder)):
        yield


def _told(report: EpochReport) -> str:
    line = f"epoch {report.epoch} of {report.epochs}, loss {report.loss:.3f}"
    if report.validation_loss is not None and report.validation_auc is not None:
        line += f"; inner validation: loss {report.validation_loss:.3f}, AUC {report.validation_auc:.3f}"
    if report.resumed:
        return f"{line}; taken over, " + ("trained before" if report.is_last else "of an interrupted training")
    return f"{line}; best epoch {report.best_epoch}" if report.is_last else line
